// SPDX-License-Identifier: GPL-2.0-only
/* sluice ring: what consumers have mapped, draining and removing it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

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

/* How many requests ring @id has, or waits for it; @there: false once it is gone. */
static int ring_left(struct cli *c, uint32_t id, uint64_t *left, struct ring *now, bool *there)
{
	struct ring filter = { 0 };
	struct objects o;
	uint32_t i;
	int ret = kernel_dump(c, SLUICE_CMD_RING_GET, &filter, &o);

	if (ret || c->dump)
		return ret;
	*left = 0;
	*there = false;
	for (i = 0; i < o.items.n; i++) {
		const struct ring *r = (struct ring *)o.items.items + i;

		if (r->id != id || r->state & SLUICE_STATE_GONE)
			continue;
		*now = *r;
		*there = true;
		*left = (uint64_t)r->used + r->waiting;
	}
	objects_free(&o);
	return 0;
}

static void say_left(struct cli *c, const struct ring *r, uint64_t left)
{
	char oldest[32];

	if (c->json)
		return;
	format_ns(oldest, sizeof(oldest), r->oldest_ns);
	printf("ring %u draining: %" PRIu64 " unanswered, the oldest for %s\n", r->id, left, oldest);
	fflush(stdout);
}

static int ring_wait(struct cli *c, uint32_t id, uint64_t timeout)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000000L };
	uint64_t begun = monotonic_ns(), said = 0, left, now;
	struct ring r = { .id = id };
	bool there;
	int ret;

	for (;;) {
		ret = ring_left(c, id, &left, &r, &there);
		if (ret || c->dump)
			return ret;
		if (!left)
			break;
		now = monotonic_ns();
		if (now - begun >= timeout)
			return fail(c, ETIMEDOUT, "ring %u has %" PRIu64 " unanswered requests left and goes on draining: "
				    "wait again, resume it with \"sluice ring set %u drain off\", or \"sluice ring del %u\" it",
				    id, left, id, id);
		if (!said || now - said >= 1000000000) {
			say_left(c, &r, left);
			said = now;
		}
		nanosleep(&pause, NULL);
	}
	if (!c->json)
		printf("ring %u drained%s\n", id, there ? "" : ", its consumer has left it");
	return 0;
}

static int ring_drain(struct cli *c, struct args *a)
{
	struct ring r = { .state = SLUICE_STATE_DRAINING };
	uint64_t timeout = UINT64_MAX;
	int ret = args_u32(c, a, "ring number", UINT32_MAX, &r.id);

	r.given = GIVEN(SLUICE_A_RING_ID) | GIVEN(SLUICE_A_RING_STATE);
	if (!ret && args_take(a, "timeout"))
		ret = args_time(c, a, &timeout);
	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = kernel_do(c, SLUICE_CMD_RING_SET, &r, NULL);
	return ret || c->dump ? ret : ring_wait(c, r.id, timeout);
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
	{ "drain", "ID [timeout TIME]", "drain it, and say each second how many requests are left until none is",
	  ring_drain, NULL, NULL },
	{ "del", "ID", "detach it; unanswered requests follow the group's crash policy", ring_del, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};
