// SPDX-License-Identifier: GPL-2.0-only
/* Owns the experiments' settings, and how a recovery is read off a timeline. */
#include "experiments.h"

const struct mix mixes[] = {
	{"half-500", "99.5 % of 0.5 us, 0.5 % of 500 us", {{.995, 500}, {.005, 500000}}, 2},
	{"ten-5000", "99.5 % of 10 us, 0.5 % of 5 ms", {{.995, 10000}, {.005, 5000000}}, 20},
	{"one-100", "50 % of 1 us, 50 % of 100 us", {{.5, 1000}, {.5, 100000}}, 5},
};
const u32 nmixes = sizeof(mixes) / sizeof(mixes[0]);
const char *const steering_name[] = {"rr", "least", "fifo", "typed"};

void conf_incident(struct sim_conf *c, enum sim_control control)
{
	memset(c, 0, sizeof(*c));
	c->control = control;
	c->steering = SIM_CENTRAL;
	c->dist = SIM_EXPONENTIAL;
	c->workers = INCIDENT_WORKERS;
	c->class[0] = (struct sim_class){1, INCIDENT_SERVICE};
	c->nclasses = 1;
	/* the kernel takes answers every 5 us: what the window has to make up for */
	c->collect_ns = control == SIM_SLUICE ? 5 * SIM_US : 0;
	c->objective = INCIDENT_OBJECTIVE;
	c->queue_max = control == SIM_SLUICE ? 4096 : INCIDENT_MEMORY;
	c->sources = 1000;
	/* the one thing that is said: half of the objective may be spent waiting */
	c->policy[0].target = INCIDENT_OBJECTIVE / 2;
	c->seed = 1;
}

/* Offered load @factor times capacity from the start, without retries. Return: the rate. */
double conf_factor(struct sim_conf *c, enum sim_control control, double factor, u64 ms)
{
	conf_incident(c, control);
	c->phase[0].rate = factor * sim_capacity(c);
	c->phase[0].until = ms * SIM_MS;
	return c->phase[0].rate;
}

void conf_mix(struct sim_conf *c, const struct mix *m, enum sim_steering steering, double load,
	      double seconds)
{
	memset(c, 0, sizeof(*c));
	c->control = SIM_SLUICE;
	c->steering = steering;
	c->workers = 6;
	memcpy(c->class, m->class, sizeof(m->class));
	c->nclasses = 2;
	c->objective = SIM_S;
	c->queue_max = 1U << 24;
	/* steering alone is measured here: nothing is ever refused */
	c->policy[0].target = 1000 * SIM_S;
	c->policy[1].target = 1000 * SIM_S;
	c->phase[0].rate = load * sim_capacity(c);
	c->phase[0].until = seconds * 1e9;
	c->measure_from = seconds * 0.3e9;
	c->seed = 7;
}

/*
 * How long after @step goodput stayed below 0.95 of capacity for the last time: from then on, every
 * mean of five bins is above it. Return: ns; U64_MAX if it never came back.
 */
u64 recovery(const struct sim_result *r, u64 bin_ns, u64 step)
{
	u32 first = step / bin_ns, i, j;
	u64 good;

	for (i = r->nbins; i >= first + 5; i--) {
		for (good = 0, j = i - 5; j < i; j++)
			good += r->bin[j].good;
		if (good < 0.95 * r->capacity * 5 * bin_ns * 1e-9)
			return i == r->nbins ? U64_MAX : i * bin_ns - step;
	}
	return 0;
}
