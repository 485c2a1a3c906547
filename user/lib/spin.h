/* SPDX-License-Identifier: MIT */
/* Whether it pays to spin before sleeping, learned from what spinning came to. */
#ifndef SLUICE_SPIN_H
#define SLUICE_SPIN_H

#include <stdbool.h>

#define SPIN_FULL	256	/* all of the last spins found something */
#define SPIN_PAYS	64	/* a quarter of them did */
#define SPIN_TRIAL	16	/* where it does not pay: one wait in so many tries */

/*
 * Spinning finds nothing where requests are rarer than it lasts, and where it keeps the processor from whoever would send
 * one. All zero: it pays.
 */
struct spin {
	unsigned int failing;	/* SPIN_FULL: none of the last spins found anything */
	unsigned int turn;
};

/* Whether the last ones came to nothing: the next spin_pays() says no, but for a trial. */
static inline bool spin_failed(const struct spin *s)
{
	return s->failing > SPIN_FULL - SPIN_PAYS;
}

/* Whether to spin this time. */
static inline bool spin_pays(struct spin *s)
{
	return !spin_failed(s) || !(++s->turn % SPIN_TRIAL);
}

/* What a spin came to. */
static inline void spin_ended(struct spin *s, bool found)
{
	s->failing -= s->failing / 4;
	if (!found)
		s->failing += SPIN_FULL / 4;
}

#endif /* SLUICE_SPIN_H */
