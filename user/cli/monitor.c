// SPDX-License-Identifier: GPL-2.0-only
/* sluice monitor: events as they happen, a line each. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli.h"

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void print_time(const struct timespec *now)
{
	struct tm tm;
	char text[32];

	localtime_r(&now->tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03ld ", text, now->tv_nsec / 1000000);
}

/* What a thread does in the kernel: an array of frames, innermost first; NULL if nobody says. */
static json_object *thread_stack(uint32_t pid, const char *tid)
{
	char path[64], *line = NULL, *at;
	json_object *frames = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/task/%.16s/stack", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	frames = json_object_new_array();
	while (getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = 0;
		at = strstr(line, "] ");
		json_object_array_add(frames, json_object_new_string(at ? at + 2 : line));
	}
	free(line);
	fclose(f);
	return frames;
}

/* The same of all threads of a process: an object by thread. Root only, and on kernels that tell. */
static json_object *process_stacks(uint32_t pid)
{
	json_object *threads = json_object_new_object(), *frames;
	char path[32];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (*d->d_name == '.')
			continue;
		frames = thread_stack(pid, d->d_name);
		if (frames)
			json_object_object_add(threads, d->d_name, frames);
	}
	if (dir)
		closedir(dir);
	return threads;
}

static void print_stacks(const struct event *e)
{
	json_object *threads = process_stacks(e->pid);

	json_object_object_foreach(threads, tid, frames) {
		size_t i;

		printf("\tthread %s\n", tid);
		for (i = 0; i < json_object_array_length(frames); i++)
			printf("\t\t%s\n", json_object_get_string(json_object_array_get_idx(frames, i)));
	}
	json_object_put(threads);
}

static void print_event(const struct event *e)
{
	char age[32];

	printf("%s", name_of(event_names, e->kind));
	if (e->kind == SLUICE_EVENT_LISTENER_CLOSED)
		printf(" listener %s", e->name);
	else
		printf(" group %s", e->name);
	if (is_given(e, SLUICE_A_EVENT_RING))
		printf(" ring %u", e->ring);
	if (is_given(e, SLUICE_A_EVENT_PID))
		printf(" pid %u (%s)", e->pid, e->comm);
	if (is_given(e, SLUICE_A_EVENT_COUNT))
		printf(" requests %" PRIu64, e->count);
	if (is_given(e, SLUICE_A_EVENT_AGE_NS)) {
		format_ns(age, sizeof(age), e->age_ns);
		printf(" silent %s", age);
	}
	putchar('\n');
	if (e->kind == SLUICE_EVENT_RING_STALLED)
		print_stacks(e);
}

static int on_event(struct cli *c, const struct nlmsghdr *nlh, void *data)
{
	uint32_t *left = data;
	struct timespec now;
	struct event e = { 0 };
	json_object *js;
	int ret;

	clock_gettime(CLOCK_REALTIME, &now);
	ret = msg_decode(c, &set_event, nlh, &e);
	if (ret)
		return ret;
	if (c->json) {
		js = obj_to_json(&set_event, &e);
		if (e.kind == SLUICE_EVENT_RING_STALLED)
			json_object_object_add(js, "stacks", process_stacks(e.pid));
		json_object_object_add(js, "time_ns",
				       json_object_new_uint64((uint64_t)now.tv_sec * 1000000000 + now.tv_nsec));
		ret = print_json(c, js);
	} else {
		print_time(&now);
		print_event(&e);
	}
	/* whoever reads a pipe wants each event when it happens */
	if (fflush(stdout))
		return fail(c, -errno, "cannot write: %s", strerror(errno));
	if (*left != UINT32_MAX)
		--*left;
	if (!*left)
		stopped = 1;
	return ret;
}

/* [count N] */
int cmd_monitor(struct cli *c, struct args *a)
{
	struct sigaction sa = { .sa_handler = on_signal };
	uint32_t left = UINT32_MAX;
	int ret = 0;

	if (args_take(a, "count"))
		ret = args_u32(c, a, "number of events", UINT32_MAX - 1, &left);
	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = genl_subscribe(c, SLUICE_GENL_MCGRP_EVENTS);
	if (ret)
		return ret;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (!c->json) {
		printf("# waiting for events; end with Ctrl-C\n");
		fflush(stdout);
	}
	while (!stopped && left) {
		ret = genl_event(c, -1, on_event, &left);
		if (ret == -ENOBUFS) {
			puts(c->json ? "{\"lost\":true}" : "# events came faster than they could be read: some are lost");
			fflush(stdout);
		} else if (ret && ret != -EINTR) {
			return ret;
		}
	}
	return 0;
}
