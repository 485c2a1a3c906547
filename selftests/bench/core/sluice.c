// SPDX-License-Identifier: GPL-2.0-only
/* Owns Sluice's way: the module's own core, from classifying to freeing the slot, with the header a slot has. */
#include <linux/sluice_ring.h>

#include "../../../kmod/core/classify.h"
#include "../../../kmod/core/hist.h"
#include "../../../kmod/core/ring.h"
#include "../../../kmod/core/slots.h"
#include "core.h"

#define STRIDE (sizeof(struct sluice_slot) + SIZE_MAX_REQ)
#define RINGS 4	/* that steering chooses from; all lead to the one consumer */

/* The pages as they are mapped: one for each writer. */
static struct {
	u32 req_tail __attribute__((aligned(4096)));
	u32 resp_head __attribute__((aligned(LINE)));
	u32 state __attribute__((aligned(LINE)));
	u32 resp_tail __attribute__((aligned(4096)));
	u32 need_wakeup __attribute__((aligned(LINE)));
	u32 queue[WINDOW] __attribute__((aligned(4096)));
	struct sluice_response resp[WINDOW] __attribute__((aligned(4096)));
} map;
static u8 *slot_memory;
static u32 bytes;

/* The kernel's own. */
static struct {
	struct sluice_slots slots;
	u32 req_tail, resp_head;
	struct sluice_ruleset *rules;
	u64 hist[SLUICE_HIST_BUCKETS];
	u64 received[RINGS];
} k __attribute__((aligned(LINE)));

/* The consumer's own. */
static struct {
	u32 head, tail, space;
} u __attribute__((aligned(LINE)));

static struct sluice_slot *slot_at(u32 slot)
{
	return (struct sluice_slot *)(slot_memory + (size_t)slot * STRIDE);
}

static void init(u32 size)
{
	static const struct sluice_match length = { .type = SLUICE_MATCH_LENGTH, .length = { 1, 1500 } };
	const struct sluice_rule_spec spec = { .nmatches = 1, .matches = &length };
	const struct sluice_slots_conf conf = { .size = { SIZE_MAX_REQ }, .count = { WINDOW }, .nclasses = 1 };
	struct sluice_compile_error err;

	sluice_slots_fini(&k.slots);
	sluice_ruleset_free(k.rules);
	memset(&map, 0, sizeof(map));
	memset(&k, 0, sizeof(k));
	memset(&u, 0, sizeof(u));
	u.space = WINDOW;
	if (!slot_memory)
		slot_memory = lines_alloc(STRIDE * WINDOW);
	bytes = size;
	if (sluice_slots_init(&k.slots, &conf) || sluice_ruleset_compile(&k.rules, &spec, 1, &err))
		abort();
}

/* Header, payload, index; as the module does it. */
static bool publish(const u8 *wire, u32 rule, u32 hash, u64 now)
{
	u32 slot = sluice_slots_reserve(&k.slots, bytes);
	struct sluice_slot *hdr;

	if (unlikely(slot == SLUICE_SLOTS_NONE))
		return false;
	hdr = slot_at(slot);
	*hdr = (struct sluice_slot){ .len = bytes, .orig_len = bytes, .rule = rule, .gen = k.slots.gen[slot],
				     .hash = hash, .listener = 1, .arrival_ns = now };
	memcpy(hdr + 1, wire, bytes);
	sluice_slots_publish(&k.slots, slot);
	WRITE_ONCE(map.queue[k.req_tail++ % WINDOW], slot);
	return true;
}

/* One release of the tail for the batch, as the module's ingress does over a batch of datagrams. */
static u32 send_full(const u8 *wire, u32 n)
{
	u64 now = __builtin_ia32_rdtsc();
	u32 i, hash;
	int rule;

	for (i = 0; i < n; i++, wire += bytes) {
		struct sluice_msg msg = { .data = wire, .avail = bytes, .len = bytes, .family = 4 };

		rule = sluice_ruleset_match(k.rules, &msg);
		hash = sluice_hash_bytes(wire, 8, 0);
		if (rule < 0)
			abort();
		if (!publish(wire, rule, hash, now))
			break;
		k.received[sluice_hash_reduce(hash, RINGS)]++;
	}
	sluice_release(R1, &map.req_tail, k.req_tail);
	if (sluice_rq_wake_ticket(&map.need_wakeup))
		abort();	/* this consumer never sleeps */
	return i;
}

/* Without classifying, steering and the wake-up's barrier: what the peers do. */
static u32 send_bare(const u8 *wire, u32 n)
{
	u32 i;

	for (i = 0; i < n && publish(wire, 0, 0, 0); i++)
		wire += bytes;
	sluice_release(R1, &map.req_tail, k.req_tail);
	return i;
}

static u32 collect(u8 *wire, u32 max)
{
	u32 n, i;

	if (!sluice_resp_ready(&map.resp_tail, k.resp_head, WINDOW, &n))
		abort();
	n = n < max ? n : max;
	for (i = 0; i < n; i++, wire += bytes) {
		const struct sluice_response *e = &map.resp[k.resp_head++ % WINDOW];
		u32 slot = READ_ONCE(e->slot), data = READ_ONCE(e->data), len = READ_ONCE(e->len);

		if (sluice_slots_check(&k.slots, slot, READ_ONCE(e->gen), data, len) != SLUICE_VERDICT_OK)
			abort();
		sluice_slots_answer(&k.slots, slot);
		memcpy(wire, slot_at(data) + 1, bytes);
		sluice_slots_free(&k.slots, slot);
	}
	if (n)
		sluice_resp_release(&map.resp_head, k.resp_head);
	return n;
}

static u32 serve(u32 max)
{
	u32 n = sluice_rq_ready(&map.req_tail, u.head), i;

	n = n < max ? n : max;
	if (u.space < n)
		u.space = sluice_resp_space(&map.resp_head, u.tail, WINDOW);
	n = n < u.space ? n : u.space;
	for (i = 0; i < n; i++) {
		u32 slot = READ_ONCE(map.queue[u.head++ % WINDOW]);
		struct sluice_slot *hdr = slot_at(slot);

		turn((u8 *)(hdr + 1));
		map.resp[u.tail++ % WINDOW] = (struct sluice_response){ slot, slot, hdr->len, 0, hdr->gen };
	}
	u.space -= n;
	if (n)
		sluice_resp_publish(&map.resp_tail, u.tail);
	return n;
}

/* Header there and back (the kernel writes it again), payload likewise, 16 indices and 4 answers to a line, two indices. */
static double lines(u32 size, u32 batch)
{
	double payload = (size + LINE - 1) / LINE;

	return 2 * (1 + payload) + 2 * 4.0 / LINE + 2 * 16.0 / LINE + 4.0 / batch;
}

const struct way way_sluice = { "sluice", init, send_full, collect, serve, lines };
const struct way way_sluice_bare = { "sluice-bare", init, send_bare, collect, serve, lines };
