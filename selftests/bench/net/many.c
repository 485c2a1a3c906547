// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns what a request costs where several processors produce requests and several consume them. All are in one machine whose
 * emulator runs its processors in turn on one instruction clock, so what is printed is everything that was executed for a
 * request: client, network both ways, server, waking, and waiting for locks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include <sluice/sluice.h>

#include "echo.h"

#define PORT  7000
#define SIZE  64
#define FLOWS 16 /* of each producer: so many requests are in flight */
#define MOST  64 /* producers, and consumers */

struct shared {
	atomic_uint ready;
	atomic_bool go;
};

static struct shared *shared;
static unsigned int cpus;

static void die(const char *what)
{
	fprintf(stderr, "cost-many: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* ---- consumers ---- */

static int consume_socket(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	atomic_fetch_add(&shared->ready, 1);
	return echo_socket(fd);
}

static int consume_ring(void)
{
	struct sluice_ring *ring;
	int err = echo_ring_open(&ring, 1);

	if (err)
		return err;
	atomic_fetch_add(&shared->ready, 1);
	return echo_ring(ring);
}

/* ---- producers ---- */

/* A request on each flow, then the reply to each: @rounds times. */
static void produce(unsigned int rounds)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int self = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other = open("/run/netns/bench", O_RDONLY | O_CLOEXEC);
	struct timeval patience = { .tv_sec = 10 };
	char out[SIZE] = "", in[SIZE];
	int fd[FLOWS], i;
	unsigned int round;

	inet_pton(AF_INET, "10.9.0.1", &addr.sin_addr);
	if (self < 0 || other < 0 || setns(other, CLONE_NEWNET))
		die("setns");
	for (i = 0; i < FLOWS; i++) {
		fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fd[i] < 0 || setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
		    connect(fd[i], (struct sockaddr *)&addr, sizeof(addr)))
			die("client");
	}
	if (setns(self, CLONE_NEWNET))
		die("setns back");
	for (round = 0; round < rounds; round++) {
		if (round == rounds / 4) { /* what comes first is not counted */
			atomic_fetch_add(&shared->ready, 1);
			while (!atomic_load(&shared->go))
				usleep(1000);
		}
		for (i = 0; i < FLOWS; i++) {
			memcpy(out, &round, sizeof(round));
			memcpy(out + sizeof(round), &i, sizeof(i));
			if (send(fd[i], out, SIZE, 0) != SIZE)
				die("send");
		}
		for (i = 0; i < FLOWS; i++) {
			memcpy(out + sizeof(round), &i, sizeof(i));
			if (recv(fd[i], in, SIZE, 0) != SIZE)
				die("a request was not answered");
			if (memcmp(in, out, SIZE)) {
				fprintf(stderr, "cost-many: a reply has other bytes\n");
				exit(1);
			}
		}
	}
}

static void await(unsigned int n)
{
	int patience = 60000;

	while (atomic_load(&shared->ready) < n) {
		usleep(1000);
		if (!patience-- || waitpid(-1, NULL, WNOHANG) > 0) {
			errno = ECHILD;
			die("a process did not begin");
		}
	}
}

/* usage: cost-many recvmmsg|sluice PRODUCERS CONSUMERS REQUESTS */
int main(int argc, char **argv)
{
	unsigned int producers, consumers, rounds, first, i;
	pid_t pid[MOST], server[MOST];
	unsigned long long t0, t1;
	int status;
	bool ring;

	if (argc != 5)
		return 2;
	ring = !strcmp(argv[1], "sluice");
	producers = atoi(argv[2]);
	consumers = atoi(argv[3]);
	if (!producers || producers > MOST || !consumers || consumers > MOST)
		return 2;
	rounds = atoi(argv[4]) / producers / FLOWS;
	first = rounds / 4;
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (i = 0; i < consumers; i++) {
		server[i] = fork();
		if (!server[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			/* from the far end, so that few producers and consumers do not meet */
			pin(cpus - 1 - i % cpus);
			errno = -(ring ? consume_ring() : consume_socket());
			die("a consumer");
		}
	}
	await(consumers);
	for (i = 0; i < producers; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			pin(i);
			produce(rounds);
			exit(0);
		}
	}
	await(consumers + producers);
	t0 = __rdtsc();
	atomic_store(&shared->go, true);
	for (i = 0; i < producers; i++)
		if (waitpid(pid[i], &status, 0) != pid[i] || status)
			die("a producer");
	t1 = __rdtsc();
	printf("many %s %u %u %.1f\n", argv[1], producers, consumers,
	       (double)(t1 - t0) / ((double)(rounds - first) * producers * FLOWS));
	for (i = 0; i < consumers; i++)
		kill(server[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
