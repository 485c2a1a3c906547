// SPDX-License-Identifier: GPL-2.0-only
/* Which ring a request goes to, when, and in which order: steering, windows, priorities, gaps, and what leaves early. */
#include "rig.h"

FIXTURE(steering)
{
	struct ring a, b;
	struct request q;
	int c;
};

FIXTURE_SETUP(steering)
{
	ASSERT_EQ(0, rig_up());
	self->c = client(AF_INET, RIG_PORT, 0);
	ASSERT_LE(0, self->c);
}

FIXTURE_TEARDOWN(steering)
{
	EXPECT_TRUE(ledger_closed());
}

/* However long a slow machine lets requests wait, nothing is overloaded. */
#define UP(...)                                                                                   \
	do {                                                                                      \
		ASSERT_EQ(0, run("sluice group add g target 1h " __VA_ARGS__));                   \
		ASSERT_EQ(0, run("sluice listener add l udp '[::]:%d' default group g", RIG_PORT)); \
		ASSERT_EQ(0, ring_open(&self->a, "g"));                                           \
	} while (0)

/* Index of the ring that has the only request around, which is taken: 0, 1; -1 none or more. */
static int whose(struct ring *a, struct ring *b, struct request *q)
{
	if (!until(ring_pending(a) + ring_pending(b)) || ring_pending(a) + ring_pending(b) != 1)
		return -1;
	return ring_take(a, q) ? 0 : ring_take(b, q);
}

TEST_F(steering, hash_keeps_a_flow_on_its_ring)
{
	int i, j, ring, first = 0, count[2] = {};

	UP("steer hash");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	for (i = 0; i < 24; i++) {
		int c = client(i % 2 ? AF_INET : AF_INET6, RIG_PORT, 0);

		for (j = 0; j < 3; j++) {
			struct ring *r;

			ASSERT_EQ(4, say(c, "flow"));
			ring = whose(&self->a, &self->b, &self->q);
			ASSERT_LE(0, ring);
			if (!j)
				first = ring;
			ASSERT_EQ(first, ring);
			r = ring ? &self->b : &self->a;
			ASSERT_EQ(1, ring_answer(r, &self->q, 4, 0));
		}
		count[first & 1]++;
		close(c);
	}
	EXPECT_LT(0, count[0]);
	EXPECT_LT(0, count[1]);
}

static void by_key(struct __test_metadata *_metadata, FIXTURE_DATA(steering) *self, const char *format)
{
	int i, ring, count[2] = {};
	char text[64];

	for (i = 0; i < 12; i++) {
		int c = client(i % 2 ? AF_INET : AF_INET6, RIG_PORT, 0);

		snprintf(text, sizeof(text), format, i);
		ASSERT_LT(0, say(c, text));
		ring = whose(&self->a, &self->b, &self->q);
		ASSERT_LE(0, ring);
		count[ring & 1]++;
		ASSERT_EQ(1, ring_answer(ring ? &self->b : &self->a, &self->q, 0, 0));
		/* the same key in another flow, with another end */
		strcat(text, " and more");
		ASSERT_LT(0, say(self->c, text));
		EXPECT_EQ(ring, whose(&self->a, &self->b, &self->q));
		ASSERT_EQ(1, ring_answer(ring ? &self->b : &self->a, &self->q, 0, 0));
		if (i < 2)
			EXPECT_EQ(0, run("sluice -j explain l 'text:%s' | grep -q '\"ring\": *%u'", text,
					 ring ? self->b.su.ring : self->a.su.ring));
		close(c);
	}
	EXPECT_LT(0, count[0]);
	EXPECT_LT(0, count[1]);
}

TEST_F(steering, hash_of_bytes)
{
	UP("steer hash key bytes 2 4");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	by_key(_metadata, self, "..%04d");
}

TEST_F(steering, hash_of_a_token)
{
	UP("steer hash key token 0 1");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	by_key(_metadata, self, "get key%d");
}

TEST_F(steering, rr_gives_each_ring_its_turn)
{
	int i, last = -1;

	UP("steer rr");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	for (i = 0; i < 6; i++) {
		int ring;

		ASSERT_EQ(4, say(self->c, "turn"));
		ring = whose(&self->a, &self->b, &self->q);
		ASSERT_LE(0, ring);
		ASSERT_NE(last, ring);
		last = ring;
	}
}

TEST_F(steering, cpu_goes_by_where_the_message_arrived)
{
	cpu_set_t set;
	int cpu;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two CPUs");
	UP("steer cpu");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	/* loopback receives on the CPU that sends */
	for (cpu = 0; cpu < 2; cpu++) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));
		ASSERT_EQ(4, say(self->c, "here"));
		EXPECT_EQ(cpu, whose(&self->a, &self->b, &self->q));
		ASSERT_EQ(4, say(self->c, "here"));
		EXPECT_EQ(cpu, whose(&self->a, &self->b, &self->q));
	}
}

TEST_F(steering, least_goes_where_the_fewest_are_unanswered)
{
	struct request of_a[2];
	int i;

	UP("steer least");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	for (i = 0; i < 4; i++)
		say(self->c, "work");
	ASSERT_TRUE(until(ring_pending(&self->a) == 2 && ring_pending(&self->b) == 2));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(ring_take(&self->a, &of_a[i]));
		ASSERT_EQ(1, ring_answer(&self->a, &of_a[i], 0, 0));
	}
	for (i = 0; i < 2; i++)
		say(self->c, "more");
	EXPECT_TRUE(until(ring_pending(&self->a) == 2));
	EXPECT_EQ(2U, ring_pending(&self->b));
}

TEST_F(steering, fifo_gives_the_head_to_the_first_ring_with_room)
{
	struct request of_a, of_b;
	char text[2] = "0";
	int i;

	UP("steer fifo window 1");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	for (i = 0; i < 5; i++) {
		text[0] = '0' + i;
		say(self->c, text);
	}
	ASSERT_TRUE(until(ring_pending(&self->a) == 1 && ring_pending(&self->b) == 1));
	ASSERT_TRUE(ring_take(&self->a, &of_a));
	ASSERT_TRUE(ring_take(&self->b, &of_b));
	EXPECT_EQ('0' + '1', of_a.data[0] + of_b.data[0]);
	EXPECT_EQ(3, stat_sum("group", "in_flight") - 2);
	ASSERT_EQ(1, ring_answer(&self->b, &of_b, 0, 0));
	EXPECT_STREQ("2", ring_text(&self->b, &of_b));
	ASSERT_EQ(1, ring_answer(&self->b, &of_b, 0, 0));
	EXPECT_STREQ("3", ring_text(&self->b, &of_b));
	EXPECT_EQ(0U, ring_pending(&self->a));
	ASSERT_EQ(1, ring_answer(&self->a, &of_a, 0, 0));
	EXPECT_STREQ("4", ring_text(&self->a, &of_a));
}

TEST_F(steering, window_limits_what_is_published_and_may_be_widened)
{
	int i;

	UP("steer hash window 2");
	for (i = 0; i < 6; i++)
		say(self->c, "six");
	ASSERT_TRUE(until(ring_pending(&self->a) == 2));
	EXPECT_EQ(6, stat_sum("group", "in_flight"));
	EXPECT_EQ(2U, ring_pending(&self->a));
	/* what waits for this very ring comes at once, without an answer to make room for it */
	ASSERT_EQ(0, run("sluice group set g window 5"));
	EXPECT_TRUE(until(ring_pending(&self->a) == 5));
	ASSERT_TRUE(ring_take(&self->a, &self->q));
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 0, 0));
	EXPECT_TRUE(until(ring_pending(&self->a) == 5));
}

TEST_F(steering, higher_priority_first_in_ring_and_backlog)
{
	UP("steer hash window 2");
	ASSERT_EQ(0, run("sluice rule add l 1 text 0 low group g prio 3"));
	ASSERT_EQ(0, run("sluice rule add l 2 text 0 top group g prio 0"));
	say(self->c, "low");
	say(self->c, "top");
	say(self->c, "low waits");
	say(self->c, "top waits");
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 4));
	ASSERT_STREQ("top", ring_text(&self->a, &self->q));
	EXPECT_EQ(0, self->q.hdr->prio);
	EXPECT_EQ(2U, self->q.hdr->rule);
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 0, 0));
	ASSERT_STREQ("top waits", ring_text(&self->a, &self->q));
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 0, 0));
	ASSERT_STREQ("low", ring_text(&self->a, &self->q));
	EXPECT_EQ(3, self->q.hdr->prio);
	ASSERT_STREQ("low waits", ring_text(&self->a, &self->q));
}

TEST_F(steering, losses_are_told_with_the_next_request)
{
	int i;

	UP("steer hash window 1 backlog 1");
	for (i = 0; i < 5; i++)
		say(self->c, "five");
	ASSERT_TRUE(until(outcome("rejected_backlog_full") == 3));
	ASSERT_TRUE(ring_wait(&self->a, &self->q));
	EXPECT_EQ(0U, self->q.hdr->gap);
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 0, 0));
	ASSERT_TRUE(ring_wait(&self->a, &self->q));
	EXPECT_EQ(3U, self->q.hdr->gap);
	EXPECT_EQ(SLUICE_OUTCOME_REJECTED_BACKLOG_FULL, self->q.hdr->gap_reason);
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 0, 0));
	/* told once */
	say(self->c, "six");
	ASSERT_TRUE(ring_wait(&self->a, &self->q));
	EXPECT_EQ(0U, self->q.hdr->gap);
}

/* Two size classes, of which the large one has a single slot, which is taken. */
#define ONE_LARGE()                                                                               \
	do {                                                                                      \
		ASSERT_EQ(0, run("sluice group add g steer hash target 1h"));                     \
		ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT)); \
		ring_init(&self->a, "g", 64, 8);                                                  \
		self->a.su.classes[1].slot_size = 2048;                                           \
		self->a.su.classes[1].slots = 1;                                                  \
		ASSERT_EQ(0, ring_setup(&self->a));                                               \
		ASSERT_EQ(0, ring_attach(&self->a));                                              \
		memset(large, 'L', sizeof(large));                                                \
		ASSERT_EQ(1000, send(self->c, large, sizeof(large), 0));                          \
		ASSERT_TRUE(ring_wait(&self->a, &self->q));                                       \
	} while (0)

TEST_F(steering, what_waits_behind_an_expired_request_is_published)
{
	struct request small;
	char large[1000];

	ONE_LARGE();
	ASSERT_EQ(0, run("sluice rule add l 1 length 1000-1000 group g deadline 100ms"));
	ASSERT_EQ(1000, send(self->c, large, sizeof(large), 0));
	ASSERT_EQ(5, say(self->c, "small"));
	EXPECT_STREQ("small", ring_text(&self->a, &small));
	EXPECT_EQ(1, outcome("expired_backlog"));
	EXPECT_EQ(SLUICE_OUTCOME_EXPIRED_BACKLOG, small.hdr->gap_reason);
	EXPECT_EQ(1U, small.hdr->gap);
}

TEST_F(steering, what_waits_behind_a_cancelled_request_is_published)
{
	struct request small;
	char large[1000];
	int other;

	ONE_LARGE();
	ASSERT_EQ(0, run("sluice listener add other udp 0.0.0.0:%d default group g", RIG_PORT + 1));
	other = client(AF_INET, RIG_PORT + 1, 0);
	ASSERT_EQ(1000, send(other, large, sizeof(large), 0));
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 2));
	ASSERT_EQ(5, say(self->c, "small"));
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 3));
	EXPECT_EQ(0U, ring_pending(&self->a));
	ASSERT_EQ(0, run("sluice listener del other"));
	EXPECT_STREQ("small", ring_text(&self->a, &small));
}

TEST_F(steering, cancelled_requests_are_counted_and_their_slots_come_back)
{
	struct request q[4];
	int i;

	UP("steer hash window 4");
	for (i = 0; i < 6; i++)
		say(self->c, "six");
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(ring_wait(&self->a, &q[i]));
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 6));
	ASSERT_EQ(0, run("sluice listener del l"));
	EXPECT_EQ(4, stat_sum("ring", "cancelled_listener"));
	EXPECT_EQ(6, stat_sum("group", "cancelled_listener"));
	EXPECT_EQ(6, stat_sum("class", "cancelled_listener"));
	EXPECT_TRUE(ledger_closed());
	/* the answer to a cancelled request sends nothing, and gives the slot back */
	ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT));
	say(self->c, "new");
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 1));
	EXPECT_EQ(0U, ring_pending(&self->a));
	ASSERT_EQ(1, ring_answer(&self->a, &q[0], 3, 0));
	EXPECT_STREQ("new", ring_text(&self->a, &q[0]));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(0, stat_sum("ring", "answered"));
	ASSERT_EQ(1, ring_answer(&self->a, &q[0], 3, 0));
	EXPECT_TRUE(hears(self->c, "new"));
}

TEST_F(steering, a_drained_ring_leaves_the_waiting_to_the_hold_time)
{
	int i;

	UP("steer fifo window 1 no-consumer hold 100ms");
	for (i = 0; i < 3; i++)
		say(self->c, "three");
	ASSERT_TRUE(ring_wait(&self->a, &self->q));
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 3));
	ASSERT_EQ(0, ioctl(self->a.fd, SLUICE_IOC_DRAIN));
	EXPECT_TRUE(until(outcome("rejected_no_consumer") == 2));
	/* what it has it may answer */
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 5, 0));
	EXPECT_TRUE(hears(self->c, "three"));
}

TEST_F(steering, rings_come_and_go_and_each_request_is_answered_once)
{
	char text[16], buf[64], seen[400] = {};
	int i, n, answers = 0;

	UP("steer least window 8 crash requeue");
	ASSERT_EQ(0, ring_open(&self->b, "g"));
	for (i = 0; i < 400; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ASSERT_LT(0, say(self->c, text));
		while (ring_pending(&self->b) && ring_take(&self->b, &self->q))
			ASSERT_EQ(1, ring_answer(&self->b, &self->q, self->q.hdr->len, 0));
		/* the other one takes nothing, dies, and is replaced */
		if (i % 40 == 39) {
			ring_close(&self->a);
			ASSERT_EQ(0, ring_open(&self->a, "g"));
		}
	}
	ring_close(&self->a);
	while (answers < 400) {
		while (ring_take(&self->b, &self->q))
			ASSERT_EQ(1, ring_answer(&self->b, &self->q, self->q.hdr->len, 0));
		n = hear(self->c, buf, sizeof(buf) - 1);
		ASSERT_LT(0, n);
		buf[n] = 0;
		ASSERT_GT(400, atoi(buf));
		/* original bytes, once */
		snprintf(text, sizeof(text), "%d", atoi(buf));
		ASSERT_STREQ(text, buf);
		ASSERT_EQ(0, seen[atoi(buf)]);
		seen[atoi(buf)] = 1;
		answers++;
	}
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(400, outcome("answered"));
}

/* One large slot, taken: a second large request waits for it, and what came later waits behind it, in order. */
static void waits_for_its_size(struct __test_metadata *_metadata, FIXTURE_DATA(steering) *self, const char *steer)
{
	struct request large;
	char big[1000];

	memset(big, 'L', sizeof(big));
	ASSERT_EQ(0, run("sluice group add g steer %s target 1h", steer));
	ASSERT_EQ(0, run("sluice listener add l udp '[::]:%d' default group g", RIG_PORT));
	ring_init(&self->a, "g", 64, 4);
	self->a.su.classes[1].slot_size = 1024;
	self->a.su.classes[1].slots = 1;
	ASSERT_EQ(0, ring_setup(&self->a));
	ASSERT_EQ(0, ring_attach(&self->a));
	ASSERT_EQ((ssize_t)sizeof(big), send(self->c, big, sizeof(big), 0));
	ASSERT_TRUE(ring_wait(&self->a, &large));
	ASSERT_EQ((ssize_t)sizeof(big), send(self->c, big, sizeof(big), 0));
	ASSERT_EQ(5, say(self->c, "small"));
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 3));
	EXPECT_EQ(1, stat_sum("ring", "in_flight"));
	EXPECT_EQ(0U, ring_pending(&self->a));
	ASSERT_EQ(1, ring_answer(&self->a, &large, 4, 0));
	EXPECT_TRUE(hears(self->c, "LLLL"));
	ASSERT_TRUE(until(ring_pending(&self->a) == 2));
	ASSERT_TRUE(ring_take(&self->a, &large));
	EXPECT_EQ(sizeof(big), large.hdr->len);
	ASSERT_STREQ("small", ring_text(&self->a, &self->q));
	/* with the large slot taken, small ones are served on */
	ASSERT_EQ(1, ring_answer(&self->a, &self->q, 5, 0));
	EXPECT_TRUE(hears(self->c, "small"));
	ASSERT_EQ(4, say(self->c, "more"));
	ASSERT_STREQ("more", ring_text(&self->a, &self->q));
	ring_close(&self->a);
}

TEST_F(steering, a_request_waits_for_a_slot_of_its_size_and_others_behind_it)
{
	waits_for_its_size(_metadata, self, "hash");
}

TEST_F(steering, so_it_does_with_late_binding)
{
	waits_for_its_size(_metadata, self, "fifo");
}

TEST_HARNESS_MAIN
