// SPDX-License-Identifier: GPL-2.0-only
/* Owns a run of the simulation from its first event to its result. */
#include "world.h"

u64 sim_quantile(const struct sim_hist *h, u32 per_million)
{
	return sluice_hist_quantile(h->bucket, h->n, per_million);
}

void sim_hist_add(struct sim_hist *h, u64 ns)
{
	h->n++;
	h->bucket[sluice_hist_bucket(ns)]++;
}

/* Requests per second that the workers can serve. */
double sim_capacity(const struct sim_conf *c)
{
	double mean = 0;
	u32 i;

	for (i = 0; i < c->nclasses; i++)
		mean += c->class[i].share * c->class[i].service;
	return c->workers * 1e9 / mean;
}

static u64 end_of(const struct sim_conf *c)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < SIM_PHASES; i++)
		end = c->phase[i].until > end ? c->phase[i].until : end;
	return end;
}

static void act(struct world *w, const struct event *e)
{
	switch ((enum event_kind)e->kind) {
	case EVENT_ARRIVE:
		client_arrivals(w);
		break;
	case EVENT_RETRY:
		client_retry(w, e->arg);
		break;
	case EVENT_DONE:
		kernel_done(w, e->arg);
		break;
	case EVENT_COLLECT:
		kernel_collect(w, e->arg);
		break;
	case EVENT_TICK:
		kernel_tick(w);
		break;
	}
}

static void world_free(struct world *w)
{
	u32 i;

	kernel_fini(w);
	for (i = 0; i < w->nchunks; i++)
		free(w->chunk[i]);
	free(w->chunk);
	free(w->heap);
	free(w->timeouts);
	free(w);
}

/**
 * sim_run() - simulate until the end of the last phase
 * @c: configuration
 * @r: result; r->bin is the caller's to free
 *
 * Return: 0 or -ENOMEM.
 */
int sim_run(const struct sim_conf *c, struct sim_result *r)
{
	struct world *w = calloc(1, sizeof(*w));
	u64 end = end_of(c);
	struct event e;
	int err;

	memset(r, 0, sizeof(*r));
	if (!w)
		return -ENOMEM;
	w->c = c;
	w->r = r;
	sim_seed(&w->random, c->seed);
	r->nbins = c->bin_ns ? end / c->bin_ns : 0;
	r->bin = calloc(r->nbins + 1, sizeof(*r->bin));
	r->seconds = (end - c->measure_from) * 1e-9;
	r->capacity = sim_capacity(c);
	err = kernel_init(w);
	event_add(w, 0, EVENT_ARRIVE, 0);
	while (!err && !w->failed && event_next(w, &e) && e.at < end) {
		w->now = e.at;
		if (c->timeout_ns)
			client_timeouts(w);
		act(w, &e);
		r->steps++;
	}
	if (w->failed || !r->bin)
		err = -ENOMEM;
	world_free(w);
	return err;
}
