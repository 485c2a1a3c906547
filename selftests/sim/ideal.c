// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the ideal that steering policies are measured against: the plain queueing model of each,
 * with unlimited queues, no costs, known loads. It shares nothing with the module's code but the
 * histogram that reads the quantile.
 */
#include <math.h>

#include "sim.h"

#define WORKERS_MAX SIM_WORKERS_MAX

struct job {
	double at;
	double service;
	u32 class_id;
};

struct line { /* first in, first out */
	struct job *job;
	u64 head, n, room;
};

struct model {
	struct line line[WORKERS_MAX]; /* departures, for the shortest queue; by class, if typed */
	double free_at[WORKERS_MAX];
	u32 runs[WORKERS_MAX]; /* class, if typed */
	u32 workers;
	struct sim_hist hist;
	u32 of;
};

static bool put(struct line *l, struct job j)
{
	struct job *bigger;
	u64 i, room;

	if (l->n == l->room) {
		room = l->room ? 2 * l->room : 1024;
		bigger = malloc(room * sizeof(j));
		if (!bigger)
			return false;
		for (i = 0; i < l->n; i++)
			bigger[i] = l->job[(l->head + i) % l->room];
		free(l->job);
		l->job = bigger;
		l->head = 0;
		l->room = room;
	}
	l->job[(l->head + l->n++) % l->room] = j;
	return true;
}

static struct job *first(struct line *l)
{
	return l->n ? &l->job[l->head] : NULL;
}

static void drop(struct line *l)
{
	l->head = (l->head + 1) % l->room;
	l->n--;
}

static void record(struct model *m, const struct job *j, double end)
{
	if (j->class_id == m->of)
		sim_hist_add(&m->hist, end - j->at);
}

/* Each worker its own queue: it begins when it is done with what came before. */
static void assign(struct model *m, u32 worker, const struct job *j)
{
	double start = m->free_at[worker] > j->at ? m->free_at[worker] : j->at;

	m->free_at[worker] = start + j->service;
	record(m, j, m->free_at[worker]);
}

static u32 earliest(const struct model *m)
{
	u32 i, best = 0;

	for (i = 1; i < m->workers; i++)
		if (m->free_at[i] < m->free_at[best])
			best = i;
	return best;
}

static bool join_shortest(struct model *m, const struct job *j)
{
	u32 i, best = 0;

	for (i = 0; i < m->workers; i++) {
		while (first(&m->line[i]) && first(&m->line[i])->at <= j->at)
			drop(&m->line[i]);
		if (m->line[i].n < m->line[best].n)
			best = i;
	}
	assign(m, best, j);
	return put(&m->line[best], (struct job){.at = m->free_at[best]});
}

/*
 * Let everything happen until @until: each worker that becomes free takes what it may, short
 * requests first. The long ones may have the ceiling of their demand in workers.
 */
static void typed_run(struct model *m, const u32 *cap, double until)
{
	for (;;) {
		u32 w = m->workers, i, c, busy[SIM_CLASSES] = {0}, best = SIM_CLASSES;
		double t, start = until;

		/* the earliest time at which something waiting may start */
		for (c = 0; c < SIM_CLASSES; c++) {
			struct job *j = first(&m->line[c]);

			if (!j)
				continue;
			for (i = 0; i < m->workers; i++) {
				u32 k;

				t = m->free_at[i] > j->at ? m->free_at[i] : j->at;
				busy[c] = 0;
				for (k = 0; k < m->workers; k++)
					busy[c] += k != i && m->runs[k] == c && m->free_at[k] > t;
				if (busy[c] >= cap[c] || t > start ||
				    (t == start && w < m->workers))
					continue;
				start = t;
				w = i;
				best = c;
			}
		}
		if (w == m->workers)
			return;
		assign(m, w, first(&m->line[best]));
		m->runs[w] = best;
		drop(&m->line[best]);
	}
}

static bool typed(struct model *m, const u32 *cap, const struct job *j)
{
	typed_run(m, cap, j->at);
	return put(&m->line[j->class_id], *j);
}

/**
 * ideal_p99() - the 99th percentile of a class's time in the system
 * @steering: policy
 * @class: two classes with constant service times
 * @workers: how many
 * @load: share of the capacity that is offered
 * @arrivals: requests to simulate; the first tenth is not counted
 * @of: class
 * @seed: of the random numbers
 *
 * Return: ns, or 0 without memory.
 */
u64 ideal_p99(enum sim_steering steering, const struct sim_class *class, u32 workers, double load,
	      u64 arrivals, u32 of, u64 seed)
{
	double mean = class[0].share * class[0].service + class[1].share * class[1].service;
	u32 cap[SIM_CLASSES] = {workers,
				ceil(load * workers * class[1].share * class[1].service / mean)};
	struct model *m = calloc(1, sizeof(*m));
	struct sim_random random;
	bool ok = m;
	double t = 0;
	u64 i, p99;

	if (!m)
		return 0;
	m->workers = workers;
	m->of = of;
	sim_seed(&random, seed);
	for (i = 0; i < arrivals && ok; i++) {
		struct job j;

		t += sim_exponential(&random, mean / workers / load);
		j.at = t;
		j.class_id = sim_uniform(&random) >= class[0].share;
		j.service = class[j.class_id].service;
		if (i == arrivals / 10)
			memset(&m->hist, 0, sizeof(m->hist));
		if (steering == SIM_RR)
			assign(m, i % workers, &j);
		else if (steering == SIM_CENTRAL)
			assign(m, earliest(m), &j);
		else if (steering == SIM_LEAST)
			ok = join_shortest(m, &j);
		else
			ok = typed(m, cap, &j);
	}
	p99 = ok ? sim_quantile(&m->hist, 990000) : 0;
	for (i = 0; i < WORKERS_MAX; i++)
		free(m->line[i].job);
	free(m);
	return p99;
}
