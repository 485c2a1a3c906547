// SPDX-License-Identifier: GPL-2.0-only
/* Protocol `memcached`: its text protocol, over UDP behind the frame header, with values that can be verified. */
#include <stdio.h>

#include "load/load.h"

#define PARTS_MAX	64
#define PART_SIZE	2048

struct assembly {
	u32 total;
	u32 got;
	u32 len[PARTS_MAX];
	u8 data[PARTS_MAX][PART_SIZE];
};

void assembly_free(struct flight *f)
{
	free(f->parts);
	f->parts = NULL;
}

static u16 get16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static void put_frame(u8 *buf, u16 id)
{
	memset(buf, 0, MC_FRAME);
	buf[0] = (u8)(id >> 8);
	buf[1] = (u8)id;
	buf[5] = 1;
}

/* Client flags of a key's value: verified like the value. */
static u32 value_flags(u32 key)
{
	return key & 0xffff;
}

static bool mc_check_options(struct options *opt, char *error, size_t room)
{
	u64 per_socket = opt->rate / opt->sockets;
	u64 pending = per_socket * (opt->timeout_ns / 1000000 + 1) / 1000;

	if (!opt->tcp && opt->value_size > MC_VALUE_MAX) {
		snprintf(error, room, "--value-size %llu does not fit a set in one datagram: give at most %d, or "
			 "--transport tcp", (unsigned long long)opt->value_size, MC_VALUE_MAX);
		return false;
	}
	if (!opt->tcp && pending > IDS / 2) {
		snprintf(error, room, "%llu requests a second and socket outrun memcached's 16 bits of request id within "
			 "the timeout: use at least --sockets %llu, or a shorter --timeout",
			 (unsigned long long)per_socket,
			 (unsigned long long)(opt->sockets * pending / (IDS / 2) + 1));
		return false;
	}
	return keyed_check_options(opt, error, room);
}

static u32 mc_request_max(const struct options *opt)
{
	return MC_FRAME + MC_LINE_MAX + (u32)opt->value_size + (u32)opt->multi_get * (KEY_LEN + 1);
}

static u32 put_text(const struct options *opt, const struct flight *f, u8 *buf)
{
	u32 at = 3;
	u32 i;

	if (!f->keys) {
		at = (u32)snprintf((char *)buf, MC_LINE_MAX, "set key%09u %u 0 %u\r\n", f->key, value_flags(f->key),
				   (u32)opt->value_size);
		return at + keyed_put_value(buf + at, f->key, (u32)opt->value_size);
	}
	memcpy(buf, "get", 3);
	for (i = 0; i < f->keys; i++)
		at += (u32)snprintf((char *)buf + at, MC_LINE_MAX, " key%09u", keyed_key(opt, f, i));
	memcpy(buf + at, "\r\n", 2);
	return at + 2;
}

static u32 mc_put(const struct options *opt, const struct flight *f, u8 *buf)
{
	if (opt->tcp)
		return put_text(opt, f, buf);
	put_frame(buf, (u16)f->seq);
	return MC_FRAME + put_text(opt, f, buf + MC_FRAME);
}

static u32 mc_build(struct worker *w, struct flight *f, u8 *buf)
{
	keyed_pick(w, f);
	return mc_put(w->opt, f, buf);
}

static bool mc_identify(const struct options *opt, const u8 *buf, u32 len, u32 *seq, u32 *mask)
{
	(void)opt;
	if (len < MC_FRAME)
		return false;
	*seq = get16(buf);
	*mask = IDS - 1;
	return true;
}

/* A block of "VALUE key flags bytes": bytes of the line and the value. */
static enum cut_result cut_value(const struct options *opt, const u8 *line, const u8 *end, u64 *total)
{
	u64 n = 0;
	const u8 *p = end;

	/* the line's last word */
	while (p > line && p[-1] >= '0' && p[-1] <= '9')
		p--;
	if (p == end || end - p > 9 || p[-1] != ' ')
		return CUT_BAD;
	for (; p < end; p++)
		n = n * 10 + (*p - '0');
	*total = (u64)(end - line) + 2 + n + 2;
	return n > stream_reply_max(opt) ? CUT_BAD : CUT_DONE;
}

/* One line, unless it begins a value: then what follows the value, too. */
static enum cut_result mc_cut(const struct options *opt, const u8 *buf, u32 len, struct cut *reply)
{
	u64 at = 0, total;

	while (at < len) {
		const u8 *line = buf + at;
		const u8 *end = memchr(line, '\n', len - at);

		if (!end)
			return CUT_MORE;
		if (end == line || end[-1] != '\r')
			return CUT_BAD;
		if (!starts(line, (u32)(end - line), "VALUE ", 6)) {
			reply->at = 0;
			reply->total = reply->len = (u32)(end + 1 - buf);
			return CUT_DONE;
		}
		if (cut_value(opt, line, end - 1, &total) != CUT_DONE)
			return CUT_BAD;
		at += total;
	}
	return CUT_MORE;
}

/* One "VALUE key flags bytes\r\ndata\r\n" of the expected key; bytes used, or 0 if it is not that. */
u32 mc_match_value(const u8 *p, u32 len, u32 key, u32 size)
{
	char line[MC_LINE_MAX];
	u32 n;

	n = (u32)snprintf(line, sizeof(line), "VALUE key%09u %u %u\r\n", key, value_flags(key), size);
	if (len < n + size + 2 || memcmp(p, line, n) || !keyed_is_value(p + n, key, size))
		return 0;
	return n + size + 2;
}

/*
 * Values of keys that were asked for and have not come yet, as many as there are; the bytes used. A server sends them in
 * the order of the keys, but datagrams may overtake each other.
 */
static u32 take_values(struct worker *w, struct flight *f, const u8 *p, u32 len)
{
	u32 used = 0, tried = 0, n, i;

	while (tried < f->keys && starts(p + used, len - used, "VALUE ", 6)) {
		i = (f->next + tried++) % f->keys;
		if (f->had[i / 64] >> i % 64 & 1)
			continue;
		n = mc_match_value(p + used, len - used, keyed_key(w->opt, f, i), (u32)w->opt->value_size);
		if (!n)
			continue;
		f->had[i / 64] |= 1ull << i % 64;
		f->next = (u16)((i + 1) % f->keys);
		f->found++;
		used += n;
		tried = 0;
	}
	return used;
}

/*
 * The answer, or the next part of it: memcached 1.6 sends a datagram for each key, each as if it were the only one, and
 * END with the last.
 */
static enum verdict judge_get(struct worker *w, struct flight *f, const u8 *p, u32 len)
{
	u32 n = take_values(w, f, p, len);

	if (n && n == len)
		return VERDICT_PARTIAL;
	if (len - n != 5 || memcmp(p + n, "END\r\n", 5))
		return VERDICT_WRONG;
	f->ended = true;
	keyed_count(w, f);
	return VERDICT_ANSWERED;
}

/* Values that END has overtaken were counted as misses. */
static bool mc_more(struct worker *w, struct flight *f, const u8 *buf, u32 len)
{
	u32 before = f->found;

	if (!f->ended || len <= MC_FRAME || get16(buf + 4) != 1 || take_values(w, f, buf + MC_FRAME, len - MC_FRAME) != len - MC_FRAME)
		return false;
	if (f->counted) {
		WRITE_ONCE(w->counts.hits, w->counts.hits + f->found - before);
		WRITE_ONCE(w->counts.misses, w->counts.misses - (f->found - before));
	}
	return true;
}

static enum verdict judge_text(struct worker *w, struct flight *f, const u8 *p, u32 len)
{
	if (starts(p, len, w->opt->refused, w->opt->refused_len))
		return VERDICT_REFUSED;
	if (f->keys)
		return judge_get(w, f, p, len);
	return len == 8 && !memcmp(p, "STORED\r\n", 8) ? VERDICT_ANSWERED : VERDICT_WRONG;
}

/* Keep one datagram of several; VERDICT_PARTIAL until all are there. */
static enum verdict assemble(struct worker *w, struct flight *f, const u8 *buf, u32 len)
{
	u32 number = get16(buf + 2);
	u32 total = get16(buf + 4);
	enum verdict v;
	u32 i, sum = 0;
	u8 *all;

	if (total > PARTS_MAX || number >= total || len > MC_FRAME + PART_SIZE || len == MC_FRAME)
		return VERDICT_WRONG;
	if (!f->parts)
		f->parts = calloc(1, sizeof(*f->parts));
	if (!f->parts)
		return VERDICT_PARTIAL;	/* out of memory: the request will count as lost */
	if (f->parts->total && f->parts->total != total)
		return VERDICT_WRONG;
	f->parts->total = total;
	f->parts->got += !f->parts->len[number];
	f->parts->len[number] = len - MC_FRAME;
	memcpy(f->parts->data[number], buf + MC_FRAME, len - MC_FRAME);
	if (f->parts->got < total)
		return VERDICT_PARTIAL;
	all = malloc((size_t)total * PART_SIZE);
	if (!all)
		return VERDICT_PARTIAL;
	for (i = 0; i < total; i++) {
		memcpy(all + sum, f->parts->data[i], f->parts->len[i]);
		sum += f->parts->len[i];
	}
	v = judge_text(w, f, all, sum);
	free(all);
	/* all datagrams are here: there is no rest to come */
	return v == VERDICT_PARTIAL ? VERDICT_WRONG : v;
}

static enum verdict mc_judge(struct worker *w, struct flight *f, const u8 *buf, u32 len)
{
	enum verdict v;

	if (w->opt->tcp) {
		/* a reply as a whole */
		v = judge_text(w, f, buf, len);
		return v == VERDICT_PARTIAL ? VERDICT_WRONG : v;
	}
	if (len < MC_FRAME)
		return VERDICT_WRONG;
	/* memcached 1.6 sends these ahead when the first keys of a get are not there */
	if (f->keys > 1 && len == MC_FRAME && !get16(buf + 4))
		return VERDICT_PARTIAL;
	if (!get16(buf + 4))
		return VERDICT_WRONG;
	if (get16(buf + 4) > 1)
		return assemble(w, f, buf, len);
	return judge_text(w, f, buf + MC_FRAME, len - MC_FRAME);
}

static int mc_prepare(const struct options *opt, char *error, size_t room)
{
	return opt->tcp ? preload_tcp(opt, error, room) : preload_udp(opt, error, room);
}

const struct proto proto_memcached = {
	.name = "memcached",
	.udp = true,
	.ordered = true,
	.check_options = mc_check_options,
	.build = mc_build,
	.put = mc_put,
	.identify = mc_identify,
	.cut = mc_cut,
	.judge = mc_judge,
	.more = mc_more,
	.prepare = mc_prepare,
	.request_max = mc_request_max,
};
