// SPDX-License-Identifier: GPL-2.0-only
/* What each single match means, message by message; steering keys and their hash. */
#include "ruleset.h"
#include "token.h"

static u32 visible(const struct sluice_msg *msg)
{
	u32 limit = msg->len < msg->avail ? msg->len : msg->avail;

	return limit < SLUICE_DEPTH_MAX ? limit : SLUICE_DEPTH_MAX;
}

static bool match_src(const struct sluice_match *m, const struct sluice_msg *msg)
{
	u32 i;

	if (msg->family != m->src.family)
		return false;
	for (i = 0; i < m->src.prefix && i < 8 * sizeof(msg->saddr); i++)
		if ((msg->saddr[i / 8] ^ m->src.addr[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static bool match_bytes(const struct sluice_match *m, const struct sluice_msg *msg)
{
	u64 v = 0;
	u32 i;

	if (m->bytes.offset + m->bytes.width > visible(msg))
		return false;
	for (i = 0; i < m->bytes.width; i++)
		v = v << 8 | msg->data[m->bytes.offset + i];
	return (v & m->bytes.mask) == m->bytes.value;
}

static bool match_text(const struct sluice_match *m, const struct sluice_msg *msg)
{
	if (m->text.offset + m->text.len > visible(msg))
		return false;
	return !memcmp(msg->data + m->text.offset, m->text.bytes, m->text.len);
}

static bool ends_token(u8 byte, u8 delim)
{
	return byte == delim || byte == '\r' || byte == '\n';
}

/* The token at t->index, by its definition, a byte at a time. Return its length or -1. */
static int find_token(const struct sluice_token *t, const struct sluice_msg *msg, u32 *start)
{
	bool blank = t->delim == ' ' || t->delim == '\t';
	u32 limit = visible(msg);
	u32 pos = t->offset, index;

	for (index = 0; pos <= limit; index++) {
		while (blank && pos < limit && msg->data[pos] == t->delim)
			pos++;
		*start = pos;
		while (pos < limit && !ends_token(msg->data[pos], t->delim))
			pos++;
		if (pos == limit && limit < msg->len)
			return -1;
		if (blank && pos == *start)
			return -1;
		if (index == t->index)
			return pos - *start;
		if (pos == limit || msg->data[pos] != t->delim)
			return -1;
		pos++;
	}
	return -1;
}

static bool match_token(const struct sluice_match *m, const struct sluice_msg *msg)
{
	u32 start, i;
	int len = find_token(&m->token.token, msg, &start);

	if (len < 0)
		return false;
	for (i = 0; i < m->token.nwords; i++)
		if (m->token.words[i].len == len &&
		    !memcmp(m->token.words[i].bytes, msg->data + start, len))
			return true;
	return false;
}

/**
 * sluice_match_one() - whether one match of a rule holds, in the plainest way
 * @m: match that sluice_ruleset_compile() accepted
 * @msg: message
 *
 * Slow; for explaining decisions, and the definition that the compiled set is tested against.
 */
bool sluice_match_one(const struct sluice_match *m, const struct sluice_msg *msg)
{
	switch (m->type) {
	case SLUICE_MATCH_SRC:
		return match_src(m, msg);
	case SLUICE_MATCH_LENGTH:
		return msg->len >= m->length.min && msg->len <= m->length.max;
	case SLUICE_MATCH_BYTES:
		return match_bytes(m, msg);
	case SLUICE_MATCH_TEXT:
		return match_text(m, msg);
	case SLUICE_MATCH_TOKEN:
		return match_token(m, msg);
	}
	return false;
}

/**
 * sluice_hash_bytes() - hash in which every output bit depends on every input bit and the seed
 * @data: bytes
 * @len: number of @data
 * @seed: keeps who does not know it from guessing where a key goes; no proof against an observer
 */
u32 sluice_hash_bytes(const u8 *data, u32 len, u32 seed)
{
	u64 h = sluice_mix((u64)len << 32 | seed, 0x2545f4914f6cdd1dULL);
	u32 pos = 0;

	for (; pos + 8 <= len; pos += 8)
		h = sluice_mix(h, sluice_load64(data + pos));
	if (pos < len)
		h = sluice_mix(h, sluice_load_part(data, len, pos, len - pos));
	return sluice_mix_end(h);
}

/* How many first bytes of a message a key needs to be seen. */
u32 sluice_key_depth(const struct sluice_key *key)
{
	u32 end = key->offset + key->len;

	switch (key->type) {
	case SLUICE_KEY_BYTES:
		return end < SLUICE_DEPTH_MAX ? end : SLUICE_DEPTH_MAX;
	case SLUICE_KEY_TOKEN:
		return SLUICE_DEPTH_MAX;
	}
	return 0;
}

static int key_token(const struct sluice_token *t, const struct sluice_msg *msg, u32 *start)
{
	u32 limit = visible(msg), i;
	struct sluice_cursor c;
	int len = -1;

	sluice_cursor_init(&c, t->offset, limit);
	for (i = 0; i <= t->index; i++) {
		len = sluice_cursor_next(&c, msg->data, limit, limit == msg->len, t->delim, start);
		if (len < 0)
			break;
	}
	return len;
}

/**
 * sluice_key_hash() - hash of a message's steering key
 * @key: key that sluice_key_check() accepted
 * @msg: message, with min(len, sluice_key_depth()) bytes available
 * @seed: of the group
 * @hash: set if there is a key
 *
 * A message that ends within a key of BYTES has what is there as its key. An empty token is no key.
 *
 * Return: false if the message has no such key; steer by the flow then.
 */
bool sluice_key_hash(const struct sluice_key *key, const struct sluice_msg *msg, u32 seed,
		     u32 *hash)
{
	u32 limit = visible(msg);
	u32 start = key->offset;
	int len = -1;

	switch (key->type) {
	case SLUICE_KEY_BYTES:
		if (start >= limit)
			return false;
		len = limit - start < key->len ? limit - start : key->len;
		break;
	case SLUICE_KEY_TOKEN:
		len = key_token(&key->token, msg, &start);
		break;
	}
	if (len <= 0)
		return false;
	*hash = sluice_hash_bytes(msg->data + start, len, seed);
	return true;
}
