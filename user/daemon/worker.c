// SPDX-License-Identifier: GPL-2.0-only
/* Workers as the main thread sees them: made, given orders, drained, joined. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "serve.h"

int worker_create(struct worker **out, const struct conf_group *g, unsigned int index, int cpu, int done)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = w->event < 0 ? -errno : nap_open(&w->nap, w->event, WORKER_TICK_NS);
	if (err) {
		if (w->event >= 0)
			close(w->event);
		free(w);
		return err;
	}
	atomic_init(&w->orders, ORDER_PAUSE | ORDER_PARK);
	atomic_init(&w->status, WORKER_PARKED);
	pthread_mutex_init(&w->ring_lock, NULL);
	snprintf(w->group, sizeof(w->group), "%s", g->name);
	w->index = index;
	w->config = g->ring;
	w->config.group = w->group;
	atomic_init(&w->cpu, cpu);
	atomic_init(&w->spin_us, g->ring.spin_us);
	w->done = done;
	*out = w;
	return 0;
}

int worker_open(struct sluice_ring **ring, const struct conf_group *g, struct conf_error *err)
{
	int ret = sluice_ring_open(ring, &g->ring);

	if (ret)
		snprintf(err->text, sizeof(err->text), "%s: group %s: cannot open a ring: %s", g->where, g->name,
			 sluice_strerror(ret));
	return ret;
}

int worker_start(struct worker *w)
{
	int ret = pthread_create(&w->thread, NULL, serve_main, w);

	w->running = !ret;
	return -ret;
}

/* Its orders have changed: it shall look at them, wherever it sleeps. */
static void call(struct worker *w)
{
	uint64_t one = 1;
	ssize_t ret;

	ret = write(w->event, &one, sizeof(one));
	(void)ret;	/* EAGAIN: it is readable already */
	pthread_mutex_lock(&w->ring_lock);
	if (w->ring)
		sluice_ring_interrupt(w->ring);
	pthread_mutex_unlock(&w->ring_lock);
}

void worker_order(struct worker *w, unsigned int orders)
{
	atomic_fetch_or_explicit(&w->orders, orders, memory_order_acq_rel);
	call(w);
}

void worker_lift(struct worker *w, unsigned int orders)
{
	atomic_fetch_and_explicit(&w->orders, ~orders, memory_order_acq_rel);
	call(w);
}

void worker_drain(struct worker *w)
{
	int ret;

	/* First the order: a ring that breaks from here on is not opened again. */
	worker_order(w, ORDER_DRAIN);
	pthread_mutex_lock(&w->ring_lock);
	ret = w->ring ? sluice_ring_drain(w->ring) : 0;
	pthread_mutex_unlock(&w->ring_lock);
	if (ret)
		log_line(LOG_DEBUG, "group %s worker %u: drain: %s", w->group, w->index, sluice_strerror(ret));
}

bool worker_destroy(struct worker *w, unsigned int wait_ms)
{
	struct timespec until;

	if (!w)
		return true;
	if (w->running) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += wait_ms / 1000;
		until.tv_nsec += wait_ms % 1000 * 1000000L;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (pthread_timedjoin_np(w->thread, NULL, &until))
			return false;
	}
	sluice_ring_close(w->ring);
	sluice_ring_close(w->next);
	sluice_ring_close(w->dead);
	nap_close(&w->nap);
	close(w->event);
	pthread_mutex_destroy(&w->ring_lock);
	free(w);
	return true;
}
