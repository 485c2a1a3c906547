// SPDX-License-Identifier: GPL-2.0-only
/* One worker: sends when requests are due, takes what comes back, and settles every request once. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "load/load.h"

#define RECEIVE_BUFFER	(8 << 20)
#define SPIN_NS		(20 * NS_PER_US)	/* gaps shorter than this are not slept through */
#define NAP_MAX_NS	(10 * 1000000ull)	/* so that timeouts are noticed */
#define BASE_NS		(100 * 1000000ull)	/* before the measured time: a look at what was dropped so far */
#define REPLY_MAX	2056
#define EVENTS		32

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

/* A socket connected to the target: its own source port, no address per datagram. fd or -errno. */
int open_socket(const struct options *opt)
{
	int size = RECEIVE_BUFFER;
	int fd, err;

	fd = socket(opt->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* beyond the system's limit if we may; what the limit leaves is enough for most rates */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (connect(fd, (const struct sockaddr *)&opt->addr, opt->addr_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static u32 table_size(const struct options *opt)
{
	u64 need = opt->rate / opt->sockets * (opt->timeout_ns / 1000000 + 100) / 1000 * 2 + 1024;
	u32 size = 1024;

	while (size < need && size < (1u << 22))
		size *= 2;
	/* an id of 16 bits must find its request: never more in flight than ids */
	return opt->proto == &proto_memcached && size > IDS ? IDS : size;
}

static int channel_init(struct worker *w, struct channel *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	c->mask = table_size(w->opt) - 1;
	c->flights = calloc((size_t)c->mask + 1, sizeof(*c->flights));
	if (!c->flights)
		return -ENOMEM;
	c->fd = open_socket(w->opt);
	if (c->fd < 0)
		return c->fd;
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
	w->in_size = opt->size + 64 > REPLY_MAX ? (u32)opt->size + 64 : REPLY_MAX;
	schedule_init(&w->schedule, opt, index);
	rng_init(&w->rng, opt->seed, 2 * index + 1);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return -errno;
	w->channels = calloc(w->nchannels, sizeof(*w->channels));
	w->out = malloc((size_t)BATCH * w->out_size);
	w->in = malloc((size_t)BATCH * w->in_size);
	if (!w->channels || !w->out || !w->in)
		return -ENOMEM;
	for (i = 0; i < w->nchannels; i++)
		w->channels[i].fd = -1;
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
		if (c->fd >= 0)
			close(c->fd);
		free(c->flights);
	}
	if (w->epoll > 0)
		close(w->epoll);
	free(w->channels);
	free(w->out);
	free(w->in);
}

static void settle(struct worker *w, struct flight *f, enum verdict v, u64 now)
{
	u64 latency = now > f->due_ns ? now - f->due_ns : 0;
	u32 bucket = sluice_hist_bucket(latency);

	f->state = FLIGHT_SETTLED;
	assembly_free(f);
	if (!f->counted)
		return;
	if (v == VERDICT_WRONG) {
		COUNT(w->counts.wrong);
	} else if (v == VERDICT_REFUSED) {
		COUNT(w->counts.refused);
		w->counts.refused_latency[bucket]++;
	} else {
		COUNT(w->counts.answered);
		w->counts.latency[bucket]++;
		if (latency > w->counts.max_ns)
			w->counts.max_ns = latency;
	}
}

/* Count as lost what waited longer than the timeout; move the window's start over what is done with. */
static void expire(struct worker *w, struct channel *c, u64 now)
{
	while (c->oldest != c->next_seq) {
		struct flight *f = &c->flights[c->oldest & c->mask];

		if (f->state == FLIGHT_PENDING) {
			if (now < f->due_ns + w->opt->timeout_ns)
				return;
			f->state = FLIGHT_LOST;
			assembly_free(f);
			if (f->counted)
				COUNT(w->counts.lost);
		}
		c->oldest++;
	}
}

/* A reply may be many datagrams: what was lost is counted as late with the first of them. */
static void late_reply(struct worker *w, struct flight *f)
{
	if (!f->counted)
		return;
	if (f->state == FLIGHT_LOST) {
		COUNT(w->counts.late_replies);
		f->state = FLIGHT_LATE;
	} else if (f->state != FLIGHT_LATE) {
		COUNT(w->counts.duplicates);
	}
}

/* A refusal that carries no id is laid to the oldest request of its socket that waits. */
static bool anonymous_refusal(struct worker *w, struct channel *c, const u8 *buf, u32 len, u64 now)
{
	struct flight *f = &c->flights[c->oldest & c->mask];

	if (!w->opt->refused_len || len < w->opt->refused_len || memcmp(buf, w->opt->refused, w->opt->refused_len))
		return false;
	for (; c->oldest != c->next_seq; c->oldest++) {
		f = &c->flights[c->oldest & c->mask];
		if (f->state == FLIGHT_PENDING)
			break;
	}
	if (c->oldest == c->next_seq)
		return false;
	settle(w, f, VERDICT_REFUSED, now);
	return true;
}

static void take(struct worker *w, struct channel *c, const u8 *buf, u32 len, u64 now)
{
	struct flight *f;
	enum verdict v;
	u32 id, mask, seq;

	if (!w->opt->proto->identify(w->opt, buf, len, &id, &mask)) {
		if (!anonymous_refusal(w, c, buf, len, now))
			COUNT(w->counts.strange);
		return;
	}
	/* the latest request that was sent under this id */
	seq = c->next_seq - 1 - ((c->next_seq - 1 - id) & mask);
	f = &c->flights[seq & c->mask];
	if (f->state == FLIGHT_FREE || f->seq != seq) {
		COUNT(w->counts.strange);
		return;
	}
	if (f->state != FLIGHT_PENDING) {
		if (f->state != FLIGHT_SETTLED || !w->opt->proto->more || !w->opt->proto->more(w, f, buf, len))
			late_reply(w, f);
		return;
	}
	if (now >= f->due_ns + w->opt->timeout_ns) {
		/* its time is over; whether the sweep or the reply came first must not matter */
		expire(w, c, now);
		if (f->state == FLIGHT_PENDING) {
			f->state = FLIGHT_LOST;
			assembly_free(f);
			if (f->counted)
				COUNT(w->counts.lost);
		}
		late_reply(w, f);
		return;
	}
	v = w->opt->proto->judge(w, f, buf, len);
	if (v != VERDICT_PARTIAL)
		settle(w, f, v, now);
}

static void receive(struct worker *w, struct channel *c)
{
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	u64 now;
	int i, n;

	memset(msg, 0, sizeof(msg));
	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = w->in + (size_t)i * w->in_size;
		iov[i].iov_len = w->in_size;
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(c->fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)
			COUNT(w->counts.unreachable);
		return;
	}
	now = now_ns();
	for (i = 0; i < n; i++)
		take(w, c, iov[i].iov_base, msg[i].msg_len, now);
}

/* Which of the requests that are due fit: builds up to BATCH of them for one socket. */
static u32 build(struct worker *w, struct channel *c, struct mmsghdr *msg, struct iovec *iov, u64 now)
{
	u32 n = 0;

	while (n < BATCH) {
		u64 due = w->start_ns + (u64)w->schedule.next;
		struct flight *f = &c->flights[c->next_seq & c->mask];

		if (due > now || due >= w->end_ns || c->next_seq - c->oldest > c->mask)
			break;
		assembly_free(f);
		f->seq = c->next_seq++;
		f->due_ns = due;
		f->counted = due >= w->count_from_ns;
		f->state = FLIGHT_PENDING;
		iov[n].iov_base = w->out + (size_t)n * w->out_size;
		iov[n].iov_len = w->opt->proto->build(w, f, iov[n].iov_base);
		msg[n].msg_hdr.msg_iov = &iov[n];
		msg[n].msg_hdr.msg_iovlen = 1;
		if (f->counted)
			COUNT(w->counts.offered);
		schedule_advance(&w->schedule);
		n++;
	}
	return n;
}

static void note_sent(struct worker *w, struct flight *f, bool ok, u64 now)
{
	u64 late = now - f->due_ns;

	if (!ok)
		f->state = FLIGHT_SETTLED;
	if (!f->counted)
		return;
	if (!ok) {
		COUNT(w->counts.unsent);
		return;
	}
	COUNT(w->counts.sent);
	if (late > w->opt->late_ns)
		COUNT(w->counts.late);
	if (late > w->counts.worst_late_ns)
		w->counts.worst_late_ns = late;
}

/* Send what is due from the next socket in turn. Returns whether anything was due. */
static bool send_due(struct worker *w, u64 now)
{
	struct channel *c = &w->channels[w->turn];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	u32 first = c->next_seq;
	u32 done = 0;
	u32 n, i;
	int ret;

	if (w->start_ns + (u64)w->schedule.next > now)
		return false;
	memset(msg, 0, sizeof(msg));
	n = build(w, c, msg, iov, now);
	w->turn = w->turn + 1 == w->nchannels ? 0 : w->turn + 1;
	while (done < n) {
		ret = sendmmsg(c->fd, msg + done, n - done, MSG_DONTWAIT);
		if (ret < 0 && errno == ECONNREFUSED) {
			/* the error belongs to an earlier datagram; reading it cleared it, this one is still to be sent */
			COUNT(w->counts.unreachable);
			continue;
		}
		if (ret < 0 && errno == EINTR)
			continue;
		now = now_ns();
		for (i = 0; i < (ret > 0 ? (u32)ret : 1); i++)
			note_sent(w, &c->flights[(first + done + i) & c->mask], ret > 0, now);
		done += i;
	}
	return n != 0;
}

static void poll_replies(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int i, n;

	n = epoll_wait(w->epoll, events, EVENTS, 0);
	for (i = 0; i < n; i++)
		receive(w, events[i].data.ptr);
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
		expire(w, &w->channels[i], now);
}

/* What was scheduled and could not even be tried before the timeout after the end: ours, not the server's. */
static void give_up(struct worker *w)
{
	for (; w->start_ns + (u64)w->schedule.next < w->end_ns; schedule_advance(&w->schedule)) {
		if (w->start_ns + (u64)w->schedule.next < w->count_from_ns)
			continue;
		COUNT(w->counts.offered);
		COUNT(w->counts.unsent);
	}
}

/* Replies that the kernel dropped because we did not read them in time, since the sockets were opened. */
static u64 drops(const struct worker *w)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < w->nchannels; i++) {
		u32 info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof(info);

		if (!getsockopt(w->channels[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len) &&
		    len > SK_MEMINFO_DROPS * sizeof(u32))
			sum += info[SK_MEMINFO_DROPS];
	}
	return sum;
}

void *worker_run(void *arg)
{
	struct worker *w = arg;
	bool based = false;
	u64 swept = 0;
	u64 now;

	if (w->cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(w->cpu, &set);
		w->err = -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
		if (w->err)
			return NULL;
	}
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	for (;;) {
		bool sending = w->start_ns + (u64)w->schedule.next < w->end_ns;

		now = now_ns();
		if (now - swept > 1000000) {
			expire_all(w, now);
			swept = now;
		}
		if (!based && now + BASE_NS >= w->count_from_ns) {
			/* what the warm-up dropped does not count; a look at many sockets takes a while, so do it early */
			w->drops_before = drops(w);
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
	WRITE_ONCE(w->counts.dropped, drops(w) - w->drops_before);
	return NULL;
}
