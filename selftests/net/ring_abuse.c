// SPDX-License-Identifier: GPL-2.0-only
/* What a consumer may try against the kernel through its mappings and its file: it harms its own ring only. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "rig.h"

#define SERVER_UID 4711

FIXTURE(abuse)
{
	struct ring r;
	int c;
};

FIXTURE_SETUP(abuse)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g steer rr no-consumer reject crash reissue owner %d", SERVER_UID));
	ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT));
	self->c = client(AF_INET, RIG_PORT, 0);
	ASSERT_LE(0, self->c);
	ring_init(&self->r, "g", 256, 64);
}

FIXTURE_TEARDOWN(abuse)
{
	EXPECT_TRUE(ledger_closed());
}

static long remap(void *at, size_t len, uint64_t offset)
{
	return syscall(SYS_remap_file_pages, at, len, 0, offset / sysconf(_SC_PAGESIZE), 0);
}

TEST_F(abuse, remap_file_pages_makes_no_kernel_page_writable)
{
	const struct sluice_ring_map *m = &self->r.su.map;
	struct request q;
	size_t i;

	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	ASSERT_EQ(4, say(self->c, "safe"));
	ASSERT_TRUE(until(ring_pending(&self->r)));
	/* the responses' mapping is writable; have it show the request queues, then the kernel page */
	remap(self->r.resp, m->requests.len < m->responses.len ? m->requests.len : m->responses.len,
	      m->requests.offset);
	memset(self->r.resp, 0x7f, 4096);
	for (i = 0; i < m->requests.len / 4; i++)
		ASSERT_NE(0x7f7f7f7fU, self->r.queue[i]);
	remap(self->r.user, 4096, m->kernel.offset);
	memset(self->r.user, 0x7f, 4096);
	ASSERT_NE(0x7f7f7f7fU, *self->r.state);
	/* what cannot be written is remapped to itself, and then protected otherwise */
	remap(self->r.kernel, 4096, m->kernel.offset);
	EXPECT_NE(0, mprotect(self->r.kernel, 4096, PROT_READ | PROT_WRITE));
	remap((void *)self->r.queue, 4096, m->requests.offset);
	EXPECT_NE(0, mprotect((void *)self->r.queue, 4096, PROT_READ | PROT_WRITE));
	ASSERT_TRUE(ring_wait(&self->r, &q));
	EXPECT_EQ(0, memcmp(q.data, "safe", 4));
}

TEST_F(abuse, garbage_in_what_it_may_write_then_death)
{
	struct ring second;
	uint32_t i;

	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	for (i = 0; i < 32; i++)
		ASSERT_EQ(4, say(self->c, "safe"));
	ASSERT_TRUE(until(ring_pending(&self->r) == 32));
	ASSERT_EQ(0, ring_open(&second, "g"));
	memset(self->r.slots, 0xff, self->r.su.map.slots.len);
	memset(self->r.resp, 0xff, self->r.su.map.responses.len);
	memset(self->r.user + self->r.su.map.req_head[0], 0xff, 16);
	close(self->r.fd);
	ASSERT_TRUE(until(ring_pending(&second) == 32));
	for (i = 0; i < 32; i++) {
		struct request q;

		ASSERT_STREQ("safe", ring_text(&second, &q));
		EXPECT_EQ(4, ring_answer(&second, &q, 4, 0) * 4);
		EXPECT_TRUE(hears(self->c, "safe"));
	}
	ring_close(&second);
}

struct chaser {
	struct ring *r;
	volatile bool stop;
};

/* Always as many entries ahead of the kernel as there can be: all of them stale. */
static void *chase(void *arg)
{
	struct chaser *c = arg;

	while (!c->stop)
		*c->r->resp_tail = *c->r->resp_head + c->r->su.map.resp_entries;
	return NULL;
}

TEST_F(abuse, tail_that_runs_ahead_does_not_hold_up_its_removal)
{
	struct chaser chaser = { .r = &self->r };
	pthread_t thread;

	/* long enough that the thread which fills it may lose the CPU for a while */
	ring_init(&self->r, "g", 64, 16384);
	self->r.su.flags = SLUICE_RING_TX_THREAD;
	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	memset(self->r.resp, 0xff, self->r.su.map.responses.len);
	/* with a request in the consumer's hands the kernel's thread looks for its answer */
	ASSERT_EQ(3, say(self->c, "one"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, chase, &chaser));
	ASSERT_TRUE(until(*self->r.resp_head));
	EXPECT_EQ(0, run("timeout 60 sluice ring del %u", self->r.su.ring));
	EXPECT_NE(0U, *self->r.state & SLUICE_STATE_GONE);
	chaser.stop = true;
	pthread_join(thread, NULL);
	ring_close(&self->r);
}

/* Change entries and slots that the kernel may be reading. */
static void *flip(void *arg)
{
	struct chaser *c = arg;
	const struct sluice_ring_map *m = &c->r->su.map;
	unsigned int seed = 1;

	while (!c->stop) {
		volatile struct sluice_response *e = &c->r->resp[rand_r(&seed) % m->resp_entries];

		e->slot = rand_r(&seed) % 80;
		e->data = rand_r(&seed) % 80;
		e->len = rand_r(&seed) % 600;
		e->flags = rand_r(&seed) % 4 ? 0 : rand_r(&seed) % 20;
		e->gen = rand_r(&seed) % 64;
		((volatile uint32_t *)c->r->slots)[rand_r(&seed) % (m->slots.len / 4)] = rand_r(&seed);
	}
	return NULL;
}

TEST_F(abuse, entries_that_change_while_the_kernel_reads_them)
{
	struct chaser chaser = { .r = &self->r };
	struct request q;
	pthread_t thread;
	int i, served = 0;
	char buf[512];

	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &chaser));
	for (i = 0; i < 2000; i++) {
		say(self->c, "some bytes");
		while (ring_take(&self->r, &q)) {
			ASSERT_LE(0, ring_answer(&self->r, &q, 10, 0));
			served++;
		}
		while (recv(self->c, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
	chaser.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LT(0, served);
	EXPECT_TRUE(ledger_closed());
	ring_close(&self->r);
	EXPECT_TRUE(until(run("sluice ring show | grep -q .") || stat_sum("ring", "in_flight") == 0));
}

TEST_F(abuse, answers_that_are_not_its_own_are_ignored)
{
	struct request q, other;
	uint16_t gen;

	self->r.su.reply_slots = 2;
	self->r.su.reply_size = 64;
	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	ASSERT_EQ(3, say(self->c, "one"));
	ASSERT_STREQ("one", ring_text(&self->r, &q));
	gen = q.hdr->gen;
	/* a slot it does not have, one that was never published, a generation of before */
	ring_respond(&self->r, (struct sluice_response){ .slot = 1000000, .len = 3, .gen = gen });
	ring_respond(&self->r, (struct sluice_response){ .slot = (q.slot + 1) % 64, .data = q.slot, .len = 3 });
	ring_respond(&self->r, (struct sluice_response){ .slot = q.slot, .data = q.slot, .len = 3, .gen = gen - 1 });
	EXPECT_EQ(3, ring_kick(&self->r));
	EXPECT_TRUE(silent(self->c));
	/* from a reply slot, and a second time */
	memcpy(ring_slot(&self->r, 65) + 1, "from another slot", 17);
	ring_respond(&self->r, (struct sluice_response){ .slot = q.slot, .data = 65, .len = 17, .gen = gen });
	ring_respond(&self->r, (struct sluice_response){ .slot = q.slot, .data = 65, .len = 17, .gen = gen });
	EXPECT_EQ(2, ring_kick(&self->r));
	EXPECT_TRUE(hears(self->c, "from another slot"));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(1, outcome("answered"));
	EXPECT_EQ(0, outcome("dropped_bad_response"));
	/* the reply may lie in the slot of another request that it owns, not in one that it does not */
	ASSERT_EQ(3, say(self->c, "two"));
	ASSERT_STREQ("two", ring_text(&self->r, &q));
	ASSERT_EQ(5, say(self->c, "three"));
	ASSERT_STREQ("three", ring_text(&self->r, &other));
	ring_respond(&self->r, (struct sluice_response){ .slot = q.slot, .data = other.slot, .len = 5, .gen = q.hdr->gen });
	EXPECT_EQ(1, ring_kick(&self->r));
	EXPECT_TRUE(hears(self->c, "three"));
	ring_respond(&self->r, (struct sluice_response){ .slot = other.slot, .data = q.slot, .len = 3,
							 .gen = other.hdr->gen });
	EXPECT_EQ(1, ring_kick(&self->r));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(1, outcome("dropped_bad_response"));
	/* longer than the slot, flags that do not exist, flags that exclude each other */
	ASSERT_EQ(4, say(self->c, "four"));
	ASSERT_STREQ("four", ring_text(&self->r, &q));
	EXPECT_EQ(1, ring_answer(&self->r, &q, 257, 0));
	ASSERT_EQ(4, say(self->c, "five"));
	ASSERT_STREQ("five", ring_text(&self->r, &q));
	EXPECT_EQ(1, ring_answer(&self->r, &q, 4, 0x8000));
	ASSERT_EQ(3, say(self->c, "six"));
	ASSERT_STREQ("six", ring_text(&self->r, &q));
	EXPECT_EQ(1, ring_answer(&self->r, &q, 3, SLUICE_RESP_MORE | SLUICE_RESP_NO_REPLY));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(4, outcome("dropped_bad_response"));
	ring_close(&self->r);
}

TEST_F(abuse, fork_gives_the_child_the_file_but_no_mapping)
{
	int ready[2], go[2], status;
	struct request q;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		char vec;

		/* 0 if every mapping stayed with the parent */
		status = mincore(self->r.kernel, 4096, (void *)&vec) == 0 ||
			 mincore(self->r.slots, 4096, (void *)&vec) == 0;
		if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1)
			status = 2;
		_exit(status);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ring_close(&self->r);
	/* the child holds the file: the ring stays, and nobody serves it */
	ASSERT_EQ(3, say(self->c, "one"));
	EXPECT_EQ(0, outcome("rejected_no_consumer"));
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* with it the ring goes; what it had left is refused, there being no other */
	EXPECT_TRUE(until(outcome("rejected_no_consumer") == 1));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	ASSERT_EQ(3, say(self->c, "two"));
	EXPECT_STREQ("two", ring_text(&self->r, &q));
	ring_close(&self->r);
}

TEST_F(abuse, unmapped_moved_and_protected_while_running)
{
	struct request q;
	void *p;

	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	ASSERT_EQ(3, say(self->c, "one"));
	ASSERT_STREQ("one", ring_text(&self->r, &q));
	/* moved: the same memory elsewhere */
	p = mremap(self->r.slots, self->r.su.map.slots.len, self->r.su.map.slots.len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   mmap(NULL, self->r.su.map.slots.len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_NE(MAP_FAILED, p);
	self->r.slots = p;
	q.hdr = ring_slot(&self->r, q.slot);
	memcpy(q.hdr + 1, "eno", 3);
	EXPECT_EQ(1, ring_answer(&self->r, &q, 3, 0));
	EXPECT_TRUE(hears(self->c, "eno"));
	EXPECT_EQ(MAP_FAILED, mremap(self->r.slots, self->r.su.map.slots.len, 2 * self->r.su.map.slots.len,
				     MREMAP_MAYMOVE));
	/* what was writable may be made read-only, and writable again; what was not, not */
	EXPECT_EQ(0, mprotect(self->r.slots, 4096, PROT_READ));
	EXPECT_EQ(0, mprotect(self->r.slots, 4096, PROT_READ | PROT_WRITE));
	EXPECT_NE(0, mprotect(self->r.kernel, 4096, PROT_READ | PROT_WRITE));
	EXPECT_NE(0, mprotect(self->r.slots, 4096, PROT_READ | PROT_EXEC));
	/* unmapped and mapped again: the kernel does not notice */
	ASSERT_EQ(3, say(self->c, "two"));
	munmap(self->r.slots, self->r.su.map.slots.len);
	ASSERT_EQ(5, say(self->c, "three"));
	self->r.slots = ring_map(&self->r, &self->r.su.map.slots, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, (void *)self->r.slots);
	EXPECT_STREQ("two", ring_text(&self->r, &q));
	EXPECT_STREQ("three", ring_text(&self->r, &q));
	/* a hole: the consumer parts with the kernel, and finds zeros */
	EXPECT_EQ(0, madvise(self->r.slots, self->r.su.map.slots.len, MADV_REMOVE));
	ASSERT_EQ(4, say(self->c, "four"));
	EXPECT_TRUE(ring_wait(&self->r, &q));
	ring_close(&self->r);
}

/* The kernel's answer to a set-up as @uid with this locked-memory limit, in a child: 0 or an errno. */
static int setup_as(struct ring *r, uid_t uid, size_t limit, int times)
{
	struct rlimit rl = { limit, limit };
	int status;
	pid_t pid = fork();

	if (!pid) {
		int err = 0;

		if (setrlimit(RLIMIT_MEMLOCK, &rl) || setresuid(uid, uid, uid))
			_exit(255);
		while (!err && times-- > 0) {
			err = ring_setup(r);
			if (!err) {
				err = ring_attach(r);
				ring_close(r);
			}
		}
		_exit(-err);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(abuse, unprivileged_owner_within_its_locked_memory)
{
	ASSERT_EQ(0, ring_setup(&self->r));
	ring_close(&self->r);
	EXPECT_EQ(EPERM, setup_as(&self->r, SERVER_UID + 1, 8 << 20, 1));
	EXPECT_EQ(ENOBUFS, setup_as(&self->r, SERVER_UID, 8192, 1));
	/* what a ring was charged comes back when it goes: one after the other fits, however many */
	EXPECT_EQ(0, setup_as(&self->r, SERVER_UID, 64 << 10, 20));
	/* who may not serve a group costs no memory first */
	EXPECT_EQ(EPERM, setup_as(&self->r, SERVER_UID + 1, 8192, 1));
}

TEST_F(abuse, opened_and_killed_under_traffic)
{
	int status, i;
	pid_t pid;

	for (i = 0; i < 40; i++) {
		pid = fork();
		if (!pid) {
			self->r.su.flags = i % 2 ? SLUICE_RING_TX_THREAD : SLUICE_RING_TX_ADAPTIVE;
			if (!ring_setup(&self->r) && !ring_attach(&self->r))
				kill(getpid(), SIGKILL);
			_exit(1);
		}
		do {
			say(self->c, "traffic");
		} while (waitpid(pid, &status, WNOHANG) == 0);
		ASSERT_TRUE(WIFSIGNALED(status));
	}
}

TEST_HARNESS_MAIN
