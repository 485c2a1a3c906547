/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's internal header: its objects, who protects them, who may still hold them, and in
 * which context.
 */
#ifndef SLUICE_H
#define SLUICE_H

#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include <uapi/linux/sluice.h>
#include <uapi/linux/sluice_outcome.h>
#include <uapi/linux/sluice_ring.h>

#include "compat/compat.h"
#include "core/classify.h"
#include "core/demand.h"
#include "core/field.h"
#include "core/hist.h"
#include "core/overload.h"
#include "core/ring.h"
#include "core/slots.h"
#include "core/window.h"
#include "nap.h"

/*
 * Contexts
 *
 *   ingress    softirq, RCU reader: udp.c -> ingress.c -> rules -> group -> ring_offer; conn_rx.c
 *              also in a work item or behind a send, under the connection's socket lock
 *   transmit   process context, bottom halves disabled: a ring's thread or its consumer's kick
 *   sweep      work item of a group: what waits too long, limits that follow what is measured
 *   control    process context under sluice_mutex: netlink, set-up and teardown of rings,
 *              exit of a namespace, the watchdog of a group
 *
 * A "section" is a stretch of code with bottom halves disabled in which a request changes hands or
 * ends, together with the counters that say so. It is an RCU read-side section too. So
 * synchronize_rcu() waits for all sections, and stop_machine() (the exact snapshot) finds none half
 * done.
 *
 * Locks, outermost first
 *
 *   sluice_mutex    all control state: lists, names, reference counts, configuration. May sleep.
 *   RTNL            devices of XDP listeners
 *   listener->sk_mutex  which socket a listener has
 *   ring->tx_lock   mutex: one reader of the response queue at a time
 *   socket lock     of a connection: its reader, its sending, its end
 *   group->lock     spinlock, BH: the group's backlog
 *   ring->lock      spinlock, BH: slots, queue tails, the ring's backlog
 *   conn->lock      spinlock, BH: the order of a connection's replies, and those not yet sent
 *   tcp->lock       spinlock, BH: a listener's connections
 *   paused_lock     spinlock, BH: which connections wait for room in which group
 *   bucket lock     spinlock, BH: the ids of a listener's requests that share a hash
 *
 * group->lock and ring->lock are never nested in each other, nor are the last four.
 *
 * Lifetimes: who may hold what, and what ends it
 *
 * listener: its socket's user data, its XDP device's table, gro.c's list (all RCU), rule counters,
 *   requests through their rule. Removal: off the list; the socket or device lets go; dead = true;
 *   grace period (every section sees dead: no request of it enters a list or slot any more); a walk
 *   cancels what lies there; grace period; free.
 * rule set: listener->rules (RCU). Swapped, then freed after a grace period.
 * rule counters: rules of the set, requests in flight. Removal: retired = true; grace period
 *   (sections that move a request repoint it to listener->retired); a walk repoints what is in
 *   lists and slots; grace period; folded into listener->retired; free.
 * group: listed by name; users counts rules, defaults and rings (under sluice_mutex); sections
 *   reach it only through those. Freed when users is 0, after a grace period and the end of its
 *   sweep and its watchdog.
 * class: as long as its group, once the command that names it first is done.
 * ring: its open file. In group->rings (RCU) while it takes requests. Detach: out of the set;
 *   closed = true under ring->lock; grace period (no section publishes to it); requests handed on;
 *   group let go. Freed when the file is released, after its thread has ended.
 * ring memory: its shmem files: ring, and each mapping. Mappings hold neither ring nor module.
 * connection: see tcp.h.
 * id of a request: see ids.h.
 * request: see struct sluice_req. It refers to its rule's counters, and through them to its
 *   listener: both removals walk all requests, as above.
 */

#define SLUICE_OUTCOMES_N __SLUICE_OUTCOME_MAX
#define SLUICE_KINDS_N	  __SLUICE_KIND_MAX
#define SLUICE_STAGES_N	  __SLUICE_STAGE_MAX
#define SLUICE_RINGS_MAX  256 /* rings of one group */

struct sluice_group;
struct sluice_listener;
struct sluice_conn;
struct sluice_ring;
struct sluice_classifier;
struct sluice_routes;
struct sluice_together;
struct sluice_id;
struct sluice_ids;
struct sluice_xdp;
struct sluice_gro;
struct xdp_frame;
struct sluice_tcp;

/* Per CPU; written only with bottom halves disabled. */
struct sluice_counters {
	u64 received;
	u64 moved;
	u64 outcome[SLUICE_OUTCOMES_N];
};

/* One cache line per rule and CPU, so that 10,000 rules stay affordable. */
struct sluice_rule_counters {
	u64 received;
	u64 kind[SLUICE_KINDS_N];
} ____cacheline_aligned;

struct sluice_hists {
	u64 bucket[SLUICE_STAGES_N][SLUICE_HIST_BUCKETS];
};

/* What an object's ledger was at a snapshot; scratch of whoever holds sluice_mutex. */
struct sluice_ledger {
	u64 received;
	u64 moved;
	u64 in_flight;
	u64 outcome[SLUICE_OUTCOMES_N]; /* for rules: by kind */
};

/*
 * Counters of one rule id of a listener. Outlives the rule set that names it while requests refer
 * to it.
 */
struct sluice_rule_stats {
	struct sluice_listener *listener;
	struct sluice_rule_counters __percpu *cnt;
	u32 id;
	/* sections that move a request repoint it to listener->retired */
	bool retired;
	bool keep; /* control: named by the set that is being installed */
	struct sluice_ledger ledger;
};

/* Requests of one section that ended alike, counted together. */
struct sluice_tally {
	u32 n;
	enum sluice_outcome outcome;
	struct sluice_rule_stats *rule;
	struct sluice_class *class;
	struct sluice_ring *ring;
};

struct sluice_class {
	struct sluice_group *group;
	struct sluice_counters __percpu *cnt;
	struct sluice_hists __percpu *hist;
	u16 id;
	bool draft; /* control: made by a command that is not done yet */
	char name[SLUICE_NAME_LEN];
	struct sluice_demand demand; /* group->lock, but for its mean service time */
	u32 rings; /* rings with requests of it; typed steering, group->lock */
	struct sluice_ledger ledger;
};

/* What holds a request's bytes, and how its reply travels. */
enum sluice_req_kind {
	SLUICE_REQ_KIND_UDP, /* skb: the datagram, or a buffer of them, from the UDP header on */
	SLUICE_REQ_KIND_XDP, /* frame: of our own, from the Ethernet header on */
	SLUICE_REQ_KIND_TCP, /* bytes: a copy of the message; the connection orders replies */
};

/* A copy of the bytes of messages that were taken at once; each of their requests holds it. */
struct sluice_bytes {
	refcount_t ref;
	u32 room;
	u8 data[];
};

/*
 * A request, from its arrival in a group to its end. While the kernel owns it, it lies in a
 * backlog; while a consumer has it, in ring->req[slot]. Whoever takes it out of there in a section
 * is its owner until it puts it somewhere else or ends it. The first cache line is what the way to
 * the ring touches.
 */
struct sluice_req {
	struct sluice_waiter wait; /* in a backlog */
	struct sluice_rule_stats *rule;
	struct sluice_class *class; /* NULL until a rule sends it to a group */
	u64 arrival;		    /* CLOCK_MONOTONIC ns */
	u64 deadline;		    /* CLOCK_MONOTONIC ns, 0: none */
	u32 len;		    /* bytes of the message */
	u32 hash;
	u32 published; /* ns after arrival, saturating */
	u8 prio;
	u8 flags; /* SLUICE_REQ_* of linux/sluice_ring.h */
	u8 kind;  /* enum sluice_req_kind */
	bool borrowed; /* its memory is the stack of the section that refuses it */
	bool held;     /* counts in ring->held: typed steering */
	bool returned; /* comes back from a ring that left */
	bool parts;    /* TCP: some of its reply has gone, the last of it has not */
	bool settled;  /* TCP: it has its reply, or is to have none */

	u32 truesize; /* bytes of memory it holds, for limits */
	bool cut;     /* UDP, XDP: a part of its reply could not be sent */
	bool shared;  /* UDP: others refer to the same @skb */
	union { /* XDP: offset of the IP header; TCP: @conn's reference is the ring's list's */
		u8 l3;
		bool gave;
	};
	bool over;    /* TCP: its whole reply is in its place, the next one's turn has come */
	struct sluice_id *tag; /* its entry among the listener's ids; NULL: none */
	union {
		struct {		     /* UDP, XDP */
			u32 off;	     /* of the message in @skb or @frame */
			u32 ifindex;	     /* device it came in by */
			union {		     /* NULL once a reply travels in it */
				struct sk_buff *skb;
				struct xdp_frame *frame;
			};
		};
		struct {			    /* TCP */
			u32 seq;		    /* number in its connection */
			u32 at;			    /* of the message in @bytes */
			struct sluice_bytes *bytes; /* reference, the section's if borrowed */
			struct sluice_conn *conn;   /* the same */
		};
	};
};

/* Who sent a request. */
struct sluice_from {
	u8 addr[16]; /* zeroes behind an IPv4 address */
	__be16 port;
	u8 family; /* 4 or 6 */
};

/* What a rule, or the listener's default, does; immutable. */
struct sluice_verdict_to {
	u8 action; /* enum sluice_action */
	u8 prio;
	u64 deadline;		    /* ns after arrival, 0: none */
	struct sluice_class *class; /* ACTION_GROUP */
	struct sluice_rule_stats *stats;
	struct sluice_time_field time; /* the deadline, if the message says it */
	struct sluice_id_field id;     /* which request it is, or is about */
	bool once;		       /* repetitions are not served */
};

/* How a message was classified. */
struct sluice_classified {
	int index;   /* of the rule in its set, -1: the default */
	int prio;    /* in place of the rule's, -1: the rule's */
	bool has_key;
	bool bad;    /* the program's verdict was impossible */
	u32 key;     /* hash of the steering key, with @has_key */
};

/* What a program says of a message: SLUICE_VERDICT_* of linux/sluice_bpf.h; not checked yet. */
struct sluice_hint {
	u32 verdict;
	u32 key;
};

struct sluice_rule {
	struct sluice_verdict_to to;
	u32 id;
	u32 order;
	struct nlattr *attr; /* the nest it was made from, for dumps */
};

struct sluice_rule_ref {
	u32 id;
	u32 index;
};

struct sluice_rules {
	struct sluice_ruleset *core; /* NULL: no rules */
	u32 generation;
	u32 n;
	u32 depth; /* bytes of a message that core may look at */
	struct sluice_rule_ref *by_id; /* sorted */
	struct sluice_rule rule[];
};

/* What a listener's default and reject reply are; swapped as a whole under RCU. */
struct sluice_listener_conf {
	struct rcu_head rcu;
	struct sluice_verdict_to to;
	struct sluice_group *group; /* reference, with ACTION_GROUP */
	u32 reject_len;
	u32 reject_copy;
	u8 reject[];
};

struct sluice_listener {
	struct list_head list; /* sluice_net->listeners */
	struct sluice_net *sn;
	char name[SLUICE_NAME_LEN];
	u32 id;
	struct sluice_rules __rcu *rules;
	struct sluice_listener_conf __rcu *conf;
	struct sluice_classifier __rcu *classifier; /* looks before the rules do; NULL: none */
	atomic64_t bad_verdicts;		    /* of programs, left to the rules */
	struct sluice_counters __percpu *cnt;
	struct sock *sk;       /* reference; sections read it once */
	struct socket *sock;   /* the kernel's own; NULL while an adopted one is open */
	struct mutex sk_mutex; /* both, once armed; adopted TCP sockets: tcp->file holds them */
	bool adopted;
	bool gro;    /* UDP: takes gathered datagrams whole */
	struct hlist_node gro_node; /* sluice_gro->listeners */
	bool handed; /* TCP: without a socket; takes connections that processes hand over */
	struct sluice_xdp *xdp; /* takes frames, @sk asks for routes only; NULL: takes datagrams */
	struct sluice_tcp *tcp; /* NULL: UDP */
	/* being removed: no request of it may enter a list or slot */
	bool dead;
	bool closed; /* the owner of the adopted socket closed it, the XDP device is gone */
	struct work_struct closed_work;
	/* as configured, for dumps */
	u8 addr[16];
	u8 addr_len;
	bool v6only;
	u16 port;
	u32 ifindex;
	struct sluice_rule_stats *fallback; /* rule 0, the default */
	struct sluice_rule_stats *retired;
	struct sluice_ids *ids; /* NULL until a rule wants them */
	struct xarray stats; /* struct sluice_rule_stats by rule id, fallback at 0 */
	struct sluice_ledger ledger;
};

struct sluice_group_conf {
	struct rcu_head rcu;
	u32 steering;
	struct sluice_key key;
	u32 key_depth;
	u32 window;
	u32 backlog;
	u64 backlog_bytes;
	struct sluice_policy policy; /* of classes that say nothing else */
	struct sluice_policy class_policy[SLUICE_CLASSES_MAX];
	u32 no_consumer;
	u64 hold_ns;
	u32 crash;
	u64 stall_ns; /* without a sign of life, 0: for ever */
	kuid_t uid;
	kgid_t gid;
	bool has_gid;
	u32 max_rings;
};

/* Requests that wait: for any ring of a group, or for one ring. */
struct sluice_backlog {
	struct sluice_queue q;
	struct sluice_limits limits[SLUICE_CLASSES_MAX];
};

struct sluice_rings {
	struct rcu_head rcu;
	u32 n;
	struct sluice_ring *ring[];
};

struct sluice_group {
	struct list_head list; /* sluice_net->groups */
	struct sluice_net *sn;
	char name[SLUICE_NAME_LEN];
	u32 id;
	u32 users; /* rules, defaults, rings; sluice_mutex */
	struct sluice_group_conf __rcu *conf;
	struct sluice_rings __rcu *rings;		/* never NULL */
	/* append only; written under sluice_mutex and lock, read under either */
	struct sluice_class *class[SLUICE_CLASSES_MAX];
	u32 nclasses;
	struct list_head members; /* rings that are set up, sluice_mutex */
	u32 nmembers;
	u32 seed; /* of flow hashes */

	spinlock_t lock ____cacheline_aligned; /* backlog, demands, caps */
	struct sluice_backlog backlog;
	atomic_t rr;
	atomic_t gap;
	u32 gap_reason;
	/* requests waiting in this backlog and in those of its rings, against the limits */
	atomic_t waiting;
	atomic64_t waiting_bytes;
	struct list_head paused; /* struct sluice_conn; lock of conn_wait.c */
	struct delayed_work sweep;
	unsigned long sweep_armed; /* bit 0 */
	struct delayed_work watch;
	u32 overload_told;	   /* classes that were last reported as overloaded; sweep */
	u32 overload_now;	   /* classes that are, here or in a ring; sweep */
	struct sluice_ledger ledger;
	struct sluice_ledger retired; /* rings that left */
};

/* What a slot that is not FREE stands for; ring->lock. */
struct sluice_slot_use {
	u32 cost; /* expected work, ns */
	u8 class_id;
	bool held; /* in ring->held */
};

#define SLUICE_WATCHED	(SLUICE_RING_PRIOS + 2) /* words that change when a consumer moves */
#define SLUICE_TX_BATCH 32 /* responses taken in one section */

/* One response entry on its way: the kernel's copy, its verdict, and the request it answers. */
struct sluice_answer {
	struct sluice_response resp;
	u8 verdict; /* enum sluice_verdict */
	bool kicked; /* its service ended with the kick */
	u32 service; /* by the consumer's stamps, ns */
	struct sluice_req *req;
	struct sluice_class *class; /* outlives @req */
	u64 answered; /* by the consumer's stamps, ns; 0: none that can be true */
};

struct sluice_ring_mem {
	/* shmem; the first is mapped read only, the second holds the rest */
	struct file *readable;
	struct file *writable;
	struct page **pages;
	unsigned int npages;
	void *base;		  /* vmap of all of it */
	struct user_struct *user; /* who is charged */
};

struct sluice_ring {
	/* read-mostly */
	/* sluice_mutex; sections via the published set; NULL once detached */
	struct sluice_group *group;
	struct sluice_net *sn;
	u32 id;
	u32 flags; /* SLUICE_RING_TX_* */
	u32 tx_idle_us;
	/* set up: memory, map and all of this group of members are there */
	u32 ready;
	bool attached; /* sluice_mutex */
	bool draining; /* sluice_mutex */
	bool detached; /* sluice_mutex and tx_lock */
	/* sluice_mutex, all down to seen: the watchdog */
	bool stalled; /* told */
	bool aside;   /* attached, but passed over */
	u64 moved_at; /* last sign of life, ns */
	u32 seen[SLUICE_WATCHED];
	struct sluice_ring_mem mem;
	struct sluice_ring_map map;
	u32 *k_req_tail[SLUICE_RING_PRIOS];
	u32 *k_resp_head;
	u32 *k_state;
	const u32 *u_req_head[SLUICE_RING_PRIOS];
	const u32 *u_resp_tail;
	const u32 *u_need_wakeup;
	const u32 *u_heartbeat;
	u32 *queue[SLUICE_RING_PRIOS];
	const struct sluice_response *resp;
	struct sluice_counters __percpu *cnt;
	struct list_head member; /* group->members */
	struct list_head all;	 /* sluice_net->rings */
	struct pid *pid;
	char comm[TASK_COMM_LEN];

	/* producers */
	spinlock_t lock ____cacheline_aligned; /* all down to woken */
	struct sluice_slots slots;
	struct sluice_req **req; /* [slots.total]: the request in a PUBLISHED slot */
	struct sluice_slot_use *use; /* [slots.total] */
	u64 work;		     /* sum of their costs */
	struct sluice_window window;
	u32 req_tail[SLUICE_RING_PRIOS];
	struct sluice_backlog waiting; /* for this very ring */
	u32 gap;
	u16 gap_reason;
	bool closed; /* takes nothing more */
	u32 woken;   /* last sleep ticket that was woken */
	u64 wakeups;
	wait_queue_head_t wq;
	struct sluice_nap nap;

	u32 held[SLUICE_CLASSES_MAX]; /* its requests by class; typed steering, group->lock */

	/* transmit */
	struct mutex tx_lock ____cacheline_aligned; /* resp_head, broken, routes, together, batch */
	struct sluice_routes *routes;		    /* may be NULL */
	struct sluice_together *together;	    /* may be NULL */
	struct llist_head dirty; /* struct sluice_conn with replies to send after the section */
	bool gathered; /* this section's replies wait for sluice_req_flush() */
	u32 resp_head;
	u64 busy_until; /* last answer by the consumer's stamps, ns; tx_lock */
	struct sluice_answer batch[SLUICE_TX_BATCH]; /* too large for the stack */
	bool broken;
	struct task_struct *task;
	bool tx_sleeping; /* set by the thread before it looks for work a last time */
	/* bit 0: kicks come so fast that the thread had better poll */
	unsigned long tx_kick;
	u64 last_kick;
	u64 crowded_until; /* adaptive: no kick wakes the thread before */
	u64 kicks;
	u64 bad_responses; /* tx_lock */
	u32 state;	   /* what k_state says; state_lock */
	spinlock_t state_lock;
	struct work_struct broken_work;
	struct sluice_ledger ledger;
};

struct sluice_net {
	struct net *net;
	struct list_head listeners;
	struct list_head groups;
	struct list_head rings;
	struct delayed_work reap; /* cancels the requests of connections that ended */
	u64 reap_ns;		  /* what the last of these walks took */
	struct sluice_gro *gro;	  /* sluice_mutex; see gro.c */
	u32 next_id;
};

extern struct mutex sluice_mutex;
extern unsigned int sluice_net_id;

struct sluice_net *sluice_net(const struct net *net);

/* req.c */
int sluice_req_cache_init(void);
void sluice_req_cache_fini(void);
struct sluice_req *sluice_req_alloc(void);
bool sluice_req_keep(struct sluice_req *req);
void sluice_req_free(struct sluice_req *req, bool served);
void sluice_req_pass(struct sluice_req *req);
u32 sluice_req_flow(const struct sluice_req *req, u32 seed);
int sluice_req_copy(const struct sluice_req *req, void *to, u32 len);
int sluice_req_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		     bool last);
void sluice_req_flush(struct sluice_ring *ring);
void sluice_req_unshare(struct sluice_req *req);
u64 sluice_conn_id(const struct sluice_conn *c);
bool sluice_req_orphan(const struct sluice_req *req);
void sluice_skb_detach(struct sk_buff *skb);
u32 sluice_req_source(const struct sluice_req *req, u32 seed);
void sluice_req_from(const struct sluice_req *req, struct sluice_from *from);

/* ledger.c */
void sluice_req_received(struct sluice_req *req, struct sluice_listener *l);
void sluice_req_unreceived(struct sluice_req *req);
void sluice_req_finish(struct sluice_req *req, struct sluice_ring *ring,
		       enum sluice_outcome outcome);
void sluice_req_tally(struct sluice_tally *t, struct sluice_req *req, struct sluice_ring *ring,
		      enum sluice_outcome outcome);
void sluice_tally_end(struct sluice_tally *t);
void sluice_req_drop(struct sluice_req *req, struct sluice_ring *ring,
		     enum sluice_outcome outcome);
void sluice_req_reject(struct sluice_req *req, struct sluice_ring *ring,
		       enum sluice_outcome outcome);
bool sluice_req_settle(struct sluice_req *req, struct sluice_group *charged);
enum sluice_kind sluice_outcome_kind(enum sluice_outcome outcome);
const char *sluice_outcome_name(enum sluice_outcome outcome);

/* Add the latency of @n requests to a class's histogram. Context: section. */
static inline void sluice_hist_add(struct sluice_class *class, enum sluice_stage stage, u64 ns,
				   u32 n)
{
	this_cpu_add(class->hist->bucket[stage][sluice_hist_bucket(ns)], n);
}

/* snapshot.c */
typedef bool (*sluice_visit_fn)(struct sluice_req *req, struct sluice_ring *ring, void *arg);
void sluice_net_visit(struct sluice_net *sn, sluice_visit_fn fn, void *arg);
int sluice_net_snapshot(struct sluice_net *sn, bool exact);
void sluice_ring_ledger_fold(struct sluice_ring *ring, struct sluice_ledger *into);

/* rules.c */
struct sluice_rule_stats *sluice_rule_stats_create(struct sluice_listener *l, u32 id);
void sluice_rule_stats_free(struct sluice_rule_stats *s);
int sluice_rules_install(struct sluice_listener *l, const struct nlmsghdr *nlh, int hdrlen,
			 u32 expect, bool has_expect, struct netlink_ext_ack *extack);
void sluice_rules_free(struct sluice_rules *rules);
const struct sluice_verdict_to *sluice_rules_match(const struct sluice_rules *rules,
						   const struct sluice_msg *msg,
						   const struct sluice_listener_conf *conf,
						   int *index);

int sluice_rules_find(const struct sluice_rules *rules, u32 id);

/* fields.c */
int sluice_fields_parse(struct sluice_listener *l, struct nlattr **tb,
			struct sluice_verdict_to *to, struct netlink_ext_ack *extack);

/* bpf.c */
int sluice_classifier_set(struct sluice_listener *l, u32 fd, struct netlink_ext_ack *extack);
void sluice_classifier_release(struct sluice_listener *l);
u32 sluice_classifier_id(const struct sluice_listener *l);
bool sluice_classifier_ask(const struct sluice_listener *l, struct sk_buff *skb, u32 off,
			   struct sluice_hint *hint);
bool sluice_classifier_ask_message(const struct sluice_listener *l, const struct sluice_msg *msg,
				   struct sluice_hint *hint);
int sluice_view_init(void);
void sluice_view_fini(void);
struct sk_buff *sluice_view(u8 family, u32 len);
const struct sluice_verdict_to *sluice_classify(const struct sluice_rules *rules,
						const struct sluice_listener_conf *conf,
						const struct sluice_msg *msg,
						const struct sluice_hint *hint,
						struct sluice_classified *found);

/* Is there somebody who receives what the listener passes? */
static inline bool sluice_listener_passes(const struct sluice_listener *l)
{
	return (l->adopted && !l->tcp) || l->xdp || l->handed;
}

/* When nobody waits any more for the answer to a message that arrived at @arrival; 0: unknown. */
static inline u64 sluice_deadline(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
				  u64 arrival)
{
	u64 left = 0;

	if (unlikely(to->time.width))
		left = sluice_time_field_ns(&to->time, msg);
	left = left ?: to->deadline;
	return left ? arrival + left : 0;
}

/* listener.c */
struct sluice_listener *sluice_listener_find(struct sluice_net *sn, const char *name);
int sluice_may_adopt(struct netlink_ext_ack *extack);
struct sluice_listener *sluice_listener_create(struct sluice_net *sn, struct nlattr **tb,
					       struct netlink_ext_ack *extack);
int sluice_listener_configure(struct sluice_listener *l, struct nlattr **tb,
			      struct netlink_ext_ack *extack);
void sluice_listener_destroy(struct sluice_listener *l);

/* group.c */
struct sluice_group *sluice_group_find(struct sluice_net *sn, const char *name);
struct sluice_group *sluice_group_create(struct sluice_net *sn, struct nlattr **tb,
					 const struct nlmsghdr *nlh,
					 struct netlink_ext_ack *extack);
int sluice_group_configure(struct sluice_group *g, struct nlattr **tb, const struct nlmsghdr *nlh,
			   struct netlink_ext_ack *extack);
void sluice_group_destroy(struct sluice_group *g);
struct sluice_class *sluice_group_class_get(struct sluice_group *g, const char *name,
					    struct netlink_ext_ack *extack);
void sluice_group_drafts(struct sluice_net *sn, bool keep);
int sluice_group_rings_add(struct sluice_group *g, struct sluice_ring *ring);
void sluice_group_rings_remove(struct sluice_group *g, struct sluice_ring *ring);

/* steer.c */
int sluice_group_submit(struct sluice_group *g, struct sluice_req *req, bool fresh);
int sluice_group_unplaced(struct sluice_group *g, struct sluice_req *req, int err);

/* backlog.c */
#define SLUICE_REFUSED_MAX 4

/* Taken out of a backlog under its lock, to be refused when it is released. */
struct sluice_refused {
	u32 n;
	struct {
		struct sluice_req *req;
		enum sluice_outcome why;
	} at[SLUICE_REFUSED_MAX];
};

int sluice_backlog_init(struct sluice_group *g);
void sluice_backlog_fini(struct sluice_group *g);
int __sluice_backlog_add(struct sluice_group *g, struct sluice_backlog *b, struct sluice_req *req,
			 u64 now, struct sluice_refused *out);
struct sluice_req *__sluice_backlog_pop(struct sluice_backlog *b, u32 classes, u64 now,
					struct sluice_refused *out);
void sluice_backlog_refuse(struct sluice_group *g, const struct sluice_refused *out);
bool sluice_backlog_expire(struct sluice_group *g, struct sluice_req *req, u64 now);
int sluice_backlog_add(struct sluice_group *g, struct sluice_req *req);
void sluice_backlog_uncharge(struct sluice_group *g, const struct sluice_req *req);
void sluice_backlog_run(struct sluice_group *g);
void sluice_backlog_feed(struct sluice_group *g, struct sluice_ring *ring);
void sluice_backlog_arm(struct sluice_group *g);
void sluice_group_gap(struct sluice_group *g, enum sluice_outcome outcome);

/* limits.c */
void sluice_limits_refresh(struct sluice_group *g);
void sluice_limits_copy(struct sluice_ring *ring);
void __sluice_limits_arrived(struct sluice_group *g, struct sluice_class *class, u64 now);
u32 __sluice_limits_classes(const struct sluice_group *g, const struct sluice_ring *ring);
void __sluice_ring_hold(struct sluice_ring *ring, struct sluice_req *req);
bool sluice_ring_unhold(struct sluice_ring *ring, const u8 *class_id, u32 n);

/* watch.c */
void sluice_watch_init(struct sluice_group *g);
void sluice_watch_fini(struct sluice_group *g);
void sluice_watch_change(struct sluice_group *g, u64 before);
void sluice_watch_start(struct sluice_ring *ring);

/* ring.c, ring_detach.c */
int sluice_ring_offer(struct sluice_ring *ring, struct sluice_req *req, bool wait, u64 now);
void __sluice_ring_pull(struct sluice_ring *ring, struct sluice_group *g);
bool sluice_ring_has_room(const struct sluice_ring *ring);
struct sluice_slot_use __sluice_ring_slot_free(struct sluice_ring *ring, u32 slot);
void __sluice_ring_slot_cancel(struct sluice_ring *ring, u32 slot, const struct sluice_req *req);
void sluice_ring_window_set(struct sluice_ring *ring, u32 window);
struct sluice_ring *sluice_steer_least(const struct sluice_rings *set);
int sluice_ring_attach(struct sluice_ring *ring);
int sluice_ring_drain(struct sluice_ring *ring, bool on);
int sluice_ring_open_intake(struct sluice_ring *ring);
int sluice_ring_set_aside(struct sluice_ring *ring, bool on);
void sluice_ring_detach(struct sluice_ring *ring);
void sluice_ring_state(struct sluice_ring *ring, u32 set, u32 clear);
struct sluice_ring *sluice_ring_find(struct sluice_net *sn, u32 id);

/* ring_mem.c */
int sluice_ring_mem_init(struct sluice_ring_mem *mem, u64 bytes, u64 readable);
void sluice_ring_mem_fini(struct sluice_ring_mem *mem);

/* ring_file.c */
int sluice_ring_file_init(void);
void sluice_ring_file_fini(void);

/* tx.c */
int sluice_tx_start(struct sluice_ring *ring, int cpu);
void sluice_tx_stop(struct sluice_ring *ring);
int sluice_tx_run(struct sluice_ring *ring, unsigned int budget);
int sluice_tx_kick(struct sluice_ring *ring);
bool sluice_tx_wanted(const struct sluice_ring *ring);
void __sluice_tx_published(struct sluice_ring *ring);

/* bind.c */
int sluice_bind_address(struct sluice_listener *l, struct nlattr **tb,
			struct netlink_ext_ack *extack);
void sluice_listener_read_address(struct sluice_listener *l);
int sluice_bind_device(struct sluice_listener *l, struct socket *sock,
		       struct netlink_ext_ack *extack);
int sluice_bind(const struct sluice_listener *l, struct socket *sock,
		struct netlink_ext_ack *extack);

/* tcp.c, conn.c, conn_rx.c, conn_tx.c: see tcp.h */
int sluice_tcp_open(struct sluice_listener *l, struct nlattr **tb, struct netlink_ext_ack *extack);
int sluice_tcp_attach(struct sluice_listener *l, struct netlink_ext_ack *extack);
void sluice_tcp_detach(struct sluice_listener *l);
void sluice_tcp_let_go(struct sluice_listener *l);
void sluice_tcp_wait(struct sluice_listener *l);
void sluice_tcp_release(struct sluice_listener *l);

/* framer.c */
struct sluice_framer;
struct sluice_framer *sluice_framer_create(struct sluice_listener *l, struct nlattr **tb,
					   struct netlink_ext_ack *extack);
void sluice_framer_destroy(struct sluice_framer *f);
void sluice_framer_install(struct sluice_listener *l, struct sluice_framer *f);
int sluice_conn_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		      bool last);
u32 sluice_conn_flow(struct sluice_conn *c, u32 seed);
void sluice_conn_unshare(struct sluice_req *req);
u32 sluice_conn_source(const struct sluice_conn *c, u32 seed);
void sluice_conn_from(const struct sluice_conn *c, struct sluice_from *from);
void sluice_conn_req_end(struct sluice_req *req);
void sluice_conn_flush(struct llist_head *dirty);
void __sluice_conn_resume(struct sluice_group *g);
void sluice_conn_resume_all(struct sluice_group *g);
int sluice_conn_init(void);
void sluice_conn_fini(void);
void sluice_conn_reap(struct work_struct *work);

/**
 * sluice_conn_resume() - a group may have room: read on where it was missing
 * @g: group
 *
 * Context: any but hard interrupts; the lock of a group or ring may be held.
 */
static inline void sluice_conn_resume(struct sluice_group *g)
{
	sluice_conn_room(); /* C2 */
	if (unlikely(!list_empty(&g->paused)))
		__sluice_conn_resume(g);
}

/* adopt.c */
void sluice_owner_fini(void);

/* netlink.c */
int sluice_netlink_init(void);
void sluice_netlink_fini(void);
void sluice_event(struct sluice_net *sn, enum sluice_event kind, const char *name,
		  struct sluice_ring *ring, u64 count);

#define SLUICE_UDP_HLEN 8

static inline u64 sluice_now(void)
{
	return ktime_get_ns();
}

#include "hot.h"

#endif /* SLUICE_H */
