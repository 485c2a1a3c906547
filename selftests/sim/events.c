// SPDX-License-Identifier: GPL-2.0-only
/* Owns what will happen when: a heap of events, a circle of timeouts, and the attempts' memory. */
#include "world.h"

#define CHUNK 65536U

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at < b->at || (a->at == b->at && a->kind > b->kind);
}

static void *grow(struct world *w, void *p, u64 bytes)
{
	void *q = realloc(p, bytes);

	if (!q) {
		w->failed = true;
		free(p);
	}
	return q;
}

void event_add(struct world *w, u64 at, enum event_kind kind, u32 arg)
{
	struct event e = {at, kind, arg};
	u32 i, up;

	if (w->nheap == w->heap_room) {
		w->heap_room = w->heap_room ? 2 * w->heap_room : 1024;
		w->heap = grow(w, w->heap, w->heap_room * sizeof(*w->heap));
		if (!w->heap) {
			w->nheap = 0;
			w->heap_room = 0;
			return;
		}
	}
	for (i = w->nheap++; i; i = up) {
		up = (i - 1) / 2;
		if (!earlier(&e, &w->heap[up]))
			break;
		w->heap[i] = w->heap[up];
	}
	w->heap[i] = e;
}

/* The next event and its time; false if nothing will ever happen again. */
bool event_next(struct world *w, struct event *e)
{
	struct event last;
	u32 i, down;

	if (!w->nheap)
		return false;
	*e = w->heap[0];
	last = w->heap[--w->nheap];
	for (i = 0; 2 * i + 1 < w->nheap; i = down) {
		down = 2 * i + 1;
		if (down + 1 < w->nheap && earlier(&w->heap[down + 1], &w->heap[down]))
			down++;
		if (!earlier(&w->heap[down], &last))
			break;
		w->heap[i] = w->heap[down];
	}
	w->heap[i] = last;
	return true;
}

static struct attempt *attempt_at(const struct world *w, u32 index)
{
	return &w->chunk[index / CHUNK][index % CHUNK];
}

/* Have the client's patience with @a end. */
void timeout_add(struct world *w, const struct attempt *a)
{
	struct timeout *bigger;
	u32 i, room;

	if (w->ntimeouts == w->timeout_room) {
		room = w->timeout_room ? 2 * w->timeout_room : 4096;
		bigger = malloc(room * sizeof(*bigger));
		if (!bigger) {
			w->failed = true;
			return;
		}
		for (i = 0; i < w->ntimeouts; i++)
			bigger[i] = w->timeouts[(w->timeout_head + i) % w->timeout_room];
		free(w->timeouts);
		w->timeouts = bigger;
		w->timeout_head = 0;
		w->timeout_room = room;
	}
	w->timeouts[(w->timeout_head + w->ntimeouts++) % w->timeout_room] =
		(struct timeout){a->sent + w->c->timeout_ns, a->index, a->generation};
}

/* An attempt whose client lost its patience before @until, or NULL. */
struct attempt *timeout_next(struct world *w, u64 until)
{
	struct attempt *a;
	struct timeout t;

	while (w->ntimeouts && w->timeouts[w->timeout_head].at <= until) {
		t = w->timeouts[w->timeout_head];
		w->timeout_head = (w->timeout_head + 1) % w->timeout_room;
		w->ntimeouts--;
		a = attempt_at(w, t.index);
		if (a->generation == t.generation && a->client_waits)
			return a;
	}
	return NULL;
}

static bool chunk_add(struct world *w)
{
	struct attempt *a;
	u32 i;

	w->chunk = grow(w, w->chunk, (w->nchunks + 1) * sizeof(*w->chunk));
	a = w->chunk ? calloc(CHUNK, sizeof(*a)) : NULL;
	if (!a) {
		w->failed = true;
		return false;
	}
	for (i = 0; i < CHUNK; i++) {
		a[i].index = w->nchunks * CHUNK + i;
		a[i].next = w->unused;
		w->unused = &a[i];
	}
	w->chunk[w->nchunks++] = a;
	return true;
}

struct attempt *attempt_get(struct world *w)
{
	struct attempt *a;

	if (!w->unused && !chunk_add(w))
		return NULL;
	a = w->unused;
	w->unused = a->next;
	return a;
}

/* Free an attempt, once neither its client nor the server knows it. */
void attempt_put(struct world *w, struct attempt *a)
{
	if (a->client_waits || a->in_server)
		return;
	a->generation++;
	a->next = w->unused;
	w->unused = a;
}

void fifo_init(struct fifo *f)
{
	f->head = NULL;
	f->tail = &f->head;
	f->n = 0;
}

void fifo_push(struct fifo *f, struct attempt *a)
{
	a->next = NULL;
	*f->tail = a;
	f->tail = &a->next;
	f->n++;
}

struct attempt *fifo_pop(struct fifo *f)
{
	struct attempt *a = f->head;

	if (!a)
		return NULL;
	f->head = a->next;
	if (!f->head)
		f->tail = &f->head;
	f->n--;
	return a;
}
