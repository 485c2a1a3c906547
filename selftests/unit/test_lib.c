// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/lib: its side of the rings, with the core's own code as the kernel's side in the same process. */
#include <errno.h>
#include <string.h>

#include "ktap.h"
#include "ring_host.h"

#define ROOM	64
#define SLOTS	8
#define REPLIES	2

static struct sluice_ring *ring;
static struct ring_host *host;
static struct sluice_request req[SLOTS];
static struct sluice_reply reply;
static struct host_reply got;

static void start_with(struct sluice_ring_config config)
{
	config.size = sizeof(config);
	config.group = "g";
	host = ring_host_create(&ring, &config);
}

static void start(void)
{
	start_with((struct sluice_ring_config){
		.slots = { { ROOM, SLOTS } }, .reply_slots = REPLIES, .reply_size = 2 * ROOM,
	});
}

static void stop(void)
{
	sluice_ring_close(ring);
	ring_host_destroy(host);
}

static void publish(const char *text)
{
	EXPECT_GE(ring_host_publish(host, text, strlen(text)), 0);
}

/* Publish and peek @n requests into req[]. */
static void take(int n)
{
	int i;

	for (i = 0; i < n; i++)
		publish("hello");
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), n);
}

/* The kernel's word for the ring: a u32 of its page. */
static u32 *kernel_word(u32 offset)
{
	size_t len;

	return (u32 *)(ring_host_memory(host, 0, &len) + offset);
}

TEST(peek__hands_out_what_was_published_in_order)
{
	start();
	publish("one");
	publish("three");
	EXPECT_EQ(sluice_ring_peek(ring, req, 1), 1);
	EXPECT(req[0].len == 3 && !memcmp(req[0].data, "one", 3));
	EXPECT_EQ(req[0].room, ROOM);
	EXPECT_EQ(sluice_ring_peek(ring, req + 1, SLOTS), 1);
	EXPECT(req[1].len == 5 && !memcmp(req[1].data, "three", 5));
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), 0);
	stop();
}

TEST(peek__serves_lower_numbers_of_priority_first)
{
	struct host_options o = { .prio = 3 };

	start();
	EXPECT_EQ(ring_host_publish_with(host, "late", 4, &o), 0);
	o.prio = 0;
	EXPECT_EQ(ring_host_publish_with(host, "soon", 4, &o), 1);
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), 2);
	EXPECT(!memcmp(req[0].data, "soon", 4) && req[0].prio == 0);
	EXPECT(!memcmp(req[1].data, "late", 4) && req[1].prio == 3);
	stop();
}

TEST(peek__answers_expired_requests_itself_and_carries_their_gap)
{
	struct host_options o = { .deadline_ns = 1, .gap = 5, .gap_reason = 9 };
	struct sluice_ring_stats stats;

	start();
	EXPECT_EQ(ring_host_publish_with(host, "late", 4, &o), 0);
	o.deadline_ns = UINT64_MAX;
	o.gap = 2;
	EXPECT_EQ(ring_host_publish_with(host, "now", 3, &o), 1);
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), 1);
	EXPECT(!memcmp(req[0].data, "now", 3));
	EXPECT(req[0].gap == 7 && req[0].gap_reason == 9);
	sluice_ring_flush(ring);
	EXPECT(ring_host_take(host, &got));
	EXPECT(got.request == 0 && got.flags == SLUICE_RESP_EXPIRED);
	sluice_ring_stats(ring, &stats);
	EXPECT(stats.expired == 1 && stats.requests == 1 && stats.gap == 7);
	stop();
}

TEST(respond__reply_in_place_reaches_the_kernel_at_the_flush)
{
	start();
	take(1);
	memcpy(req[0].data, "answer", 6);
	EXPECT_EQ(sluice_respond(ring, &req[0], 6), 0);
	EXPECT(!ring_host_take(host, &got));
	EXPECT_EQ(sluice_ring_flush(ring), 0);
	EXPECT(ring_host_take(host, &got));
	EXPECT(got.flags == 0 && got.len == 6 && !memcmp(got.data, "answer", 6));
	EXPECT_EQ(ring_host_unanswered(host), 0);
	stop();
}

TEST(respond__done_and_reject_send_nothing)
{
	start();
	take(2);
	EXPECT_EQ(sluice_done(ring, &req[0]), 0);
	EXPECT_EQ(sluice_reject(ring, &req[1]), 0);
	sluice_ring_flush(ring);
	EXPECT(ring_host_take(host, &got) && got.flags == SLUICE_RESP_NO_REPLY);
	EXPECT(ring_host_take(host, &got) && got.flags == SLUICE_RESP_REJECT);
	stop();
}

TEST(respond__a_request_is_answered_once)
{
	start();
	take(1);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), -EINVAL);
	EXPECT_EQ(sluice_done(ring, &req[0]), -EINVAL);
	req[0].slot = 1000;
	EXPECT_EQ(sluice_reject(ring, &req[0]), -EINVAL);
	stop();
}

TEST(respond__of_an_earlier_use_of_the_slot_is_refused)
{
	struct sluice_request old;
	int i;

	start();
	take(1);
	old = req[0];
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	sluice_ring_flush(ring);
	EXPECT(ring_host_take(host, &got));
	for (i = 0; i < SLOTS; i++)
		publish("again");
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), SLOTS);
	EXPECT_EQ(sluice_respond(ring, &old, 1), -EINVAL);
	stop();
}

TEST(respond__longer_than_the_slot_is_refused)
{
	start();
	take(1);
	EXPECT_EQ(sluice_respond(ring, &req[0], ROOM + 1), -EMSGSIZE);
	EXPECT_EQ(sluice_respond(ring, &req[0], ROOM), 0);
	stop();
}

TEST(reply__several_entries_from_reply_slots)
{
	struct sluice_reply more;

	start();
	take(1);
	EXPECT_EQ(sluice_reply_get(ring, &reply), 0);
	EXPECT_EQ(sluice_reply_get(ring, &more), 0);
	EXPECT(reply.room == 2 * ROOM && reply.slot != more.slot);
	EXPECT_EQ(sluice_reply_get(ring, &more), -EAGAIN);
	memset(reply.data, 'a', reply.room);
	EXPECT_EQ(sluice_respond_from(ring, &req[0], &reply, reply.room + 1, false), -EMSGSIZE);
	EXPECT_EQ(sluice_respond_from(ring, &req[0], &reply, reply.room, true), 0);
	EXPECT_EQ(sluice_respond_from(ring, &req[0], &reply, 1, true), -EINVAL);
	EXPECT_EQ(sluice_respond(ring, &req[0], 3), 0);
	sluice_ring_flush(ring);
	EXPECT(ring_host_take(host, &got));
	EXPECT(got.flags == SLUICE_RESP_MORE && got.len == 2 * ROOM && got.data[2 * ROOM - 1] == 'a');
	EXPECT_EQ(ring_host_unanswered(host), 1);
	EXPECT(ring_host_take(host, &got) && got.flags == 0 && got.len == 3);
	EXPECT_EQ(ring_host_unanswered(host), 0);
	stop();
}

TEST(reply__is_free_again_when_the_kernel_has_sent_it)
{
	struct sluice_reply second;

	start();
	take(1);
	EXPECT_EQ(sluice_reply_get(ring, &reply), 0);
	EXPECT_EQ(sluice_reply_get(ring, &second), 0);
	EXPECT_EQ(sluice_respond_from(ring, &req[0], &reply, 1, false), 0);
	sluice_ring_flush(ring);
	EXPECT_EQ(sluice_reply_get(ring, &reply), -EAGAIN);
	EXPECT(ring_host_take(host, &got));
	EXPECT_EQ(sluice_reply_get(ring, &reply), 0);
	sluice_reply_put(ring, &reply);
	sluice_reply_put(ring, &reply);
	EXPECT_EQ(sluice_reply_get(ring, &reply), 0);
	EXPECT_EQ(sluice_reply_get(ring, &reply), -EAGAIN);
	stop();
}

TEST(reply__without_reply_slots_there_is_none)
{
	start_with((struct sluice_ring_config){ .slots = { { ROOM, SLOTS } } });
	EXPECT_EQ(sluice_reply_get(ring, &reply), -ENOENT);
	stop();
}

TEST(respond__full_queue_says_try_again_and_recovers)
{
	ring_host_responses = 2;
	start();
	ring_host_responses = 0;
	take(3);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_respond(ring, &req[1], 1), 0);
	EXPECT_EQ(sluice_respond(ring, &req[2], 1), -EAGAIN);
	EXPECT_EQ(sluice_ring_flush(ring), 0);
	EXPECT_EQ(sluice_respond(ring, &req[2], 1), -EAGAIN);
	EXPECT(ring_host_take(host, &got));
	EXPECT_EQ(sluice_respond(ring, &req[2], 1), 0);
	EXPECT_EQ(sluice_ring_flush(ring), 0);
	EXPECT(ring_host_take(host, &got) && got.request == 1);
	EXPECT(ring_host_take(host, &got) && got.request == 2);
	EXPECT_EQ(ring_host_unanswered(host), 0);
	stop();
}

TEST(peek__impossible_tail_is_a_broken_ring)
{
	start();
	*kernel_word(0) = 1000;
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), -EPROTO);
	EXPECT_EQ(sluice_ring_wait(ring, 0), -EPROTO);
	stop();
}

TEST(peek__impossible_slot_or_length_is_a_broken_ring)
{
	size_t len;

	start();
	publish("x");
	*(u32 *)ring_host_memory(host, 2, &len) = 1000;
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), -EPROTO);
	stop();
	start();
	publish("x");
	((struct sluice_slot *)ring_host_memory(host, 4, &len))->len = ROOM + 1;
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), -EPROTO);
	stop();
}

TEST(peek__a_slot_given_twice_is_a_broken_ring)
{
	size_t len;
	u32 *queue;

	start();
	take(1);
	queue = (u32 *)ring_host_memory(host, 2, &len);
	publish("x");
	queue[1] = queue[0];
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), -EPROTO);
	stop();
}

TEST(respond__impossible_head_of_the_kernel_is_a_broken_ring)
{
	start();
	take(1);
	*kernel_word(64) = 5000;
	EXPECT_EQ(sluice_reply_get(ring, &reply), 0);
	EXPECT_EQ(sluice_reply_get(ring, &reply), 0);
	EXPECT_EQ(sluice_reply_get(ring, &reply), -EPROTO);
	EXPECT_EQ(sluice_ring_wait(ring, 0), -EPROTO);
	stop();
}

TEST(wait__draining_ends_when_all_is_answered)
{
	start();
	take(1);
	publish("last");
	*kernel_word(68) |= SLUICE_STATE_DRAINING;
	EXPECT_EQ(sluice_ring_wait(ring, 0), 1);
	EXPECT_EQ(sluice_ring_peek(ring, req + 1, SLOTS - 1), 1);
	EXPECT_EQ(sluice_ring_wait(ring, 0), 0);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_respond(ring, &req[1], 1), 0);
	EXPECT_EQ(sluice_ring_wait(ring, 0), -ESHUTDOWN);
	/* and what was answered has been handed over */
	EXPECT(ring_host_take(host, &got) && ring_host_take(host, &got));
	stop();
}

TEST(wait__gone_and_broken_are_told)
{
	start();
	EXPECT_EQ(ring_host_publish(host, "x", 1), 0);
	ring_host_detach(host);
	EXPECT_EQ(sluice_ring_wait(ring, 0), -ESHUTDOWN);
	EXPECT_EQ(sluice_ring_peek(ring, req, 1), -ESHUTDOWN);
	stop();
	start();
	take(1);
	*kernel_word(68) |= SLUICE_STATE_BROKEN;
	EXPECT_EQ(sluice_ring_wait(ring, 0), -EPROTO);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_ring_flush(ring), -EPROTO);
	stop();
}

TEST(flush__kicks_only_when_the_kernel_asks_for_it)
{
	struct sluice_ring_stats stats;

	start();
	take(2);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	sluice_ring_flush(ring);
	sluice_ring_stats(ring, &stats);
	EXPECT_EQ(stats.kicks, 0);
	*kernel_word(68) |= SLUICE_STATE_NEED_KICK;
	EXPECT_EQ(sluice_respond(ring, &req[1], 1), 0);
	sluice_ring_flush(ring);
	sluice_ring_flush(ring);
	sluice_ring_stats(ring, &stats);
	EXPECT_EQ(stats.kicks, 1);
	stop();
}

TEST(stats__responses_count_as_they_are_written)
{
	struct sluice_ring_stats stats;

	start();
	take(3);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_done(ring, &req[1]), 0);
	sluice_ring_stats(ring, &stats);
	EXPECT_EQ(stats.responses, 2);
	sluice_ring_flush(ring);
	EXPECT_EQ(sluice_reject(ring, &req[2]), 0);
	sluice_ring_stats(ring, &stats);
	EXPECT_EQ(stats.responses, 3);
	sluice_ring_flush(ring);
	sluice_ring_stats(ring, &stats);
	EXPECT_EQ(stats.responses, 3);
	stop();
}

TEST(flush__a_kick_that_came_to_nothing_is_made_another_way)
{
	start();
	take(2);
	*kernel_word(68) |= SLUICE_STATE_NEED_KICK;
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_ring_flush(ring), 0);
	EXPECT_EQ(ring_host_kicks(host, true), 1);
	EXPECT_EQ(ring_host_kicks(host, false), 1);
	EXPECT_EQ(sluice_respond(ring, &req[1], 1), 0);
	EXPECT_EQ(sluice_ring_flush(ring), 0);
	EXPECT_EQ(ring_host_kicks(host, true), 1);
	EXPECT_EQ(ring_host_kicks(host, false), 2);
	stop();
}

TEST(nap__hands_answers_over_in_the_same_call)
{
	struct sluice_ring_stats stats;

	start();
	take(1);
	*kernel_word(68) |= SLUICE_STATE_NEED_KICK;
	ring_host_nap_ends(host, SLUICE_WAIT_TIME);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_ring_nap(ring, 10), 0);
	EXPECT_EQ(ring_host_naps(host), 2);
	EXPECT(ring_host_take(host, &got));
	sluice_ring_flush(ring);
	EXPECT_EQ(ring_host_kicks(host, true) + ring_host_kicks(host, false), 0);
	sluice_ring_stats(ring, &stats);
	EXPECT_EQ(stats.kicks, 1);
	EXPECT_EQ(stats.sleeps, 1);
	stop();
}

TEST(nap__kicks_and_does_not_sleep_if_something_is_there)
{
	start();
	take(1);
	*kernel_word(68) |= SLUICE_STATE_NEED_KICK;
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	publish("more");
	EXPECT_EQ(sluice_ring_nap(ring, -1), 1);
	EXPECT_EQ(ring_host_naps(host), 1);
	EXPECT_GE(ring_host_kicks(host, true), 1);
	stop();
}

TEST(nap__answers_that_a_signal_kept_back_are_kicked_later)
{
	start();
	take(1);
	*kernel_word(68) |= SLUICE_STATE_NEED_KICK;
	ring_host_nap_ends(host, -EINTR);
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_ring_nap(ring, -1), -EINTR);
	EXPECT_EQ(ring_host_kicks(host, true), 0);
	sluice_ring_flush(ring);
	EXPECT_EQ(ring_host_kicks(host, true), 1);
	stop();
}

TEST(wait__goes_on_when_time_is_up_early_and_ends_when_interrupted)
{
	start();
	ring_host_nap_ends(host, SLUICE_WAIT_TIME);
	EXPECT_EQ(sluice_ring_wait(ring, 20), 0);
	EXPECT_GE(ring_host_naps(host), 3);
	EXPECT_EQ(sluice_ring_interrupt(ring), 0);
	EXPECT_EQ(sluice_ring_wait(ring, -1), 0);
	stop();
}

TEST(wait__spinning_is_part_of_its_time)
{
	start_with((struct sluice_ring_config){ .slots = { { ROOM, SLOTS } }, .spin_us = UINT32_MAX });
	EXPECT_EQ(sluice_ring_wait(ring, 20), 0);
	EXPECT_EQ(ring_host_naps(host), 1); /* the look whether there is such a call */
	stop();
}

TEST(wait__answers_leave_when_it_is_interrupted)
{
	int i;

	start();
	/* until spinning does not pay any more */
	ring_host_nap_ends(host, SLUICE_WAIT_TIME);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(sluice_ring_wait(ring, 1), 0);
	take(1);
	*kernel_word(68) |= SLUICE_STATE_NEED_KICK;
	EXPECT_EQ(sluice_respond(ring, &req[0], 1), 0);
	EXPECT_EQ(sluice_ring_interrupt(ring), 0);
	EXPECT_EQ(sluice_ring_wait(ring, -1), 0);
	EXPECT_EQ(ring_host_kicks(host, true), 1);
	stop();
}

TEST(nap__tells_of_an_interruption_once_and_of_requests_first)
{
	start();
	publish("x");
	EXPECT_EQ(sluice_ring_interrupt(ring), 0);
	EXPECT_EQ(sluice_ring_wait(ring, -1), 1);
	EXPECT_EQ(sluice_ring_peek(ring, req, SLOTS), 1);
	EXPECT_EQ(sluice_ring_nap(ring, -1), 0);
	EXPECT_EQ(ring_host_naps(host), 1);
	ring_host_nap_ends(host, SLUICE_WAIT_TIME);
	EXPECT_EQ(sluice_ring_nap(ring, 1), 0);
	EXPECT_EQ(ring_host_naps(host), 2);
	stop();
}

TEST(nap__never_without_end_where_nothing_can_come)
{
	start();
	take(1);
	*kernel_word(68) |= SLUICE_STATE_DRAINING;
	EXPECT_EQ(sluice_ring_nap(ring, -1), 0);
	EXPECT_EQ(ring_host_naps(host), 1);
	stop();
}

TEST(wait__a_ring_that_never_sleeps_hears_an_interruption)
{
	start_with((struct sluice_ring_config){ .slots = { { ROOM, SLOTS } }, .spin_us = UINT32_MAX });
	EXPECT_EQ(sluice_ring_interrupt(ring), 0);
	EXPECT_EQ(sluice_ring_wait(ring, -1), 0);
	EXPECT_EQ(ring_host_naps(host), 1);
	stop();
}

TEST(sleep__ticket_changes_each_time_and_is_taken_back)
{
	size_t len;
	u32 *ticket, first;

	start();
	ticket = (u32 *)(ring_host_memory(host, 1, &len) + 68);
	EXPECT_EQ(sluice_ring_sleep(ring), 0);
	first = *ticket;
	EXPECT(first);
	sluice_ring_wake(ring);
	EXPECT_EQ(*ticket, 0);
	EXPECT_EQ(sluice_ring_sleep(ring), 0);
	EXPECT(*ticket && *ticket != first);
	sluice_ring_wake(ring);
	publish("x");
	EXPECT_EQ(sluice_ring_sleep(ring), 1);
	EXPECT_EQ(*ticket, 0);
	stop();
}

TEST(open__refuses_what_cannot_be)
{
	struct sluice_ring_config config = { .size = sizeof(config) };

	EXPECT_EQ(sluice_ring_open(&ring, NULL), -EINVAL);
	EXPECT_EQ(sluice_ring_open(&ring, &config), -EINVAL);
	config.group = "a_name_of_more_than_thirty-one_bytes";
	EXPECT_EQ(sluice_ring_open(&ring, &config), -EINVAL);
	config.group = "g";
	config.device = "/dev/there_is_no_such_device";
	EXPECT_EQ(sluice_ring_open(&ring, &config), -ENODEV);
	EXPECT(!ring);
	config.device = "/dev/null";
	EXPECT_EQ(sluice_ring_open(&ring, &config), -ENOTTY);
	EXPECT(!ring);
}

TEST(strerror__has_a_text_for_every_error_and_for_others)
{
	EXPECT(strstr(sluice_strerror(-EPROTO), "broken"));
	EXPECT(strstr(sluice_strerror(-ENODEV), "modprobe"));
	EXPECT(strstr(sluice_strerror(-ELOOP), "unexpected"));
	EXPECT(!strcmp(sluice_strerror(0), "success"));
}
