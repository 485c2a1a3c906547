// SPDX-License-Identifier: GPL-2.0-only
/* From arrivals and service times to the number of rings that a class may occupy. */
#include "demand.h"

#define PERIOD_MIN	10000000ULL   /* ns */
#define PERIOD_MAX	1000000000ULL /* ns */
#define PERIOD_ARRIVALS 256	      /* enough to tell a rate within a sixteenth */
#define RING		1000U	      /* unit of sluice_demand.rings */
#define RINGS_MAX	1000000U

/* Close the period: smooth what it says into d->rings. */
static void close_period(struct sluice_demand *d, u64 elapsed)
{
	u64 us = elapsed / 1000, busy, rings;

	busy = (u64)d->arrivals * sluice_demand_service(d);
	rings = busy / (us ? us : 1);
	if (rings > RINGS_MAX)
		rings = RINGS_MAX;
	if (!d->rings)
		d->rings = rings;
	else if (rings > d->rings)
		d->rings += (rings - d->rings) / 8;
	else
		d->rings -= (d->rings - rings) / 8;
}

/**
 * sluice_demand_arrived() - count an arrival of the class
 * @d: the class's; the caller locks
 * @now: ns
 *
 * Return: true if the demand was measured anew, so that caps should be set.
 */
bool sluice_demand_arrived(struct sluice_demand *d, u64 now)
{
	u64 elapsed = now - d->start;

	if (unlikely(!d->start || now < d->start)) {
		d->start = now ? now : 1;
		d->arrivals = 0;
		return false;
	}
	d->arrivals++;
	if (likely(elapsed < PERIOD_MIN || (d->arrivals < PERIOD_ARRIVALS && elapsed < PERIOD_MAX)))
		return false;
	close_period(d, elapsed);
	d->start = now;
	d->arrivals = 0;
	return true;
}

/* Rings that the demand rounds up to, with a fiftieth to spare; one is given back late. */
static u32 need(struct sluice_demand *d)
{
	u32 up = (d->rings + d->rings / 50 + RING - 1) / RING;

	if (up > d->need || d->rings + d->rings / 25 <= (d->need - 1) * RING)
		d->need = up;
	return d->need;
}

/* Changes meanwhile. */
static u64 service(const struct sluice_demand *d)
{
	return READ_ONCE(d->service);
}

static bool known(const struct sluice_demand *d)
{
	return service(d) && d->rings;
}

/*
 * What class @i may have of its @want rings if the shorter ones are to have theirs. If the whole
 * demand does not fit in whole rings so, within what the measurement is worth, sharing is better
 * than a class that can never keep up. Return: a cap, 0: none.
 */
static u32 leave_room(struct sluice_demand *const *d, u32 n, u32 i, u32 want, u32 rings)
{
	u64 shorter = 0, rest = 0;
	u32 j, left;

	for (j = 0; j < n; j++) {
		if (!known(d[j]))
			continue;
		if (service(d[j]) < service(d[i]))
			shorter += d[j]->rings;
		else
			rest += d[j]->rings;
	}
	shorter = (shorter + RING - 1) / RING;
	left = shorter < rings ? rings - shorter : 0;
	if (rest <= (u64)left * (RING + RING / 32))
		return want < left ? want : left;
	return want < rings ? want : 0;
}

/**
 * sluice_demand_caps() - set cap and order of each class
 * @d: classes; the caller locks
 * @n: how many
 * @rings: rings of the group
 *
 * A class may occupy as many rings as its demand rounds up to, and those of classes with longer
 * service times as well: short requests may run anywhere, long ones leave the short ones room. The
 * order is that of the service times.
 */
void sluice_demand_caps(struct sluice_demand *const *d, u32 n, u32 rings)
{
	u32 i, j, cap, shorter;

	for (i = 0; i < n; i++)
		if (known(d[i]))
			need(d[i]);
	for (i = 0; i < n; i++) {
		cap = 0;
		shorter = 0;
		for (j = 0; known(d[i]) && j < n; j++) {
			if (!known(d[j]))
				continue;
			if (service(d[j]) >= service(d[i]))
				cap += d[j]->need;
			else
				shorter++;
		}
		d[i]->order = shorter;
		if (!shorter)
			d[i]->cap = 0;
		else
			d[i]->cap = leave_room(d, n, i, cap, rings);
	}
}
