// SPDX-License-Identifier: GPL-2.0-only
/* sluice apply: the difference between a file and what runs, as steps that are undone together if one is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "listener_tcp.h"
#include "xdp.h"

/* A request to the kernel and the one that takes it back; rule sets carry the generation they replace. */
struct step {
	uint8_t cmd;		/* 0: nothing, there is only something to undo */
	uint8_t undo_cmd;	/* 0: what an earlier step undoes, undoes this too */
	void *obj;
	void *undo;
	const char *op;		/* add, change, replace, remove */
	const char *kind;
	const char *name;
};

struct plan {
	struct cli *c;
	const struct config *want;
	const struct config *have;
	bool prune;
	struct vec steps;
};

static int add_step(struct plan *p, uint8_t cmd, void *obj, uint8_t undo_cmd, void *undo, const char *op,
		    const char *kind, const char *name)
{
	struct step *s = vec_add(&p->steps, sizeof(*s));

	if (!s)
		return fail_memory(p->c);
	*s = (struct step){ .cmd = cmd, .undo_cmd = undo_cmd, .obj = obj, .undo = undo, .op = op, .kind = kind,
			    .name = name };
	return 0;
}

/* Everything that can be configured counts as given, so that a change, or its undoing, sets all of it. */
static void give_group(struct group *g)
{
	unsigned int a;

	for (a = 1; a <= set_group.max; a++)
		if (!(set_group.attrs[a].flags & F_OUT))
			g->given |= GIVEN(a);
	if (g->owner_gid == UINT32_MAX)
		g->given &= ~GIVEN(SLUICE_A_GROUP_OWNER_GID);
	/* the kernel keeps the parts of the key that its kind does not use, and would judge them */
	if (g->key == SLUICE_KEY_KIND_FLOW)
		g->given &= ~GIVEN(SLUICE_A_GROUP_KEY_OFFSET);
	if (g->key != SLUICE_KEY_KIND_BYTES)
		g->given &= ~GIVEN(SLUICE_A_GROUP_KEY_LEN);
	if (g->key != SLUICE_KEY_KIND_TOKEN)
		g->given &= ~(GIVEN(SLUICE_A_GROUP_KEY_INDEX) | GIVEN(SLUICE_A_GROUP_KEY_DELIM));
}

static void give_listener(struct listener *l)
{
	l->given |= GIVEN(SLUICE_A_LISTENER_ACTION) | GIVEN(SLUICE_A_LISTENER_REJECT_DATA) |
		    GIVEN(SLUICE_A_LISTENER_REJECT_COPY);
	l->given &= ~GIVEN(SLUICE_A_LISTENER_GROUP);
	if (l->action == SLUICE_ACTION_GROUP)
		l->given |= GIVEN(SLUICE_A_LISTENER_GROUP);
	if (!l->ifindex)
		l->given &= ~GIVEN(SLUICE_A_LISTENER_IFINDEX);
	/* what the kernel reports is no part of a request */
	l->given &= ~(GIVEN(SLUICE_A_LISTENER_ID) | GIVEN(SLUICE_A_LISTENER_ADOPTED) |
		      GIVEN(SLUICE_A_LISTENER_GENERATION) | GIVEN(SLUICE_A_LISTENER_RULES) |
		      GIVEN(SLUICE_A_LISTENER_CLOSED) | GIVEN(SLUICE_A_LISTENER_XDP_PASSED) |
		      GIVEN(SLUICE_A_LISTENER_CONNS) | GIVEN(SLUICE_A_LISTENER_CONN_COUNTS) |
		      GIVEN(SLUICE_A_LISTENER_CLASSIFIER_ID) | GIVEN(SLUICE_A_LISTENER_BAD_VERDICTS) |
		      GIVEN(SLUICE_A_LISTENER_FRAMER_ID) | GIVEN(SLUICE_A_LISTENER_UNTRACKED));
}

static void strip_out(struct group *g)
{
	unsigned int a;

	for (a = 1; a <= set_group.max; a++)
		if (set_group.attrs[a].flags & F_OUT)
			g->given &= ~GIVEN(a);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct class_conf *)a)->name, ((const struct class_conf *)b)->name);
}

static struct class_conf *find_class(const struct group *g, const char *name)
{
	uint32_t i;

	for (i = 0; i < g->class_confs.n; i++)
		if (!strcmp(((struct class_conf *)g->class_confs.items + i)->name, name))
			return (struct class_conf *)g->class_confs.items + i;
	return NULL;
}

static bool says_nothing(const struct class_conf *k)
{
	return !k->target_ns && !k->interval_ns && !k->cap && !k->shed;
}

/* What @g does not say of a class that @other speaks of is 0; what both leave at 0 need not be said. */
static int fill_classes(struct plan *p, struct group *g, const struct group *other)
{
	struct class_conf *k, *o;
	uint32_t i, n = 0;

	for (i = 0; other && i < other->class_confs.n; i++) {
		o = (struct class_conf *)other->class_confs.items + i;
		if (find_class(g, o->name) || says_nothing(o))
			continue;
		k = vec_add(&g->class_confs, sizeof(*k));
		if (!k)
			return fail_memory(p->c);
		strcpy(k->name, o->name);
	}
	for (i = 0; i < g->class_confs.n; i++) {
		k = (struct class_conf *)g->class_confs.items + i;
		k->given = GIVEN(SLUICE_A_CLASS_NAME) | GIVEN(SLUICE_A_CLASS_TARGET_NS) |
			   GIVEN(SLUICE_A_CLASS_INTERVAL_NS) | GIVEN(SLUICE_A_CLASS_CAP) |
			   GIVEN(SLUICE_A_CLASS_SHED);
		o = other ? find_class(other, k->name) : NULL;
		if (!says_nothing(k) || (o && !says_nothing(o)))
			((struct class_conf *)g->class_confs.items)[n++] = *k;
	}
	g->class_confs.n = n;
	if (n)
		qsort(g->class_confs.items, n, sizeof(*k), by_name);
	return 0;
}

static int plan_groups(struct plan *p)
{
	struct group *want, *have;
	struct conf_group *old;
	uint32_t i;
	int ret;

	for (i = 0; i < p->want->groups.n; i++) {
		want = &conf_group_at(p->want, i)->group;
		give_group(want);
		old = conf_find_group(p->have, want->name);
		ret = fill_classes(p, want, old ? &old->group : NULL);
		if (!ret && old)
			ret = fill_classes(p, &old->group, want);
		if (ret)
			return ret;
		if (!old) {
			ret = add_step(p, SLUICE_CMD_GROUP_NEW, want, SLUICE_CMD_GROUP_DEL, want, "add", "group",
				       want->name);
			if (ret)
				return ret;
			continue;
		}
		have = &old->group;
		strip_out(have);
		give_group(have);
		if (obj_equal(&set_group, want, have))
			continue;
		if (want->owner_gid == UINT32_MAX && have->owner_gid != UINT32_MAX)
			return fail(p->c, -EINVAL, "group %s has owner gid %u, which can be changed but not taken away:"
				    " write owner UID:GID, or remove the group first", want->name, have->owner_gid);
		ret = add_step(p, SLUICE_CMD_GROUP_SET, want, SLUICE_CMD_GROUP_SET, have, "change", "group",
			       want->name);
		if (ret)
			return ret;
	}
	return 0;
}

static bool same_place(const struct listener *a, const struct listener *b)
{
	return a->addr.len == b->addr.len && !memcmp(a->addr.bytes, b->addr.bytes, a->addr.len) &&
	       a->port == b->port && a->ifindex == b->ifindex && a->v6only == b->v6only && a->handed == b->handed &&
	       a->xdp == b->xdp && a->gro == b->gro && listener_tcp_equal(a, b);
}

static bool same_bytes(const struct blob *a, const struct blob *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static bool same_settings(const struct listener *a, const struct listener *b)
{
	return a->action == b->action && !strcmp(a->group, b->group) && a->reject_copy == b->reject_copy &&
	       same_bytes(&a->reject_data, &b->reject_data) && same_bytes(&a->framer_name, &b->framer_name);
}

static bool same_rules(const struct rules *a, const struct rules *b)
{
	uint32_t i;

	if (a->rules.n != b->rules.n)
		return false;
	for (i = 0; i < a->rules.n; i++)
		if (!obj_equal(&set_rule, rules_at(a, i), rules_at(b, i)))
			return false;
	return true;
}

/* The file's order of rules with one "order" may differ from the kernel's in how it is written, not in what it does. */
static int by_order(const void *a, const void *b, void *rules)
{
	const struct rules *rs = rules;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint32_t ox = rules_at(rs, x)->order, oy = rules_at(rs, y)->order;

	if (ox != oy)
		return ox < oy ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int sort_rules(struct cli *c, struct rules *rs)
{
	uint32_t n = rs->rules.n, i;
	struct rule *sorted;
	uint32_t *index;

	if (n < 2)
		return 0;
	index = calloc(n, sizeof(*index));
	/* room as vec_add() has it */
	for (i = 1; i < n; i *= 2)
		;
	sorted = calloc(i, sizeof(*sorted));
	if (!index || !sorted) {
		free(index);
		free(sorted);
		return fail_memory(c);
	}
	for (i = 0; i < n; i++)
		index[i] = i;
	qsort_r(index, n, sizeof(*index), by_order, rs);
	for (i = 0; i < n; i++)
		sorted[i] = *rules_at(rs, index[i]);
	free(index);
	free(rs->rules.items);
	rs->rules.items = sorted;
	return 0;
}

/* Before anything is added: what goes, and what has to make way for the same name elsewhere. */
static int plan_removals(struct plan *p)
{
	struct conf_listener *want, *have;
	bool replace;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < p->have->listeners.n && !ret; i++) {
		have = conf_listener_at(p->have, i);
		want = conf_find_listener(p->want, have->listener.name);
		replace = want && !is_given(&want->listener, SLUICE_A_LISTENER_SOCKET_FD) &&
			  !same_place(&want->listener, &have->listener);
		if (have->listener.adopted && replace)
			return fail(p->c, -EINVAL, "listener %s is an adopted socket, which no file can move: remove it"
				    " with \"sluice listener del\" first", have->listener.name);
		if (have->listener.adopted || (!replace && (want || !p->prune)))
			continue;
		give_listener(&have->listener);
		have->rules.given &= ~GIVEN(SLUICE_A_RULES_GENERATION);
		if (have->rules.rules.n)
			ret = add_step(p, 0, NULL, SLUICE_CMD_RULES_SET, &have->rules, NULL, NULL, NULL);
		if (!ret)
			ret = add_step(p, SLUICE_CMD_LISTENER_DEL, &have->listener, SLUICE_CMD_LISTENER_NEW,
				       &have->listener, replace ? "replace" : "remove", "listener",
				       have->listener.name);
	}
	return ret;
}

static int plan_rules(struct plan *p, struct conf_listener *want, struct conf_listener *have, bool fresh)
{
	int ret = sort_rules(p->c, &want->rules);

	if (!ret && have)
		ret = sort_rules(p->c, &have->rules);
	if (ret)
		return ret;
	if (fresh) {
		if (!want->rules.rules.n)
			return 0;
		return add_step(p, SLUICE_CMD_RULES_SET, &want->rules, 0, NULL, "add", "rules",
				want->listener.name);
	}
	if (same_rules(&want->rules, &have->rules))
		return 0;
	want->rules.generation = have->rules.generation;
	want->rules.given |= GIVEN(SLUICE_A_RULES_GENERATION);
	have->rules.given &= ~GIVEN(SLUICE_A_RULES_GENERATION);
	return add_step(p, SLUICE_CMD_RULES_SET, &want->rules, SLUICE_CMD_RULES_SET, &have->rules, "change", "rules",
			want->listener.name);
}

static int plan_listeners(struct plan *p)
{
	struct conf_listener *want, *have;
	struct listener *l;
	uint32_t i;
	bool fresh;
	int ret = 0;

	for (i = 0; i < p->want->listeners.n && !ret; i++) {
		want = conf_listener_at(p->want, i);
		l = &want->listener;
		have = conf_find_listener(p->have, l->name);
		fresh = !have || (!is_given(l, SLUICE_A_LISTENER_SOCKET_FD) && !same_place(l, &have->listener));
		give_listener(l);
		if (fresh)
			ret = add_step(p, SLUICE_CMD_LISTENER_NEW, l, SLUICE_CMD_LISTENER_DEL, l, "add", "listener",
				       l->name);
		else if (!same_settings(l, &have->listener))
			ret = add_step(p, SLUICE_CMD_LISTENER_SET, l, SLUICE_CMD_LISTENER_SET, &have->listener,
				       "change", "listener", l->name);
		if (!fresh)
			give_listener(&have->listener);
		if (!ret)
			ret = plan_rules(p, want, have, fresh);
	}
	return ret;
}

static int plan_prune_groups(struct plan *p)
{
	struct group *g;
	uint32_t i;
	int ret = 0;

	for (i = 0; p->prune && i < p->have->groups.n && !ret; i++) {
		g = &conf_group_at(p->have, i)->group;
		if (conf_find_group(p->want, g->name))
			continue;
		strip_out(g);
		give_group(g);
		ret = add_step(p, SLUICE_CMD_GROUP_DEL, g, SLUICE_CMD_GROUP_NEW, g, "remove", "group", g->name);
	}
	return ret;
}

static int make_plan(struct plan *p)
{
	int ret = plan_groups(p);

	if (!ret)
		ret = plan_removals(p);
	if (!ret)
		ret = plan_listeners(p);
	return ret ? ret : plan_prune_groups(p);
}

/* The attributes that a command takes, out of what its object holds. */
static uint64_t attrs_of(uint8_t cmd)
{
	switch (cmd) {
	case SLUICE_CMD_LISTENER_DEL:
		return GIVEN(SLUICE_A_LISTENER_NAME);
	case SLUICE_CMD_GROUP_DEL:
		return GIVEN(SLUICE_A_GROUP_NAME);
	case SLUICE_CMD_LISTENER_SET:
		return GIVEN(SLUICE_A_LISTENER_NAME) | GIVEN(SLUICE_A_LISTENER_ACTION) |
		       GIVEN(SLUICE_A_LISTENER_GROUP) | GIVEN(SLUICE_A_LISTENER_REJECT_DATA) |
		       GIVEN(SLUICE_A_LISTENER_REJECT_COPY) | GIVEN(SLUICE_A_LISTENER_FRAMER_NAME);
	}
	return UINT64_MAX;
}

static int send_step(struct cli *c, uint8_t cmd, void *obj)
{
	uint64_t given;
	int ret;

	if (!cmd)
		return 0;
	given = *given_of(obj);
	*given_of(obj) &= attrs_of(cmd);
	if (cmd == SLUICE_CMD_LISTENER_NEW || cmd == SLUICE_CMD_LISTENER_DEL ||
	    (cmd == SLUICE_CMD_LISTENER_SET && is_given(obj, SLUICE_A_LISTENER_FRAMER_NAME)))
		ret = listener_send(c, cmd, obj);
	else
		ret = kernel_do(c, cmd, obj, NULL);
	*given_of(obj) = given;
	return ret;
}

static const struct step *step_at(const struct plan *p, uint32_t i)
{
	return (const struct step *)p->steps.items + i;
}

/* Take back the first @n steps, the last of them first. Return how many could not be. */
static uint32_t roll_back(struct plan *p, uint32_t n)
{
	const struct step *s;
	uint32_t failed = 0;

	while (n--) {
		s = step_at(p, n);
		if (send_step(p->c, s->undo_cmd, s->undo))
			failed++;
	}
	return failed;
}

static int carry_out(struct plan *p)
{
	char why[sizeof(p->c->err)];
	const struct step *s;
	uint32_t i, failed;
	int ret;

	for (i = 0; i < p->steps.n; i++) {
		s = step_at(p, i);
		ret = send_step(p->c, s->cmd, s->obj);
		if (ret)
			break;
	}
	if (i == p->steps.n)
		return 0;
	snprintf(why, sizeof(why), "%s", p->c->err);
	failed = roll_back(p, i);
	if (failed)
		return fail(p->c, ret, "%s: %s %s: %.700s. %u of the %u steps before it could NOT be undone: compare"
			    " with \"sluice show\"", p->want->file, s->kind, s->name, why, failed, i);
	return fail(p->c, ret, "%s: %s %s: %.800s. Everything is as it was before", p->want->file, s->kind, s->name, why);
}

static int report(struct plan *p, bool dry_run)
{
	json_object *js, *list, *one;
	const struct step *s;
	uint32_t i, n = 0;

	list = json_object_new_array();
	for (i = 0; i < p->steps.n; i++) {
		s = step_at(p, i);
		if (!s->op)
			continue;
		n++;
		if (!p->c->json && !p->c->dump)
			printf("%s %s %s\n", s->op, s->kind, s->name);
		one = json_object_new_object();
		json_object_object_add(one, "op", json_object_new_string(s->op));
		json_object_object_add(one, "kind", json_object_new_string(s->kind));
		json_object_object_add(one, "name", json_object_new_string(s->name));
		json_object_array_add(list, one);
	}
	if (!p->c->json) {
		json_object_put(list);
		if (!n && !p->c->dump)
			printf("nothing to change\n");
		else if (dry_run)
			printf("%u changes, none made: dry-run\n", n);
		return 0;
	}
	js = json_object_new_object();
	json_object_object_add(js, "dry_run", json_object_new_boolean(dry_run));
	json_object_object_add(js, "changes", list);
	return print_json(p->c, js);
}

static int apply(struct cli *c, const struct config *want, bool dry_run, bool prune)
{
	struct plan p = { .c = c, .want = want, .prune = prune };
	struct config have = { 0 };
	int ret = 0;

	p.have = &have;
	if (!c->dump)
		ret = config_read_kernel(c, &have);
	if (!ret)
		ret = make_plan(&p);
	if (!ret && !dry_run)
		ret = carry_out(&p);
	if (!ret)
		ret = report(&p, dry_run);
	free(p.steps.items);
	config_free(&have);
	return ret;
}

/* FILE [dry-run] [prune] */
int cmd_apply(struct cli *c, struct args *a)
{
	bool dry_run = false, prune = false;
	struct config want = { 0 };
	const char *path;
	int ret = args_need(c, a, "a file, or -", &path);

	if (ret)
		return ret;
	for (;;) {
		if (args_take(a, "dry-run") || args_take(a, "--dry-run"))
			dry_run = true;
		else if (args_take(a, "prune") || args_take(a, "--prune"))
			prune = true;
		else
			break;
	}
	ret = args_end(c, a);
	if (!ret)
		ret = config_read_file(c, path, &want);
	if (!ret)
		ret = apply(c, &want, dry_run, prune);
	config_free(&want);
	return ret;
}

/* The whole configuration, as apply reads it. */
int cmd_show(struct cli *c, struct args *a)
{
	struct config have = { 0 };
	int ret = args_end(c, a);

	if (!ret)
		ret = config_read_kernel(c, &have);
	if (!ret && c->json)
		ret = print_json(c, config_to_json(&have));
	else if (!ret)
		config_print(stdout, &have);
	config_free(&have);
	return ret;
}
