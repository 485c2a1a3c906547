/* SPDX-License-Identifier: GPL-2.0-only */
/* The family's attribute sets as tables: one description drives encoding, decoding, JSON, comparison and messages. */
#ifndef SLUICE_CLI_SCHEMA_H
#define SLUICE_CLI_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/sluice.h>
#include <linux/sluice_bpf.h>
#include <linux/sluice_outcome.h>
#include <linux/sluice_ring.h>

#define NAME_LEN 32	/* names and comms, with the terminating zero */

struct blob {
	uint8_t *data;
	uint32_t len;
};

struct addr {
	uint8_t len;	/* 4, 16, or 0: none */
	uint8_t bytes[16];
};

struct vec {
	void *items;
	uint32_t n;
};

/* How an attribute is laid out in its message and in its structure. */
enum attr_type {
	T_NONE,		/* padding */
	T_FLAG,		/* bool */
	T_U16,
	T_U32,
	T_U64,
	T_ENUM,		/* u32 with names */
	T_BITS,		/* u32 with a name for each bit */
	T_NAME,		/* char[NAME_LEN] */
	T_ADDR,		/* struct addr */
	T_BLOB,		/* struct blob: bytes, shown as escaped text */
	T_COUNTS,	/* struct blob: array of u64 */
	T_NAMES,	/* struct vec of char[NAME_LEN]; the attribute repeats */
	T_BLOBS,	/* struct vec of struct blob; the attribute repeats */
	T_NESTS,	/* struct vec of the nested set's structures; the attribute repeats */
	T_NEST,		/* struct vec with at most one */
};

enum attr_flags {
	F_OUT = 1 << 0,	/* the kernel alone writes it */
	F_HEX = 1 << 1,	/* shown in base 16 */
	F_NS = 1 << 2,	/* nanoseconds */
	F_BYTES = 1 << 3,	/* a size */
	F_CHAR = 1 << 4,	/* u32 that stands for one byte of text */
};

struct attr_set;

struct attr_desc {
	const char *name;	/* as in docs/netlink/sluice.yaml */
	enum attr_type type;
	unsigned int flags;
	size_t offset;
	const char *const *names;	/* T_ENUM, T_BITS: up to a NULL */
	const struct attr_set *nest;
};

/*
 * Every structure of a set begins with a u64 in which bit n says that attribute n is given.
 */
struct attr_set {
	const char *name;
	size_t size;
	unsigned int max;
	const struct attr_desc *attrs;	/* @max + 1, by number */
};

struct match {
	uint64_t given;
	uint32_t kind;
	struct addr addr;
	uint32_t prefix, min, max, offset, width;
	uint64_t mask, value;
	uint32_t index, delim;
	struct vec words;	/* struct blob */
};

struct rule {
	uint64_t given;
	uint32_t id, order;
	struct vec matches;	/* struct match */
	uint32_t action;
	char group[NAME_LEN], class[NAME_LEN];
	uint32_t prio;
	uint64_t deadline, deadline_max;
	uint32_t deadline_offset, deadline_width, deadline_unit;
	uint32_t request_id_offset, request_id_len;
	bool deadline_little, once;
};

struct rules {
	uint64_t given;
	char listener[NAME_LEN];
	uint32_t generation;
	struct vec rules;	/* struct rule */
};

struct listener {
	uint64_t given;
	char name[NAME_LEN];
	uint32_t id, transport, framing;
	struct addr addr;
	uint16_t port;
	uint32_t ifindex, socket_fd, action;
	bool v6only, adopted, closed, xdp, handed, gro;
	char group[NAME_LEN];
	struct blob reject_data, xdp_passed;
	uint32_t reject_copy, generation, rules, classifier_fd, classifier_id;
	uint64_t bad_verdicts, untracked;
	/* TCP */
	uint32_t frame_offset, frame_width, frame_delim, message_max, backlog, max_conns, max_per_source;
	uint32_t pipeline, send_limit, conns;
	bool frame_little, frame_whole, unordered, reuseport;
	uint64_t idle_ns, message_ns, send_ns, keepalive_ns;
	struct blob conn_counts, framer_name;
	uint32_t framer_fd, framer_id;
};

struct conn {
	uint64_t given;
	uint64_t id, age_ns, idle_ns, received_bytes, sent_bytes, requests;
	uint32_t state, in_flight, queued_bytes, socket_fd;
	bool adopted;
	struct addr peer, addr;
	uint16_t peer_port, port;
	char listener[NAME_LEN];
};

struct cancel {
	uint64_t given;
	uint64_t conn, waiting, published;
	char group[NAME_LEN], class[NAME_LEN], listener[NAME_LEN];
	struct addr peer;
	uint16_t peer_port;
};

struct group {
	uint64_t given;
	char name[NAME_LEN];
	uint32_t id, steering, key, key_offset, key_len, key_index, key_delim, window, backlog;
	uint64_t backlog_bytes, hold_ns, waiting_bytes;
	uint32_t no_consumer, crash, owner_uid, owner_gid, max_rings, rings, waiting;
	struct vec classes;	/* char[NAME_LEN] */
	uint64_t target_ns, interval_ns, stall_ns;
	uint32_t order;
	struct vec class_confs;	/* struct class_conf */
};

struct class_conf {
	uint64_t given;
	char name[NAME_LEN];
	uint64_t target_ns, interval_ns;
	uint32_t cap, shed;
};

struct ring {
	uint64_t given;
	uint32_t id, state, pid, tx, slots, used, waiting;
	char group[NAME_LEN], comm[NAME_LEN];
	uint64_t memory, oldest_ns, bad_responses, wakeups, kicks;
};

struct stats {
	uint64_t given;
	uint32_t object, id;
	bool exact, retired;
	char name[NAME_LEN], parent[NAME_LEN];
	uint64_t received, in_flight, moved;
	struct blob outcomes;
};

struct hist {
	uint64_t given;
	char group[NAME_LEN], class[NAME_LEN];
	uint32_t stage, sub_bits;
	struct blob buckets;
};

struct explain {
	uint64_t given;
	char listener[NAME_LEN];
	struct blob message;
	struct addr addr;
	struct vec rule;	/* struct rule, at most one */
	uint32_t action;
	char group[NAME_LEN], class[NAME_LEN];
	uint32_t hash, ring, generation, verdict;
	bool bad;
};

struct event {
	uint64_t given;
	uint32_t kind, ring, pid;
	char name[NAME_LEN], comm[NAME_LEN];
	uint64_t count, age_ns;
};

extern const struct attr_set set_listener, set_rules, set_rule, set_match, set_class_conf, set_group, set_ring, set_stats;
extern const struct attr_set set_hist, set_explain, set_event, set_conn, set_cancel;

/* The set that a command's messages are made of, and the command's name. */
const struct attr_set *schema_set(uint8_t cmd);
const char *schema_command(uint8_t cmd);

extern const char *const action_names[], *const unit_names[], *const steering_names[], *const key_names[], *const no_consumer_names[];
extern const char *const order_names[], *const crash_names[], *const match_names[], *const stage_names[], *const event_names[];
extern const char *const framing_names[], *const conn_state_names[], *const conn_count_names[];
extern const char *const object_names[], *const kind_names[], *const outcome_names[];
extern const uint8_t outcome_kinds[];
extern const char *const outcome_texts[];

#define GIVEN(attr) (1ULL << (attr))

static inline uint64_t *given_of(void *obj)
{
	return obj;
}

static inline bool is_given(const void *obj, unsigned int attr)
{
	return *(const uint64_t *)obj & GIVEN(attr);
}

static inline void *field_of(const struct attr_desc *d, const void *obj)
{
	return (char *)obj + d->offset;
}

static inline struct match *rule_match(const struct rule *r, uint32_t i)
{
	return (struct match *)r->matches.items + i;
}

static inline struct rule *rules_at(const struct rules *rs, uint32_t i)
{
	return (struct rule *)rs->rules.items + i;
}

const char *name_of(const char *const *names, uint32_t value);
size_t item_size(const struct attr_desc *d);

int obj_copy(const struct attr_set *set, void *to, const void *from);
bool obj_equal(const struct attr_set *set, const void *a, const void *b);
void obj_free(const struct attr_set *set, void *obj);
void *vec_add(struct vec *v, size_t size);
int blob_set(struct blob *b, const void *data, size_t len);

#endif /* SLUICE_CLI_SCHEMA_H */
