// SPDX-License-Identifier: GPL-2.0-only
/* sluice stats: the ledger as a table, and latencies out of histograms. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "core/hist.h"

int stats_get(struct cli *c, bool exact, struct objects *out)
{
	struct stats want = { .exact = exact, .given = exact ? GIVEN(SLUICE_A_STATS_EXACT) : 0 };

	return kernel_dump(c, SLUICE_CMD_STATS_GET, &want, out);
}

/* Rules count by kind, everything else by outcome. */
uint32_t stats_counts(const struct stats *s)
{
	return s->outcomes.len / sizeof(uint64_t);
}

uint64_t stats_count(const struct stats *s, uint32_t i)
{
	uint64_t v;

	if (i >= stats_counts(s))
		return 0;
	memcpy(&v, s->outcomes.data + i * sizeof(v), sizeof(v));
	return v;
}

static uint32_t kind_of(const struct stats *s, uint32_t i)
{
	if (s->object == SLUICE_OBJECT_RULE)
		return i;
	return i < __SLUICE_OUTCOME_MAX ? outcome_kinds[i] : __SLUICE_KIND_MAX;
}

uint64_t stats_kind(const struct stats *s, uint32_t kind)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < stats_counts(s); i++)
		if (kind_of(s, i) == kind)
			sum += stats_count(s, i);
	return sum;
}

/* "answered", "rejected_backlog_full" */
const char *stats_count_name(const struct stats *s, uint32_t i, char *buf, size_t size)
{
	const char *name = name_of(s->object == SLUICE_OBJECT_RULE ? kind_names : outcome_names, i);
	size_t n;

	snprintf(buf, size, "%s", name);
	for (n = 0; buf[n]; n++)
		buf[n] = tolower((unsigned char)buf[n]);
	return buf;
}

/* "listener web", "rule web/10", "rule web/default", "class kv/GET", "ring kv/retired" */
void stats_title(const struct stats *s, char *buf, size_t size)
{
	const char *kind = name_of(object_names, s->object);

	switch (s->object) {
	case SLUICE_OBJECT_RULE:
	case SLUICE_OBJECT_RING:
		if (s->retired)
			snprintf(buf, size, "%s %s/retired", kind, s->parent);
		else if (!s->id && s->object == SLUICE_OBJECT_RULE)
			snprintf(buf, size, "%s %s/default", kind, s->parent);
		else
			snprintf(buf, size, "%s %s/%u", kind, s->parent, s->id);
		break;
	case SLUICE_OBJECT_CLASS:
		snprintf(buf, size, "%s %s/%s", kind, s->parent, s->name);
		break;
	default:
		snprintf(buf, size, "%s %s", kind, s->name);
	}
}

json_object *stats_to_json(const struct stats *s)
{
	json_object *js, *counts = json_object_new_object();
	struct stats plain = *s;
	char name[64];
	uint32_t i;

	plain.given &= ~GIVEN(SLUICE_A_STATS_OUTCOMES);
	plain.given |= GIVEN(SLUICE_A_STATS_RETIRED);
	js = obj_to_json(&set_stats, &plain);
	for (i = 0; i < stats_counts(s); i++)
		json_object_object_add(counts, stats_count_name(s, i, name, sizeof(name)),
				       json_object_new_uint64(stats_count(s, i)));
	json_object_object_add(js, "outcomes", counts);
	return js;
}

static void print_header(void)
{
	uint32_t k;

	printf("%-32s %12s", "OBJECT", "RECEIVED");
	for (k = 0; k < __SLUICE_KIND_MAX; k++)
		printf(" %*s", k < 2 ? 12 : 9, kind_names[k]);
	printf(" %9s\n", "in-flight");
}

/* Reasons, for kinds that have several. */
static void print_reasons(const struct stats *s)
{
	char name[64];
	uint32_t i;

	if (s->object == SLUICE_OBJECT_RULE)
		return;
	for (i = 0; i < stats_counts(s); i++)
		if (stats_count(s, i) && i != SLUICE_OUTCOME_ANSWERED && i != SLUICE_OUTCOME_DONE)
			printf("    %-28s %12" PRIu64 "  %s\n", stats_count_name(s, i, name, sizeof(name)),
			       stats_count(s, i), name_of(outcome_texts, i));
}

static void print_stats(const struct stats *s)
{
	char title[128];
	uint32_t k;

	stats_title(s, title, sizeof(title));
	printf("%-32s %12" PRIu64, title, s->received);
	for (k = 0; k < __SLUICE_KIND_MAX; k++)
		printf(" %*" PRIu64, k < 2 ? 12 : 9, stats_kind(s, k));
	printf(" %9" PRIu64 "\n", s->in_flight);
	if (s->moved)
		printf("    %-28s %12" PRIu64 "  requeued to another ring\n", "moved", s->moved);
	print_reasons(s);
}

struct latency {
	uint64_t count, p50, p90, p99, p999, max;
};

static int measure(struct cli *c, const struct hist *h, struct latency *l)
{
	static u64 buckets[SLUICE_HIST_BUCKETS];
	uint32_t i;

	if (h->sub_bits != SLUICE_HIST_SUB_BITS || h->buckets.len > sizeof(buckets))
		return fail(c, -EOPNOTSUPP, "the module's histograms have another form: it is of another version");
	memset(buckets, 0, sizeof(buckets));
	if (h->buckets.len)
		memcpy(buckets, h->buckets.data, h->buckets.len);
	memset(l, 0, sizeof(*l));
	for (i = 0; i < SLUICE_HIST_BUCKETS; i++)
		l->count += buckets[i];
	l->p50 = sluice_hist_quantile(buckets, l->count, 500000);
	l->p90 = sluice_hist_quantile(buckets, l->count, 900000);
	l->p99 = sluice_hist_quantile(buckets, l->count, 990000);
	l->p999 = sluice_hist_quantile(buckets, l->count, 999000);
	l->max = sluice_hist_quantile(buckets, l->count, 1000000);
	return 0;
}

static json_object *latency_to_json(const struct hist *h, const struct latency *l)
{
	json_object *js = json_object_new_object();

	json_object_object_add(js, "group", json_object_new_string(h->group));
	json_object_object_add(js, "class", json_object_new_string(h->class));
	json_object_object_add(js, "stage", json_object_new_string(name_of(stage_names, h->stage)));
	json_object_object_add(js, "count", json_object_new_uint64(l->count));
	json_object_object_add(js, "p50_ns", json_object_new_uint64(l->p50));
	json_object_object_add(js, "p90_ns", json_object_new_uint64(l->p90));
	json_object_object_add(js, "p99_ns", json_object_new_uint64(l->p99));
	json_object_object_add(js, "p999_ns", json_object_new_uint64(l->p999));
	json_object_object_add(js, "max_ns", json_object_new_uint64(l->max));
	return js;
}

/* Three digits are what a histogram's buckets are worth. */
static void print_ns(uint64_t ns)
{
	if (ns < 10000)
		printf(" %7" PRIu64 "ns", ns);
	else if (ns < 10000000)
		printf(" %7.1fus", ns / 1e3);
	else if (ns < 10000000000)
		printf(" %7.1fms", ns / 1e6);
	else
		printf(" %8.1fs", ns / 1e9);
}

static void print_latency(const struct hist *h, const struct latency *l)
{
	char title[128];

	snprintf(title, sizeof(title), "%s/%s %s", h->group, h->class, name_of(stage_names, h->stage));
	printf("%-32s %12" PRIu64, title, l->count);
	print_ns(l->p50);
	print_ns(l->p90);
	print_ns(l->p99);
	print_ns(l->p999);
	print_ns(l->max);
	putchar('\n');
}

/* @name: a group or class; NULL: all */
static int show_latency(struct cli *c, const char *name, json_object *list)
{
	bool header = false;
	struct latency l;
	struct objects o;
	uint32_t i;
	int ret;

	ret = kernel_dump(c, SLUICE_CMD_HIST_GET, NULL, &o);
	for (i = 0; !ret && i < o.items.n; i++) {
		const struct hist *h = (struct hist *)o.items.items + i;

		if (name && strcmp(h->group, name) && strcmp(h->class, name))
			continue;
		ret = measure(c, h, &l);
		if (ret || (!list && !l.count))
			continue;
		if (list) {
			json_object_array_add(list, latency_to_json(h, &l));
			continue;
		}
		if (!header)
			printf("\n%-32s %12s %9s %9s %9s %9s %9s\n", "LATENCY", "COUNT", "p50", "p90", "p99",
			       "p99.9", "max");
		header = true;
		print_latency(h, &l);
	}
	objects_free(&o);
	return ret;
}

static bool wanted(const struct stats *s, int object, const char *name)
{
	char id[16];

	if (object >= 0 && s->object != (uint32_t)object)
		return false;
	if (!name)
		return true;
	snprintf(id, sizeof(id), "%u", s->id);
	return !strcmp(s->name, name) || !strcmp(s->parent, name) ||
	       (s->object == SLUICE_OBJECT_RING && !strcmp(id, name));
}

static int show_stats(struct cli *c, const struct objects *o, int object, const char *name)
{
	bool latency = object < 0 || object == SLUICE_OBJECT_GROUP || object == SLUICE_OBJECT_CLASS;
	json_object *js = NULL, *list = NULL, *hists = NULL;
	const struct stats *s;
	uint32_t i, shown = 0;
	int ret;

	if (c->json) {
		js = json_object_new_object();
		list = json_object_new_array();
		hists = json_object_new_array();
		json_object_object_add(js, "objects", list);
		json_object_object_add(js, "latency", hists);
	} else {
		print_header();
	}
	for (i = 0; i < o->items.n; i++) {
		s = stats_at(o, i);
		if (!wanted(s, object, name))
			continue;
		shown++;
		if (c->json)
			json_object_array_add(list, stats_to_json(s));
		else if (!s->retired || s->received)
			print_stats(s);
	}
	ret = 0;
	if (name && !shown)
		ret = fail(c, -ENOENT, "nothing by the name \"%s\" is counted: see \"sluice stats\"", name);
	else if (latency)
		ret = show_latency(c, name, hists);
	if (!ret && c->json)
		return print_json(c, js);
	json_object_put(js);
	return ret;
}

/* [listener|group|class|rule|ring [NAME]] */
int cmd_stats(struct cli *c, struct args *a)
{
	const char *name = NULL;
	uint32_t object = -1;
	struct objects o;
	int ret = 0;

	if (args_peek(a))
		ret = args_enum(c, a, "kind of object", object_names, &object);
	if (!ret && args_peek(a))
		name = args_next(a);
	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = stats_get(c, false, &o);
	if (ret || c->dump)
		return ret;
	ret = show_stats(c, &o, object, name);
	objects_free(&o);
	return ret;
}
