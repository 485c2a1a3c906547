// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers that are killed under load, again and again: each policy keeps its promise to every single request.
 * Environment: KILLS, how many for each policy (20).
 */
#include <sluice/sluice.h>
#include <sys/prctl.h>

#include "rig.h"

#define CONSUMERS   2
#define OUTSTANDING 32
#define BATCH       4 /* requests that a consumer takes at once */
#define ID_LEN      8

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

/* Serve until killed. */
static void consume(void)
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
		for (i = 0; i < n; i++)
			if (sluice_respond(ring, &req[i], req[i].len))
				_exit(2);
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
	int k, status;

	if (run("sluice group add g steer rr no-consumer hold 1h target 1h crash %s", policy) ||
	    run("sluice listener add l udp 0.0.0.0:%d default group g reject-reply text:xxxxxxxx! copy %d", RIG_PORT, ID_LEN))
		return false;
	for (k = 0; k < CONSUMERS; k++)
		self->consumer[k] = start();
	for (k = 0; k < self->kills; k++) {
		pid_t *victim = &self->consumer[k % CONSUMERS];

		if (!load(self, 10 + rand_r(&self->seed) % 50))
			return false;
		kill(*victim, SIGKILL);
		if (waitpid(*victim, &status, 0) != *victim || !WIFSIGNALED(status))
			return false;
		*victim = start();
	}
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

TEST_HARNESS_MAIN
