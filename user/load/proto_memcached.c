// SPDX-License-Identifier: GPL-2.0-only
/* Protocol `memcached`: the text protocol behind the UDP frame header, with values that can be verified. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "load/load.h"

#define FRAME		8	/* request id, number of this datagram, datagrams, reserved; 16 bits each */
#define PARTS_MAX	64
#define PART_SIZE	2048
#define KEY_LEN		12	/* "key" and nine digits */
#define LINE_MAX_LEN	128
#define MULTI_MAX	100
#define VALUE_MAX	1024
#define PRELOAD_WINDOW	32
#define PRELOAD_RETRY_NS	(200 * 1000000ull)
#define PRELOAD_TRIES	25

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
	memset(buf, 0, FRAME);
	buf[0] = (u8)(id >> 8);
	buf[1] = (u8)id;
	buf[5] = 1;
}

static u8 value_byte(u32 key, u32 i)
{
	return (u8)('a' + (key * 7 + i) % 26);
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

	if (opt->value_size > VALUE_MAX) {
		snprintf(error, room, "--value-size %llu does not fit a set in one datagram: give at most %d",
			 (unsigned long long)opt->value_size, VALUE_MAX);
		return false;
	}
	if (pending > IDS / 2) {
		snprintf(error, room, "%llu requests a second and socket outrun memcached's 16 bits of request id within "
			 "the timeout: use at least --sockets %llu, or a shorter --timeout",
			 (unsigned long long)per_socket,
			 (unsigned long long)(opt->sockets * pending / (IDS / 2) + 1));
		return false;
	}
	if (opt->multi_get > opt->keys) {
		snprintf(error, room, "--multi-get %llu asks for more keys than there are: give at least --keys %llu",
			 (unsigned long long)opt->multi_get, (unsigned long long)opt->multi_get);
		return false;
	}
	return true;
}

static u32 mc_request_max(const struct options *opt)
{
	return FRAME + LINE_MAX_LEN + VALUE_MAX + (u32)opt->multi_get * (KEY_LEN + 1);
}

static u32 put_set(u8 *buf, u16 id, u32 key, u32 size)
{
	u32 at = FRAME;
	u32 i;

	put_frame(buf, id);
	at += (u32)snprintf((char *)buf + at, LINE_MAX_LEN, "set key%09u %u 0 %u\r\n", key, value_flags(key), size);
	for (i = 0; i < size; i++)
		buf[at++] = value_byte(key, i);
	buf[at++] = '\r';
	buf[at++] = '\n';
	return at;
}

static u32 put_get(u8 *buf, u16 id, u32 key, u32 n, u32 keys)
{
	u32 at = FRAME + 3;
	u32 i;

	put_frame(buf, id);
	memcpy(buf + FRAME, "get", 3);
	for (i = 0; i < n; i++)
		at += (u32)snprintf((char *)buf + at, LINE_MAX_LEN, " key%09u", (key + i) % keys);
	buf[at++] = '\r';
	buf[at++] = '\n';
	return at;
}

static u32 mc_build(struct worker *w, struct flight *f, u8 *buf)
{
	const struct options *opt = w->opt;

	f->key = (u32)rng_below(&w->rng, opt->keys);
	f->next = f->found = 0;
	f->had[0] = f->had[1] = 0;
	f->ended = false;
	f->keys = rng_unit(&w->rng) <= opt->get_ratio ? (u16)opt->multi_get : 0;
	if (!f->keys)
		return put_set(buf, (u16)f->seq, f->key, (u32)opt->value_size);
	return put_get(buf, (u16)f->seq, f->key, f->keys, (u32)opt->keys);
}

static bool mc_identify(const struct options *opt, const u8 *buf, u32 len, u32 *seq, u32 *mask)
{
	(void)opt;
	if (len < FRAME)
		return false;
	*seq = get16(buf);
	*mask = IDS - 1;
	return true;
}

static bool starts(const u8 *p, u32 len, const char *text, u32 n)
{
	return n && len >= n && !memcmp(p, text, n);
}

/* One "VALUE key flags bytes\r\ndata\r\n" of the expected key; bytes used, or 0 if it is not that. */
static u32 match_value(const u8 *p, u32 len, u32 key, u32 size)
{
	char line[LINE_MAX_LEN];
	u32 n, i;

	n = (u32)snprintf(line, sizeof(line), "VALUE key%09u %u %u\r\n", key, value_flags(key), size);
	if (len < n + size + 2 || memcmp(p, line, n))
		return 0;
	for (i = 0; i < size; i++) {
		if (p[n + i] != value_byte(key, i))
			return 0;
	}
	return !memcmp(p + n + size, "\r\n", 2) ? n + size + 2 : 0;
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
		n = match_value(p + used, len - used, (u32)((f->key + i) % w->opt->keys), (u32)w->opt->value_size);
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
	if (f->counted) {
		WRITE_ONCE(w->counts.hits, w->counts.hits + f->found);
		WRITE_ONCE(w->counts.misses, w->counts.misses + f->keys - f->found);
	}
	return VERDICT_ANSWERED;
}

/* Values that END has overtaken were counted as misses. */
static bool mc_more(struct worker *w, struct flight *f, const u8 *buf, u32 len)
{
	u32 before = f->found;

	if (!f->ended || len <= FRAME || get16(buf + 4) != 1 || take_values(w, f, buf + FRAME, len - FRAME) != len - FRAME)
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

	if (total > PARTS_MAX || number >= total || len > FRAME + PART_SIZE || len == FRAME)
		return VERDICT_WRONG;
	if (!f->parts)
		f->parts = calloc(1, sizeof(*f->parts));
	if (!f->parts)
		return VERDICT_PARTIAL;	/* out of memory: the request will count as lost */
	if (f->parts->total && f->parts->total != total)
		return VERDICT_WRONG;
	f->parts->total = total;
	f->parts->got += !f->parts->len[number];
	f->parts->len[number] = len - FRAME;
	memcpy(f->parts->data[number], buf + FRAME, len - FRAME);
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
	if (len < FRAME)
		return VERDICT_WRONG;
	/* memcached 1.6 sends these ahead when the first keys of a get are not there */
	if (f->keys > 1 && len == FRAME && !get16(buf + 4))
		return VERDICT_PARTIAL;
	if (!get16(buf + 4))
		return VERDICT_WRONG;
	if (get16(buf + 4) > 1)
		return assemble(w, f, buf, len);
	return judge_text(w, f, buf + FRAME, len - FRAME);
}

/* ---- preload: every key is set, and read back, before the run ---- */

struct preload {
	const struct options *opt;
	int fd;
	u32 done;			/* keys read back */
	u32 next;			/* next key to ask for */
	char said[96];			/* the last answer that was neither */
	struct {
		u32 key;
		u32 tries;		/* 0: free */
		bool stored;		/* acknowledged: to be read back */
		u64 sent_ns;
	} window[PRELOAD_WINDOW];
};

static void preload_send(struct preload *p, u32 i)
{
	u8 buf[FRAME + LINE_MAX_LEN + VALUE_MAX];
	u32 key = p->window[i].key;
	u16 id = (u16)(key % IDS);
	u32 len;

	if (p->window[i].stored)
		len = put_get(buf, id, key, 1, (u32)p->opt->keys);
	else
		len = put_set(buf, id, key, (u32)p->opt->value_size);
	/* a send that fails is repeated by the timeout like one that is lost */
	(void)!send(p->fd, buf, len, MSG_DONTWAIT);
	p->window[i].sent_ns = now_ns();
	p->window[i].tries++;
}

/* Send what is new or was not answered in time. False when a key was tried too often. */
static bool preload_fill(struct preload *p)
{
	u32 i;

	for (i = 0; i < PRELOAD_WINDOW; i++) {
		if (p->window[i].tries) {
			if (now_ns() - p->window[i].sent_ns < PRELOAD_RETRY_NS)
				continue;
			if (p->window[i].tries >= PRELOAD_TRIES)
				return false;
		} else if (p->next < p->opt->keys) {
			p->window[i].key = p->next++;
			p->window[i].stored = false;
		} else {
			continue;
		}
		preload_send(p, i);
	}
	return true;
}

/* An answer to what window @i waits for. False: it is another. */
static bool preload_answer(struct preload *p, u32 i, const u8 *text, u32 len)
{
	u32 n;

	if (!p->window[i].stored) {
		if (len != 8 || memcmp(text, "STORED\r\n", 8))
			return false;
		p->window[i].stored = true;
		p->window[i].tries = 0;
		preload_send(p, i);
		return true;
	}
	/* the answer to a set that was repeated */
	if (len == 8 && !memcmp(text, "STORED\r\n", 8))
		return true;
	n = match_value(text, len, p->window[i].key, (u32)p->opt->value_size);
	if (!n || len - n != 5 || memcmp(text + n, "END\r\n", 5))
		return false;
	p->window[i].tries = 0;
	p->done++;
	return true;
}

static void preload_take(struct preload *p)
{
	u8 buf[PART_SIZE];
	ssize_t n;
	u32 i;

	while ((n = recv(p->fd, buf, sizeof(buf) - 1, MSG_DONTWAIT)) >= FRAME) {
		buf[n] = 0;
		for (i = 0; i < PRELOAD_WINDOW; i++)
			if (p->window[i].tries && (u16)(p->window[i].key % IDS) == get16(buf))
				break;
		if (i < PRELOAD_WINDOW && !preload_answer(p, i, buf + FRAME, (u32)n - FRAME))
			snprintf(p->said, sizeof(p->said), "; the last answer was: %.*s",
				 (int)strcspn((const char *)buf + FRAME, "\r"), (const char *)buf + FRAME);
	}
}

static int mc_prepare(const struct options *opt, char *error, size_t room)
{
	struct preload p = { .opt = opt };
	struct pollfd pfd;

	if (opt->preload_off)
		return 0;
	p.fd = open_socket(opt);
	if (p.fd < 0)
		return p.fd;
	pfd.fd = p.fd;
	pfd.events = POLLIN;
	while (p.done < opt->keys) {
		if (!preload_fill(&p)) {
			snprintf(error, room, "preload: %u of %llu keys were stored and read back, then no right answer for "
				 "%llu s; does a memcached server answer UDP at %s, with memory for all keys?%s", p.done,
				 (unsigned long long)opt->keys,
				 (unsigned long long)(PRELOAD_TRIES * PRELOAD_RETRY_NS / NS_PER_S), opt->target, p.said);
			close(p.fd);
			return -ETIMEDOUT;
		}
		poll(&pfd, 1, (int)(PRELOAD_RETRY_NS / 1000000));
		preload_take(&p);
	}
	close(p.fd);
	return 0;
}

const struct proto proto_memcached = {
	.name = "memcached",
	.check_options = mc_check_options,
	.build = mc_build,
	.identify = mc_identify,
	.judge = mc_judge,
	.more = mc_more,
	.prepare = mc_prepare,
	.request_max = mc_request_max,
};
