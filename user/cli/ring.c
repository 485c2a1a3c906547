// SPDX-License-Identifier: GPL-2.0-only
/* sluice ring: what consumers have mapped, draining and removing it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"

static void print_bits(const char *const *names, uint32_t bits)
{
	const char *sep = "";
	uint32_t i;

	for (i = 0; names[i]; i++) {
		if (!(bits & (1U << i)))
			continue;
		printf("%s%s", sep, names[i]);
		sep = ",";
	}
	if (!*sep)
		printf("idle");
}

static void print_ring(const struct ring *r)
{
	char memory[32], oldest[32];

	format_size(memory, sizeof(memory), r->memory);
	format_ns(oldest, sizeof(oldest), r->oldest_ns);
	printf("ring %u group %s state ", r->id, r->group);
	print_bits(set_ring.attrs[SLUICE_A_RING_STATE].names, r->state);
	printf(" tx ");
	print_bits(set_ring.attrs[SLUICE_A_RING_TX].names, r->tx);
	printf(" pid %u (%s) slots %u memory %s\n", r->pid, r->comm, r->slots, memory);
	printf("\tused %u waiting %u oldest %s bad-responses %" PRIu64 " wakeups %" PRIu64 " kicks %" PRIu64 "\n",
	       r->used, r->waiting, oldest, r->bad_responses, r->wakeups, r->kicks);
}

static int ring_show(struct cli *c, struct args *a)
{
	struct ring filter = { 0 };
	json_object *list;
	struct objects o;
	uint32_t i;
	int ret = 0;

	args_take(a, "group");
	if (args_peek(a)) {
		filter.given = GIVEN(SLUICE_A_RING_GROUP);
		ret = args_name(c, a, "a group", filter.group);
	}
	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = kernel_dump(c, SLUICE_CMD_RING_GET, &filter, &o);
	if (ret || c->dump)
		return ret;
	list = c->json ? json_object_new_array() : NULL;
	for (i = 0; i < o.items.n; i++) {
		if (list)
			json_object_array_add(list, obj_to_json(&set_ring, (struct ring *)o.items.items + i));
		else
			print_ring((struct ring *)o.items.items + i);
	}
	objects_free(&o);
	return list ? print_json(c, list) : 0;
}

static int parse_drain(struct cli *c, struct args *a, void *obj)
{
	static const char *const switches[] = { "off", "on", NULL };
	struct ring *r = obj;
	uint32_t on;
	int ret = args_enum(c, a, "switch", switches, &on);

	r->state = on ? SLUICE_STATE_DRAINING : 0;
	r->given |= GIVEN(SLUICE_A_RING_STATE);
	return ret;
}

static const struct keyword ring_options[] = {
	{ "drain", "on|off", "give it no new requests; answers are still taken", parse_drain },
	{ NULL, NULL, NULL, NULL }
};

static int ring_set(struct cli *c, struct args *a)
{
	struct ring r = { .given = GIVEN(SLUICE_A_RING_ID) };
	int ret = args_u32(c, a, "ring number", UINT32_MAX, &r.id);

	if (!ret)
		ret = args_options(c, a, ring_options, &r);
	if (!ret && !is_given(&r, SLUICE_A_RING_STATE))
		ret = fail_usage(c, "nothing to change was given: drain on or drain off");
	return ret ? ret : kernel_do(c, SLUICE_CMD_RING_SET, &r, NULL);
}

static int ring_del(struct cli *c, struct args *a)
{
	struct ring r = { .given = GIVEN(SLUICE_A_RING_ID) };
	int ret = args_u32(c, a, "ring number", UINT32_MAX, &r.id);

	if (!ret)
		ret = args_end(c, a);
	return ret ? ret : kernel_do(c, SLUICE_CMD_RING_DEL, &r, NULL);
}

const struct command ring_commands[] = {
	{ "show", "[group NAME]", "list rings with their state and consumer", ring_show, NULL, NULL },
	{ "set", "ID", "drain a ring, or let it take requests again", ring_set, NULL, ring_options },
	{ "del", "ID", "detach it; unanswered requests follow the group's crash policy", ring_del, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};
