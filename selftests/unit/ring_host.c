// SPDX-License-Identifier: GPL-2.0-only
/* Owns the kernel's half of one ring in a test's own memory; one thread plays both sides. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../kmod/core/ring.h"
#include "ktap.h"
#include "lib/io.h"
#include "ring_host.h"

#define PAGE		4096u
#define SLOT_HEADER	((u32)sizeof(struct sluice_slot))
#define REGIONS		5

struct ring_host {
	struct sluice_slots slots;
	struct sluice_ring_map map;
	u8 *memory[REGIONS];	/* kernel, user, requests, responses, slots */
	u32 tail[SLUICE_RING_PRIOS];	/* of the request queues */
	u32 head;		/* of the response queue */
	u32 *number;		/* [slots] of the request in a slot */
	u32 requests;
	u64 conn;
	u32 cheap_kicks;
	u32 dear_kicks;
	u32 naps;
	int nap_ends;
};

uint32_t ring_host_responses;

static u32 round_up_pow2(u32 n)
{
	u32 p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static void region(struct ring_host *h, u32 i, struct sluice_ring_region *r, u64 *at, u64 len)
{
	r->offset = *at;
	r->len = (len + PAGE - 1) / PAGE * PAGE;
	*at += r->len;
	h->memory[i] = aligned_alloc(PAGE, r->len);
	memset(h->memory[i], 0, r->len);
}

static int setup(struct ring_host *h, struct sluice_ring_setup *s)
{
	struct sluice_slots_conf conf = { .reply_size = s->reply_size, .reply_count = s->reply_slots };
	struct sluice_ring_map *m = &h->map;
	u64 at = 0, off = 0;
	u32 c, total = 0;

	for (c = 0; c < SLUICE_RING_CLASSES && s->classes[c].slots; c++) {
		conf.size[c] = s->classes[c].slot_size;
		conf.count[c] = s->classes[c].slots;
		conf.nclasses = c + 1;
	}
	if (sluice_slots_init(&h->slots, &conf))
		return -EINVAL;
	for (c = 0; c <= SLUICE_RING_CLASSES; c++) {
		u32 size = c == SLUICE_RING_CLASSES ? s->reply_size : s->classes[c].slot_size;

		m->slot_offset[c] = off;
		m->slot_first[c] = total;
		m->slot_count[c] = c == SLUICE_RING_CLASSES ? s->reply_slots : s->classes[c].slots;
		m->slot_stride[c] = m->slot_count[c] ? size + SLOT_HEADER : 0;
		off += (u64)m->slot_stride[c] * m->slot_count[c];
		total += m->slot_count[c];
	}
	h->number = calloc(total, sizeof(*h->number));
	m->req_entries = round_up_pow2(h->slots.total);
	m->resp_entries = ring_host_responses ? ring_host_responses : round_up_pow2(2 * total);
	region(h, 0, &m->kernel, &at, PAGE);
	region(h, 1, &m->user, &at, PAGE);
	region(h, 2, &m->requests, &at, (u64)m->req_entries * SLUICE_RING_PRIOS * sizeof(u32));
	region(h, 3, &m->responses, &at, (u64)m->resp_entries * sizeof(struct sluice_response));
	region(h, 4, &m->slots, &at, off);
	for (c = 0; c < SLUICE_RING_PRIOS; c++) {
		m->req_tail[c] = c * sizeof(u32);
		m->req_head[c] = c * sizeof(u32);
	}
	m->resp_head = 64;
	m->state = 68;
	m->resp_tail = 64;
	m->need_wakeup = 68;
	m->heartbeat = 72;
	s->map = *m;
	s->ring = 1;
	return 0;
}

/* ---- what the library calls ---- */

static int host_open(void *ctx, const char *path)
{
	return 1000;
}

static int host_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	struct ring_host *h = ctx;

	switch (request) {
	case SLUICE_IOC_SETUP:
		return setup(ctx, arg);
	case SLUICE_IOC_KICK:
		h->dear_kicks++;
		return 1;
	case SLUICE_IOC_WAIT:
		h->naps++;
		return h->nap_ends;
	default:
		return 0;
	}
}

/* It does nothing, as where a filter of system calls is in its way. */
static int host_kick(void *ctx, int fd)
{
	struct ring_host *h = ctx;

	h->cheap_kicks++;
	return 0;
}

static int host_map(void *ctx, int fd, uint64_t offset, size_t len, int writable, void **addr)
{
	struct ring_host *h = ctx;
	const struct sluice_ring_region *r[REGIONS] = {
		&h->map.kernel, &h->map.user, &h->map.requests, &h->map.responses, &h->map.slots,
	};
	u32 i;

	for (i = 0; i < REGIONS; i++) {
		if (r[i]->offset != offset || r[i]->len != len)
			continue;
		*addr = h->memory[i];
		return 0;
	}
	return -EINVAL;
}

static void host_unmap(void *ctx, void *addr, size_t len)
{
}

static void host_close(void *ctx, int fd)
{
}

static uint64_t host_now(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static const struct sluice_io io = {
	.open = host_open, .ioctl = host_ioctl, .kick = host_kick, .map = host_map, .unmap = host_unmap,
	.close = host_close, .now = host_now,
};

/* ---- what tests call ---- */

struct ring_host *ring_host_create(struct sluice_ring **ring, const struct sluice_ring_config *config)
{
	struct ring_host *h = calloc(1, sizeof(*h));

	EXPECT(h);
	EXPECT_EQ(sluice_ring_open_io(ring, config, &io, h), 0);
	return h;
}

void ring_host_destroy(struct ring_host *h)
{
	u32 i;

	for (i = 0; i < REGIONS; i++)
		free(h->memory[i]);
	sluice_slots_fini(&h->slots);
	free(h->number);
	free(h);
}

static struct sluice_slot *slot_at(struct ring_host *h, u32 slot)
{
	const struct sluice_ring_map *m = &h->map;
	u32 c = 0;

	while (slot - m->slot_first[c] >= m->slot_count[c])
		c++;
	return (struct sluice_slot *)(h->memory[4] + m->slot_offset[c] +
				      (u64)(slot - m->slot_first[c]) * m->slot_stride[c]);
}

int ring_host_publish_with(struct ring_host *h, const void *data, uint32_t len, const struct host_options *o)
{
	u32 slot = sluice_slots_reserve(&h->slots, len);
	struct sluice_slot *hdr;

	if (slot == SLUICE_SLOTS_NONE)
		return -1;
	hdr = slot_at(h, slot);
	memset(hdr, 0, sizeof(*hdr));
	hdr->len = len;
	hdr->orig_len = len;
	hdr->gen = h->slots.gen[slot];
	hdr->arrival_ns = host_now(h);
	hdr->conn = h->conn;
	hdr->deadline_ns = o->deadline_ns;
	hdr->gap = o->gap;
	hdr->gap_reason = o->gap_reason;
	hdr->prio = o->prio;
	memcpy(hdr + 1, data, len);
	h->number[slot] = h->requests;
	sluice_slots_publish(&h->slots, slot);
	sluice_rq_push((u32 *)h->memory[2] + o->prio * h->map.req_entries, h->map.req_entries - 1,
		       (u32 *)(h->memory[0] + h->map.req_tail[o->prio]), &h->tail[o->prio], slot);
	return h->requests++;
}

int ring_host_publish(struct ring_host *h, const void *data, uint32_t len)
{
	static const struct host_options none;

	return ring_host_publish_with(h, data, len, &none);
}

bool ring_host_take(struct ring_host *h, struct host_reply *reply)
{
	const struct sluice_response *e;
	u32 n;

	EXPECT(sluice_resp_ready((u32 *)(h->memory[1] + h->map.resp_tail), h->head, h->map.resp_entries, &n));
	if (!n)
		return false;
	e = (struct sluice_response *)h->memory[3] + (h->head & (h->map.resp_entries - 1));
	EXPECT_EQ(sluice_slots_check(&h->slots, e->slot, e->gen, e->data, e->len), SLUICE_VERDICT_OK);
	reply->request = h->number[e->slot];
	reply->flags = e->flags;
	reply->len = e->len;
	reply->data = e->flags & (SLUICE_RESP_NO_REPLY | SLUICE_RESP_REJECT | SLUICE_RESP_EXPIRED) ? NULL :
		      (const u8 *)(slot_at(h, e->data) + 1);
	if (!(e->flags & SLUICE_RESP_MORE))
		sluice_slots_free(&h->slots, e->slot);
	sluice_resp_release((u32 *)(h->memory[0] + h->map.resp_head), ++h->head);
	return true;
}

uint32_t ring_host_unanswered(const struct ring_host *h)
{
	return h->slots.used;
}

uint8_t *ring_host_memory(struct ring_host *h, uint32_t region, size_t *len)
{
	const struct sluice_ring_region *r = &h->map.kernel;

	*len = r[region].len;
	return h->memory[region];
}

uint32_t ring_host_kicks(const struct ring_host *h, bool cheap)
{
	return cheap ? h->cheap_kicks : h->dear_kicks;
}

u32 ring_host_naps(const struct ring_host *h)
{
	return h->naps;
}

void ring_host_nap_ends(struct ring_host *h, int result)
{
	h->nap_ends = result;
}

void ring_host_detach(struct ring_host *h)
{
	*(volatile u32 *)(h->memory[0] + h->map.state) |= SLUICE_STATE_GONE;
}

void ring_host_connection(struct ring_host *h, uint64_t conn)
{
	h->conn = conn;
}
