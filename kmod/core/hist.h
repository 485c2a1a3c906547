/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Log-linear histograms of nanoseconds: which bucket a value falls in, and what a bucket stands
 * for.
 */
#ifndef SLUICE_CORE_HIST_H
#define SLUICE_CORE_HIST_H

#include "port.h"

/*
 * Values below 2^SUB_BITS have a bucket each; above, every power of two is cut into 2^SUB_BITS
 * equal buckets, so a bucket is at most 1/16 of its lower bound wide. Values of 2^MAX_BITS and more
 * (18 minutes) fall in the last bucket.
 */
#define SLUICE_HIST_SUB_BITS	4
#define SLUICE_HIST_MAX_BITS	40
#define SLUICE_HIST_BUCKETS	((SLUICE_HIST_MAX_BITS - SLUICE_HIST_SUB_BITS + 1) << \
				 SLUICE_HIST_SUB_BITS)

static inline u32 sluice_hist_bucket(u64 ns)
{
	u32 exp;

	if (ns < (1ULL << SLUICE_HIST_SUB_BITS))
		return ns;
	if (ns >> SLUICE_HIST_MAX_BITS)
		return SLUICE_HIST_BUCKETS - 1;
	exp = 63 - __builtin_clzll(ns);
	return ((exp - SLUICE_HIST_SUB_BITS + 1) << SLUICE_HIST_SUB_BITS) +
	       ((ns >> (exp - SLUICE_HIST_SUB_BITS)) & ((1U << SLUICE_HIST_SUB_BITS) - 1));
}

/* Lowest value of a bucket; bucket SLUICE_HIST_BUCKETS gives the upper end of the last. */
static inline u64 sluice_hist_lower(u32 bucket)
{
	u32 exp = bucket >> SLUICE_HIST_SUB_BITS;
	u64 sub = bucket & ((1U << SLUICE_HIST_SUB_BITS) - 1);

	if (!exp)
		return sub;
	return ((1ULL << SLUICE_HIST_SUB_BITS) + sub) << (exp - 1);
}

u64 sluice_hist_quantile(const u64 *buckets, u64 total, u32 per_million);

#endif /* SLUICE_CORE_HIST_H */
