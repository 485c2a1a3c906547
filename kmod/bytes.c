// SPDX-License-Identifier: GPL-2.0-only
/* The memory that the messages of connections are copied into. */
#include "tcp.h"

#define HEADER	    ((u32)sizeof(struct sluice_bytes))
#define SMALL_ROOM  (SLUICE_BLOCK_SMALL - HEADER)
#define MEDIUM_ROOM (SLUICE_BLOCK_MEDIUM - HEADER)

static struct sluice_pool *pool_of(u32 size)
{
	if (size <= SMALL_ROOM)
		return &sluice_small_blocks;
	return size <= MEDIUM_ROOM ? &sluice_medium_blocks : &sluice_large_blocks;
}

/* Bytes of a block for @size of them, or of memory of its own. */
u32 sluice_bytes_room(u32 size)
{
	if (size <= SMALL_ROOM)
		return SMALL_ROOM;
	if (size <= MEDIUM_ROOM)
		return MEDIUM_ROOM;
	return size <= SLUICE_BYTES_SHARED ? SLUICE_BYTES_SHARED : size;
}

static struct sluice_bytes *bytes_init(struct sluice_bytes *b, u32 size)
{
	if (unlikely(!b))
		return NULL;
	refcount_set(&b->ref, 1);
	b->room = sluice_bytes_room(size);
	return b;
}

/* Bottom halves are disabled. Return: at least @size bytes; NULL: sluice_bytes_wait() may have. */
struct sluice_bytes *sluice_bytes_get(u32 size)
{
	return size > SLUICE_BYTES_SHARED ? NULL : bytes_init(sluice_pool_get(pool_of(size)), size);
}

/* The same of any size; bottom halves are enabled if @gfp says so. */
struct sluice_bytes *sluice_bytes_wait(u32 size, gfp_t gfp)
{
	gfp_t flags = gfp == GFP_KERNEL ? gfp : gfp | __GFP_NOWARN;
	u32 total = HEADER + size;

	if (size <= SLUICE_BYTES_SHARED)
		return bytes_init(kmem_cache_alloc(pool_of(size)->cache, flags), size);
	return bytes_init(gfp == GFP_KERNEL ? kvmalloc(total, flags) : kmalloc(total, flags), size);
}

/* Let go of @refs references. Context: bottom halves disabled. */
void sluice_bytes_drop(struct sluice_bytes *b, u32 refs)
{
	if (!refcount_sub_and_test(refs, &b->ref))
		return;
	if (likely(b->room <= SLUICE_BYTES_SHARED))
		sluice_pool_put(pool_of(b->room), b);
	else
		kvfree(b);
}

/* A request has ended, or a message was not taken. Context: bottom halves disabled. */
void sluice_bytes_put(struct sluice_bytes *b)
{
	sluice_bytes_drop(b, 1);
}

/**
 * sluice_conn_unshare() - a request is going to wait: let it hold no more memory than it needs
 * @req: of a connection; nobody else sees it
 *
 * It is charged for a block of its own, or its share of a larger one if that is more. Without
 * memory it goes on holding what it shares. Context: bottom halves disabled.
 */
void sluice_conn_unshare(struct sluice_req *req)
{
	struct sluice_bytes *own, *shared = req->bytes;

	if (shared->room <= sluice_bytes_room(req->len))
		return;
	own = sluice_bytes_get(req->len);
	if (unlikely(!own))
		return;
	sluice_copy(own->data, shared->data + req->at, req->len);
	req->bytes = own;
	req->at = 0;
	sluice_bytes_drop(shared, 1);
}
