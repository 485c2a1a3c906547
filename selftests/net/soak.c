// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything comes and goes at once under traffic: namespaces, listeners of each kind, groups, rules, consumers,
 * connections, adopted sockets, the module. Nothing is left of it in the end. Environment: SOAK, for how many seconds
 * (3), and until everybody had two turns.
 */
#include <signal.h>
#include <sys/prctl.h>

#include "rig.h"

#define UDP_PORT     7000 /* three listeners */
#define TCP_PORT     7100
#define XDP_PORT     7200
#define ADOPT_PORT   7300
#define GROUPS	     3
#define CONSUMERS    3
#define TURNS	     2	   /* at least, of each actor */
#define GROWN_KB     4096  /* kernel memory in the end, at most, over what it was */
#define LESS_FREE_KB 32768 /* available memory, the same */

/* Who does something again and again. */
enum {
	SEND_UDP,
	SEND_TCP,
	SEND_XDP,
	SET_LISTENERS,
	SET_XDP,
	SET_GROUPS,
	SET_RULES,
	KILL_CONSUMERS,
	CLOSE_CONSUMERS,
	ADOPT,
	NAMESPACES,
	ASK,
	RELOAD,
	ACTORS,
};

static const char *const names[] = {
	[SEND_UDP] = "bursts of datagrams",
	[SEND_TCP] = "connections",
	[SEND_XDP] = "bursts of frames",
	[SET_LISTENERS] = "listeners",
	[SET_XDP] = "XDP listeners",
	[SET_GROUPS] = "groups",
	[SET_RULES] = "rule sets",
	[KILL_CONSUMERS] = "consumers killed",
	[CLOSE_CONSUMERS] = "consumers that went",
	[ADOPT] = "adoptions",
	[NAMESPACES] = "namespaces",
	[ASK] = "ledgers closed",
	[RELOAD] = "reloads",
};

/* What all processes of the test share. */
struct soak {
	volatile bool stop;
	volatile bool release; /* the module is to be unloaded: let go of what holds it */
	volatile long turns[ACTORS];
	volatile long answered; /* by consumers */
	volatile int open;	/* ledgers that did not close */
	char why[4096];		/* what the first of them said */
	int peer;		/* the namespace at the other end of the wire */
};

FIXTURE(soak)
{
	struct soak *s;
	int seconds;
	pid_t holder;
};

/* Run a command that may be refused, since what it is about may have gone. */
#define attempt(fmt, ...) run("{ " fmt "; } >/dev/null 2>&1", ##__VA_ARGS__)

static unsigned int seed;

static unsigned int random_below(unsigned int n)
{
	return rand_r(&seed) % n;
}

/* Others have their turn. */
static void pause_ms(unsigned int most)
{
	usleep(random_below(most * 1000) + 100);
}

static bool go_on(const struct soak *s)
{
	return !s->stop && !s->release;
}

/* ---- traffic ---- */

/* Up to 32 messages in one buffer. */
static void burst_gathered(int fd, const struct sockaddr_in *to)
{
	int each = 8 + random_below(24), off = 0;
	char text[1024];

	memset(text, "mli"[random_below(3)], sizeof(text));
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &each, sizeof(each));
	sendto(fd, text, each * (1 + random_below(32)), MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to));
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof(off));
}

static void burst(int fd, const struct sockaddr_in *to)
{
	static const char *const texts[] = { "message", "load and some bytes more", "x", "id:0001 incr" };
	char buf[512];
	int i;

	for (i = 0; i < 32; i++) {
		const char *text = texts[random_below(4)];

		sendto(fd, text, strlen(text), MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to));
	}
	if (random_below(2))
		burst_gathered(fd, to);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void send_to(struct soak *s, const char *addr, unsigned int port, unsigned int ports)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	static int fd = -1;

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, addr, &to.sin_addr);
	to.sin_port = htons(port + random_below(ports));
	burst(fd, &to);
	pause_ms(4);
}

static bool send_udp(struct soak *s)
{
	send_to(s, "127.0.0.1", UDP_PORT, 4);
	send_to(s, "127.0.0.1", ADOPT_PORT, 1);
	return true;
}

/* From the other end of the wire. */
static bool send_xdp(struct soak *s)
{
	static bool there;

	if (!there && setns(s->peer, CLONE_NEWNET))
		_exit(1);
	there = true;
	send_to(s, "10.7.0.1", XDP_PORT, 1);
	return true;
}

/* A client that sends lines, half of one perhaps, reads none, some or all of the replies, and ends in one way or other. */
static void talk(unsigned int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };
	struct timeval patience = { .tv_usec = 50000 };
	struct linger now = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), i, n = random_below(40);
	char buf[4096];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		n = 0;
	for (i = 0; i < n; i++)
		if (send(fd, "message of a line\n", 18, MSG_NOSIGNAL) != 18)
			break;
	if (n && random_below(2))
		send(fd, "half a li", 9, MSG_NOSIGNAL);
	if (n && random_below(2))
		while (recv(fd, buf, sizeof(buf), 0) > 0 && random_below(8))
			;
	if (random_below(2))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	else
		shutdown(fd, SHUT_WR);
	close(fd);
}

static bool send_tcp(struct soak *s)
{
	talk(TCP_PORT);
	talk(ADOPT_PORT);
	pause_ms(10);
	return true;
}

/* ---- configuration ---- */

/* What everybody begins with, and finds again when the module was away. */
static void begin(void)
{
	int i;

	attempt("modprobe sluice");
	for (i = 0; i < GROUPS; i++)
		attempt("sluice group add g%d steer rr crash reissue no-consumer hold 1h; "
			"sluice listener add u%d udp 0.0.0.0:%u %s default group g%d reject-reply text:no", i, i, UDP_PORT + i,
			i % 2 ? "gro" : "", i);
	attempt("sluice listener add t tcp 127.0.0.1:%u framing line default group g0 pipeline 8", TCP_PORT);
}

static bool set_groups(struct soak *s)
{
	static const char *const steer[] = { "rr", "hash", "fifo", "least", "p2c", "typed", "cpu" };
	static const char *const crash[] = { "requeue", "reissue", "reject" };
	static const char *const without[] = { "hold 20ms", "hold 1h", "reject" };
	unsigned int i = random_below(GROUPS);

	attempt("sluice group set g%u crash %s no-consumer %s window %u steer %s", i, crash[random_below(3)],
		without[random_below(3)], random_below(9), steer[random_below(7)]);
	/* one that nothing refers to goes; one that something does stays */
	attempt("sluice group del g%u; sluice group add g%u steer %s backlog %u", i, i, steer[random_below(7)],
		10 + random_below(200));
	attempt("sluice group add short no-consumer hold 1h; sluice listener set u%u default group short; "
		"sluice listener set u%u default group g%u; sluice group del short", i, i, i);
	return true;
}

static bool set_listeners(struct soak *s)
{
	unsigned int i = random_below(3);

	attempt("sluice listener del u%u; "
		"sluice listener add u%u udp 0.0.0.0:%u %s default group g%u reject-reply text:no", i, i, UDP_PORT + i,
		random_below(2) ? "gro" : "", random_below(GROUPS));
	attempt("sluice listener set u%u default group g%u", random_below(3), random_below(GROUPS));
	if (random_below(2))
		attempt("sluice listener del t; sluice listener add t tcp 127.0.0.1:%u framing line "
			"default group g%u pipeline 8 send-limit 4096", TCP_PORT, random_below(GROUPS));
	return true;
}

static bool set_xdp(struct soak *s)
{
	if (s->release)
		return false;
	attempt("sluice listener add x xdp dev s0 udp 0.0.0.0:%u default group g%u", XDP_PORT, random_below(GROUPS));
	if (!s->release)
		pause_ms(50);
	attempt("sluice listener del x");
	return true;
}

static bool set_rules(struct soak *s)
{
	unsigned int l = random_below(4), i;
	char name[3] = { 'u', '0' + l, 0 };

	if (l == 3)
		strcpy(name, "t");
	for (i = 1; i <= 3; i++)
		attempt("sluice rule add %s %u text 0 %s group g%u class c%u deadline %s", name, i, i % 2 ? "load" : "mess",
			random_below(GROUPS), random_below(3), i % 2 ? "1h" : "5ms");
	attempt("sluice rule add %s 9 text 0 id: id bytes 3 4 once group g%u", name, random_below(GROUPS));
	attempt("sluice rule del %s %u", name, 1 + random_below(3));
	if (random_below(2))
		attempt("sluice rule flush %s", name);
	return true;
}

/* ---- consumers ---- */

static void serve(struct soak *s, struct ring *r)
{
	static const uint16_t flags[] = { 0, 0, 0, 0, SLUICE_RESP_NO_REPLY, SLUICE_RESP_REJECT, SLUICE_RESP_EXPIRED };
	int left = 200 + random_below(2000);
	struct request q;

	while (go_on(s) && left--) {
		struct pollfd p = { r->fd, POLLIN, 0 };

		*r->ticket = left + 1;
		if (!ring_pending(r))
			poll(&p, 1, 5);
		*r->ticket = 0;
		if (*r->state & (SLUICE_STATE_GONE | SLUICE_STATE_BROKEN))
			break;
		while (ring_take(r, &q)) {
			/* some it forgets */
			if (!random_below(50))
				continue;
			ring_answer(r, &q, q.hdr->len, flags[random_below(7)]);
			__atomic_add_fetch(&s->answered, 1, __ATOMIC_RELAXED);
		}
	}
}

static void consume(struct soak *s)
{
	static const uint32_t tx[] = { SLUICE_RING_TX_KICK, SLUICE_RING_TX_THREAD, SLUICE_RING_TX_ADAPTIVE };
	char group[8];
	struct ring r;

	snprintf(group, sizeof(group), "g%u", random_below(GROUPS));
	ring_init(&r, group, 256, 1 << (1 + random_below(6)));
	r.su.flags = tx[random_below(3)];
	if (ring_setup(&r))
		return;
	/* one in a while goes, or is killed, before it has attached */
	if (random_below(8) && !ring_attach(&r))
		serve(s, &r);
	ring_close(&r);
}

/* A consumer in a process of its own, which is the caller's to end. */
static pid_t start_consumer(struct soak *s)
{
	unsigned int its = rand_r(&seed);
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seed = its;
	while (go_on(s)) {
		consume(s);
		pause_ms(5);
	}
	_exit(0);
}

static bool kill_consumers(struct soak *s)
{
	static pid_t pid[CONSUMERS];
	int i;

	if (s->release) {
		for (i = 0; i < CONSUMERS; i++) {
			if (pid[i] > 0)
				waitpid(pid[i], NULL, 0);
			pid[i] = 0;
		}
		return false;
	}
	i = random_below(CONSUMERS);
	if (pid[i] > 0) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	pid[i] = start_consumer(s);
	pause_ms(60);
	return true;
}

/* One that closes its ring, has it deleted under its hands, or drains. */
static bool close_consumers(struct soak *s)
{
	if (s->release)
		return false;
	consume(s);
	attempt("for i in $(sluice -j ring show | tr -s ',{}' '\\n' | sed -n 's/.*\"id\": *//p' | head -n %u); do "
		"sluice ring set $i drain on; sluice ring del $i; done", random_below(2));
	return true;
}

/* ---- sockets of processes ---- */

static int bound(int type)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(ADOPT_PORT) };
	int fd = socket(AF_INET, type, 0), one = 1; /* for the commands to inherit */

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || (type == SOCK_STREAM && listen(fd, 16))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A connection that came to its owner is handed over as well, and read as if it were not. */
static void hand_over(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[256];
	int c;

	if (poll(&p, 1, 20) <= 0)
		return;
	c = accept(fd, NULL, NULL);
	if (c < 0)
		return;
	attempt("sluice conn adopt t fd %d", c);
	while (recv(c, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	close(c);
}

static bool adopt(struct soak *s)
{
	int udp = bound(SOCK_DGRAM), tcp = bound(SOCK_STREAM);

	if (udp >= 0)
		attempt("sluice listener add au udp fd %d default group g%u", udp, random_below(GROUPS));
	if (tcp >= 0)
		hand_over(tcp);
	if (tcp >= 0)
		attempt("sluice listener add at tcp fd %d framing line default group g%u", tcp, random_below(GROUPS));
	pause_ms(30);
	if (random_below(2))
		attempt("sluice listener del au; sluice listener del at");
	close(udp);
	close(tcp);
	attempt("sluice listener del au; sluice listener del at");
	return true;
}

/* ---- namespaces ---- */

/* All that there is, in a namespace of its own, until it is killed or ends. */
static void live(struct soak *s, int ready)
{
	struct ring r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rig_up())
		_exit(1);
	attempt("sluice group add g0 no-consumer hold 1h; sluice listener add u0 udp 0.0.0.0:%u gro default group g0; "
		"sluice rule add u0 1 text 0 mess group g0 class c; "
		"sluice listener add t tcp 127.0.0.1:%u framing line default group g0", UDP_PORT, TCP_PORT);
	ring_init(&r, "g0", 256, 16);
	if (!s->release && !ring_setup(&r))
		ring_attach(&r);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	while (go_on(s)) {
		send_to(s, "127.0.0.1", UDP_PORT, 1);
		talk(TCP_PORT);
		if (!random_below(20))
			_exit(0);
	}
	_exit(0);
}

static bool namespaces(struct soak *s)
{
	unsigned int its = rand_r(&seed);
	int ready[2];
	char byte;
	pid_t pid;

	if (s->release)
		return false;
	if (pipe2(ready, O_CLOEXEC))
		_exit(1);
	pid = fork();
	if (!pid) {
		seed = its;
		live(s, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		attempt("ip link add soak%u type veth peer name there netns %d", its % 1000, pid);
	close(ready[0]);
	pause_ms(100);
	if (random_below(2))
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return true;
}

/* ---- questions ---- */

static bool ask(struct soak *s)
{
	char text[4096] = "";
	size_t n;
	FILE *f;

	attempt("sluice stats; sluice ring show; sluice conn show; sluice show; "
		"sluice rule show u0; sluice explain u0 text:message");
	f = popen("sluice check 2>/dev/null", "r");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	pclose(f);
	if (strstr(text, "NOT CLOSED") && !s->open++)
		memcpy(s->why, text, sizeof(text));
	return true;
}

/* ---- the module ---- */

static bool loaded(void)
{
	return access("/sys/module/sluice", F_OK) == 0;
}

static bool unload(void)
{
	return syscall(SYS_delete_module, "sluice", O_NONBLOCK) == 0;
}

/* In the way of everybody: once they have let go of it, it goes under all the rest of them. */
static bool reload(struct soak *s)
{
	int tries = 50;
	bool went;

	/* while it is held this does nothing */
	while (tries-- && !s->stop && loaded() && !unload())
		usleep(10000);
	s->release = true;
	went = until(!loaded() || unload());
	if (went)
		begin();
	s->release = false;
	pause_ms(4000);
	return went;
}

/* ---- all together ---- */

/* Each returns whether it did anything. */
static bool (*const acts[])(struct soak *s) = {
	[SEND_UDP] = send_udp,
	[SEND_TCP] = send_tcp,
	[SEND_XDP] = send_xdp,
	[SET_LISTENERS] = set_listeners,
	[SET_XDP] = set_xdp,
	[SET_GROUPS] = set_groups,
	[SET_RULES] = set_rules,
	[KILL_CONSUMERS] = kill_consumers,
	[CLOSE_CONSUMERS] = close_consumers,
	[ADOPT] = adopt,
	[NAMESPACES] = namespaces,
	[ASK] = ask,
	[RELOAD] = reload,
};

static long us_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

/*
 * Under lockdep and kmemleak a command takes a good part of a second of a processor, and leaves RCU callbacks by the thousand:
 * without pauses they come faster than they are run, and who unloads the module waits behind all of them.
 */
static void leave_time(const struct soak *s, long us)
{
	if (access("/proc/lockdep", F_OK))
		return;
	for (; us > 0 && !s->stop; us -= 10000)
		usleep(10000);
}

static pid_t start(struct soak *s, int who)
{
	pid_t pid = fork();
	long began;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seed = who + 1;
	while (!s->stop) {
		began = us_now();
		if (acts[who](s))
			s->turns[who] = s->turns[who] + 1;
		else
			pause_ms(10);
		if (who != RELOAD)
			leave_time(s, 4 * (us_now() - began));
	}
	_exit(0);
}

static bool all_had(const struct soak *s, long turns)
{
	int i;

	for (i = 0; i < ACTORS; i++)
		if (s->turns[i] < turns)
			return false;
	return true;
}

/* Have everybody act for so many seconds, and until each had its turns. Return: whether each had. */
static bool act(struct soak *s, int seconds, long turns)
{
	time_t end = time(NULL) + seconds;
	pid_t pid[ACTORS];
	bool had;
	int i;

	s->stop = false;
	begin();
	for (i = 0; i < ACTORS; i++) {
		s->turns[i] = 0;
		pid[i] = start(s, i);
	}
	while (time(NULL) < end)
		usleep(10000);
	/* a slow machine takes long for what is a moment elsewhere */
	for (i = 0; i < 20 && !(had = all_had(s, turns)); i++)
		until(all_had(s, turns));
	s->stop = true;
	for (i = 0; i < ACTORS; i++)
		waitpid(pid[i], NULL, 0);
	return had;
}

/* Who has the module still: its count, open files, namespaces on their way out, programs. */
#define HOLDERS \
	"grep ^sluice /proc/modules; ls -l /proc/[0-9]*/fd 2>/dev/null | grep /dev/sluice; ip netns; " \
	"grep -w net_namespace /proc/slabinfo; ip link show s0; sluice show; ls /sys/fs/bpf/xdp 2>/dev/null"

/* Listeners and groups that are left, the module, and what libxdp has pinned of programs that use it. */
static bool clear_up(void)
{
	attempt("for l in u0 u1 u2 t x au at; do sluice listener del $l; done; "
		"for g in g0 g1 g2 short; do sluice group del $g; done; xdp-loader clean");
	if (until(!loaded() || unload()))
		return true;
	run("{ %s; } 2>&1 | sed 's/^/# /'", HOLDERS);
	return false;
}

/* ---- memory ---- */

struct memory {
	long kernel; /* kB that only the kernel can give back */
	long available;
};

static long meminfo(const char *name)
{
	char line[256];
	long value = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return value;
}

static struct memory memory_now(void)
{
	struct memory m;

	/* caches are not what is looked for, nor what a sanitizer keeps of freed objects */
	attempt("echo 3 > /proc/sys/vm/drop_caches; for f in /sys/kernel/slab/*/shrink; do echo 1 > $f; done");
	m.kernel = meminfo("SUnreclaim") + meminfo("Percpu") + meminfo("VmallocUsed") + meminfo("KernelStack") +
		   meminfo("PageTables");
	m.available = meminfo("MemAvailable");
	return m;
}

/* Return: whether what the kernel holds is within bounds of what it held. */
static bool is_back(const struct memory *from, struct memory *now)
{
	*now = memory_now();
	return now->kernel <= from->kernel + GROWN_KB && now->available >= from->available - LESS_FREE_KB;
}

/* Namespaces go by and by, and so does what they held. */
static bool settles(const struct memory *from, struct memory *now)
{
	int left = 100;

	while (!is_back(from, now) && left--)
		usleep(200000);
	return left > 0;
}

FIXTURE_SETUP(soak)
{
	const char *seconds = getenv("SOAK");
	int go[2];
	char byte;

	/* it is the runner's to kill */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self->seconds = seconds ? atoi(seconds) : 3;
	self->s = mmap(NULL, sizeof(*self->s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->s);
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, pipe(go));
	self->holder = fork();
	if (!self->holder) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (rig_up() || write(go[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ASSERT_EQ(1, read(go[0], &byte, 1));
	ASSERT_EQ(0, run("ip link add s0 type veth peer name c0 netns %d; ip addr add 10.7.0.1/24 dev s0; "
			 "ip link set s0 up; nsenter --net=/proc/%d/ns/net sh -c 'ip addr add 10.7.0.2/24 dev c0; "
			 "ip link set c0 up; ethtool -K c0 gro on >/dev/null'", self->holder, self->holder));
	{
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", self->holder);
		self->s->peer = open(path, O_RDONLY | O_CLOEXEC);
	}
	ASSERT_LE(0, self->s->peer);
}

FIXTURE_TEARDOWN(soak)
{
	kill(self->holder, SIGKILL);
	waitpid(self->holder, NULL, 0);
	if (!loaded())
		run("modprobe sluice");
}

static bool no_namespace_left(void)
{
	return run("ip -o link | grep -q soak") != 0;
}

/* How long it may take is the runner's business. */
TEST_F_TIMEOUT(soak, nothing_is_left_of_all_that_came_and_went, 36000)
{
	struct soak *s = self->s;
	struct memory before, after;
	int i;

	/* what is allocated once, by whomever */
	ASSERT_TRUE(act(s, 0, 1));
	ASSERT_TRUE(clear_up());
	ASSERT_TRUE(until(no_namespace_left()));
	before = memory_now();

	EXPECT_TRUE(act(s, self->seconds, TURNS));
	for (i = 0; i < ACTORS; i++)
		printf("# %ld %s\n", s->turns[i], names[i]);
	printf("# %ld requests answered\n", s->answered);
	EXPECT_LT(0, s->answered);
	EXPECT_EQ(0, s->open) {
		TH_LOG("%s", s->why);
	}
	EXPECT_TRUE(!loaded() || ledger_closed());
	EXPECT_TRUE(until(no_namespace_left())); /* one that is going holds the module */
	EXPECT_TRUE(clear_up());
	EXPECT_NE(0, run("grep -q '^sluice' /proc/slabinfo"));
	EXPECT_TRUE(settles(&before, &after));
	printf("# the kernel's memory: %+ld kB, available: %+ld kB\n", after.kernel - before.kernel,
	       after.available - before.available);
}

TEST_HARNESS_MAIN
