// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the question from how many bytes on a message had better be mapped than copied. A consumer reads every byte once:
 * where it lies, as if it had been received into the slot; after a copy into the slot, as Sluice does it; or after the pages
 * that it lies in were put in place of the last message's. Mapping is what mmap() of shared memory makes of it: a system
 * call, page table entries, and the flush that keeps the last pages from being read on; also with a thread of the process on
 * another processor, which has to be told of the flush. A kernel that maps pages for a consumer saves the call, and pays
 * the rest.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES 256 /* so many lie there at once */
#define PAGE	 4096
#define MOST	 (1U << 20)
#define ROUNDS	 9

enum { IN_PLACE, COPIED, MAPPED, WAYS };

static int fd;
static uint8_t *arrived, *slot, *window;
static atomic_bool stop;
static volatile uint64_t sink;

static void die(const char *what)
{
	fprintf(stderr, "payload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void read_all(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0, word;
	size_t i;

	for (i = 0; i < len; i += 8) {
		memcpy(&word, bytes + i, 8);
		sum += word;
	}
	sink += sum;
}

/* Messages begin on a page of their own if they are to be mapped, else they lie close. */
static void take(int way, unsigned int i, size_t len)
{
	size_t room = way == MAPPED ? (len + PAGE - 1) / PAGE * PAGE : len;
	size_t at = (size_t)(i % MESSAGES) * room;

	switch (way) {
	case IN_PLACE:
		read_all(arrived + at, len);
		break;
	case COPIED:
		memcpy(slot, arrived + at, len);
		read_all(slot, len);
		break;
	default:
		if (mmap(window, room, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, at) != window)
			die("mmap");
		read_all(window, len);
	}
}

/* Return: ns per message. */
static double run(int way, size_t len)
{
	unsigned int n = len > 65536 ? 512 : 4096, i;
	uint64_t t0;

	for (i = 0; i < MESSAGES; i++)
		take(way, i, len);
	t0 = now_ns();
	for (i = 0; i < n; i++)
		take(way, i, len);
	return (double)(now_ns() - t0) / n;
}

static void *other(void *arg)
{
	(void)arg;
	pin(1);
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		;
	return NULL;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void table(const char *title)
{
	static const char *const name[] = { "in place", "copied", "mapped" };
	double ns[WAYS][ROUNDS];
	size_t len, crossover = 0;
	int way, round;

	printf("%s: ns per message, median (min..max) of %d interleaved rounds\n%8s", title, ROUNDS, "bytes");
	for (way = 0; way < WAYS; way++)
		printf("  %-28s", name[way]);
	printf("mapped/copied\n");
	for (len = 64; len <= MOST; len *= 4) {
		for (round = 0; round < ROUNDS; round++)
			for (way = 0; way < WAYS; way++)
				ns[way][round] = run(way, len);
		printf("%8zu", len);
		for (way = 0; way < WAYS; way++) {
			qsort(ns[way], ROUNDS, sizeof(double), order);
			printf("  %9.0f (%.0f..%.0f)%*s", ns[way][ROUNDS / 2], ns[way][0], ns[way][ROUNDS - 1],
			       ns[way][ROUNDS - 1] < 10000 ? 4 : 0, "");
		}
		printf("  %6.2f\n", ns[MAPPED][ROUNDS / 2] / ns[COPIED][ROUNDS / 2]);
		if (ns[MAPPED][ROUNDS / 2] >= ns[COPIED][ROUNDS / 2])
			crossover = 0;
		else if (!crossover)
			crossover = len;
	}
	if (crossover)
		printf("mapping is cheaper from %zu bytes on\n\n", crossover);
	else
		printf("mapping is never cheaper, up to %u bytes\n\n", MOST);
}

int main(void)
{
	pthread_t thread;

	fd = memfd_create("payload", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)MESSAGES * MOST))
		die("memfd_create");
	arrived = mmap(NULL, (size_t)MESSAGES * MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	window = mmap(NULL, MOST, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	slot = aligned_alloc(PAGE, MOST);
	if (arrived == MAP_FAILED || window == MAP_FAILED || !slot)
		die("memory");
	memset(arrived, 0x5a, (size_t)MESSAGES * MOST);
	pin(0);
	table("A consumer of one thread");
	if (pthread_create(&thread, NULL, other, NULL))
		die("pthread_create");
	table("With a thread of its process on another processor");
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	return 0;
}
