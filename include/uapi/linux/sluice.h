/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The generic netlink ABI of family "sluice": how listeners, rules, groups and rings are programmed
 * and read.
 */
#ifndef _UAPI_LINUX_SLUICE_H
#define _UAPI_LINUX_SLUICE_H

/*
 * Everything is per network namespace. Reading needs no privilege but CAP_NET_ADMIN in the
 * namespace's user namespace is needed for every command that changes something, for EXPLAIN, and
 * for an exact STATS_GET. Every refusal carries an extended acknowledgment with a text and, where
 * one is at fault, the attribute.
 *
 * Strings are zero-terminated. Integers are in host order, addresses and bytes to match in network
 * order. Names are 1 to 31 bytes of [A-Za-z0-9_.-]. Times are nanoseconds. docs/netlink/sluice.yaml
 * is the machine-readable form.
 *
 *	LISTENER_NEW	do	listener set: NAME; ADDR + PORT, or SOCKET_FD; optional TRANSPORT
 *				FRAMING and for TCP what is listed below FRAME_OFFSET; IFINDEX
 *				V6ONLY ACTION GROUP
 *				REJECT_DATA REJECT_COPY. ACTION (with GROUP) is the default for
 *				messages that no rule
 *				takes; without it, reject
 *				EEXIST name taken; EADDRINUSE; EADDRNOTAVAIL; ENOENT no such group
 *	LISTENER_SET	do	NAME; optional ACTION GROUP REJECT_DATA REJECT_COPY: what is given
 *				replaces
 *	LISTENER_DEL	do	NAME; its requests in flight are cancelled
 *	LISTENER_GET	do	NAME -> listener set;	dump: all
 *	RULES_SET	do	rules set: LISTENER; RULE any number, in any order; optional
 *				GENERATION: refuse with EAGAIN
 *				unless it is the set's current one. Replaces all rules at once. A
 *				rule that keeps its
 *				id keeps its counters
 *	RULES_GET	dump	LISTENER -> one message per rule: LISTENER, GENERATION, RULE; at
 *				least one message, without
 *				RULE if there are none
 *	GROUP_NEW	do	group set: NAME and options; EEXIST
 *	GROUP_SET	do	NAME and the options to change
 *	GROUP_DEL	do	NAME; EBUSY while rules, listeners or rings refer to it
 *	GROUP_GET	do	NAME -> group set;	dump: all
 *	RING_GET	dump	optional GROUP -> ring set
 *	RING_SET	do	ID, STATE with DRAINING set or clear
 *	RING_DEL	do	ID; detaches the ring, its unanswered requests follow the group's
 *				crash policy
 *	STATS_GET	dump	stats set; with EXACT all counters come from one instant
 *	HIST_GET	dump	optional GROUP -> hist set, one message per group, class and stage
 *	EXPLAIN		do	explain set: LISTENER MESSAGE; optional ADDR PORT of the sender ->
 *				the rule and where it leads
 *	EVENT		notification on multicast group "events": event set
 *	CONN_GET	dump	optional LISTENER -> conn set, one message per open connection
 *	CONN_DEL	do	ID; resets the connection, its requests in flight are cancelled
 *	CANCEL		do	cancel set: at least one of GROUP LISTENER PEER CONN -> WAITING
 *				PUBLISHED: how many requests it cancelled; their senders get the
 *				reject reply
 *	CONN_NEW	do	LISTENER, SOCKET_FD: a connected TCP socket of the caller's becomes
 *				a connection of a TCP listener. EBUSY something else has it, or the
 *				listener's limits are reached; EPERM, as for LISTENER_NEW with
 *				SOCKET_FD: no CAP_NET_ADMIN in the initial user namespace
 */

#define SLUICE_GENL_NAME	"sluice"
#define SLUICE_GENL_VERSION	1
#define SLUICE_GENL_MCGRP_EVENTS	"events"

#define SLUICE_REJECT_MAX	512	/* bytes of a reject reply */
#define SLUICE_MESSAGE_MAX	60000	/* bytes of a message to explain */
#define SLUICE_BACKLOG_MAX	(1U << 24)	/* requests */
#define SLUICE_CLASSES_MAX	16	/* classes of a group, the default one included */
#define SLUICE_HOLD_NS_MAX	(3600ULL * 1000000000)
#define SLUICE_DEADLINE_NS_MAX	(3600ULL * 1000000000)
#define SLUICE_TIMEOUT_NS_MAX	(86400ULL * 1000000000)	/* of connections */
#define SLUICE_CONNS_MAX	(1U << 20)	/* open connections of a listener */
#define SLUICE_SEND_MAX		(1U << 28)	/* bytes of replies that wait in a connection */
#define SLUICE_PIPELINE_MAX	4096	/* unanswered requests of a connection */

enum sluice_cmd {
	SLUICE_CMD_UNSPEC,
	SLUICE_CMD_LISTENER_NEW,
	SLUICE_CMD_LISTENER_SET,
	SLUICE_CMD_LISTENER_DEL,
	SLUICE_CMD_LISTENER_GET,
	SLUICE_CMD_RULES_SET,
	SLUICE_CMD_RULES_GET,
	SLUICE_CMD_GROUP_NEW,
	SLUICE_CMD_GROUP_SET,
	SLUICE_CMD_GROUP_DEL,
	SLUICE_CMD_GROUP_GET,
	SLUICE_CMD_RING_GET,
	SLUICE_CMD_RING_SET,
	SLUICE_CMD_RING_DEL,
	SLUICE_CMD_STATS_GET,
	SLUICE_CMD_HIST_GET,
	SLUICE_CMD_EXPLAIN,
	SLUICE_CMD_EVENT,
	SLUICE_CMD_CONN_GET,
	SLUICE_CMD_CONN_DEL,
	SLUICE_CMD_CANCEL,
	SLUICE_CMD_CONN_NEW,

	__SLUICE_CMD_MAX
};
#define SLUICE_CMD_MAX (__SLUICE_CMD_MAX - 1)

enum sluice_transport {
	SLUICE_TRANSPORT_UDP,
	SLUICE_TRANSPORT_TCP,
	__SLUICE_TRANSPORT_MAX
};

enum sluice_framing {
	SLUICE_FRAMING_DATAGRAM,	/* UDP only */
	/* FRAME_WIDTH bytes at FRAME_OFFSET say how many bytes follow them */
	SLUICE_FRAMING_LENGTH,
	SLUICE_FRAMING_LINE,		/* up to and with the byte FRAME_DELIM */
	/* memcached's text and meta commands with their data blocks */
	SLUICE_FRAMING_MEMCACHED,
	SLUICE_FRAMING_RESP,		/* Redis: arrays of bulk strings, and inline commands */
	SLUICE_FRAMING_BPF,		/* a program tells: FRAMER_FD, see linux/sluice_bpf.h */
	__SLUICE_FRAMING_MAX
};

/* What happens to a request that a rule takes. */
enum sluice_action {
	SLUICE_ACTION_GROUP,	/* goes to a group */
	SLUICE_ACTION_REJECT,	/* gets the listener's reject reply, or silence if there is none */
	SLUICE_ACTION_DROP,	/* nothing is sent */
	/* left to the stack: adopted UDP sockets, XDP, TCP listeners with HANDED only */
	SLUICE_ACTION_PASS,
	/* ends the outstanding request of the same peer whose id it carries; rules only */
	SLUICE_ACTION_CANCEL,
	__SLUICE_ACTION_MAX
};

/* What one of a number in a message stands for. */
enum sluice_unit {
	SLUICE_UNIT_NS,
	SLUICE_UNIT_US,
	SLUICE_UNIT_MS,
	SLUICE_UNIT_S,
	__SLUICE_UNIT_MAX
};

enum sluice_steering {
	SLUICE_STEERING_HASH,	/* ring by hash of the group's key */
	SLUICE_STEERING_CPU,	/* ring by the CPU the message arrived on */
	SLUICE_STEERING_RR,	/* each ring in turn */
	SLUICE_STEERING_LEAST,	/* ring with the fewest unanswered requests */
	SLUICE_STEERING_FIFO,	/* one backlog, first ring with room takes the head */
	/* the same with a backlog per class; a class occupies a limited number of rings at once */
	SLUICE_STEERING_TYPED,
	__SLUICE_STEERING_MAX
};

enum sluice_key_kind {
	SLUICE_KEY_KIND_FLOW,	/* addresses and ports */
	SLUICE_KEY_KIND_BYTES,	/* KEY_LEN bytes at KEY_OFFSET */
	/* token KEY_INDEX, counted from 0, after KEY_OFFSET, cut at KEY_DELIM */
	SLUICE_KEY_KIND_TOKEN,
	__SLUICE_KEY_KIND_MAX
};

/* Who is served next while the group is overloaded. */
enum sluice_order {
	SLUICE_ORDER_LIFO,	/* last in, first out */
	SLUICE_ORDER_FIFO,
	__SLUICE_ORDER_MAX
};

/* What a group without any attached ring does with requests. */
enum sluice_no_consumer {
	SLUICE_NO_CONSUMER_HOLD,	/* keeps them in the backlog for HOLD_NS, then rejects */
	SLUICE_NO_CONSUMER_REJECT,
	/* to the socket where a process has it, as for ACTION_PASS, else rejects */
	SLUICE_NO_CONSUMER_PASS,
	__SLUICE_NO_CONSUMER_MAX
};

/* What happens to the unanswered requests of a ring whose consumer goes away. */
enum sluice_crash {
	/* those it had not taken go to other rings, the taken ones are rejected */
	SLUICE_CRASH_REQUEUE,
	SLUICE_CRASH_REISSUE,	/* all go to other rings: at least once */
	SLUICE_CRASH_REJECT,	/* all are rejected */
	__SLUICE_CRASH_MAX
};

enum sluice_match_kind {
	SLUICE_MATCH_KIND_SRC,		/* source in ADDR/PREFIX */
	SLUICE_MATCH_KIND_LENGTH,	/* message length in [MIN, MAX] */
	SLUICE_MATCH_KIND_BYTES,	/* WIDTH bytes at OFFSET & MASK == VALUE, network order */
	SLUICE_MATCH_KIND_TEXT,		/* bytes at OFFSET == WORD */
	/* token INDEX after OFFSET cut at DELIM == one of WORD... */
	SLUICE_MATCH_KIND_TOKEN,
	__SLUICE_MATCH_KIND_MAX
};

/* Stages of a request that have a latency histogram per group and class. */
enum sluice_stage {
	SLUICE_STAGE_WAIT,	/* arrival to publish; 0 if it waits for nothing */
	SLUICE_STAGE_PICKUP,	/* publish to the consumer's taking it, by the consumer's stamp */
	SLUICE_STAGE_SERVICE,	/* taken to answered, by the consumer's stamps */
	SLUICE_STAGE_SEND,	/* answered to handed to the network */
	SLUICE_STAGE_TOTAL,	/* arrival to handed to the network */
	__SLUICE_STAGE_MAX
};

enum sluice_event {
	SLUICE_EVENT_RING_ATTACHED,
	SLUICE_EVENT_RING_DETACHED,	/* in an orderly way: nothing was left unanswered */
	SLUICE_EVENT_RING_DIED,		/* COUNT requests were unanswered */
	SLUICE_EVENT_RING_BROKEN,	/* its consumer wrote an impossible index */
	SLUICE_EVENT_LISTENER_CLOSED,	/* the adopted socket was closed, the XDP device is gone */
	/* requests of the group wait too long, as a habit; COUNT wait now */
	SLUICE_EVENT_OVERLOAD_ON,
	SLUICE_EVENT_OVERLOAD_OFF,
	/* no sign of life of its consumer for AGE_NS, while COUNT requests lie in the ring */
	SLUICE_EVENT_RING_STALLED,
	SLUICE_EVENT_RING_RESUMED,	/* it moves again */
	__SLUICE_EVENT_MAX
};

#define SLUICE_CLASSIFIER_NONE 0xffffffffU
#define SLUICE_FRAMER_NAME_MAX 255	/* bytes of FRAMER_NAME */

/* attribute set "listener" */
enum {
	SLUICE_A_LISTENER_UNSPEC,
	SLUICE_A_LISTENER_NAME,		/* string */
	/* u32, out: number in the namespace, as in the slot header */
	SLUICE_A_LISTENER_ID,
	SLUICE_A_LISTENER_TRANSPORT,	/* u32, enum sluice_transport; default UDP */
	SLUICE_A_LISTENER_FRAMING,	/* u32, enum sluice_framing; default DATAGRAM */
	SLUICE_A_LISTENER_ADDR,		/* binary, 4 or 16 bytes */
	SLUICE_A_LISTENER_PORT,		/* u16, not 0 */
	SLUICE_A_LISTENER_IFINDEX,	/* u32: bind to this device */
	SLUICE_A_LISTENER_V6ONLY,	/* flag: an IPv6 wildcard takes no IPv4 */
	/* u32, in: adopt the caller's own socket: UDP, bound, or TCP, listening */
	SLUICE_A_LISTENER_SOCKET_FD,
	SLUICE_A_LISTENER_ADOPTED,	/* flag, out */
	/* u32, enum sluice_action: default for messages no rule takes */
	SLUICE_A_LISTENER_ACTION,
	SLUICE_A_LISTENER_GROUP,	/* string: group of the default */
	/* binary, up to SLUICE_REJECT_MAX: the reject reply; empty: none */
	SLUICE_A_LISTENER_REJECT_DATA,
	/* u32: its first n bytes are replaced by the request's first n */
	SLUICE_A_LISTENER_REJECT_COPY,
	SLUICE_A_LISTENER_GENERATION,	/* u32, out: of the rule set */
	SLUICE_A_LISTENER_RULES,	/* u32, out: number of rules */
	/* flag, out: the adopted socket was closed, the device of an XDP listener is gone */
	SLUICE_A_LISTENER_CLOSED,
	/* flag: take frames by XDP from the device IFINDEX, in front of the stack */
	SLUICE_A_LISTENER_XDP,
	/* binary, out: u64 per enum sluice_xdp_pass: frames of the device left to the stack */
	SLUICE_A_LISTENER_XDP_PASSED,
	/* all that follows: TCP only, fixed when the listener is made */
	SLUICE_A_LISTENER_FRAME_OFFSET,	/* u32: of the length field; default 0 */
	SLUICE_A_LISTENER_FRAME_WIDTH,	/* u32: 1, 2, 4, 8 bytes; default 4 */
	SLUICE_A_LISTENER_FRAME_LITTLE,	/* flag: least significant byte first */
	/* flag: the length counts the whole message, not only what follows it */
	SLUICE_A_LISTENER_FRAME_WHOLE,
	SLUICE_A_LISTENER_FRAME_DELIM,	/* u32: a byte; default a newline */
	/* u32: bytes of a message, 1..SLUICE_SLOT_MAX, the default */
	SLUICE_A_LISTENER_MESSAGE_MAX,
	SLUICE_A_LISTENER_UNORDERED,	/* flag: replies leave as they come */
	SLUICE_A_LISTENER_REUSEPORT,	/* flag: share address and port with others that say so */
	SLUICE_A_LISTENER_BACKLOG,	/* u32: connections waiting to be accepted; default 4096 */
	/* u32: open connections; default 65536 */
	SLUICE_A_LISTENER_MAX_CONNS,
	SLUICE_A_LISTENER_MAX_PER_SOURCE,	/* u32: from one address; 0, default: no limit */
	/* u32: unanswered requests of a connection, then it is not read; default 256 */
	SLUICE_A_LISTENER_PIPELINE,
	/* u32: bytes of replies that wait for their client, then it is not read; default 1 MiB */
	SLUICE_A_LISTENER_SEND_LIMIT,
	/* u64: a connection without requests is closed after this; 0, default: never */
	SLUICE_A_LISTENER_IDLE_NS,
	/* u64: a message must be complete this long after its first byte; default 30 s */
	SLUICE_A_LISTENER_MESSAGE_NS,
	/* u64: a client that takes no byte of its replies for this long is cut off; default 30 s */
	SLUICE_A_LISTENER_SEND_NS,
	/* u64: silence until the first keepalive probe; 0: none; default 60 s */
	SLUICE_A_LISTENER_KEEPALIVE_NS,
	SLUICE_A_LISTENER_CONNS,	/* u32, out: open connections */
	/* binary, out: u64 per enum sluice_conn_count */
	SLUICE_A_LISTENER_CONN_COUNTS,
	/*
	 * u32, in: fd of the caller's socket-filter program that looks before the rules do;
	 * SLUICE_CLASSIFIER_NONE: none any more
	 */
	SLUICE_A_LISTENER_CLASSIFIER_FD,
	SLUICE_A_LISTENER_CLASSIFIER_ID,	/* u32, out: number of the program in the kernel */
	SLUICE_A_LISTENER_BAD_VERDICTS,	/* u64, out: impossible ones, left to the rules */
	/* u32, in: FRAMING_BPF: fd of the caller's socket-filter program that cuts the messages */
	SLUICE_A_LISTENER_FRAMER_FD,
	/* string, with FRAMER_FD: what the caller calls it, up to 255 bytes, to be told again */
	SLUICE_A_LISTENER_FRAMER_NAME,
	SLUICE_A_LISTENER_FRAMER_ID,	/* u32, out: number of the program in the kernel */
	SLUICE_A_LISTENER_PAD,
	/* flag, TCP: no socket, in place of ADDR and PORT; takes what CONN_NEW hands over */
	SLUICE_A_LISTENER_HANDED,
	/*
	 * u64, out: requests of rules with ID that cannot be found by it: too short, too many at
	 * once, or a later outstanding one has the same; served all the same
	 */
	SLUICE_A_LISTENER_UNTRACKED,
	/* flag, UDP with ADDR and PORT: take datagrams that arrive in one buffer (GRO) whole */
	SLUICE_A_LISTENER_GRO,
	__SLUICE_A_LISTENER_MAX
};
#define SLUICE_A_LISTENER_MAX (__SLUICE_A_LISTENER_MAX - 1)

/* attribute set "rules" */
enum {
	SLUICE_A_RULES_UNSPEC,
	SLUICE_A_RULES_LISTENER,	/* string */
	SLUICE_A_RULES_GENERATION,	/* u32 */
	SLUICE_A_RULES_RULE,		/* nest "rule", any number, at the top level */
	__SLUICE_A_RULES_MAX
};
#define SLUICE_A_RULES_MAX (__SLUICE_A_RULES_MAX - 1)

/* attribute set "rule" */
enum {
	SLUICE_A_RULE_UNSPEC,
	SLUICE_A_RULE_ID,		/* u32, not 0, unique in the listener */
	/* u32: lower is looked at first; default 0; ties by position in the message */
	SLUICE_A_RULE_ORDER,
	SLUICE_A_RULE_MATCH,		/* nest "match", up to 8; all must hold; none: everything */
	SLUICE_A_RULE_ACTION,		/* u32, enum sluice_action */
	SLUICE_A_RULE_GROUP,		/* string, with ACTION_GROUP */
	SLUICE_A_RULE_CLASS,		/* string: class, made when first named */
	SLUICE_A_RULE_PRIO,		/* u32: request queue, 0 first .. 3; default 1 */
	/* u64: ns after arrival; 0 or absent: none. With a field: if that does not say */
	SLUICE_A_RULE_DEADLINE,
	/*
	 * u32: place of a number in the message, the time that is left until its sender no longer
	 * waits. It does not say if it is 0, or the message ends before it
	 */
	SLUICE_A_RULE_DEADLINE_OFFSET,
	SLUICE_A_RULE_DEADLINE_WIDTH,	/* u32: 1, 2, 4, 8 bytes; default 4 */
	SLUICE_A_RULE_DEADLINE_LITTLE,	/* flag: least significant byte first */
	SLUICE_A_RULE_DEADLINE_UNIT,	/* u32, enum sluice_unit; default MS */
	/* u64: ns, what is more is taken for this; default SLUICE_DEADLINE_NS_MAX */
	SLUICE_A_RULE_DEADLINE_MAX,
	/*
	 * u32, with REQUEST_ID_LEN: place of the bytes that tell the requests of one peer apart;
	 * with ACTION_CANCEL, of the id of the request to cancel
	 */
	SLUICE_A_RULE_REQUEST_ID_OFFSET,
	SLUICE_A_RULE_REQUEST_ID_LEN,	/* u32: 1..32 */
	/* flag: the same id of the same peer again is not served while the first is outstanding */
	SLUICE_A_RULE_ONCE,
	__SLUICE_A_RULE_MAX
};
#define SLUICE_A_RULE_MAX (__SLUICE_A_RULE_MAX - 1)

/* attribute set "match" */
enum {
	SLUICE_A_MATCH_UNSPEC,
	SLUICE_A_MATCH_KIND,		/* u32, enum sluice_match_kind */
	SLUICE_A_MATCH_ADDR,		/* binary, 4 or 16 bytes */
	SLUICE_A_MATCH_PREFIX,		/* u32 */
	SLUICE_A_MATCH_MIN,		/* u32; default 0 */
	SLUICE_A_MATCH_MAX_LEN,		/* u32; default 0xffffffff */
	SLUICE_A_MATCH_OFFSET,		/* u32 */
	SLUICE_A_MATCH_WIDTH,		/* u32: 1, 2, 4, 8 bytes */
	SLUICE_A_MATCH_MASK,		/* u64; default all ones of the width */
	SLUICE_A_MATCH_VALUE,		/* u64 */
	SLUICE_A_MATCH_INDEX,		/* u32: 0..255 */
	SLUICE_A_MATCH_DELIM,		/* u32: a byte; default a space */
	/* binary, 1 to 32 bytes; up to 16 for a token, 1 for a text */
	SLUICE_A_MATCH_WORD,
	__SLUICE_A_MATCH_MAX
};
#define SLUICE_A_MATCH_MAX (__SLUICE_A_MATCH_MAX - 1)

/* attribute set "group" */
enum {
	SLUICE_A_GROUP_UNSPEC,
	SLUICE_A_GROUP_NAME,		/* string */
	SLUICE_A_GROUP_ID,		/* u32, out */
	SLUICE_A_GROUP_STEERING,	/* u32, enum sluice_steering; default HASH */
	SLUICE_A_GROUP_KEY,		/* u32, enum sluice_key_kind; default FLOW */
	SLUICE_A_GROUP_KEY_OFFSET,	/* u32 */
	SLUICE_A_GROUP_KEY_LEN,		/* u32: 1..64 */
	SLUICE_A_GROUP_KEY_INDEX,	/* u32: 0..255 */
	SLUICE_A_GROUP_KEY_DELIM,	/* u32: a byte; default a space */
	/* u32: requests published and unanswered per ring; 0, default: what keeps it busy */
	SLUICE_A_GROUP_WINDOW,
	/* u32: requests the kernel may keep waiting; default 4096 */
	SLUICE_A_GROUP_BACKLOG,
	SLUICE_A_GROUP_BACKLOG_BYTES,	/* u64: memory they may hold; default 16 MiB */
	SLUICE_A_GROUP_NO_CONSUMER,	/* u32, enum sluice_no_consumer; default HOLD */
	SLUICE_A_GROUP_HOLD_NS,		/* u64; default 1 s */
	SLUICE_A_GROUP_CRASH,		/* u32, enum sluice_crash; default REQUEUE */
	SLUICE_A_GROUP_OWNER_UID,	/* u32: who may set up rings; default 0 */
	SLUICE_A_GROUP_OWNER_GID,	/* u32; default none */
	SLUICE_A_GROUP_MAX_RINGS,	/* u32: 1..256; default 64 */
	SLUICE_A_GROUP_RINGS,		/* u32, out: attached */
	SLUICE_A_GROUP_WAITING,		/* u32, out: requests in the backlog */
	SLUICE_A_GROUP_WAITING_BYTES,	/* u64, out */
	SLUICE_A_GROUP_CLASS,		/* string, out, one for each class in order of its number */
	SLUICE_A_GROUP_PAD,
	/* u64: time of waiting that may become a habit; 0, default: derived, 50 ms or more */
	SLUICE_A_GROUP_TARGET_NS,
	/* u64: time in which it counts as one; 0, default: ten times the target */
	SLUICE_A_GROUP_INTERVAL_NS,
	SLUICE_A_GROUP_ORDER,		/* u32, enum sluice_order; default LIFO */
	SLUICE_A_GROUP_CLASS_CONF,	/* nest "class", any number: what differs for a class */
	/* u64: without a sign of life of a consumer that has requests; 0: for ever; default 10 s */
	SLUICE_A_GROUP_STALL_NS,
	__SLUICE_A_GROUP_MAX
};
#define SLUICE_A_GROUP_MAX (__SLUICE_A_GROUP_MAX - 1)

/* attribute set "class": what is not given stays */
enum {
	SLUICE_A_CLASS_UNSPEC,
	SLUICE_A_CLASS_NAME,		/* string; made when first named */
	SLUICE_A_CLASS_TARGET_NS,	/* u64; 0, default: the group's */
	SLUICE_A_CLASS_INTERVAL_NS,	/* u64; 0, default: the group's */
	/* u32: rings it may occupy at once, with typed steering; 0, default: its demand */
	SLUICE_A_CLASS_CAP,
	/* u32: 0..255, default 0: under overload, higher ones are refused first */
	SLUICE_A_CLASS_SHED,
	SLUICE_A_CLASS_PAD,
	__SLUICE_A_CLASS_MAX
};
#define SLUICE_A_CLASS_MAX (__SLUICE_A_CLASS_MAX - 1)

/* attribute set "ring" */
enum {
	SLUICE_A_RING_UNSPEC,
	SLUICE_A_RING_ID,		/* u32 */
	SLUICE_A_RING_GROUP,		/* string */
	SLUICE_A_RING_STATE,		/* u32, SLUICE_STATE_* of linux/sluice_ring.h */
	/* u32: process that set it up, in the reader's pid namespace; 0: not visible */
	SLUICE_A_RING_PID,
	SLUICE_A_RING_COMM,		/* string */
	SLUICE_A_RING_TX,		/* u32, SLUICE_RING_TX_* */
	SLUICE_A_RING_SLOTS,		/* u32 */
	SLUICE_A_RING_MEMORY,		/* u64: bytes charged */
	SLUICE_A_RING_USED,		/* u32: slots published and unanswered */
	SLUICE_A_RING_WAITING,		/* u32: requests in the kernel's backlog for this ring */
	SLUICE_A_RING_OLDEST_NS,	/* u64: age of its oldest unanswered request; 0: none */
	SLUICE_A_RING_BAD_RESPONSES,	/* u64: response entries refused: stale or impossible */
	SLUICE_A_RING_WAKEUPS,		/* u64: times its consumer was woken */
	SLUICE_A_RING_KICKS,		/* u64: kick calls */
	SLUICE_A_RING_PAD,
	__SLUICE_A_RING_MAX
};
#define SLUICE_A_RING_MAX (__SLUICE_A_RING_MAX - 1)

/* What a stats message is about. */
enum sluice_object {
	SLUICE_OBJECT_LISTENER,
	SLUICE_OBJECT_RULE,	/* PARENT is its listener; ID 0: the default; OUTCOMES by kind */
	SLUICE_OBJECT_GROUP,
	SLUICE_OBJECT_CLASS,	/* PARENT is its group */
	SLUICE_OBJECT_RING,	/* PARENT is its group */
	__SLUICE_OBJECT_MAX
};

/*
 * Rules that were replaced fold their counters into one more rule object of their listener, with
 * RETIRED set; the group keeps a ring object with RETIRED set for rings that left. Requests that
 * never reached a group are counted by listener and rule alone.
 */

/* attribute set "stats" */
enum {
	SLUICE_A_STATS_UNSPEC,
	/* flag, in: stop all CPUs for an instant and read everything then */
	SLUICE_A_STATS_EXACT,
	SLUICE_A_STATS_OBJECT,		/* u32, enum sluice_object */
	SLUICE_A_STATS_ID,		/* u32 */
	SLUICE_A_STATS_NAME,		/* string */
	SLUICE_A_STATS_PARENT,		/* string */
	SLUICE_A_STATS_RETIRED,		/* flag */
	SLUICE_A_STATS_RECEIVED,	/* u64 */
	/* u64: counted by walking slots and backlogs, never derived */
	SLUICE_A_STATS_IN_FLIGHT,
	SLUICE_A_STATS_MOVED,		/* u64: rings only */
	/* binary: u64 per enum sluice_outcome; for rules per enum sluice_kind */
	SLUICE_A_STATS_OUTCOMES,
	SLUICE_A_STATS_PAD,
	__SLUICE_A_STATS_MAX
};
#define SLUICE_A_STATS_MAX (__SLUICE_A_STATS_MAX - 1)

/* attribute set "hist" */
enum {
	SLUICE_A_HIST_UNSPEC,
	SLUICE_A_HIST_GROUP,		/* string */
	SLUICE_A_HIST_CLASS,		/* string */
	SLUICE_A_HIST_STAGE,		/* u32, enum sluice_stage */
	SLUICE_A_HIST_SUB_BITS,		/* u32: every power of two is cut into 2^n buckets */
	SLUICE_A_HIST_BUCKETS,		/* binary: u64 counts, up to the last that is not 0 */
	__SLUICE_A_HIST_MAX
};
#define SLUICE_A_HIST_MAX (__SLUICE_A_HIST_MAX - 1)

/* attribute set "explain" */
enum {
	SLUICE_A_EXPLAIN_UNSPEC,
	SLUICE_A_EXPLAIN_LISTENER,	/* string */
	SLUICE_A_EXPLAIN_MESSAGE,	/* binary */
	SLUICE_A_EXPLAIN_ADDR,		/* binary, 4 or 16 bytes: the sender */
	SLUICE_A_EXPLAIN_RULE,		/* nest "rule", out; absent: the default took it */
	SLUICE_A_EXPLAIN_ACTION,	/* u32, out */
	SLUICE_A_EXPLAIN_GROUP,		/* string, out */
	SLUICE_A_EXPLAIN_CLASS,		/* string, out */
	SLUICE_A_EXPLAIN_HASH,		/* u32, out: of the steering key, if the message has one */
	SLUICE_A_EXPLAIN_RING,		/* u32, out: the ring that hash steering picks now */
	SLUICE_A_EXPLAIN_GENERATION,	/* u32, out: of the rule set */
	/* u32, out: what the classifier said, see linux/sluice_bpf.h; absent: there is none */
	SLUICE_A_EXPLAIN_VERDICT,
	SLUICE_A_EXPLAIN_BAD,		/* flag, out: it is impossible, and the rules decide */
	__SLUICE_A_EXPLAIN_MAX
};
#define SLUICE_A_EXPLAIN_MAX (__SLUICE_A_EXPLAIN_MAX - 1)

/*
 * What happened to connections, X(NAME, name, description): values are ABI, new ones go at the end.
 * Every connection, accepted or adopted, that is not open any more is counted in exactly one of
 * those from closed to unanswered, owner and given_back.
 */
#define SLUICE_CONN_COUNTS(X)									\
	X(ACCEPTED, "accepted", "connections that were opened")					\
	X(CLOSED, "closed", "ended by the client, in order")					\
	X(RESET, "reset", "ended by the client or the network, out of order")			\
	X(TRUNCATED, "truncated", "ended by the client in the middle of a message")		\
	X(BROKEN, "broken", "no message begins like what was sent")				\
	X(OVERSIZE, "oversize", "a message was longer than the maximum")			\
	X(SLOW, "slow", "a message was not complete in time")					\
	X(STALLED, "stalled", "the client did not read its replies")				\
	X(IDLE, "idle", "no request for the idle time")						\
	X(KILLED, "killed", "by an administrator")						\
	X(MEMORY, "memory", "no memory for its requests or replies")				\
	X(UNANSWERED, "unanswered", "a request got no whole reply: the next would pass for it") \
	X(REFUSED_LIMIT, "refused_limit", "not opened: as many are open as the listener allows") \
	X(REFUSED_SOURCE, "refused_source", "not opened: the limit of its address")		\
	X(REFUSED_MEMORY, "refused_memory", "not opened: no memory")				\
	X(PAUSED, "paused", "times a connection was not read since its group had no room")	\
	X(UNSENT_BYTES, "unsent_bytes", "bytes of replies left when their connection ended")	\
	X(ADOPTED, "adopted", "connections that processes handed over")				\
	X(OWNER, "owner", "adopted: closed by its owner, or shut down for sending")		\
	X(GIVEN_BACK, "given_back", "adopted: the owner's again, unharmed; the listener went")

enum sluice_conn_count {
#define SLUICE_X_CONN(c, name, text) SLUICE_CONN_##c,
	SLUICE_CONN_COUNTS(SLUICE_X_CONN)
#undef SLUICE_X_CONN
	__SLUICE_CONN_COUNT_MAX
};

enum sluice_conn_state {
	SLUICE_CONN_STATE_OPEN,
	SLUICE_CONN_STATE_PAUSED,	/* not read until its group has room */
	SLUICE_CONN_STATE_HELD,		/* not read until it has taken or got its replies */
	SLUICE_CONN_STATE_CLOSING,	/* nothing more is read; replies are on their way */
	SLUICE_CONN_STATE_PASSING,	/* its owner has a message to read */
	__SLUICE_CONN_STATE_MAX
};

/* attribute set "conn" */
enum {
	SLUICE_A_CONN_UNSPEC,
	SLUICE_A_CONN_ID,		/* u64, as in the slot header */
	SLUICE_A_CONN_LISTENER,		/* string */
	SLUICE_A_CONN_STATE,		/* u32, enum sluice_conn_state */
	SLUICE_A_CONN_PEER,		/* binary, 4 or 16 bytes */
	SLUICE_A_CONN_PEER_PORT,	/* u16 */
	SLUICE_A_CONN_ADDR,		/* binary, 4 or 16 bytes: ours */
	SLUICE_A_CONN_PORT,		/* u16 */
	SLUICE_A_CONN_AGE_NS,		/* u64 */
	SLUICE_A_CONN_IDLE_NS,		/* u64: since its last byte came or went */
	SLUICE_A_CONN_RECEIVED_BYTES,	/* u64: of complete messages */
	SLUICE_A_CONN_SENT_BYTES,	/* u64 */
	SLUICE_A_CONN_REQUESTS,		/* u64 */
	SLUICE_A_CONN_IN_FLIGHT,	/* u32: requests not answered in order */
	SLUICE_A_CONN_QUEUED_BYTES,	/* u32: of replies not sent yet */
	SLUICE_A_CONN_PAD,
	SLUICE_A_CONN_ADOPTED,		/* flag, out: a process owns its socket */
	SLUICE_A_CONN_SOCKET_FD,	/* u32, in: connected TCP socket of the caller's */
	__SLUICE_A_CONN_MAX
};
#define SLUICE_A_CONN_MAX (__SLUICE_A_CONN_MAX - 1)

/* attribute set "cancel": all that is given must hold */
enum {
	SLUICE_A_CANCEL_UNSPEC,
	SLUICE_A_CANCEL_GROUP,		/* string */
	SLUICE_A_CANCEL_CLASS,		/* string, with GROUP */
	SLUICE_A_CANCEL_LISTENER,	/* string */
	SLUICE_A_CANCEL_PEER,		/* binary, 4 or 16 bytes */
	SLUICE_A_CANCEL_PEER_PORT,	/* u16, with PEER; default any */
	SLUICE_A_CANCEL_CONN,		/* u64, as in the slot header */
	SLUICE_A_CANCEL_WAITING,	/* u64, out: cancelled in backlogs */
	SLUICE_A_CANCEL_PUBLISHED,	/* u64, out: cancelled in the hands of consumers */
	SLUICE_A_CANCEL_PAD,
	__SLUICE_A_CANCEL_MAX
};
#define SLUICE_A_CANCEL_MAX (__SLUICE_A_CANCEL_MAX - 1)

/* attribute set "event" */
enum {
	SLUICE_A_EVENT_UNSPEC,
	SLUICE_A_EVENT_KIND,		/* u32, enum sluice_event */
	SLUICE_A_EVENT_NAME,		/* string: listener or group */
	SLUICE_A_EVENT_RING,		/* u32 */
	SLUICE_A_EVENT_PID,		/* u32, in the initial pid namespace */
	SLUICE_A_EVENT_COMM,		/* string */
	SLUICE_A_EVENT_COUNT,		/* u64 */
	SLUICE_A_EVENT_PAD,
	SLUICE_A_EVENT_AGE_NS,		/* u64: ring stalled, since when */
	__SLUICE_A_EVENT_MAX
};
#define SLUICE_A_EVENT_MAX (__SLUICE_A_EVENT_MAX - 1)

#endif /* _UAPI_LINUX_SLUICE_H */
