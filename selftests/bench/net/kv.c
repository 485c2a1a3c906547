// SPDX-License-Identifier: GPL-2.0-only
/* Owns what a memcached GET over UDP costs a server that runs in another process, ahead of this one. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

/*
 * As in cost.c the time stamp counter counts executed instructions, and there is one CPU. The client goes ahead of the server
 * while it sends, so that requests are in flight together, and behind it then, until the server has nothing left to do. The
 * server's side is what that costs less what it costs if the server's device drops the requests; the script has the client's
 * device drop the replies. That they are right is shown by `check`, with the replies let through.
 */
#define PORT 7000
#define FLIGHT_MAX 64
#define KEYS 1000	/* of ten, one is not there */
#define KEY "cost-key-%06u"
#define VALUE 64
#define FRAME 8		/* memcached's header: id, number, datagrams, reserved */

static int client;
static char value[VALUE + 1];

static void die(const char *what)
{
	fprintf(stderr, "cost-kv: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open("/run/netns/bench", O_RDONLY | O_CLOEXEC);

	if (self < 0 || other < 0 || setns(other, CLONE_NEWNET))
		die("setns");
	inet_pton(AF_INET, "10.9.0.1", &to.sin_addr);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (client < 0 || connect(client, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	if (setns(self, CLONE_NEWNET))
		die("setns back");
}

/* ---- who goes ahead ---- */

static void priority(pid_t thread, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(thread, priority ? SCHED_FIFO : SCHED_OTHER, &param))
		die("sched_setscheduler");
}

/* All threads of a process. */
static void put_ahead(const char *pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	d = opendir(path);
	if (!d)
		die(path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			priority(atoi(e->d_name), 10);
	closedir(d);
}

/* ---- what is said ---- */

static size_t frame(char *to, uint16_t id)
{
	uint16_t head[FRAME / 2] = { htons(id), 0, htons(1), 0 };

	memcpy(to, head, FRAME);
	return FRAME;
}

static size_t get(char *to, uint16_t id, unsigned int key)
{
	size_t n = frame(to, id);

	return n + sprintf(to + n, "get " KEY "\r\n", key);
}

static size_t got(char *to, uint16_t id, unsigned int key)
{
	size_t n = frame(to, id);

	if (key % 10 == 9)
		return n + sprintf(to + n, "END\r\n");
	return n + sprintf(to + n, "VALUE " KEY " 0 %u\r\n%s\r\nEND\r\n", key, VALUE, value);
}

static ssize_t hear(char *in, size_t room)
{
	struct pollfd p = { client, POLLIN, 0 };

	errno = ETIMEDOUT;
	if (poll(&p, 1, 2000) != 1)
		die("no reply");
	return recv(client, in, room, 0);
}

static void preload(void)
{
	char text[256], in[256];
	unsigned int key;
	size_t n;

	for (key = 0; key < KEYS; key++) {
		if (key % 10 == 9)
			continue;
		n = frame(text, key);
		n += sprintf(text + n, "set " KEY " 0 0 %u\r\n%s\r\n", key, VALUE, value);
		if (send(client, text, n, 0) != (ssize_t)n)
			die("send");
		if (hear(in, sizeof(in)) != FRAME + 8 || memcmp(in + FRAME, "STORED\r\n", 8))
			die("a key was not stored");
	}
}

/* Every key once: the reply to each, with its id, and no other. */
static int check(const char *name)
{
	unsigned int key, i, answered = 0;
	char text[256], in[2048];
	uint16_t id;
	ssize_t n;

	preload();
	for (key = 0; key < KEYS; key += 20) {
		bool seen[20] = { 0 };

		for (i = 0; i < 20; i++)
			if (send(client, text, get(text, key + i, key + i), 0) < 0)
				die("send");
		for (i = 0; i < 20; i++) {
			n = hear(in, sizeof(in));
			memcpy(&id, in, sizeof(id));
			id = ntohs(id);
			if (n < FRAME || id < key || id >= key + 20 || seen[id - key] ||
			    (size_t)n != got(text, id, id) || memcmp(in, text, n)) {
				fprintf(stderr, "cost-kv: a reply is not what it should be: %.*s\n", (int)n - FRAME, in + FRAME);
				return 1;
			}
			seen[id - key] = true;
			answered++;
		}
	}
	printf("# %s: %u of %u GETs answered rightly\n", name, answered, KEYS);
	return 0;
}

static void measure(const char *name, unsigned int rounds, unsigned int flight)
{
	static char text[FLIGHT_MAX][64];
	static struct mmsghdr msg[FLIGHT_MAX];
	static struct iovec iov[FLIGHT_MAX];
	unsigned long long t0, t1, t2, sent = 0, served = 0;
	unsigned int i, k, key = 0;

	for (i = 0; i < rounds + rounds / 4; i++) {
		for (k = 0; k < flight; k++, key = (key + 1) % KEYS) {
			iov[k] = (struct iovec){ text[k], get(text[k], key, key) };
			msg[k].msg_hdr = (struct msghdr){ .msg_iov = &iov[k], .msg_iovlen = 1 };
		}
		priority(0, 20);
		t0 = __rdtsc();
		if (sendmmsg(client, msg, flight, 0) != (int)flight)
			die("sendmmsg");
		t1 = __rdtsc();
		priority(0, 0); /* the server runs here */
		t2 = __rdtsc();
		if (i < rounds / 4)	/* warm-up */
			continue;
		sent += t1 - t0;
		served += t2 - t1;
	}
	printf("kv %s %u %u %.1f %.1f\n", name, flight, rounds * flight, (double)sent / rounds / flight,
	       (double)served / rounds / flight);
}

/*
 * usage: cost-kv check NAME                      store the keys, and show that each is answered rightly
 *        cost-kv NAME ROUNDS IN_FLIGHT [PID]     instructions per GET; without a server, what sending costs
 */
int main(int argc, char **argv)
{
	memset(value, 'v', VALUE);
	if (argc < 3)
		return 2;
	dial();
	if (!strcmp(argv[1], "check"))
		return check(argv[2]);
	if (argc < 4 || atoi(argv[2]) < 4 || atoi(argv[3]) < 1 || atoi(argv[3]) > FLIGHT_MAX)
		return 2;
	if (argc > 4)
		put_ahead(argv[4]);
	measure(argv[1], atoi(argv[2]), atoi(argv[3]));
	return 0;
}
