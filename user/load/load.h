/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of sluice-load share: options, one request in flight, a worker's counts, the protocols. */
#ifndef SLUICE_LOAD_H
#define SLUICE_LOAD_H

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "core/hist.h"
#include "core/port.h"

#define NS_PER_S	1000000000ull
#define NS_PER_US	1000ull
#define BATCH		32	/* datagrams of one sendmmsg or recvmmsg */
#define DATAGRAM_MAX	65507
#define IDS		65536u	/* memcached's frame header has 16 bits of request id */

/* Exit codes, in the manual page too. */
enum { EXIT_VALID, EXIT_FAILED, EXIT_USAGE, EXIT_VOID, EXIT_WRONG };

enum arrival { ARRIVAL_POISSON, ARRIVAL_CONSTANT };
enum check { CHECK_ECHO, CHECK_ID };

struct proto;

struct options {
	const char *target;
	u64 rate;		/* per second, all threads together */
	u64 duration_ns;
	u64 warmup_ns;
	u64 timeout_ns;
	u64 late_ns;		/* a send later than this is late */
	u64 sockets;
	u64 threads;
	u64 size;
	u64 seed;
	u64 keys;
	u64 value_size;
	u64 multi_get;
	double get_ratio;
	double max_loss;	/* share of requests that may be lost */
	double max_miss;	/* share of keys that may be missing; below 0: by default */
	const char *prefix;
	const char *refused;
	const char *cpus;
	u32 arrival;
	u32 check;
	u32 proto_index;
	bool preload_off;
	bool allow_late;
	bool json;
	bool help;
	bool version;

	/* worked out from the above */
	const struct proto *proto;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	u8 prefix_bytes[256];
	u32 prefix_len;
	u32 refused_len;
	u32 nonce;		/* tells this run's requests from those of another */
};

enum flight_state { FLIGHT_FREE, FLIGHT_PENDING, FLIGHT_SETTLED, FLIGHT_LOST, FLIGHT_LATE };

struct assembly;

/* One request that was sent and what is expected back. */
struct flight {
	u64 due_ns;		/* the time it was scheduled for: latency counts from here */
	u32 seq;
	u32 key;		/* memcached: first key */
	u16 keys;		/* memcached: number of keys; 0 for a set */
	u16 next;		/* memcached: the key whose value is likely to come next */
	u16 found;		/* memcached: keys found so far */
	u64 had[2];		/* memcached: which, a bit each */
	bool ended;		/* memcached: END has come, keys not found were counted as misses */
	u8 state;
	bool counted;		/* scheduled within the measured time */
	struct assembly *parts;	/* of a reply in several datagrams */
};

enum verdict { VERDICT_ANSWERED, VERDICT_REFUSED, VERDICT_WRONG, VERDICT_PARTIAL };

/* One worker writes these, the progress line reads them; only requests with flight.counted are in here. */
struct counts {
	u64 offered;		/* scheduled */
	u64 sent;
	u64 unsent;		/* own loss: the send failed, or its time ran out */
	u64 late;		/* sent more than late_ns after their time */
	u64 answered;
	u64 refused;
	u64 wrong;
	u64 lost;		/* no answer within the timeout */
	u64 late_replies;	/* to requests counted as lost */
	u64 duplicates;		/* to requests that had their answer */
	u64 strange;		/* replies to nothing that was asked */
	u64 hits;		/* memcached: keys that a get found */
	u64 misses;		/* memcached: keys that a get did not find */
	u64 unreachable;	/* ICMP errors: nobody listens there */
	u64 dropped;		/* own loss: by the kernel for lack of room in our receive buffers */
	u64 worst_late_ns;
	u64 max_ns;
	u64 latency[SLUICE_HIST_BUCKETS];
	u64 refused_latency[SLUICE_HIST_BUCKETS];
};

#define COUNT(c)	WRITE_ONCE((c), (c) + 1)

struct rng {
	u64 state;
};

struct schedule {
	struct rng rng;
	double next;		/* ns after the start */
	double gap;
	bool poisson;
};

struct channel {
	int fd;
	u32 next_seq;
	u32 oldest;		/* everything before is settled or lost */
	u32 mask;
	struct flight *flights;	/* [mask + 1], by seq */
};

struct worker {
	const struct options *opt;
	pthread_t thread;
	u32 index;
	int cpu;		/* -1: any */
	u64 start_ns;
	u64 count_from_ns;
	u64 end_ns;
	struct schedule schedule;
	struct rng rng;
	struct channel *channels;
	u32 nchannels;
	u32 turn;		/* channel that sends next */
	int epoll;
	int err;		/* -errno if the worker had to give up */
	u8 *out;		/* [BATCH][out_size] */
	u8 *in;			/* [BATCH][in_size] */
	u64 drops_before;	/* replies dropped before the measured time */
	u32 out_size;
	u32 in_size;
	struct counts counts;
};

/**
 * struct proto - what is asked and how answers are judged
 * @check_options: fills @error and returns false if the options do not fit together
 * @build: writes the request @f (seq is set) into @buf, notes in @f what to expect; returns its bytes
 * @identify: the low bits of the sequence number that a reply carries, under @mask; false if it carries none
 * @judge: compares a reply with what @f expects
 * @more: may be NULL; takes what comes for a request that had its answer. False if it is not a part of that answer
 * @prepare: before the run; 0, or -errno after a message on stderr
 */
struct proto {
	const char *name;
	bool (*check_options)(struct options *opt, char *error, size_t room);
	u32 (*build)(struct worker *w, struct flight *f, u8 *buf);
	bool (*identify)(const struct options *opt, const u8 *buf, u32 len, u32 *seq, u32 *mask);
	enum verdict (*judge)(struct worker *w, struct flight *f, const u8 *buf, u32 len);
	bool (*more)(struct worker *w, struct flight *f, const u8 *buf, u32 len);
	int (*prepare)(const struct options *opt, char *error, size_t room);
	u32 (*request_max)(const struct options *opt);
};

extern const struct proto proto_raw, proto_memcached;
extern const struct proto *const protos[];

u64 now_ns(void);
int open_socket(const struct options *opt);

/* options.c: 0; 1 help or version was printed; -1 after a message on stderr */
int options_parse(struct options *opt, int argc, char **argv);

/* schedule.c */
u64 rng_next(struct rng *r);
u64 rng_below(struct rng *r, u64 n);
double rng_unit(struct rng *r);
void rng_init(struct rng *r, u64 seed, u64 stream);
void schedule_init(struct schedule *s, const struct options *opt, u32 thread);
void schedule_advance(struct schedule *s);

/* worker.c */
int worker_init(struct worker *w, const struct options *opt, u32 index);
void worker_fini(struct worker *w);
void *worker_run(void *arg);

/* report.c */
void counts_add(struct counts *sum, const struct counts *c);
int report(const struct options *opt, const struct counts *sum);
void progress(const struct options *opt, const struct worker *w, u64 elapsed_ns, bool end);

/* proto_memcached.c */
void assembly_free(struct flight *f);

#endif /* SLUICE_LOAD_H */
