// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Quantiles out of log-linear histograms. */
#include "hist.h"

/* How many of @total values a quantile must not be below; at least one. */
static u64 quantile_rank(u64 total, u32 per_million)
{
	u64 whole = total / 1000000;
	u64 part = (total - whole * 1000000) * per_million;
	u64 rank = whole * per_million + (part + 999999) / 1000000;

	return rank ? rank : 1;
}

/**
 * sluice_hist_quantile() - value that a share of all recorded values does not exceed
 * @buckets: SLUICE_HIST_BUCKETS counts
 * @total: their sum
 * @per_million: the share: 500000 is the median; more than 1000000 counts as 1000000
 *
 * The quantile is the value of rank ceil(total * share), as if the values of its bucket lay evenly
 * spread in it and the last of them were the bucket's largest. So it never leaves the bucket of the
 * exact quantile (an error of at most 1/16), and the quantile of 1000000 is not below the true
 * maximum, up to 2^SLUICE_HIST_MAX_BITS.
 *
 * @buckets may be counted up meanwhile: the result is then that of some counts between.
 *
 * Return: nanoseconds; 0 if nothing was recorded.
 */
u64 sluice_hist_quantile(const u64 *buckets, u64 total, u32 per_million)
{
	u64 rank, below = 0, count, into, lower, last = 0;
	u32 b;

	if (!total)
		return 0;
	rank = quantile_rank(total, per_million < 1000000 ? per_million : 1000000);
	for (b = 0; b < SLUICE_HIST_BUCKETS; b++) {
		count = READ_ONCE(buckets[b]);
		if (!count)
			continue;
		lower = sluice_hist_lower(b);
		last = sluice_hist_lower(b + 1) - 1;
		into = rank - below;
		if (into <= count) {
			/* The widest bucket is 2^36 wide; keep the product within 64 bits. */
			for (; count >> 28; count >>= 1)
				into >>= 1;
			return lower + (last - lower) * into / count;
		}
		below += count;
	}
	return last;
}
