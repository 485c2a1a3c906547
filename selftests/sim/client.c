// SPDX-License-Identifier: GPL-2.0-only
/* Owns the simulated clients: arrivals, retries, patience, and what they got for it. */
#include "world.h"

static bool measured(const struct world *w, const struct attempt *a)
{
	return a->sent >= w->c->measure_from;
}

static struct sim_bin *bin(struct world *w)
{
	u32 n = w->c->bin_ns ? w->now / w->c->bin_ns : 0;

	if (!w->c->bin_ns || n >= w->r->nbins)
		return NULL;
	while (w->bin < n) {
		w->r->bin[w->bin].waiting = w->waiting;
		w->r->bin[w->bin].p99 = sim_quantile(&w->bin_latency, 990000);
		memset(&w->bin_latency, 0, sizeof(w->bin_latency));
		w->bin++;
	}
	return &w->r->bin[n];
}

void client_send(struct world *w, u32 class_id, u32 source, u32 number)
{
	double service = w->c->class[class_id].service;
	struct attempt *a = attempt_get(w);
	struct sim_bin *b = bin(w);

	if (!a)
		return;
	if (w->c->dist == SIM_EXPONENTIAL)
		service = sim_exponential(&w->random, service);
	a->service = service < 1 ? 1 : service + sim_uniform(&w->random);
	a->class_id = class_id;
	a->source = source;
	a->number = number;
	a->sent = w->now;
	a->client_waits = true;
	a->in_server = true;
	if (measured(w, a)) {
		w->r->offered++;
		w->r->first += !number;
	}
	if (b) {
		b->offered++;
		b->first += !number;
	}
	if (w->c->timeout_ns)
		timeout_add(w, a);
	kernel_arrive(w, a);
}

/* One first attempt now; the next one is planned. */
void client_arrivals(struct world *w)
{
	double pick = sim_uniform(&w->random);
	u32 c = 0, source = 0;

	while (c + 1 < w->c->nclasses && pick >= w->c->class[c].share)
		pick -= w->c->class[c++].share;
	if (w->c->sources)
		source = 1 + sim_uniform(&w->random) * w->c->sources;
	if (w->c->heavy > 0 && sim_uniform(&w->random) < w->c->heavy)
		source = 0;
	else if (w->now >= w->c->measure_from)
		w->r->light++;
	client_send(w, c, source, 0);
	while (w->phase + 1 < SIM_PHASES && w->now >= w->c->phase[w->phase].until)
		w->phase++;
	w->next_arrival += sim_exponential(&w->random, 1e9 / w->c->phase[w->phase].rate);
	event_add(w, w->next_arrival, EVENT_ARRIVE, 0);
}

void client_retry(struct world *w, u32 arg)
{
	client_send(w, arg & 0xff, arg >> 16, arg >> 8 & 0xff);
}

/* The client heard, or waited, long enough: it tries again, or not. */
static void again(struct world *w, const struct attempt *a, u64 wait)
{
	if (a->number >= w->c->retries) {
		if (measured(w, a))
			w->r->failed++;
		return;
	}
	event_add(w, w->now + wait, EVENT_RETRY,
		  a->class_id | (a->number + 1U) << 8 | (u32)a->source << 16);
}

void client_answered(struct world *w, struct attempt *a)
{
	bool good = w->now - a->sent <= w->c->objective && a->client_waits;
	struct sim_bin *b = bin(w);

	if (measured(w, a)) {
		w->r->answered++;
		w->r->good += good;
		w->r->useful += a->client_waits;
		w->r->light_answered += a->source != 0;
		sim_hist_add(&w->r->latency[a->class_id], w->now - a->sent);
		sim_hist_add(&w->r->all, w->now - a->sent);
	}
	if (b) {
		b->answered++;
		b->good += good;
		b->useful += a->client_waits;
		sim_hist_add(&w->bin_latency, w->now - a->sent);
	}
	a->client_waits = false;
	a->in_server = false;
	attempt_put(w, a);
}

/* The reject reply reached the client. */
void client_refused(struct world *w, struct attempt *a)
{
	struct sim_bin *b = bin(w);

	if (measured(w, a))
		w->r->refused++;
	if (b)
		b->refused++;
	if (a->client_waits)
		again(w, a, (w->c->backoff_ns << a->number) * (0.5 + sim_uniform(&w->random)));
	a->client_waits = false;
	a->in_server = false;
	attempt_put(w, a);
}

/* Nobody tells the client. */
void client_lost(struct world *w, struct attempt *a)
{
	struct sim_bin *b = bin(w);

	if (measured(w, a))
		w->r->lost++;
	if (b)
		b->lost++;
	a->in_server = false;
	if (!w->c->timeout_ns)
		a->client_waits = false;
	attempt_put(w, a);
}

void client_timeouts(struct world *w)
{
	struct attempt *a;

	while ((a = timeout_next(w, w->now))) {
		a->client_waits = false;
		again(w, a, 0);
		attempt_put(w, a);
	}
}
