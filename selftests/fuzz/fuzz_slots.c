// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of core/slots.c: against any sequence of responses no slot gets two owners, and none is lost. */
#include "../../kmod/core/slots.h"
#include "fuzz.h"

#define ALL 64

static struct sluice_slots s;
static u8 state[ALL];	/* what each slot must be in */
static u16 gen[ALL];

static void check_all(void)
{
	u8 listed[ALL] = { 0 };
	u32 used = 0, c, i;

	for (c = 0; c < s.nclasses; c++) {
		const struct sluice_slots_class *k = &s.class[c];

		MUST(k->nfree <= k->count);
		for (i = 0; i < k->nfree; i++) {
			MUST(k->free[i] - k->first < k->count);
			MUST(!listed[k->free[i]]++);
		}
	}
	for (i = 0; i < s.total; i++) {
		MUST(s.state[i] == state[i] && s.gen[i] == gen[i]);
		MUST(listed[i] == (state[i] == SLUICE_SLOT_FREE));
		used += state[i] != SLUICE_SLOT_FREE;
	}
	MUST(s.used == used);
}

static void reserve(struct choices *c)
{
	u32 len = pick(c, 300), slot = sluice_slots_reserve(&s, len), i, k;

	if (slot != SLUICE_SLOTS_NONE) {
		MUST(slot < s.total && state[slot] == SLUICE_SLOT_FREE);
		MUST(s.class[s.class_of[slot]].size >= len);
		state[slot] = SLUICE_SLOT_RESERVED;
		return;
	}
	if (s.used >= s.window)
		return;
	for (i = 0; i < s.total; i++) {
		k = s.class_of[i];
		MUST(state[i] != SLUICE_SLOT_FREE || s.class[k].size < len);
	}
}

/* One response entry, of any values, taken as tx.c takes it. */
static void respond(struct choices *c)
{
	u32 slot = pick(c, 8) ? pick(c, ALL + 8) : ~pick(c, 2);
	u32 data = pick(c, 4) ? slot : pick(c, 8) ? pick(c, ALL + 8) : ~pick(c, 2);
	u32 len = pick(c, 4) ? pick(c, 300) : ~pick(c, 2);
	u16 g = slot < s.total && pick(c, 8) ? gen[slot] : pick(c, 65536);
	bool theirs = slot < s.total && gen[slot] == g;

	switch (sluice_slots_check(&s, slot, g, data, len)) {
	case SLUICE_VERDICT_OK:
		MUST(theirs && state[slot] == SLUICE_SLOT_PUBLISHED);
		if (data < s.total) {
			MUST(state[data] == SLUICE_SLOT_PUBLISHED || state[data] == SLUICE_SLOT_CANCELLED);
			MUST(len <= s.class[s.class_of[data]].size);
		} else {
			MUST(data - s.total < s.reply_count && len <= s.reply_size);
		}
		break;
	case SLUICE_VERDICT_BAD_DATA:
		MUST(theirs && state[slot] == SLUICE_SLOT_PUBLISHED);
		break;
	case SLUICE_VERDICT_CANCELLED:
		MUST(theirs && state[slot] == SLUICE_SLOT_CANCELLED);
		break;
	case SLUICE_VERDICT_STALE:
		MUST(!theirs || (state[slot] != SLUICE_SLOT_PUBLISHED && state[slot] != SLUICE_SLOT_CANCELLED));
		return;
	}
	sluice_slots_answer(&s, slot);
	sluice_slots_free(&s, slot);
	state[slot] = SLUICE_SLOT_FREE;
	gen[slot]++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices c = { .data = data, .left = size };
	struct sluice_slots_conf conf = { .nclasses = pick(&c, 6) };
	u32 i, slot;

	for (i = 0; i < SLUICE_SLOTS_CLASSES; i++) {
		conf.size[i] = (i ? conf.size[i - 1] : 0) + 64 * pick(&c, 3);
		conf.count[i] = pick(&c, 9);
	}
	conf.reply_count = pick(&c, 5);
	conf.reply_size = 64 * pick(&c, 3);
	if (sluice_slots_init(&s, &conf))
		return 0;
	MUST(s.total <= ALL);
	memset(state, SLUICE_SLOT_FREE, sizeof(state));
	memset(gen, 0, sizeof(gen));
	s.window = 1 + pick(&c, s.total);
	while (c.left) {
		slot = pick(&c, s.total);
		switch (pick(&c, 5)) {
		case 0:
		case 1:
			reserve(&c);
			break;
		case 2:
			if (state[slot] != SLUICE_SLOT_RESERVED)
				break;
			sluice_slots_publish(&s, slot);
			state[slot] = SLUICE_SLOT_PUBLISHED;
			break;
		case 3:
			if (state[slot] != SLUICE_SLOT_PUBLISHED)
				break;
			sluice_slots_cancel(&s, slot);
			state[slot] = SLUICE_SLOT_CANCELLED;
			break;
		default:
			respond(&c);
		}
		check_all();
	}
	sluice_slots_fini(&s);
	return 0;
}
