// SPDX-License-Identifier: GPL-2.0-only
/* The store's arena: hands out and takes back chains of chunks, copies to and from them. */
#include <errno.h>
#include <sys/mman.h>

#include "kv_chunk.h"

_Static_assert(sizeof(struct kv_item) == KV_CHUNK && sizeof(struct kv_body) == KV_CHUNK, "chunk layouts");

static void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int kv_arena_init(struct kv_arena *a, uint32_t count)
{
	memset(a, 0, sizeof(*a));
	a->chunk = map((size_t)count * KV_CHUNK);
	a->state = map(count);
	a->count = count;
	a->fresh = 1;
	a->nfree = count - 1;
	if (a->chunk && a->state)
		return 0;
	kv_arena_fini(a);
	return -ENOMEM;
}

void kv_arena_fini(struct kv_arena *a)
{
	if (a->chunk)
		munmap(a->chunk, (size_t)a->count * KV_CHUNK);
	if (a->state)
		munmap(a->state, a->count);
	a->chunk = NULL;
	a->state = NULL;
}

static uint32_t take_one(struct kv_arena *a)
{
	uint32_t i = a->free;

	a->nfree--;
	if (i == KV_NIL)
		return a->fresh++;
	a->free = a->chunk[i].next;
	return i;
}

struct kv_item *kv_arena_take(struct kv_arena *a, uint32_t n)
{
	uint32_t head = take_one(a), last = head;
	struct kv_item *it = kv_item_at(a, head);

	while (--n) {
		a->chunk[last].next = take_one(a);
		last = a->chunk[last].next;
	}
	a->chunk[last].next = KV_NIL;
	it->tail = last;
	a->state[head] = KV_CHUNK_HEAD;
	return it;
}

/* One splice however long the chain is. */
void kv_arena_give(struct kv_arena *a, struct kv_item *it)
{
	uint32_t head = kv_item_index(a, it);

	a->nfree += kv_item_chunks(it);
	a->state[head] = KV_CHUNK_FREE;
	a->chunk[it->tail].next = a->free;
	a->free = head;
}

/* Where byte @off of an item's data is, and how many follow in the same chunk. */
static char *locate(const struct kv_arena *a, const struct kv_item *it, uint32_t off, uint32_t *chunk, uint32_t *run)
{
	uint32_t i = kv_item_index(a, it);

	*chunk = i;
	if (off < KV_HEAD_DATA) {
		*run = KV_HEAD_DATA - off;
		return (char *)it->data + off;
	}
	off -= KV_HEAD_DATA;
	for (i = it->next; off >= KV_BODY_DATA; off -= KV_BODY_DATA)
		i = a->chunk[i].next;
	*chunk = i;
	*run = KV_BODY_DATA - off;
	return a->chunk[i].data + off;
}

static char *advance(const struct kv_arena *a, uint32_t *chunk, uint32_t *run)
{
	*chunk = a->chunk[*chunk].next;
	*run = KV_BODY_DATA;
	return a->chunk[*chunk].data;
}

void kv_chain_read(const struct kv_arena *a, const struct kv_item *it, uint32_t off, void *to, uint32_t n)
{
	uint32_t chunk, run;
	const char *p;
	char *out = to;

	if (!n)
		return;
	p = locate(a, it, off, &chunk, &run);
	while (n > run) {
		memcpy(out, p, run);
		out += run;
		n -= run;
		p = advance(a, &chunk, &run);
	}
	memcpy(out, p, n);
}

void kv_chain_write(struct kv_arena *a, struct kv_item *it, uint32_t off, const void *from, uint32_t n)
{
	const char *in = from;
	uint32_t chunk, run;
	char *p;

	if (!n)
		return;
	p = locate(a, it, off, &chunk, &run);
	while (n > run) {
		memcpy(p, in, run);
		in += run;
		n -= run;
		p = advance(a, &chunk, &run);
	}
	memcpy(p, in, n);
}

void kv_chain_copy(struct kv_arena *a, struct kv_item *to, uint32_t to_off, const struct kv_arena *from_arena,
		   const struct kv_item *from, uint32_t from_off, uint32_t n)
{
	uint32_t chunk, run, to_chunk, to_run, m;
	const char *p;
	char *t;

	if (!n)
		return;
	p = locate(from_arena, from, from_off, &chunk, &run);
	t = locate(a, to, to_off, &to_chunk, &to_run);
	for (;;) {
		m = n < run ? n : run;
		m = m < to_run ? m : to_run;
		memcpy(t, p, m);
		n -= m;
		if (!n)
			return;
		run -= m;
		to_run -= m;
		p = run ? p + m : advance(from_arena, &chunk, &run);
		t = to_run ? t + m : advance(a, &to_chunk, &to_run);
	}
}

bool kv_chain_equal(const struct kv_arena *a, const struct kv_item *it, const void *key, uint32_t n)
{
	const char *in = key, *p;
	uint32_t chunk, run;

	if (!n)
		return true;
	p = locate(a, it, 0, &chunk, &run);
	while (n > run) {
		if (memcmp(p, in, run))
			return false;
		in += run;
		n -= run;
		p = advance(a, &chunk, &run);
	}
	return !memcmp(p, in, n);
}
