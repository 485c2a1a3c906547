// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that are cancelled by their senders, and requests that are repeated: where they are then, who may, what is
 * counted, and that nothing is lost or counted twice when it happens at the worst moment.
 */
#include <sluice/sluice.h>
#include <sys/prctl.h>

#include "rig.h"

/* "q" and an id of four bytes is a request, "c" and an id cancels it. */
#define RULES "'rule l 1 text 0 q group g request-id 1/4%s' 'rule l 2 text 0 c cancel request-id 1/4'"

FIXTURE(cancel)
{
	struct ring r;
	struct request q;
	int c, other;
};

FIXTURE_SETUP(cancel)
{
	ASSERT_EQ(0, rig_up());
	self->c = client(AF_INET, RIG_PORT, 0);
	self->other = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(cancel)
{
	EXPECT_TRUE(ledger_closed());
	/* each message that says it cancelled has cancelled one */
	EXPECT_EQ(outcome("done_cancel"), outcome("cancelled_peer"));
	run("sluice -j listener show | grep -q name && sluice listener del l");
}

static int up(const char *group, const char *listener, const char *once)
{
	return run("printf '%%s\\n' 'group g target 1h %s' 'listener l %s' " RULES " >/tmp/cancel && sluice apply /tmp/cancel",
		   group, listener, once);
}

#define UDP "udp 0.0.0.0:7000"
#define UDP6 "udp [::]:7000"
#define TCP "tcp 0.0.0.0:7000 framing line"

#define SAY(fd, text) ASSERT_LE(0, say(fd, text))
#define IN_FLIGHT(n) EXPECT_TRUE(until(stat_sum("group", "in_flight") == (n)))
#define COUNTS(n, key) EXPECT_TRUE(until(outcome(key) == (n))) { TH_LOG("%s is %ld", key, outcome(key)); }
#define FLAGGED(q) until(__atomic_load_n(&(q)->hdr->flags, __ATOMIC_RELAXED) & SLUICE_REQ_CANCELLED)

/* The next request says this, and is answered with it. */
#define SERVES(text)                                                                           \
	do {                                                                                   \
		EXPECT_STREQ(text, ring_text(&self->r, &self->q));                             \
		EXPECT_EQ(1, ring_answer(&self->r, &self->q, self->q.hdr->len, 0));            \
	} while (0)

TEST_F(cancel, one_that_waits_leaves_the_queue)
{
	ASSERT_EQ(0, up("steer hash window 1", UDP, ""));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	SAY(self->c, "qBBBB");
	SAY(self->c, "qCCCC");
	IN_FLIGHT(3);
	SAY(self->c, "cBBBB");
	IN_FLIGHT(2);
	COUNTS(1, "cancelled_peer");
	COUNTS(1, "done_cancel");
	EXPECT_EQ(0, stat_sum("ring", "cancelled_peer"));
	SERVES("qAAAA");
	SERVES("qCCCC");
	EXPECT_TRUE(hears(self->c, "qAAAA"));
	EXPECT_TRUE(hears(self->c, "qCCCC"));
	EXPECT_TRUE(silent(self->c));
	ring_close(&self->r);
	/* in the group's own backlog, of which it gives back its share */
	ASSERT_EQ(0, run("sluice group set g no-consumer hold 1h backlog 1"));
	SAY(self->c, "qDDDD");
	IN_FLIGHT(1);
	SAY(self->c, "cDDDD");
	IN_FLIGHT(0);
	SAY(self->c, "qEEEE");
	IN_FLIGHT(1);
	EXPECT_EQ(0, run("sluice -j group show | grep -q '\"waiting\": *1,'"));
	SAY(self->c, "cEEEE");
	IN_FLIGHT(0);
	COUNTS(3, "cancelled_peer");
}

TEST_F(cancel, one_that_a_consumer_has_is_flagged_and_its_answer_not_sent)
{
	ASSERT_EQ(0, up("steer hash window 1", UDP6, ""));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(0, self->q.hdr->flags);
	SAY(self->c, "cAAAA");
	EXPECT_TRUE(FLAGGED(&self->q));
	COUNTS(1, "cancelled_peer");
	EXPECT_EQ(1, stat_sum("ring", "cancelled_peer"));
	IN_FLIGHT(0);
	/* nothing to cancel any more */
	SAY(self->c, "cAAAA");
	COUNTS(1, "done_cancel_missed");
	/* the slot is the consumer's until it answers */
	SAY(self->c, "qBBBB");
	IN_FLIGHT(1);
	EXPECT_EQ(0U, ring_pending(&self->r));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 5, 0));
	SERVES("qBBBB");
	EXPECT_TRUE(hears(self->c, "qBBBB"));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(1, outcome("answered"));
}

TEST_F(cancel, the_library_tells_and_skips)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "g" };
	struct sluice_request req[4];
	struct sluice_ring *ring;

	ASSERT_EQ(0, up("steer hash window 8", UDP, ""));
	ASSERT_EQ(0, sluice_ring_open(&ring, &config));
	ASSERT_EQ(0, sluice_ring_attach(ring));
	SAY(self->c, "qAAAA");
	ASSERT_EQ(1, sluice_ring_wait(ring, 20000));
	ASSERT_EQ(1, sluice_ring_peek(ring, req, 4));
	EXPECT_FALSE(sluice_request_cancelled(ring, &req[0]));
	SAY(self->c, "qBBBB");
	SAY(self->c, "cAAAA");
	EXPECT_TRUE(until(sluice_request_cancelled(ring, &req[0])));
	EXPECT_EQ(0, sluice_respond(ring, &req[0], 5));
	/* what was cancelled before it was taken is not seen */
	SAY(self->c, "cBBBB");
	SAY(self->c, "qCCCC");
	COUNTS(2, "done_cancel");
	ASSERT_EQ(1, sluice_ring_wait(ring, 20000));
	ASSERT_EQ(1, sluice_ring_peek(ring, req, 4));
	EXPECT_EQ(0, memcmp(req[0].data, "qCCCC", 5));
	EXPECT_EQ(0, sluice_respond(ring, &req[0], 5));
	EXPECT_EQ(0, sluice_ring_flush(ring));
	EXPECT_TRUE(hears(self->c, "qCCCC"));
	EXPECT_TRUE(silent(self->c));
	EXPECT_TRUE(until(run("sluice ring show | grep -q 'used 0 '") == 0));
	sluice_ring_close(ring);
}

TEST_F(cancel, nobody_elses)
{
	ASSERT_EQ(0, up("steer hash window 1", UDP, ""));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	SAY(self->c, "qBBBB");
	SAY(self->other, "cAAAA");
	SAY(self->other, "cBBBB");
	COUNTS(2, "done_cancel_missed");
	/* an unknown id, no id, and one that is answered */
	SAY(self->c, "cZZZZ");
	SAY(self->c, "cAAA");
	SERVES("qAAAA");
	SAY(self->c, "cAAAA");
	COUNTS(5, "done_cancel_missed");
	SERVES("qBBBB");
	EXPECT_TRUE(hears(self->c, "qAAAA"));
	EXPECT_TRUE(hears(self->c, "qBBBB"));
	EXPECT_EQ(0, outcome("cancelled_peer"));
}

TEST_F(cancel, an_id_may_be_used_again)
{
	ASSERT_EQ(0, up("steer hash window 1", UDP, ""));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	SAY(self->c, "cAAAA");
	EXPECT_TRUE(FLAGGED(&self->q));
	/* the second of this id waits while the first still lies in its slot */
	SAY(self->c, "qAAAA2");
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 5, 0));
	SERVES("qAAAA2");
	EXPECT_TRUE(hears(self->c, "qAAAA2"));
	/* of two at once, the id is that of the last */
	SAY(self->c, "qAAAA3");
	SAY(self->c, "qAAAA4");
	SAY(self->c, "cAAAA");
	COUNTS(2, "cancelled_peer");
	SERVES("qAAAA3");
	EXPECT_TRUE(hears(self->c, "qAAAA3"));
	EXPECT_EQ(0U, ring_pending(&self->r));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(0, run("sluice listener show l | grep -q '# 1 requests could not be found'"));
}

TEST_F(cancel, retries_are_answered_once)
{
	ASSERT_EQ(0, up("steer hash window 1", UDP, " once"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	SAY(self->c, "qBBBB");
	/* while it waits, and while it is served */
	SAY(self->c, "qBBBB2");
	SAY(self->c, "qAAAA2");
	COUNTS(2, "done_retry");
	EXPECT_EQ(2, stat_sum("class", "done_retry"));
	/* another's of this id is none */
	SAY(self->other, "qAAAA3");
	SERVES("qAAAA");
	/* and none after the answer */
	SAY(self->c, "qAAAA4");
	COUNTS(2, "done_retry");
	SERVES("qBBBB");
	SERVES("qAAAA3");
	SERVES("qAAAA4");
	EXPECT_TRUE(hears(self->c, "qAAAA"));
	EXPECT_TRUE(hears(self->c, "qBBBB"));
	EXPECT_TRUE(hears(self->c, "qAAAA4"));
	EXPECT_TRUE(hears(self->other, "qAAAA3"));
	EXPECT_TRUE(silent(self->c));
	/* what was cancelled does not answer for it */
	SAY(self->c, "qCCCC");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	SAY(self->c, "cCCCC");
	EXPECT_TRUE(FLAGGED(&self->q));
	SAY(self->c, "qCCCC2");
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY));
	SERVES("qCCCC2");
	EXPECT_TRUE(hears(self->c, "qCCCC2"));
	COUNTS(2, "done_retry");
	/* too short to have an id: each is served */
	SAY(self->c, "qDD");
	SAY(self->c, "qDD");
	SERVES("qDD");
	SERVES("qDD");
	EXPECT_EQ(0, run("sluice -j listener show l | tr -d ' \n' | grep -q '\"untracked\":2[,}]'"));
}

static int dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ? -1 : fd;
}

TEST_F(cancel, over_a_connection)
{
	int a, b;

	ASSERT_EQ(0, up("steer hash window 1", TCP, " once"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	a = dial();
	b = dial();
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	SAY(a, "qAAAA\n");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	SAY(a, "qBBBB\nqCCCC\nqBBBB2\n");
	COUNTS(1, "done_retry");
	SAY(b, "cAAAA\ncBBBB\n");
	COUNTS(2, "done_cancel_missed");
	SAY(a, "cAAAA\ncBBBB\n");
	EXPECT_TRUE(FLAGGED(&self->q));
	COUNTS(2, "cancelled_peer");
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 6, 0));
	/* its answer does not wait for those of the cancelled ones before it */
	SERVES("qCCCC\n");
	EXPECT_TRUE(hears(a, "qCCCC\n"));
	/* a part of the answer has gone: it goes on */
	SAY(a, "qDDDD\n");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 6, SLUICE_RESP_MORE));
	EXPECT_TRUE(hears(a, "qDDDD\n"));
	SAY(a, "cDDDD\n");
	COUNTS(3, "done_cancel_missed");
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 6, 0));
	EXPECT_TRUE(hears(a, "qDDDD\n"));
	/* the client goes: its request is flagged too */
	SAY(b, "qEEEE\n");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	ASSERT_EQ(0, setsockopt(b, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)));
	close(b);
	EXPECT_TRUE(FLAGGED(&self->q));
	COUNTS(1, "cancelled_connection");
	close(a);
}

TEST_F(cancel, by_an_administrator_over_a_connection)
{
	int a;

	ASSERT_EQ(0, up("steer hash window 1", TCP, ""));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	a = dial();
	ASSERT_LE(0, a);
	SAY(a, "qAAAA\n");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(0, run("sluice cancel peer 127.0.0.2 | grep -q '^cancelled 0:'"));
	EXPECT_EQ(0u, self->q.hdr->flags & SLUICE_REQ_CANCELLED);
	EXPECT_EQ(0, run("sluice cancel peer 127.0.0.1 | grep -q '^cancelled 1: 0 waiting, 1 in'"));
	EXPECT_TRUE(FLAGGED(&self->q));
	EXPECT_EQ(1, outcome("cancelled_admin"));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 6, 0));
	close(a);
}

TEST_F(cancel, over_ipv6)
{
	int six = client(AF_INET6, RIG_PORT, 0);

	ASSERT_LE(0, six);
	ASSERT_EQ(0, up("steer hash window 1", UDP6, " once"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(six, "qAAAA");
	SAY(six, "qBBBB");
	SAY(six, "qBBBB");
	IN_FLIGHT(2);
	COUNTS(1, "done_retry");
	SAY(six, "cBBBB");
	COUNTS(1, "cancelled_peer");
	SERVES("qAAAA");
	EXPECT_TRUE(hears(six, "qAAAA"));
	EXPECT_TRUE(silent(six));
	close(six);
}

TEST_F(cancel, with_the_listener)
{
	ASSERT_EQ(0, up("steer hash", UDP, " once"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	ASSERT_EQ(0, run("sluice listener del l"));
	EXPECT_TRUE(FLAGGED(&self->q));
	EXPECT_EQ(1, stat_sum("class", "cancelled_listener"));
	/* requests in a backlog whose rules are gone, the group behind them */
	ring_close(&self->r);
	ASSERT_EQ(0, run("sluice group del g"));
	ASSERT_EQ(0, up("steer fifo no-consumer hold 1h", UDP, ""));
	SAY(self->c, "qAAAA");
	SAY(self->c, "qBBBB");
	IN_FLIGHT(2);
	ASSERT_EQ(0, run("sluice rule del l 1 && sluice group del g"));
	SAY(self->c, "cAAAA");
	COUNTS(1, "done_cancel_missed");
	EXPECT_EQ(2, outcome("rejected_no_consumer"));
}

TEST_F(cancel, by_an_administrator)
{
	struct sockaddr_in me;
	socklen_t len = sizeof(me);

	ASSERT_EQ(0, getsockname(self->other, (struct sockaddr *)&me, &len));
	ASSERT_EQ(0, up("steer hash window 1", UDP " reject-reply text:no", ""));
	ASSERT_EQ(0, run("sluice rule set l 1 text 0 q length 6- group g class long request-id 1/4"));
	ASSERT_EQ(0, run("sluice rule add l 3 order 1 text 0 q group g request-id 1/4"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	SAY(self->c, "qAAAA");
	SAY(self->c, "qBBBB-long");
	SAY(self->other, "qCCCC");
	SAY(self->c, "qDDDD");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	IN_FLIGHT(4);
	EXPECT_EQ(0, run("sluice cancel peer 127.0.0.1:%u | grep -q '^cancelled 1: 1 waiting, 0 in'", ntohs(me.sin_port)));
	EXPECT_TRUE(hears(self->other, "no"));
	EXPECT_EQ(0, run("sluice cancel peer 127.0.0.2 | grep -q '^cancelled 0:'"));
	EXPECT_EQ(0, run("sluice cancel group g class long | grep -q '^cancelled 1: 1 waiting'"));
	EXPECT_TRUE(hears(self->c, "no"));
	EXPECT_EQ(0, run("sluice -j cancel listener l | grep -q '\"published\": *1'"));
	EXPECT_TRUE(FLAGGED(&self->q));
	EXPECT_TRUE(hears(self->c, "no"));
	EXPECT_TRUE(hears(self->c, "no"));
	EXPECT_EQ(4, outcome("cancelled_admin"));
	IN_FLIGHT(0);
	/* its id went with it */
	SAY(self->c, "cAAAA");
	COUNTS(1, "done_cancel_missed");
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 5, 0));
	EXPECT_TRUE(silent(self->c));
	SAY(self->c, "qEEEE");
	SERVES("qEEEE");
	EXPECT_TRUE(hears(self->c, "qEEEE"));
	EXPECT_TRUE(refused("sluice cancel group nix"));
	EXPECT_TRUE(refused("sluice cancel listener nix"));
	EXPECT_TRUE(refused("sluice cancel class long"));
	EXPECT_EQ(2, run("sluice cancel"));
}

/* ---- races ---- */

#define ROUNDS 3 /* RACES in the environment: more */
#define BURST  60

/* Serve until killed; every fourth answer in two parts. */
static void consume(void)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "g", .reply_slots = 8, .reply_size = 64,
					     .slots[0] = { .size = 64, .count = 16 } };
	struct sluice_request req[4];
	struct sluice_reply reply;
	struct sluice_ring *ring;
	int i, n, k = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sluice_ring_open(&ring, &config) || sluice_ring_attach(ring))
		_exit(1);
	for (;;) {
		sluice_ring_wait(ring, 1000);
		n = sluice_ring_peek(ring, req, 4);
		for (i = 0; i < n; i++) {
			if (!(k++ & 3) && !sluice_reply_get(ring, &reply)) {
				memcpy(reply.data, "part", 4);
				if (sluice_respond_from(ring, &req[i], &reply, 4, true))
					_exit(2);
			}
			if (sluice_respond(ring, &req[i], 1))
				_exit(3);
		}
		sluice_ring_flush(ring);
	}
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (!pid)
		consume();
	return pid;
}

struct sender {
	int fd;
	unsigned int seed;
	long requests, cancels;
	const char *end; /* of a message */
};

/* Requests, many of them cancelled at once or a little later, some twice. */
static void *send_all(void *arg)
{
	struct sender *s = arg;
	char text[16];
	int i, back;

	for (i = 0; i < BURST; i++) {
		snprintf(text, sizeof(text), "q%04d%s", i, s->end);
		s->requests += say(s->fd, text) > 0;
		back = rand_r(&s->seed) % 4;
		if (back == 3)
			continue;
		snprintf(text, sizeof(text), "c%04d%s", i < back ? 0 : i - back, s->end);
		s->cancels += say(s->fd, text) > 0;
	}
	return NULL;
}

/* What comes back is not what this is about; a connection must be read, though. */
static void swallow(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static bool race(struct __test_metadata *_metadata, struct sender *s, int senders, bool kills)
{
	pid_t pid[2] = { start(), start() };
	pthread_t thread[2];
	const char *more = getenv("RACES");
	int i, round, rounds = more ? atoi(more) : ROUNDS;
	long requests = 0, cancels = 0;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < senders; i++)
			pthread_create(&thread[i], NULL, send_all, &s[i]);
		if (kills) {
			kill(pid[round & 1], SIGKILL);
			waitpid(pid[round & 1], NULL, 0);
			pid[round & 1] = start();
		}
		for (i = 0; i < senders; i++) {
			pthread_join(thread[i], NULL);
			swallow(s[i].fd);
		}
		EXPECT_TRUE(until(stat_sum("group", "in_flight") == 0));
		EXPECT_TRUE(ledger_closed());
	}
	for (i = 0; i < senders; i++) {
		requests += s[i].requests;
		cancels += s[i].cancels;
		swallow(s[i].fd);
	}
	for (i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	COUNTS(requests + cancels, "received");
	EXPECT_EQ(cancels, outcome("done_cancel") + outcome("done_cancel_missed"));
	EXPECT_EQ(outcome("done_cancel"), outcome("cancelled_peer"));
	TH_LOG("%ld requests, %ld cancelled, %ld answered, %ld repeated", requests, outcome("cancelled_peer"),
	       outcome("answered"), outcome("done_retry"));
	return outcome("cancelled_peer") > 0 && outcome("answered") > 0;
}

TEST_F(cancel, races_with_publishing_and_answering)
{
	struct sender s[2] = { { self->c, 1, .end = "" }, { self->other, 2, .end = "" } };

	ASSERT_EQ(0, up("steer hash window 4 no-consumer hold 1h", UDP, ""));
	EXPECT_TRUE(race(_metadata, s, 2, false));
}

TEST_F(cancel, races_with_the_death_of_rings)
{
	struct sender s[2] = { { self->c, 3, .end = "" }, { self->other, 4, .end = "" } };

	ASSERT_EQ(0, up("steer fifo window 2 no-consumer hold 1h crash reissue", UDP, " once"));
	EXPECT_TRUE(race(_metadata, s, 2, true));
}

TEST_F(cancel, races_over_connections)
{
	struct sender s[2] = { { 0, 5, .end = "\n" }, { 0, 6, .end = "\n" } };

	ASSERT_EQ(0, up("steer rr window 2 no-consumer hold 1h crash requeue", TCP " reject-reply \"no\"", ""));
	s[0].fd = dial();
	s[1].fd = dial();
	EXPECT_TRUE(race(_metadata, s, 2, true));
	close(s[0].fd);
	close(s[1].fd);
}

TEST_HARNESS_MAIN
