// SPDX-License-Identifier: GPL-2.0-only
/* Owns the peers' ways: DPDK's rte_ring, Concurrency Kit's ring, and records laid out as in the BPF ring buffers. */
#include <ck_ring.h>
#include <rte_ring_elem.h>

#include "core.h"

static u32 bytes;

/* ---- rte_ring: the bytes are the elements, one ring there and one back ---- */

static struct rte_ring *there, *back;

/* As rte_ring_init() makes one for a single producer and consumer; that function needs all of DPDK's runtime. */
static struct rte_ring *rte_make(u32 size)
{
	struct rte_ring *r = lines_alloc(sizeof(*r) + (size_t)2 * WINDOW * size);

	r->size = 2 * WINDOW;
	r->mask = r->size - 1;
	r->capacity = r->mask;
	r->prod.sync_type = RTE_RING_SYNC_ST;
	r->cons.sync_type = RTE_RING_SYNC_ST;
	return r;
}

static void rte_init(u32 size)
{
	free(there);
	free(back);
	bytes = size;
	there = rte_make(size);
	back = rte_make(size);
}

static u32 rte_send(const u8 *wire, u32 n)
{
	return rte_ring_sp_enqueue_burst_elem(there, wire, bytes, n, NULL);
}

static u32 rte_collect(u8 *wire, u32 n)
{
	return rte_ring_sc_dequeue_burst_elem(back, wire, bytes, n, NULL);
}

static u32 rte_serve(u32 n)
{
	u8 batch[WINDOW * SIZE_MAX_REQ] __attribute__((aligned(LINE)));
	u32 i, got = rte_ring_sc_dequeue_burst_elem(there, batch, bytes, n, NULL);

	for (i = 0; i < got; i++)
		turn(batch + i * bytes);
	if (rte_ring_sp_enqueue_burst_elem(back, batch, bytes, got, NULL) != got)
		abort();	/* it holds more than can be in flight */
	return got;
}

/* Bytes once there and once back, each line also asked back by its writer; two indices each way. */
static double rte_lines(u32 size, u32 batch)
{
	return 2 * 2.0 * size / LINE + 4.0 / batch;
}

const struct way way_rte = { "rte_ring", rte_init, rte_send, rte_collect, rte_serve, rte_lines };

/* ---- Concurrency Kit: pointers to buffers, one ring there and one back; it has no batches ---- */

static ck_ring_t ck_there __attribute__((aligned(LINE))), ck_back __attribute__((aligned(LINE)));
static ck_ring_buffer_t *there_entries, *back_entries;
static u8 *buffers;
static void *free_buffer[WINDOW];
static u32 nfree;

static void ck_init(u32 size)
{
	u32 i;

	bytes = size;
	free(there_entries);
	free(back_entries);
	there_entries = lines_alloc(2 * WINDOW * sizeof(*there_entries));
	back_entries = lines_alloc(2 * WINDOW * sizeof(*back_entries));
	ck_ring_init(&ck_there, 2 * WINDOW);
	ck_ring_init(&ck_back, 2 * WINDOW);
	if (!buffers)
		buffers = lines_alloc(WINDOW * SIZE_MAX_REQ);
	for (i = 0; i < WINDOW; i++)
		free_buffer[i] = buffers + (WINDOW - 1 - i) * SIZE_MAX_REQ;
	nfree = WINDOW;
}

static u32 ck_send(const u8 *wire, u32 n)
{
	u32 i;

	for (i = 0; i < n && nfree; i++, wire += bytes) {
		void *b = free_buffer[--nfree];

		memcpy(b, wire, bytes);
		if (!ck_ring_enqueue_spsc(&ck_there, there_entries, b))
			abort();
	}
	return i;
}

static u32 ck_collect(u8 *wire, u32 n)
{
	u32 i;
	void *b;

	for (i = 0; i < n && ck_ring_dequeue_spsc(&ck_back, back_entries, &b); i++, wire += bytes) {
		memcpy(wire, b, bytes);
		free_buffer[nfree++] = b;
	}
	return i;
}

static u32 ck_serve(u32 n)
{
	u32 i;
	void *b;

	for (i = 0; i < n && ck_ring_dequeue_spsc(&ck_there, there_entries, &b); i++) {
		turn(b);
		if (!ck_ring_enqueue_spsc(&ck_back, back_entries, b))
			abort();
	}
	return i;
}

/* A buffer there and back, two pointers of eight to a line, each also asked back; an index for each request, each way. */
static double ck_lines(u32 size, u32 batch)
{
	(void)batch;
	return 2 * ((size + LINE - 1) / LINE) + 2 * 2 * 8.0 / LINE + 4;
}

const struct way way_ck = { "ck_ring", ck_init, ck_send, ck_collect, ck_serve, ck_lines };

/* ---- records as in the BPF ring buffers: header, bytes, a busy bit, one position for each record ---- */

#define BUSY (1U << 31)
#define BPF_BYTES (WINDOW * 128)

struct bpf_ring {
	u64 producer __attribute__((aligned(4096)));
	u64 consumer __attribute__((aligned(4096)));
	u8 data[BPF_BYTES] __attribute__((aligned(4096)));
};

static struct bpf_ring bpf_there, bpf_back;

static u32 record_size(void)
{
	return 8 + ((bytes + 7) & ~7u);
}

static u32 *record_at(struct bpf_ring *r, u64 position)
{
	return (u32 *)(r->data + position % BPF_BYTES);
}

static void bpf_init(u32 size)
{
	bytes = size;
	memset(&bpf_there, 0, sizeof(bpf_there));
	memset(&bpf_back, 0, sizeof(bpf_back));
}

/* The memory of a ring buffer is mapped twice in a row, so that no record is torn; here the copy is cut. */
static void put(struct bpf_ring *r, u64 position, const u8 *from)
{
	u32 at = position % BPF_BYTES, first = BPF_BYTES - at < bytes ? BPF_BYTES - at : bytes;

	memcpy(r->data + at, from, first);
	memcpy(r->data, from + first, bytes - first);
}

static void get(const struct bpf_ring *r, u64 position, u8 *to)
{
	u32 at = position % BPF_BYTES, first = BPF_BYTES - at < bytes ? BPF_BYTES - at : bytes;

	memcpy(to, r->data + at, first);
	memcpy(to + first, r->data, bytes - first);
}

/* Reserve, fill, submit: user_ring_buffer__reserve() and __submit(), bpf_ringbuf_reserve() and _submit(). */
static bool bpf_put(struct bpf_ring *r, const u8 *from)
{
	u64 consumer = smp_load_acquire(&r->consumer), producer = r->producer;
	u32 *hdr = record_at(r, producer);

	if (producer + record_size() - consumer > BPF_BYTES)
		return false;
	hdr[0] = bytes | BUSY;
	hdr[1] = 0;
	smp_store_release(&r->producer, producer + record_size());
	put(r, producer + 8, from);
	__atomic_exchange_n(&hdr[0], bytes, __ATOMIC_ACQ_REL);
	return true;
}

static bool bpf_get(struct bpf_ring *r, u8 *to)
{
	u64 consumer = r->consumer;
	u32 *hdr = record_at(r, consumer);

	if (consumer == smp_load_acquire(&r->producer) || smp_load_acquire(&hdr[0]) & BUSY)
		return false;
	get(r, consumer + 8, to);
	smp_store_release(&r->consumer, consumer + record_size());
	return true;
}

static u32 bpf_send(const u8 *wire, u32 n)
{
	u32 i;

	for (i = 0; i < n && bpf_put(&bpf_there, wire); i++)
		wire += bytes;
	return i;
}

static u32 bpf_collect(u8 *wire, u32 n)
{
	u32 i;

	for (i = 0; i < n && bpf_get(&bpf_back, wire); i++)
		wire += bytes;
	return i;
}

static u32 bpf_serve(u32 n)
{
	u8 request[SIZE_MAX_REQ] __attribute__((aligned(LINE)));
	u32 i;

	for (i = 0; i < n && bpf_get(&bpf_there, request); i++) {
		turn(request);
		if (!bpf_put(&bpf_back, request))
			abort();
	}
	return i;
}

static double bpf_lines(u32 size, u32 batch)
{
	(void)batch;
	return 2 * 2 * (8.0 + size) / LINE + 4;
}

const struct way way_bpf = { "bpf-ringbuf", bpf_init, bpf_send, bpf_collect, bpf_serve, bpf_lines };
