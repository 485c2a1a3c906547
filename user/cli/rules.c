// SPDX-License-Identifier: GPL-2.0-only
/* sluice rule: a listener's rules are read, changed and replaced as a whole; the kernel's generation guards against others. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define TRIES 16	/* while others change the same set */

static struct rule *find_rule(const struct rules *rs, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < rs->rules.n; i++)
		if (rules_at(rs, i)->id == id)
			return rules_at(rs, i);
	return NULL;
}

static int read_rules(struct cli *c, const char *listener, struct rules *rs)
{
	if (!c->dump)
		return kernel_rules(c, listener, rs);
	memset(rs, 0, sizeof(*rs));
	strcpy(rs->listener, listener);
	rs->given = GIVEN(SLUICE_A_RULES_LISTENER) | GIVEN(SLUICE_A_RULES_RULE);
	return 0;
}

/* Read the set of @listener, let @change work on it, and put it back; again if someone else was faster. */
static int change_rules(struct cli *c, const char *listener,
			int (*change)(struct cli *c, struct rules *rs, const void *data), const void *data)
{
	struct rules rs;
	int ret, i;

	for (i = 0; i < TRIES; i++) {
		ret = read_rules(c, listener, &rs);
		if (ret)
			return ret;
		ret = change(c, &rs, data);
		if (ret) {
			obj_free(&set_rules, &rs);
			return ret;
		}
		ret = kernel_do(c, SLUICE_CMD_RULES_SET, &rs, NULL);
		obj_free(&set_rules, &rs);
		if (ret != -EAGAIN)
			return ret;
	}
	return fail(c, -EAGAIN, "others keep changing the rules of %s: try again", listener);
}

static int do_add(struct cli *c, struct rules *rs, const void *data)
{
	const struct rule *r = data;
	struct rule *new;

	if (find_rule(rs, r->id))
		return fail(c, -EEXIST, "listener %s has a rule %u: change it with \"sluice rule set\"", rs->listener,
			    r->id);
	new = vec_add(&rs->rules, sizeof(*new));
	if (!new || obj_copy(&set_rule, new, r))
		return fail_memory(c);
	return 0;
}

static int do_set(struct cli *c, struct rules *rs, const void *data)
{
	const struct rule *r = data;
	struct rule *old = find_rule(rs, r->id);

	if (c->dump)
		return do_add(c, rs, data);
	if (!old)
		return fail(c, -ENOENT, "listener %s has no rule %u: make it with \"sluice rule add\"", rs->listener,
			    r->id);
	obj_free(&set_rule, old);
	return obj_copy(&set_rule, old, r) ? fail_memory(c) : 0;
}

struct ids {
	uint32_t *ids;
	uint32_t n;
};

static int do_del(struct cli *c, struct rules *rs, const void *data)
{
	const struct ids *ids = data;
	struct rule *r;
	uint32_t i;

	for (i = 0; i < ids->n && !c->dump; i++) {
		r = find_rule(rs, ids->ids[i]);
		if (!r)
			return fail(c, -ENOENT, "listener %s has no rule %u: see \"sluice rule show %s\"",
				    rs->listener, ids->ids[i], rs->listener);
		obj_free(&set_rule, r);
		memmove(r, r + 1, (char *)(rules_at(rs, rs->rules.n)) - (char *)(r + 1));
		rs->rules.n--;
	}
	return 0;
}

static int rule_change(struct cli *c, struct args *a,
		       int (*change)(struct cli *c, struct rules *rs, const void *data))
{
	char listener[NAME_LEN] = "";
	struct rule r = { 0 };
	int ret = args_name(c, a, "a listener", listener);

	if (!ret)
		ret = rule_parse(c, a, &r);
	if (!ret)
		ret = change_rules(c, listener, change, &r);
	obj_free(&set_rule, &r);
	return ret;
}

static int rule_add(struct cli *c, struct args *a)
{
	return rule_change(c, a, do_add);
}

static int rule_set(struct cli *c, struct args *a)
{
	return rule_change(c, a, do_set);
}

static int rule_del(struct cli *c, struct args *a)
{
	char listener[NAME_LEN] = "";
	struct ids ids = { 0 };
	int ret = args_name(c, a, "a listener", listener);

	if (ret)
		return ret;
	ids.ids = calloc(a->n + 1, sizeof(*ids.ids));
	if (!ids.ids)
		return fail_memory(c);
	do {
		ret = args_u32(c, a, "rule number", UINT32_MAX, &ids.ids[ids.n]);
		ids.n++;
	} while (!ret && args_peek(a));
	if (!ret)
		ret = change_rules(c, listener, do_del, &ids);
	free(ids.ids);
	return ret;
}

static int rule_flush(struct cli *c, struct args *a)
{
	struct rules rs = { .given = GIVEN(SLUICE_A_RULES_LISTENER) };
	int ret = args_name(c, a, "a listener", rs.listener);

	if (!ret)
		ret = args_end(c, a);
	return ret ? ret : kernel_do(c, SLUICE_CMD_RULES_SET, &rs, NULL);
}

/* The counters of a rule; NULL if there are none yet. */
static const struct stats *find_stats(const struct objects *stats, const char *listener, uint32_t id)
{
	const struct stats *s;
	uint32_t i;

	for (i = 0; i < stats->items.n; i++) {
		s = stats_at(stats, i);
		if (s->object == SLUICE_OBJECT_RULE && !s->retired && s->id == id && !strcmp(s->parent, listener))
			return s;
	}
	return NULL;
}

/*
 * The counters of a listener's rules come in the rules' order more often than not: look right behind the one before
 * first, so that ten thousand rules do not take ten thousand squared steps.
 */
static const struct stats *next_stats(const struct objects *stats, const struct stats *last, const char *listener,
				      uint32_t id)
{
	const struct stats *end = stats_at(stats, stats->items.n);
	const struct stats *next = last ? last + 1 : NULL;

	if (next && next < end && next->object == SLUICE_OBJECT_RULE && !next->retired && next->id == id &&
	    !strcmp(next->parent, listener))
		return next;
	return find_stats(stats, listener, id);
}

static json_object *set_to_json(const struct rules *rs, const struct objects *stats, uint32_t id)
{
	json_object *js = json_object_new_object(), *list = json_object_new_array(), *one;
	const struct stats *s = NULL;
	const struct rule *r;
	uint32_t i;

	json_object_object_add(js, "listener", json_object_new_string(rs->listener));
	json_object_object_add(js, "generation", json_object_new_uint64(rs->generation));
	for (i = 0; i < rs->rules.n; i++) {
		r = rules_at(rs, i);
		if (id && r->id != id)
			continue;
		s = next_stats(stats, s, rs->listener, r->id);
		one = obj_to_json(&set_rule, r);
		json_object_object_add(one, "hits", json_object_new_uint64(s ? s->received : 0));
		json_object_array_add(list, one);
	}
	json_object_object_add(js, "rules", list);
	return js;
}

static void print_set(const struct rules *rs, const struct objects *stats, uint32_t id)
{
	const struct stats *s = NULL;
	const struct rule *r;
	uint32_t i;

	printf("# listener %s, %u rules, generation %u\n", rs->listener, rs->rules.n, rs->generation);
	for (i = 0; i < rs->rules.n; i++) {
		r = rules_at(rs, i);
		if (id && r->id != id)
			continue;
		s = next_stats(stats, s, rs->listener, r->id);
		rule_print(stdout, r);
		printf("\t# hits %" PRIu64 "\n", s ? s->received : 0);
	}
}

static int show_one(struct cli *c, const char *listener, const struct objects *stats, uint32_t id, json_object *list)
{
	struct rules rs;
	int ret = kernel_rules(c, listener, &rs);

	if (ret)
		return ret;
	if (id && !find_rule(&rs, id))
		ret = fail(c, -ENOENT, "listener %s has no rule %u", listener, id);
	else if (list)
		json_object_array_add(list, set_to_json(&rs, stats, id));
	else
		print_set(&rs, stats, id);
	obj_free(&set_rules, &rs);
	return ret;
}

static int show_all(struct cli *c, const struct objects *stats, json_object *list)
{
	struct objects o;
	uint32_t i;
	int ret = kernel_dump(c, SLUICE_CMD_LISTENER_GET, NULL, &o);

	if (ret)
		return ret;
	for (i = 0; i < o.items.n && !ret; i++) {
		ret = show_one(c, ((struct listener *)o.items.items + i)->name, stats, 0, list);
		if (ret == -ENOENT)
			ret = 0;	/* removed since */
	}
	objects_free(&o);
	return ret;
}

static int rule_show(struct cli *c, struct args *a)
{
	char listener[NAME_LEN] = "";
	json_object *list = NULL;
	struct objects stats;
	uint32_t id = 0;
	int ret = 0;

	if (args_peek(a))
		ret = args_name(c, a, "a listener", listener);
	if (!ret && args_peek(a))
		ret = args_u32(c, a, "rule number", UINT32_MAX, &id);
	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = stats_get(c, false, &stats);
	if (ret)
		return ret;
	if (c->json)
		list = json_object_new_array();
	ret = listener[0] ? show_one(c, listener, &stats, id, list) : show_all(c, &stats, list);
	objects_free(&stats);
	if (list && !ret)
		return print_json(c, list);
	json_object_put(list);
	return ret;
}

const struct command rule_commands[] = {
	{ "add", "LISTENER ID", "add a rule; the set is replaced at once", rule_add, NULL, rule_options },
	{ "set", "LISTENER ID", "replace a rule; it keeps its counters", rule_set, NULL, rule_options },
	{ "del", "LISTENER ID...", "remove rules", rule_del, NULL, NULL },
	{ "flush", "LISTENER", "remove all rules", rule_flush, NULL, NULL },
	{ "show", "[LISTENER [ID]]", "list rules with their hits", rule_show, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};
