// SPDX-License-Identifier: GPL-2.0-only
/* sluice conn: the open connections of TCP listeners, and ending one. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"

static void print_end(const struct addr *addr, uint16_t port)
{
	char buf[64];

	format_addr(buf, sizeof(buf), addr);
	printf(addr->len == 16 ? " [%s]:%u" : " %s:%u", buf, port);
}

static void print_conn(const struct conn *n)
{
	char age[32], idle[32], queued[32];

	format_ns(age, sizeof(age), n->age_ns);
	format_ns(idle, sizeof(idle), n->idle_ns);
	format_size(queued, sizeof(queued), n->queued_bytes);
	printf("conn %" PRIu64 " listener %s state %s peer", n->id, n->listener,
	       name_of(conn_state_names, n->state));
	print_end(&n->peer, n->peer_port);
	printf(" local");
	print_end(&n->addr, n->port);
	printf("%s\n\t" "age %s idle %s requests %" PRIu64 " in-flight %u queued %s received %" PRIu64 " sent %" PRIu64
	       "\n", n->adopted ? " adopted" : "", age, idle, n->requests, n->in_flight, queued, n->received_bytes, n->sent_bytes);
}

static int conn_show(struct cli *c, struct args *a)
{
	struct objects o = { .set = &set_conn };
	struct conn filter = { 0 };
	json_object *list;
	uint32_t i;
	int ret = 0;

	args_take(a, "listener");
	if (args_peek(a)) {
		filter.given = GIVEN(SLUICE_A_CONN_LISTENER);
		ret = args_name(c, a, "a listener", filter.listener);
	}
	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = kernel_dump(c, SLUICE_CMD_CONN_GET, &filter, &o);
	if (ret || c->dump)
		return ret;
	list = c->json ? json_object_new_array() : NULL;
	for (i = 0; i < o.items.n; i++) {
		if (list)
			json_object_array_add(list, obj_to_json(&set_conn, (struct conn *)o.items.items + i));
		else
			print_conn((struct conn *)o.items.items + i);
	}
	objects_free(&o);
	return list ? print_json(c, list) : 0;
}

static int conn_adopt(struct cli *c, struct args *a)
{
	struct conn n = { .given = GIVEN(SLUICE_A_CONN_LISTENER) | GIVEN(SLUICE_A_CONN_SOCKET_FD) };
	int ret = args_name(c, a, "a listener", n.listener);

	if (!ret && !args_take(a, "fd"))
		ret = fail_usage(c, "the socket is given as fd N: one that this command has inherited");
	if (!ret)
		ret = args_u32(c, a, "file descriptor", INT32_MAX, &n.socket_fd);
	if (!ret)
		ret = args_end(c, a);
	return ret ? ret : kernel_do(c, SLUICE_CMD_CONN_NEW, &n, NULL);
}

static int conn_kill(struct cli *c, struct args *a)
{
	struct conn n = { .given = GIVEN(SLUICE_A_CONN_ID) };
	const char *word;
	int ret = args_need(c, a, "a connection's id", &word);

	if (!ret && parse_u64(word, UINT64_MAX, &n.id))
		ret = fail_usage(c, "\"%s\" is no id: see \"sluice conn show\"", word);
	if (!ret)
		ret = args_end(c, a);
	return ret ? ret : kernel_do(c, SLUICE_CMD_CONN_DEL, &n, NULL);
}

const struct command conn_commands[] = {
	{ "show", "[listener NAME]", "list open connections", conn_show, NULL, NULL },
	{ "adopt", "LISTENER fd N", "hand over an inherited, connected socket", conn_adopt, NULL, NULL },
	{ "kill", "ID", "reset one; its requests in flight are cancelled", conn_kill, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};
