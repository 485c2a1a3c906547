// SPDX-License-Identifier: GPL-2.0-only
/* When requests are due, and the random numbers behind that and behind the choice of keys. */
#include <math.h>

#include "load/load.h"

/* A counter with an odd step, mixed by two multiply-and-shift rounds: any seed gives a full period. */
u64 rng_next(struct rng *r)
{
	u64 z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93ull;
	z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93ull;
	return z ^ (z >> 32);
}

u64 rng_below(struct rng *r, u64 n)
{
	return (u64)(((unsigned __int128)rng_next(r) * n) >> 64);
}

/* In (0, 1], so that its logarithm is finite. */
double rng_unit(struct rng *r)
{
	return ((double)(rng_next(r) >> 11) + 1.0) / 9007199254740992.0;
}

void rng_init(struct rng *r, u64 seed, u64 stream)
{
	r->state = seed;
	r->state = rng_next(r) ^ (stream * 0xa0761d6478bd642full);
	rng_next(r);
}

/*
 * Threads share the rate. Constant arrivals interleave; independent Poisson streams add up to one Poisson stream of
 * the whole rate.
 */
void schedule_init(struct schedule *s, const struct options *opt, u32 thread)
{
	double gap = (double)NS_PER_S / (double)opt->rate;

	rng_init(&s->rng, opt->seed, 2 * (u64)thread);
	s->gap = gap * (double)opt->threads;
	s->poisson = opt->arrival == ARRIVAL_POISSON;
	s->next = s->poisson ? -log(rng_unit(&s->rng)) * s->gap : gap * thread;
}

void schedule_advance(struct schedule *s)
{
	s->next += s->poisson ? -log(rng_unit(&s->rng)) * s->gap : s->gap;
}
