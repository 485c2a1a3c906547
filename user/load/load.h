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
enum { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_UNSET };
enum { FRAMING_LENGTH, FRAMING_LINE, FRAMING_UNSET };

struct proto;
struct transport;

struct options {
	const char *target;
	u64 rate;		/* per second, all threads together */
	u64 duration_ns;
	u64 warmup_ns;
	u64 timeout_ns;
	u64 late_ns;		/* a send later than this is late */
	u64 objective_ns;	/* replies within this are in time; 0: not asked for */
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
	u32 transport_index;
	u32 framing;		/* raw over TCP */
	bool preload_off;
	bool allow_late;
	bool json;
	bool help;
	bool version;

	/* worked out from the above */
	const struct proto *proto;
	const struct transport *transport;
	bool tcp;
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
	u32 key;		/* of a store: first key */
	u32 len;		/* TCP: bytes of the request */
	u16 keys;		/* of a store: number of keys; 0 for a set */
	u16 next;		/* memcached: the key whose value is likely to come next */
	u16 found;		/* of a store: keys found so far */
	u64 had[2];		/* memcached: which, a bit each */
	bool ended;		/* memcached: END has come, keys not found were counted as misses */
	u8 state;
	bool counted;		/* scheduled within the measured time */
	bool sent;		/* handed to the kernel, wholly */
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
	u64 in_time;		/* among them: within the objective */
	u64 refused;
	u64 wrong;
	u64 lost;		/* no answer within the timeout */
	u64 broken;		/* TCP: their connection ended, or could not be made, before the answer */
	u64 blocked;		/* TCP: among the unsent: the server did not read */
	u64 late_replies;	/* to requests counted as lost */
	u64 duplicates;		/* to requests that had their answer */
	u64 strange;		/* replies to nothing that was asked */
	u64 hits;		/* keys that a get found */
	u64 misses;		/* keys that a get did not find */
	u64 closed;		/* TCP: connections that ended */
	u64 unreachable;	/* UDP: ICMP errors; TCP: connections that could not be made again */
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

/* Bytes of a stream that wait: [at, at + len) of data. */
struct bytes {
	u8 *data;
	u32 at;
	u32 len;
	u32 room;
};

struct channel {
	int fd;			/* TCP: -1 between connections */
	u32 next_seq;
	u32 oldest;		/* everything before is settled or lost */
	u32 mask;
	struct flight *flights;	/* [mask + 1], by seq */

	/* TCP */
	u32 expected;		/* replies in order: whose reply comes next; lost ones have theirs to come */
	u32 unsent;		/* everything before was handed to the kernel */
	u32 part;		/* bytes of it that were */
	u32 events;		/* watched for by epoll */
	bool connecting;
	bool replied;		/* this connection was of use */
	struct bytes out;	/* what the socket did not take yet */
	struct bytes in;	/* the beginning of a reply */
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
	u32 sweep;		/* channel that is looked at next for what timed out */
	u64 buffered;		/* bytes in the channels' out */
	int epoll;
	int err;		/* -errno if the worker had to give up */
	u8 *out;		/* [BATCH][out_size] */
	u8 *in;			/* UDP: [BATCH][in_size]; TCP: [in_size] */
	u64 drops_before;	/* replies dropped before the measured time */
	u32 out_size;
	u32 in_size;
	struct counts counts;
};

enum cut_result { CUT_DONE, CUT_MORE, CUT_BAD };

/* Where in a stream's bytes its first reply lies. */
struct cut {
	u32 total;		/* bytes that belong to it */
	u32 at;			/* the reply without its framing */
	u32 len;
};

/**
 * struct proto - what is asked and how answers are judged
 * @udp: can be spoken over UDP
 * @ordered: over TCP replies carry no id, they come in the order of the requests
 * @check_options: fills @error and returns false if the options do not fit together
 * @build: writes the request @f (seq is set) into @buf, notes in @f what to expect; returns its bytes
 * @put: stores only: writes the request that @f describes; returns its bytes
 * @identify: the low bits of the sequence number that a reply carries, under @mask; false if it carries none
 * @cut: finds the first reply in the bytes of a stream
 * @judge: compares a reply with what @f expects
 * @more: may be NULL; takes what comes for a request that had its answer. False if it is not a part of that answer
 * @prepare: before the run; 0, or -errno after a message in @error
 */
struct proto {
	const char *name;
	bool udp;
	bool ordered;
	bool (*check_options)(struct options *opt, char *error, size_t room);
	u32 (*build)(struct worker *w, struct flight *f, u8 *buf);
	u32 (*put)(const struct options *opt, const struct flight *f, u8 *buf);
	bool (*identify)(const struct options *opt, const u8 *buf, u32 len, u32 *seq, u32 *mask);
	enum cut_result (*cut)(const struct options *opt, const u8 *buf, u32 len, struct cut *reply);
	enum verdict (*judge)(struct worker *w, struct flight *f, const u8 *buf, u32 len);
	bool (*more)(struct worker *w, struct flight *f, const u8 *buf, u32 len);
	int (*prepare)(const struct options *opt, char *error, size_t room);
	u32 (*request_max)(const struct options *opt);
};

/**
 * struct transport - how requests and replies travel
 * @table_min: requests that a channel can have in flight at least
 * @in_size: sets @w's in_size; returns the bytes of its receive buffer
 * @open: gives the channel its socket; 0 or -errno
 * @send: sends what is due from this channel; false if that was nothing
 * @event: epoll said so
 * @close: lets go of the channel's socket and buffers
 */
struct transport {
	const char *name;
	u32 table_min;
	size_t (*in_size)(struct worker *w);
	int (*open)(struct worker *w, struct channel *c);
	bool (*send)(struct worker *w, struct channel *c, u64 now);
	void (*event)(struct worker *w, struct channel *c, u32 events);
	void (*close)(struct channel *c);
};

extern const struct proto proto_raw, proto_memcached, proto_resp;
extern const struct transport transport_udp, transport_tcp;
extern const struct proto *const protos[];

u64 now_ns(void);

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

/* flight.c: a request's way from being due to its one end */
bool request_due(const struct worker *w, u64 now);
struct flight *request_next(struct worker *w, struct channel *c, u64 now);
bool request_skip(struct worker *w, u64 now, u64 *counter);
void request_tried(struct worker *w, struct flight *f, u64 now);
void request_expire(struct worker *w, struct channel *c, u64 now);
void request_settle(struct worker *w, struct flight *f, enum verdict v, u64 now);
void reply_take(struct worker *w, struct channel *c, struct flight *f, const u8 *buf, u32 len, u64 now);
void reply_identify(struct worker *w, struct channel *c, const u8 *buf, u32 len, u64 now);
struct flight *request_oldest(struct channel *c);

/* datagram.c, stream.c: a connected socket of its own, or -errno; what to tell the user about that */
int datagram_open(const struct options *opt);
int stream_open(const struct options *opt);
u64 datagram_drops(const struct worker *w);
void open_error(const struct options *opt, int err, char *error, size_t room);
u32 stream_reply_max(const struct options *opt);

/* report.c */
void counts_add(struct counts *sum, const struct counts *c);
int report(const struct options *opt, const struct counts *sum);
void progress(const struct options *opt, const struct worker *w, u64 elapsed_ns, bool end);

/* keyed.c: keys and values of a store, the same for every protocol */
#define KEY_LEN	12	/* "key" and nine digits */
bool keyed_check_options(const struct options *opt, char *error, size_t room);
void keyed_pick(struct worker *w, struct flight *f);
u32 keyed_key(const struct options *opt, const struct flight *f, u32 i);
u32 keyed_put_value(u8 *buf, u32 key, u32 size);
bool keyed_is_value(const u8 *p, u32 key, u32 size);
void keyed_count(struct worker *w, const struct flight *f);
bool starts(const u8 *p, u32 len, const char *text, u32 n);

/* preload_udp.c, preload_tcp.c: every key is set, and read back, before the run; 0, or -errno and @error filled */
int preload_udp(const struct options *opt, char *error, size_t room);
int preload_tcp(const struct options *opt, char *error, size_t room);

/* proto_memcached.c */
#define MC_FRAME	8	/* request id, number of this datagram, datagrams, reserved; 16 bits each */
#define MC_LINE_MAX	128
#define MC_VALUE_MAX	1024	/* of a set in one datagram */
u32 mc_match_value(const u8 *p, u32 len, u32 key, u32 size);
void assembly_free(struct flight *f);

#endif /* SLUICE_LOAD_H */
