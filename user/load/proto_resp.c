// SPDX-License-Identifier: GPL-2.0-only
/* Protocol `resp`: GET, MGET and SET as Redis takes them, over TCP, with values that can be verified. */
#include <stdio.h>

#include "load/load.h"

#define HEAD_MAX	32	/* "$", digits, "\r\n", and such */

static bool resp_check_options(struct options *opt, char *error, size_t room)
{
	return keyed_check_options(opt, error, room);
}

static u32 resp_request_max(const struct options *opt)
{
	return 4 * HEAD_MAX + (u32)opt->value_size + (u32)opt->multi_get * (KEY_LEN + HEAD_MAX);
}

static u32 put_head(u8 *buf, char type, u32 n)
{
	return (u32)snprintf((char *)buf, HEAD_MAX, "%c%u\r\n", type, n);
}

static u32 put_word(u8 *buf, const char *word)
{
	return (u32)snprintf((char *)buf, 2UL * HEAD_MAX, "$%zu\r\n%s\r\n", strlen(word), word);
}

static u32 put_key(u8 *buf, u32 key)
{
	char word[16];

	snprintf(word, sizeof(word), "key%09u", key);
	return put_word(buf, word);
}

static u32 resp_put(const struct options *opt, const struct flight *f, u8 *buf)
{
	u32 at, i;

	if (!f->keys) {
		at = put_head(buf, '*', 3);
		at += put_word(buf + at, "SET");
		at += put_key(buf + at, f->key);
		at += put_head(buf + at, '$', (u32)opt->value_size);
		return at + keyed_put_value(buf + at, f->key, (u32)opt->value_size);
	}
	at = put_head(buf, '*', 1 + f->keys);
	at += put_word(buf + at, f->keys > 1 ? "MGET" : "GET");
	for (i = 0; i < f->keys; i++)
		at += put_key(buf + at, keyed_key(opt, f, i));
	return at;
}

static u32 resp_build(struct worker *w, struct flight *f, u8 *buf)
{
	keyed_pick(w, f);
	return resp_put(w->opt, f, buf);
}

/* The number of a head such as "$12", or -1 for what is not there. */
static bool read_number(const u8 *p, const u8 *end, s64 *n)
{
	if (end - p == 2 && p[0] == '-' && p[1] == '1') {
		*n = -1;
		return true;
	}
	if (p == end || end - p > 9)
		return false;
	for (*n = 0; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		*n = *n * 10 + (*p - '0');
	}
	return true;
}

/* A reply is one element; an array puts as many more in its place. */
static enum cut_result resp_cut(const struct options *opt, const u8 *buf, u32 len, struct cut *reply)
{
	u64 at = 0, elements = 1, max = stream_reply_max(opt);

	while (elements && at < len) {
		const u8 *line = buf + at;
		const u8 *end = memchr(line, '\n', len - at);
		s64 n = -1;

		if (!strchr("+-:$*", *line) || !*line)
			return CUT_BAD;
		if (!end)
			return CUT_MORE;
		if (end - line < 2 || end[-1] != '\r')
			return CUT_BAD;
		if ((*line == '$' || *line == '*') && !read_number(line + 1, end - 1, &n))
			return CUT_BAD;
		at += (u64)(end + 1 - line);
		elements--;
		if (*line == '*' && n > 0)
			elements += (u64)n;
		else if (*line == '$' && n >= 0)
			at += (u64)n + 2;
		/* each element takes four bytes or more */
		if (at + 4 * elements > max)
			return CUT_BAD;
	}
	if (elements || at > len)
		return CUT_MORE;
	reply->at = 0;
	reply->total = reply->len = (u32)at;
	return CUT_DONE;
}

/* One "$size\r\nvalue\r\n" of the key, or "$-1\r\n"; bytes used, or 0 if it is neither. */
static u32 match_value(const u8 *p, u32 len, u32 key, u32 size, bool *found)
{
	u8 head[HEAD_MAX];
	u32 n = put_head(head, '$', size);

	*found = false;
	if (starts(p, len, "$-1\r\n", 5))
		return 5;
	if (len < n + size + 2 || memcmp(p, head, n) || !keyed_is_value(p + n, key, size))
		return 0;
	*found = true;
	return n + size + 2;
}

static enum verdict judge_get(struct worker *w, struct flight *f, const u8 *p, u32 len)
{
	u8 head[HEAD_MAX];
	u32 i, n = 0;
	bool found;

	if (f->keys > 1)
		n = put_head(head, '*', f->keys);
	if (len < n || memcmp(p, head, n))
		return VERDICT_WRONG;
	for (i = 0; i < f->keys; i++) {
		p += n;
		len -= n;
		n = match_value(p, len, keyed_key(w->opt, f, i), (u32)w->opt->value_size, &found);
		if (!n)
			return VERDICT_WRONG;
		f->found += found;
	}
	if (len != n)
		return VERDICT_WRONG;
	keyed_count(w, f);
	return VERDICT_ANSWERED;
}

static enum verdict resp_judge(struct worker *w, struct flight *f, const u8 *buf, u32 len)
{
	if (starts(buf, len, w->opt->refused, w->opt->refused_len))
		return VERDICT_REFUSED;
	if (f->keys)
		return judge_get(w, f, buf, len);
	return len == 5 && !memcmp(buf, "+OK\r\n", 5) ? VERDICT_ANSWERED : VERDICT_WRONG;
}

const struct proto proto_resp = {
	.name = "resp",
	.ordered = true,
	.check_options = resp_check_options,
	.build = resp_build,
	.put = resp_put,
	.cut = resp_cut,
	.judge = resp_judge,
	.prepare = preload_tcp,
	.request_max = resp_request_max,
};
