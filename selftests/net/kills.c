// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers that are killed under load, again and again: each policy keeps its promise to every single request, of
 * datagrams and of increments that are pipelined over one connection. Environment: KILLS, how many for each policy (20).
 */
#include <netinet/tcp.h>
#include <sluice/sluice.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "rig.h"

#define CONSUMERS   2
#define OUTSTANDING 32
#define BATCH       4 /* requests that a consumer takes at once */
#define ID_LEN      8
#define COUNTS      (1 << 16) /* requests of a run of increments, at most */

FIXTURE(kills)
{
	pid_t consumer[CONSUMERS];
	int c, kills;
	unsigned int sent, heard, seed;
	unsigned int echoed, refused;
	unsigned char *replies; /* to each request */
};

FIXTURE_SETUP(kills)
{
	const char *kills = getenv("KILLS");

	self->kills = kills ? atoi(kills) : 20;
	self->seed = 1;
	self->replies = calloc(1, 1 << 24);
	ASSERT_NE(NULL, self->replies);
	ASSERT_EQ(0, rig_up());
	self->c = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(kills)
{
	int i;

	for (i = 0; i < CONSUMERS; i++) {
		if (self->consumer[i] > 0) {
			kill(self->consumer[i], SIGKILL);
			waitpid(self->consumer[i], NULL, 0);
		}
	}
	free(self->replies);
}

/* "incr ID 1": count, and say what came of it. Return: the reply's length. */
static uint32_t increment(struct sluice_request *req, uint32_t *counts)
{
	unsigned long id = strtoul((char *)req->data + 5, NULL, 16);

	if (req->len != sizeof("incr 01234567 1\r\n") - 1 || id >= COUNTS)
		_exit(3);
	return snprintf(req->data, req->room, "%u\r\n", ++counts[id]);
}

/* Serve until killed: @counts, if there are any, are incremented as requests say. */
static void consume(uint32_t *counts)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "g",
					     .slots[0] = { .size = 64, .count = 64 } };
	struct sluice_request req[BATCH];
	struct sluice_ring *ring;
	int i, n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sluice_ring_open(&ring, &config) || sluice_ring_attach(ring))
		_exit(1);
	for (;;) {
		sluice_ring_wait(ring, 1000);
		n = sluice_ring_peek(ring, req, BATCH);
		if (n > 0)
			usleep(500); /* so that most are killed with requests in their hands */
		for (i = 0; i < n; i++) {
			if (counts)
				req[i].len = increment(&req[i], counts);
			if (sluice_respond(ring, &req[i], req[i].len))
				_exit(2);
		}
		sluice_ring_flush(ring);
	}
}

static pid_t start(uint32_t *counts)
{
	pid_t pid = fork();

	if (!pid)
		consume(counts);
	return pid;
}

/* Kill a consumer and start another in its place. Return: whether it had lived till then. */
static bool replace(pid_t *victim, uint32_t *counts)
{
	int status;

	kill(*victim, SIGKILL);
	if (waitpid(*victim, &status, 0) != *victim || !WIFSIGNALED(status))
		return false;
	*victim = start(counts);
	return true;
}

/* Hear one reply. Return: false if none comes, or one that is none. */
static bool hear_one(FIXTURE_DATA(kills) *self)
{
	char buf[64] = "";
	ssize_t n = hear(self->c, buf, sizeof(buf) - 1);
	unsigned long id = strtoul(buf, NULL, 16);

	if (n < ID_LEN || n > ID_LEN + 1 || id >= self->sent)
		return false;
	self->replies[id]++;
	self->heard++;
	if (n == ID_LEN)
		self->echoed++;
	else
		self->refused++;
	return true;
}

/* Keep OUTSTANDING requests going until @n replies were heard. */
static bool load(FIXTURE_DATA(kills) *self, unsigned int n)
{
	unsigned int until = self->heard + n;
	char text[16];

	while (self->heard < until) {
		while (self->sent - self->heard < OUTSTANDING) {
			snprintf(text, sizeof(text), "%08x", self->sent++);
			if (say(self->c, text) != ID_LEN)
				return false;
		}
		if (!hear_one(self))
			return false;
	}
	return true;
}

/* Return: whether each request got one reply, of either kind. */
static bool killing(FIXTURE_DATA(kills) *self, const char *policy)
{
	unsigned int i;
	int k;

	if (run("sluice group add g steer rr no-consumer hold 1h target 1h crash %s", policy) ||
	    run("sluice listener add l udp 0.0.0.0:%d default group g reject-reply text:xxxxxxxx! copy %d", RIG_PORT, ID_LEN))
		return false;
	for (k = 0; k < CONSUMERS; k++)
		self->consumer[k] = start(NULL);
	for (k = 0; k < self->kills; k++)
		if (!load(self, 10 + rand_r(&self->seed) % 50) ||
		    !replace(&self->consumer[k % CONSUMERS], NULL))
			return false;
	while (self->heard < self->sent)
		if (!hear_one(self))
			return false;
	for (i = 0; i < self->sent; i++)
		if (self->replies[i] != 1)
			return false;
	printf("# %d kills, %u requests: %u answered, %u refused\n", self->kills, self->sent, self->echoed, self->refused);
	return self->kills && silent(self->c) && ledger_closed() && outcome("received") == self->sent &&
	       outcome("answered") == self->echoed && outcome("rejected_crash") == self->refused;
}

TEST_F(kills, requeue_refuses_only_what_was_taken)
{
	ASSERT_TRUE(killing(self, "requeue"));
	EXPECT_LE(self->refused, (unsigned int)self->kills * BATCH);
}

TEST_F(kills, reissue_answers_everything)
{
	ASSERT_TRUE(killing(self, "reissue"));
	EXPECT_EQ(0U, self->refused);
}

TEST_F(kills, reject_refuses_what_was_unanswered_and_nothing_else)
{
	ASSERT_TRUE(killing(self, "reject"));
	EXPECT_LE(self->refused, (unsigned int)self->kills * OUTSTANDING);
}

FIXTURE(increments)
{
	pid_t consumer[CONSUMERS];
	int c, kills;
	FILE *replies;
	unsigned int sent, heard, seed;
	unsigned int executed, refused;
	uint32_t *counts; /* how often each was executed */
	uint32_t *told;	  /* what its reply says; 0: refused */
};

/* A connection to the listener that is made later. */
static int dial(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ? -1 : fd;
}

FIXTURE_SETUP(increments)
{
	const char *kills = getenv("KILLS");

	self->kills = kills ? atoi(kills) : 20;
	self->seed = 2;
	self->counts = mmap(NULL, COUNTS * sizeof(*self->counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->told = calloc(COUNTS, sizeof(*self->told));
	ASSERT_NE(MAP_FAILED, self->counts);
	ASSERT_NE(NULL, self->told);
	ASSERT_EQ(0, rig_up());
}

FIXTURE_TEARDOWN(increments)
{
	int i;

	for (i = 0; i < CONSUMERS; i++) {
		if (self->consumer[i] > 0) {
			kill(self->consumer[i], SIGKILL);
			waitpid(self->consumer[i], NULL, 0);
		}
	}
	free(self->told);
}

/* Hear the reply to the next request that has none. Return: false if none comes, or one that is none. */
static bool hear_count(FIXTURE_DATA(increments) *self)
{
	char line[64], *end;
	uint32_t n;

	if (!fgets(line, sizeof(line), self->replies))
		return false;
	if (!strcmp(line, "SERVER_ERROR lost\r\n")) {
		self->refused++;
		self->heard++;
		return true;
	}
	n = strtoul(line, &end, 10);
	if (!n || strcmp(end, "\r\n"))
		return false;
	self->told[self->heard++] = n;
	self->executed++;
	return true;
}

/* Keep OUTSTANDING requests going until @n replies were heard. */
static bool incr(FIXTURE_DATA(increments) *self, unsigned int n)
{
	unsigned int until = self->heard + n;
	char text[OUTSTANDING * 32];
	int len;

	while (self->heard < until) {
		for (len = 0; self->sent - self->heard < OUTSTANDING && self->sent < COUNTS;)
			len += snprintf(text + len, sizeof(text) - len, "incr %08x 1\r\n", self->sent++);
		if (len && send(self->c, text, len, MSG_NOSIGNAL) != len)
			return false;
		if (!hear_count(self))
			return false;
	}
	return true;
}

/* Return: whether one connection outlived it all, each request got one reply in its turn, and the ledger agrees. */
static bool incrementing(FIXTURE_DATA(increments) *self, const char *policy)
{
	int k;

	if (run("sluice group add g steer rr no-consumer hold 1h target 1h crash %s", policy) ||
	    run("sluice listener add l tcp 0.0.0.0:%d framing memcached default group g "
		"reject-reply 'SERVER_ERROR lost\\r\\n'", RIG_PORT))
		return false;
	self->c = dial();
	self->replies = self->c < 0 ? NULL : fdopen(self->c, "r");
	if (!self->replies)
		return false;
	for (k = 0; k < CONSUMERS; k++)
		self->consumer[k] = start(self->counts);
	for (k = 0; k < self->kills; k++)
		if (!incr(self, 10 + rand_r(&self->seed) % 50) ||
		    !replace(&self->consumer[k % CONSUMERS], self->counts))
			return false;
	while (self->heard < self->sent)
		if (!hear_count(self))
			return false;
	printf("# %d kills, %u requests: %u executed, %u refused\n", self->kills, self->sent, self->executed, self->refused);
	if (run("sluice conn show | grep -c '^conn ' | grep -qx 1"))
		return false;
	shutdown(self->c, SHUT_RDWR); /* consumers have the socket too */
	fclose(self->replies);
	return self->kills && until(!run("sluice listener show l | grep -q 'accepted 1 closed 1$'")) && ledger_closed() &&
	       outcome("received") == self->sent && outcome("answered") == self->executed &&
	       outcome("rejected_crash") == self->refused;
}

/* Whether no request was executed twice, and those with a count as their reply once. */
static bool once(const FIXTURE_DATA(increments) *self)
{
	unsigned int i;

	for (i = 0; i < self->sent; i++)
		if (self->counts[i] > 1 || self->told[i] > self->counts[i])
			return false;
	return true;
}

TEST_F(increments, requeue_executes_once_or_refuses_what_was_taken)
{
	ASSERT_TRUE(incrementing(self, "requeue"));
	EXPECT_TRUE(once(self));
	EXPECT_LE(self->refused, (unsigned int)self->kills * BATCH);
}

TEST_F(increments, reissue_executes_at_least_once_and_refuses_nothing)
{
	unsigned int i;

	ASSERT_TRUE(incrementing(self, "reissue"));
	EXPECT_EQ(0U, self->refused);
	for (i = 0; i < self->sent; i++)
		EXPECT_TRUE(self->told[i] && self->counts[i] >= self->told[i]);
}

TEST_F(increments, reject_executes_once_or_refuses)
{
	ASSERT_TRUE(incrementing(self, "reject"));
	EXPECT_TRUE(once(self));
	EXPECT_LE(self->refused, (unsigned int)self->kills * OUTSTANDING);
}

TEST_HARNESS_MAIN
