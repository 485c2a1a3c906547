// SPDX-License-Identifier: GPL-2.0-only
/* The worker's thread: takes requests, has them served, answers, sleeps when idle, and gets over the loss of its ring. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "serve.h"

/*
 * One turn: look at the ring (no system call), peek a batch, serve, poll the handler, flush. While turns find something
 * there are no system calls but the kick that a ring without a running kernel thread asks for. A worker that has found
 * nothing for the group's spin time sleeps until the ring, the handler's descriptor, its own event or its clock ends that:
 * in the ring's own sleep, which hands over the last answers too, unless the handler has a descriptor.
 *
 * A ring that is detached or broken is left: the handler first finishes, without a ring, what it has taken; then the
 * ring is closed, which hands what was unanswered to the group's crash policy, and another one is opened, with a pause
 * between attempts that doubles up to five seconds.
 */
#define BATCH		64
#define RETRY_MIN_NS	100000000ULL
#define RETRY_MAX_NS	5000000000ULL
#define SPINS		32		/* turns without a look at the clock */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static unsigned int orders(struct worker *w)
{
	return atomic_load_explicit(&w->orders, memory_order_acquire);
}

static void set_status(struct worker *w, enum worker_status status)
{
	uint64_t one = 1;
	ssize_t ret;

	if (atomic_load_explicit(&w->status, memory_order_relaxed) == status)
		return;
	atomic_store_explicit(&w->status, status, memory_order_release);
	ret = write(w->done, &one, sizeof(one));
	(void)ret;
}

static unsigned int busy(const struct worker *w)
{
	return w->handler->busy ? w->handler->busy(w->state) : 0;
}

/* ---- the ring's life ---- */

static void replace_ring(struct worker *w, struct sluice_ring *ring)
{
	pthread_mutex_lock(&w->ring_lock);
	w->ring = ring;
	pthread_mutex_unlock(&w->ring_lock);
}

static void close_ring(struct worker *w, struct sluice_ring *ring)
{
	struct sluice_ring_stats s;

	sluice_ring_stats(ring, &s);
	w->past.requests += s.requests;
	w->past.expired += s.expired;
	w->past.responses += s.responses;
	w->past.gap += s.gap;
	w->past.kicks += s.kicks;
	nap_forget_ring(&w->nap, ring);
	sluice_ring_close(ring);
}

/* The ring says that it is over. */
static void leave_ring(struct worker *w, int why)
{
	struct sluice_ring *ring = w->ring;
	bool meant = why == -ESHUTDOWN && orders(w) & (ORDER_DRAIN | ORDER_NEXT);

	if (!meant)
		log_line(LOG_WARNING, "group %s worker %u: %s; opening another", w->group, w->index,
			 why == -EPROTO ? "its ring broke" : "its ring was detached");
	replace_ring(w, NULL);
	w->dead = ring;
	w->retry_ns = RETRY_MIN_NS;
	w->retry_at = 0;
	w->last_error = 0;
}

static void take_next(struct worker *w)
{
	w->config = w->next_config;
	w->config.group = w->group;
	replace_ring(w, w->next);
	w->next = NULL;
	atomic_fetch_and_explicit(&w->orders, ~ORDER_NEXT, memory_order_acq_rel);
	log_line(LOG_DEBUG, "group %s worker %u: serves ring %u", w->group, w->index, sluice_ring_id(w->ring));
}

static void reopen(struct worker *w, uint64_t now)
{
	struct sluice_ring *ring;
	int ret = sluice_ring_open(&ring, &w->config);

	if (!ret) {
		ret = sluice_ring_attach(ring);
		if (ret)
			sluice_ring_close(ring);
	}
	if (!ret) {
		w->reopened++;
		replace_ring(w, ring);
		/* A drain that was ordered meanwhile found no ring to drain. */
		if (orders(w) & ORDER_DRAIN)
			sluice_ring_drain(ring);
		log_line(LOG_NOTICE, "group %s worker %u: serves again, ring %u", w->group, w->index,
			 sluice_ring_id(ring));
		return;
	}
	if (ret != w->last_error)
		log_line(LOG_ERR, "group %s worker %u: cannot open a ring: %s; trying again", w->group, w->index,
			 sluice_strerror(ret));
	w->last_error = ret;
	w->retry_at = now + w->retry_ns;
	w->retry_ns = w->retry_ns * 2 > RETRY_MAX_NS ? RETRY_MAX_NS : w->retry_ns * 2;
}

/* ---- sleeping ---- */

static int handler_fd(const struct worker *w)
{
	return w->handler->fd ? w->handler->fd(w->state) : -1;
}

/* Sleep for @ms, -1: until the next tick, or until something comes; without a ring, or with the handler's descriptor. */
static void nap(struct worker *w, struct sluice_ring *ring, int ms)
{
	int ret = ring ? sluice_ring_sleep(ring) : 0;
	uint64_t count;
	ssize_t n;

	if (ret < 0)
		leave_ring(w, ret);
	if (ret)
		return;
	w->sleeps++;
	w->ticked = false;
	if (nap_sleep(&w->nap, ring, handler_fd(w), ms, &w->ticked)) {
		n = read(w->event, &count, sizeof(count));
		(void)n;
	}
	if (ring)
		sluice_ring_wake(ring);
}

/* The same in the ring's own sleep, of which it is not known whether time has passed. */
static void nap_in_ring(struct worker *w, int ms)
{
	int ret = sluice_ring_nap(w->ring, ms < 0 ? WORKER_TICK_MS : ms);

	w->sleeps++;
	w->woken = ret > 0;
	w->ticked = !w->woken;
	if (ret == -ESHUTDOWN || ret == -EPROTO)
		leave_ring(w, ret);
}

/* Sleep for @ms at most, -1: until the next tick; a handler may want less, or none. */
static void go_to_sleep(struct worker *w, struct sluice_ring *ring, int ms)
{
	int state = w->handler->sleep ? w->handler->sleep(w->state) : 0;

	/* whoever does not sleep does not hear the clock */
	w->ticked = true;
	if (state > 0) {
		if (ring)
			sluice_ring_flush(ring);
		return;
	}
	if (state < 0)
		ms = 1;
	if (ring && handler_fd(w) < 0)
		nap_in_ring(w, ms);
	else
		nap(w, ring, ms);
	if (w->handler->wake)
		w->handler->wake(w->state);
}

/* ms from @now to @until, rounded up; -1: until the next tick, which is not later. */
static int ms_until(const struct worker *w, uint64_t now, uint64_t until)
{
	if (until >= w->next_tick)
		return -1;
	return until > now ? (int)((until - now + 999999) / 1000000) : 0;
}

static void tick(struct worker *w, uint64_t now)
{
	/* the clock that ends a sleep for it keeps a time of its own */
	if (now + WORKER_TICK_NS / 10 < w->next_tick)
		return;
	w->next_tick = now + WORKER_TICK_NS;
	if (w->ring)
		sluice_ring_flush(w->ring);
	atomic_fetch_add_explicit(&w->beats, 1, memory_order_relaxed);
	if (w->handler->tick)
		w->handler->tick(w->state, now);
}

/* ---- orders ---- */

static void log_stats(struct worker *w)
{
	struct sluice_ring_stats s = { 0 };
	char text[512] = "";

	if (w->ring)
		sluice_ring_stats(w->ring, &s);
	if (w->handler->stats)
		w->handler->stats(w->state, text, sizeof(text));
	log_line(LOG_NOTICE, "group %s worker %u: ring %d, %llu requests, %llu expired, %llu responses, %llu missed, "
		 "%llu kicks, %llu sleeps, %llu times reopened%s%s", w->group, w->index,
		 w->ring ? (int)sluice_ring_id(w->ring) : -1,
		 (unsigned long long)(w->past.requests + s.requests), (unsigned long long)(w->past.expired + s.expired),
		 (unsigned long long)(w->past.responses + s.responses), (unsigned long long)(w->past.gap + s.gap),
		 (unsigned long long)(w->past.kicks + s.kicks), (unsigned long long)w->sleeps,
		 (unsigned long long)w->reopened, *text ? "; " : "", text);
}

static void pin(struct worker *w)
{
	int cpu = atomic_load_explicit(&w->cpu, memory_order_relaxed);
	cpu_set_t set;
	int ret;

	CPU_ZERO(&set);
	if (cpu < 0) {
		/* The main thread is never pinned: its set is what the process may use. */
		sched_getaffinity(getpid(), sizeof(set), &set);
	} else {
		CPU_SET(cpu, &set);
	}
	ret = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	if (ret)
		log_line(LOG_WARNING, "group %s worker %u: cannot run on processor %d: %s", w->group, w->index, cpu,
			 strerror(ret));
}

static void park(struct worker *w)
{
	struct pollfd fd = { .fd = w->event, .events = POLLIN };
	uint64_t count;
	ssize_t ret;

	/* both may be others afterwards */
	nap_forget_ring(&w->nap, w->nap.ring);
	nap_forget_handler(&w->nap);
	set_status(w, WORKER_PARKED);
	while ((orders(w) & (ORDER_PARK | ORDER_END | ORDER_ABANDON)) == ORDER_PARK) {
		poll(&fd, 1, -1);
		ret = read(w->event, &count, sizeof(count));
		(void)ret;
	}
}

/* True: leave. */
static bool obey(struct worker *w, unsigned int o)
{
	if (w->ring)
		sluice_ring_flush(w->ring);
	if (o & ORDER_STATS) {
		atomic_fetch_and_explicit(&w->orders, ~ORDER_STATS, memory_order_acq_rel);
		log_stats(w);
	}
	if (o & ORDER_PIN) {
		atomic_fetch_and_explicit(&w->orders, ~ORDER_PIN, memory_order_acq_rel);
		pin(w);
	}
	if (o & (ORDER_ABANDON | ORDER_END))
		return true;
	if (o & ORDER_PARK) {
		park(w);
		return orders(w) & (ORDER_END | ORDER_ABANDON);
	}
	if (o & ORDER_PAUSE) {
		if (!busy(w))
			set_status(w, WORKER_QUIET);
	} else if (o & ORDER_DRAIN && !w->ring && !w->dead && !w->next && !busy(w)) {
		set_status(w, WORKER_DRAINED);
	} else {
		set_status(w, WORKER_SERVING);
	}
	return false;
}

/* ---- turns ---- */

/* A turn without a ring. */
static void turn_without(struct worker *w, unsigned int o)
{
	uint64_t now = now_ns(), until;
	unsigned int did;

	did = w->handler->poll ? w->handler->poll(w->state, NULL) : 0;
	tick(w, now);
	if (w->dead && !busy(w)) {
		close_ring(w, w->dead);
		w->dead = NULL;
		did = 1;
	}
	if (!w->dead && w->next) {
		take_next(w);
		return;
	}
	if (!w->dead && !(o & ORDER_DRAIN) && now >= w->retry_at) {
		reopen(w, now);
		return;
	}
	if (did)
		return;
	until = w->next_tick;
	if (!(o & ORDER_DRAIN) && w->retry_at > now && w->retry_at < until)
		until = w->retry_at;
	go_to_sleep(w, NULL, w->dead ? 1 : ms_until(w, now, until));
}

/* Answer what is answered, and see whether the ring is over. False: it is, and is left. */
static bool look_at_ring(struct worker *w)
{
	int ret = sluice_ring_wait(w->ring, 0);

	if (ret < 0)
		leave_ring(w, ret);
	return ret >= 0;
}

static uint32_t spin_us(struct worker *w)
{
	return atomic_load_explicit(&w->spin_us, memory_order_relaxed);
}

/*
 * Whether finding nothing in the next turn sends it to sleep in its ring, which hands over what was answered in this one. Not
 * if the handler holds requests: it may go on with them as soon as the kernel has taken other answers.
 */
static bool soon_asleep(struct worker *w)
{
	return handler_fd(w) < 0 && !busy(w) && (!spin_us(w) || (spin_us(w) != UINT32_MAX && spin_failed(&w->spin)));
}

static void idle(struct worker *w, bool paused)
{
	uint64_t now, spin_ns;

	/* woken for requests that were not to be served: that too goes on for long */
	w->ticked |= w->woken;
	w->woken = false;
	if (!spin_us(w) && !paused && !w->ticked) {
		go_to_sleep(w, w->ring, -1);
		return;
	}
	if ((w->idle_since || paused) && !look_at_ring(w))
		return;
	relax();
	if (w->idle_since && ++w->turns % SPINS)
		return;
	now = now_ns();
	w->ticked = false;
	tick(w, now);
	spin_ns = spin_us(w) == UINT32_MAX ? UINT64_MAX : spin_us(w) * 1000ULL;
	if (!w->idle_since) {
		w->idle_since = now;
		w->spinning = !paused && (spin_us(w) == UINT32_MAX || spin_pays(&w->spin));
	}
	if (w->spinning && now - w->idle_since < spin_ns && !paused) {
		sluice_ring_flush(w->ring);
		return;
	}
	if (w->spinning)
		spin_ended(&w->spin, false);
	w->spinning = false;
	/* A paused worker does not look at its ring: requests that wait there would not let it sleep. */
	go_to_sleep(w, paused ? NULL : w->ring, paused && busy(w) ? 1 : -1);
}

static void turn(struct worker *w, unsigned int o)
{
	struct sluice_request req[BATCH];
	bool paused = o & ORDER_PAUSE;
	unsigned int did = 0;
	int n = paused ? 0 : sluice_ring_peek(w->ring, req, BATCH);

	if (n < 0) {
		leave_ring(w, n);
		return;
	}
	if (n) {
		sluice_ring_flush(w->ring);
		w->handler->serve(w->state, w->ring, req, n);
	}
	if (w->handler->poll)
		did = w->handler->poll(w->state, w->ring);
	if (!n && !did) {
		idle(w, paused);
		return;
	}
	w->woken = false;
	if ((did || n == BATCH || !soon_asleep(w)) && !look_at_ring(w))
		return;
	if (w->idle_since && w->spinning)
		spin_ended(&w->spin, true);
	w->idle_since = 0;
	tick(w, n > 0 ? sluice_ring_now(w->ring) : now_ns());
}

void *serve_main(void *worker)
{
	struct worker *w = worker;
	unsigned int o;
	char name[16];

	/* The kernel keeps 15 characters. */
	snprintf(name, sizeof(name), "%.10s/%u", w->group, w->index % 10000);
	pthread_setname_np(pthread_self(), name);
	pin(w);
	for (;;) {
		o = orders(w);
		if (o) {
			if (obey(w, o))
				break;
		} else if (atomic_load_explicit(&w->status, memory_order_relaxed) != WORKER_SERVING) {
			set_status(w, WORKER_SERVING);
		}
		if (w->ring)
			turn(w, o);
		else
			turn_without(w, o);
	}
	set_status(w, WORKER_ENDED);
	return NULL;
}
