/* SPDX-License-Identifier: GPL-2.0-only */
/* The ids of a listener's outstanding requests: to find the one that a later message is about. */
#ifndef SLUICE_IDS_H
#define SLUICE_IDS_H

#include "sluice.h"

#define SLUICE_IDS_MAX	   65536 /* of one listener at once */
#define SLUICE_IDS_BUCKETS 4096

/* Which request of whom; compared as bytes, so that there is no padding. */
struct sluice_id_key {
	u64 conn;    /* 0: a datagram, then */
	u8 addr[16]; /* where it came from */
	__be16 port;
	u8 family; /* 4 or 6 */
	u8 len;    /* of id */
	u8 id[SLUICE_ID_LEN_MAX];
	u32 scope; /* device, of a link-local address */
};

/*
 * Where a request with an id was put last. It is there if the lock of that place says so, else some
 * section has it: whoever has that section's request puts it somewhere else, or ends it.
 */
enum sluice_id_place {
	SLUICE_ID_NOWHERE, /* in the section that received it */
	SLUICE_ID_GROUP,   /* backlog of its group */
	SLUICE_ID_WAITING, /* backlog of a ring */
	SLUICE_ID_SLOT,	   /* slot of a ring */
};

/*
 * One outstanding id. It belongs to its request, which unhashes it under the bucket's lock when it
 * ends; all else is protected by that lock. A place is read with the lock of its bucket and used
 * within the same section: no ring or group goes away before that has ended, see
 * sluice_ring_detach() and sluice_group_destroy().
 */
struct sluice_id {
	struct hlist_node node; /* not hashed: another request has the id now */
	struct sluice_req *req;
	u32 hash;
	bool cancelled; /* while some section had the request: it ends when that moves it */
	u8 place;	/* enum sluice_id_place */
	u32 slot;
	void *where; /* group or ring */
	struct sluice_id_key key;
};

struct sluice_id_bucket {
	spinlock_t lock; /* the list, and what its members say */
	struct hlist_head head;
};

/* Made when a rule of the listener first asks for it; goes with the listener. */
struct sluice_ids {
	u32 seed;
	atomic_t n;
	atomic64_t untracked; /* requests that cannot be found: SLUICE_A_LISTENER_UNTRACKED */
	struct sluice_id_bucket bucket[SLUICE_IDS_BUCKETS];
};

int sluice_ids_cache_init(void);
void sluice_ids_cache_fini(void);
int sluice_ids_create(struct sluice_listener *l);
void sluice_ids_destroy(struct sluice_listener *l);
bool sluice_ids_enter(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
		      struct sluice_req *req);
bool sluice_ids_cancel(const struct sluice_verdict_to *to, const struct sluice_msg *msg,
		       const struct sluice_req *by);
bool __sluice_ids_place(struct sluice_req *req, enum sluice_id_place place, void *where, u32 slot);
bool sluice_ids_leave(struct sluice_req *req);
void sluice_ids_retreat(struct sluice_req *req);

/* Has somebody cancelled it while a section had it? */
static inline bool sluice_ids_cancelled(const struct sluice_req *req)
{
	return unlikely(req->tag) && READ_ONCE(req->tag->cancelled);
}

#endif /* SLUICE_IDS_H */
