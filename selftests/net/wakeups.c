// SPDX-License-Identifier: GPL-2.0-only
/* No wake-up is lost: one request at a time to a consumer that sleeps in between, in every way it can, very often. */
#include <signal.h>
#include <sluice/sluice.h>
#include <sys/epoll.h>

#include "rig.h"

#define ROUNDS 600
#define MANY   3000 /* requests, of which 4 are on their way at any time */
#define NAP    (1U << 31)

FIXTURE(wakeups)
{
	int c;
};

FIXTURE_SETUP(wakeups)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g target 1h"));
	ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT));
	self->c = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(wakeups)
{
	EXPECT_TRUE(ledger_closed());
}

FIXTURE_VARIANT(wakeups)
{
	enum sluice_tx tx;
	uint32_t how; /* 0: sluice_ring_wait(); NAP: sluice_ring_nap(); else epoll, with these events */
};

FIXTURE_VARIANT_ADD(wakeups, wait_kick) { .tx = SLUICE_TX_KICK };
FIXTURE_VARIANT_ADD(wakeups, wait_adaptive) { .tx = SLUICE_TX_ADAPTIVE };
FIXTURE_VARIANT_ADD(wakeups, wait_thread) { .tx = SLUICE_TX_THREAD };
FIXTURE_VARIANT_ADD(wakeups, nap_kick) { .tx = SLUICE_TX_KICK, .how = NAP };
FIXTURE_VARIANT_ADD(wakeups, nap_adaptive) { .tx = SLUICE_TX_ADAPTIVE, .how = NAP };
FIXTURE_VARIANT_ADD(wakeups, nap_thread) { .tx = SLUICE_TX_THREAD, .how = NAP };
FIXTURE_VARIANT_ADD(wakeups, epoll_level) { .tx = SLUICE_TX_KICK, .how = EPOLLIN };
FIXTURE_VARIANT_ADD(wakeups, epoll_edge) { .tx = SLUICE_TX_ADAPTIVE, .how = EPOLLIN | EPOLLET };
FIXTURE_VARIANT_ADD(wakeups, epoll_edge_kick) { .tx = SLUICE_TX_KICK, .how = EPOLLIN | EPOLLET };

struct consumer {
	struct sluice_ring *ring;
	uint32_t how;
	int epoll;
	int err;
	int requests; /* it serves so many */
};

/* Sleep until something is there; without a time limit, so that a lost wake-up shows. */
static int sleep_for_one(struct consumer *c)
{
	struct epoll_event event;
	int ret;

	if (c->how == NAP)
		return sluice_ring_nap(c->ring, -1);
	if (!c->how)
		return sluice_ring_wait(c->ring, -1);
	ret = sluice_ring_sleep(c->ring);
	if (ret)
		return ret;
	if (epoll_wait(c->epoll, &event, 1, -1) < 0)
		return -errno;
	sluice_ring_wake(c->ring);
	return 0;
}

static void *serve(void *arg)
{
	struct sluice_request req[4];
	struct consumer *c = arg;
	int i, n, served = 0;

	while (served < c->requests) {
		c->err = sleep_for_one(c);
		if (c->err < 0)
			return NULL;
		n = sluice_ring_peek(c->ring, req, 4);
		for (i = 0; i < n; i++)
			sluice_respond(c->ring, &req[i], req[i].len);
		served += n > 0 ? n : 0;
	}
	c->err = sluice_ring_flush(c->ring);
	return NULL;
}

/* A ring for @c, and an epoll if @how has its events. Return: 0 or -errno. */
static int attach(struct consumer *c, enum sluice_tx tx, uint32_t how)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "g", .tx = tx, .spin_us = 1, .tx_idle_us = 50 };
	struct epoll_event event = { .events = how };
	int err = sluice_ring_open(&c->ring, &config);

	c->how = how;
	if (!err)
		err = sluice_ring_attach(c->ring);
	if (err || !how || how == NAP)
		return err;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, sluice_ring_fd(c->ring), &event) ? -errno : 0;
}

TEST_F(wakeups, none_is_lost)
{
	struct consumer c = { .epoll = -1, .requests = ROUNDS };
	unsigned int seed = 1;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, attach(&c, variant->tx, variant->how));
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve, &c));
	for (i = 0; i < ROUNDS; i++) {
		struct timespec pause = { .tv_nsec = rand_r(&seed) % 100000 };

		ASSERT_EQ(4, say(self->c, "wake"));
		/* one that is lost is lost for ever: time for a busy host takes nothing from the test */
		ASSERT_TRUE(hears(self->c, "wake") || hears(self->c, "wake") || hears(self->c, "wake") ||
			    hears(self->c, "wake") || hears(self->c, "wake")) {
			TH_LOG("round %d: no answer within 100 s; the consumer's error: %d", i, c.err);
			run("sluice ring show; sluice stats listener");
		}
		/* now and then meet the consumer just as it goes to sleep, now and then asleep */
		if (i % 3)
			nanosleep(&pause, NULL);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.err);
	EXPECT_EQ(ROUNDS, outcome("answered"));
	sluice_ring_close(c.ring);
}

/*
 * A consumer that finds a request by itself goes to sleep again while its wake-up is still on its way, and the next request
 * comes.
 */
TEST_F(wakeups, none_is_lost_among_many)
{
	struct consumer c = { .epoll = -1, .requests = MANY };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, attach(&c, variant->tx, variant->how));
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve, &c));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(4, say(self->c, "wake"));
	for (i = 0; i < MANY; i++) {
		ASSERT_TRUE(hears(self->c, "wake"))
			TH_LOG("reply %d does not come; the consumer's error: %d", i, c.err);
		if (i < MANY - 4)
			ASSERT_EQ(4, say(self->c, "wake"));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.err);
	EXPECT_EQ(MANY, outcome("answered"));
	sluice_ring_close(c.ring);
}

static void *sleep_once(void *arg)
{
	struct consumer *c = arg;
	int err;

	do
		err = sleep_for_one(c);
	while (!err && sluice_ring_wait(c->ring, 0) >= 0);
	__atomic_store_n(&c->err, err ?: -ESHUTDOWN, __ATOMIC_RELEASE);
	return NULL;
}

/* An administrator's drain reaches a consumer that sleeps without a time limit. */
TEST_F(wakeups, a_drain_ends_a_sleep)
{
	struct consumer c = { .epoll = -1 };
	pthread_t thread;

	ASSERT_EQ(0, attach(&c, variant->tx, variant->how & ~NAP ? variant->how | EPOLLRDHUP : variant->how));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_once, &c));
	usleep(200000);
	EXPECT_EQ(0, __atomic_load_n(&c.err, __ATOMIC_ACQUIRE));
	EXPECT_EQ(0, run("sluice ring set %u drain on", sluice_ring_id(c.ring)));
	ASSERT_TRUE(until(__atomic_load_n(&c.err, __ATOMIC_ACQUIRE)));
	EXPECT_EQ(-ESHUTDOWN, c.err);
	pthread_join(thread, NULL);
	sluice_ring_close(c.ring);
}

/* ---- how a sleep in the ring ends ---- */

FIXTURE(sleeper)
{
	struct consumer c;
	int client;
};

FIXTURE_SETUP(sleeper)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g target 1h"));
	ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT));
	self->client = client(AF_INET, RIG_PORT, 0);
	ASSERT_EQ(0, attach(&self->c, SLUICE_TX_KICK, NAP));
}

FIXTURE_TEARDOWN(sleeper)
{
	sluice_ring_close(self->c.ring);
	EXPECT_TRUE(ledger_closed());
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void *sleep_thrice(void *arg)
{
	struct consumer *c = arg;
	int i;

	for (i = 0; i < 3; i++) {
		c->err = i % 2 ? sluice_ring_nap(c->ring, -1) : sluice_ring_wait(c->ring, -1);
		__atomic_fetch_add(&c->requests, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST_F(sleeper, answers_leave_with_the_call_that_sleeps)
{
	struct sluice_ring_stats stats;
	struct sluice_request req;

	ASSERT_EQ(3, say(self->client, "one"));
	ASSERT_EQ(1, sluice_ring_wait(self->c.ring, 20000));
	ASSERT_EQ(1, sluice_ring_peek(self->c.ring, &req, 1));
	ASSERT_EQ(0, sluice_respond(self->c.ring, &req, req.len));
	EXPECT_TRUE(silent(self->client));
	EXPECT_EQ(0, sluice_ring_nap(self->c.ring, 1));
	EXPECT_TRUE(hears(self->client, "one"));
	sluice_ring_stats(self->c.ring, &stats);
	EXPECT_EQ(1U, stats.kicks);
}

TEST_F(sleeper, another_thread_ends_a_sleep_and_the_next_one)
{
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_thrice, &self->c));
	for (i = 1; i <= 3; i++) {
		/* asleep or on its way: it makes no difference */
		usleep(i * 20000);
		EXPECT_EQ(0, sluice_ring_interrupt(self->c.ring));
		ASSERT_TRUE(until(__atomic_load_n(&self->c.requests, __ATOMIC_ACQUIRE) == i));
		EXPECT_EQ(0, self->c.err);
	}
	pthread_join(thread, NULL);
}

/* The timer of a short sleep that a request ended goes off in a longer one, which sleeps on. */
TEST_F(sleeper, a_sleep_does_not_end_before_its_time)
{
	struct sluice_request req;
	uint64_t start;

	ASSERT_EQ(3, say(self->client, "one"));
	ASSERT_EQ(1, sluice_ring_wait(self->c.ring, 50));
	ASSERT_EQ(1, sluice_ring_peek(self->c.ring, &req, 1));
	ASSERT_EQ(0, sluice_respond(self->c.ring, &req, req.len));
	sluice_ring_nap(self->c.ring, 30);
	start = now_ms();
	EXPECT_EQ(0, sluice_ring_wait(self->c.ring, 20));
	EXPECT_GE(now_ms(), start + 19);
	start = now_ms();
	EXPECT_EQ(0, sluice_ring_wait(self->c.ring, 200));
	EXPECT_GE(now_ms(), start + 199);
}

static void nothing(int signal)
{
}

TEST_F(sleeper, a_signal_with_a_handler_ends_a_sleep)
{
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct consumer *c = &self->c;
	pthread_t thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_thrice, c));
	while (__atomic_load_n(&c->requests, __ATOMIC_ACQUIRE) < 1) {
		usleep(10000);
		pthread_kill(thread, SIGUSR1);
	}
	EXPECT_EQ(-EINTR, c->err);
	while (__atomic_load_n(&c->requests, __ATOMIC_ACQUIRE) < 3) {
		usleep(10000);
		sluice_ring_interrupt(c->ring);
	}
	pthread_join(thread, NULL);
}

/* With requests in its hands a consumer hears once that its ring drains, and can sleep on. */
TEST_F(sleeper, a_drain_is_told_once)
{
	struct sluice_request req;
	int i, ended = 0;

	ASSERT_EQ(3, say(self->client, "one"));
	ASSERT_EQ(1, sluice_ring_wait(self->c.ring, 20000));
	ASSERT_EQ(1, sluice_ring_peek(self->c.ring, &req, 1));
	ASSERT_EQ(0, run("sluice ring set %u drain on", sluice_ring_id(self->c.ring)));
	for (i = 0; i < 10; i++)
		ended += ioctl(sluice_ring_fd(self->c.ring), SLUICE_IOC_WAIT, 1000) == SLUICE_WAIT_READY;
	EXPECT_EQ(1, ended);
	EXPECT_EQ(0, sluice_ring_wait(self->c.ring, -1));
	ASSERT_EQ(0, sluice_respond(self->c.ring, &req, req.len));
	EXPECT_EQ(-ESHUTDOWN, sluice_ring_nap(self->c.ring, -1));
	EXPECT_TRUE(hears(self->client, "one"));
}

/* An administrator deletes the ring under a consumer that sleeps without a time limit. */
TEST_F(sleeper, a_ring_that_is_taken_away_ends_a_sleep)
{
	struct consumer *c = &self->c;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_once, c));
	usleep(200000);
	EXPECT_EQ(0, __atomic_load_n(&c->err, __ATOMIC_ACQUIRE));
	EXPECT_EQ(0, run("sluice ring del %u", sluice_ring_id(c->ring)));
	ASSERT_TRUE(until(__atomic_load_n(&c->err, __ATOMIC_ACQUIRE)));
	EXPECT_EQ(-ESHUTDOWN, c->err);
	pthread_join(thread, NULL);
}

TEST_F(sleeper, what_cannot_be_slept_on_is_refused)
{
	struct ring r;
	int fd = open("/dev/sluice", O_RDWR | O_CLOEXEC);

	EXPECT_EQ(-1, ioctl(fd, SLUICE_IOC_WAIT, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(fd, SLUICE_IOC_INTERRUPT));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
	ASSERT_EQ(0, ring_open(&r, "g"));
	/* a tail that cannot be breaks the ring, in the call that would sleep */
	__atomic_store_n(r.resp_tail, 1U << 30, __ATOMIC_RELEASE);
	EXPECT_EQ(-1, ioctl(r.fd, SLUICE_IOC_WAIT, 0));
	EXPECT_EQ(EPROTO, errno);
	EXPECT_EQ(-1, ioctl(r.fd, SLUICE_IOC_WAIT, 0));
	ring_close(&r);
}

TEST_HARNESS_MAIN
