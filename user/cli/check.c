// SPDX-License-Identifier: GPL-2.0-only
/* sluice check: proves from one exact snapshot that every request is accounted for. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"

struct check {
	struct cli *c;
	json_object *failures;
	uint64_t proved;	/* equations that hold */
	uint64_t failed;
	bool quiet;
};

static void judge(struct check *k, const char *what, const char *equation, uint64_t left, uint64_t right)
{
	json_object *js;

	if (left == right) {
		k->proved++;
		return;
	}
	k->failed++;
	if (k->quiet)
		return;
	if (!k->failures) {
		printf("%s: %s: %" PRIu64 " != %" PRIu64 ", %s by %" PRIu64 "\n", what, equation, left, right,
		       left > right ? "too few on the right" : "too many on the right",
		       left > right ? left - right : right - left);
		return;
	}
	js = json_object_new_object();
	json_object_object_add(js, "object", json_object_new_string(what));
	json_object_object_add(js, "equation", json_object_new_string(equation));
	json_object_object_add(js, "left", json_object_new_uint64(left));
	json_object_object_add(js, "right", json_object_new_uint64(right));
	json_object_array_add(k->failures, js);
}

static uint64_t sum_outcomes(const struct stats *s)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < stats_counts(s); i++)
		sum += stats_count(s, i);
	return sum;
}

/* received = outcomes + in flight (+ moved) */
static void check_closed(struct check *k, const struct stats *s)
{
	bool ring = s->object == SLUICE_OBJECT_RING;
	char title[128];

	stats_title(s, title, sizeof(title));
	judge(k, title, ring ? "received = outcomes + in flight + moved" : "received = outcomes + in flight",
	      s->received, sum_outcomes(s) + s->in_flight + (ring ? s->moved : 0));
}

/* What the children of an object have counted together. */
struct sum {
	uint64_t received, in_flight, counts[__SLUICE_OUTCOME_MAX];
	uint32_t n;
};

static void add_up(struct sum *sum, const struct stats *s)
{
	uint32_t i;

	sum->n++;
	sum->received += s->received;
	sum->in_flight += s->in_flight;
	for (i = 0; i < stats_counts(s) && i < __SLUICE_OUTCOME_MAX; i++)
		sum->counts[i] += stats_count(s, i);
}

static void sum_children(const struct objects *o, const struct stats *parent, uint32_t object, struct sum *sum)
{
	const struct stats *s;
	uint32_t i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < o->items.n; i++) {
		s = stats_at(o, i);
		if (s->object == object && !strcmp(s->parent, parent->name))
			add_up(sum, s);
	}
}

/* A listener is its rules: those there are, the default, and those that were replaced. */
static void check_rules(struct check *k, const struct objects *o, const struct stats *s)
{
	char title[128], equation[64];
	struct sum sum;
	uint32_t i;

	stats_title(s, title, sizeof(title));
	sum_children(o, s, SLUICE_OBJECT_RULE, &sum);
	judge(k, title, "received = received by its rules", s->received, sum.received);
	judge(k, title, "in flight = in flight of its rules", s->in_flight, sum.in_flight);
	for (i = 0; i < __SLUICE_KIND_MAX; i++) {
		snprintf(equation, sizeof(equation), "%s = %s of its rules", kind_names[i], kind_names[i]);
		judge(k, title, equation, stats_kind(s, i), sum.counts[i]);
	}
}

static void judge_outcome(struct check *k, const struct stats *s, uint32_t i, const char *of, uint64_t right)
{
	char title[128], equation[192], name[64];

	stats_title(s, title, sizeof(title));
	stats_count_name(s, i, name, sizeof(name));
	snprintf(equation, sizeof(equation), "%s = %s of its %s", name, name, of);
	judge(k, title, equation, stats_count(s, i), right);
}

static void check_classes(struct check *k, const struct objects *o, const struct stats *s)
{
	struct sum sum;
	char title[128];
	uint32_t i;

	stats_title(s, title, sizeof(title));
	sum_children(o, s, SLUICE_OBJECT_CLASS, &sum);
	judge(k, title, "received = received by its classes", s->received, sum.received);
	judge(k, title, "in flight = in flight of its classes", s->in_flight, sum.in_flight);
	for (i = 0; i < __SLUICE_OUTCOME_MAX; i++)
		judge_outcome(k, s, i, "classes", sum.counts[i]);
}

/* Only a consumer can bring these about, so a group has none that its rings have not. */
static bool made_by_rings(uint32_t outcome)
{
	return outcome == SLUICE_OUTCOME_ANSWERED || outcome == SLUICE_OUTCOME_DONE ||
	       outcome == SLUICE_OUTCOME_REJECTED_CONSUMER || outcome == SLUICE_OUTCOME_DROPPED_BAD_RESPONSE ||
	       outcome == SLUICE_OUTCOME_EXPIRED_RING;
}

/* A rule's own action ends a request before it reaches a group. */
static bool before_groups(uint32_t outcome)
{
	return outcome == SLUICE_OUTCOME_REJECTED_RULE || outcome == SLUICE_OUTCOME_DROPPED_RULE ||
	       outcome == SLUICE_OUTCOME_PASSED_RULE;
}

static void check_rings(struct check *k, const struct objects *o, const struct stats *s)
{
	struct sum sum;
	char title[128];
	uint32_t i;

	stats_title(s, title, sizeof(title));
	sum_children(o, s, SLUICE_OBJECT_RING, &sum);
	for (i = 0; i < __SLUICE_OUTCOME_MAX; i++) {
		if (made_by_rings(i))
			judge_outcome(k, s, i, "rings", sum.counts[i]);
		else if (sum.counts[i] > stats_count(s, i))
			judge_outcome(k, s, i, "rings, at most", sum.counts[i]);
		if (before_groups(i))
			judge(k, title, "requests ended by a rule's own action = 0", stats_count(s, i), 0);
	}
	if (sum.in_flight > s->in_flight)
		judge(k, title, "in flight >= in flight of its rings", s->in_flight, sum.in_flight);
}

/* What is in flight belongs to one listener and one group, both of which still exist. */
static void check_flights(struct check *k, const struct objects *o)
{
	uint64_t listeners = 0, groups = 0;
	const struct stats *s;
	uint32_t i;

	for (i = 0; i < o->items.n; i++) {
		s = stats_at(o, i);
		if (s->object == SLUICE_OBJECT_LISTENER)
			listeners += s->in_flight;
		else if (s->object == SLUICE_OBJECT_GROUP)
			groups += s->in_flight;
	}
	judge(k, "namespace", "in flight of all listeners = in flight of all groups", listeners, groups);
}

static void check_all(struct check *k, const struct objects *o)
{
	const struct stats *s;
	uint32_t i;

	for (i = 0; i < o->items.n; i++) {
		s = stats_at(o, i);
		check_closed(k, s);
		if (s->object == SLUICE_OBJECT_LISTENER)
			check_rules(k, o, s);
		if (s->object == SLUICE_OBJECT_GROUP) {
			check_classes(k, o, s);
			check_rings(k, o, s);
		}
	}
	check_flights(k, o);
}

static int report(struct check *k, const struct objects *o)
{
	json_object *js;

	if (k->c->json && !k->quiet) {
		js = json_object_new_object();
		json_object_object_add(js, "closed", json_object_new_boolean(!k->failed));
		json_object_object_add(js, "objects", json_object_new_uint64(o->items.n));
		json_object_object_add(js, "equations", json_object_new_uint64(k->proved + k->failed));
		json_object_object_add(js, "failures", k->failures);
		return print_json(k->c, js);
	}
	json_object_put(k->failures);
	if (!k->quiet)
		printf("%s: %u objects, %" PRIu64 " equations, %" PRIu64 " do not hold\n",
		       k->failed ? "NOT CLOSED" : "closed", o->items.n, k->proved + k->failed, k->failed);
	return 0;
}

/* [quiet] */
int cmd_check(struct cli *c, struct args *a)
{
	struct check k = { .c = c };
	struct objects o;
	int ret;

	k.quiet = c->quiet = args_take(a, "quiet") || args_take(a, "-q") || c->quiet;
	ret = args_end(c, a);
	if (!ret)
		ret = stats_get(c, true, &o);
	if (ret || c->dump)
		return ret;
	if (c->json && !k.quiet)
		k.failures = json_object_new_array();
	check_all(&k, &o);
	ret = report(&k, &o);
	objects_free(&o);
	c->exit_code = k.failed ? 1 : 0;
	return ret;
}
