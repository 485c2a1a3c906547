// SPDX-License-Identifier: GPL-2.0-only
/* sluice cancel: ends the requests of a group, listener, peer or connection that are outstanding now. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"

static int parse_group(struct cli *c, struct args *a, void *obj)
{
	struct cancel *k = obj;

	k->given |= GIVEN(SLUICE_A_CANCEL_GROUP);
	return args_name(c, a, "a group", k->group);
}

static int parse_class(struct cli *c, struct args *a, void *obj)
{
	struct cancel *k = obj;

	k->given |= GIVEN(SLUICE_A_CANCEL_CLASS);
	return args_name(c, a, "a class", k->class);
}

static int parse_listener(struct cli *c, struct args *a, void *obj)
{
	struct cancel *k = obj;

	k->given |= GIVEN(SLUICE_A_CANCEL_LISTENER);
	return args_name(c, a, "a listener", k->listener);
}

/* ADDRESS or ADDRESS:PORT */
static int parse_peer(struct cli *c, struct args *a, void *obj)
{
	struct cancel *k = obj;
	const char *word;
	int ret = args_need(c, a, "ADDRESS[:PORT]", &word);

	if (ret)
		return ret;
	k->given |= GIVEN(SLUICE_A_CANCEL_PEER);
	if (!parse_addr(word, &k->peer))
		return 0;
	if (parse_addr_port(word, &k->peer, &k->peer_port))
		return fail_usage(c, "\"%s\" is no peer: 10.0.0.2, 10.0.0.2:4000, 2001:db8::2 or [2001:db8::2]:4000", word);
	k->given |= GIVEN(SLUICE_A_CANCEL_PEER_PORT);
	return 0;
}

static int parse_conn(struct cli *c, struct args *a, void *obj)
{
	struct cancel *k = obj;
	const char *word;
	int ret = args_need(c, a, "a connection's id", &word);

	if (ret)
		return ret;
	if (parse_u64(word, UINT64_MAX, &k->conn))
		return fail_usage(c, "\"%s\" is no id: see \"sluice conn show\"", word);
	k->given |= GIVEN(SLUICE_A_CANCEL_CONN);
	return 0;
}

const struct keyword cancel_options[] = {
	{ "group", "NAME", "those that wait for a group, or that its consumers have", parse_group },
	{ "class", "NAME", "of a class of the group", parse_class },
	{ "listener", "NAME", "that came by a listener", parse_listener },
	{ "peer", "ADDRESS[:PORT]", "that came from there", parse_peer },
	{ "conn", "ID", "that came by a connection", parse_conn },
	{ NULL, NULL, NULL, NULL }
};

int cmd_cancel(struct cli *c, struct args *a)
{
	struct cancel k = { 0 }, done = { 0 };
	int ret = args_options(c, a, cancel_options, &k);

	if (!ret && !k.given)
		ret = fail_usage(c, "say whose requests: group NAME, listener NAME, peer ADDRESS, conn ID");
	if (!ret)
		ret = kernel_do(c, SLUICE_CMD_CANCEL, &k, &done);
	if (ret || c->dump)
		return ret;
	if (c->json)
		return print_json(c, obj_to_json(&set_cancel, &done));
	printf("cancelled %" PRIu64 ": %" PRIu64 " waiting, %" PRIu64 " in the hands of consumers\n",
	       done.waiting + done.published, done.waiting, done.published);
	return 0;
}
