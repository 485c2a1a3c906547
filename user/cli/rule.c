// SPDX-License-Identifier: GPL-2.0-only
/* Words of a rule: its matches, its action; reading and printing them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static struct match *add_match(struct rule *r, uint32_t kind)
{
	struct match *m = vec_add(&r->matches, sizeof(*m));

	if (!m)
		return NULL;
	m->kind = kind;
	m->given = GIVEN(SLUICE_A_MATCH_KIND);
	r->given |= GIVEN(SLUICE_A_RULE_MATCH);
	return m;
}

/* ADDRESS[/BITS] */
static int parse_src(struct cli *c, struct args *a, void *obj)
{
	struct match *m = add_match(obj, SLUICE_MATCH_KIND_SRC);
	const char *word, *slash;
	uint64_t bits;
	char host[64];
	int ret;

	if (!m)
		return fail_memory(c);
	ret = args_need(c, a, "ADDRESS/BITS", &word);
	if (ret)
		return ret;
	slash = strchrnul(word, '/');
	if ((size_t)(slash - word) >= sizeof(host))
		return fail_usage(c, "\"%s\" is no address: 10.0.0.0/8 or 2001:db8::/32", word);
	memcpy(host, word, slash - word);
	host[slash - word] = 0;
	if (parse_addr(host, &m->addr))
		return fail_usage(c, "\"%s\" is no address: 10.0.0.0/8 or 2001:db8::/32", word);
	bits = 8ULL * m->addr.len;
	if (*slash && parse_u64(slash + 1, bits, &bits))
		return fail_usage(c, "\"%s\": the prefix is a number from 0 to %u", word, 8 * m->addr.len);
	m->prefix = bits;
	m->given |= GIVEN(SLUICE_A_MATCH_ADDR) | GIVEN(SLUICE_A_MATCH_PREFIX);
	return 0;
}

/* N, MIN-MAX, MIN- or -MAX */
static int parse_length(struct cli *c, struct args *a, void *obj)
{
	struct match *m = add_match(obj, SLUICE_MATCH_KIND_LENGTH);
	uint64_t min = 0, max = UINT32_MAX;
	const char *word, *dash;
	char first[24];
	int ret;

	if (!m)
		return fail_memory(c);
	ret = args_need(c, a, "MIN-MAX", &word);
	if (ret)
		return ret;
	dash = strchrnul(word, '-');
	if ((size_t)(dash - word) >= sizeof(first) || !strcmp(word, "-"))
		goto bad;
	memcpy(first, word, dash - word);
	first[dash - word] = 0;
	if ((first[0] || !*dash) && parse_u64(first, UINT32_MAX, &min))
		goto bad;
	if (!*dash)
		max = min;
	else if (dash[1] && parse_u64(dash + 1, UINT32_MAX, &max))
		goto bad;
	m->min = min;
	m->max = max;
	m->given |= GIVEN(SLUICE_A_MATCH_MIN) | GIVEN(SLUICE_A_MATCH_MAX_LEN);
	return 0;
bad:
	return fail_usage(c, "\"%s\" is no range of lengths: 10-200, 10-, -200 or 64", word);
}

static int parse_equals(struct cli *c, struct args *a, const char *what, const char **word)
{
	args_take(a, "=");
	return args_need(c, a, what, word);
}

/* OFFSET/WIDTH: bytes of the message. */
static int parse_place(struct cli *c, struct args *a, uint32_t max, uint32_t *offset, uint32_t *width)
{
	const char *word, *slash;
	uint64_t at, n;
	char first[24];
	int ret = args_need(c, a, "OFFSET/WIDTH", &word);

	if (ret)
		return ret;
	slash = strchr(word, '/');
	if (!slash || (size_t)(slash - word) >= sizeof(first) || parse_u64(slash + 1, max, &n))
		return fail_usage(c, "\"%s\" is no OFFSET/WIDTH: 4/2 are the 2 bytes at offset 4", word);
	memcpy(first, word, slash - word);
	first[slash - word] = 0;
	if (parse_u64(first, UINT32_MAX, &at))
		return fail_usage(c, "\"%s\" is no OFFSET/WIDTH: 4/2 are the 2 bytes at offset 4", word);
	*offset = at;
	*width = n;
	return 0;
}

/* OFFSET/WIDTH [mask MASK] = VALUE */
static int parse_bytes_match(struct cli *c, struct args *a, void *obj)
{
	struct match *m = add_match(obj, SLUICE_MATCH_KIND_BYTES);
	const char *word;
	int ret;

	if (!m)
		return fail_memory(c);
	ret = parse_place(c, a, 8, &m->offset, &m->width);
	if (ret)
		return ret;
	m->given |= GIVEN(SLUICE_A_MATCH_OFFSET) | GIVEN(SLUICE_A_MATCH_WIDTH) | GIVEN(SLUICE_A_MATCH_VALUE);
	if (args_take(a, "mask") || args_take(a, "&")) {
		ret = args_need(c, a, "a mask", &word);
		if (ret)
			return ret;
		if (parse_u64(word, UINT64_MAX, &m->mask))
			return fail_usage(c, "\"%s\" is no mask: a number, as 0xffff0000", word);
		m->given |= GIVEN(SLUICE_A_MATCH_MASK);
	}
	ret = parse_equals(c, a, "= VALUE", &word);
	if (ret)
		return ret;
	if (parse_u64(word, UINT64_MAX, &m->value))
		return fail_usage(c, "\"%s\" is no value: a number, as 17 or 0x11", word);
	return 0;
}

/* OFFSET TEXT */
static int parse_text_match(struct cli *c, struct args *a, void *obj)
{
	struct match *m = add_match(obj, SLUICE_MATCH_KIND_TEXT);
	const char *word;
	struct blob *b;
	int ret;

	if (!m)
		return fail_memory(c);
	m->given |= GIVEN(SLUICE_A_MATCH_OFFSET) | GIVEN(SLUICE_A_MATCH_WORD);
	ret = args_u32(c, a, "offset", UINT32_MAX, &m->offset);
	if (!ret)
		ret = parse_equals(c, a, "a text", &word);
	if (ret)
		return ret;
	b = vec_add(&m->words, sizeof(*b));
	if (!b)
		return fail_memory(c);
	if (parse_bytes(word, b))
		return fail_usage(c, "\"%s\" is no text: hex:0102..., or text with \\xHH for what is not printable",
				  word);
	return 0;
}

/* OFFSET INDEX [DELIM] = WORD[,WORD]... */
static int parse_token(struct cli *c, struct args *a, void *obj)
{
	struct match *m = add_match(obj, SLUICE_MATCH_KIND_TOKEN);
	const char *word;
	int ret;

	if (!m)
		return fail_memory(c);
	m->given |= GIVEN(SLUICE_A_MATCH_OFFSET) | GIVEN(SLUICE_A_MATCH_INDEX) | GIVEN(SLUICE_A_MATCH_DELIM) |
		    GIVEN(SLUICE_A_MATCH_WORD);
	m->delim = ' ';
	ret = args_u32(c, a, "offset", UINT32_MAX, &m->offset);
	if (!ret)
		ret = args_u32(c, a, "token number", 255, &m->index);
	if (ret)
		return ret;
	word = args_peek(a);
	/* "= =" is the delimiter =, then the sign */
	if (word && (strcmp(word, "=") || (a->pos + 1 < a->n && !strcmp(a->words[a->pos + 1], "=")))) {
		if (parse_char(word, &m->delim))
			return fail_usage(c, "\"%s\" is no delimiter: one character, or space, tab, \\xHH", word);
		a->pos++;
	}
	if (!args_take(a, "="))
		return fail_usage(c, "a token must be followed by = and its words: token 8 0 = get,gets");
	ret = args_need(c, a, "WORD[,WORD]...", &word);
	if (ret)
		return ret;
	if (parse_words(word, &m->words))
		return fail_usage(c, "\"%s\" are no words: get,gets; with \\xHH for what is not printable", word);
	return 0;
}

static int set_action(struct cli *c, struct rule *r, uint32_t action)
{
	if (is_given(r, SLUICE_A_RULE_ACTION))
		return fail_usage(c, "a rule has one action: group, reject, drop, pass or cancel");
	r->action = action;
	r->given |= GIVEN(SLUICE_A_RULE_ACTION);
	return 0;
}

static int parse_group(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;
	int ret = set_action(c, r, SLUICE_ACTION_GROUP);

	r->given |= GIVEN(SLUICE_A_RULE_GROUP);
	return ret ? ret : args_name(c, a, "a group", r->group);
}

static int parse_reject(struct cli *c, struct args *a, void *obj)
{
	(void)a;
	return set_action(c, obj, SLUICE_ACTION_REJECT);
}

static int parse_drop(struct cli *c, struct args *a, void *obj)
{
	(void)a;
	return set_action(c, obj, SLUICE_ACTION_DROP);
}

static int parse_pass(struct cli *c, struct args *a, void *obj)
{
	(void)a;
	return set_action(c, obj, SLUICE_ACTION_PASS);
}

static int parse_cancel(struct cli *c, struct args *a, void *obj)
{
	(void)a;
	return set_action(c, obj, SLUICE_ACTION_CANCEL);
}

static int parse_class(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;

	r->given |= GIVEN(SLUICE_A_RULE_CLASS);
	return args_name(c, a, "a class", r->class);
}

static int parse_order(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;

	r->given |= GIVEN(SLUICE_A_RULE_ORDER);
	return args_u32(c, a, "order", UINT32_MAX, &r->order);
}

static int parse_prio(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;

	r->given |= GIVEN(SLUICE_A_RULE_PRIO);
	return args_u32(c, a, "priority", SLUICE_RING_PRIOS - 1, &r->prio);
}

static int parse_deadline(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;
	const char *word;
	int ret = args_need(c, a, "a time", &word);

	if (ret)
		return ret;
	if (parse_ns(word, &r->deadline) || r->deadline > SLUICE_DEADLINE_NS_MAX)
		return fail_usage(c, "\"%s\" is no deadline: a time as 500us, 5ms or 1s, up to an hour", word);
	r->given |= GIVEN(SLUICE_A_RULE_DEADLINE);
	return 0;
}

/* OFFSET/WIDTH [little] [UNIT] [max TIME] */
static int parse_deadline_field(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;
	const char *word;
	int ret;
	uint32_t i;

	ret = parse_place(c, a, 8, &r->deadline_offset, &r->deadline_width);
	if (ret)
		return ret;
	r->given |= GIVEN(SLUICE_A_RULE_DEADLINE_OFFSET) | GIVEN(SLUICE_A_RULE_DEADLINE_WIDTH) |
		    GIVEN(SLUICE_A_RULE_DEADLINE_UNIT);
	if (args_take(a, "little")) {
		r->deadline_little = true;
		r->given |= GIVEN(SLUICE_A_RULE_DEADLINE_LITTLE);
	}
	r->deadline_unit = SLUICE_UNIT_MS;
	for (i = 0; unit_names[i]; i++) {
		if (args_take(a, unit_names[i])) {
			r->deadline_unit = i;
			break;
		}
	}
	if (!args_take(a, "max"))
		return 0;
	ret = args_need(c, a, "a time", &word);
	if (ret)
		return ret;
	if (parse_ns(word, &r->deadline_max) || !r->deadline_max || r->deadline_max > SLUICE_DEADLINE_NS_MAX)
		return fail_usage(c, "\"%s\" is no longest deadline: a time as 500us, 5ms or 1s, up to an hour", word);
	r->given |= GIVEN(SLUICE_A_RULE_DEADLINE_MAX);
	return 0;
}

static int parse_request_id(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;

	r->given |= GIVEN(SLUICE_A_RULE_REQUEST_ID_OFFSET) | GIVEN(SLUICE_A_RULE_REQUEST_ID_LEN);
	return parse_place(c, a, UINT32_MAX, &r->request_id_offset, &r->request_id_len);
}

static int parse_once(struct cli *c, struct args *a, void *obj)
{
	struct rule *r = obj;

	(void)c;
	(void)a;
	r->once = true;
	r->given |= GIVEN(SLUICE_A_RULE_ONCE);
	return 0;
}

const struct keyword rule_options[] = {
	{ "order", "N", "lower is looked at first; equal: as they were added (0)", parse_order },
	{ "src", "ADDRESS/BITS", "match the sender's address", parse_src },
	{ "length", "MIN-MAX", "match the message's length", parse_length },
	{ "bytes", "OFFSET/WIDTH [mask MASK] = VALUE", "match 1, 2, 4 or 8 bytes, in network order", parse_bytes_match },
	{ "text", "OFFSET TEXT", "match bytes at an offset", parse_text_match },
	{ "token", "OFFSET N [DELIM] = WORD[,WORD]...",
	  "match token N, from 0, after OFFSET, cut at DELIM (a space), against words", parse_token },
	{ "group", "NAME", "action: goes to a group", parse_group },
	{ "reject", NULL, "action: gets the listener's reject reply, if it has one", parse_reject },
	{ "drop", NULL, "action: nothing is sent", parse_drop },
	{ "pass", NULL, "action: left to the socket's owner", parse_pass },
	{ "cancel", NULL, "action: ends the outstanding request of the same peer that request-id names", parse_cancel },
	{ "class", "NAME", "its class in the group (default)", parse_class },
	{ "prio", "0..3", "request queue; 0 is served first (1)", parse_prio },
	{ "deadline", "TIME", "after which nobody waits for the answer (none)", parse_deadline },
	{ "deadline-field", "OFFSET/WIDTH [little] [ns|us|ms|s] [max TIME]",
	  "where the message says how long its sender waits (unit ms, max 1h)", parse_deadline_field },
	{ "request-id", "OFFSET/WIDTH", "bytes that tell the requests of one peer apart, up to 32", parse_request_id },
	{ "once", NULL, "the same request-id again is not served while the first is outstanding", parse_once },
	{ NULL, NULL, NULL, NULL }
};

/* ID [OPTIONS]; obj_free() is the caller's, whatever is returned. */
int rule_parse(struct cli *c, struct args *a, struct rule *r)
{
	int ret;

	memset(r, 0, sizeof(*r));
	r->given = GIVEN(SLUICE_A_RULE_ID);
	ret = args_u32(c, a, "rule number", UINT32_MAX, &r->id);
	if (!ret && !r->id)
		ret = fail_usage(c, "rules are numbered from 1");
	if (!ret)
		ret = args_options(c, a, rule_options, r);
	if (!ret && !is_given(r, SLUICE_A_RULE_ACTION))
		ret = fail_usage(c, "rule %u has no action: group NAME, reject, drop, pass or cancel", r->id);
	return ret;
}

static void match_defaults(struct match *m)
{
	if (m->kind == SLUICE_MATCH_KIND_SRC && !is_given(m, SLUICE_A_MATCH_PREFIX))
		m->prefix = 8 * m->addr.len;
	if (m->kind == SLUICE_MATCH_KIND_BYTES && !is_given(m, SLUICE_A_MATCH_WIDTH))
		m->width = 1;
	if (m->kind == SLUICE_MATCH_KIND_LENGTH && !is_given(m, SLUICE_A_MATCH_MAX_LEN))
		m->max = UINT32_MAX;
	if (m->kind == SLUICE_MATCH_KIND_BYTES && !is_given(m, SLUICE_A_MATCH_MASK))
		m->mask = m->width < 8 ? (1ULL << 8 * m->width) - 1 : UINT64_MAX;
	if (m->kind == SLUICE_MATCH_KIND_TOKEN && !is_given(m, SLUICE_A_MATCH_DELIM))
		m->delim = ' ';
}

/* Values of what is not given, so that rules compare and print alike; what is sent stays as it is. */
void rule_defaults(struct rule *r)
{
	uint32_t i;

	if (!is_given(r, SLUICE_A_RULE_PRIO))
		r->prio = 1;
	if (r->action == SLUICE_ACTION_GROUP && !r->class[0])
		strcpy(r->class, "default");
	if (is_given(r, SLUICE_A_RULE_DEADLINE_OFFSET)) {
		if (!is_given(r, SLUICE_A_RULE_DEADLINE_WIDTH))
			r->deadline_width = 4;
		if (!is_given(r, SLUICE_A_RULE_DEADLINE_UNIT))
			r->deadline_unit = SLUICE_UNIT_MS;
		if (!is_given(r, SLUICE_A_RULE_DEADLINE_MAX))
			r->deadline_max = SLUICE_DEADLINE_NS_MAX;
	}
	for (i = 0; i < r->matches.n; i++)
		match_defaults(rule_match(r, i));
}

static void print_words(FILE *f, const struct match *m)
{
	const struct blob *b = m->words.items;
	const char *also = NULL;
	char *text;
	uint32_t i;

	if (m->kind == SLUICE_MATCH_KIND_TOKEN)
		also = ",";
	else if (b && b->len == 1)
		also = "=";	/* alone it would be taken for the sign */
	fprintf(f, " \"");
	for (i = 0; i < m->words.n; i++) {
		text = format_bytes(&b[i], also);
		fprintf(f, "%s%s", i ? "," : "", text ? text : "");
		free(text);
	}
	fputc('"', f);
}

void match_print(FILE *f, const struct match *m)
{
	char buf[64];

	fprintf(f, "%s", name_of(match_names, m->kind));
	switch (m->kind) {
	case SLUICE_MATCH_KIND_SRC:
		format_addr(buf, sizeof(buf), &m->addr);
		fprintf(f, " %s/%u", buf, m->prefix);
		break;
	case SLUICE_MATCH_KIND_LENGTH:
		if (m->max == UINT32_MAX)
			fprintf(f, " %u-", m->min);
		else
			fprintf(f, " %u-%u", m->min, m->max);
		break;
	case SLUICE_MATCH_KIND_BYTES:
		fprintf(f, " %u/%u", m->offset, m->width);
		if (m->mask != (m->width < 8 ? (1ULL << 8 * m->width) - 1 : UINT64_MAX))
			fprintf(f, " mask 0x%0*" PRIx64, 2 * (int)m->width, m->mask);
		fprintf(f, " = 0x%0*" PRIx64, 2 * (int)m->width, m->value);
		break;
	case SLUICE_MATCH_KIND_TEXT:
		fprintf(f, " %u", m->offset);
		print_words(f, m);
		break;
	case SLUICE_MATCH_KIND_TOKEN:
		format_char(buf, sizeof(buf), m->delim);
		fprintf(f, " %u %u ", m->offset, m->index);
		print_word(f, buf);
		fprintf(f, " =");
		print_words(f, m);
		break;
	}
}

static void print_deadline_field(FILE *f, const struct rule *r)
{
	char buf[32];

	fprintf(f, " deadline-field %u/%u%s %s", r->deadline_offset, r->deadline_width,
		r->deadline_little ? " little" : "", name_of(unit_names, r->deadline_unit));
	if (r->deadline_max && r->deadline_max != SLUICE_DEADLINE_NS_MAX) {
		format_ns(buf, sizeof(buf), r->deadline_max);
		fprintf(f, " max %s", buf);
	}
}

/* As a file for "sluice apply" has it, without the line's end. */
void rule_print(FILE *f, const struct rule *r)
{
	char buf[32];
	uint32_t i;

	fprintf(f, "rule %u", r->id);
	if (r->order)
		fprintf(f, " order %u", r->order);
	for (i = 0; i < r->matches.n; i++) {
		fputc(' ', f);
		match_print(f, rule_match(r, i));
	}
	fprintf(f, " %s", name_of(action_names, r->action));
	if (r->action == SLUICE_ACTION_GROUP) {
		fprintf(f, " %s", r->group);
		if (r->class[0] && strcmp(r->class, "default"))
			fprintf(f, " class %s", r->class);
		if (r->prio != 1)
			fprintf(f, " prio %u", r->prio);
	}
	if (r->deadline) {
		format_ns(buf, sizeof(buf), r->deadline);
		fprintf(f, " deadline %s", buf);
	}
	if (is_given(r, SLUICE_A_RULE_DEADLINE_OFFSET))
		print_deadline_field(f, r);
	if (is_given(r, SLUICE_A_RULE_REQUEST_ID_LEN))
		fprintf(f, " request-id %u/%u", r->request_id_offset, r->request_id_len);
	if (r->once)
		fprintf(f, " once");
}
