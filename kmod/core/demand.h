/* SPDX-License-Identifier: GPL-2.0-only */
/* What a class asks of its group: mean service time, arrival rate, and so how many rings. */
#ifndef SLUICE_CORE_DEMAND_H
#define SLUICE_CORE_DEMAND_H

#include "port.h"

#define SLUICE_SERVICE_SHIFT 4			  /* fraction bits of the mean */
#define SLUICE_SERVICE_MAX   (60ULL * 1000000000) /* ns; longer counts as this */

struct sluice_demand {
	u64 service;  /* mean service time, ns << SLUICE_SERVICE_SHIFT; 0: none seen */
	u64 start;    /* of the period, ns; 0: none began */
	u32 arrivals; /* in the period */
	u32 rings;    /* demand in thousandths of a ring, smoothed; 0: none known */
	u32 need;     /* the same in whole rings, slow to fall */
	u32 cap;      /* rings that it may occupy at once; 0: all */
	u32 order;    /* classes with a shorter service time */
};

/*
 * @n more service times of @ns each, 64 at the most. Concurrent calls may lose some; the mean bears
 * it.
 */
static inline void sluice_demand_served(struct sluice_demand *d, u64 ns, u32 n)
{
	u64 mean = READ_ONCE(d->service), sample;

	if (ns > SLUICE_SERVICE_MAX)
		ns = SLUICE_SERVICE_MAX;
	sample = (ns ? ns : 1) << SLUICE_SERVICE_SHIFT;
	if (!mean)
		mean = sample;
	else if (sample > mean)
		mean += (sample - mean) * n / 64;
	else
		mean -= (mean - sample) * n / 64;
	WRITE_ONCE(d->service, mean);
}

/* Mean service time in ns; 0: none seen. */
static inline u64 sluice_demand_service(const struct sluice_demand *d)
{
	return (READ_ONCE(d->service) + (1U << SLUICE_SERVICE_SHIFT) - 1) >> SLUICE_SERVICE_SHIFT;
}

bool sluice_demand_arrived(struct sluice_demand *d, u64 now);
void sluice_demand_caps(struct sluice_demand *const *d, u32 n, u32 rings);

#endif /* SLUICE_CORE_DEMAND_H */
