// SPDX-License-Identifier: GPL-2.0-only
/* The latency histograms of a group's classes: each stage has what took its time in it, and no more. */
#include "rig.h"

#define MS	 1000000LL
#define DELAY_MS 40
/* buckets are up to 1/16 wide */
#define AT_LEAST(ms) ((ms) * MS * 15 / 16)
#define AT_MOST(ns)  ((ns) * 17 / 16)

FIXTURE(latencies)
{
	struct ring r;
	struct request q;
	int c;
};

FIXTURE_SETUP(latencies)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g no-consumer hold 1h"));
	ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT));
	ASSERT_EQ(0, run("sluice rule add l 1 text 0 slow group g class slow"));
	self->c = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(latencies)
{
	ring_close(&self->r);
	EXPECT_TRUE(ledger_closed());
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

/* Not waiting for anything: making a stage last. */
static void pass_time(void)
{
	long long end = now_ns() + DELAY_MS * MS;

	while (now_ns() < end)
		usleep(1000);
}

/* A figure ("count", "p50_ns") of a stage of a class, from the command's JSON; -1: there is none. */
static long long figure(const char *class, const char *stage, const char *key)
{
	char cmd[512], line[64] = "";
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "sluice -j stats | tr -d ' \\n' | tr '{' '\\n' | grep '\"class\":\"%s\",\"stage\":\"%s\"' |"
		 " sed 's/.*\"%s\":\\([0-9]*\\).*/\\1/'", class, stage, key);
	f = popen(cmd, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		pclose(f);
	return line[0] ? atoll(line) : -1;
}

/* Serve the next request by hand, with the stamps that the library would make. @late: the stage that lasts. */
static void serve(struct __test_metadata *_metadata, FIXTURE_DATA(latencies) *self, const char *late)
{
	long long taken, answered;

	ASSERT_TRUE(until(ring_pending(&self->r) == 1));
	if (!strcmp(late, "pickup"))
		pass_time();
	ASSERT_TRUE(ring_take(&self->r, &self->q));
	taken = now_ns();
	if (!strcmp(late, "service"))
		pass_time();
	answered = now_ns();
	self->q.hdr->pickup = taken - self->q.hdr->arrival_ns;
	self->q.hdr->service = answered - taken;
	if (!strcmp(late, "send"))
		pass_time();
	ASSERT_EQ(1, ring_answer(&self->r, &self->q, 4, 0));
	ASSERT_TRUE(hears(self->c, "slow"));
}

static const char *const stages[] = { "wait", "pickup", "service", "send" };

TEST_F(latencies, of_each_stage)
{
	long long begin = 0, whole, least = AT_LEAST(DELAY_MS), sum = 0, total;
	const char *const *late, *const *stage;
	int n = 0;

	/* one request for each stage, which lasts in this one and in no other */
	for (late = stages; late < stages + 4; late++) {
		begin = begin ? begin : now_ns();
		ASSERT_EQ(4, say(self->c, "slow"));
		if (!n++) {
			/* held by the kernel: there is no consumer yet */
			pass_time();
			ASSERT_EQ(0, ring_open(&self->r, "g"));
		}
		serve(_metadata, self, *late);
	}
	whole = now_ns() - begin;
	for (stage = stages; stage < stages + 4; stage++) {
		EXPECT_EQ(4, figure("slow", *stage, "count"));
		EXPECT_LE(least, figure("slow", *stage, "max_ns"));
		EXPECT_GE(AT_MOST(whole), figure("slow", *stage, "max_ns"));
		/* a delay of one stage does not show in another: of four times 40 ms, each has one */
		EXPECT_GE(AT_MOST(whole - 3 * DELAY_MS * MS), figure("slow", *stage, "max_ns"));
		EXPECT_LE(0, figure("slow", *stage, "p50_ns"));
		sum += figure("slow", *stage, "max_ns");
	}
	total = figure("slow", "total", "max_ns");
	EXPECT_EQ(4, figure("slow", "total", "count"));
	EXPECT_LE(least, figure("slow", "total", "p50_ns"));
	EXPECT_GE(AT_MOST(whole), total);
	EXPECT_LE(4 * least, sum);
	/* the other class has none of this */
	EXPECT_EQ(0, figure("default", "total", "count") > 0);
}

TEST_F(latencies, impossible_stamps_are_no_latencies)
{
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_EQ(4, say(self->c, "slow"));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	/* longer ago than the request is old */
	self->q.hdr->pickup = UINT32_MAX;
	self->q.hdr->service = UINT32_MAX;
	ASSERT_EQ(1, ring_answer(&self->r, &self->q, 4, 0));
	ASSERT_TRUE(hears(self->c, "slow"));
	EXPECT_EQ(1, figure("slow", "total", "count"));
	EXPECT_EQ(1, figure("slow", "wait", "count"));
	EXPECT_GE(0, figure("slow", "pickup", "count"));
	EXPECT_GE(0, figure("slow", "service", "count"));
	EXPECT_GE(0, figure("slow", "send", "count"));
}

TEST_F(latencies, a_service_may_end_when_its_answer_is_taken)
{
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_EQ(4, say(self->c, "slow"));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	self->q.hdr->pickup = 1;
	self->q.hdr->service = SLUICE_SERVICE_TAKEN;
	ASSERT_EQ(1, ring_answer(&self->r, &self->q, 4, 0));
	ASSERT_TRUE(hears(self->c, "slow"));
	EXPECT_EQ(1, figure("slow", "total", "count"));
	EXPECT_EQ(1, figure("slow", "service", "count"));
	EXPECT_EQ(1, figure("slow", "send", "count"));
}

/* A pickup is kept in 32 bits: of one that was later, nobody knows when the service began. */
TEST_F(latencies, a_service_after_a_pickup_of_unknown_time_is_none)
{
	long long end;

	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_EQ(4, say(self->c, "slow"));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	end = now_ns() + UINT32_MAX + 100 * MS;
	while (now_ns() < end)
		usleep(10000);
	self->q.hdr->pickup = UINT32_MAX;
	self->q.hdr->service = SLUICE_SERVICE_TAKEN;
	ASSERT_EQ(1, ring_answer(&self->r, &self->q, 4, 0));
	ASSERT_TRUE(hears(self->c, "slow"));
	EXPECT_EQ(1, figure("slow", "total", "count"));
	EXPECT_GE(0, figure("slow", "service", "count"));
}

/* What the kernel takes to send the first answers of a kick is not the service of the last. */
TEST_F(latencies, a_service_ends_for_all_that_is_handed_over)
{
	enum { N = 96 };
	struct request q[N];
	long long taken;
	int i;

	ASSERT_EQ(0, run("sluice group add w window %d", N));
	ASSERT_EQ(0, run("sluice rule add l 2 text 0 many group w class many"));
	ring_init(&self->r, "w", 256, N);
	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(4, say(self->c, "many"));
		ASSERT_TRUE(ring_wait(&self->r, &q[i]));
	}
	taken = now_ns();
	for (i = 0; i < N; i++) {
		q[i].hdr->pickup = taken - q[i].hdr->arrival_ns;
		q[i].hdr->service = SLUICE_SERVICE_TAKEN;
		ring_respond(&self->r, (struct sluice_response){
					       .slot = q[i].slot, .data = q[i].slot, .len = 4, .gen = q[i].hdr->gen });
	}
	ASSERT_EQ(N, ring_kick(&self->r));
	EXPECT_EQ(N, figure("many", "service", "count"));
	EXPECT_LT(0, figure("many", "service", "p50_ns"));
	EXPECT_GE(AT_MOST(figure("many", "service", "p50_ns")), figure("many", "service", "max_ns"));
}

TEST_HARNESS_MAIN
