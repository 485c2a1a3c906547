// SPDX-License-Identifier: GPL-2.0-only
/* The tables of attribute sets, and copying, comparing and freeing the structures they describe. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

static const char *const transport_names[] = { "udp", "tcp", NULL };
const char *const framing_names[] = { "datagram", "length", "line", "memcached", "resp", "bpf", NULL };
const char *const conn_state_names[] = { "open", "paused", "held", "closing", "passing", NULL };
const char *const action_names[] = { "group", "reject", "drop", "pass", "cancel", NULL };
const char *const unit_names[] = { "ns", "us", "ms", "s", NULL };
const char *const steering_names[] = { "hash", "cpu", "rr", "least", "fifo", "typed", NULL };
const char *const order_names[] = { "lifo", "fifo", NULL };
const char *const key_names[] = { "flow", "bytes", "token", NULL };
const char *const no_consumer_names[] = { "hold", "reject", "pass", NULL };
const char *const crash_names[] = { "requeue", "reissue", "reject", NULL };
const char *const match_names[] = { "src", "length", "bytes", "text", "token", NULL };
const char *const stage_names[] = { "wait", "pickup", "service", "send", "total", NULL };
const char *const event_names[] = {
	"ring-attached", "ring-detached", "ring-died", "ring-broken", "listener-closed", "overload-on",
	"overload-off", "ring-stalled", "ring-resumed", NULL
};
const char *const object_names[] = { "listener", "rule", "group", "class", "ring", NULL };
static const char *const state_names[] = { "attached", "draining", "need-kick", "broken", "gone", "stalled", NULL };
static const char *const tx_names[] = { "kick", "thread", "adaptive", NULL };

#define X(k, name) name,
const char *const kind_names[] = { SLUICE_KINDS(X) NULL };
#undef X

/* rejected_backlog_full: kind and reason; one word where they are the same */
#define X(o, kind, reason, text) #o,
const char *const outcome_names[] = { SLUICE_OUTCOMES(X) NULL };
#undef X
#define X(o, kind, reason, text) SLUICE_KIND_##kind,
const uint8_t outcome_kinds[] = { SLUICE_OUTCOMES(X) };
#undef X
#define X(o, kind, reason, text) text,
const char *const outcome_texts[] = { SLUICE_OUTCOMES(X) NULL };
#undef X

#define X(c, name, text) name,
const char *const conn_count_names[] = { SLUICE_CONN_COUNTS(X) NULL };
#undef X

#define A(s, m, n, t, fl) { n, t, fl, offsetof(struct s, m), NULL, NULL }
#define A_ENUM(s, m, n, t, fl, tab) { n, t, fl, offsetof(struct s, m), tab, NULL }
#define A_NEST(s, m, n, t, fl, sub) { n, t, fl, offsetof(struct s, m), NULL, sub }
#define A_PAD { "pad", T_NONE, F_OUT, 0, NULL, NULL }
#define SET(s, MAX) const struct attr_set set_##s = { #s, sizeof(struct s), MAX, s##_attrs }

static const struct attr_desc match_attrs[SLUICE_A_MATCH_MAX + 1] = {
	[SLUICE_A_MATCH_KIND] = A_ENUM(match, kind, "kind", T_ENUM, 0, match_names),
	[SLUICE_A_MATCH_ADDR] = A(match, addr, "addr", T_ADDR, 0),
	[SLUICE_A_MATCH_PREFIX] = A(match, prefix, "prefix", T_U32, 0),
	[SLUICE_A_MATCH_MIN] = A(match, min, "min", T_U32, 0),
	[SLUICE_A_MATCH_MAX_LEN] = A(match, max, "max-len", T_U32, 0),
	[SLUICE_A_MATCH_OFFSET] = A(match, offset, "offset", T_U32, 0),
	[SLUICE_A_MATCH_WIDTH] = A(match, width, "width", T_U32, 0),
	[SLUICE_A_MATCH_MASK] = A(match, mask, "mask", T_U64, F_HEX),
	[SLUICE_A_MATCH_VALUE] = A(match, value, "value", T_U64, F_HEX),
	[SLUICE_A_MATCH_INDEX] = A(match, index, "index", T_U32, 0),
	[SLUICE_A_MATCH_DELIM] = A(match, delim, "delim", T_U32, F_CHAR),
	[SLUICE_A_MATCH_WORD] = A(match, words, "word", T_BLOBS, 0),
};
SET(match, SLUICE_A_MATCH_MAX);

static const struct attr_desc rule_attrs[SLUICE_A_RULE_MAX + 1] = {
	[SLUICE_A_RULE_ID] = A(rule, id, "id", T_U32, 0),
	[SLUICE_A_RULE_ORDER] = A(rule, order, "order", T_U32, 0),
	[SLUICE_A_RULE_MATCH] = A_NEST(rule, matches, "match", T_NESTS, 0, &set_match),
	[SLUICE_A_RULE_ACTION] = A_ENUM(rule, action, "action", T_ENUM, 0, action_names),
	[SLUICE_A_RULE_GROUP] = A(rule, group, "group", T_NAME, 0),
	[SLUICE_A_RULE_CLASS] = A(rule, class, "class", T_NAME, 0),
	[SLUICE_A_RULE_PRIO] = A(rule, prio, "prio", T_U32, 0),
	[SLUICE_A_RULE_DEADLINE] = A(rule, deadline, "deadline", T_U64, F_NS),
	[SLUICE_A_RULE_DEADLINE_OFFSET] = A(rule, deadline_offset, "deadline-offset", T_U32, 0),
	[SLUICE_A_RULE_DEADLINE_WIDTH] = A(rule, deadline_width, "deadline-width", T_U32, 0),
	[SLUICE_A_RULE_DEADLINE_LITTLE] = A(rule, deadline_little, "deadline-little", T_FLAG, 0),
	[SLUICE_A_RULE_DEADLINE_UNIT] = A_ENUM(rule, deadline_unit, "deadline-unit", T_ENUM, 0, unit_names),
	[SLUICE_A_RULE_DEADLINE_MAX] = A(rule, deadline_max, "deadline-max", T_U64, F_NS),
	[SLUICE_A_RULE_REQUEST_ID_OFFSET] = A(rule, request_id_offset, "request-id-offset", T_U32, 0),
	[SLUICE_A_RULE_REQUEST_ID_LEN] = A(rule, request_id_len, "request-id-len", T_U32, 0),
	[SLUICE_A_RULE_ONCE] = A(rule, once, "once", T_FLAG, 0),
};
SET(rule, SLUICE_A_RULE_MAX);

static const struct attr_desc rules_attrs[SLUICE_A_RULES_MAX + 1] = {
	[SLUICE_A_RULES_LISTENER] = A(rules, listener, "listener", T_NAME, 0),
	[SLUICE_A_RULES_GENERATION] = A(rules, generation, "generation", T_U32, 0),
	[SLUICE_A_RULES_RULE] = A_NEST(rules, rules, "rule", T_NESTS, 0, &set_rule),
};
SET(rules, SLUICE_A_RULES_MAX);

static const struct attr_desc listener_attrs[SLUICE_A_LISTENER_MAX + 1] = {
	[SLUICE_A_LISTENER_NAME] = A(listener, name, "name", T_NAME, 0),
	[SLUICE_A_LISTENER_ID] = A(listener, id, "id", T_U32, F_OUT),
	[SLUICE_A_LISTENER_TRANSPORT] = A_ENUM(listener, transport, "transport", T_ENUM, 0, transport_names),
	[SLUICE_A_LISTENER_FRAMING] = A_ENUM(listener, framing, "framing", T_ENUM, 0, framing_names),
	[SLUICE_A_LISTENER_ADDR] = A(listener, addr, "addr", T_ADDR, 0),
	[SLUICE_A_LISTENER_PORT] = A(listener, port, "port", T_U16, 0),
	[SLUICE_A_LISTENER_IFINDEX] = A(listener, ifindex, "ifindex", T_U32, 0),
	[SLUICE_A_LISTENER_V6ONLY] = A(listener, v6only, "v6only", T_FLAG, 0),
	[SLUICE_A_LISTENER_SOCKET_FD] = A(listener, socket_fd, "socket-fd", T_U32, 0),
	[SLUICE_A_LISTENER_ADOPTED] = A(listener, adopted, "adopted", T_FLAG, F_OUT),
	[SLUICE_A_LISTENER_ACTION] = A_ENUM(listener, action, "action", T_ENUM, 0, action_names),
	[SLUICE_A_LISTENER_GROUP] = A(listener, group, "group", T_NAME, 0),
	[SLUICE_A_LISTENER_REJECT_DATA] = A(listener, reject_data, "reject-data", T_BLOB, 0),
	[SLUICE_A_LISTENER_REJECT_COPY] = A(listener, reject_copy, "reject-copy", T_U32, 0),
	[SLUICE_A_LISTENER_GENERATION] = A(listener, generation, "generation", T_U32, F_OUT),
	[SLUICE_A_LISTENER_RULES] = A(listener, rules, "rules", T_U32, F_OUT),
	[SLUICE_A_LISTENER_CLOSED] = A(listener, closed, "closed", T_FLAG, F_OUT),
	[SLUICE_A_LISTENER_XDP] = A(listener, xdp, "xdp", T_FLAG, 0),
	[SLUICE_A_LISTENER_XDP_PASSED] = A(listener, xdp_passed, "xdp-passed", T_BLOB, F_OUT),
	[SLUICE_A_LISTENER_FRAME_OFFSET] = A(listener, frame_offset, "frame-offset", T_U32, 0),
	[SLUICE_A_LISTENER_FRAME_WIDTH] = A(listener, frame_width, "frame-width", T_U32, 0),
	[SLUICE_A_LISTENER_FRAME_LITTLE] = A(listener, frame_little, "frame-little", T_FLAG, 0),
	[SLUICE_A_LISTENER_FRAME_WHOLE] = A(listener, frame_whole, "frame-whole", T_FLAG, 0),
	[SLUICE_A_LISTENER_FRAME_DELIM] = A(listener, frame_delim, "frame-delim", T_U32, F_CHAR),
	[SLUICE_A_LISTENER_MESSAGE_MAX] = A(listener, message_max, "message-max", T_U32, F_BYTES),
	[SLUICE_A_LISTENER_UNORDERED] = A(listener, unordered, "unordered", T_FLAG, 0),
	[SLUICE_A_LISTENER_REUSEPORT] = A(listener, reuseport, "reuseport", T_FLAG, 0),
	[SLUICE_A_LISTENER_BACKLOG] = A(listener, backlog, "backlog", T_U32, 0),
	[SLUICE_A_LISTENER_MAX_CONNS] = A(listener, max_conns, "max-conns", T_U32, 0),
	[SLUICE_A_LISTENER_MAX_PER_SOURCE] = A(listener, max_per_source, "max-per-source", T_U32, 0),
	[SLUICE_A_LISTENER_PIPELINE] = A(listener, pipeline, "pipeline", T_U32, 0),
	[SLUICE_A_LISTENER_SEND_LIMIT] = A(listener, send_limit, "send-limit", T_U32, F_BYTES),
	[SLUICE_A_LISTENER_IDLE_NS] = A(listener, idle_ns, "idle-ns", T_U64, F_NS),
	[SLUICE_A_LISTENER_MESSAGE_NS] = A(listener, message_ns, "message-ns", T_U64, F_NS),
	[SLUICE_A_LISTENER_SEND_NS] = A(listener, send_ns, "send-ns", T_U64, F_NS),
	[SLUICE_A_LISTENER_KEEPALIVE_NS] = A(listener, keepalive_ns, "keepalive-ns", T_U64, F_NS),
	[SLUICE_A_LISTENER_CONNS] = A(listener, conns, "conns", T_U32, F_OUT),
	[SLUICE_A_LISTENER_CONN_COUNTS] = A(listener, conn_counts, "conn-counts", T_COUNTS, F_OUT),
	[SLUICE_A_LISTENER_CLASSIFIER_FD] = A(listener, classifier_fd, "classifier-fd", T_U32, 0),
	[SLUICE_A_LISTENER_CLASSIFIER_ID] = A(listener, classifier_id, "classifier-id", T_U32, F_OUT),
	[SLUICE_A_LISTENER_BAD_VERDICTS] = A(listener, bad_verdicts, "bad-verdicts", T_U64, F_OUT),
	[SLUICE_A_LISTENER_FRAMER_FD] = A(listener, framer_fd, "framer-fd", T_U32, 0),
	[SLUICE_A_LISTENER_FRAMER_NAME] = A(listener, framer_name, "framer-name", T_BLOB, 0),
	[SLUICE_A_LISTENER_FRAMER_ID] = A(listener, framer_id, "framer-id", T_U32, F_OUT),
	[SLUICE_A_LISTENER_PAD] = A_PAD,
	[SLUICE_A_LISTENER_HANDED] = A(listener, handed, "handed", T_FLAG, 0),
	[SLUICE_A_LISTENER_GRO] = A(listener, gro, "gro", T_FLAG, 0),
	[SLUICE_A_LISTENER_UNTRACKED] = A(listener, untracked, "untracked", T_U64, F_OUT),
};
SET(listener, SLUICE_A_LISTENER_MAX);

static const struct attr_desc class_conf_attrs[SLUICE_A_CLASS_MAX + 1] = {
	[SLUICE_A_CLASS_NAME] = A(class_conf, name, "name", T_NAME, 0),
	[SLUICE_A_CLASS_TARGET_NS] = A(class_conf, target_ns, "target-ns", T_U64, F_NS),
	[SLUICE_A_CLASS_INTERVAL_NS] = A(class_conf, interval_ns, "interval-ns", T_U64, F_NS),
	[SLUICE_A_CLASS_CAP] = A(class_conf, cap, "cap", T_U32, 0),
	[SLUICE_A_CLASS_SHED] = A(class_conf, shed, "shed", T_U32, 0),
	[SLUICE_A_CLASS_PAD] = A_PAD,
};
SET(class_conf, SLUICE_A_CLASS_MAX);

static const struct attr_desc group_attrs[SLUICE_A_GROUP_MAX + 1] = {
	[SLUICE_A_GROUP_NAME] = A(group, name, "name", T_NAME, 0),
	[SLUICE_A_GROUP_ID] = A(group, id, "id", T_U32, F_OUT),
	[SLUICE_A_GROUP_STEERING] = A_ENUM(group, steering, "steering", T_ENUM, 0, steering_names),
	[SLUICE_A_GROUP_KEY] = A_ENUM(group, key, "key", T_ENUM, 0, key_names),
	[SLUICE_A_GROUP_KEY_OFFSET] = A(group, key_offset, "key-offset", T_U32, 0),
	[SLUICE_A_GROUP_KEY_LEN] = A(group, key_len, "key-len", T_U32, 0),
	[SLUICE_A_GROUP_KEY_INDEX] = A(group, key_index, "key-index", T_U32, 0),
	[SLUICE_A_GROUP_KEY_DELIM] = A(group, key_delim, "key-delim", T_U32, F_CHAR),
	[SLUICE_A_GROUP_WINDOW] = A(group, window, "window", T_U32, 0),
	[SLUICE_A_GROUP_BACKLOG] = A(group, backlog, "backlog", T_U32, 0),
	[SLUICE_A_GROUP_BACKLOG_BYTES] = A(group, backlog_bytes, "backlog-bytes", T_U64, F_BYTES),
	[SLUICE_A_GROUP_NO_CONSUMER] = A_ENUM(group, no_consumer, "no-consumer", T_ENUM, 0, no_consumer_names),
	[SLUICE_A_GROUP_HOLD_NS] = A(group, hold_ns, "hold-ns", T_U64, F_NS),
	[SLUICE_A_GROUP_CRASH] = A_ENUM(group, crash, "crash", T_ENUM, 0, crash_names),
	[SLUICE_A_GROUP_OWNER_UID] = A(group, owner_uid, "owner-uid", T_U32, 0),
	[SLUICE_A_GROUP_OWNER_GID] = A(group, owner_gid, "owner-gid", T_U32, 0),
	[SLUICE_A_GROUP_MAX_RINGS] = A(group, max_rings, "max-rings", T_U32, 0),
	[SLUICE_A_GROUP_RINGS] = A(group, rings, "rings", T_U32, F_OUT),
	[SLUICE_A_GROUP_WAITING] = A(group, waiting, "waiting", T_U32, F_OUT),
	[SLUICE_A_GROUP_WAITING_BYTES] = A(group, waiting_bytes, "waiting-bytes", T_U64, F_OUT | F_BYTES),
	[SLUICE_A_GROUP_CLASS] = A(group, classes, "class", T_NAMES, F_OUT),
	[SLUICE_A_GROUP_PAD] = A_PAD,
	[SLUICE_A_GROUP_TARGET_NS] = A(group, target_ns, "target-ns", T_U64, F_NS),
	[SLUICE_A_GROUP_INTERVAL_NS] = A(group, interval_ns, "interval-ns", T_U64, F_NS),
	[SLUICE_A_GROUP_ORDER] = A_ENUM(group, order, "order", T_ENUM, 0, order_names),
	[SLUICE_A_GROUP_CLASS_CONF] = A_NEST(group, class_confs, "class-conf", T_NESTS, 0, &set_class_conf),
	[SLUICE_A_GROUP_STALL_NS] = A(group, stall_ns, "stall-ns", T_U64, F_NS),
};
SET(group, SLUICE_A_GROUP_MAX);

static const struct attr_desc ring_attrs[SLUICE_A_RING_MAX + 1] = {
	[SLUICE_A_RING_ID] = A(ring, id, "id", T_U32, 0),
	[SLUICE_A_RING_GROUP] = A(ring, group, "group", T_NAME, 0),
	[SLUICE_A_RING_STATE] = A_ENUM(ring, state, "state", T_BITS, 0, state_names),
	[SLUICE_A_RING_PID] = A(ring, pid, "pid", T_U32, F_OUT),
	[SLUICE_A_RING_COMM] = A(ring, comm, "comm", T_NAME, F_OUT),
	[SLUICE_A_RING_TX] = A_ENUM(ring, tx, "tx", T_BITS, F_OUT, tx_names),
	[SLUICE_A_RING_SLOTS] = A(ring, slots, "slots", T_U32, F_OUT),
	[SLUICE_A_RING_MEMORY] = A(ring, memory, "memory", T_U64, F_OUT | F_BYTES),
	[SLUICE_A_RING_USED] = A(ring, used, "used", T_U32, F_OUT),
	[SLUICE_A_RING_WAITING] = A(ring, waiting, "waiting", T_U32, F_OUT),
	[SLUICE_A_RING_OLDEST_NS] = A(ring, oldest_ns, "oldest-ns", T_U64, F_OUT | F_NS),
	[SLUICE_A_RING_BAD_RESPONSES] = A(ring, bad_responses, "bad-responses", T_U64, F_OUT),
	[SLUICE_A_RING_WAKEUPS] = A(ring, wakeups, "wakeups", T_U64, F_OUT),
	[SLUICE_A_RING_KICKS] = A(ring, kicks, "kicks", T_U64, F_OUT),
	[SLUICE_A_RING_PAD] = A_PAD,
};
SET(ring, SLUICE_A_RING_MAX);

static const struct attr_desc stats_attrs[SLUICE_A_STATS_MAX + 1] = {
	[SLUICE_A_STATS_EXACT] = A(stats, exact, "exact", T_FLAG, 0),
	[SLUICE_A_STATS_OBJECT] = A_ENUM(stats, object, "object", T_ENUM, F_OUT, object_names),
	[SLUICE_A_STATS_ID] = A(stats, id, "id", T_U32, F_OUT),
	[SLUICE_A_STATS_NAME] = A(stats, name, "name", T_NAME, F_OUT),
	[SLUICE_A_STATS_PARENT] = A(stats, parent, "parent", T_NAME, F_OUT),
	[SLUICE_A_STATS_RETIRED] = A(stats, retired, "retired", T_FLAG, F_OUT),
	[SLUICE_A_STATS_RECEIVED] = A(stats, received, "received", T_U64, F_OUT),
	[SLUICE_A_STATS_IN_FLIGHT] = A(stats, in_flight, "in-flight", T_U64, F_OUT),
	[SLUICE_A_STATS_MOVED] = A(stats, moved, "moved", T_U64, F_OUT),
	[SLUICE_A_STATS_OUTCOMES] = A(stats, outcomes, "outcomes", T_COUNTS, F_OUT),
	[SLUICE_A_STATS_PAD] = A_PAD,
};
SET(stats, SLUICE_A_STATS_MAX);

static const struct attr_desc hist_attrs[SLUICE_A_HIST_MAX + 1] = {
	[SLUICE_A_HIST_GROUP] = A(hist, group, "group", T_NAME, 0),
	[SLUICE_A_HIST_CLASS] = A(hist, class, "class", T_NAME, F_OUT),
	[SLUICE_A_HIST_STAGE] = A_ENUM(hist, stage, "stage", T_ENUM, F_OUT, stage_names),
	[SLUICE_A_HIST_SUB_BITS] = A(hist, sub_bits, "sub-bits", T_U32, F_OUT),
	[SLUICE_A_HIST_BUCKETS] = A(hist, buckets, "buckets", T_COUNTS, F_OUT),
};
SET(hist, SLUICE_A_HIST_MAX);

static const struct attr_desc explain_attrs[SLUICE_A_EXPLAIN_MAX + 1] = {
	[SLUICE_A_EXPLAIN_LISTENER] = A(explain, listener, "listener", T_NAME, 0),
	[SLUICE_A_EXPLAIN_MESSAGE] = A(explain, message, "message", T_BLOB, 0),
	[SLUICE_A_EXPLAIN_ADDR] = A(explain, addr, "addr", T_ADDR, 0),
	[SLUICE_A_EXPLAIN_RULE] = A_NEST(explain, rule, "rule", T_NEST, F_OUT, &set_rule),
	[SLUICE_A_EXPLAIN_ACTION] = A_ENUM(explain, action, "action", T_ENUM, F_OUT, action_names),
	[SLUICE_A_EXPLAIN_GROUP] = A(explain, group, "group", T_NAME, F_OUT),
	[SLUICE_A_EXPLAIN_CLASS] = A(explain, class, "class", T_NAME, F_OUT),
	[SLUICE_A_EXPLAIN_HASH] = A(explain, hash, "hash", T_U32, F_OUT | F_HEX),
	[SLUICE_A_EXPLAIN_RING] = A(explain, ring, "ring", T_U32, F_OUT),
	[SLUICE_A_EXPLAIN_GENERATION] = A(explain, generation, "generation", T_U32, F_OUT),
	[SLUICE_A_EXPLAIN_VERDICT] = A(explain, verdict, "verdict", T_U32, F_OUT | F_HEX),
	[SLUICE_A_EXPLAIN_BAD] = A(explain, bad, "bad", T_FLAG, F_OUT),
};
SET(explain, SLUICE_A_EXPLAIN_MAX);

static const struct attr_desc conn_attrs[SLUICE_A_CONN_MAX + 1] = {
	[SLUICE_A_CONN_ID] = A(conn, id, "id", T_U64, 0),
	[SLUICE_A_CONN_LISTENER] = A(conn, listener, "listener", T_NAME, 0),
	[SLUICE_A_CONN_STATE] = A_ENUM(conn, state, "state", T_ENUM, F_OUT, conn_state_names),
	[SLUICE_A_CONN_PEER] = A(conn, peer, "peer", T_ADDR, F_OUT),
	[SLUICE_A_CONN_PEER_PORT] = A(conn, peer_port, "peer-port", T_U16, F_OUT),
	[SLUICE_A_CONN_ADDR] = A(conn, addr, "addr", T_ADDR, F_OUT),
	[SLUICE_A_CONN_PORT] = A(conn, port, "port", T_U16, F_OUT),
	[SLUICE_A_CONN_AGE_NS] = A(conn, age_ns, "age-ns", T_U64, F_OUT | F_NS),
	[SLUICE_A_CONN_IDLE_NS] = A(conn, idle_ns, "idle-ns", T_U64, F_OUT | F_NS),
	[SLUICE_A_CONN_RECEIVED_BYTES] = A(conn, received_bytes, "received-bytes", T_U64, F_OUT),
	[SLUICE_A_CONN_SENT_BYTES] = A(conn, sent_bytes, "sent-bytes", T_U64, F_OUT),
	[SLUICE_A_CONN_REQUESTS] = A(conn, requests, "requests", T_U64, F_OUT),
	[SLUICE_A_CONN_IN_FLIGHT] = A(conn, in_flight, "in-flight", T_U32, F_OUT),
	[SLUICE_A_CONN_QUEUED_BYTES] = A(conn, queued_bytes, "queued-bytes", T_U32, F_OUT),
	[SLUICE_A_CONN_PAD] = A_PAD,
	[SLUICE_A_CONN_ADOPTED] = A(conn, adopted, "adopted", T_FLAG, F_OUT),
	[SLUICE_A_CONN_SOCKET_FD] = A(conn, socket_fd, "socket-fd", T_U32, 0),
};
SET(conn, SLUICE_A_CONN_MAX);

static const struct attr_desc cancel_attrs[SLUICE_A_CANCEL_MAX + 1] = {
	[SLUICE_A_CANCEL_GROUP] = A(cancel, group, "group", T_NAME, 0),
	[SLUICE_A_CANCEL_CLASS] = A(cancel, class, "class", T_NAME, 0),
	[SLUICE_A_CANCEL_LISTENER] = A(cancel, listener, "listener", T_NAME, 0),
	[SLUICE_A_CANCEL_PEER] = A(cancel, peer, "peer", T_ADDR, 0),
	[SLUICE_A_CANCEL_PEER_PORT] = A(cancel, peer_port, "peer-port", T_U16, 0),
	[SLUICE_A_CANCEL_CONN] = A(cancel, conn, "conn", T_U64, 0),
	[SLUICE_A_CANCEL_WAITING] = A(cancel, waiting, "waiting", T_U64, F_OUT),
	[SLUICE_A_CANCEL_PUBLISHED] = A(cancel, published, "published", T_U64, F_OUT),
	[SLUICE_A_CANCEL_PAD] = A_PAD,
};
SET(cancel, SLUICE_A_CANCEL_MAX);

static const struct attr_desc event_attrs[SLUICE_A_EVENT_MAX + 1] = {
	[SLUICE_A_EVENT_KIND] = A_ENUM(event, kind, "kind", T_ENUM, F_OUT, event_names),
	[SLUICE_A_EVENT_NAME] = A(event, name, "name", T_NAME, F_OUT),
	[SLUICE_A_EVENT_RING] = A(event, ring, "ring", T_U32, F_OUT),
	[SLUICE_A_EVENT_PID] = A(event, pid, "pid", T_U32, F_OUT),
	[SLUICE_A_EVENT_COMM] = A(event, comm, "comm", T_NAME, F_OUT),
	[SLUICE_A_EVENT_COUNT] = A(event, count, "count", T_U64, F_OUT),
	[SLUICE_A_EVENT_PAD] = A_PAD,
	[SLUICE_A_EVENT_AGE_NS] = A(event, age_ns, "age-ns", T_U64, F_OUT | F_NS),
};
SET(event, SLUICE_A_EVENT_MAX);

static const struct {
	const char *name;
	const struct attr_set *set;
} commands[SLUICE_CMD_MAX + 1] = {
	[SLUICE_CMD_LISTENER_NEW] = { "listener-new", &set_listener },
	[SLUICE_CMD_LISTENER_SET] = { "listener-set", &set_listener },
	[SLUICE_CMD_LISTENER_DEL] = { "listener-del", &set_listener },
	[SLUICE_CMD_LISTENER_GET] = { "listener-get", &set_listener },
	[SLUICE_CMD_RULES_SET] = { "rules-set", &set_rules },
	[SLUICE_CMD_RULES_GET] = { "rules-get", &set_rules },
	[SLUICE_CMD_GROUP_NEW] = { "group-new", &set_group },
	[SLUICE_CMD_GROUP_SET] = { "group-set", &set_group },
	[SLUICE_CMD_GROUP_DEL] = { "group-del", &set_group },
	[SLUICE_CMD_GROUP_GET] = { "group-get", &set_group },
	[SLUICE_CMD_RING_GET] = { "ring-get", &set_ring },
	[SLUICE_CMD_RING_SET] = { "ring-set", &set_ring },
	[SLUICE_CMD_RING_DEL] = { "ring-del", &set_ring },
	[SLUICE_CMD_STATS_GET] = { "stats-get", &set_stats },
	[SLUICE_CMD_HIST_GET] = { "hist-get", &set_hist },
	[SLUICE_CMD_EXPLAIN] = { "explain", &set_explain },
	[SLUICE_CMD_EVENT] = { "event", &set_event },
	[SLUICE_CMD_CONN_GET] = { "conn-get", &set_conn },
	[SLUICE_CMD_CONN_DEL] = { "conn-del", &set_conn },
	[SLUICE_CMD_CANCEL] = { "cancel", &set_cancel },
	[SLUICE_CMD_CONN_NEW] = { "conn-new", &set_conn },
};

const struct attr_set *schema_set(uint8_t cmd)
{
	return cmd <= SLUICE_CMD_MAX ? commands[cmd].set : NULL;
}

const char *schema_command(uint8_t cmd)
{
	return cmd <= SLUICE_CMD_MAX && commands[cmd].name ? commands[cmd].name : "unknown";
}

const char *name_of(const char *const *names, uint32_t value)
{
	uint32_t i;

	for (i = 0; names[i]; i++)
		if (i == value)
			return names[i];
	return "unknown";
}
