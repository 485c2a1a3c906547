// SPDX-License-Identifier: GPL-2.0-only
/* sluice-load: starts the workers together, shows progress, reports. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load/load.h"

#define HEAD_START_NS	(20 * 1000000ull)	/* for all threads to be running when the schedule starts */
#define TICK_US		100000
#define LINE_NS		NS_PER_S

const struct proto *const protos[] = { &proto_raw, &proto_memcached, &proto_resp };

/* The n-th number of a comma-separated list, again from the start when it ends; -1 without a list. */
static int cpu_of(const char *list, u32 n)
{
	const char *p = list;
	u32 count = 1;

	if (!list)
		return -1;
	for (; *p; p++)
		count += *p == ',';
	for (p = list, n %= count; n; p++)
		n -= *p == ',';
	return (int)strtol(p, NULL, 10);
}

/* As many sockets as we may have, without being asked to. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int init_all(struct worker *workers, const struct options *opt)
{
	char error[512];
	u32 i;
	int err;

	raise_limit();
	for (i = 0; i < opt->threads; i++) {
		err = worker_init(&workers[i], opt, i);
		workers[i].cpu = cpu_of(opt->cpus, i);
		if (err) {
			open_error(opt, err, error, sizeof(error));
			fprintf(stderr, "sluice-load: %s\n", error);
			return err;
		}
	}
	return 0;
}

static void watch(const struct worker *workers, const struct options *opt, u64 start)
{
	u64 end = start + opt->warmup_ns + opt->duration_ns;
	u64 line = start;
	u64 now;

	if (!isatty(STDERR_FILENO))
		return;
	for (now = now_ns(); now < end; now = now_ns()) {
		if (now >= line) {
			progress(opt, workers, now - start, false);
			line += LINE_NS;
		}
		usleep(TICK_US);
	}
	progress(opt, workers, 0, true);
}

static int run_all(struct worker *workers, const struct options *opt)
{
	u64 start = now_ns() + HEAD_START_NS;
	u32 i, started;
	int err = 0;

	for (started = 0; started < opt->threads; started++) {
		struct worker *w = &workers[started];

		w->start_ns = start;
		w->count_from_ns = start + opt->warmup_ns;
		w->end_ns = w->count_from_ns + opt->duration_ns;
		err = -pthread_create(&w->thread, NULL, worker_run, w);
		if (err) {
			fprintf(stderr, "sluice-load: thread: %s; ask for fewer --threads\n", strerror(-err));
			break;
		}
	}
	if (!err)
		watch(workers, opt, start);
	for (i = 0; i < started; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].err) {
			err = workers[i].err;
			if (err == -ENOMEM)
				fprintf(stderr, "sluice-load: out of memory: lower --rate, --size or --timeout\n");
			else
				fprintf(stderr, "sluice-load: cannot run on CPU %d: %s; see --cpu\n", workers[i].cpu,
					strerror(-err));
		}
	}
	return err;
}

static int prepare(const struct options *opt)
{
	char error[512] = "";
	int err;

	if (!opt->proto->prepare || opt->preload_off)
		return 0;
	err = opt->proto->prepare(opt, error, sizeof(error));
	if (err)
		fprintf(stderr, "sluice-load: %s\n", error[0] ? error : strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	static struct counts sum;
	struct worker *workers;
	struct options opt;
	int ret = EXIT_FAILED;
	u32 i;

	switch (options_parse(&opt, argc, argv)) {
	case 0:
		break;
	case 1:
		return EXIT_VALID;
	default:
		return EXIT_USAGE;
	}
	workers = calloc(opt.threads, sizeof(*workers));
	if (!workers) {
		fprintf(stderr, "sluice-load: out of memory: ask for fewer --threads\n");
		return EXIT_FAILED;
	}
	if (!prepare(&opt) && !init_all(workers, &opt) && !run_all(workers, &opt)) {
		for (i = 0; i < opt.threads; i++)
			counts_add(&sum, &workers[i].counts);
		ret = report(&opt, &sum);
	}
	for (i = 0; i < opt.threads; i++)
		worker_fini(&workers[i]);
	free(workers);
	return ret;
}
