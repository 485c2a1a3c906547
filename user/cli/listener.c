// SPDX-License-Identifier: GPL-2.0-only
/* sluice listener: words of a listener, and its commands. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "cli.h"
#include "listener_tcp.h"
#include "xdp.h"

static int parse_dev(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;
	const char *word;
	int ret = args_need(c, a, "a device", &word);

	if (ret)
		return ret;
	l->ifindex = if_nametoindex(word);
	if (!l->ifindex)
		return fail(c, -ENODEV, "no device \"%s\" in this network namespace: see \"ip link\"", word);
	l->given |= GIVEN(SLUICE_A_LISTENER_IFINDEX);
	return 0;
}

static int parse_v6only(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;

	(void)c;
	(void)a;
	l->v6only = true;
	l->given |= GIVEN(SLUICE_A_LISTENER_V6ONLY);
	return 0;
}

static int parse_gro(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;

	(void)c;
	(void)a;
	l->gro = true;
	l->given |= GIVEN(SLUICE_A_LISTENER_GRO);
	return 0;
}

static int parse_default(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;
	int ret = args_enum(c, a, "action", action_names, &l->action);

	if (ret)
		return ret;
	l->given |= GIVEN(SLUICE_A_LISTENER_ACTION);
	l->given &= ~GIVEN(SLUICE_A_LISTENER_GROUP);
	memset(l->group, 0, sizeof(l->group));
	if (l->action != SLUICE_ACTION_GROUP)
		return 0;
	l->given |= GIVEN(SLUICE_A_LISTENER_GROUP);
	return args_name(c, a, "a group", l->group);
}

static int parse_reply(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;
	const char *word;
	int ret = args_need(c, a, "hex:... or text:...", &word);

	if (ret)
		return ret;
	if (parse_bytes(word, &l->reject_data))
		return fail_usage(c, "\"%s\" is no reply: hex:0102..., or text with \\xHH for what is not printable",
				  word);
	if (l->reject_data.len > SLUICE_REJECT_MAX)
		return fail_usage(c, "the reply has %u bytes; the kernel takes %u", l->reject_data.len,
				  SLUICE_REJECT_MAX);
	l->given |= GIVEN(SLUICE_A_LISTENER_REJECT_DATA);
	return 0;
}

static int parse_copy(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;

	l->given |= GIVEN(SLUICE_A_LISTENER_REJECT_COPY);
	return args_u32(c, a, "number of bytes", SLUICE_REJECT_MAX, &l->reject_copy);
}

/* Stays open until the kernel has the program. */
static struct bpf_object *classifier;

static int parse_classifier(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;
	const char *word;
	int ret = args_need(c, a, "an object file, or none", &word);

	if (ret)
		return ret;
	l->given |= GIVEN(SLUICE_A_LISTENER_CLASSIFIER_FD);
	l->classifier_fd = SLUICE_CLASSIFIER_NONE;
	if (!strcmp(word, "none"))
		return 0;
	if (classifier)
		return fail_usage(c, "a listener has one classifier");
	ret = bpf_load(c, word, &classifier);
	if (ret < 0)
		return ret;
	l->classifier_fd = ret;
	return 0;
}

#define SET_OPTIONS											\
	{ "default", "group NAME|reject|drop|pass", "what happens to messages that no rule takes (reject)",	\
	  parse_default },										\
	{ "reject-reply", "BYTES", "sent to the client of a rejected request; \"\": nothing", parse_reply },	\
	{ "copy", "N", "the reply's first N bytes are the request's first N", parse_copy },			\
	{ "classifier", "FILE|none", "a BPF program in FILE looks at each message before the rules do",	\
	  parse_classifier },										\
	{ NULL, NULL, NULL, NULL }

const struct keyword listener_options[] = {
	{ "dev", "DEVICE", "take what arrives on this device only", parse_dev },
	{ "v6only", NULL, "[::] takes no IPv4", parse_v6only },
	{ "gro", NULL, "udp: take datagrams that arrive in one buffer as they come", parse_gro },
	LISTENER_TCP_OPTIONS,
	SET_OPTIONS
};

const struct keyword listener_set_options[] = {
	{ "framing", "bpf PROGRAM", "another program cuts the messages", listener_parse_framer },
	SET_OPTIONS
};

static int parse_address(struct cli *c, struct args *a, struct listener *l)
{
	const char *word;
	int ret = args_need(c, a, "ADDRESS:PORT, fd N, or handed", &word);

	if (ret)
		return ret;
	if (!strcmp(word, "fd")) {
		l->given |= GIVEN(SLUICE_A_LISTENER_SOCKET_FD);
		return args_u32(c, a, "file descriptor", INT32_MAX, &l->socket_fd);
	}
	if (!strcmp(word, "handed")) {
		l->handed = true;
		l->given |= GIVEN(SLUICE_A_LISTENER_HANDED);
		return 0;
	}
	if (parse_addr_port(word, &l->addr, &l->port))
		return fail_usage(c, "\"%s\" is no address and port: 192.0.2.1:53, *:53, [::]:53, fd 3, or handed", word);
	l->given |= GIVEN(SLUICE_A_LISTENER_ADDR) | GIVEN(SLUICE_A_LISTENER_PORT);
	return 0;
}

/* xdp dev DEVICE: in front of the stack */
static int parse_xdp(struct cli *c, struct args *a, struct listener *l)
{
	if (!args_take(a, "xdp"))
		return 0;
	if (!args_take(a, "dev"))
		return fail_usage(c, "xdp needs its device: xdp dev DEVICE udp ADDRESS:PORT");
	l->xdp = true;
	l->given |= GIVEN(SLUICE_A_LISTENER_XDP);
	return parse_dev(c, a, l);
}

/* NAME [xdp dev DEVICE] udp|tcp ADDRESS:PORT [OPTIONS] */
int listener_parse(struct cli *c, struct args *a, struct listener *l)
{
	static const char *const transports[] = { "udp", "tcp", NULL };
	int ret;

	memset(l, 0, sizeof(*l));
	l->given = GIVEN(SLUICE_A_LISTENER_NAME) | GIVEN(SLUICE_A_LISTENER_TRANSPORT);
	ret = args_name(c, a, "a listener", l->name);
	if (!ret)
		ret = parse_xdp(c, a, l);
	if (!ret)
		ret = args_enum(c, a, "transport", transports, &l->transport);
	if (!ret)
		ret = parse_address(c, a, l);
	if (!ret)
		ret = args_options(c, a, listener_options, l);
	return ret;
}

void listener_defaults(struct listener *l)
{
	if (!is_given(l, SLUICE_A_LISTENER_ACTION))
		l->action = SLUICE_ACTION_REJECT;
	listener_tcp_defaults(l);
}

static void print_dev(FILE *f, const struct listener *l)
{
	char dev[IF_NAMESIZE];

	if (if_indextoname(l->ifindex, dev))
		fprintf(f, " dev %s", dev);
	else
		fprintf(f, " dev if%u", l->ifindex);
}

static void print_options(FILE *f, const struct listener *l)
{
	char *text;

	if (l->ifindex && !l->xdp)
		print_dev(f, l);
	if (l->v6only)
		fprintf(f, " v6only");
	if (l->gro)
		fprintf(f, " gro");
	listener_tcp_print(f, l);
	if (l->action == SLUICE_ACTION_GROUP)
		fprintf(f, " default group %s", l->group);
	else
		fprintf(f, " default %s", name_of(action_names, l->action));
	if (l->reject_data.len) {
		text = format_bytes(&l->reject_data, NULL);
		fprintf(f, " reject-reply \"%s\"", text ? text : "");
		free(text);
	}
	if (l->reject_copy)
		fprintf(f, " copy %u", l->reject_copy);
}

/* As a file for "sluice apply" has it, without the line's end. */
void listener_print(FILE *f, const struct listener *l)
{
	char addr[64];

	fprintf(f, "listener %s", l->name);
	if (l->xdp) {
		fprintf(f, " xdp");
		print_dev(f, l);
	}
	fprintf(f, l->transport == SLUICE_TRANSPORT_TCP ? " tcp " : " udp ");
	if (l->handed) {
		fprintf(f, "handed");
	} else if (is_given(l, SLUICE_A_LISTENER_SOCKET_FD)) {
		fprintf(f, "fd %u", l->socket_fd);
	} else {
		format_addr(addr, sizeof(addr), &l->addr);
		fprintf(f, l->addr.len == 16 ? "[%s]:%u" : "%s:%u", addr, l->port);
	}
	print_options(f, l);
}

static int listener_add(struct cli *c, struct args *a)
{
	struct listener l;
	int ret = listener_parse(c, a, &l);

	if (!ret)
		ret = listener_send(c, SLUICE_CMD_LISTENER_NEW, &l);
	obj_free(&set_listener, &l);
	return ret;
}

static int listener_set(struct cli *c, struct args *a)
{
	struct listener l = { .given = GIVEN(SLUICE_A_LISTENER_NAME) };
	int ret = args_name(c, a, "a listener", l.name);

	if (!ret && !args_peek(a))
		ret = fail_usage(c, "nothing to change was given: default, reject-reply or copy");
	if (!ret)
		ret = args_options(c, a, listener_set_options, &l);
	if (!ret)
		ret = listener_send(c, SLUICE_CMD_LISTENER_SET, &l);
	obj_free(&set_listener, &l);
	return ret;
}

static int listener_del(struct cli *c, struct args *a)
{
	struct listener l = { .given = GIVEN(SLUICE_A_LISTENER_NAME) };
	int ret = args_name(c, a, "a listener", l.name);

	if (!ret)
		ret = args_end(c, a);
	if (!ret)
		ret = listener_send(c, SLUICE_CMD_LISTENER_DEL, &l);
	return ret;
}

static const char *const pass_names[] = {
#define PASS_NAME(p, name, text) name,
	SLUICE_XDP_PASSES(PASS_NAME)
#undef PASS_NAME
};

static uint64_t xdp_passed(const struct listener *l, uint32_t i)
{
	uint64_t n = 0;

	if ((i + 1) * sizeof(n) <= l->xdp_passed.len)
		memcpy(&n, (const uint8_t *)l->xdp_passed.data + i * sizeof(n), sizeof(n));
	return n;
}

static void print_xdp(const struct listener *l)
{
	const char *before = "";
	uint32_t i;

	printf("\t# XDP %s; its device left to the stack: ", xdp_mode_names[xdp_mode_of(l->ifindex)]);
	for (i = 0; i < __SLUICE_XDP_PASS_MAX; i++) {
		if (!xdp_passed(l, i))
			continue;
		printf("%s%s %llu", before, pass_names[i], (unsigned long long)xdp_passed(l, i));
		before = ", ";
	}
	printf("%s\n", before[0] ? "" : "nothing");
}

static json_object *to_json(const struct listener *l)
{
	json_object *js = obj_to_json(&set_listener, l), *passed;
	char dev[IF_NAMESIZE];
	uint32_t i;

	if (l->ifindex && if_indextoname(l->ifindex, dev))
		json_object_object_add(js, "dev", json_object_new_string(dev));
	if (l->conn_counts.len)
		json_object_object_add(js, "conn-counts", listener_counts_to_json(l));
	if (!l->xdp)
		return js;
	json_object_object_add(js, "xdp-mode", json_object_new_string(xdp_mode_names[xdp_mode_of(l->ifindex)]));
	passed = json_object_new_object();
	for (i = 0; i < __SLUICE_XDP_PASS_MAX; i++)
		json_object_object_add(passed, pass_names[i], json_object_new_uint64(xdp_passed(l, i)));
	json_object_object_del(js, "xdp-passed");
	json_object_object_add(js, "xdp-passed", passed);
	return js;
}

static int show_listeners(struct cli *c, const struct objects *o)
{
	const struct listener *l;
	json_object *list;
	uint32_t i;

	for (i = 0; i < o->items.n && !c->json; i++) {
		l = (struct listener *)o->items.items + i;
		listener_print(stdout, l);
		printf("\n\t# id %u, %u rules, generation %u%s%s", l->id, l->rules, l->generation,
		       l->adopted ? ", adopted socket" : "", !l->closed ? "" : l->xdp ? ", its device is gone" : ", closed by its owner");
		if (l->transport == SLUICE_TRANSPORT_TCP)
			printf(", open connections %u", l->conns);
		listener_counts_print(stdout, l);
		printf("\n");
		if (l->framer_id)
			printf("\t# framer: BPF program %u\n", l->framer_id);
		if (l->classifier_id)
			printf("\t# classifier: BPF program %u\n", l->classifier_id);
		if (l->bad_verdicts)
			printf("\t# programs gave %llu impossible verdicts\n", (unsigned long long)l->bad_verdicts);
		if (l->untracked)
			printf("\t# %llu requests could not be found by their ids: see sluice-rule(8), request-id\n",
			       (unsigned long long)l->untracked);
		if (l->xdp)
			print_xdp(l);
	}
	if (!c->json)
		return 0;
	list = json_object_new_array();
	for (i = 0; i < o->items.n; i++)
		json_object_array_add(list, to_json((struct listener *)o->items.items + i));
	return print_json(c, list);
}

static int listener_show(struct cli *c, struct args *a)
{
	struct listener want = { .given = GIVEN(SLUICE_A_LISTENER_NAME) }, *l;
	struct objects o = { .set = &set_listener };
	int ret = 0;

	if (args_peek(a)) {
		ret = args_name(c, a, "a listener", want.name);
		if (!ret)
			ret = args_end(c, a);
		l = ret ? NULL : vec_add(&o.items, sizeof(*l));
		if (l)
			ret = kernel_do(c, SLUICE_CMD_LISTENER_GET, &want, l);
	} else {
		ret = kernel_dump(c, SLUICE_CMD_LISTENER_GET, NULL, &o);
	}
	if (!ret && !c->dump)
		ret = show_listeners(c, &o);
	objects_free(&o);
	return ret;
}

const struct command listener_commands[] = {
	{ "add", "NAME [xdp dev DEVICE] udp|tcp ADDRESS:PORT|handed|fd N",
	  "receive requests at an address, from an inherited socket, or in front of the stack",
	  listener_add, NULL, listener_options },
	{ "set", "NAME", "change what is given, keep the rest", listener_set, NULL, listener_set_options },
	{ "del", "NAME", "remove it; its requests in flight are cancelled", listener_del, NULL, NULL },
	{ "show", "[NAME]", "list them with their settings", listener_show, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};
