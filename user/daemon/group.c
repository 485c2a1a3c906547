// SPDX-License-Identifier: GPL-2.0-only
/* Groups: a handler's instance and its workers, made, started, told, ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "group.h"
#include "log.h"

#define JOIN_MS	2000	/* for a thread that was told to end; a handler that blocks never does */

int group_cpu(const struct conf *conf, const struct conf_group *cg, unsigned int index)
{
	unsigned int i, k = index, n;
	cpu_set_t set;
	int cpu;

	if (cg->cpus_mode == CONF_CPUS_NONE)
		return -1;
	if (cg->cpus_mode == CONF_CPUS_LIST) {
		set = cg->cpus;
	} else {
		if (sched_getaffinity(0, sizeof(set), &set))
			return -1;
		for (i = 0; &conf->groups[i] != cg; i++)
			if (conf->groups[i].cpus_mode == CONF_CPUS_AUTO)
				k += conf->groups[i].workers;
	}
	n = CPU_COUNT(&set);
	if (!n)
		return -1;
	k %= n;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && !k--)
			return cpu;
	return -1;
}

/* ---- rings ---- */

static int by_id(const void *a, const void *b)
{
	uint32_t x = sluice_ring_id(*(struct sluice_ring *const *)a);
	uint32_t y = sluice_ring_id(*(struct sluice_ring *const *)b);

	return x < y ? -1 : x > y;
}

int group_open_rings(const struct conf_group *cg, unsigned int from, struct sluice_ring **rings, struct conf_error *err)
{
	unsigned int i, n = cg->workers - from;
	int ret;

	for (i = 0; i < n; i++) {
		ret = worker_open(&rings[i], cg, err);
		if (ret) {
			group_close_rings(rings, i);
			return ret;
		}
	}
	qsort(rings, n, sizeof(*rings), by_id);
	return 0;
}

void group_close_rings(struct sluice_ring **rings, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		sluice_ring_close(rings[i]);
		rings[i] = NULL;
	}
}

/* ---- life ---- */

void group_set_state(struct group *g)
{
	unsigned int i;

	for (i = 0; i < g->n && i < g->in->nworkers; i++) {
		g->worker[i]->handler = &g->in->handler;
		g->worker[i]->state = g->in->worker[i];
	}
}

static int fail(struct conf_error *err, const struct conf_group *cg, const char *what, int ret)
{
	snprintf(err->text, sizeof(err->text), "%s: group %s: %s: %s", cg->where, cg->name, what, strerror(-ret));
	return ret;
}

void group_end_made(struct worker **workers, unsigned int n)
{
	unsigned int i;

	/* They are parked, so they end. */
	for (i = 0; i < n; i++) {
		if (!workers[i])
			continue;
		worker_order(workers[i], ORDER_END);
		worker_destroy(workers[i], JOIN_MS);
		workers[i] = NULL;
	}
}

int group_make_workers(const struct conf *conf, const struct conf_group *cg, unsigned int from,
		       struct sluice_ring **rings, int done, struct worker **workers, struct conf_error *err)
{
	unsigned int i, n = cg->workers - from;
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		ret = worker_create(&workers[i], cg, from + i, group_cpu(conf, cg, from + i), done);
		if (ret)
			break;
		workers[i]->ring = rings[i];
		rings[i] = NULL;
		ret = worker_start(workers[i]);
	}
	group_close_rings(rings, n);
	if (!ret)
		return 0;
	group_end_made(workers, n);
	return fail(err, cg, "cannot start a worker", ret);
}

int group_create(struct group **out, const struct conf *conf, struct conf_group *cg, int done, struct conf_error *err)
{
	struct sluice_ring *rings[CONF_WORKERS_MAX];
	struct group *g = calloc(1, sizeof(*g));
	int ret;

	*out = NULL;
	if (!g)
		return fail(err, cg, "cannot serve it", -ENOMEM);
	g->conf = cg;
	ret = instance_create(&g->in, cg, err);
	if (!ret)
		ret = group_open_rings(cg, 0, rings, err);
	if (!ret)
		ret = group_make_workers(conf, cg, 0, rings, done, g->worker, err);
	if (ret) {
		instance_destroy(g->in);
		free(g);
		return ret;
	}
	g->n = cg->workers;
	group_set_state(g);
	*out = g;
	return 0;
}

int group_attach(struct group *g, unsigned int from, struct conf_error *err)
{
	struct worker *w;
	unsigned int i;
	int ret, last = 0;

	for (i = from; i < g->n; i++) {
		w = g->worker[i];
		ret = sluice_ring_attach(w->ring);
		if (!ret)
			continue;
		last = ret;
		snprintf(err->text, sizeof(err->text), "%s: group %s: cannot join the group: %s", g->conf->where,
			 g->conf->name, sluice_strerror(ret));
		sluice_ring_close(w->ring);
		w->ring = NULL;
	}
	return last;
}

bool group_end_workers(struct group *g, unsigned int from)
{
	bool all = true;
	unsigned int i;

	group_order(g, from, ORDER_END);
	for (i = from; i < g->n; i++) {
		if (worker_destroy(g->worker[i], JOIN_MS))
			continue;
		log_line(LOG_ERR, "group %s worker %u does not end: its handler %s blocks", g->conf->name, i,
			 g->in->handler.name);
		all = false;
	}
	g->n = from;
	return all;
}

bool group_destroy(struct group *g)
{
	bool all = group_end_workers(g, 0);

	/* A thread that does not end may still use the handler. */
	if (all)
		instance_destroy(g->in);
	free(g);
	return all;
}

/* ---- telling and asking ---- */

void group_order(struct group *g, unsigned int from, unsigned int orders)
{
	unsigned int i;

	for (i = from; i < g->n; i++)
		worker_order(g->worker[i], orders);
}

void group_lift(struct group *g, unsigned int from, unsigned int orders)
{
	unsigned int i;

	for (i = from; i < g->n; i++)
		worker_lift(g->worker[i], orders);
}

void group_drain(struct group *g, unsigned int from)
{
	unsigned int i;

	for (i = from; i < g->n; i++)
		worker_drain(g->worker[i]);
}

/* A drained worker still runs: it has come to rest only when it says so after that. */
static bool reached(enum worker_status is, enum worker_status wanted)
{
	return is >= wanted && (is != WORKER_DRAINED || wanted == WORKER_DRAINED);
}

unsigned int group_behind(struct group *g, unsigned int from, enum worker_status status)
{
	unsigned int i, n = 0;

	for (i = from; i < g->n; i++)
		n += !reached(worker_status(g->worker[i]), status);
	return n;
}
