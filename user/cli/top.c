// SPDX-License-Identifier: GPL-2.0-only
/* sluice top: what happens per second, refreshed. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define RULES_SHOWN 10	/* the busiest */

struct top {
	struct cli *c;
	bool batch;
	uint64_t interval;	/* ns */
	struct objects before, now;
	uint64_t elapsed;	/* ns between the two */
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static bool same_object(const struct stats *a, const struct stats *b)
{
	return a->object == b->object && a->id == b->id && a->retired == b->retired && !strcmp(a->name, b->name) &&
	       !strcmp(a->parent, b->parent);
}

/* The same object earlier; it stands at the same place unless objects came or went. */
static const struct stats *earlier(const struct top *t, uint32_t i)
{
	const struct stats *s = stats_at(&t->now, i);
	uint32_t j;

	if (i < t->before.items.n && same_object(stats_at(&t->before, i), s))
		return stats_at(&t->before, i);
	for (j = 0; j < t->before.items.n; j++)
		if (same_object(stats_at(&t->before, j), s))
			return stats_at(&t->before, j);
	return NULL;
}

static double rate(const struct top *t, uint64_t now, uint64_t before)
{
	if (now < before || !t->elapsed)
		return 0;
	return (now - before) * 1e9 / t->elapsed;
}

static void print_rate(double r)
{
	if (r >= 1e6)
		printf(" %8.2fM", r / 1e6);
	else if (r >= 1e4)
		printf(" %8.1fk", r / 1e3);
	else
		printf(" %9.0f", r);
}

static void print_line(const struct top *t, uint32_t i)
{
	const struct stats *s = stats_at(&t->now, i), *old = earlier(t, i);
	char title[128];
	uint32_t k;

	stats_title(s, title, sizeof(title));
	printf("%-32s", title);
	print_rate(rate(t, s->received, old ? old->received : 0));
	for (k = 0; k < __SLUICE_KIND_MAX; k++)
		print_rate(rate(t, stats_kind(s, k), old ? stats_kind(old, k) : 0));
	printf(" %9" PRIu64 "\n", s->in_flight);
}

struct busy {
	uint32_t i;
	double rate;
};

static int by_rate(const void *a, const void *b)
{
	const struct busy *x = a, *y = b;

	return x->rate > y->rate ? -1 : x->rate < y->rate;
}

static int print_rules(const struct top *t)
{
	struct busy *busy = calloc(t->now.items.n + 1, sizeof(*busy));
	const struct stats *s, *old;
	uint32_t i, n = 0;

	if (!busy)
		return fail_memory(t->c);
	for (i = 0; i < t->now.items.n; i++) {
		s = stats_at(&t->now, i);
		if (s->object != SLUICE_OBJECT_RULE)
			continue;
		old = earlier(t, i);
		busy[n++] = (struct busy){ .i = i, .rate = rate(t, s->received, old ? old->received : 0) };
	}
	qsort(busy, n, sizeof(*busy), by_rate);
	for (i = 0; i < n && i < RULES_SHOWN && busy[i].rate > 0; i++)
		print_line(t, busy[i].i);
	free(busy);
	return 0;
}

static int print_screen(const struct top *t)
{
	const struct stats *s;
	uint32_t i, k;
	int ret;

	if (!t->batch)
		printf("\033[H\033[J");
	printf("%-32s %9s", "PER SECOND", "RECEIVED");
	for (k = 0; k < __SLUICE_KIND_MAX; k++)
		printf(" %9s", kind_names[k]);
	printf(" %9s\n", "in-flight");
	for (i = 0; i < t->now.items.n; i++) {
		s = stats_at(&t->now, i);
		if (s->object != SLUICE_OBJECT_RULE && !s->retired)
			print_line(t, i);
	}
	ret = print_rules(t);
	if (t->batch)
		putchar('\n');
	fflush(stdout);
	return ret;
}

static json_object *line_to_json(const struct top *t, uint32_t i)
{
	const struct stats *s = stats_at(&t->now, i), *old = earlier(t, i);
	json_object *js = json_object_new_object(), *kinds = json_object_new_object();
	uint32_t k;

	json_object_object_add(js, "object", json_object_new_string(name_of(object_names, s->object)));
	json_object_object_add(js, "id", json_object_new_uint64(s->id));
	json_object_object_add(js, "name", json_object_new_string(s->name));
	json_object_object_add(js, "parent", json_object_new_string(s->parent));
	json_object_object_add(js, "received_per_s",
			       json_object_new_double(rate(t, s->received, old ? old->received : 0)));
	for (k = 0; k < __SLUICE_KIND_MAX; k++)
		json_object_object_add(kinds, kind_names[k],
				       json_object_new_double(rate(t, stats_kind(s, k), old ? stats_kind(old, k) : 0)));
	json_object_object_add(js, "outcomes_per_s", kinds);
	json_object_object_add(js, "in_flight", json_object_new_uint64(s->in_flight));
	return js;
}

static int print_round(const struct top *t)
{
	json_object *js, *list;
	uint32_t i;
	int ret;

	if (!t->c->json)
		return print_screen(t);
	js = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(js, "elapsed_ns", json_object_new_uint64(t->elapsed));
	for (i = 0; i < t->now.items.n; i++)
		if (!stats_at(&t->now, i)->retired)
			json_object_array_add(list, line_to_json(t, i));
	json_object_object_add(js, "objects", list);
	ret = print_json(t->c, js);
	fflush(stdout);
	return ret;
}

/* Sleep until a point in time, or until a signal. */
static void sleep_until(uint64_t when)
{
	struct timespec ts = { .tv_sec = when / 1000000000, .tv_nsec = when % 1000000000 };

	while (!stopped && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int run(struct top *t, uint32_t rounds)
{
	uint64_t then = monotonic_ns(), now;
	int ret = stats_get(t->c, false, &t->before);

	if (ret || t->c->dump)
		return ret;
	while (!stopped && rounds && !ret) {
		sleep_until(then + t->interval);
		if (stopped)
			break;
		ret = stats_get(t->c, false, &t->now);
		if (ret)
			break;
		now = monotonic_ns();
		t->elapsed = now - then;
		then = now;
		ret = print_round(t);
		objects_free(&t->before);
		t->before = t->now;
		memset(&t->now, 0, sizeof(t->now));
		if (rounds != UINT32_MAX)
			rounds--;
	}
	objects_free(&t->before);
	return ret;
}

/* [interval TIME] [count N] [batch] */
int cmd_top(struct cli *c, struct args *a)
{
	struct top t = { .c = c, .interval = 1000000000, .batch = !isatty(STDOUT_FILENO) };
	struct sigaction sa = { .sa_handler = on_signal };
	uint32_t rounds = UINT32_MAX;
	const char *word;
	int ret = 0;

	while (!ret && args_peek(a)) {
		if (args_take(a, "batch") || args_take(a, "-b")) {
			t.batch = true;
		} else if (args_take(a, "count") || args_take(a, "-n")) {
			ret = args_u32(c, a, "number of rounds", UINT32_MAX - 1, &rounds);
		} else if (args_take(a, "interval") || args_take(a, "-d")) {
			ret = args_need(c, a, "a time", &word);
			if (!ret && (parse_ns(word, &t.interval) || !t.interval || t.interval > SLUICE_HOLD_NS_MAX))
				ret = fail_usage(c, "\"%s\" is no interval: a time as 500ms or 2s", word);
		} else {
			ret = args_end(c, a);
		}
	}
	if (ret)
		return ret;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return run(&t, rounds);
}
