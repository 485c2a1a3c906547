// SPDX-License-Identifier: GPL-2.0-only
/* Each outcome and reason of the ledger, provoked by what it is for, and only by that; and told by its tracepoint. */
#include <sluice/sluice.h>

#include "rig.h"
#include "trace.h"

#define REJECT "NOxx-busy" /* its third and fourth byte are for the request's first two */

FIXTURE(outcomes)
{
	struct ring r;
	struct request q;
	int c;
};

FIXTURE_SETUP(outcomes)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, trace_on());
	self->c = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(outcomes)
{
	static const char *const names[] = {
#define NAME(o, kind, reason, text) #o,
		SLUICE_OUTCOMES(NAME)
#undef NAME
	};
	char key[64], line[80], *p;
	unsigned int i;
	long seen;
	/* what a listener that is gone had, its classes still have */
	const char *object = run("sluice -j listener show | grep -q name") ? "class" : "listener";

	EXPECT_TRUE(ledger_closed());
	trace_off();
	/* one event for each request that came, was published, ended, and the reason is in it */
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "outcome=%s ", names[i]);
		snprintf(key, sizeof(key), "%s", names[i]);
		for (p = key; *p; p++)
			*p += *p >= 'A' && *p <= 'Z' ? 'a' - 'A' : 0;
		seen = trace_count("sluice_outcome", line);
		/* the namespace of an earlier test may be cancelling its own yet */
		if (i == SLUICE_OUTCOME_CANCELLED_LISTENER)
			seen = seen > stat_sum(object, key) ? stat_sum(object, key) : seen;
		EXPECT_EQ(stat_sum(object, key), seen) {
			TH_LOG("%s of %s", key, object);
		}
	}
	EXPECT_EQ(stat_sum(object, "received"), trace_count("sluice_received", "request="));
	EXPECT_EQ(stat_sum("ring", "received"), trace_count("sluice_published", "request="));
	run("sluice -j listener show | grep -q name && sluice listener del l");
}

/* A group with these options, a listener that sends all to it, and rules, in one go. */
#define UP(options, rules)                                                                     \
	ASSERT_EQ(0, run("printf '%%s\\n' 'group g " options "' 'listener l udp 0.0.0.0:%d "   \
			 "default group g reject-reply text:" REJECT " copy 2' " rules         \
			 " >/tmp/outcomes && sluice apply /tmp/outcomes", RIG_PORT))

#define SAY(times, text)                                                                       \
	do {                                                                                   \
		int n_;                                                                        \
		for (n_ = 0; n_ < (times); n_++)                                               \
			ASSERT_LE(0, say(self->c, text));                                      \
	} while (0)

/* The reject reply, as many times, and nothing more. */
#define REFUSED(times)                                                                         \
	do {                                                                                   \
		int n_;                                                                        \
		for (n_ = 0; n_ < (times); n_++)                                               \
			EXPECT_TRUE(hears(self->c, "abxx-busy"));                              \
		EXPECT_TRUE(silent(self->c));                                                  \
	} while (0)

TEST_F(outcomes, answered_done_and_refused_by_the_consumer)
{
	UP("steer hash", "");
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(4, "ab12");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 4, 0));
	EXPECT_TRUE(hears(self->c, "ab12"));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY));
	EXPECT_TRUE(silent(self->c));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_REJECT));
	REFUSED(1);
	/* what cannot be an answer */
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 70000, 0));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(1, outcome("answered"));
	EXPECT_EQ(1, outcome("done"));
	EXPECT_EQ(1, outcome("rejected_consumer"));
	EXPECT_EQ(1, outcome("dropped_bad_response"));
	EXPECT_EQ(4, outcome("received"));
}

TEST_F(outcomes, each_step_is_traced)
{
	UP("steer hash window 1", "'rule l 7 text 0 ab group g class c'");
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(2, "ab12");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(2, trace_count("sluice_received", " rule=7 len=4"));
	EXPECT_EQ(1, trace_count("sluice_published", " slot="));
	EXPECT_EQ(1, trace_count("sluice_waiting", " waiting=1"));
	EXPECT_EQ(0, trace_count("sluice_response", "ring="));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 4, 0));
	EXPECT_EQ(1, trace_count("sluice_response", " len=4 flags=0 "));
	EXPECT_EQ(1, trace_count("sluice_outcome", " rule=7 "));
	EXPECT_EQ(2, trace_count("sluice_published", " slot="));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY));
	/* off, nothing is told */
	trace_off();
	SAY(1, "ab12");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY));
	EXPECT_EQ(2, trace_count("sluice_received", "request="));
	ring_close(&self->r);
	ASSERT_EQ(0, run("sluice listener del l && sluice group del g"));
	ASSERT_EQ(0, trace_on());
}

TEST_F(outcomes, by_rule)
{
	UP("steer hash no-consumer reject", "'rule l 1 text 0 drop drop' 'rule l 2 text 0 ab reject'");
	SAY(2, "drop");
	SAY(3, "ab..");
	REFUSED(3);
	EXPECT_EQ(2, outcome("dropped_rule"));
	EXPECT_EQ(3, outcome("rejected_rule"));
	/* no group and no class knows of them */
	EXPECT_EQ(0, stat_sum("class", "received"));
}

TEST_F(outcomes, without_a_consumer)
{
	UP("steer hash no-consumer reject", "");
	SAY(2, "ab");
	REFUSED(2);
	EXPECT_EQ(2, outcome("rejected_no_consumer"));
	/* held for a while, then refused */
	ASSERT_EQ(0, run("sluice group set g no-consumer hold 100ms"));
	SAY(2, "ab");
	REFUSED(2);
	EXPECT_EQ(4, outcome("rejected_no_consumer"));
	/* held until one comes */
	ASSERT_EQ(0, run("sluice group set g no-consumer hold 1h"));
	SAY(2, "ab");
	EXPECT_EQ(2, stat_sum("group", "in_flight"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 2, 0));
	EXPECT_TRUE(hears(self->c, "ab"));
	EXPECT_EQ(4, outcome("rejected_no_consumer"));
	/* the group's limits hold for what is held too */
	ring_close(&self->r);
	ASSERT_EQ(0, run("sluice group set g backlog 3"));
	SAY(4, "ab");
	EXPECT_TRUE(until(outcome("rejected_backlog_full") >= 1));
}

TEST_F(outcomes, passed_to_the_socket)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&sin, sizeof(sin)));
	ASSERT_EQ(0, run("sluice group add g no-consumer pass"));
	ASSERT_EQ(0, run("sluice listener add l udp fd %d default pass", fd));
	ASSERT_EQ(0, run("sluice rule add l 1 text 0 ring group g"));
	SAY(1, "plain");
	EXPECT_TRUE(hears(fd, "plain"));
	SAY(1, "ring");
	EXPECT_TRUE(hears(fd, "ring"));
	EXPECT_EQ(1, outcome("passed_rule"));
	EXPECT_EQ(1, outcome("passed_no_consumer"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(1, "ring too");
	ASSERT_STREQ("ring too", ring_text(&self->r, &self->q));
	EXPECT_TRUE(silent(fd));
	ring_close(&self->r);
}

/* It waited while there was no ring; the first that comes has no slot for it. */
TEST_F(outcomes, too_big_for_the_ring_that_comes)
{
	char large[200];

	UP("steer fifo no-consumer hold 1h", "");
	memset(large, 'a', sizeof(large));
	ASSERT_EQ((ssize_t)sizeof(large), send(self->c, large, sizeof(large), 0));
	SAY(1, "ab");
	EXPECT_TRUE(until(stat_sum("group", "in_flight") == 2));
	ring_init(&self->r, "g", 64, 8);
	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	EXPECT_TRUE(hears(self->c, "aaxx-busy"));
	EXPECT_EQ(1, outcome("rejected_too_big"));
	EXPECT_STREQ("ab", ring_text(&self->r, &self->q));
	ring_close(&self->r);
}

TEST_F(outcomes, beyond_the_limits)
{
	char large[200];

	/* nothing that waits is overdue, so that nothing makes room for what comes */
	UP("steer hash window 1 backlog 2 target 1h", "");
	ring_init(&self->r, "g", 64, 8);
	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	SAY(5, "ab");
	REFUSED(2);
	EXPECT_EQ(2, outcome("rejected_backlog_full"));
	memset(large, 'a', sizeof(large));
	ASSERT_EQ((ssize_t)sizeof(large), send(self->c, large, sizeof(large), 0));
	EXPECT_TRUE(hears(self->c, "aaxx-busy"));
	EXPECT_EQ(1, outcome("rejected_too_big"));
	/* limits that are lowered apply to what comes from now on; late binding has the same */
	ASSERT_EQ(0, run("sluice group set g backlog 100 backlog-bytes 1"));
	SAY(2, "ab");
	REFUSED(2);
	EXPECT_EQ(2, outcome("rejected_memory"));
	ASSERT_EQ(0, run("sluice group set g steer fifo"));
	SAY(1, "ab");
	REFUSED(1);
	EXPECT_EQ(3, outcome("rejected_memory"));
	EXPECT_EQ(2, outcome("rejected_backlog_full"));
}

/* A consumer that took one request of two dies. */
#define DIES()                                                                                 \
	do {                                                                                   \
		ASSERT_EQ(0, ring_open(&self->r, "g"));                                        \
		SAY(2, "ab");                                                                  \
		ASSERT_TRUE(ring_wait(&self->r, &self->q));                                    \
		ASSERT_TRUE(until(ring_pending(&self->r) == 1));                               \
		memset(self->q.data, 'x', 2);                                                  \
		ring_close(&self->r);                                                          \
	} while (0)

TEST_F(outcomes, a_consumer_that_dies)
{
	UP("steer hash no-consumer hold 1h crash requeue", "");
	DIES();
	REFUSED(1);
	EXPECT_EQ(1, outcome("rejected_crash"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_STREQ("ab", ring_text(&self->r, &self->q));
	EXPECT_EQ(SLUICE_REQ_REQUEUED, self->q.hdr->flags);
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 2, 0));
	EXPECT_TRUE(hears(self->c, "ab"));
	ring_close(&self->r);

	ASSERT_EQ(0, run("sluice group set g crash reissue"));
	DIES();
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_STREQ("ab", ring_text(&self->r, &self->q));
	EXPECT_EQ(SLUICE_REQ_REQUEUED, self->q.hdr->flags);
	/* with its original bytes, though the one that died wrote over them */
	ASSERT_STREQ("ab", ring_text(&self->r, &self->q));
	EXPECT_EQ(SLUICE_REQ_REISSUED, self->q.hdr->flags);
	EXPECT_EQ(1, outcome("rejected_crash"));
	ring_close(&self->r);
	EXPECT_EQ(2, stat_sum("group", "in_flight"));

	ASSERT_EQ(0, run("sluice group set g crash reject"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_TRUE(until(ring_pending(&self->r) == 2));
	ring_close(&self->r);
	REFUSED(2);
	EXPECT_EQ(3, outcome("rejected_crash"));
	EXPECT_EQ(0, stat_sum("group", "in_flight"));
}

TEST_F(outcomes, past_the_deadline)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "g" };
	struct sluice_request req[4];
	struct sluice_ring *ring;
	struct timespec ts;

	UP("steer hash window 1 no-consumer hold 1h", "'rule l 1 group g deadline 50ms'");
	SAY(3, "ab");
	EXPECT_TRUE(until(outcome("expired_backlog") == 3));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(2, "ab");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(50000000U, self->q.hdr->deadline_ns - self->q.hdr->arrival_ns);
	/* the second one, in the ring's own backlog */
	EXPECT_TRUE(until(outcome("expired_backlog") == 4));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_EXPIRED));
	EXPECT_EQ(1, outcome("expired_ring"));
	ring_close(&self->r);
	/* the library does so by itself */
	ASSERT_EQ(0, sluice_ring_open(&ring, &config));
	ASSERT_EQ(0, sluice_ring_attach(ring));
	SAY(1, "ab");
	ASSERT_EQ(1, sluice_ring_wait(ring, 20000));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (ts.tv_nsec + 60000000) / 1000000000;
	ts.tv_nsec = (ts.tv_nsec + 60000000) % 1000000000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	EXPECT_EQ(0, sluice_ring_peek(ring, req, 4));
	EXPECT_EQ(0, sluice_ring_flush(ring));
	EXPECT_TRUE(until(outcome("expired_ring") == 2));
	EXPECT_TRUE(silent(self->c));
	sluice_ring_close(ring);
}

TEST_F(outcomes, its_listener_removed)
{
	UP("steer hash window 2 target 1h", "");
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(3, "ab");
	ASSERT_TRUE(until(stat_sum("group", "in_flight") == 3));
	ASSERT_EQ(0, run("sluice listener del l"));
	EXPECT_EQ(3, stat_sum("class", "cancelled_listener"));
	EXPECT_EQ(2, stat_sum("ring", "cancelled_listener"));
	EXPECT_TRUE(silent(self->c));
}

TEST_F(outcomes, a_reply_that_is_not_sent)
{
	UP("steer hash", "");
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_EQ(0, run("nft 'add table inet t; add chain inet t out { type filter hook output priority 0; };"
			 " add rule inet t out udp sport %d drop'", RIG_PORT));
	SAY(1, "ab");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 2, 0));
	EXPECT_EQ(1, outcome("dropped_send"));
	EXPECT_TRUE(silent(self->c));
	ASSERT_EQ(0, run("nft delete table inet t"));
	SAY(1, "ab");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 2, 0));
	EXPECT_TRUE(hears(self->c, "ab"));
	EXPECT_EQ(1, outcome("dropped_send"));
}

TEST_HARNESS_MAIN
