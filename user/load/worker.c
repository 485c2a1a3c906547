// SPDX-License-Identifier: GPL-2.0-only
/* One worker: its channels, and the loop that sends when requests are due and takes what comes back. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "load/load.h"

#define SPIN_NS		(20 * NS_PER_US)	/* gaps shorter than this are not slept through */
#define NAP_MAX_NS	(10 * 1000000ull)	/* so that timeouts are noticed */
#define SWEEP_NS	1000000ull
#define SWEEP_CHANNELS	1024			/* looked at in one go: with many, sends must not wait for it */
#define BASE_NS		(100 * 1000000ull)	/* before the measured time: a look at what was dropped so far */
#define EVENTS		32

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

static u32 table_size(const struct options *opt)
{
	u64 need = opt->rate / opt->sockets * (opt->timeout_ns / 1000000 + 100) / 1000 * 2 + opt->transport->table_min;
	u32 size = opt->transport->table_min;

	while (size < need && size < (1u << 22))
		size *= 2;
	/* an id of 16 bits must find its request: never more in flight than ids */
	return opt->proto == &proto_memcached && !opt->tcp && size > IDS ? IDS : size;
}

static int channel_init(struct worker *w, struct channel *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int err;

	c->mask = table_size(w->opt) - 1;
	c->flights = calloc((size_t)c->mask + 1, sizeof(*c->flights));
	if (!c->flights)
		return -ENOMEM;
	err = w->opt->transport->open(w, c);
	if (err)
		return err;
	c->events = event.events;
	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &event) ? -errno : 0;
}

int worker_init(struct worker *w, const struct options *opt, u32 index)
{
	u32 i;
	int err;

	memset(w, 0, sizeof(*w));
	w->opt = opt;
	w->index = index;
	w->cpu = -1;
	w->nchannels = (u32)(opt->sockets / opt->threads + (index < opt->sockets % opt->threads));
	w->out_size = opt->proto->request_max(opt);
	schedule_init(&w->schedule, opt, index);
	rng_init(&w->rng, opt->seed, 2 * index + 1);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return -errno;
	w->channels = calloc(w->nchannels, sizeof(*w->channels));
	for (i = 0; w->channels && i < w->nchannels; i++)
		w->channels[i].fd = -1;
	w->out = malloc((size_t)BATCH * w->out_size);
	w->in = malloc(opt->transport->in_size(w));
	if (!w->channels || !w->out || !w->in)
		return -ENOMEM;
	for (i = 0; i < w->nchannels; i++) {
		err = channel_init(w, &w->channels[i]);
		if (err)
			return err;
	}
	return 0;
}

void worker_fini(struct worker *w)
{
	u32 i, k;

	for (i = 0; w->channels && i < w->nchannels; i++) {
		struct channel *c = &w->channels[i];

		for (k = 0; c->flights && k <= c->mask; k++)
			assembly_free(&c->flights[k]);
		w->opt->transport->close(c);
		free(c->flights);
	}
	if (w->epoll > 0)
		close(w->epoll);
	free(w->channels);
	free(w->out);
	free(w->in);
}

/* Send what is due from the next channel in turn. Returns whether anything was due. */
static bool send_due(struct worker *w, u64 now)
{
	struct channel *c = &w->channels[w->turn];

	if (!request_due(w, now))
		return false;
	w->turn = w->turn + 1 == w->nchannels ? 0 : w->turn + 1;
	return w->opt->transport->send(w, c, now);
}

static void poll_replies(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int i, n;

	n = epoll_wait(w->epoll, events, EVENTS, 0);
	for (i = 0; i < n; i++)
		w->opt->transport->event(w, events[i].data.ptr, events[i].events);
}

/* Sleep until a reply is there or the next request is due. */
static void nap(struct worker *w, u64 now)
{
	u64 next = w->start_ns + (u64)w->schedule.next;
	struct pollfd p = { .fd = w->epoll, .events = POLLIN };
	struct timespec ts = { 0, 0 };
	u64 ns = NAP_MAX_NS;

	if (next < w->end_ns && next < now + NAP_MAX_NS)
		ns = next > now ? next - now : 0;
	if (ns < SPIN_NS)
		return;
	ts.tv_nsec = (long)ns;
	ppoll(&p, 1, &ts, NULL);
}

static bool pending(const struct worker *w)
{
	u32 i;

	for (i = 0; i < w->nchannels; i++) {
		if (w->channels[i].oldest != w->channels[i].next_seq)
			return true;
	}
	return false;
}

static void expire_all(struct worker *w, u64 now)
{
	u32 i;

	for (i = 0; i < w->nchannels; i++)
		request_expire(w, &w->channels[i], now);
}

static void expire_some(struct worker *w, u64 now)
{
	u32 i;

	for (i = 0; i < w->nchannels && i < SWEEP_CHANNELS; i++) {
		request_expire(w, &w->channels[w->sweep], now);
		w->sweep = w->sweep + 1 == w->nchannels ? 0 : w->sweep + 1;
	}
}

/* What was scheduled and could not even be tried before the timeout after the end: ours, not the server's. */
static void give_up(struct worker *w)
{
	while (request_skip(w, U64_MAX, &w->counts.unsent))
		;
}

static int pin(struct worker *w)
{
	cpu_set_t set;

	if (w->cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

void *worker_run(void *arg)
{
	struct worker *w = arg;
	bool based = false;
	u64 swept = 0;
	u64 now;

	w->err = pin(w);
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	while (!w->err) {
		bool sending = w->start_ns + (u64)w->schedule.next < w->end_ns;

		now = now_ns();
		if (now - swept > SWEEP_NS) {
			expire_some(w, now);
			swept = now;
		}
		if (!based && now + BASE_NS >= w->count_from_ns) {
			/* what the warm-up dropped does not count; a look at many sockets takes a while, so do it early */
			w->drops_before = datagram_drops(w);
			based = true;
		}
		if (now >= w->end_ns + w->opt->timeout_ns || (!sending && !pending(w)))
			break;
		if (!(sending && now >= w->start_ns && send_due(w, now)))
			nap(w, now);
		poll_replies(w);
	}
	give_up(w);
	expire_all(w, U64_MAX);
	WRITE_ONCE(w->counts.dropped, datagram_drops(w) - w->drops_before);
	return NULL;
}
