// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/hist.[ch]: buckets without gaps, quantiles within their error. */
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "rulegen.h"
#include "../../kmod/core/hist.h"

static u64 buckets[SLUICE_HIST_BUCKETS];

TEST(hist_bucket__bounds_meet_without_gap)
{
	u32 b;

	for (b = 0; b < SLUICE_HIST_BUCKETS; b++) {
		u64 lower = sluice_hist_lower(b), upper = sluice_hist_lower(b + 1);

		EXPECT(upper > lower);
		EXPECT_EQ(sluice_hist_bucket(lower), b);
		EXPECT_EQ(sluice_hist_bucket(upper - 1), b);
		EXPECT(upper - lower <= 1 || (upper - lower) * 16 <= lower);
	}
	EXPECT_EQ(sluice_hist_lower(0), 0);
	EXPECT_EQ(sluice_hist_lower(SLUICE_HIST_BUCKETS), 1LL << SLUICE_HIST_MAX_BITS);
}

TEST(hist_bucket__huge_values_fall_in_the_last)
{
	EXPECT_EQ(sluice_hist_bucket(1ULL << SLUICE_HIST_MAX_BITS), SLUICE_HIST_BUCKETS - 1);
	EXPECT_EQ(sluice_hist_bucket(U64_MAX), SLUICE_HIST_BUCKETS - 1);
}

TEST(hist_quantile__nothing_recorded)
{
	memset(buckets, 0, sizeof(buckets));
	EXPECT_EQ(sluice_hist_quantile(buckets, 0, 500000), 0);
}

TEST(hist_quantile__small_values_are_exact)
{
	u32 v;

	memset(buckets, 0, sizeof(buckets));
	for (v = 1; v <= 10; v++)
		buckets[sluice_hist_bucket(v)]++;
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 0), 1);
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 100000), 1);
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 100001), 2);
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 500000), 5);
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 1000000), 10);
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 2000000), 10);
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

TEST(hist_quantile__stays_in_the_bucket_of_the_exact_one)
{
	static const u32 shares[] = { 1, 1000, 100000, 500000, 900000, 990000, 999000, 999999, 1000000 };
	static u64 values[5000];
	struct choices c = { .state = 3 };
	u32 round, n, i;

	for (round = 0; round < 200; round++) {
		n = 1 + pick(&c, 5000);
		memset(buckets, 0, sizeof(buckets));
		for (i = 0; i < n; i++) {
			values[i] = ((u64)pick(&c, 1U << 31) << 9 | pick(&c, 512)) >> pick(&c, 40);
			buckets[sluice_hist_bucket(values[i])]++;
		}
		qsort(values, n, sizeof(values[0]), compare);
		for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
			u64 rank = ((u64)n * shares[i] + 999999) / 1000000;
			u64 exact = values[rank ? rank - 1 : 0];
			u64 got = sluice_hist_quantile(buckets, n, shares[i]);

			EXPECT_EQ(sluice_hist_bucket(got), sluice_hist_bucket(exact));
			if (shares[i] == 1000000)
				EXPECT(got >= exact);
		}
	}
}

TEST(hist_quantile__grows_with_the_share)
{
	u64 last = 0, got;
	u32 share, b;

	for (b = 0; b < SLUICE_HIST_BUCKETS; b++)
		buckets[b] = 1 + b % 7;
	for (share = 0; share <= 1000000; share += 997) {
		got = sluice_hist_quantile(buckets, 2353, share);
		EXPECT(got >= last);
		last = got;
	}
}

TEST(hist_quantile__counts_that_fill_64_bits)
{
	memset(buckets, 0, sizeof(buckets));
	buckets[SLUICE_HIST_BUCKETS - 1] = U64_MAX / 2;
	buckets[3] = U64_MAX / 2;
	EXPECT_EQ(sluice_hist_quantile(buckets, U64_MAX - 1, 250000), 3);
	EXPECT_EQ(sluice_hist_bucket(sluice_hist_quantile(buckets, U64_MAX - 1, 750000)),
		  SLUICE_HIST_BUCKETS - 1);
	EXPECT_EQ(sluice_hist_quantile(buckets, U64_MAX - 1, 1000000), (1LL << SLUICE_HIST_MAX_BITS) - 1);
}

TEST(hist_quantile__total_ahead_of_the_buckets)
{
	memset(buckets, 0, sizeof(buckets));
	buckets[5] = 3;
	EXPECT_EQ(sluice_hist_quantile(buckets, 10, 1000000), 5);
}
