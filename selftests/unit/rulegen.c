// SPDX-License-Identifier: GPL-2.0-only
/* Owns the making of rules and messages that meet each other often, and the plain answer to them. */
#include <stdlib.h>
#include <string.h>

#include "rulegen.h"

static const char *const vocabulary[] = {
	"get", "gets", "set", "a", "ab", "abc", "key", "key:1", "key:10", "1234567", "12345678",
	"123456789", "abcdefghijklmno", "abcdefghijklmnop", "abcdefghijklmnopq",
	"0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef",
};

static const u8 delims[] = { ' ', ' ', '\t', ':', ',', '|', 0, 'a', 0xff };
static const u16 offsets[] = { 0, 0, 0, 1, 2, 3, 4, 7, 8, 16, 31, 480, 504, 508, 511 };
static const u32 lengths[] = { 0, 1, 2, 3, 4, 7, 8, 9, 12, 16, 17, 31, 40, 511, 512, 513, 600, U32_MAX };
static const u8 octets[] = { 0, 1, 10, 127, 128, 192, 255, 'g' };

#define ONE_OF(c, array)	((array)[pick(c, sizeof(array) / sizeof((array)[0]))])

u32 pick(struct choices *c, u32 n)
{
	u32 v = 0;

	if (n < 2)
		return 0;
	if (c->left) {
		v = *c->data++;
		c->left--;
		if (n > 256 && c->left) {
			v |= (u32)*c->data++ << 8;
			c->left--;
		}
		return v % n;
	}
	if (!c->state)
		return 0;
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return (c->state * 0x9e3779b97f4a7c15ULL >> 32) % n;
}

static bool wildly(const struct rulegen *g, struct choices *c)
{
	return g->wild && !pick(c, 24);
}

static void clear_host_bits(u8 *addr, u32 prefix)
{
	u32 i;

	for (i = prefix; i < 128; i++)
		addr[i / 8] &= ~(0x80 >> i % 8);
}

static void make_address(struct choices *c, u8 *addr)
{
	u32 i;

	for (i = 0; i < 16; i++)
		addr[i] = ONE_OF(c, octets);
}

static void make_src(struct rulegen *g, struct choices *c, struct sluice_match *m)
{
	static const u8 prefixes[] = { 0, 1, 8, 9, 24, 31, 32, 48, 63, 64, 65, 127, 128 };

	m->src.family = pick(c, 2) ? 4 : 6;
	m->src.prefix = ONE_OF(c, prefixes);
	if (m->src.family == 4 && m->src.prefix > 32)
		m->src.prefix = 32;
	make_address(c, m->src.addr);
	clear_host_bits(m->src.addr, m->src.prefix);
	if (wildly(g, c))
		m->src.family = pick(c, 256);
	if (wildly(g, c))
		m->src.prefix = pick(c, 256);
}

static void make_length(struct rulegen *g, struct choices *c, struct sluice_match *m)
{
	u32 a = ONE_OF(c, lengths), b = ONE_OF(c, lengths);

	m->length.min = a < b ? a : b;
	m->length.max = a < b ? b : a;
	if (wildly(g, c))
		m->length.min = pick(c, 600);
}

static void make_bytes(struct rulegen *g, struct choices *c, struct sluice_match *m)
{
	static const u64 masks[] = { ~0ULL, ~0ULL, ~0ULL, 0xff, 0xf0f0f0f0f0f0f0f0, 0x8000000000000001, 1 };
	u32 i;

	m->bytes.offset = ONE_OF(c, offsets);
	m->bytes.width = 1 << pick(c, 4);
	while (m->bytes.offset + m->bytes.width > SLUICE_DEPTH_MAX)
		m->bytes.width /= 2;
	m->bytes.mask = ONE_OF(c, masks);
	if (m->bytes.width < 8)
		m->bytes.mask &= (1ULL << 8 * m->bytes.width) - 1;
	if (!m->bytes.mask)
		m->bytes.mask = 1;
	m->bytes.value = 0;
	for (i = 0; i < m->bytes.width; i++)
		m->bytes.value = m->bytes.value << 8 | ONE_OF(c, octets);
	m->bytes.value &= m->bytes.mask;
	if (wildly(g, c))
		m->bytes.width = pick(c, 256);
	if (wildly(g, c))
		m->bytes.offset = pick(c, 65536);
	if (wildly(g, c))
		m->bytes.mask = pick(c, 65536);
}

static void make_word(struct rulegen *g, struct choices *c, u8 *len, u8 *bytes)
{
	const char *word = ONE_OF(c, vocabulary);

	*len = strlen(word);
	memcpy(bytes, word, *len);
	if (wildly(g, c))
		*len = pick(c, 256);
	else if (!pick(c, 8))
		bytes[pick(c, *len)] = pick(c, 256);
}

static void make_token(struct rulegen *g, struct choices *c, struct sluice_match *m, struct sluice_word *words)
{
	u32 i;

	m->token.token.offset = ONE_OF(c, offsets);
	m->token.token.index = pick(c, 8) ? pick(c, 4) : pick(c, 256);
	m->token.token.delim = ONE_OF(c, delims);
	m->token.nwords = 1 + pick(c, pick(c, 4) ? 3 : SLUICE_WORDS_MAX);
	m->token.words = words;
	for (i = 0; i < m->token.nwords; i++)
		make_word(g, c, &words[i].len, words[i].bytes);
	if (wildly(g, c))
		m->token.nwords = pick(c, SLUICE_WORDS_MAX + 1);
	if (wildly(g, c))
		m->token.token.offset = pick(c, 65536);
	if (wildly(g, c))
		m->token.token.delim = pick(c, 256);
	if (wildly(g, c))
		m->token.words = NULL;
}

static void make_match(struct rulegen *g, struct choices *c, struct sluice_match *m, struct sluice_word *words)
{
	memset(m, 0, sizeof(*m));
	m->type = pick(c, 5);
	switch (m->type) {
	case SLUICE_MATCH_SRC:
		make_src(g, c, m);
		break;
	case SLUICE_MATCH_LENGTH:
		make_length(g, c, m);
		break;
	case SLUICE_MATCH_BYTES:
		make_bytes(g, c, m);
		break;
	case SLUICE_MATCH_TEXT:
		m->text.offset = ONE_OF(c, offsets);
		make_word(g, c, &m->text.len, m->text.bytes);
		if (!g->wild && m->text.offset + m->text.len > SLUICE_DEPTH_MAX)
			m->text.offset = SLUICE_DEPTH_MAX - m->text.len;
		break;
	case SLUICE_MATCH_TOKEN:
		make_token(g, c, m, words);
		break;
	}
	if (wildly(g, c))
		m->type = pick(c, 256);
}

void rulegen_rules(struct rulegen *g, struct choices *c, u32 max_rules)
{
	u32 r, i;

	g->nrules = pick(c, max_rules + 1);
	for (r = 0; r < g->nrules; r++) {
		u32 n = pick(c, 4) ? pick(c, 3) : pick(c, SLUICE_MATCHES_MAX + 1);

		for (i = 0; i < n; i++)
			make_match(g, c, &g->matches[r][i], g->words[r][i]);
		/* The same fields again, other values: rules of one shape, and of one key. */
		if (r && !pick(c, 3)) {
			n = g->specs[r - 1].nmatches <= SLUICE_MATCHES_MAX ? g->specs[r - 1].nmatches : 0;
			memcpy(g->matches[r], g->matches[r - 1], sizeof(g->matches[r]));
			for (i = 0; i < n; i++)
				if (g->matches[r][i].type == SLUICE_MATCH_LENGTH)
					make_length(g, c, &g->matches[r][i]);
		}
		g->specs[r].order = pick(c, 4);
		g->specs[r].nmatches = wildly(g, c) ? pick(c, 256) : n;
		g->specs[r].matches = wildly(g, c) ? NULL : g->matches[r];
		if (g->specs[r].matches && g->specs[r].nmatches > SLUICE_MATCHES_MAX)
			g->specs[r].nmatches = SLUICE_MATCHES_MAX + 1;
	}
}

/* Write what a match wants into the message. */
static void please(struct choices *c, const struct sluice_match *m, u8 *buf, struct sluice_msg *msg)
{
	u32 i, pos;

	switch (m->type) {
	case SLUICE_MATCH_SRC:
		msg->family = m->src.family;
		for (i = 0; i < 16 && m->src.prefix; i++)
			msg->saddr[i] ^= (msg->saddr[i] ^ m->src.addr[i]) & (i * 8 < m->src.prefix ? 0xff : 0);
		break;
	case SLUICE_MATCH_LENGTH:
		msg->len = pick(c, 2) ? m->length.min : m->length.max;
		break;
	case SLUICE_MATCH_BYTES:
		for (i = 0; i < m->bytes.width && m->bytes.width <= 8; i++)
			if (m->bytes.offset + i < RULEGEN_MESSAGE)
				buf[m->bytes.offset + i] = m->bytes.value >> 8 * (m->bytes.width - 1 - i);
		break;
	case SLUICE_MATCH_TEXT:
		for (i = 0; i < m->text.len && i < SLUICE_WORD_LEN_MAX; i++)
			if (m->text.offset + i < RULEGEN_MESSAGE)
				buf[m->text.offset + i] = m->text.bytes[i];
		break;
	case SLUICE_MATCH_TOKEN:
		if (!m->token.nwords || !m->token.words)
			break;
		pos = m->token.token.offset;
		for (i = 0; i < m->token.token.index && pos < RULEGEN_MESSAGE; i++) {
			if (pick(c, 2))
				buf[pos++] = 'x';
			if (pos < RULEGEN_MESSAGE)
				buf[pos++] = m->token.token.delim;
		}
		i = pick(c, m->token.nwords);
		for (u32 k = 0; k < m->token.words[i].len && k < SLUICE_WORD_LEN_MAX; k++)
			if (pos < RULEGEN_MESSAGE)
				buf[pos++] = m->token.words[i].bytes[k];
		if (pos < RULEGEN_MESSAGE && pick(c, 2))
			buf[pos] = pick(c, 2) ? m->token.token.delim : "\r\n"[pick(c, 2)];
		else if (pick(c, 2))
			msg->len = pos;
		break;
	}
}

void rulegen_message(const struct rulegen *g, struct choices *c, u8 *buf, struct sluice_msg *msg)
{
	static const u8 families[] = { 4, 6, 0 };
	struct choices fill = { .state = 1 + pick(c, 65536) };
	u32 i, r;

	memset(msg, 0, sizeof(*msg));
	for (i = 0; i < RULEGEN_MESSAGE; i++)
		buf[i] = ONE_OF(&fill, octets);
	msg->data = buf;
	msg->len = pick(c, 3) ? ONE_OF(c, lengths) : pick(c, RULEGEN_MESSAGE + 1);
	msg->family = ONE_OF(c, families);
	make_address(c, msg->saddr);
	if (g->nrules) {
		r = pick(c, g->nrules);
		for (i = 0; i < g->specs[r].nmatches && i < SLUICE_MATCHES_MAX && g->specs[r].matches; i++)
			if (pick(c, 16))
				please(c, &g->specs[r].matches[i], buf, msg);
	}
	for (i = pick(c, 4); i > 2; i--)
		buf[pick(c, 40)] = pick(c, 256);
	if (msg->len > RULEGEN_MESSAGE)
		msg->len = RULEGEN_MESSAGE;
	msg->avail = msg->len;
}

void rulegen_key(struct sluice_key *key, struct choices *c)
{
	memset(key, 0, sizeof(*key));
	key->type = pick(c, 4);
	key->offset = pick(c, 2) ? ONE_OF(c, offsets) : pick(c, 65536);
	key->len = pick(c, 2) ? pick(c, 64) : pick(c, 65536);
	key->token.offset = ONE_OF(c, offsets);
	key->token.index = pick(c, 2) ? pick(c, 4) : pick(c, 256);
	key->token.delim = pick(c, 2) ? ONE_OF(c, delims) : pick(c, 256);
}

int rulegen_oracle(const struct sluice_rule_spec *specs, u32 n, const struct sluice_msg *msg)
{
	int best = -1;
	u32 r, i;

	for (r = 0; r < n; r++) {
		for (i = 0; i < specs[r].nmatches; i++)
			if (!sluice_match_one(&specs[r].matches[i], msg))
				break;
		if (i == specs[r].nmatches && (best < 0 || specs[r].order < specs[best].order))
			best = r;
	}
	return best;
}
