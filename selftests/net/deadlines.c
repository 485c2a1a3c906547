// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines that messages carry: what a slot's header says of them, over UDP and TCP, and that they hold. */
#include "rig.h"

FIXTURE(deadlines)
{
	struct ring r;
	struct request q;
	int c;
};

FIXTURE_SETUP(deadlines)
{
	ASSERT_EQ(0, rig_up());
	self->c = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(deadlines)
{
	EXPECT_TRUE(ledger_closed());
	run("sluice listener del l");
}

/* A group with a ring, and a listener of which RULE takes all messages. */
#define UP(listener, rule)                                                                     \
	do {                                                                                   \
		ASSERT_EQ(0, run("sluice group add g steer hash"));                            \
		ASSERT_EQ(0, run("sluice listener add l " listener, RIG_PORT));                \
		ASSERT_EQ(0, run("sluice rule add l 1 group g " rule));                        \
		ASSERT_EQ(0, ring_open(&self->r, "g"));                                        \
	} while (0)

/* What the next request's header says: ns from its arrival; 0: no deadline. */
static uint64_t left(struct ring *r, struct request *q)
{
	uint64_t ns;

	if (!ring_wait(r, q))
		return UINT64_MAX;
	ns = q->hdr->deadline_ns ? q->hdr->deadline_ns - q->hdr->arrival_ns : 0;
	ring_answer(r, q, 1, 0);
	return ns;
}

#define LEFT(ns, bytes)                                                                        \
	do {                                                                                   \
		ASSERT_EQ((ssize_t)sizeof(bytes) - 1,                                          \
			  send(self->c, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL));              \
		EXPECT_EQ((uint64_t)(ns), left(&self->r, &self->q));                           \
	} while (0)

#define MS 1000000ULL

TEST_F(deadlines, of_a_datagram)
{
	UP("udp 0.0.0.0:%d", "deadline-field 2/2");
	LEFT(0x1234 * MS, "ab\x12\x34");
	LEFT(0, "ab\0\0");
	LEFT(0, "ab\x12");
	LEFT(0, "");
	ASSERT_EQ(0, run("sluice rule set l 1 group g deadline 7ms deadline-field 2/2 little us max 10ms"));
	LEFT(0x1234 * 1000ULL, "ab\x34\x12");
	LEFT(10 * MS, "ab\x34\x72");
	/* what the message does not say, the rule says */
	LEFT(7 * MS, "ab\0\0");
	LEFT(7 * MS, "ab\x12");
	ASSERT_EQ(0, run("sluice rule set l 1 group g deadline-field 0/8 s"));
	LEFT(3 * 1000 * MS, "\0\0\0\0\0\0\0\3");
	LEFT(3600 * 1000 * MS, "\xff\xff\xff\xff\xff\xff\xff\xff");
}

TEST_F(deadlines, of_a_message_in_a_stream)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	UP("tcp 0.0.0.0:%d framing length width 1", "deadline 7ms deadline-field 1/4");
	close(self->c);
	self->c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(self->c, (struct sockaddr *)&sin, sizeof(sin)));
	LEFT(0x1234 * MS, "\5\0\0\x12\x34x");
	LEFT(7 * MS, "\3\0\0\x12");
	LEFT(7 * MS, "\4\0\0\0\0");
	ASSERT_EQ(0, run("sluice rule set l 1 group g deadline-field 1/4 ns"));
	LEFT(0x12345678, "\4\x12\x34\x56\x78");
	LEFT(0, "\1\x12");
}

TEST_F(deadlines, it_is_not_served_afterwards)
{
	UP("udp 0.0.0.0:%d", "deadline-field 2/2");
	ASSERT_EQ(0, run("sluice group set g window 1 target 1h"));
	ASSERT_EQ(4, send(self->c, "ab\0\0", 4, 0));
	ASSERT_EQ(4, send(self->c, "ab\0\x32", 4, 0)); /* 50 ms */
	ASSERT_EQ(4, send(self->c, "ab\xff\xff", 4, 0));
	EXPECT_TRUE(until(outcome("expired_backlog") == 1));
	EXPECT_EQ(0U, left(&self->r, &self->q));
	EXPECT_EQ(0xffff * MS, left(&self->r, &self->q));
	EXPECT_EQ(2, outcome("answered"));
}

TEST_HARNESS_MAIN
