// SPDX-License-Identifier: GPL-2.0-only
/* Listeners come and go: no message gets lost between them and the stack, and they hold nothing that outlives them. */
#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>

#include "rig.h"

FIXTURE(life)
{
	int c;
};

FIXTURE_SETUP(life)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g steer hash"));
	self->c = client(AF_INET, RIG_PORT, 0);
	ASSERT_LE(0, self->c);
}

FIXTURE_TEARDOWN(life)
{
}

/* A counter of the stack in this namespace, as in "Udp InDatagrams". */
static long snmp(const char *proto, const char *name)
{
	char names[2048], values[2048], *n, *v, *ns, *vs;
	FILE *f = fopen("/proc/net/snmp", "r");
	size_t len = strlen(proto);
	long found = -1;

	while (f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		if (strncmp(names, proto, len) || names[len] != ':')
			continue;
		n = strtok_r(names, " \n", &ns);
		v = strtok_r(values, " \n", &vs);
		for (; n && v; n = strtok_r(NULL, " \n", &ns), v = strtok_r(NULL, " \n", &vs))
			if (!strcmp(n, name))
				found = atol(v);
	}
	if (f)
		fclose(f);
	return found;
}

/* What the CPUs' receive queues have dropped, before any socket was looked for. */
static long softnet_drops(void)
{
	FILE *f = fopen("/proc/net/softnet_stat", "r");
	unsigned int dropped;
	long sum = 0;

	while (f && fscanf(f, "%*x %x%*[^\n]", &dropped) == 1)
		sum += dropped;
	if (f)
		fclose(f);
	return sum;
}

/* Answers of the stack to messages that nobody took, which the receive queues have dropped like messages. */
static long answers_dropped(void)
{
	return snmp("Icmp", "OutDestUnreachs") - snmp("Icmp", "InDestUnreachs");
}

struct sender {
	volatile bool stop;
	long sent;
};

/* Unconnected, so that no error of an earlier datagram stands in the way of the next. */
static void *send_on(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sender *s = arg;

	while (!s->stop)
		s->sent += sendto(fd, "message", 7, 0, (struct sockaddr *)&to, sizeof(to)) == 7;
	close(fd);
	return NULL;
}

TEST_F(life, added_and_removed_under_traffic_every_message_is_accounted_for)
{
	struct sender sender = {};
	long seen, nobody, dropped = softnet_drops();
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, send_on, &sender));
	for (i = 0; i < 12; i++) {
		ASSERT_EQ(0, run("sluice listener add l udp 0.0.0.0:%d default %s", RIG_PORT,
				 i % 2 ? "group g" : "drop"));
		ASSERT_TRUE(until(outcome("received") > 0));
		EXPECT_TRUE(ledger_closed());
		ASSERT_EQ(0, run("sluice listener del l"));
	}
	sender.stop = true;
	pthread_join(thread, NULL);
	/* taken by a listener, or nobody was there: none in a receive queue that no one reads */
	EXPECT_TRUE(until(snmp("Udp", "InDatagrams") + snmp("Udp", "NoPorts") + softnet_drops() - dropped -
			  answers_dropped() == sender.sent));
	dropped = softnet_drops() - dropped - answers_dropped();
	seen = snmp("Udp", "InDatagrams");
	nobody = snmp("Udp", "NoPorts");
	EXPECT_EQ(sender.sent, seen + nobody + dropped);
	EXPECT_LT(0, seen);
	EXPECT_LT(0, nobody);
}

/* A process that binds a socket, has it adopted, says so, and lives until @go is closed. */
static pid_t owner(int go[2], int said[2], bool own_namespace)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT) };
	pid_t pid;
	char byte;
	int fd;

	if (pipe2(go, O_CLOEXEC) || pipe2(said, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid)
		return pid;
	close(go[1]);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (own_namespace) {
		close(fd);
		if (rig_up() || run("sluice group add g"))
			_exit(1);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
	}
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    run("sluice listener add l udp fd %d default group g", fd) ||
	    !refused("sluice listener add twice udp fd %d default drop", fd) ||
	    write(said[1], "r", 1) != 1)
		_exit(1);
	if (read(go[0], &byte, 1))
		_exit(1);
	_exit(0);
}

TEST_F(life, an_adopted_socket_whose_owner_died_is_still_answered_from)
{
	int go[2], said[2], status, i;
	struct request q[3];
	struct ring r;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, ring_open(&r, "g"));
	pid = owner(go, said, false);
	ASSERT_EQ(1, read(said[0], &byte, 1));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(3, say(self->c, "one"));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(ring_wait(&r, &q[i]));
	}
	EXPECT_EQ(1, ring_answer(&r, &q[0], 3, 0));
	EXPECT_TRUE(hears(self->c, "one"));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(until(run("sluice -j listener show l | grep -q '\"closed\": *true'") == 0));
	EXPECT_EQ(1, ring_answer(&r, &q[1], 3, 0));
	EXPECT_TRUE(hears(self->c, "one"));
	/* the port is anybody's again */
	EXPECT_EQ(0, run("sluice listener add other udp 0.0.0.0:%d default group g", RIG_PORT));
	EXPECT_EQ(1, ring_answer(&r, &q[2], 3, 0));
	EXPECT_TRUE(hears(self->c, "one"));
	EXPECT_TRUE(ledger_closed());
	EXPECT_EQ(0, run("sluice listener del l"));
	EXPECT_TRUE(ledger_closed());
	ring_close(&r);
}

TEST_F(life, an_adopted_socket_does_not_hold_its_namespace)
{
	int go[2], said[2], status;
	pid_t pid;
	char byte;

	pid = owner(go, said, true);
	ASSERT_EQ(1, read(said[0], &byte, 1));
	/* a device here, whose other end is in the namespace and goes with it */
	ASSERT_EQ(0, run("ip link add here type veth peer name there netns %d", pid));
	EXPECT_NE(0U, if_nametoindex("here"));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(until(!if_nametoindex("here")));
}

TEST_F(life, a_namespace_goes_under_traffic_with_all_that_is_in_it)
{
	int i, go[2], said[2], status;
	struct ring r;
	char byte;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pipe(go));
		ASSERT_EQ(0, pipe(said));
		pid = fork();
		if (!pid) {
			struct sender sender = {};
			pthread_t thread;

			close(go[1]);
			if (rig_up() || run("sluice group add g steer fifo window 4 target 1h") ||
			    run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT) ||
			    run("sluice rule add l 1 text 0 mess group g class c") ||
			    ring_open(&r, "g") || pthread_create(&thread, NULL, send_on, &sender) ||
			    !until(ring_pending(&r) == 4) || write(said[1], "r", 1) != 1 ||
			    read(go[0], &byte, 1))
				_exit(1);
			/* the sender's socket goes last, by the exit */
			_exit(0);
		}
		close(go[0]);
		ASSERT_EQ(1, read(said[0], &byte, 1));
		ASSERT_EQ(0, run("ip link add here type veth peer name there netns %d", pid));
		if (i % 2)
			kill(pid, SIGKILL);
		close(go[1]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(until(!if_nametoindex("here")));
		close(said[0]);
		close(said[1]);
	}
}

TEST_F(life, a_ring_whose_namespace_went_is_gone)
{
	int go[2], status, fds[2], own, ns;
	char path[64];
	struct ring *r;
	pid_t pid;
	char byte;

	/* mappings do not pass to a child: the parent serves the child's namespace */
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(fds));
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (rig_up() || run("sluice group add g") ||
		    run("sluice listener add l udp 0.0.0.0:%d default group g", RIG_PORT) ||
		    write(fds[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1 ||
		    say(client(AF_INET, RIG_PORT, 0), "one") != 3 || write(fds[1], "s", 1) != 1 ||
		    read(go[0], &byte, 1))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	own = open("/proc/self/ns/net", O_RDONLY);
	ns = open(path, O_RDONLY);
	ASSERT_EQ(0, setns(ns, CLONE_NEWNET));
	ASSERT_EQ(0, ring_open(r, "g"));
	ASSERT_EQ(0, setns(own, CLONE_NEWNET));
	close(ns);
	close(own);
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	ASSERT_TRUE(until(ring_pending(r) == 1));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(until(*r->state & SLUICE_STATE_GONE));
	EXPECT_EQ(-ENODEV, ring_kick(r));
	EXPECT_EQ(-ENODEV, ring_attach(r));
	ring_close(r);
}

TEST_HARNESS_MAIN
