// SPDX-License-Identifier: GPL-2.0-only
/* Owns the bench of the core on real silicon: two threads, one hands requests over and takes replies, one serves. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../../../kmod/core/hist.h"
#include "core.h"

/*
 * Every request carries its number; each side dies at the first that is not the next. So a run that ends has lost none,
 * doubled none and changed the order of none.
 *
 * The two threads are pinned to two processors. On a shared machine the other work on these is in every figure: judge by
 * ratios within one run, in which all take turns, and by the instruction counts of `core count` under cachegrind.
 */
static const struct way *const ways[] = { &way_sluice, &way_sluice_bare, &way_rte, &way_ck, &way_bpf };
#define WAYS (sizeof(ways) / sizeof(ways[0]))
#define REPEATS_MAX 32

static const char *only;	/* the one way that is wanted, or NULL */
static u64 served_number, stop_at;
static const struct way *way;
static u32 batch, size;
static u32 go;

static void die(const char *what)
{
	fprintf(stderr, "core: %s: %s\n", way ? way->name : "-", what);
	_exit(1);
}

void *lines_alloc(size_t n)
{
	void *p;

	if (posix_memalign(&p, 4096, n))
		die("no memory");
	memset(p, 0, n);
	return p;
}

void turn(u8 *bytes)
{
	u64 number;

	memcpy(&number, bytes, sizeof(number));
	if (unlikely(number != served_number))
		die("a request is not the next one");
	served_number++;
	number = ~number;
	memcpy(bytes, &number, sizeof(number));
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static cpu_set_t allowed;	/* before anything was pinned */

static void pin(int nth)
{
	int cpu, seen = 0;
	cpu_set_t one;

	CPU_ZERO(&one);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && seen++ == nth)
			CPU_SET(cpu, &one);
	if (!CPU_COUNT(&one))
		die("two processors are needed");
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

/* A short look, and a processor given up now and then: the other side may want this one on a busy machine. */
static void relax(u32 *idle)
{
	if (++*idle % 4096)
		__builtin_ia32_pause();
	else
		sched_yield();
}

static void *server(void *unused)
{
	u64 done = 0;
	u32 n, idle = 0;

	pin(1);
	smp_store_release(&go, 1);
	while (done < stop_at) {
		n = way->serve(batch);
		done += n;
		if (!n)
			relax(&idle);
	}
	return unused;
}

static u8 out[32 * SIZE_MAX_REQ] __attribute__((aligned(LINE)));
static u8 in[32 * SIZE_MAX_REQ] __attribute__((aligned(LINE)));

static u32 offer(u64 sent, u32 n)
{
	u32 i;
	u64 number;

	for (i = 0; i < n; i++) {
		number = sent + i;
		memcpy(out + i * size, &number, sizeof(number));
	}
	return way->send(out, n);
}

static u32 take(u64 got)
{
	u32 i, n = way->collect(in, batch);
	u64 number;

	for (i = 0; i < n; i++) {
		memcpy(&number, in + i * size, sizeof(number));
		if (unlikely(number != ~(got + i)))
			die("a reply is not the next one");
	}
	return n;
}

/* Hand @total requests over as fast as it goes, or at @rate per ns; latencies from the scheduled time to @hist. */
static double run(const struct way *w, u64 total, double rate, u64 *hist)
{
	static u64 due[WINDOW];
	u64 sent = 0, got = 0, start, now, i;
	pthread_t thread;
	u32 n, idle = 0;

	way = w;
	w->init(size);
	served_number = 0;
	stop_at = total;
	go = 0;
	if (pthread_create(&thread, NULL, server, NULL))
		die("no thread");
	while (!smp_load_acquire(&go))
		sched_yield();
	start = now_ns();
	while (got < total) {
		now = rate ? now_ns() : 0;
		if (sent < total && sent - got + batch <= WINDOW && (!rate || now - start >= sent / rate)) {
			n = total - sent < batch ? total - sent : batch;
			for (i = 0; rate && i < n; i++)
				due[(sent + i) % WINDOW] = start + sent / rate;
			sent += offer(sent, n);
		}
		n = take(got);
		if (rate && n)
			now = now_ns();
		if (!n)
			relax(&idle);
		for (i = 0; rate && i < n; i++)
			hist[sluice_hist_bucket(now - due[(got + i) % WINDOW])]++;
		got += n;
	}
	now = now_ns();
	pthread_join(thread, NULL);
	return (double)total / (now - start);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ---- the bound: what a line costs that moves ---- */

#define MOVES 20000
#define STREAM 64	/* lines handed over at once */

static struct {
	u32 turn __attribute__((aligned(LINE)));
	struct {
		u32 word __attribute__((aligned(LINE)));
	} line[STREAM];
} shared;
static u32 stream;

static void *mover(void *unused)
{
	u32 i, j, sum = 0, idle = 0;

	pin(1);
	smp_store_release(&go, 1);
	for (i = 0; i < MOVES; i++) {
		while (smp_load_acquire(&shared.turn) != 2 * i + 1)
			relax(&idle);
		for (j = 0; j < stream; j++)
			sum += shared.line[j].word++;
		smp_store_release(&shared.turn, 2 * i + 2);
	}
	return sum ? unused : NULL;
}

/* ns of one round in which @lines lines go to the other side, are written there, and come back. */
static double round_ns(u32 lines)
{
	pthread_t thread;
	u64 start;
	u32 i, j, idle = 0;

	stream = lines;
	memset(&shared, 0, sizeof(shared));
	go = 0;
	if (pthread_create(&thread, NULL, mover, NULL))
		die("no thread");
	while (!smp_load_acquire(&go))
		sched_yield();
	start = now_ns();
	for (i = 0; i < MOVES; i++) {
		for (j = 0; j < stream; j++)
			shared.line[j].word++;
		smp_store_release(&shared.turn, 2 * i + 1);
		while (smp_load_acquire(&shared.turn) != 2 * i + 2)
			relax(&idle);
	}
	start = now_ns() - start;
	pthread_join(thread, NULL);
	return (double)start / MOVES;
}

/* ---- results ---- */

static void quantiles(const u64 *hist, u64 total)
{
	printf("\"p50\": %llu, \"p99\": %llu, \"p999\": %llu", (unsigned long long)sluice_hist_quantile(hist, total, 500000),
	       (unsigned long long)sluice_hist_quantile(hist, total, 990000),
	       (unsigned long long)sluice_hist_quantile(hist, total, 999000));
}

static bool wanted(size_t w)
{
	return !only || !strcmp(only, ways[w]->name);
}

static void measure(u64 total, int repeats, bool last)
{
	static double rate[WAYS][REPEATS_MAX];
	u64 hist[SLUICE_HIST_BUCKETS];
	double alone = round_ns(0), stream_ns = (round_ns(STREAM) - alone) / (2 * STREAM);
	size_t w;
	int r;

	for (r = 0; r < repeats; r++)
		for (w = 0; w < WAYS; w++)
			rate[w][r] = wanted(w) ? run(ways[w], total, 0, NULL) : 0;
	for (w = 0; w < WAYS; w++) {
		if (!wanted(w))
			continue;
		qsort(rate[w], repeats, sizeof(double), ascending);
		memset(hist, 0, sizeof(hist));
		run(ways[w], total / 4, 0.8 * rate[w][repeats / 2], hist);
		printf("  {\"way\": \"%s\", \"size\": %u, \"batch\": %u, \"requests\": %llu, \"mps\": %.2f, \"min\": %.2f, "
		       "\"max\": %.2f, \"lines\": %.2f, \"line_alone_ns\": %.1f, \"line_stream_ns\": %.2f, ", ways[w]->name, size, batch, (unsigned long long)total * repeats,
		       1e3 * rate[w][repeats / 2], 1e3 * rate[w][0], 1e3 * rate[w][repeats - 1],
		       ways[w]->lines(size, batch), alone / 2, stream_ns);
		quantiles(hist, total / 4);
		printf("}%s\n", last && (only || w == WAYS - 1) ? "" : ",");
		fflush(stdout);
	}
}

/* Both sides in turn in one thread: for a tool that counts instructions. */
static int count(const char *name, u64 total)
{
	u64 done = 0;
	size_t w;
	u32 n;

	for (w = 0; w < WAYS && strcmp(ways[w]->name, name); w++)
		;
	if (w == WAYS)
		return 2;
	way = ways[w];
	way->init(size);
	while (done < total) {
		n = offer(done, batch);
		if (way->serve(n) != n || take(done) != n)
			die("the batch did not come back");
		done += n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const u32 sizes[] = { 32, 64 }, batches[] = { 1, 8, 32 };
	u64 total;
	int repeats, s, b;

	if (argc == 6 && !strcmp(argv[1], "count")) {
		size = atoi(argv[3]);
		batch = atoi(argv[4]);
		if ((size == 32 || size == 64) && batch >= 1 && batch <= 32)
			return count(argv[2], strtoull(argv[5], NULL, 10));
	}
	if (argc < 4 || argc > 5 || strcmp(argv[1], "time") || atoi(argv[3]) < 1 || atoi(argv[3]) > REPEATS_MAX) {
		fprintf(stderr, "usage: core time REQUESTS REPEATS [WAY]\n       core count WAY SIZE BATCH REQUESTS\n");
		return 2;
	}
	total = strtoull(argv[2], NULL, 10);
	repeats = atoi(argv[3]);
	only = argv[4];
	sched_getaffinity(0, sizeof(allowed), &allowed);
	pin(0);
	puts("{\"rows\": [");
	for (s = 0; s < 2; s++) {
		for (b = 0; b < 3; b++) {
			size = sizes[s];
			batch = batches[b];
			measure(total, repeats, s == 1 && b == 2);
		}
	}
	puts("]}");
	return 0;
}
