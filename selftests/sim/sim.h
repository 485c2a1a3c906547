/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what the simulation is made of: clients, kernel, workers, in virtual nanoseconds. */
#ifndef SLUICE_SIM_H
#define SLUICE_SIM_H

#include "../../kmod/core/demand.h"
#include "../../kmod/core/hist.h"
#include "../../kmod/core/overload.h"
#include "../../kmod/core/window.h"

#define SIM_US		1000ULL
#define SIM_MS		1000000ULL
#define SIM_S		1000000000ULL
#define SIM_CLASSES	2
#define SIM_WORKERS_MAX 32
#define SIM_PHASES	4
#define SIM_BINS	4096

enum sim_control {
	SIM_FIFO,   /* one queue, first in first out, up to a limit; nothing else: a socket */
	SIM_SLUICE, /* kmod/core decides */
};

enum sim_steering {
	SIM_RR,
	SIM_LEAST,
	SIM_CENTRAL,
	SIM_TYPED
};

enum sim_dist {
	SIM_CONSTANT,
	SIM_EXPONENTIAL
};

struct sim_class {
	double share;	/* of arrivals */
	double service; /* ns */
};

struct sim_phase {
	u64 until;   /* ns */
	double rate; /* first attempts per second */
};

struct sim_conf {
	enum sim_control control;
	enum sim_steering steering;
	enum sim_dist dist;
	u32 workers;
	struct sim_class class[SIM_CLASSES];
	u32 nclasses;
	struct sim_phase phase[SIM_PHASES];
	u64 measure_from; /* ns: earlier arrivals are not in the totals */
	u64 collect_ns;	  /* how long until the kernel sees an answer; 0: at once */
	u64 objective;	  /* ns */
	u32 queue_max;	  /* requests that may wait */
	u32 sources;	  /* clients; 0: one */
	double heavy;	  /* share of arrivals that the first of them sends besides */
	struct sluice_policy policy[SLUICE_QUEUE_CLASSES];
	u32 retries;	/* of a client, after a refusal or a timeout */
	u64 timeout_ns; /* a client's; 0: it waits for ever */
	u64 backoff_ns; /* mean of the first wait after a refusal; doubles */
	u64 bin_ns;	/* of the timeline; 0: none */
	u64 seed;
};

struct sim_hist {
	u64 n;
	u64 bucket[SLUICE_HIST_BUCKETS];
};

struct sim_bin {
	u64 offered; /* attempts */
	u64 first;   /* of them, first attempts */
	u64 answered;
	u64 good;   /* answered within the objective */
	u64 useful; /* answered while the client still waited */
	u64 refused;
	u64 lost;
	u64 waiting;
	u64 p99; /* ns, of answers */
};

struct sim_result {
	u64 offered; /* attempts that arrived in the measured time */
	u64 first;
	u64 answered;
	u64 good;
	u64 useful;
	u64 refused;
	u64 lost;  /* the queue was full and nobody was told */
	u64 light; /* of first attempts, those not of the heavy client's share */
	u64 light_answered;
	u64 failed; /* clients that gave up */
	double seconds;
	double capacity;
	u64 steps;
	u64 window; /* of a ring, in the end, ns */
	struct sim_hist latency[SIM_CLASSES];
	struct sim_hist all;
	u32 nbins;
	struct sim_bin *bin; /* free() it */
};

int sim_run(const struct sim_conf *c, struct sim_result *r);
double sim_capacity(const struct sim_conf *c);
u64 sim_quantile(const struct sim_hist *h, u32 per_million);
void sim_hist_add(struct sim_hist *h, u64 ns);

/* random.c: the same sequence for the same seed */
struct sim_random {
	u64 s[2];
};

void sim_seed(struct sim_random *r, u64 seed);
double sim_uniform(struct sim_random *r);
double sim_exponential(struct sim_random *r, double mean);

/* ideal.c: what a policy can reach at best, by models that share no code with the above */
u64 ideal_p99(enum sim_steering steering, const struct sim_class *class, u32 workers, double load,
	      u64 arrivals, u32 of, u64 seed);

#endif /* SLUICE_SIM_H */
