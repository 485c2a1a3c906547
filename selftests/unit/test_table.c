// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/table.c: overlapping length ranges behind one key. */
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "rulegen.h"
#include "../../kmod/core/ruleset.h"

static struct sluice_ruleset *compile_ranges(const struct sluice_match *m, const u32 *order, u32 n)
{
	struct sluice_rule_spec *specs = calloc(n, sizeof(*specs));
	struct sluice_ruleset *rs;
	u32 i;
	int ret;

	for (i = 0; i < n; i++)
		specs[i] = (struct sluice_rule_spec){ .order = order[i], .nmatches = 1, .matches = &m[i] };
	ret = sluice_ruleset_compile(&rs, specs, n, NULL);
	free(specs);
	EXPECT_EQ(ret, 0);
	return rs;
}

static int take_length(const struct sluice_ruleset *rs, u32 len)
{
	struct sluice_msg msg = { .data = (const u8 *)"", .len = len };

	return sluice_ruleset_match(rs, &msg);
}

#define RANGE(a, b) { .type = SLUICE_MATCH_LENGTH, .length = { .min = (a), .max = (b) } }

TEST(table_build__better_rule_cuts_a_wider_range)
{
	static const struct sluice_match m[] = { RANGE(10, 100), RANGE(50, 60), RANGE(0, 20) };
	static const u32 order[] = { 2, 1, 3 };
	struct sluice_ruleset *rs = compile_ranges(m, order, 3);

	EXPECT_EQ(take_length(rs, 0), 2);
	EXPECT_EQ(take_length(rs, 9), 2);
	EXPECT_EQ(take_length(rs, 10), 0);
	EXPECT_EQ(take_length(rs, 49), 0);
	EXPECT_EQ(take_length(rs, 50), 1);
	EXPECT_EQ(take_length(rs, 60), 1);
	EXPECT_EQ(take_length(rs, 61), 0);
	EXPECT_EQ(take_length(rs, 100), 0);
	EXPECT_EQ(take_length(rs, 101), -1);
	EXPECT_EQ(take_length(rs, U32_MAX), -1);
	sluice_ruleset_free(rs);
}

TEST(table_build__both_ends_of_all_lengths)
{
	static const struct sluice_match m[] = { RANGE(0, 0), RANGE(U32_MAX, U32_MAX), RANGE(1, U32_MAX) };
	static const u32 order[] = { 1, 1, 2 };
	struct sluice_ruleset *rs = compile_ranges(m, order, 3);

	EXPECT_EQ(take_length(rs, 0), 0);
	EXPECT_EQ(take_length(rs, 1), 2);
	EXPECT_EQ(take_length(rs, U32_MAX - 1), 2);
	EXPECT_EQ(take_length(rs, U32_MAX), 1);
	sluice_ruleset_free(rs);
}

TEST(table_build__random_ranges_agree_with_a_scan)
{
	struct choices c = { .state = 77 };
	struct sluice_match m[40];
	u32 order[40], round, n, i, len;

	for (round = 0; round < 2000; round++) {
		n = 1 + pick(&c, 40);
		for (i = 0; i < n; i++) {
			u32 a = pick(&c, 64), b = pick(&c, 64);

			m[i] = (struct sluice_match)RANGE(a < b ? a : b, a < b ? b : a);
			order[i] = pick(&c, 8);
		}
		struct sluice_ruleset *rs = compile_ranges(m, order, n);

		for (len = 0; len < 66; len++) {
			int best = -1;

			for (i = 0; i < n; i++)
				if (len >= m[i].length.min && len <= m[i].length.max &&
				    (best < 0 || order[i] < order[best]))
					best = i;
			EXPECT_EQ(take_length(rs, len), best);
		}
		sluice_ruleset_free(rs);
	}
}

/*
 * 65536 nested ranges on one key: every rule overlaps every other. A build that is not n log n does not end in
 * minutes; the test's own bound is the work, not the time: intervals number at most 2n + 1.
 */
TEST(table_build__65536_nested_ranges)
{
	u32 n = SLUICE_RULES_MAX, i;
	struct sluice_match *m = calloc(n, sizeof(*m));
	u32 *order = calloc(n, sizeof(*order));
	struct sluice_ruleset *rs;

	for (i = 0; i < n; i++) {
		m[i] = (struct sluice_match)RANGE(i, 2 * n - i);
		order[i] = n - i;
	}
	rs = compile_ranges(m, order, n);
	EXPECT_EQ(rs->nshapes, 1);
	EXPECT_LE(rs->shapes[0].runs[0].prefix_max, 2 * n + 1);
	for (i = 0; i < n; i += 251) {
		EXPECT_EQ(take_length(rs, i), (int)i);
		EXPECT_EQ(take_length(rs, 2 * n - i), (int)i);
	}
	EXPECT_EQ(take_length(rs, n), (int)n - 1);
	EXPECT_EQ(take_length(rs, 2 * n + 1), -1);
	sluice_ruleset_free(rs);
	free(order);
	free(m);
}

TEST(table_build__same_key_and_range_keeps_the_better_rule)
{
	static const struct sluice_match m[] = { RANGE(5, 9), RANGE(5, 9), RANGE(0, U32_MAX) };
	static const u32 order[] = { 4, 3, 5 };
	struct sluice_ruleset *rs = compile_ranges(m, order, 3);

	EXPECT_EQ(take_length(rs, 7), 1);
	EXPECT_EQ(take_length(rs, 4), 2);
	sluice_ruleset_free(rs);
}
