// SPDX-License-Identifier: GPL-2.0-only
/* The main thread: starts groups, waits for signals and workers, feeds the watchdog, drains at the end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

#define SECOND		1000000000ULL
#define STUCK_NS	(2 * SECOND)	/* without a beat: the worker hangs in its handler */

uint64_t daemon_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

unsigned int daemon_workers(const struct daemon *d)
{
	unsigned int i, n = 0;

	for (i = 0; i < d->ngroups; i++)
		n += d->group[i]->n;
	return n;
}

struct group *daemon_find(const struct daemon *d, const char *name)
{
	unsigned int i;

	for (i = 0; i < d->ngroups; i++)
		if (!strcmp(d->group[i]->conf->name, name))
			return d->group[i];
	return NULL;
}

/* ---- waiting ---- */

/* Has every worker that should run moved since the last time? */
static bool all_alive(struct daemon *d)
{
	struct worker *w;
	unsigned int i, k, beats;
	bool alive = true;

	for (i = 0; i < d->ngroups; i++) {
		for (k = 0; k < d->group[i]->n; k++) {
			w = d->group[i]->worker[k];
			beats = atomic_load_explicit(&w->beats, memory_order_relaxed);
			if (beats == w->beats_seen && worker_status(w) != WORKER_PARKED &&
			    worker_status(w) != WORKER_ENDED) {
				log_line(LOG_ERR, "group %s worker %u hangs in its handler", w->group, w->index);
				alive = false;
			}
			w->beats_seen = beats;
		}
	}
	return alive;
}

/* The service manager hears nothing from a daemon one of whose workers hangs, and restarts it. */
static void watch(struct daemon *d)
{
	uint64_t now = daemon_now();

	if (!d->watchdog_ns || now < d->watchdog_at)
		return;
	d->watchdog_at = now + d->watchdog_ns;
	if (all_alive(d))
		notify_watchdog();
}

static void read_signals(struct daemon *d)
{
	struct signalfd_siginfo si;

	while (read(d->signals, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			d->term++;
			break;
		case SIGUSR2:
			d->term++;
			d->replaced_by = si.ssi_pid;
			break;
		case SIGHUP:
			d->hup = true;
			break;
		case SIGUSR1:
			d->usr1 = true;
			break;
		}
	}
}

void daemon_wait(struct daemon *d, uint64_t until)
{
	struct pollfd fds[2] = { { .fd = d->signals, .events = POLLIN }, { .fd = d->done, .events = POLLIN } };
	uint64_t now = daemon_now(), count;
	unsigned int i;
	ssize_t ret;
	int ms;

	if (d->watchdog_ns && d->watchdog_at < until)
		until = d->watchdog_at;
	if (until == UINT64_MAX)
		ms = -1;
	else
		ms = until <= now ? 0 : (until - now) / 1000000 + 1 > 60000 ? 60000 : (until - now) / 1000000 + 1;
	poll(fds, 2, ms);
	ret = read(d->done, &count, sizeof(count));
	(void)ret;	/* EAGAIN: something else woke it */
	read_signals(d);
	watch(d);
	if (!d->usr1)
		return;
	d->usr1 = false;
	for (i = 0; i < d->ngroups; i++)
		group_order(d->group[i], 0, ORDER_STATS);
}

bool daemon_wait_group(struct daemon *d, struct group *g, unsigned int from, enum worker_status status, uint64_t until)
{
	while (group_behind(g, from, status)) {
		if (daemon_now() >= until)
			return false;
		daemon_wait(d, until);
	}
	return true;
}

/* ---- start ---- */

int daemon_start(struct daemon *d)
{
	struct conf_error err;
	struct group *g;
	unsigned int i;

	for (i = 0; i < d->conf.ngroups; i++) {
		if (instance_check(&d->conf.groups[i], &err)) {
			log_line(LOG_ERR, "%s", err.text);
			return EXIT_CONFIG;
		}
	}
	for (i = 0; i < d->conf.ngroups; i++) {
		if (group_create(&g, &d->conf, &d->conf.groups[i], d->done, &err)) {
			log_line(LOG_ERR, "%s", err.text);
			return EXIT_CANNOT_SERVE;
		}
		d->group[d->ngroups++] = g;
	}
	for (i = 0; i < d->ngroups; i++) {
		if (group_attach(d->group[i], 0, &err)) {
			log_line(LOG_ERR, "%s", err.text);
			return EXIT_CANNOT_SERVE;
		}
		g = d->group[i];
		group_lift(g, 0, ORDER_PAUSE | ORDER_PARK);
		log_line(LOG_INFO, "group %s: handler %s, %u worker%s", g->conf->name, g->in->handler.name, g->n,
			 g->n == 1 ? "" : "s");
	}
	return 0;
}

/* ---- end ---- */

static unsigned int left(const struct daemon *d)
{
	unsigned int i, n = 0;

	for (i = 0; i < d->ngroups; i++)
		n += group_behind(d->group[i], 0, WORKER_DRAINED);
	return n;
}

/* Wait for drained workers, saying each second how it goes. A second signal ends the waiting. */
static bool wait_drained(struct daemon *d)
{
	uint64_t until = daemon_now() + d->conf.drain_ns, say = daemon_now() + SECOND;
	unsigned int all = daemon_workers(d);

	while (left(d)) {
		if (daemon_now() >= until || d->term > 1)
			return false;
		daemon_wait(d, say < until ? say : until);
		if (daemon_now() < say)
			continue;
		say += SECOND;
		log_line(LOG_NOTICE, "draining: %u of %u workers are through", all - left(d), all);
		notify_status("draining: %u of %u workers are through", all - left(d), all);
	}
	return true;
}

static int drain(struct daemon *d)
{
	int status = EXIT_FINE;
	unsigned int i;

	if (d->replaced_by)
		log_line(LOG_NOTICE, "process %d serves in place of this one", (int)d->replaced_by);
	log_line(LOG_NOTICE, "draining: %u workers take no more requests", daemon_workers(d));
	notify_stopping(d);
	for (i = 0; i < d->ngroups; i++)
		group_drain(d->group[i], 0);
	if (!wait_drained(d)) {
		log_line(LOG_ERR, "%u of %u workers are not through after %s: their requests follow the groups' crash policy",
			 left(d), daemon_workers(d), d->term > 1 ? "a second signal" : "the drain timeout");
		for (i = 0; i < d->ngroups; i++)
			group_order(d->group[i], 0, ORDER_ABANDON);
		status = EXIT_NOT_DRAINED;
	}
	while (d->ngroups) {
		/* A thread that hangs in its handler cannot be ended but with the process. */
		if (!group_destroy(d->group[--d->ngroups]))
			_exit(EXIT_NOT_DRAINED);
	}
	if (!status)
		log_line(LOG_NOTICE, "drained: every request that was taken is answered");
	return status;
}

int daemon_run(struct daemon *d)
{
	d->watchdog_ns = notify_watchdog_ns();
	/* Workers beat ten times a second: a shorter period would find them at rest. */
	if (d->watchdog_ns && d->watchdog_ns < STUCK_NS / 4)
		d->watchdog_ns = STUCK_NS / 4;
	notify_ready(d);
	log_line(LOG_INFO, "serving");
	while (!d->term) {
		if (d->hup) {
			d->hup = false;
			daemon_reload(d);
		}
		daemon_wait(d, UINT64_MAX);
	}
	return drain(d);
}
