// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/slots.c: who owns a slot, and what an answer to it is worth. */
#include <string.h>

#include "ktap.h"
#include "rulegen.h"
#include "../../kmod/core/slots.h"

static const struct sluice_slots_conf conf = {
	.size = { 64, 256, 1024 }, .count = { 4, 2, 1 }, .nclasses = 3, .reply_size = 512, .reply_count = 3,
};

static struct sluice_slots s;

static void start(void)
{
	EXPECT_EQ(sluice_slots_init(&s, &conf), 0);
}

TEST(slots_init__lays_classes_out_in_order)
{
	start();
	EXPECT_EQ(s.total, 7);
	EXPECT_EQ(s.window, 7);
	EXPECT_EQ(s.used, 0);
	EXPECT_EQ(s.class[1].first, 4);
	EXPECT_EQ(s.class[2].first, 6);
	EXPECT_EQ(s.reply_first, 7);
	EXPECT_EQ(sluice_slots_max(&s), 1024);
	sluice_slots_fini(&s);
}

TEST(slots_init__refuses_what_makes_no_sense)
{
	struct sluice_slots_conf bad = conf;

	bad.nclasses = 0;
	EXPECT_EQ(sluice_slots_init(&s, &bad), -EINVAL);
	bad.nclasses = SLUICE_SLOTS_CLASSES + 1;
	EXPECT_EQ(sluice_slots_init(&s, &bad), -EINVAL);
	bad = conf;
	bad.count[1] = 0;
	EXPECT_EQ(sluice_slots_init(&s, &bad), -EINVAL);
	bad = conf;
	bad.size[1] = bad.size[0];
	EXPECT_EQ(sluice_slots_init(&s, &bad), -EINVAL);
	bad = conf;
	bad.count[0] = U32_MAX / 2;
	EXPECT_EQ(sluice_slots_init(&s, &bad), -EINVAL);
	bad = conf;
	bad.reply_count = U32_MAX;
	EXPECT_EQ(sluice_slots_init(&s, &bad), -EINVAL);
}

TEST(slots_reserve__smallest_class_that_fits)
{
	start();
	EXPECT(sluice_slots_reserve(&s, 0) < 4);
	EXPECT(sluice_slots_reserve(&s, 64) < 4);
	EXPECT_EQ(sluice_slots_reserve(&s, 1024), 6);
	EXPECT(sluice_slots_reserve(&s, 65) - 4 < 2);
	EXPECT_EQ(sluice_slots_reserve(&s, 257), SLUICE_SLOTS_NONE);
	EXPECT_EQ(s.used, 4);
	sluice_slots_fini(&s);
}

TEST(slots_reserve__larger_class_when_the_fitting_one_is_empty)
{
	u32 seen = 0, i;

	start();
	for (i = 0; i < 7; i++)
		seen |= 1U << sluice_slots_reserve(&s, 1);
	EXPECT_EQ(seen, 0x7f);
	EXPECT_EQ(sluice_slots_reserve(&s, 1), SLUICE_SLOTS_NONE);
	sluice_slots_fini(&s);
}

TEST(slots_reserve__stops_at_the_window)
{
	u32 slot;

	start();
	s.window = 2;
	slot = sluice_slots_reserve(&s, 1);
	EXPECT_NE(sluice_slots_reserve(&s, 1), SLUICE_SLOTS_NONE);
	EXPECT_EQ(sluice_slots_reserve(&s, 1), SLUICE_SLOTS_NONE);
	sluice_slots_free(&s, slot);
	EXPECT_EQ(sluice_slots_reserve(&s, 1), slot);
	sluice_slots_fini(&s);
}

TEST(slots_free__moves_the_generation_on)
{
	u32 slot;
	u16 gen;

	start();
	slot = sluice_slots_reserve(&s, 1);
	gen = s.gen[slot];
	sluice_slots_publish(&s, slot);
	EXPECT_EQ(sluice_slots_check(&s, slot, gen, slot, 1), SLUICE_VERDICT_OK);
	sluice_slots_free(&s, slot);
	EXPECT_EQ(sluice_slots_reserve(&s, 1), slot);
	sluice_slots_publish(&s, slot);
	EXPECT_EQ(sluice_slots_check(&s, slot, gen, slot, 1), SLUICE_VERDICT_STALE);
	EXPECT_EQ(sluice_slots_check(&s, slot, gen + 1, slot, 1), SLUICE_VERDICT_OK);
	sluice_slots_fini(&s);
}

TEST(slots_check__only_a_published_slot_can_be_answered)
{
	u32 slot, other;

	start();
	slot = sluice_slots_reserve(&s, 1);
	other = sluice_slots_reserve(&s, 1);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, slot, 1), SLUICE_VERDICT_STALE);
	sluice_slots_publish(&s, slot);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, slot, 1), SLUICE_VERDICT_OK);
	sluice_slots_answer(&s, slot);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, slot, 1), SLUICE_VERDICT_STALE);
	sluice_slots_publish(&s, other);
	sluice_slots_cancel(&s, other);
	EXPECT_EQ(sluice_slots_check(&s, other, 0, other, 1), SLUICE_VERDICT_CANCELLED);
	EXPECT_EQ(sluice_slots_check(&s, 3, 0, 3, 1), SLUICE_VERDICT_STALE);
	EXPECT_EQ(sluice_slots_check(&s, 7, 0, 7, 1), SLUICE_VERDICT_STALE);
	EXPECT_EQ(sluice_slots_check(&s, U32_MAX, 0, 0, 1), SLUICE_VERDICT_STALE);
	sluice_slots_fini(&s);
}

TEST(slots_check__reply_lies_in_a_slot_of_the_consumer)
{
	u32 slot, other;

	start();
	slot = sluice_slots_reserve(&s, 1);
	other = sluice_slots_reserve(&s, 200);
	sluice_slots_publish(&s, slot);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, slot, 64), SLUICE_VERDICT_OK);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, slot, 65), SLUICE_VERDICT_BAD_DATA);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, other, 1), SLUICE_VERDICT_BAD_DATA);
	sluice_slots_publish(&s, other);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, other, 256), SLUICE_VERDICT_OK);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, other, 257), SLUICE_VERDICT_BAD_DATA);
	sluice_slots_cancel(&s, other);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, other, 256), SLUICE_VERDICT_OK);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, 6, 1), SLUICE_VERDICT_BAD_DATA);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, 7, 512), SLUICE_VERDICT_OK);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, 9, 513), SLUICE_VERDICT_BAD_DATA);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, 10, 1), SLUICE_VERDICT_BAD_DATA);
	EXPECT_EQ(sluice_slots_check(&s, slot, 0, U32_MAX, 0), SLUICE_VERDICT_BAD_DATA);
	sluice_slots_fini(&s);
}

/* Any order of reserving and freeing: no slot is handed out twice, none is lost. */
TEST(slots_reserve__never_hands_out_a_slot_twice)
{
	struct choices c = { .state = 11 };
	u32 held[7], nheld = 0, step, i, slot, nfree;

	start();
	for (step = 0; step < 200000; step++) {
		if (pick(&c, 2)) {
			slot = sluice_slots_reserve(&s, pick(&c, 1025));
			if (slot == SLUICE_SLOTS_NONE)
				continue;
			for (i = 0; i < nheld; i++)
				EXPECT_NE(held[i], slot);
			held[nheld++] = slot;
		} else if (nheld) {
			i = pick(&c, nheld);
			sluice_slots_free(&s, held[i]);
			held[i] = held[--nheld];
		}
		for (nfree = 0, i = 0; i < s.nclasses; i++)
			nfree += s.class[i].nfree;
		EXPECT_EQ(nfree + nheld, s.total);
		EXPECT_EQ(s.used, nheld);
	}
	sluice_slots_fini(&s);
}
