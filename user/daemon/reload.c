// SPDX-License-Identifier: GPL-2.0-only
/* Changes over to a new configuration while requests come: first all that can fail, then the change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "daemon.h"
#include "log.h"

/**
 * struct change - what one group of the new configuration needs
 * @old: serves it now, or NULL
 * @fresh: made for a group that is new
 * @in: a handler made anew, to take the place of the old one
 * @reconfigure: the handler's options, workers or slots change
 * @nadded, @added: workers that join
 * @nrings, @rings: for the workers that stay, if what rings are made of changes
 */
struct change {
	struct conf_group *cg;
	struct group *old;
	struct group *fresh;
	struct instance *in;
	bool reconfigure;
	unsigned int nadded;
	struct worker *added[CONF_WORKERS_MAX];
	unsigned int nrings;
	struct sluice_ring *rings[CONF_WORKERS_MAX];
};

/* ---- before anything changes ---- */

static int prepare_rings(struct daemon *d, const struct conf *conf, struct change *c, struct conf_error *err)
{
	unsigned int n = c->cg->workers, stay = n < c->old->n ? n : c->old->n;
	unsigned int from = conf_same_rings(c->old->conf, c->cg) ? stay : 0;
	struct sluice_ring *rings[CONF_WORKERS_MAX];
	int ret;

	ret = group_open_rings(c->cg, from, rings, err);
	if (ret)
		return ret;
	c->nrings = stay - from;
	memcpy(c->rings, rings, c->nrings * sizeof(rings[0]));
	ret = group_make_workers(conf, c->cg, stay, rings + c->nrings, d->done, c->added, err);
	if (!ret)
		c->nadded = n - stay;
	return ret;
}

static int prepare(struct daemon *d, const struct conf *conf, struct change *c, struct conf_error *err)
{
	const struct conf_group *was;
	int ret = 0;

	if (!c->old)
		return group_create(&c->fresh, conf, c->cg, d->done, err);
	was = c->old->conf;
	c->reconfigure = strcmp(was->handler, c->cg->handler) || !conf_same_options(was, c->cg) ||
			 !conf_same_rings(was, c->cg) || was->workers != c->cg->workers;
	if (!c->reconfigure)
		return 0;
	if (!instance_can_reconfigure(c->old->in, was, c->cg))
		ret = instance_create(&c->in, c->cg, err);
	return ret ? ret : prepare_rings(d, conf, c, err);
}

static void give_up(struct change *c, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		instance_destroy(c[i].in);
		group_end_made(c[i].added, c[i].nadded);
		group_close_rings(c[i].rings, c[i].nrings);
		if (c[i].fresh)
			group_destroy(c[i].fresh);
	}
}

/* ---- the change ---- */

static bool pause_all(struct daemon *d, struct group *g, uint64_t until)
{
	group_order(g, 0, ORDER_PAUSE);
	if (!daemon_wait_group(d, g, 0, WORKER_QUIET, until))
		return false;
	group_order(g, 0, ORDER_PARK);
	return daemon_wait_group(d, g, 0, WORKER_PARKED, until);
}

/* True when all of them have noticed, so that a later pause does not take old news for new. */
static void resume(struct daemon *d, struct group *g, uint64_t until)
{
	unsigned int i;

	group_lift(g, 0, ORDER_PAUSE | ORDER_PARK);
	for (i = 0; i < g->n; i++)
		while (worker_status(g->worker[i]) != WORKER_SERVING && worker_status(g->worker[i]) < WORKER_DRAINED &&
		       daemon_now() < until)
			daemon_wait(d, daemon_now() + 10000000);
}

/* Take rings away from the workers that go; the others still answer what those have. */
static void drain_surplus(struct daemon *d, struct group *g, unsigned int keep, uint64_t until)
{
	group_drain(g, keep);
	if (!daemon_wait_group(d, g, keep, WORKER_DRAINED, until))
		log_line(LOG_ERR, "group %s: workers that go are not drained in time: their requests follow the group's "
			 "crash policy", g->conf->name);
}

/* With all workers parked: change the handler, end surplus workers, begin new ones. */
static int change_workers(struct change *c, struct conf_error *err)
{
	struct group *g = c->old;
	struct instance *old = g->in;
	unsigned int i, before = g->n;
	int ret;

	if (!c->in) {
		ret = instance_reconfigure(g->in, c->cg, err);
		if (ret) {
			group_set_state(g);
			return ret;
		}
	}
	if (c->cg->workers < before)
		group_end_workers(g, c->cg->workers);
	if (c->in) {
		g->in = c->in;
		c->in = NULL;
		instance_destroy(old);
	}
	for (i = 0; i < c->nadded; i++)
		g->worker[g->n++] = c->added[i];
	c->nadded = 0;
	group_set_state(g);
	if (group_attach(g, before < g->n ? before : g->n, err))
		log_line(LOG_ERR, "%s; trying again", err->text);
	return 0;
}

/* Give workers that stay another ring: the new one is attached first, so requests always have a place to go. */
static void change_rings(struct daemon *d, struct change *c, uint64_t until)
{
	struct group *g = c->old;
	struct worker *w;
	unsigned int i;
	int ret;

	for (i = 0; i < c->nrings; i++) {
		w = g->worker[i];
		ret = sluice_ring_attach(c->rings[i]);
		if (ret) {
			log_line(LOG_ERR, "group %s worker %u keeps its ring: %s", g->conf->name, i, sluice_strerror(ret));
			continue;
		}
		w->next = c->rings[i];
		w->next_config = c->cg->ring;
		c->rings[i] = NULL;
		worker_order(w, ORDER_NEXT);
		pthread_mutex_lock(&w->ring_lock);
		if (w->ring)
			sluice_ring_drain(w->ring);
		pthread_mutex_unlock(&w->ring_lock);
	}
	for (i = 0; i < c->nrings; i++)
		while (atomic_load_explicit(&g->worker[i]->orders, memory_order_acquire) & ORDER_NEXT &&
		       daemon_now() < until)
			daemon_wait(d, daemon_now() + 10000000);
}

static void change_cpus(const struct conf *conf, struct group *g)
{
	unsigned int i;
	int cpu;

	for (i = 0; i < g->n; i++) {
		cpu = group_cpu(conf, g->conf, i);
		if (atomic_exchange_explicit(&g->worker[i]->cpu, cpu, memory_order_relaxed) != cpu)
			worker_order(g->worker[i], ORDER_PIN);
		atomic_store_explicit(&g->worker[i]->spin_us, g->conf->ring.spin_us, memory_order_relaxed);
	}
}

/* Keep serving as before: the group's statement changes places between the two configurations. */
static void keep(struct change *c)
{
	struct conf_group tmp = *c->old->conf;

	*c->old->conf = *c->cg;
	*c->cg = tmp;
	c->old->conf = c->cg;
}

static void apply(struct daemon *d, const struct conf *conf, struct change *c)
{
	uint64_t until = daemon_now() + conf->drain_ns;
	struct group *g = c->old;
	unsigned int before = g->n;
	struct conf_error err;
	int ret = 0;

	if (c->cg->workers < before)
		drain_surplus(d, g, c->cg->workers, until);
	if (c->reconfigure) {
		if (!pause_all(d, g, until)) {
			snprintf(err.text, sizeof(err.text), "%s: group %s: workers do not come to rest in time",
				 c->cg->where, c->cg->name);
			ret = -ETIMEDOUT;
		} else {
			ret = change_workers(c, &err);
		}
		resume(d, g, until);
	}
	if (ret) {
		log_line(LOG_ERR, "%s; the group goes on as it was", err.text);
		/* Those that were drained open rings again. */
		group_lift(g, 0, ORDER_DRAIN);
		keep(c);
		return;
	}
	g->conf = c->cg;
	change_rings(d, c, until);
	log_line(LOG_INFO, "group %s: handler %s, %u worker%s", g->conf->name, g->in->handler.name, g->n,
		 g->n == 1 ? "" : "s");
}

static void remove_group(struct daemon *d, struct group *g, uint64_t until)
{
	if (!daemon_wait_group(d, g, 0, WORKER_DRAINED, until)) {
		log_line(LOG_ERR, "group %s is not drained in time: its requests follow its crash policy", g->conf->name);
		group_order(g, 0, ORDER_ABANDON);
	} else {
		log_line(LOG_INFO, "group %s is served no more", g->conf->name);
	}
	group_destroy(g);
}

static void begin_group(struct group *g)
{
	struct conf_error err;

	if (group_attach(g, 0, &err))
		log_line(LOG_ERR, "%s; trying again", err.text);
	group_lift(g, 0, ORDER_PAUSE | ORDER_PARK);
	log_line(LOG_INFO, "group %s: handler %s, %u worker%s", g->conf->name, g->in->handler.name, g->n,
		 g->n == 1 ? "" : "s");
}

static void commit(struct daemon *d, struct conf *conf, struct change *c)
{
	struct group *gone[CONF_GROUPS_MAX];
	unsigned int i, ngone = 0;
	uint64_t until;

	for (i = 0; i < d->ngroups; i++) {
		if (conf_find(conf, d->group[i]->conf->name))
			continue;
		group_drain(d->group[i], 0);
		gone[ngone++] = d->group[i];
	}
	until = daemon_now() + conf->drain_ns;
	for (i = 0; i < conf->ngroups; i++) {
		if (c[i].old)
			apply(d, conf, &c[i]);
		else
			begin_group(c[i].fresh);
	}
	for (i = 0; i < ngone; i++)
		remove_group(d, gone[i], until);
	for (i = 0; i < conf->ngroups; i++) {
		d->group[i] = c[i].old ? c[i].old : c[i].fresh;
		c[i].fresh = NULL;
		change_cpus(conf, d->group[i]);
	}
	d->ngroups = conf->ngroups;
	give_up(c, conf->ngroups);	/* what was made for a group that stayed as it was */
	conf_free(&d->conf);
	d->conf = *conf;
	log_set_level(d->conf.log_level);
}

void daemon_reload(struct daemon *d)
{
	struct conf_error err;
	struct change *c = NULL;
	unsigned int i, n = 0;
	struct conf conf;
	int ret;

	notify_reloading();
	ret = conf_read(d->path, &conf, &err);
	for (i = 0; !ret && i < conf.ngroups; i++)
		ret = instance_check(&conf.groups[i], &err);
	if (!ret) {
		c = calloc(conf.ngroups, sizeof(*c));
		if (!c) {
			snprintf(err.text, sizeof(err.text), "%s: out of memory", d->path);
			ret = -ENOMEM;
		}
	}
	for (; !ret && n < conf.ngroups; n++) {
		c[n].cg = &conf.groups[n];
		c[n].old = daemon_find(d, c[n].cg->name);
		ret = prepare(d, &conf, &c[n], &err);
	}
	if (ret) {
		log_line(LOG_ERR, "%s", err.text);
		log_line(LOG_ERR, "the configuration stays as it was");
		give_up(c, n);
		conf_free(&conf);
	} else {
		commit(d, &conf, c);
		log_line(LOG_NOTICE, "the configuration has changed");
	}
	free(c);
	notify_ready(d);
}
