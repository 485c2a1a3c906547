// SPDX-License-Identifier: GPL-2.0-only
/* Owns the simulation's random numbers: xorshift128+, seeded, the same on every machine. */
#include <math.h>

#include "sim.h"

void sim_seed(struct sim_random *r, u64 seed)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		u64 z = seed += 0x9e3779b97f4a7c15ULL;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
		r->s[i] = z ^ z >> 31;
	}
}

static u64 next(struct sim_random *r)
{
	u64 a = r->s[0], b = r->s[1];

	r->s[0] = b;
	a ^= a << 23;
	r->s[1] = a ^ b ^ a >> 18 ^ b >> 5;
	return r->s[1] + b;
}

/* In [0, 1). */
double sim_uniform(struct sim_random *r)
{
	return (next(r) >> 11) * 0x1.0p-53;
}

double sim_exponential(struct sim_random *r, double mean)
{
	return -log1p(-sim_uniform(r)) * mean;
}
