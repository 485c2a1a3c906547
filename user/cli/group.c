// SPDX-License-Identifier: GPL-2.0-only
/* sluice group: words of a group, and its commands. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "owner.h"

#define DEFAULT_BACKLOG		4096
#define DEFAULT_BACKLOG_BYTES	(16 << 20)
#define DEFAULT_HOLD_NS		1000000000
#define DEFAULT_STALL_NS	10000000000
#define DEFAULT_MAX_RINGS	64
#define NO_GID			UINT32_MAX

static int parse_steer(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_STEERING);
	return args_enum(c, a, "steering", steering_names, &g->steering);
}

static int parse_key_token(struct cli *c, struct args *a, struct group *g)
{
	int ret = args_u32(c, a, "offset", UINT32_MAX, &g->key_offset);

	if (!ret)
		ret = args_u32(c, a, "token number", 255, &g->key_index);
	if (ret)
		return ret;
	g->given |= GIVEN(SLUICE_A_GROUP_KEY_OFFSET) | GIVEN(SLUICE_A_GROUP_KEY_INDEX);
	if (args_peek(a) && !parse_char(args_peek(a), &g->key_delim)) {
		g->given |= GIVEN(SLUICE_A_GROUP_KEY_DELIM);
		a->pos++;
	}
	return 0;
}

static int parse_key(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;
	int ret = args_enum(c, a, "key", key_names, &g->key);

	if (ret)
		return ret;
	g->given |= GIVEN(SLUICE_A_GROUP_KEY);
	if (g->key == SLUICE_KEY_KIND_TOKEN)
		return parse_key_token(c, a, g);
	if (g->key == SLUICE_KEY_KIND_FLOW)
		return 0;
	g->given |= GIVEN(SLUICE_A_GROUP_KEY_OFFSET) | GIVEN(SLUICE_A_GROUP_KEY_LEN);
	ret = args_u32(c, a, "offset", UINT32_MAX, &g->key_offset);
	if (!ret)
		ret = args_u32(c, a, "length", UINT32_MAX, &g->key_len);
	return ret;
}

static int parse_window(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_WINDOW);
	return args_u32(c, a, "number of requests", UINT32_MAX, &g->window);
}

static int parse_backlog(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_BACKLOG);
	return args_u32(c, a, "number of requests", SLUICE_BACKLOG_MAX, &g->backlog);
}

static int parse_backlog_bytes(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;
	const char *word;
	int ret = args_need(c, a, "a size", &word);

	if (ret)
		return ret;
	g->given |= GIVEN(SLUICE_A_GROUP_BACKLOG_BYTES);
	if (parse_size(word, &g->backlog_bytes))
		return fail_usage(c, "\"%s\" is no size: bytes, or 64K, 16M, 1GiB", word);
	return 0;
}

static int parse_no_consumer(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;
	uint64_t ns;
	int ret = args_enum(c, a, "policy", no_consumer_names, &g->no_consumer);

	if (ret)
		return ret;
	g->given |= GIVEN(SLUICE_A_GROUP_NO_CONSUMER);
	if (g->no_consumer != SLUICE_NO_CONSUMER_HOLD || !args_peek(a))
		return 0;
	if (!strchr("0123456789", args_peek(a)[0]))
		return 0;
	if (parse_ns(args_peek(a), &ns))
		return fail_usage(c, "\"%s\" is no time: write it as 500ms or 2s", args_peek(a));
	a->pos++;
	g->hold_ns = ns;
	g->given |= GIVEN(SLUICE_A_GROUP_HOLD_NS);
	return 0;
}

static int parse_crash(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_CRASH);
	return args_enum(c, a, "policy", crash_names, &g->crash);
}

/* USER, USER:GROUP, or :GROUP */
static int parse_owner(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;
	const char *word;
	char user[64], *colon;
	int ret = args_need(c, a, "USER:GROUP", &word);

	if (ret)
		return ret;
	if (strlen(word) >= sizeof(user))
		return fail_usage(c, "\"%s\" is too long for an owner", word);
	strcpy(user, word);
	colon = strchr(user, ':');
	if (colon)
		*colon++ = 0;
	if (user[0]) {
		if (owner_uid(user, &g->owner_uid))
			return fail_usage(c, "no user \"%s\" here: use a number", user);
		g->given |= GIVEN(SLUICE_A_GROUP_OWNER_UID);
	}
	if (!colon)
		return user[0] ? 0 : fail_usage(c, "the owner is empty");
	if (owner_gid(colon, &g->owner_gid))
		return fail_usage(c, "no group of users \"%s\" here: use a number", colon);
	g->given |= GIVEN(SLUICE_A_GROUP_OWNER_GID);
	return 0;
}

static int parse_max_rings(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_MAX_RINGS);
	return args_u32(c, a, "number of rings", 256, &g->max_rings);
}

static int parse_target(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_TARGET_NS);
	return args_time(c, a, &g->target_ns);
}

static int parse_interval(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_INTERVAL_NS);
	return args_time(c, a, &g->interval_ns);
}

static int parse_stall(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_STALL_NS);
	return args_time(c, a, &g->stall_ns);
}

static int parse_order(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;

	g->given |= GIVEN(SLUICE_A_GROUP_ORDER);
	return args_enum(c, a, "order", order_names, &g->order);
}

static int parse_class_option(struct cli *c, struct args *a, struct class_conf *k, bool *more)
{
	const char *word = args_peek(a);

	*more = true;
	if (word && !strcmp(word, "target")) {
		a->pos++;
		k->given |= GIVEN(SLUICE_A_CLASS_TARGET_NS);
		return args_time(c, a, &k->target_ns);
	}
	if (word && !strcmp(word, "interval")) {
		a->pos++;
		k->given |= GIVEN(SLUICE_A_CLASS_INTERVAL_NS);
		return args_time(c, a, &k->interval_ns);
	}
	if (word && !strcmp(word, "cap")) {
		a->pos++;
		k->given |= GIVEN(SLUICE_A_CLASS_CAP);
		return args_u32(c, a, "number of rings", 256, &k->cap);
	}
	if (word && !strcmp(word, "shed")) {
		a->pos++;
		k->given |= GIVEN(SLUICE_A_CLASS_SHED);
		return args_u32(c, a, "place in the shed order", 255, &k->shed);
	}
	*more = false;
	return 0;
}

/* NAME and what differs for it, up to the first word that is no option of a class. */
static int parse_class(struct cli *c, struct args *a, void *obj)
{
	struct group *g = obj;
	struct class_conf *k = vec_add(&g->class_confs, sizeof(*k));
	bool more = true;
	int ret;

	if (!k)
		return fail_memory(c);
	g->given |= GIVEN(SLUICE_A_GROUP_CLASS_CONF);
	k->given = GIVEN(SLUICE_A_CLASS_NAME);
	ret = args_name(c, a, "a class", k->name);
	while (!ret && more)
		ret = parse_class_option(c, a, k, &more);
	return ret;
}

const struct keyword group_options[] = {
	{ "steer", "hash|cpu|rr|least|fifo|typed", "which ring a request goes to (hash)", parse_steer },
	{ "key", "flow|bytes OFFSET LENGTH|token OFFSET N [DELIM]",
	  "what hash steering hashes (flow); token N, from 0, after OFFSET, cut at DELIM (a space)", parse_key },
	{ "window", "N", "requests published and unanswered per ring; 0: what keeps its consumer busy (0)", parse_window },
	{ "backlog", "N", "requests the kernel may keep waiting (4096)", parse_backlog },
	{ "backlog-bytes", "SIZE", "memory they may hold (16M)", parse_backlog_bytes },
	{ "no-consumer", "hold [TIME]|reject|pass", "what happens while no ring is attached (hold 1s)",
	  parse_no_consumer },
	{ "crash", "requeue|reissue|reject", "what happens to unanswered requests of a ring that goes away (requeue)",
	  parse_crash },
	{ "owner", "USER[:GROUP]", "who may set up rings (0)", parse_owner },
	{ "max-rings", "N", "rings it may have (64)", parse_max_rings },
	{ "stall", "TIME", "a consumer without a sign of life for so long is passed over; 0: never (10s)", parse_stall },
	{ "target", "TIME", "waiting that may become a habit; 0: derived, 50ms or more (0)", parse_target },
	{ "interval", "TIME", "time in which it counts as one; 0: ten times the target (0)", parse_interval },
	{ "order", "lifo|fifo", "who is served next under overload (lifo)", parse_order },
	{ "class", "NAME [target TIME] [interval TIME] [cap N] [shed N]",
	  "what differs for a class; cap: rings at once, with typed steering; shed: higher ones are refused first",
	  parse_class },
	{ NULL, NULL, NULL, NULL }
};

int group_parse(struct cli *c, struct args *a, struct group *g)
{
	int ret;

	memset(g, 0, sizeof(*g));
	g->given = GIVEN(SLUICE_A_GROUP_NAME);
	ret = args_name(c, a, "a group", g->name);
	return ret ? ret : args_options(c, a, group_options, g);
}

/* Values of what is not given; the key's parts that do not belong to its kind become 0, so that groups compare. */
void group_defaults(struct group *g)
{
	if (!is_given(g, SLUICE_A_GROUP_STEERING))
		g->steering = SLUICE_STEERING_HASH;
	if (!is_given(g, SLUICE_A_GROUP_KEY))
		g->key = SLUICE_KEY_KIND_FLOW;
	if (!is_given(g, SLUICE_A_GROUP_KEY_DELIM))
		g->key_delim = ' ';
	if (g->key == SLUICE_KEY_KIND_FLOW)
		g->key_offset = 0;
	if (g->key != SLUICE_KEY_KIND_BYTES)
		g->key_len = 0;
	if (g->key != SLUICE_KEY_KIND_TOKEN)
		g->key_index = g->key_delim = 0;
	if (!is_given(g, SLUICE_A_GROUP_BACKLOG))
		g->backlog = DEFAULT_BACKLOG;
	if (!is_given(g, SLUICE_A_GROUP_BACKLOG_BYTES))
		g->backlog_bytes = DEFAULT_BACKLOG_BYTES;
	if (!is_given(g, SLUICE_A_GROUP_HOLD_NS))
		g->hold_ns = DEFAULT_HOLD_NS;
	if (!is_given(g, SLUICE_A_GROUP_OWNER_GID))
		g->owner_gid = NO_GID;
	if (!is_given(g, SLUICE_A_GROUP_MAX_RINGS))
		g->max_rings = DEFAULT_MAX_RINGS;
	if (!is_given(g, SLUICE_A_GROUP_STALL_NS))
		g->stall_ns = DEFAULT_STALL_NS;
}

static void print_key(FILE *f, const struct group *g)
{
	char delim[8];

	format_char(delim, sizeof(delim), g->key_delim);
	if (g->key == SLUICE_KEY_KIND_BYTES)
		fprintf(f, " key bytes %u %u", g->key_offset, g->key_len);
	else if (g->key == SLUICE_KEY_KIND_TOKEN) {
		fprintf(f, " key token %u %u ", g->key_offset, g->key_index);
		print_word(f, delim);
	} else {
		fprintf(f, " key flow");
	}
}

/* What is not 0; kernel and file say it in the same way. */
static void print_classes(FILE *f, const struct group *g)
{
	char time[32];
	uint32_t i;

	for (i = 0; i < g->class_confs.n; i++) {
		const struct class_conf *k = (struct class_conf *)g->class_confs.items + i;

		fprintf(f, " class %s", k->name);
		format_ns(time, sizeof(time), k->target_ns);
		if (k->target_ns)
			fprintf(f, " target %s", time);
		format_ns(time, sizeof(time), k->interval_ns);
		if (k->interval_ns)
			fprintf(f, " interval %s", time);
		if (k->cap)
			fprintf(f, " cap %u", k->cap);
		if (k->shed)
			fprintf(f, " shed %u", k->shed);
	}
}

static void print_state(FILE *f, const struct group *g)
{
	char size[32];
	uint32_t i;

	format_size(size, sizeof(size), g->waiting_bytes);
	fprintf(f, "\t# id %u, %u rings, %u waiting (%s)", g->id, g->rings, g->waiting, size);
	for (i = 0; i < g->classes.n; i++)
		fprintf(f, "%s%s", i ? " " : "; classes ", (char *)g->classes.items + (size_t)i * NAME_LEN);
	fputc('\n', f);
}

/* One line, as a file for "sluice apply" has it; @state: a second with what the kernel reports. */
void group_print(FILE *f, const struct group *g, bool state)
{
	char size[32], hold[32];

	format_size(size, sizeof(size), g->backlog_bytes);
	format_ns(hold, sizeof(hold), g->hold_ns);
	fprintf(f, "group %s steer %s", g->name, name_of(steering_names, g->steering));
	print_key(f, g);
	fprintf(f, " window %u backlog %u backlog-bytes %s no-consumer %s", g->window, g->backlog, size,
		name_of(no_consumer_names, g->no_consumer));
	if (g->no_consumer == SLUICE_NO_CONSUMER_HOLD)
		fprintf(f, " %s", hold);
	fprintf(f, " crash %s owner %u", name_of(crash_names, g->crash), g->owner_uid);
	if (is_given(g, SLUICE_A_GROUP_OWNER_GID) && g->owner_gid != NO_GID)
		fprintf(f, ":%u", g->owner_gid);
	fprintf(f, " max-rings %u", g->max_rings);
	format_ns(hold, sizeof(hold), g->stall_ns);
	fprintf(f, " stall %s", hold);
	format_ns(hold, sizeof(hold), g->target_ns);
	if (g->target_ns)
		fprintf(f, " target %s", hold);
	format_ns(hold, sizeof(hold), g->interval_ns);
	if (g->interval_ns)
		fprintf(f, " interval %s", hold);
	fprintf(f, " order %s", name_of(order_names, g->order));
	print_classes(f, g);
	fputc('\n', f);
	if (state)
		print_state(f, g);
}

static int group_add(struct cli *c, struct args *a)
{
	struct group g;
	int ret = group_parse(c, a, &g);

	if (!ret)
		ret = kernel_do(c, SLUICE_CMD_GROUP_NEW, &g, NULL);
	obj_free(&set_group, &g);
	return ret;
}

static int group_set(struct cli *c, struct args *a)
{
	struct group g;
	int ret = group_parse(c, a, &g);

	if (!ret && g.given == GIVEN(SLUICE_A_GROUP_NAME))
		ret = fail_usage(c, "nothing to change was given");
	if (!ret)
		ret = kernel_do(c, SLUICE_CMD_GROUP_SET, &g, NULL);
	obj_free(&set_group, &g);
	return ret;
}

static int group_del(struct cli *c, struct args *a)
{
	struct group g = { .given = GIVEN(SLUICE_A_GROUP_NAME) };
	int ret = args_name(c, a, "a group", g.name);

	if (!ret)
		ret = args_end(c, a);
	return ret ? ret : kernel_do(c, SLUICE_CMD_GROUP_DEL, &g, NULL);
}

static int show_groups(struct cli *c, const struct objects *o)
{
	json_object *list;
	uint32_t i;

	if (!c->json) {
		for (i = 0; i < o->items.n; i++)
			group_print(stdout, (struct group *)o->items.items + i, true);
		return 0;
	}
	list = json_object_new_array();
	for (i = 0; i < o->items.n; i++)
		json_object_array_add(list, obj_to_json(&set_group, (struct group *)o->items.items + i));
	return print_json(c, list);
}

static int group_show(struct cli *c, struct args *a)
{
	struct group want = { .given = GIVEN(SLUICE_A_GROUP_NAME) }, *g;
	struct objects o = { .set = &set_group };
	int ret = 0;

	if (args_peek(a)) {
		ret = args_name(c, a, "a group", want.name);
		if (!ret)
			ret = args_end(c, a);
		g = ret ? NULL : vec_add(&o.items, sizeof(*g));
		if (g)
			ret = kernel_do(c, SLUICE_CMD_GROUP_GET, &want, g);
	} else {
		ret = kernel_dump(c, SLUICE_CMD_GROUP_GET, NULL, &o);
	}
	if (!ret && !c->dump)
		ret = show_groups(c, &o);
	objects_free(&o);
	return ret;
}

const struct command group_commands[] = {
	{ "add", "NAME", "make a group of rings that serve the same requests", group_add, NULL, group_options },
	{ "set", "NAME", "change what is given, keep the rest", group_set, NULL, group_options },
	{ "del", "NAME", "remove it; refused while rules, listeners or rings refer to it", group_del, NULL, NULL },
	{ "show", "[NAME]", "list them with their settings", group_show, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};
