// SPDX-License-Identifier: GPL-2.0-only
/*
 * A consumer that may do almost nothing: no user of consequence, no capability, no new privileges, and a filter that
 * kills it for any system call but those that serving takes. What it finds in its mappings, and how much memory it may
 * have, with all others of its user.
 */
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <grp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <sluice/sluice.h>

#include "rig.h"

#define SERVER_UID 4711
#define OTHER_UID  4712
#define SERVER_GID 4713
#define PATTERN	   0xa5

FIXTURE(confined)
{
	int c;
};

FIXTURE_SETUP(confined)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g steer rr no-consumer hold 1h target 1h owner %d:%d", SERVER_UID, SERVER_GID));
	ASSERT_EQ(0, run("sluice group add theirs owner 0"));
	ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT));
	self->c = client(AF_INET, RIG_PORT, 0);
	ASSERT_LE(0, self->c);
}

FIXTURE_TEARDOWN(confined)
{
	EXPECT_TRUE(ledger_closed());
}

/* ---- the confinement ---- */

/* Become a user without a capability, for good. Return: whether it is so. */
static bool drop(uid_t uid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {}, have[2];
	int cap;

	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_READ, cap) == 1 && prctl(PR_CAPBSET_DROP, cap))
			return false;
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ||
	    syscall(SYS_capset, &head, none) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL)) /* which a change of user takes away */
		return false;
	if (syscall(SYS_capget, &head, have))
		return false;
	return !memcmp(have, none, sizeof(none)) && getuid() == uid && geteuid() == uid;
}

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW	      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL	      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define PERMIT(name)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), ALLOW

/*
 * What a consumer needs, and what the C library does beside. Return: 0 or -1.
 * @swallow: what looks like writing to a disk does nothing and succeeds
 */
static int confine(bool swallow)
{
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		KILL,
		LOAD(nr),
		PERMIT(open),
		PERMIT(openat),
		PERMIT(munmap),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_fdatasync, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, swallow ? SECCOMP_RET_ERRNO : SECCOMP_RET_ALLOW),
		PERMIT(read),
		PERMIT(write),
		PERMIT(close),
		PERMIT(futex),
		PERMIT(exit),
		PERMIT(exit_group),
		PERMIT(brk),
		PERMIT(clock_gettime), /* where there is no vDSO for it */
		/* mappings, but none to execute */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 4),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		KILL,
		ALLOW,
		/* the calls of a ring */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 1, 0),
		KILL,
		LOAD(args[1]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SLUICE_IOC_SETUP, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SLUICE_IOC_ATTACH, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SLUICE_IOC_DRAIN, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SLUICE_IOC_WAIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SLUICE_IOC_KICK, 1, 0),
		KILL,
		ALLOW,
	};
	struct sock_fprog prog = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

/* Serve until a request says "end": what it says comes back, in capitals. Return: 0, or which step failed. */
static int serve(enum sluice_tx tx)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "g", .tx = tx,
					     .slots[0] = { .size = 256, .count = 16 } };
	struct sluice_request req[8];
	struct sluice_ring *ring;
	bool end = false;
	uint32_t k;
	int i, n;

	if (sluice_ring_open(&ring, &config))
		return 10;
	if (sluice_ring_attach(ring))
		return 11;
	while (!end) {
		if (sluice_ring_wait(ring, -1) < 0)
			return 12;
		n = sluice_ring_peek(ring, req, 8);
		for (i = 0; i < n; i++) {
			char *text = req[i].data;

			end |= req[i].len == 3 && !memcmp(text, "end", 3);
			for (k = 0; k < req[i].len; k++)
				text[k] &= ~0x20;
			if (sluice_respond(ring, &req[i], req[i].len))
				return 13;
		}
		if (sluice_ring_flush(ring) < 0)
			return 14;
	}
	/* drained, what was answered is sent */
	if (sluice_ring_drain(ring))
		return 15;
	while ((n = sluice_ring_wait(ring, -1)) >= 0)
		;
	sluice_ring_close(ring);
	return n == -ESHUTDOWN ? 0 : 16;
}

/* A child that is confined and then does @what. */
#define confined_as(uid, swallow, what)                         \
	({                                                      \
		pid_t pid_ = fork();                            \
                                                                \
		if (!pid_) {                                    \
			if (!drop(uid) || confine(swallow))     \
				_exit(9);                       \
			_exit(what);                            \
		}                                               \
		pid_;                                           \
	})
#define confined(uid, what) confined_as(uid, false, what)

/* How it ended: its status, or minus the signal that it was killed by. */
static int ended(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1000;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* 50 echoes, then the word that ends the child. */
static bool echoes_to_the_end(int c, pid_t pid)
{
	int k;

	for (k = 0; k < 50; k++)
		if (say(c, "echo") != 4 || !hears(c, "ECHO"))
			return false;
	return say(c, "end") == 3 && hears(c, "END") && ended(pid) == 0;
}

TEST_F(confined, serves_with_nothing_but_the_calls_of_a_ring)
{
	static const enum sluice_tx tx[] = { SLUICE_TX_KICK, SLUICE_TX_THREAD, SLUICE_TX_ADAPTIVE };
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(echoes_to_the_end(self->c, confined(SERVER_UID, serve(tx[i]))));
	EXPECT_EQ(153, outcome("answered"));
}

TEST_F(confined, serves_where_the_filter_swallows_its_kicks)
{
	ASSERT_TRUE(echoes_to_the_end(self->c, confined_as(SERVER_UID, true, serve(SLUICE_TX_KICK))));
	EXPECT_EQ(51, outcome("answered"));
}

TEST_F(confined, is_killed_for_any_other)
{
	EXPECT_EQ(0, ended(confined(SERVER_UID, 0)));
	EXPECT_EQ(-SIGSYS, ended(confined(SERVER_UID, socket(AF_INET, SOCK_DGRAM, 0) >= 0)));
	EXPECT_EQ(-SIGSYS, ended(confined(SERVER_UID, ioctl(0, FIONREAD, NULL))));
	EXPECT_EQ(-SIGSYS, ended(confined(SERVER_UID, mprotect(NULL, 4096, PROT_EXEC))));
	EXPECT_EQ(-SIGSYS, ended(confined(SERVER_UID, mmap(NULL, 4096, PROT_READ | PROT_EXEC,
							   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)));
}

/* Set up a ring by hand, of a group. Return: 0 or an errno. */
static int set_up(const char *group)
{
	struct ring r;

	ring_init(&r, group, 256, 16);
	return -ring_setup(&r);
}

TEST_F(confined, gets_no_ring_that_is_not_its_own)
{
	EXPECT_EQ(0, ended(confined(SERVER_UID, set_up("g"))));
	EXPECT_EQ(EPERM, ended(confined(SERVER_UID, set_up("theirs"))));
	EXPECT_EQ(EPERM, ended(confined(OTHER_UID, set_up("g"))));
	EXPECT_EQ(ENOENT, ended(confined(SERVER_UID, set_up("nix"))));
}

/* ---- what is in a mapping ---- */

/* Leave a pattern in memory that the kernel will give out again: pages, and what packets lie in. */
static void litter(int c)
{
	size_t size = 64 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char text[2000];
	int i;

	memset(text, PATTERN, sizeof(text));
	for (i = 0; i < 300; i++)
		send(c, text, 1 + i * 6, MSG_DONTWAIT);
	if (p == MAP_FAILED)
		return;
	memset(p, PATTERN, size);
	munmap(p, size);
}

/* Where the pattern, or something like a kernel's pointer, lies in a mapping; -1: nowhere. */
static long found(const void *map, size_t len)
{
	const uint32_t *word = map;
	const uint64_t *both = map;
	size_t i;

	for (i = 0; i < len / 4; i++)
		if (word[i] == PATTERN * 0x01010101U)
			return i * 4;
	for (i = 0; i < len / 8; i++)
		if (both[i] >> 47 == 0x1ffff)
			return i * 8;
	return -1;
}

static bool zero(const void *from, size_t len)
{
	const char *p = from;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* What the kernel wrote before a message, other than hashes and times, can be told; behind it come zeroes. */
static bool slot_is_clean(const struct request *q, uint32_t len)
{
	const struct sluice_slot *h = q->hdr;

	return h->len == len && h->orig_len == len && h->gap == 0 && h->pickup == 0 && h->service == 0 &&
	       h->conn == 0 && zero(q->data + len, (8 - len % 8) % 8);
}

TEST_F(confined, finds_nothing_in_its_mapping_that_was_not_put_there_for_it)
{
	struct request q;
	char text[256];
	struct ring r;
	uint32_t len;
	int round;

	memset(text, 'm', sizeof(text));
	ASSERT_EQ(0, run("sluice listener set l default drop"));
	litter(self->c);
	ASSERT_EQ(0, run("sluice listener set l default group g"));
	ring_init(&r, "g", 256, 16);
	r.su.reply_slots = 4;
	r.su.reply_size = 128;
	ASSERT_EQ(0, ring_setup(&r));
	/* before there was any request: nothing but its state */
	EXPECT_TRUE(zero(r.kernel, r.su.map.state));
	EXPECT_TRUE(zero(r.kernel + r.su.map.state + 4, r.su.map.kernel.len - r.su.map.state - 4));
	EXPECT_TRUE(zero((void *)r.queue, r.su.map.requests.len));
	EXPECT_TRUE(zero(r.user, r.su.map.user.len));
	EXPECT_TRUE(zero(r.resp, r.su.map.responses.len));
	EXPECT_TRUE(zero(r.slots, r.su.map.slots.len));
	ASSERT_EQ(0, ring_attach(&r));
	/* each length; in the second round slots are used again, and the consumer has left its own behind */
	for (round = 0; round < 2; round++) {
		for (len = 0; len <= 128; len++) {
			ASSERT_EQ((ssize_t)len, send(self->c, text, len, 0));
			ASSERT_TRUE(ring_wait(&r, &q));
			ASSERT_TRUE(slot_is_clean(&q, len)) {
				TH_LOG("a message of %u bytes, round %d", len, round);
			}
			ASSERT_EQ(0, memcmp(q.data, text, len));
			if (!round) {
				ASSERT_TRUE(zero(q.data + 128, 256 - 128));
			} else {
				memset(q.data, 'c', 256);
			}
			ASSERT_EQ(1, ring_answer(&r, &q, 0, SLUICE_RESP_NO_REPLY));
		}
	}
	EXPECT_EQ(-1, found(r.kernel, r.su.map.kernel.len));
	EXPECT_EQ(-1, found((void *)r.queue, r.su.map.requests.len));
	EXPECT_EQ(-1, found(r.user, r.su.map.user.len));
	EXPECT_EQ(-1, found(r.slots, r.su.map.slots.len));
	ring_close(&r);
}

/* ---- how much it may have ---- */

/*
 * As @uid: set up rings of nine pages each until that is refused, say how many there are, and keep them until @go says
 * something. Return: the errno of the refusal.
 */
static int hoard(uid_t uid, size_t pages, int said, int go)
{
	struct rlimit rl = { pages * 4096, pages * 4096 };
	char n = 0, byte;
	struct ring r;
	int err;

	if (setrlimit(RLIMIT_MEMLOCK, &rl) || setgroups(1, (gid_t[]){ SERVER_GID }) || setresuid(uid, uid, uid) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		return 255;
	do {
		ring_init(&r, "g", 256, 64);
		err = ring_setup(&r);
		n += !err;
	} while (!err && n < 16);
	if (write(said, &n, 1) != 1 || read(go, &byte, 1) != 1)
		return 255;
	return -err;
}

struct hoarder {
	pid_t pid;
	int go;
	char rings;
};

static bool hoarder(struct hoarder *h, uid_t uid, size_t pages)
{
	int said[2], go[2];

	if (pipe2(said, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return false;
	h->pid = fork();
	if (!h->pid) {
		close(go[1]);
		_exit(hoard(uid, pages, said[1], go[0]));
	}
	close(go[0]);
	close(said[1]);
	h->go = go[1];
	return read(said[0], &h->rings, 1) == 1 && !close(said[0]);
}

static int let_go(struct hoarder *h)
{
	if (write(h->go, "g", 1) != 1)
		return -1;
	close(h->go);
	return ended(h->pid);
}

TEST_F(confined, has_no_more_memory_than_its_user_may_lock_in_all)
{
	struct hoarder one, same, other, later;

	ASSERT_TRUE(hoarder(&one, SERVER_UID, 30));
	EXPECT_EQ(3, one.rings);
	/* another process of the same user has what is left, which is none */
	ASSERT_TRUE(hoarder(&same, SERVER_UID, 30));
	EXPECT_EQ(0, same.rings);
	/* another user of the same group has its own */
	ASSERT_TRUE(hoarder(&other, OTHER_UID, 20));
	EXPECT_EQ(2, other.rings);
	EXPECT_EQ(ENOBUFS, let_go(&same));
	EXPECT_EQ(ENOBUFS, let_go(&one));
	/* what was charged came back */
	ASSERT_TRUE(hoarder(&later, SERVER_UID, 30));
	EXPECT_EQ(3, later.rings);
	EXPECT_EQ(ENOBUFS, let_go(&later));
	EXPECT_EQ(ENOBUFS, let_go(&other));
}

TEST_F(confined, has_no_more_rings_than_its_group_allows)
{
	struct hoarder one, other;

	ASSERT_EQ(0, run("sluice group set g max-rings 3"));
	ASSERT_TRUE(hoarder(&one, SERVER_UID, 1000));
	EXPECT_EQ(3, one.rings);
	ASSERT_TRUE(hoarder(&other, OTHER_UID, 1000));
	EXPECT_EQ(0, other.rings);
	EXPECT_EQ(ENOSPC, let_go(&other));
	EXPECT_EQ(ENOSPC, let_go(&one));
}

TEST_HARNESS_MAIN
