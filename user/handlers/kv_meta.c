// SPDX-License-Identifier: GPL-2.0-only
/* memcached's meta commands (mg, ms, md, ma, me, mn): flags in, results with the flags that were asked for. */
#include <limits.h>

#include "kv_proto.h"
#include "kv_token.h"

#define OPAQUE_MAX	32
#define BAD_FLAG	"CLIENT_ERROR invalid flag\r\n"
#define TWICE_FLAG	"CLIENT_ERROR duplicate flag\r\n"
#define BAD_OR_TWICE	"CLIENT_ERROR invalid or duplicate flag\r\n"
#define BAD_TOKEN	"CLIENT_ERROR bad token in command line format\r\n"
#define BAD_M		"CLIENT_ERROR incorrect length for M token\r\n"
#define BAD_BASE64	"CLIENT_ERROR error decoding key\r\n"
#define LONG_OPAQUE	"CLIENT_ERROR opaque token too long\r\n"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Bytes that @n characters of base64 stand for, at @to; -1 if they are none, or more than a key has. */
static int decode(const char *from, size_t n, char *to)
{
	size_t pad = 0, i, at = 0;
	uint32_t word = 0;
	const char *c;

	if (!n || n % 4)
		return -1;
	while (pad < 2 && from[n - 1 - pad] == '=')
		pad++;
	for (i = 0; i < n; i++) {
		c = i < n - pad ? memchr(alphabet, from[i], sizeof(alphabet)) : alphabet;
		if (!c)
			return -1;
		word = word << 6 | (uint32_t)(c - alphabet);
		if (i % 4 != 3)
			continue;
		if (at + 3 > KV_KEY_MAX + (i + 1 < n ? 0 : pad))
			return -1;
		to[at++] = (char)(word >> 16);
		if (i + 1 < n || pad < 2)
			to[at++] = (char)(word >> 8);
		if (i + 1 < n || pad < 1)
			to[at++] = (char)word;
	}
	return (int)at;
}

static void put_base64(struct kv_buf *out, const char *from, size_t n)
{
	char four[4];
	size_t i;

	for (i = 0; i < n; i += 3) {
		uint32_t word = (uint8_t)from[i] << 16;

		word |= i + 1 < n ? (uint8_t)from[i + 1] << 8 : 0;
		word |= i + 2 < n ? (uint8_t)from[i + 2] : 0;
		four[0] = alphabet[word >> 18];
		four[1] = alphabet[word >> 12 & 63];
		four[2] = i + 1 < n ? alphabet[word >> 6 & 63] : '=';
		four[3] = i + 2 < n ? alphabet[word & 63] : '=';
		kv_buf_add(out, four, 4);
	}
}

/* ---- flags ---- */

/* One flag; the text of what is wrong with it, or NULL. */
static const char *parse_flag(struct kv_meta *m, struct token t)
{
	struct token rest = { t.p + 1, t.len - 1 };

	switch (t.p[0]) {
	case 'b':
		m->binary = true;
		return NULL;
	case 'q':
		m->quiet = true;
		return NULL;
	case 'v':
		m->value = true;
		return NULL;
	case 'u':
		m->no_update = true;
		return NULL;
	case 'I':
		m->invalidate = true;
		return NULL;
	case 'N':
		m->vivify = true;
		return kv_read_s64(rest, &m->vivify_ttl) ? NULL : BAD_TOKEN;
	case 'R':
		m->recache = true;
		return kv_read_s64(rest, &m->recache_ttl) ? NULL : BAD_TOKEN;
	case 'T':
		m->new_ttl = true;
		return kv_read_s64(rest, &m->ttl) ? NULL : BAD_TOKEN;
	case 'C':
		m->has_cas = true;
		return kv_read_u64(rest, &m->cas) ? NULL : BAD_TOKEN;
	case 'D':
		return kv_read_u64(rest, &m->delta) ? NULL : BAD_TOKEN;
	case 'J':
		return kv_read_u64(rest, &m->initial) ? NULL : BAD_TOKEN;
	case 'F':
		return kv_read_u32(rest, &m->client_flags) ? NULL : BAD_TOKEN;
	case 'M':
		m->mode = rest.len ? rest.p[0] : 0;
		return rest.len == 1 ? NULL : BAD_M;
	case 'O':
		return rest.len > OPAQUE_MAX ? LONG_OPAQUE : NULL;
	case 'L': /* hints for proxies */
	case 'P':
	case 'c':
	case 'f':
	case 'h':
	case 'k':
	case 'l':
	case 's':
	case 't':
		return NULL;
	}
	return BAD_FLAG;
}

/* All flags of a line behind @pos, and the key if it is base64. The text of what is wrong, or NULL. */
static const char *parse_flags(struct kv_cmd *cmd, const char *pos, const char *end)
{
	struct kv_meta *m = &cmd->op.meta;
	const char *wrong = NULL, *bad;
	bool seen[128] = { false };
	struct token t;
	int n;

	m->flags = pos;
	m->flags_end = end;
	m->delta = 1;
	while (kv_next_token(&pos, end, &t)) {
		if (t.p[0] < 0 || seen[(int)t.p[0]])
			return TWICE_FLAG;
		seen[(int)t.p[0]] = true;
		bad = parse_flag(m, t);
		if (bad && !strcmp(bad, BAD_FLAG))
			return bad;
		wrong = wrong ? wrong : bad;
	}
	if (wrong || !m->binary)
		return wrong;
	n = decode(cmd->op.key, cmd->op.nkey, cmd->decoded);
	if (n <= 0)
		return BAD_BASE64;
	cmd->op.key = cmd->decoded;
	cmd->op.nkey = (uint32_t)n;
	return NULL;
}

static bool answer(struct kv_cmd *cmd, const char *text)
{
	cmd->op.command = KV_CMD_TEXT;
	cmd->text = text;
	return true;
}

static bool mode_ok(const struct kv_meta *m)
{
	return !m->mode || strchr(m->command == 's' ? "SEAPR" : "ID+-", m->mode);
}

/* ms <key> <bytes> <flag>*: false if the value is not there yet */
static bool parse_set(struct kv_cmd *cmd, const char *pos, const char *end, const char *data, size_t len,
		      uint32_t item_max)
{
	struct kv_value *v = &cmd->op.value;
	const char *wrong;
	int64_t nbytes;
	struct token t;

	if (!kv_next_token(&pos, end, &t) || !kv_read_s64(t, &nbytes) || nbytes < 0 || nbytes > INT_MAX - 2)
		return answer(cmd, KV_BAD_FORMAT);
	v->nbytes = (uint32_t)nbytes;
	wrong = parse_flags(cmd, pos, end);
	v->flags = cmd->op.meta.client_flags;
	cmd->op.exptime = cmd->op.meta.ttl;
	if (v->nbytes <= item_max && len < v->nbytes + 2ULL)
		return false;
	cmd->size += v->nbytes + 2ULL;
	if (wrong)
		return answer(cmd, !strcmp(wrong, BAD_TOKEN) ? KV_BAD_FORMAT : wrong);
	if (!mode_ok(&cmd->op.meta))
		return answer(cmd, "CLIENT_ERROR invalid mode for ms M token\r\n");
	if (v->nbytes > item_max)
		return true;
	v->data = data;
	if (data[v->nbytes] != '\r' || data[v->nbytes + 1] != '\n')
		return answer(cmd, KV_BAD_CHUNK);
	return true;
}

bool kv_meta_parse(struct kv_cmd *cmd, const char *line, const char *end, const char *data, size_t len, uint32_t item_max)
{
	struct kv_meta *m = &cmd->op.meta;
	const char *pos = line + 2, *wrong;
	struct token t, more;

	memset(m, 0, sizeof(*m));
	m->command = line[1];
	cmd->op.command = KV_CMD_META;
	if (m->command == 'n')
		return answer(cmd, "MN\r\n");
	if (!kv_next_token(&pos, end, &t))
		return answer(cmd, m->command == 'e' ? KV_BAD_FORMAT : KV_ERROR);
	cmd->op.key = m->name = t.p;
	cmd->op.nkey = m->nname = (uint32_t)t.len;
	if (t.len > KV_KEY_MAX || (m->command == 'e' && kv_next_token(&pos, end, &more)))
		return answer(cmd, KV_BAD_FORMAT);
	if (m->command == 's')
		return parse_set(cmd, pos, end, data, len, item_max);
	wrong = parse_flags(cmd, pos, end);
	if (wrong && (m->command == 'd' || m->command == 'a') && strcmp(wrong, BAD_BASE64))
		return answer(cmd, BAD_OR_TWICE);
	if (wrong)
		return answer(cmd, wrong);
	if (m->command == 'a' && !mode_ok(m))
		return answer(cmd, "CLIENT_ERROR invalid mode for ma M token\r\n");
	return true;
}

/* ---- execution ---- */

static void put_number(struct kv_buf *out, char flag, int64_t number)
{
	kv_buf_printf(out, " %c%lld", flag, (long long)number);
}

static int64_t ttl_of(const struct kv_store *s, const struct kv_item *it)
{
	return it->exptime ? (int64_t)it->exptime - kv_store_now(s) : -1;
}

/* The key as the client wrote it, or, if it was stored by a base64 key, in base64. */
static void put_key(struct kv_store *s, const struct kv_item *it, const struct kv_op *op, struct kv_buf *out)
{
	char key[KV_KEY_MAX];

	kv_buf_str(out, " k");
	if (it && it->marks & KV_ITEM_BINARY) {
		kv_item_key(s, it, key);
		put_base64(out, key, it->nkey);
	} else {
		kv_buf_add(out, op->meta.name, op->meta.nname);
	}
	if (it ? it->marks & KV_ITEM_BINARY : op->meta.binary)
		kv_buf_str(out, " b");
}

/*
 * The flags that ask for something, in the order in which they were given. @it: what they ask about, NULL: nothing was
 * found. @size: bytes of the value; @was: marks and time of use before this command
 */
static void put_flags(struct kv_store *s, const struct kv_item *it, const struct kv_op *op, uint8_t was, uint32_t used,
		      struct kv_buf *out)
{
	const char *pos = op->meta.flags;
	bool get = op->meta.command == 'g';
	struct token t;

	while (kv_next_token(&pos, op->meta.flags_end, &t)) {
		if (t.p[0] == 'O') {
			kv_buf_str(out, " ");
			kv_buf_add(out, t.p, t.len);
		} else if (t.p[0] == 'k') {
			put_key(s, it, op, out);
		} else if (!it) {
			continue;
		} else if (t.p[0] == 'c') {
			put_number(out, 'c', (int64_t)it->cas);
		} else if (t.p[0] == 't' && op->meta.command != 's') {
			put_number(out, 't', ttl_of(s, it));
		} else if (t.p[0] == 's' && get) {
			put_number(out, 's', it->nbytes);
		} else if (t.p[0] == 'f' && get) {
			put_number(out, 'f', it->flags);
		} else if (t.p[0] == 'h' && get) {
			put_number(out, 'h', !!(was & KV_ITEM_FETCHED));
		} else if (t.p[0] == 'l' && get) {
			put_number(out, 'l', kv_store_now(s) - used);
		}
	}
}

/* A result without a value: @code and what was asked for. */
static void put_result(struct kv_store *s, const struct kv_item *it, const struct kv_op *op, const char *code,
		       struct kv_buf *out)
{
	kv_buf_str(out, code);
	put_flags(s, it, op, 0, 0, out);
	kv_buf_str(out, "\r\n");
}

static void put_value(struct kv_store *s, const struct kv_item *it, struct kv_buf *out)
{
	if (!kv_buf_room(out, it->nbytes + 2ULL))
		return;
	kv_item_copy(s, it, 0, out->data + out->len, it->nbytes);
	out->len += it->nbytes;
	kv_buf_str(out, "\r\n");
}

/* Count a get as memcached does: one that sets the time to live touches, one that makes the item hits. */
static void count_get(struct kv_store *s, const struct kv_meta *m, bool hit)
{
	struct kv_stats *stats = kv_store_stats(s);

	if (m->new_ttl) {
		stats->cmd_touch++;
		*(hit ? &stats->touch_hits : &stats->touch_misses) += 1;
	} else {
		stats->cmd_get++;
		*(hit ? &stats->get_hits : &stats->get_misses) += 1;
	}
}

/* Mark what was stored. Return: it, or NULL if its time to live is over already. */
static struct kv_item *mark(struct kv_store *s, const struct kv_op *op, uint8_t marks)
{
	struct kv_item *it = kv_store_peek(s, op->key, op->nkey);

	if (it)
		it->marks = marks | (op->meta.binary ? KV_ITEM_BINARY : 0);
	return it;
}

/* False: it cannot be stored. */
static bool vivify(struct kv_store *s, const struct kv_op *op, const void *data, uint32_t n)
{
	struct kv_value v = { .data = data, .nbytes = n, .exptime = kv_expiry(op->meta.vivify_ttl, kv_store_now(s)) };

	if (kv_store_put(s, KV_MODE_ADD, op->key, op->nkey, &v) != KV_STORED)
		return false;
	mark(s, op, 0);
	return true;
}

/*
 * Who may fetch the value anew: the one that made the item, the first to see it stale, or soon to expire. W: you; Z:
 * somebody else; X: it is stale.
 */
static void put_winner(struct kv_store *s, struct kv_item *it, const struct kv_meta *m, bool made, struct kv_buf *out)
{
	bool sent = it->marks & KV_ITEM_SENT, won = made;

	if (m->recache && !made && !sent && it->exptime && ttl_of(s, it) < m->recache_ttl)
		won = true;
	if (sent)
		kv_buf_str(out, " Z");
	if (it->marks & KV_ITEM_STALE) {
		kv_buf_str(out, " X");
		won |= !sent;
	}
	if (won) {
		kv_buf_str(out, " W");
		it->marks |= KV_ITEM_SENT;
	}
}

static void execute_get(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	struct kv_item *it = kv_store_peek(s, op->key, op->nkey);
	struct kv_meta *m = &op->meta;
	uint8_t was = it ? it->marks : 0;
	uint32_t used = it ? it->used : 0;
	bool made = false;

	if (!it && m->vivify && vivify(s, op, "", 0)) {
		it = kv_store_peek(s, op->key, op->nkey);
		made = true;
		used = kv_store_now(s);
	}
	count_get(s, m, it || made);
	if (!it && made) {
		/* it was made, and its time was over at once: whoever asks for that is to fetch it all the same */
		kv_buf_str(out, m->value ? "VA 0" : "HD");
		put_flags(s, NULL, op, 0, 0, out);
		kv_buf_str(out, m->value ? " W\r\n\r\n" : " W\r\n");
		return;
	}
	if (!it) {
		if (!m->quiet)
			put_result(s, NULL, op, "EN", out);
		return;
	}
	if (m->new_ttl && !made)
		it->exptime = kv_expiry(m->ttl, kv_store_now(s));
	if (m->value)
		kv_buf_printf(out, "VA %u", it->nbytes);
	else
		kv_buf_str(out, "HD");
	put_flags(s, it, op, was, used, out);
	put_winner(s, it, m, made, out);
	kv_buf_str(out, "\r\n");
	if (m->value)
		put_value(s, it, out);
	if (!m->no_update && !made)
		kv_store_use(s, it);
}

static const char *code_of(enum kv_status status)
{
	switch (status) {
	case KV_STORED:
	case KV_OK:
		return "HD";
	case KV_NOT_STORED:
		return "NS";
	case KV_EXISTS:
		return "EX";
	case KV_NOT_FOUND:
		return "NF";
	case KV_TOO_LARGE:
		return KV_TOO_LARGE_TEXT;
	case KV_NO_MEMORY:
		return "SERVER_ERROR out of memory storing object\r\n";
	case KV_NON_NUMERIC:
		break;
	}
	return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
}

/* How a command that is no get ended: its code, with flags if it is one; nothing for a success that is to be quiet. */
static void put_status(struct kv_store *s, struct kv_op *op, enum kv_status status, const struct kv_item *it,
		       struct kv_buf *out)
{
	const char *code = code_of(status);

	if (code[2])
		kv_buf_str(out, code);
	else if (!op->meta.quiet || (status != KV_STORED && status != KV_OK))
		put_result(s, it, op, code, out);
}

static void execute_set(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	struct kv_item *old = kv_store_peek(s, op->key, op->nkey), *it = NULL;
	const struct kv_meta *m = &op->meta;
	enum kv_mode mode = KV_MODE_SET;
	enum kv_status status;
	uint8_t marks = 0;

	switch (m->mode) {
	case 'E':
		mode = KV_MODE_ADD;
		break;
	case 'A':
		mode = KV_MODE_APPEND;
		break;
	case 'P':
		mode = KV_MODE_PREPEND;
		break;
	case 'R':
		mode = KV_MODE_REPLACE;
		break;
	}
	op->value.exptime = kv_expiry(op->exptime, kv_store_now(s));
	op->value.cas = m->cas;
	if (m->has_cas && mode == KV_MODE_SET)
		mode = KV_MODE_CAS;
	if (m->has_cas && m->invalidate && old && m->cas < old->cas) {
		/* an old value is better than none: it replaces the newer one's, which it leaves stale */
		op->value.exptime = old->exptime;
		op->value.cas = old->cas;
		marks = KV_ITEM_STALE | (old->marks & KV_ITEM_SENT);
	}
	if (m->has_cas && mode != KV_MODE_CAS && old && op->value.cas != old->cas)
		status = KV_EXISTS;
	else
		status = kv_store_put(s, mode, op->key, op->nkey, &op->value);
	if (status == KV_STORED)
		it = mark(s, op, marks);
	put_status(s, op, status, it, out);
}

static void execute_delete(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	struct kv_item *it = kv_store_peek(s, op->key, op->nkey);
	const struct kv_meta *m = &op->meta;
	enum kv_status status = KV_OK;

	if (it && m->has_cas && it->cas != m->cas) {
		put_status(s, op, KV_EXISTS, it, out);
		return;
	}
	if (it && m->invalidate) {
		if (m->new_ttl)
			it->exptime = kv_expiry(m->ttl, kv_store_now(s));
		it->marks = (it->marks & ~KV_ITEM_SENT) | KV_ITEM_STALE;
		kv_store_renew(s, it);
		put_status(s, op, status, it, out);
		return;
	}
	if (it && !m->quiet)
		put_status(s, op, status, it, out);
	status = kv_store_delete(s, op->key, op->nkey);
	if (status != KV_OK)
		put_status(s, op, status, NULL, out);
}

static void execute_arith(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	struct kv_item *it = kv_store_peek(s, op->key, op->nkey);
	const struct kv_meta *m = &op->meta;
	enum kv_status status = KV_OK;
	bool made = !it && m->vivify;
	unsigned int n;
	char digits[20];

	if (it && m->has_cas && it->cas != m->cas)
		status = KV_EXISTS;
	else if (!made)
		status = kv_store_arith(s, op->key, op->nkey, m->mode != 'D' && m->mode != '-', m->delta, &op->number);
	else if (!vivify(s, op, digits, kv_digits(digits, m->initial)))
		status = KV_NO_MEMORY;
	if (status != KV_OK) {
		put_status(s, op, status, NULL, out);
		return;
	}
	it = kv_store_peek(s, op->key, op->nkey);
	if (m->new_ttl && it && !made) {
		it->exptime = kv_expiry(m->ttl, kv_store_now(s));
		it = kv_store_peek(s, op->key, op->nkey);
	}
	if (!m->value || m->quiet) {
		put_status(s, op, KV_OK, it, out);
		return;
	}
	/* the number, without the blanks that keep a shorter one's length in the store */
	n = kv_digits(digits, made ? m->initial : op->number);
	kv_buf_printf(out, "VA %u", n);
	put_flags(s, it, op, 0, 0, out);
	kv_buf_str(out, "\r\n");
	kv_buf_add(out, digits, n);
	kv_buf_str(out, "\r\n");
}

/* For people: what there is to know of an item. */
static void execute_debug(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	struct kv_item *it = kv_store_peek(s, op->key, op->nkey);

	if (!it) {
		kv_buf_str(out, "EN\r\n");
		return;
	}
	kv_buf_str(out, "ME ");
	kv_buf_add(out, op->meta.name, op->meta.nname);
	kv_buf_printf(out, " exp=%lld la=%u cas=%llu fetch=%s cls=1 size=%u\r\n", (long long)ttl_of(s, it),
		      kv_store_now(s) - it->used, (unsigned long long)it->cas, it->marks & KV_ITEM_FETCHED ? "yes" : "no",
		      KV_ITEM_HEADER + it->nkey + it->nbytes);
}

void kv_meta_execute(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	kv_store_stats(s)->cmd_meta++;
	switch (op->meta.command) {
	case 'g':
		execute_get(s, op, out);
		break;
	case 's':
		execute_set(s, op, out);
		break;
	case 'd':
		execute_delete(s, op, out);
		break;
	case 'a':
		execute_arith(s, op, out);
		break;
	case 'e':
		execute_debug(s, op, out);
		break;
	}
	op->status = KV_OK;
}
