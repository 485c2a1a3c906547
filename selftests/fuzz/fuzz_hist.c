// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of core/hist.c: each value lies in its bucket, a quantile in the bucket of the exact one. */
#include "../../kmod/core/hist.h"
#include "fuzz.h"

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static u64 buckets[SLUICE_HIST_BUCKETS], values[512];
	u64 rank, got, least = 0;
	u32 n, i, b, share;

	memset(buckets, 0, sizeof(buckets));
	for (n = 0; n < 512 && (n + 1) * 8 <= size; n++) {
		memcpy(&values[n], data + n * 8, 8);
		values[n] >>= values[n] & 63;
		b = sluice_hist_bucket(values[n]);
		MUST(b < SLUICE_HIST_BUCKETS && sluice_hist_lower(b) <= values[n]);
		MUST(values[n] < sluice_hist_lower(b + 1) || b == SLUICE_HIST_BUCKETS - 1);
		buckets[b]++;
	}
	if (!n) {
		MUST(!sluice_hist_quantile(buckets, 0, 500000));
		return 0;
	}
	qsort(values, n, sizeof(*values), by_value);
	for (i = 0; i <= 20; i++) {
		share = i * 50000;
		rank = ((u64)n * share + 999999) / 1000000;
		got = sluice_hist_quantile(buckets, n, share);
		b = sluice_hist_bucket(values[rank ? rank - 1 : 0]);
		MUST(got >= least && got >= sluice_hist_lower(b) && got <= sluice_hist_lower(b + 1));
		least = got;
	}
	return 0;
}
