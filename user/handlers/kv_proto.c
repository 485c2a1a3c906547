// SPDX-License-Identifier: GPL-2.0-only
/* The memcached text protocol: cuts commands out of bytes, writes responses. */
#include <ctype.h>
#include <limits.h>

#include "kv_proto.h"
#include "kv_token.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "0.0.0"
#endif

#define TOKENS_MAX	8	/* more than any command but get takes */
#define BAD_EXPTIME	"CLIENT_ERROR invalid exptime argument\r\n"
#define BAD_DELTA	"CLIENT_ERROR invalid numeric delta argument\r\n"
#define BAD_DELETE	"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
#define LINE_TOO_LONG	"CLIENT_ERROR line too long\r\n"

/**
 * struct line - a command line cut at spaces
 * @n: tokens, those beyond TOKENS_MAX counted as one more
 * @data, @len: the bytes after the line
 */
struct line {
	struct token t[TOKENS_MAX];
	unsigned int n;
	const char *end;
	const char *data;
	size_t len;
	uint32_t item_max;
};

static bool is(struct token t, const char *word)
{
	return t.len == strlen(word) && !memcmp(t.p, word, t.len);
}

bool kv_next_token(const char **pos, const char *end, struct token *t)
{
	const char *p = *pos;

	while (p < end && *p == ' ')
		p++;
	t->p = p;
	while (p < end && *p != ' ')
		p++;
	t->len = p - t->p;
	*pos = p;
	return t->len;
}

static bool read_digits(struct token t, bool *negative, uint64_t *number)
{
	size_t i = 0, first;
	uint64_t v = 0;

	*negative = t.len && t.p[0] == '-';
	if (t.len && (t.p[0] == '-' || t.p[0] == '+'))
		i++;
	for (first = i; i < t.len && t.p[i] >= '0' && t.p[i] <= '9'; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, t.p[i] - '0', &v))
			return false;
	*number = v;
	return i > first && (i == t.len || isspace((unsigned char)t.p[i]));
}

bool kv_read_u64(struct token t, uint64_t *number)
{
	bool negative;

	return read_digits(t, &negative, number) && !(negative && *number);
}

bool kv_read_u32(struct token t, uint32_t *number)
{
	uint64_t v;

	if (!kv_read_u64(t, &v) || v > UINT32_MAX)
		return false;
	*number = v;
	return true;
}

bool kv_read_s64(struct token t, int64_t *number)
{
	bool negative;
	uint64_t v;

	if (!read_digits(t, &negative, &v) || v > INT64_MAX)
		return false;
	*number = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

static bool take_key(struct kv_cmd *cmd, struct token t)
{
	cmd->op.key = t.p;
	cmd->op.nkey = t.len;
	return t.len <= KV_KEY_MAX;
}

static void answer(struct kv_cmd *cmd, const char *text)
{
	cmd->op.command = KV_CMD_TEXT;
	cmd->text = text;
}

static void take_noreply(struct kv_cmd *cmd, const struct line *l)
{
	cmd->noreply = l->n <= TOKENS_MAX && is(l->t[l->n - 1], "noreply");
}

/* <command> <key> <flags> <exptime> <bytes> [<cas unique>] [noreply]; false: the value is not there yet. */
static bool parse_store(struct kv_cmd *cmd, const struct line *l, enum kv_mode mode)
{
	unsigned int fixed = mode == KV_MODE_CAS ? 6 : 5;
	struct kv_value *v = &cmd->op.value;
	int64_t nbytes;

	if (l->n != fixed && l->n != fixed + 1) {
		answer(cmd, KV_ERROR);
		return true;
	}
	take_noreply(cmd, l);
	cmd->op.command = KV_CMD_STORE;
	cmd->op.mode = mode;
	if (!take_key(cmd, l->t[1]) || !kv_read_u32(l->t[2], &v->flags) || !kv_read_s64(l->t[3], &cmd->op.exptime) ||
	    !kv_read_s64(l->t[4], &nbytes) || nbytes < 0 || nbytes > INT_MAX - 2 ||
	    (mode == KV_MODE_CAS && !kv_read_u64(l->t[5], &v->cas))) {
		answer(cmd, KV_BAD_FORMAT);
		return true;
	}
	v->nbytes = nbytes;
	if (v->nbytes > l->item_max) {
		/* The command goes to the store, which refuses it and forgets the old value; the bytes are skipped. */
		cmd->size += v->nbytes + 2ULL;
		v->data = NULL;
		return true;
	}
	if (l->len < v->nbytes + 2ULL)
		return false;
	cmd->size += v->nbytes + 2;
	v->data = l->data;
	if (l->data[v->nbytes] != '\r' || l->data[v->nbytes + 1] != '\n')
		answer(cmd, KV_BAD_CHUNK);
	return true;
}

static void parse_get(struct kv_cmd *cmd, const struct line *l, bool want_cas, bool touch)
{
	unsigned int first = touch ? 2 : 1;

	if (l->n < 2) {
		answer(cmd, KV_ERROR);
		return;
	}
	cmd->op.command = KV_CMD_GET;
	cmd->many = true;
	cmd->op.want_cas = want_cas;
	cmd->op.touch = touch;
	cmd->keys = l->n > first ? l->t[first].p : l->end;
	cmd->keys_end = l->end;
	if (touch && !kv_read_s64(l->t[1], &cmd->op.exptime)) {
		cmd->many = false;
		answer(cmd, BAD_EXPTIME);
	}
}

/* delete <key> [0] [noreply] */
static void parse_delete(struct kv_cmd *cmd, const struct line *l)
{
	bool zero;

	if (l->n < 2 || l->n > 4) {
		answer(cmd, KV_ERROR);
		return;
	}
	cmd->op.command = KV_CMD_DELETE;
	if (l->n > 2) {
		zero = is(l->t[2], "0");
		take_noreply(cmd, l);
		if (!(l->n == 3 && (zero || cmd->noreply)) && !(l->n == 4 && zero && cmd->noreply)) {
			answer(cmd, BAD_DELETE);
			return;
		}
	}
	if (!take_key(cmd, l->t[1]))
		answer(cmd, KV_BAD_FORMAT);
}

/* incr|decr <key> <delta> [noreply], touch <key> <exptime> [noreply] */
static void parse_arith(struct kv_cmd *cmd, const struct line *l, bool add)
{
	if (l->n != 3 && l->n != 4) {
		answer(cmd, KV_ERROR);
		return;
	}
	take_noreply(cmd, l);
	cmd->op.command = KV_CMD_ARITH;
	cmd->op.add = add;
	if (!take_key(cmd, l->t[1]))
		answer(cmd, KV_BAD_FORMAT);
	else if (!kv_read_u64(l->t[2], &cmd->op.number))
		answer(cmd, BAD_DELTA);
}

static void parse_touch(struct kv_cmd *cmd, const struct line *l)
{
	if (l->n != 3 && l->n != 4) {
		answer(cmd, KV_ERROR);
		return;
	}
	take_noreply(cmd, l);
	cmd->op.command = KV_CMD_TOUCH;
	if (!take_key(cmd, l->t[1]))
		answer(cmd, KV_BAD_FORMAT);
	else if (!kv_read_s64(l->t[2], &cmd->op.exptime))
		answer(cmd, BAD_EXPTIME);
}

/* flush_all [delay] [noreply] */
static void parse_flush(struct kv_cmd *cmd, const struct line *l)
{
	if (l->n > 3) {
		answer(cmd, KV_ERROR);
		return;
	}
	take_noreply(cmd, l);
	cmd->op.command = KV_CMD_FLUSH;
	if (l->n > 1U + cmd->noreply && !kv_read_s64(l->t[1], &cmd->op.exptime))
		answer(cmd, BAD_EXPTIME);
}

/* verbosity <level> [noreply]: accepted, and without effect: the daemon's log level is in its configuration. */
static void parse_verbosity(struct kv_cmd *cmd, const struct line *l)
{
	uint64_t level;

	if (l->n != 2 && l->n != 3) {
		answer(cmd, KV_ERROR);
		return;
	}
	take_noreply(cmd, l);
	answer(cmd, l->n == 2 && cmd->noreply ? "" : kv_read_u64(l->t[1], &level) ? "OK\r\n" : KV_BAD_FORMAT);
}

static void parse_stats(struct kv_cmd *cmd, const struct line *l)
{
	cmd->op.command = KV_CMD_STATS;
	if (l->n == 1)
		cmd->stats = KV_STATS_GENERAL;
	else if (is(l->t[1], "settings"))
		cmd->stats = KV_STATS_SETTINGS;
	else if (is(l->t[1], "items"))
		cmd->stats = KV_STATS_ITEMS;
	else if (is(l->t[1], "slabs"))
		cmd->stats = KV_STATS_SLABS;
	else if (is(l->t[1], "reset"))
		cmd->op.command = KV_CMD_STATS_RESET;
	else if (is(l->t[1], "sizes"))
		answer(cmd, "STAT sizes_status disabled\r\nEND\r\n");
	else
		answer(cmd, KV_ERROR);
}

static bool parse_line(struct kv_cmd *cmd, const struct line *l)
{
	static const char *const modes[] = {
		[KV_MODE_SET] = "set", [KV_MODE_ADD] = "add", [KV_MODE_REPLACE] = "replace",
		[KV_MODE_APPEND] = "append", [KV_MODE_PREPEND] = "prepend", [KV_MODE_CAS] = "cas",
	};
	struct token name = l->t[0];
	unsigned int i;

	if (!l->n)
		answer(cmd, KV_ERROR);
	else if (name.len == 2 && name.p[0] == 'm' && memchr("gsdaen", name.p[1], 6))
		return kv_meta_parse(cmd, name.p, l->end, l->data, l->len, l->item_max);
	else if (is(name, "get") || is(name, "gets"))
		parse_get(cmd, l, name.len == 4, false);
	else if (is(name, "gat") || is(name, "gats"))
		parse_get(cmd, l, name.len == 4, true);
	else if (is(name, "delete"))
		parse_delete(cmd, l);
	else if (is(name, "incr") || is(name, "decr"))
		parse_arith(cmd, l, name.p[0] == 'i');
	else if (is(name, "touch"))
		parse_touch(cmd, l);
	else if (is(name, "flush_all"))
		parse_flush(cmd, l);
	else if (is(name, "version"))
		answer(cmd, "VERSION " SLUICE_VERSION "\r\n");
	else if (is(name, "verbosity"))
		parse_verbosity(cmd, l);
	else if (is(name, "stats"))
		parse_stats(cmd, l);
	else if (is(name, "shutdown"))
		answer(cmd, "ERROR: shutdown not enabled\r\n");
	else {
		for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
			if (is(name, modes[i]))
				return parse_store(cmd, l, i);
		answer(cmd, KV_ERROR);
		if (is(name, "quit")) {
			cmd->op.command = KV_CMD_QUIT;
			cmd->text = "";
		}
	}
	return true;
}

/* Whether one of @n bytes is a blank or ends a line; eight at a time. */
static bool parted(const char *p, size_t n)
{
	const uint64_t ones = ~0ULL / 255, tops = ones << 7;
	uint64_t bytes, blank, end, hit = 0;
	size_t i = 0;

	if (n < 8) {
		while (i < n && p[i] != ' ' && p[i] != '\n')
			i++;
		return i < n;
	}
	do {
		i = i + 8 < n ? i + 8 : n;
		memcpy(&bytes, p + i - 8, 8);
		blank = bytes ^ ones * ' ';
		end = bytes ^ ones * '\n';
		/* the top bit of the lowest zero byte, and of none if there is none */
		hit |= ((blank - ones) & ~blank) | ((end - ones) & ~end);
	} while (i < n);
	return hit & tops;
}

/*
 * What most requests are: "get ", one key, and the end of the line; one operation on one key, like others. False: it is not
 * that, or not all of it.
 */
static bool parse_one_get(const char *data, size_t len, struct kv_cmd *cmd)
{
	const char *key = data + 4, *newline = data + len - 1;
	size_t n = len - 6;

	if (len < 6 || memcmp(data, "get ", 4))
		return false;
	/* nearly always that is all there is */
	if (n > KV_KEY_MAX || newline[0] != '\n' || newline[-1] != '\r' || parted(key, n)) {
		len -= 4;
		newline = memchr(key, '\n', len < KV_KEY_MAX + 2 ? len : KV_KEY_MAX + 2);
		if (!newline)
			return false;
		n = newline - key;
		n -= n && newline[-1] == '\r';
		if (n > KV_KEY_MAX || memchr(key, ' ', n))
			return false;
	}
	if (!n)
		return false;
	cmd->op.command = KV_CMD_GET;
	cmd->op.resp = false;
	cmd->op.key = key;
	cmd->op.nkey = n;
	cmd->size = newline + 1 - data;
	return true;
}

static bool parse(const char *data, size_t len, uint32_t item_max, struct kv_cmd *cmd)
{
	struct line l = { .item_max = item_max };
	const char *pos = data, *newline;
	struct token t;

	kv_cmd_clear(cmd);
	if (parse_one_get(data, len, cmd))
		return true;
	newline = memchr(data, '\n', len < KV_LINE_MAX ? len : KV_LINE_MAX);
	if (!newline) {
		if (len < KV_LINE_MAX)
			return false;
		cmd->op.command = KV_CMD_QUIT;	/* where the next command begins is not known */
		cmd->text = LINE_TOO_LONG;
		cmd->size = len;
		return true;
	}
	l.end = newline > data && newline[-1] == '\r' ? newline - 1 : newline;
	l.data = newline + 1;
	l.len = data + len - l.data;
	cmd->size = l.data - data;
	while (l.n <= TOKENS_MAX && kv_next_token(&pos, l.end, &t)) {
		if (l.n < TOKENS_MAX)
			l.t[l.n] = t;
		l.n++;
	}
	return parse_line(cmd, &l);
}

static int next_key(struct kv_cmd *cmd, struct kv_op *op)
{
	struct token t;

	if (!kv_next_token(&cmd->keys, cmd->keys_end, &t))
		return 0;
	*op = cmd->op;
	op->key = t.p;
	op->nkey = t.len;
	return t.len <= KV_KEY_MAX ? 1 : -1;
}

static void respond_ok(const struct kv_op *op, struct kv_buf *out)
{
	switch (op->command) {
	case KV_CMD_DELETE:
		kv_buf_str(out, "DELETED\r\n");
		break;
	case KV_CMD_TOUCH:
		kv_buf_str(out, "TOUCHED\r\n");
		break;
	case KV_CMD_ARITH:
		if (kv_buf_room(out, 20))
			out->len += kv_digits(out->data + out->len, op->number);
		kv_buf_str(out, "\r\n");
		break;
	}
}

static void respond(const struct kv_cmd *cmd, const struct kv_op *op, struct kv_buf *out)
{
	static const char *const text[] = {
		[KV_STORED] = "STORED\r\n",
		[KV_NOT_STORED] = "NOT_STORED\r\n",
		[KV_EXISTS] = "EXISTS\r\n",
		[KV_NOT_FOUND] = "NOT_FOUND\r\n",
		[KV_TOO_LARGE] = KV_TOO_LARGE_TEXT,
		[KV_NON_NUMERIC] = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
	};

	if (op->command == KV_CMD_GET) {
		kv_buf_add(out, KV_END, sizeof(KV_END) - 1);
		return;
	}
	/* meta commands have said it all */
	if (cmd->noreply || op->command == KV_CMD_META)
		return;
	if (op->status == KV_OK)
		respond_ok(op, out);
	else if (op->status == KV_NO_MEMORY)
		kv_buf_str(out, op->command == KV_CMD_ARITH ? "SERVER_ERROR out of memory in incr\r\n" :
							      "SERVER_ERROR out of memory storing object\r\n");
	else
		kv_buf_str(out, text[op->status]);
}

static void end_keys(const struct kv_cmd *cmd, struct kv_buf *out)
{
	(void)cmd;
	kv_buf_str(out, KV_END);
}

static void respond_all(const struct kv_cmd *cmd, const struct kv_stats *sum, const struct kv_server *server,
			struct kv_buf *out)
{
	if (cmd->op.command == KV_CMD_STATS)
		kv_stats_print(out, cmd->stats, sum, server);
	else if (!cmd->noreply)
		kv_buf_str(out, cmd->op.command == KV_CMD_FLUSH ? "OK\r\n" : "RESET\r\n");
}

const struct kv_dialect kv_text = {
	.parse = parse,
	.parse_get = parse_one_get,
	.next = next_key,
	.end = end_keys,
	.respond = respond,
	.all = respond_all,
	.bad_key = KV_BAD_FORMAT,
	.no_room = "SERVER_ERROR out of memory writing get response\r\n",
	.incomplete = "CLIENT_ERROR request does not end in this message\r\n",
	.no_slots = "SERVER_ERROR too large for the slot\r\n",
};
