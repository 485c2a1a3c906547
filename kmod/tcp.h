/* SPDX-License-Identifier: GPL-2.0-only */
/* What the TCP files share: a listener's TCP part, and connections, with who may hold them. */
#ifndef SLUICE_TCP_H
#define SLUICE_TCP_H

#include <linux/file.h>
#include <linux/hashtable.h>
#include <net/tcp.h>

#include "core/frame.h"
#include "pool.h"
#include "sluice.h"

/* Of a connection's id; the rest is its listener's. */
#define SLUICE_CONN_ID_BITS 40

#define SLUICE_CONN_COUNTS_N __SLUICE_CONN_COUNT_MAX

/*
 * The TCP part of a listener.
 *
 * accept    an entry in the listening socket's wait queue queues accept_work, which opens the
 *	     connections. No callback of that socket is replaced: its children would inherit it.
 * closed    of an adopted socket: owner_work finds that nobody else holds its file, or that it does
 *	     not listen any more; closed_work of the listener then does as below, for the socket
 *	     only. Its connections live on.
 * stop      the entry goes, accept_work ends. An adopted socket is its owner's again, with whoever
 *	     waits in its backlog, and its file is let go of.
 * detach    stop; sweep ends, every connection is released.
 * wait      until the last connection is freed: its requests were cancelled by the walk over the
 *	     namespace, and whoever is about to send for it ends in bounded time.
 */
struct sluice_tcp {
	struct sluice_listener *l;
	struct sluice_frame frame; /* of framing bpf the longest message only */
	u32 framing; /* enum sluice_framing */
	struct sluice_framer __rcu *framer; /* framing bpf: never NULL once attached */
	u32 framers; /* that it has had */
	bool unordered;
	bool reuseport;
	u32 backlog;
	u32 max_conns;
	u32 max_per_source;
	u32 pipeline;
	u32 send_limit;
	u64 idle_ns;
	u64 message_ns;
	u64 send_ns;
	u64 keepalive_ns;
	struct file *file; /* of an adopted listening socket, until it is let go of */
	struct delayed_work owner_work;
	wait_queue_entry_t wait;
	struct work_struct accept_work;
	struct delayed_work sweep;
	unsigned long sweep_jiffies;
	bool closing; /* no further connection, no further sweep */

	spinlock_t lock; /* conns, nconns, sources, next_id */
	struct list_head conns;
	u32 nconns;
	u64 next_id;
	DECLARE_HASHTABLE(sources, 8);

	atomic_t alive; /* connections not yet freed */
	wait_queue_head_t gone;
	atomic64_t count[SLUICE_CONN_COUNTS_N];
};

/* How many connections come from one address; tcp->lock. */
struct sluice_source {
	struct hlist_node node;
	u8 addr[16];
	u32 n;
};

/* What a BPF framer left of the message that it is shown. */
struct sluice_framer_state {
	u32 number; /* of the framer; 0: of none yet */
	u32 done;   /* bytes that it need not see again */
	u32 own[4]; /* its control block */
};

/* Bits of sluice_conn.flags. */
enum {
	SLUICE_CONN_DIRTY,    /* on a ring's list of connections to flush */
	SLUICE_CONN_RELEASED, /* somebody releases it, or has */
};

/*
 * What an adopted connection has beside: its socket is a process's. See adopt.c. Held by the
 * connection, and by whoever reads what is passed.
 */
struct sluice_owner {
	refcount_t ref;
	struct mutex reading; /* one reads at a time; outside of the socket lock */
	u32 end;	      /* sequence number behind the message that is passed */
	u32 passing;	      /* it lies first in the receive queue; both: socket lock to write */
	int rcvlowat;	      /* the owner's */
};

/*
 * A connection.
 *
 * Who may hold a reference, and what ends it:
 *   tcp->conns		until it is released
 *   a request		until the request ends (sluice_conn_req_end())
 *   ring->dirty	until the ring's transmit context has flushed it, after its section
 *   work		while it is queued or runs
 *   group->paused	until the group has room, is destroyed, or the connection is released
 *   an owner in one of its operations, for moments (adopt.c)
 * The socket's callbacks hold none: they run under the socket lock, under which a release takes
 * them away. The last reference frees it and wakes whoever waits to free the listener.
 *
 * Life: open; ending (nothing more is read: the client closed its side, broke the framing, or was
 * idle; requests in flight are answered); closing (all was sent, FIN too: waits for the peer);
 * released (socket gone, dead is set: requests that end now are cancelled). An adopted one skips
 * closing: when all was sent its owner has the socket again.
 */
struct sluice_conn {
	refcount_t ref;
	unsigned long flags;
	struct sluice_tcp *tcp;
	struct socket *sock; /* the releaser's to close; adopted: its owner's, see adopt.c */
	struct sluice_owner *owner; /* NULL: the kernel's own */
	struct sock *sk;     /* reference */
	struct work_struct work;
	struct list_head node; /* tcp->conns */
	struct sluice_source *source;
	struct llist_node dirty;
	u64 id;
	u64 born;
	u8 peer[16];
	u8 addr[16];
	u8 alen; /* of both: 4 or 16 */
	u16 peer_port;
	u16 port;
	u32 flow; /* hash of the above */
	u32 hash; /* of @flow and @seed; the reader's */
	u32 seed;
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_write_space)(struct sock *sk);
	bool in_send;	/* the socket is being given bytes; runner */
	bool retry;	/* it had no memory for any: for the sweep to try again */
	u64 acked;	/* bytes that the client had taken at the last sweep; the sweep's */
	u64 acked_at;	/* when that grew */

	/* the reader; socket lock */
	struct task_struct *runner; /* who holds the socket lock as its user and is one of us */
	union { /* zero before a message */
		struct sluice_frame_state frame;
		struct sluice_framer_state framer;
	};
	u32 fed;	  /* bytes of the current message the framer has seen */
	u32 need;	  /* its length, 0: not known yet */
	/* the first bytes of a message, of which the socket could not hold all; charged to it */
	struct sluice_bytes *head;
	u32 head_len;
	u8 burst;	  /* messages that are taken at once, after it had to wait; 0: any */
	u32 rx_seq;	  /* number of the next request */
	u16 spared;	  /* bytes that TCP has not accounted for as read: read_done() */
	bool reading;
	bool starved;	  /* it has taken nothing since it waited for room */
	bool more; /* it stopped with bytes left that may be messages */
	bool ending;
	bool closing;
	u64 active;	   /* when its last byte came or went */
	u64 message_since; /* the first byte of a message that is not complete; 0: none */
	u64 stalled_since; /* the client has taken nothing since; 0: nothing waits for it */
	u64 closing_since;
	u64 received_bytes;
	u64 sent_bytes;
	u64 requests;
	struct list_head sending; /* chunks, the first from @sent on */
	u32 sent;
	enum sluice_conn_count why; /* how it ends; ACCEPTED: not yet known */

	/* waiting for room in a group; paused_lock */
	struct list_head paused_node;
	struct sluice_group *paused_on;

	/* replies; lock */
	spinlock_t lock;
	bool dead;
	/* the reader waits for a request to end: set by it, looked at after tx_seq has moved */
	bool attention;
	/* a request has no whole reply: nothing goes after what was due before it */
	bool cut;
	enum sluice_conn_count doomed; /* to be released for this; ACCEPTED: no */
	u32 tx_seq;		       /* ordered: whose reply goes next; else how many ended */
	u32 queued;		       /* bytes in the three lists of chunks */
	u32 memory;		       /* bytes that these lists and parked occupy */
	struct list_head parked;       /* by seq: replies whose turn has not come */
	struct list_head out;	       /* chunks */
};

/* conn.c */
void sluice_conn_open(struct sluice_tcp *tcp, struct socket *sock);
enum sluice_conn_count sluice_conn_adopt(struct sluice_tcp *tcp, struct socket *sock);
bool sluice_conn_clear(struct sluice_conn *c);
void sluice_conn_get(struct sluice_conn *c);
void sluice_conn_put(struct sluice_conn *c);
void sluice_conn_kick(struct sluice_conn *c);
void sluice_conn_run(struct sluice_conn *c);
void sluice_conn_ending(struct sluice_conn *c, enum sluice_conn_count why);
void sluice_conn_doom(struct sluice_conn *c, enum sluice_conn_count why);
void sluice_conn_release(struct sluice_conn *c, enum sluice_conn_count why);
void sluice_conn_sweep(struct work_struct *work);
void sluice_conn_count(struct sluice_tcp *tcp, enum sluice_conn_count what);
u32 sluice_conn_in_flight(const struct sluice_conn *c);
bool sluice_conn_doom_soft(enum sluice_conn_count why);
bool sluice_conn_mark(struct sluice_conn *c, enum sluice_conn_count why);

/* conn_rx.c */
void sluice_conn_read(struct sluice_conn *c, gfp_t gfp, u64 now);
void sluice_conn_drop_head(struct sluice_conn *c);
int sluice_conn_copy(struct sock *sk, u32 at, u8 *to, u32 len);

/* conn_take.c */
int sluice_conn_take(struct sluice_conn *c, struct sluice_bytes *bytes, u32 at, u32 len, u32 share,
		     u64 now);

/* conn_wait.c */
void sluice_conn_pause(struct sluice_conn *c, struct sluice_group *g);
void sluice_conn_unpause(struct sluice_conn *c);

/* bytes.c */
#define SLUICE_BYTES_SHARED (SLUICE_BLOCK_LARGE - (u32)sizeof(struct sluice_bytes))
u32 sluice_bytes_room(u32 size);
struct sluice_bytes *sluice_bytes_get(u32 size);
struct sluice_bytes *sluice_bytes_wait(u32 size, gfp_t gfp);
void sluice_bytes_drop(struct sluice_bytes *b, u32 refs);
void sluice_bytes_put(struct sluice_bytes *b);

/* adopt.c */
int sluice_owner_adopt(struct sluice_tcp *tcp, int fd, struct netlink_ext_ack *extack);
int sluice_owner_cover(struct sluice_conn *c);
void sluice_owner_uncover(struct sluice_conn *c);
bool sluice_owner_gone(const struct sluice_conn *c);
void sluice_owner_tell(struct sluice_conn *c, u32 len);
enum sluice_conn_count sluice_owner_back(struct sluice_conn *c, enum sluice_conn_count why,
					 bool whole);
void sluice_owner_put(struct sluice_owner *o);

/* framer.c */
void sluice_framer_release(struct sluice_tcp *tcp);
int sluice_framer_fill(struct sk_buff *msg, const struct sluice_tcp *tcp);
int sluice_framer_feed(struct sluice_conn *c, u32 at, u32 avail);

/* conn_tx.c */
void sluice_conn_send(struct sluice_conn *c);
void sluice_conn_drop_replies(struct sluice_conn *c);

extern struct workqueue_struct *sluice_conn_wq;

#endif /* SLUICE_TCP_H */
