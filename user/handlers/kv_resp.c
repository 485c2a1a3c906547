// SPDX-License-Identifier: GPL-2.0-only
/* A subset of Redis's protocol, RESP: cuts commands out of bytes, writes responses. */
#include <limits.h>
#include <strings.h>

#include "kv_proto.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "0.0.0"
#endif

#define ARGS_MAX	(1 << 20)	/* of a command, as Redis has it */
#define FIXED_MAX	8		/* arguments that are looked at, of commands that do not take many keys */
#define SYNTAX		"-ERR syntax error\r\n"
#define NOT_INTEGER	"-ERR value is not an integer or out of range\r\n"
#define ARGS_WRONG	"-ERR wrong number of arguments\r\n"
#define TOO_LARGE	"-ERR value too large\r\n"
#define PROTOCOL	"-ERR Protocol error\r\n"

/* What a command's response is. */
enum kind {
	KIND_OK,		/* +OK, or null if the condition did not hold */
	KIND_FLAG,		/* :1 or :0 */
	KIND_NUMBER,
	KIND_COUNT,		/* of the keys for which it was done */
	KIND_VALUE,		/* already written */
	KIND_ARRAY,		/* values, each already written, behind a header */
	KIND_ECHO,		/* the first argument, as it is */
	KIND_CONFIG,
	KIND_INFO,
};

struct arg {
	const char *p;
	size_t len;
};

struct args {
	uint32_t n;		/* all of them, without the command's name */
	struct arg a[FIXED_MAX];
	const char *first;	/* where they begin */
	const char *end;
};

static bool is(struct arg a, const char *word)
{
	return a.len == strlen(word) && !strncasecmp(a.p, word, a.len);
}

static bool read_s64(struct arg a, int64_t *v)
{
	uint64_t n = 0;
	size_t i = a.len && a.p[0] == '-', first = i;

	for (; i < a.len && a.p[i] >= '0' && a.p[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, a.p[i] - '0', &n))
			return false;
	if (i == first || i < a.len || n > (uint64_t)INT64_MAX + first)
		return false;
	*v = first ? (int64_t)-n : (int64_t)n;
	return true;
}

/* ---- bytes to arguments ---- */

/* <prefix><number>\r\n at *@pos. 1: read; 0: not there yet; -1: something else. */
static int read_header(const char **pos, const char *end, char prefix, int64_t max, int64_t *number)
{
	const char *newline = memchr(*pos, '\n', end - *pos);
	struct arg a;

	if (*pos < end && **pos != prefix)
		return -1;
	if (!newline)
		return end - *pos > 32 ? -1 : 0;
	if (newline[-1] != '\r')
		return -1;
	a = (struct arg){ *pos + 1, newline - 1 - (*pos + 1) };
	if (newline - 1 < *pos + 1 || !read_s64(a, number) || *number < 0 || *number > max)
		return -1;
	*pos = newline + 1;
	return 1;
}

/* The next argument: 1, 0 not there yet, -1 malformed. */
static int read_bulk(const char **pos, const char *end, struct arg *a)
{
	int64_t len;
	int ret;

	if (*pos == end)
		return 0;
	ret = read_header(pos, end, '$', INT_MAX - 2, &len);
	if (ret <= 0)
		return ret;
	if (end - *pos < len + 2)
		return 0;
	*a = (struct arg){ *pos, len };
	*pos += len + 2;
	return a->p[len] == '\r' && a->p[len + 1] == '\n' ? 1 : -1;
}

static int read_word(const char **pos, const char *end, struct arg *a)
{
	const char *p = *pos;

	while (p < end && *p == ' ')
		p++;
	a->p = p;
	while (p < end && *p != ' ')
		p++;
	a->len = p - a->p;
	*pos = p;
	return a->len ? 1 : 0;
}

static int read_arg(const struct kv_cmd *cmd, const char **pos, const char *end, struct arg *a)
{
	return cmd->inlined ? read_word(pos, end, a) : read_bulk(pos, end, a);
}

/* ---- arguments to commands ---- */

static void answer(struct kv_cmd *cmd, const char *text)
{
	cmd->op.command = KV_CMD_TEXT;
	cmd->many = false;
	cmd->text = text;
}

static bool take_key(struct kv_cmd *cmd, struct arg a)
{
	cmd->op.key = a.p;
	cmd->op.nkey = a.len;
	if (a.len && a.len <= KV_KEY_MAX)
		return true;
	answer(cmd, a.len ? kv_resp.bad_key : "-ERR empty key\r\n");
	return false;
}

static void for_many(struct kv_cmd *cmd, const struct args *g, enum kv_command command, enum kind kind, uint32_t nkeys)
{
	cmd->many = true;
	cmd->op.command = command;
	cmd->kind = kind;
	cmd->keys = g->first;
	cmd->keys_end = g->end;
	cmd->nkeys = nkeys;
	cmd->op.resp = true;
}

static void do_get(struct kv_cmd *cmd, const struct args *g)
{
	cmd->op.resp = true;
	cmd->op.command = KV_CMD_GET;
	cmd->kind = KIND_VALUE;
	take_key(cmd, g->a[0]);
}

static void do_mget(struct kv_cmd *cmd, const struct args *g)
{
	for_many(cmd, g, KV_CMD_GET, KIND_ARRAY, g->n);
}

static void do_exists(struct kv_cmd *cmd, const struct args *g)
{
	for_many(cmd, g, KV_CMD_EXISTS, KIND_COUNT, g->n);
}

static void do_del(struct kv_cmd *cmd, const struct args *g)
{
	for_many(cmd, g, KV_CMD_DELETE, KIND_COUNT, g->n);
}

static void do_mset(struct kv_cmd *cmd, const struct args *g)
{
	if (g->n % 2)
		answer(cmd, ARGS_WRONG);
	else
		for_many(cmd, g, KV_CMD_STORE, KIND_OK, g->n / 2);
}

static bool store(struct kv_cmd *cmd, struct arg key, struct arg value, enum kv_mode mode, enum kind kind)
{
	cmd->op.command = KV_CMD_STORE;
	cmd->op.mode = mode;
	cmd->kind = kind;
	cmd->op.value.data = value.p;
	cmd->op.value.nbytes = value.len;
	return take_key(cmd, key);
}

/* Seconds, or milliseconds rounded up, from now; what is past is gone at once. */
static bool take_expiry(struct kv_cmd *cmd, struct arg a, bool ms)
{
	int64_t v;

	if (!read_s64(a, &v) || v > INT_MAX * 1000LL) {
		answer(cmd, NOT_INTEGER);
		return false;
	}
	if (ms)
		v = v > 0 ? (v + 999) / 1000 : v;
	/* The store reads more than 30 days as a date. */
	if (v > 60L * 60 * 24 * 30) {
		answer(cmd, "-ERR an expiry of more than 30 days is not supported\r\n");
		return false;
	}
	cmd->op.exptime = v > 0 ? v : -1;
	return true;
}

static void do_set(struct kv_cmd *cmd, const struct args *g)
{
	uint32_t i;

	if (g->n > FIXED_MAX) {
		answer(cmd, SYNTAX);
		return;
	}
	if (!store(cmd, g->a[0], g->a[1], KV_MODE_SET, KIND_OK))
		return;
	for (i = 2; i < g->n; i++) {
		if (is(g->a[i], "nx") && cmd->op.mode == KV_MODE_SET) {
			cmd->op.mode = KV_MODE_ADD;
		} else if (is(g->a[i], "xx") && cmd->op.mode == KV_MODE_SET) {
			cmd->op.mode = KV_MODE_REPLACE;
		} else if ((is(g->a[i], "ex") || is(g->a[i], "px")) && i + 1 < g->n && !cmd->op.exptime) {
			if (!take_expiry(cmd, g->a[i + 1], is(g->a[i], "px")))
				return;
			i++;
		} else {
			answer(cmd, SYNTAX);
			return;
		}
	}
}

static void do_setnx(struct kv_cmd *cmd, const struct args *g)
{
	store(cmd, g->a[0], g->a[1], KV_MODE_ADD, KIND_FLAG);
}

static void do_setex(struct kv_cmd *cmd, const struct args *g)
{
	if (store(cmd, g->a[0], g->a[2], KV_MODE_SET, KIND_OK))
		take_expiry(cmd, g->a[1], false);
}

static void add(struct kv_cmd *cmd, struct arg key, int64_t delta)
{
	cmd->op.command = KV_CMD_ADD;
	cmd->op.number = delta;
	cmd->kind = KIND_NUMBER;
	take_key(cmd, key);
}

static void do_incr(struct kv_cmd *cmd, const struct args *g)
{
	add(cmd, g->a[0], 1);
}

static void do_decr(struct kv_cmd *cmd, const struct args *g)
{
	add(cmd, g->a[0], -1);
}

static void do_incrby(struct kv_cmd *cmd, const struct args *g)
{
	int64_t v;

	if (!read_s64(g->a[1], &v))
		answer(cmd, NOT_INTEGER);
	else
		add(cmd, g->a[0], v);
}

static void do_decrby(struct kv_cmd *cmd, const struct args *g)
{
	int64_t v;

	if (!read_s64(g->a[1], &v) || v == INT64_MIN)
		answer(cmd, NOT_INTEGER);
	else
		add(cmd, g->a[0], -v);
}

static void do_expire(struct kv_cmd *cmd, const struct args *g)
{
	cmd->op.command = KV_CMD_TOUCH;
	cmd->kind = KIND_FLAG;
	if (take_key(cmd, g->a[0]))
		take_expiry(cmd, g->a[1], false);
}

static void do_persist(struct kv_cmd *cmd, const struct args *g)
{
	cmd->op.command = KV_CMD_TOUCH;
	cmd->kind = KIND_FLAG;
	take_key(cmd, g->a[0]);
}

static void do_ttl(struct kv_cmd *cmd, const struct args *g)
{
	cmd->op.command = KV_CMD_TTL;
	cmd->kind = KIND_NUMBER;
	take_key(cmd, g->a[0]);
}

static void do_flush(struct kv_cmd *cmd, const struct args *g)
{
	(void)g;
	cmd->op.command = KV_CMD_FLUSH;
}

static void do_dbsize(struct kv_cmd *cmd, const struct args *g)
{
	(void)g;
	cmd->op.command = KV_CMD_STATS;
	cmd->kind = KIND_NUMBER;
}

static void do_info(struct kv_cmd *cmd, const struct args *g)
{
	(void)g;
	cmd->op.command = KV_CMD_STATS;
	cmd->kind = KIND_INFO;
}

/* An answer that repeats an argument: one "operation" for no key at all. */
static void do_echo(struct kv_cmd *cmd, const struct args *g)
{
	for_many(cmd, g, KV_CMD_TEXT, KIND_ECHO, 0);
}

static void do_ping(struct kv_cmd *cmd, const struct args *g)
{
	if (g->n)
		do_echo(cmd, g);
	else
		answer(cmd, "+PONG\r\n");
}

/* redis-benchmark asks for two settings before it begins; all are empty here. */
static void do_config(struct kv_cmd *cmd, const struct args *g)
{
	if (is(g->a[0], "get") && g->n == 2)
		for_many(cmd, g, KV_CMD_TEXT, KIND_CONFIG, 0);
	else
		answer(cmd, is(g->a[0], "get") ? "*0\r\n" : "-ERR CONFIG: only GET\r\n");
}

static void do_ok(struct kv_cmd *cmd, const struct args *g)
{
	(void)g;
	answer(cmd, "+OK\r\n");
}

static void do_none(struct kv_cmd *cmd, const struct args *g)
{
	(void)g;
	answer(cmd, "*0\r\n");
}

static void do_quit(struct kv_cmd *cmd, const struct args *g)
{
	do_ok(cmd, g);
	cmd->op.command = KV_CMD_QUIT;
}

static const struct {
	const char *name;
	uint32_t min;
	uint32_t max;
	void (*act)(struct kv_cmd *cmd, const struct args *g);
} commands[] = {
	{ "get", 1, 1, do_get }, { "set", 2, FIXED_MAX, do_set }, { "mget", 1, ARGS_MAX, do_mget },
	{ "mset", 2, ARGS_MAX, do_mset }, { "incr", 1, 1, do_incr }, { "decr", 1, 1, do_decr },
	{ "incrby", 2, 2, do_incrby }, { "decrby", 2, 2, do_decrby }, { "del", 1, ARGS_MAX, do_del },
	{ "unlink", 1, ARGS_MAX, do_del }, { "exists", 1, ARGS_MAX, do_exists }, { "setnx", 2, 2, do_setnx },
	{ "setex", 3, 3, do_setex }, { "expire", 2, 2, do_expire }, { "persist", 1, 1, do_persist },
	{ "ttl", 1, 1, do_ttl }, { "ping", 0, 1, do_ping }, { "echo", 1, 1, do_echo }, { "flushall", 0, 1, do_flush },
	{ "flushdb", 0, 1, do_flush }, { "dbsize", 0, 0, do_dbsize }, { "info", 0, ARGS_MAX, do_info },
	{ "select", 1, 1, do_ok }, { "client", 1, ARGS_MAX, do_ok }, { "command", 0, ARGS_MAX, do_none },
	{ "config", 2, ARGS_MAX, do_config }, { "quit", 0, 0, do_quit },
};

static void dispatch(struct kv_cmd *cmd, struct arg name, const struct args *g)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!is(name, commands[i].name))
			continue;
		if (g->n < commands[i].min || g->n > commands[i].max)
			answer(cmd, ARGS_WRONG);
		else
			commands[i].act(cmd, g);
		return;
	}
	answer(cmd, "-ERR unknown command\r\n");
}

/* Where the next command begins is not known. */
static bool malformed(struct kv_cmd *cmd, size_t len)
{
	answer(cmd, PROTOCOL);
	cmd->op.command = KV_CMD_QUIT;
	cmd->size = len;
	return true;
}

/* A line of words, as a person types it. */
static bool parse_inline(const char *data, size_t len, struct kv_cmd *cmd)
{
	const char *newline = memchr(data, '\n', len), *pos = data, *end;
	struct args g = { .n = 0 };
	struct arg name, a;

	if (!newline)
		return len < KV_LINE_MAX ? false : malformed(cmd, len);
	end = newline > data && newline[-1] == '\r' ? newline - 1 : newline;
	cmd->inlined = true;
	cmd->size = newline + 1 - data;
	if (!read_word(&pos, end, &name)) {
		answer(cmd, "");	/* Redis is silent about an empty line */
		return true;
	}
	g.first = pos;
	g.end = end;
	while (read_word(&pos, end, &a)) {
		if (g.n < FIXED_MAX)
			g.a[g.n] = a;
		g.n++;
	}
	dispatch(cmd, name, &g);
	return true;
}

/* What most requests are: GET and its key, as clients write them. False: it is not that, or not all of it. */
static bool parse_get(const char *data, size_t len, struct kv_cmd *cmd)
{
	static const char upper[] = "*2\r\n$3\r\nGET\r\n$", lower[] = "*2\r\n$3\r\nget\r\n$";
	const size_t fixed = sizeof(upper) - 1;
	const char *p = data + fixed;
	uint32_t n = 0, digits;

	/* a digit, two line ends and a byte; with three digits the first line end lies within these too */
	if (len < fixed + 6 || (memcmp(data, upper, fixed) && memcmp(data, lower, fixed)))
		return false;
	for (digits = 0; digits < 3 && *p >= '0' && *p <= '9'; digits++)
		n = n * 10 + *p++ - '0';
	if (!n || n > KV_KEY_MAX || p[0] != '\r' || p[1] != '\n')
		return false;
	p += 2;
	if ((size_t)(data + len - p) < n + 2 || p[n] != '\r' || p[n + 1] != '\n')
		return false;
	cmd->op.key = p;
	cmd->op.nkey = n;
	cmd->op.command = KV_CMD_GET;
	cmd->op.resp = true;
	cmd->kind = KIND_VALUE;
	cmd->size = p + n + 2 - data;
	return true;
}

static bool parse(const char *data, size_t len, uint32_t item_max, struct kv_cmd *cmd)
{
	const char *pos = data, *end = data + len;
	struct arg name = { "", 0 }, a;
	struct args g = { .n = 0 };
	int64_t n, i;
	int ret;

	(void)item_max;		/* the store refuses what is too large */
	kv_cmd_clear(cmd);
	if (parse_get(data, len, cmd))
		return true;
	if (data[0] != '*')
		return parse_inline(data, len, cmd);
	ret = read_header(&pos, end, '*', ARGS_MAX, &n);
	if (!ret)
		return false;
	if (ret < 0)
		return malformed(cmd, len);
	for (i = 0; i < n; i++) {
		ret = read_bulk(&pos, end, i ? &a : &name);
		if (!ret)
			return false;
		if (ret < 0)
			return malformed(cmd, len);
		if (!i)
			g.first = pos;
		else if (i <= FIXED_MAX)
			g.a[i - 1] = a;
	}
	cmd->size = pos - data;
	g.n = n ? n - 1 : 0;
	g.end = pos;
	if (n)
		dispatch(cmd, name, &g);
	else
		answer(cmd, "");
	return true;
}

/* ---- commands for many keys ---- */

static int next(struct kv_cmd *cmd, struct kv_op *op)
{
	struct arg key, value = { "", 0 };

	if (!cmd->nkeys)
		return 0;
	cmd->nkeys--;
	/* It was all there when the command was cut out. */
	if (read_arg(cmd, &cmd->keys, cmd->keys_end, &key) <= 0)
		return -1;
	*op = cmd->op;
	op->key = key.p;
	op->nkey = key.len;
	if (op->command == KV_CMD_STORE) {
		if (read_arg(cmd, &cmd->keys, cmd->keys_end, &value) <= 0)
			return -1;
		op->mode = KV_MODE_SET;
		op->value.data = value.p;
		op->value.nbytes = value.len;
	}
	return key.len && key.len <= KV_KEY_MAX ? 1 : -1;
}

static void put_bulk(struct kv_buf *out, struct arg a)
{
	kv_buf_printf(out, "$%zu\r\n", a.len);
	kv_buf_add(out, a.p, a.len);
	kv_buf_str(out, "\r\n");
}

static void begin(const struct kv_cmd *cmd, struct kv_buf *out)
{
	const char *pos = cmd->keys;
	struct arg a = { "", 0 };

	switch (cmd->kind) {
	case KIND_ARRAY:
		kv_buf_printf(out, "*%u\r\n", cmd->nkeys);
		break;
	case KIND_ECHO:
		read_arg(cmd, &pos, cmd->keys_end, &a);
		put_bulk(out, a);
		break;
	case KIND_CONFIG:
		read_arg(cmd, &pos, cmd->keys_end, &a);
		read_arg(cmd, &pos, cmd->keys_end, &a);
		kv_buf_str(out, "*2\r\n");
		put_bulk(out, a);
		kv_buf_str(out, "$0\r\n\r\n");
		break;
	}
}

static void end(const struct kv_cmd *cmd, struct kv_buf *out)
{
	if (cmd->kind == KIND_COUNT)
		kv_buf_printf(out, ":%u\r\n", cmd->done);
	else if (cmd->kind == KIND_OK)
		kv_buf_str(out, cmd->failed ? TOO_LARGE : "+OK\r\n");
}

/* ---- responses ---- */

static void respond(const struct kv_cmd *cmd, const struct kv_op *op, struct kv_buf *out)
{
	bool done = op->status == KV_OK || op->status == KV_STORED;

	if (cmd->kind == KIND_VALUE)
		return;
	if (op->status == KV_TOO_LARGE || op->status == KV_NO_MEMORY)
		kv_buf_str(out, op->status == KV_NO_MEMORY ? "-OOM out of memory\r\n" : TOO_LARGE);
	else if (op->status == KV_NON_NUMERIC)
		kv_buf_str(out, NOT_INTEGER);
	else if (cmd->kind == KIND_FLAG)
		kv_buf_str(out, done ? ":1\r\n" : ":0\r\n");
	else if (cmd->kind == KIND_NUMBER)
		kv_buf_printf(out, ":%lld\r\n", (long long)op->number);
	else
		kv_buf_str(out, done ? "+OK\r\n" : "$-1\r\n");
}

static void info(const struct kv_stats *sum, const struct kv_server *server, struct kv_buf *out)
{
	char text[512];
	int n;

	n = snprintf(text, sizeof(text),
		     "# Server\r\nsluice_version:" SLUICE_VERSION "\r\nuptime_in_seconds:%u\r\n# Memory\r\nmaxmemory:%llu\r\n"
		     "# Stats\r\nkeyspace_hits:%llu\r\nkeyspace_misses:%llu\r\nevicted_keys:%llu\r\n"
		     "# Keyspace\r\ndb0:keys=%llu\r\n", server->now - server->started,
		     (unsigned long long)server->memory, (unsigned long long)sum->get_hits,
		     (unsigned long long)sum->get_misses, (unsigned long long)sum->evictions,
		     (unsigned long long)sum->curr_items);
	put_bulk(out, (struct arg){ text, n });
}

static void all(const struct kv_cmd *cmd, const struct kv_stats *sum, const struct kv_server *server,
		struct kv_buf *out)
{
	if (cmd->op.command == KV_CMD_FLUSH)
		kv_buf_str(out, "+OK\r\n");
	else if (cmd->kind == KIND_INFO)
		info(sum, server, out);
	else
		kv_buf_printf(out, ":%llu\r\n", (unsigned long long)sum->curr_items);
}

const struct kv_dialect kv_resp = {
	.parse = parse,
	.parse_get = parse_get,
	.next = next,
	.begin = begin,
	.end = end,
	.respond = respond,
	.all = all,
	.bad_key = "-ERR a key has 1 to 250 bytes\r\n",
	.no_room = "-ERR the response is too large\r\n",
	.incomplete = "-ERR the command does not end in this message\r\n",
	.no_slots = "-ERR the response is too large for the slot\r\n",
};
