// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the exchange of requests and responses by two threads over core/ring.h and core/slots.h, as kernel and consumer
 * do it. Built with the thread sanitizer, once for each barrier weakened (SLUICE_WEAKEN); test_ring runs them all.
 *
 * usage: ring_exchange REQUESTS; exit status 0, 1 after a wrong byte or a standstill, 66 after a race
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../kmod/core/ring.h"
#include "../../kmod/core/slots.h"

#define SLOTS		64
#define QUEUE		64	/* request queue; as many as slots */
#define RESPONSES	4	/* few, so that the consumer often waits for space */
#define WORDS		8	/* payload of a slot */
#define PERIOD		1000	/* each so many requests one side is made to sleep */
#define NEED_KICK	1
#define MORE		1
#define SPINS		200
#define BOUND_MS	60000	/* for a wait that must end at once */

struct response {
	u32 slot;
	u32 data;
	u32 len;
	u16 gen;
	u16 flags;
};

/* The mapped pages. Indices are shared through ring.h only; all else is plain memory, and the sanitizer's prey. */
static struct {
	u32 req_tail __attribute__((aligned(64)));
	u32 resp_head;
	u32 state;
	u32 resp_tail __attribute__((aligned(64)));
	u32 need_wakeup;
	u32 queue[QUEUE];
	struct response responses[RESPONSES];
	u64 payload[SLOTS + RESPONSES][WORDS];
	u16 gen[SLOTS];	/* in the slot's header in the real ring */
	u64 set_up;	/* plain: what a call of the consumer must not see before the flag */
	u32 set_up_done;
} ring;

static struct sluice_slots slots;
static u64 total;
static int to_consumer, to_kernel;
static u64 sleeps, wakes, naps, kicks;

static void die(const char *what, u64 at)
{
	fprintf(stderr, "ring_exchange: %s at request %llu\n", what, (unsigned long long)at);
	_exit(1);
}

static void signal_event(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("event write failed", 0);
}

static void wait_event(int fd, u64 at)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	u64 count;

	if (poll(&pfd, 1, BOUND_MS) != 1)
		die("sleeper was not woken", at);
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		die("event read failed", at);
}

/* Yield until the other side has set a flag, which it must do of itself. */
static void await_flag(const u32 *flag, const char *what, u64 at)
{
	u64 turns;

	for (turns = 0; !READ_ONCE(*flag); turns++) {
		if (turns > 20000000)
			die(what, at);
		sched_yield();
	}
}

static void fill(u64 *words, u64 seed)
{
	u32 i;

	for (i = 0; i < WORDS; i++)
		words[i] = seed + i;
}

static void check(const u64 *words, u64 seed, const char *what)
{
	u32 i;

	for (i = 0; i < WORDS; i++)
		if (words[i] != seed + i)
			die(what, seed);
}

/* ---- kernel ---- */

static u32 kernel_tail, kernel_head, woken;
static u64 published, answered, pieces;

static bool publish_one(void)
{
	u32 slot, ticket;

	if (published == total)
		return false;
	if (published % PERIOD == 0) {
		if (answered != published)
			return false;
		await_flag(&ring.need_wakeup, "consumer did not go to sleep", published);
	}
	slot = sluice_slots_reserve(&slots, 1);
	if (slot == SLUICE_SLOTS_NONE)
		return false;
	fill(ring.payload[slot], published);
	ring.gen[slot] = slots.gen[slot];
	published++;
	sluice_slots_publish(&slots, slot);
	sluice_rq_push(ring.queue, QUEUE - 1, &ring.req_tail, &kernel_tail, slot);
	ticket = sluice_rq_wake_ticket(&ring.need_wakeup);
	if (ticket && ticket != woken) {
		woken = ticket;
		wakes++;
		signal_event(to_consumer);
	}
	return true;
}

static void take_response(const struct response *r)
{
	if (sluice_slots_check(&slots, r->slot, r->gen, r->data, r->len) != SLUICE_VERDICT_OK)
		die("answer was not accepted", answered);
	check(ring.payload[r->data], ~answered - pieces, "wrong reply");
	if (r->flags & MORE) {
		pieces++;
		return;
	}
	pieces = 0;
	answered++;
	sluice_slots_answer(&slots, r->slot);
	sluice_slots_free(&slots, r->slot);
}

static u32 take_responses(void)
{
	u32 n, i;

	if (!sluice_resp_ready(&ring.resp_tail, kernel_head, RESPONSES, &n))
		die("impossible tail", answered);
	for (i = 0; i < n; i++)
		take_response(&ring.responses[kernel_head++ % RESPONSES]);
	if (n)
		sluice_resp_release(&ring.resp_head, kernel_head);
	return n;
}

static void *kernel(void *unused)
{
	u32 idle = 0;

	ring.set_up = total;
	sluice_flag_set(&ring.set_up_done);
	while (answered < total) {
		if (take_responses() | publish_one()) {
			idle = 0;
			continue;
		}
		sched_yield();
		if (++idle < SPINS)
			continue;
		idle = 0;
		sluice_state_ask_kick(&ring.state, NEED_KICK);
		if (!take_responses()) {
			naps++;
			wait_event(to_kernel, answered);
		}
		WRITE_ONCE(ring.state, 0);
	}
	return unused;
}

/* ---- consumer ---- */

static u32 consumer_head, consumer_tail, ticket;
static u64 consumed;

static void hand_over(void)
{
	sluice_resp_publish(&ring.resp_tail, consumer_tail);
	if (sluice_resp_state(&ring.state) & NEED_KICK) {
		kicks++;
		signal_event(to_kernel);
	}
}

/* Write one entry; what is written already is handed over before waiting for space. */
static void respond(u32 slot, u32 data, u64 seed, u16 flags)
{
	u64 turns;

	for (turns = 0; !sluice_resp_space(&ring.resp_head, consumer_tail, RESPONSES); turns++) {
		if (!turns)
			hand_over();
		if (turns > 20000000)
			die("no space for responses", consumed);
		sched_yield();
	}
	if (data == SLUICE_SLOTS_NONE)
		data = SLOTS + consumer_tail % RESPONSES;
	fill(ring.payload[data], seed);
	ring.responses[consumer_tail++ % RESPONSES] = (struct response){
		.slot = slot, .data = data, .len = 8, .gen = ring.gen[slot], .flags = flags,
	};
}

static void answer(u32 slot)
{
	u64 more = consumed % 4, i;

	check(ring.payload[slot], consumed, "wrong request");
	if (consumed % PERIOD == PERIOD / 2) {
		hand_over();
		await_flag(&ring.state, "kernel did not go to sleep", consumed);
	}
	for (i = 0; i < more; i++)
		respond(slot, SLUICE_SLOTS_NONE, ~consumed - i, MORE);
	respond(slot, slot, ~consumed - more, 0);
	consumed++;
}

static void *consumer(void *unused)
{
	u32 n, idle = 0;

	while (!sluice_flag_test(&ring.set_up_done))
		sched_yield();
	if (ring.set_up != total)
		die("set-up was not seen", 0);
	while (consumed < total) {
		for (n = sluice_rq_ready(&ring.req_tail, consumer_head); n; n--, idle = 0)
			answer(READ_ONCE(ring.queue[consumer_head++ % QUEUE]));
		if (!idle)
			hand_over();
		sched_yield();
		if (consumed == total || ++idle < SPINS)
			continue;
		idle = 0;
		sluice_rq_sleep_begin(&ring.need_wakeup, &ticket);
		if (!sluice_rq_ready(&ring.req_tail, consumer_head)) {
			sleeps++;
			wait_event(to_consumer, consumed);
		}
		sluice_rq_sleep_end(&ring.need_wakeup);
	}
	return unused;
}

int main(int argc, char **argv)
{
	const struct sluice_slots_conf conf = {
		.size = { 64 }, .count = { SLOTS }, .nclasses = 1, .reply_size = 64, .reply_count = RESPONSES,
	};
	pthread_t other;

	total = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	to_consumer = eventfd(0, EFD_CLOEXEC);
	to_kernel = eventfd(0, EFD_CLOEXEC);
	if (to_consumer < 0 || to_kernel < 0 || sluice_slots_init(&slots, &conf))
		return 1;
	if (pthread_create(&other, NULL, consumer, NULL))
		return 1;
	kernel(NULL);
	pthread_join(other, NULL);
	if (slots.used)
		die("slots were lost", answered);
	sluice_slots_fini(&slots);
	printf("%llu requests; consumer slept %llu times, woken %llu; kernel slept %llu times, kicked %llu\n",
	       (unsigned long long)answered, (unsigned long long)sleeps, (unsigned long long)wakes,
	       (unsigned long long)naps, (unsigned long long)kicks);
	/* Each period has made both sides sleep, unless they just had been about to wake. */
	return sleeps < total / PERIOD / 2 || naps < total / PERIOD / 2;
}
