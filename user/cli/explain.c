// SPDX-License-Identifier: GPL-2.0-only
/* sluice explain: the kernel says which rule takes a message; here it is shown which of its bytes each match saw. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "core/classify.h"
#include "core/token.h"

/* Where in the message a match looks, and whether it holds. */
struct finding {
	bool holds;
	uint32_t offset, len;
};

static void token_place(const struct match *m, const struct sluice_msg *msg, struct finding *f)
{
	uint32_t limit = msg->len < SLUICE_DEPTH_MAX ? msg->len : SLUICE_DEPTH_MAX, i;
	struct sluice_cursor cursor;
	int len = -1;

	sluice_cursor_init(&cursor, m->offset, limit);
	for (i = 0; i <= m->index; i++) {
		len = sluice_cursor_next(&cursor, msg->data, limit, limit == msg->len, m->delim, &f->offset);
		if (len < 0)
			return;
	}
	f->len = len;
}

/* The kernel's own definition of each match decides; only the form of a match is another. */
static bool holds(const struct match *m, const struct sluice_msg *msg)
{
	struct sluice_word words[SLUICE_WORDS_MAX] = { 0 };
	const struct blob *b = m->words.items;
	struct sluice_match core = { 0 };
	uint32_t i;

	for (i = 0; i < m->words.n && i < SLUICE_WORDS_MAX; i++) {
		words[i].len = b[i].len < SLUICE_WORD_LEN_MAX ? b[i].len : SLUICE_WORD_LEN_MAX;
		memcpy(words[i].bytes, b[i].data, words[i].len);
	}
	switch (m->kind) {
	case SLUICE_MATCH_KIND_SRC:
		core.type = SLUICE_MATCH_SRC;
		core.src.family = m->addr.len == 4 ? 4 : 6;
		core.src.prefix = m->prefix;
		memcpy(core.src.addr, m->addr.bytes, m->addr.len);
		break;
	case SLUICE_MATCH_KIND_LENGTH:
		core.type = SLUICE_MATCH_LENGTH;
		core.length.min = m->min;
		core.length.max = m->max;
		break;
	case SLUICE_MATCH_KIND_BYTES:
		core.type = SLUICE_MATCH_BYTES;
		core.bytes.offset = m->offset;
		core.bytes.width = m->width;
		core.bytes.mask = m->mask;
		core.bytes.value = m->value;
		break;
	case SLUICE_MATCH_KIND_TEXT:
		core.type = SLUICE_MATCH_TEXT;
		core.text.offset = m->offset;
		core.text.len = words[0].len;
		memcpy(core.text.bytes, words[0].bytes, words[0].len);
		break;
	case SLUICE_MATCH_KIND_TOKEN:
		core.type = SLUICE_MATCH_TOKEN;
		core.token.token.offset = m->offset;
		core.token.token.index = m->index;
		core.token.token.delim = m->delim;
		core.token.nwords = i;
		core.token.words = words;
		break;
	default:
		return false;
	}
	return sluice_match_one(&core, msg);
}

static struct finding look(const struct match *m, const struct sluice_msg *msg)
{
	struct finding f = { .holds = holds(m, msg) };
	const struct blob *b = m->words.items;

	switch (m->kind) {
	case SLUICE_MATCH_KIND_BYTES:
		f.offset = m->offset;
		f.len = m->width;
		break;
	case SLUICE_MATCH_KIND_TEXT:
		f.offset = m->offset;
		f.len = m->words.n ? b[0].len : 0;
		break;
	case SLUICE_MATCH_KIND_TOKEN:
		token_place(m, msg, &f);
		break;
	}
	if (f.offset >= msg->len)
		f.len = 0;
	else if (f.len > msg->len - f.offset)
		f.len = msg->len - f.offset;
	return f;
}

static char *bytes_at(const struct sluice_msg *msg, const struct finding *f)
{
	struct blob b = { .data = (uint8_t *)msg->data + f->offset, .len = f->len };

	return format_bytes(&b, NULL);
}

static void print_finding(const struct match *m, const struct sluice_msg *msg, const struct addr *from)
{
	struct finding f = look(m, msg);
	char addr[64];
	char *bytes;

	printf("    ");
	match_print(stdout, m);
	printf("  %s: ", f.holds ? "holds" : "does not hold");
	if (m->kind == SLUICE_MATCH_KIND_SRC) {
		format_addr(addr, sizeof(addr), from);
		printf("%s\n", from->len ? addr : "no sender was given (from ADDRESS)");
	} else if (m->kind == SLUICE_MATCH_KIND_LENGTH) {
		printf("%u bytes\n", msg->len);
	} else if (!f.len) {
		printf("the message has nothing there\n");
	} else {
		bytes = bytes_at(msg, &f);
		printf("bytes %u to %u are \"%s\"\n", f.offset, f.offset + f.len - 1, bytes ? bytes : "");
		free(bytes);
	}
}

static void print_matches(const struct rule *r, const struct sluice_msg *msg, const struct addr *from)
{
	uint32_t i;

	printf("  ");
	rule_print(stdout, r);
	putchar('\n');
	for (i = 0; i < r->matches.n; i++)
		print_finding(rule_match(r, i), msg, from);
	if (!r->matches.n)
		printf("    takes everything\n");
}

static json_object *rule_findings(const struct rule *r, const struct sluice_msg *msg)
{
	json_object *list = json_object_new_array(), *one;
	struct finding f;
	char *bytes;
	uint32_t i;

	for (i = 0; i < r->matches.n; i++) {
		f = look(rule_match(r, i), msg);
		one = json_object_new_object();
		json_object_object_add(one, "match", obj_to_json(&set_match, rule_match(r, i)));
		json_object_object_add(one, "holds", json_object_new_boolean(f.holds));
		if (f.len) {
			bytes = bytes_at(msg, &f);
			json_object_object_add(one, "offset", json_object_new_uint64(f.offset));
			json_object_object_add(one, "bytes", json_object_new_string(bytes ? bytes : ""));
			free(bytes);
		}
		json_object_array_add(list, one);
	}
	return list;
}

static int by_order(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;

	if ((*x)->order != (*y)->order)
		return (*x)->order < (*y)->order ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* The rules that were looked at before the one that took the message, in their order. */
static int show_passed_over(struct cli *c, const struct explain *e, const struct sluice_msg *msg,
			    const struct addr *from, json_object *list)
{
	uint32_t taker = e->rule.n ? ((struct rule *)e->rule.items)->id : 0, i;
	const struct rule **order;
	struct rules rs;
	int ret = kernel_rules(c, e->listener, &rs);

	if (ret)
		return ret;
	order = calloc(rs.rules.n + 1, sizeof(*order));
	for (i = 0; order && i < rs.rules.n; i++)
		order[i] = rules_at(&rs, i);
	if (order)
		qsort(order, rs.rules.n, sizeof(*order), by_order);
	if (order && !list && rs.rules.n && (!taker || order[0]->id != taker))
		printf("not taken by, in this order\n");
	for (i = 0; order && i < rs.rules.n && order[i]->id != taker; i++) {
		if (!list) {
			print_matches(order[i], msg, from);
			continue;
		}
		json_object *one = json_object_new_object();

		json_object_object_add(one, "id", json_object_new_uint64(order[i]->id));
		json_object_object_add(one, "matches", rule_findings(order[i], msg));
		json_object_array_add(list, one);
	}
	ret = order ? 0 : fail_memory(c);
	free(order);
	obj_free(&set_rules, &rs);
	return ret;
}

static void print_verdict(const struct explain *e, const struct sluice_msg *msg, const struct addr *from)
{
	struct rule *r = e->rule.n ? e->rule.items : NULL;

	printf("listener %s, rules of generation %u\n", e->listener, e->generation);
	if (is_given(e, SLUICE_A_EXPLAIN_VERDICT))
		printf("the classifier says 0x%08x%s\n", e->verdict, e->bad ? ": impossible, the rules decide" :
		       e->verdict & SLUICE_VERDICT_RULE ? "" : ": the rules decide");
	if (r) {
		printf("taken by\n");
		print_matches(r, msg, from);
	} else {
		printf("taken by no rule: the listener's default applies\n");
	}
	printf("action %s", name_of(action_names, e->action));
	if (e->action == SLUICE_ACTION_GROUP)
		printf(" %s class %s", e->group, e->class);
	putchar('\n');
	if (is_given(e, SLUICE_A_EXPLAIN_HASH))
		printf("hash of the key 0x%08x\n", e->hash);
	else if (e->action == SLUICE_ACTION_GROUP)
		printf("the message has no key of its group: its flow is hashed\n");
	if (is_given(e, SLUICE_A_EXPLAIN_RING))
		printf("ring %u\n", e->ring);
}

static int show(struct cli *c, struct explain *e, const struct sluice_msg *msg, const struct addr *from, bool all)
{
	json_object *js, *list;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < e->rule.n; i++)
		rule_defaults((struct rule *)e->rule.items + i);
	if (!c->json) {
		print_verdict(e, msg, from);
		return all ? show_passed_over(c, e, msg, from, NULL) : 0;
	}
	js = obj_to_json(&set_explain, e);
	json_object_object_del(js, "message");
	if (e->rule.n)
		json_object_object_add(js, "matches", rule_findings(e->rule.items, msg));
	if (all) {
		list = json_object_new_array();
		json_object_object_add(js, "passed_over", list);
		ret = show_passed_over(c, e, msg, from, list);
	}
	if (!ret)
		return print_json(c, js);
	json_object_put(js);
	return ret;
}

static int read_message(struct cli *c, const char *path, struct blob *b)
{
	FILE *f = fopen(path, "re");
	uint8_t *data;
	size_t n;

	if (!f)
		return fail(c, -errno, "cannot read %s: %s", path, strerror(errno));
	data = malloc(SLUICE_MESSAGE_MAX + 1);
	n = data ? fread(data, 1, SLUICE_MESSAGE_MAX + 1, f) : 0;
	fclose(f);
	if (!data)
		return fail_memory(c);
	b->data = data;
	b->len = n;
	return 0;
}

static int parse_message(struct cli *c, const char *word, struct blob *b)
{
	int ret = 0;

	if (!strncmp(word, "file:", 5))
		ret = read_message(c, word + 5, b);
	else if (parse_bytes(word, b))
		return fail_usage(c, "\"%s\" is no message: hex:0102..., text:..., or file:PATH", word);
	if (!ret && b->len > SLUICE_MESSAGE_MAX)
		return fail_usage(c, "the message has more than %u bytes", SLUICE_MESSAGE_MAX);
	return ret;
}

static int parse_from(struct cli *c, struct args *a, struct addr *from)
{
	const char *word;
	uint16_t port;
	int ret = args_need(c, a, "the sender's address", &word);

	if (ret)
		return ret;
	if (parse_addr(word, from) && parse_addr_port(word, from, &port))
		return fail_usage(c, "\"%s\" is no address", word);
	return 0;
}

/* LISTENER MESSAGE [from ADDRESS] [all] */
int cmd_explain(struct cli *c, struct args *a)
{
	struct explain ask = { .given = GIVEN(SLUICE_A_EXPLAIN_LISTENER) | GIVEN(SLUICE_A_EXPLAIN_MESSAGE) };
	struct explain answer = { 0 };
	struct sluice_msg msg = { 0 };
	const char *word;
	bool all = false;
	int ret = args_name(c, a, "a listener", ask.listener);

	if (!ret)
		ret = args_need(c, a, "a message: hex:..., text:... or file:PATH", &word);
	if (!ret)
		ret = parse_message(c, word, &ask.message);
	while (!ret && args_peek(a)) {
		if (args_take(a, "from")) {
			ret = parse_from(c, a, &ask.addr);
			ask.given |= GIVEN(SLUICE_A_EXPLAIN_ADDR);
		} else if (args_take(a, "all")) {
			all = true;
		} else {
			ret = args_end(c, a);
		}
	}
	if (!ret)
		ret = kernel_do(c, SLUICE_CMD_EXPLAIN, &ask, &answer);
	if (!ret && !c->dump) {
		msg.data = ask.message.data;
		msg.len = msg.avail = ask.message.len;
		msg.family = ask.addr.len == 4 ? 4 : ask.addr.len ? 6 : 0;
		memcpy(msg.saddr, ask.addr.bytes, ask.addr.len);
		strcpy(answer.listener, ask.listener);
		answer.given |= GIVEN(SLUICE_A_EXPLAIN_LISTENER);
		ret = show(c, &answer, &msg, &ask.addr, all);
	}
	obj_free(&set_explain, &ask);
	obj_free(&set_explain, &answer);
	return ret;
}
