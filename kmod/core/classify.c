// SPDX-License-Identifier: GPL-2.0-only
/* The lookup: which rule of a compiled set takes a message. */
#include "ruleset.h"
#include "token.h"

/* What one lookup knows of its message; each token is searched once, and only if a shape asks. */
struct lookup {
	const u8 *data;
	u32 limit;	/* bytes that may be read */
	bool whole;	/* the message ends at @limit */
	struct sluice_cursor cursor[SLUICE_STREAMS_MAX];
	u16 index[SLUICE_STREAMS_MAX];	/* of the token at the cursor */
	u8 next[SLUICE_STREAMS_MAX];	/* first of the set's tokens not searched yet */
	u16 start[SLUICE_TOKENS_MAX];
	u16 len[SLUICE_TOKENS_MAX];	/* 0: no such token, or empty: equals no word */
	u64 key[SLUICE_KEY_WORDS_MAX];
};

/* Search tokens of a stream up to and including token @t. */
static void search_tokens(struct lookup *lu, const struct sluice_ruleset *rs, u32 s, u32 t)
{
	const struct sluice_stream *stream = &rs->streams[s];
	u32 start = 0;
	int len;

	while (lu->next[s] <= t) {
		len = sluice_cursor_next(&lu->cursor[s], lu->data, lu->limit, lu->whole,
					 stream->delim, &start);
		if (len >= 0 && lu->index[s]++ != rs->token_index[lu->next[s]])
			continue;
		lu->start[lu->next[s]] = start;
		lu->len[lu->next[s]] = len > 0 ? len : 0;
		lu->next[s]++;
	}
}

static bool put_token(struct lookup *lu, const struct sluice_ruleset *rs,
		      const struct sluice_field *f, u64 *key)
{
	u32 s = rs->token_stream[f->token];
	u32 pos, rest, len, i;

	if (lu->next[s] <= f->token)
		search_tokens(lu, rs, s, f->token);
	len = lu->len[f->token];
	if (!len || len > f->longest)
		return false;
	pos = lu->start[f->token];
	rest = len;
	for (i = 0; rest >= 8; i++, pos += 8, rest -= 8)
		key[i] = sluice_load64(lu->data + pos);
	key[i++] = sluice_load_part(lu->data, lu->limit, pos, rest);
	while (i < f->words)
		key[i++] = 0;
	key[i - 1] |= (u64)len << 56;
	return true;
}

static void put_text(const struct lookup *lu, const struct sluice_field *f, u64 *key)
{
	u32 pos = f->offset, rest = f->width;

	for (; rest >= 8; pos += 8, rest -= 8)
		*key++ = sluice_load64(lu->data + pos);
	if (rest)
		*key = sluice_load_part(lu->data, lu->limit, pos, rest);
}

static u64 load_bytes(const u8 *p, u32 width)
{
	switch (width) {
	case 1:
		return *p;
	case 2:
		return sluice_load16(p);
	case 4:
		return sluice_load32(p);
	}
	return sluice_load64(p);
}

/* Read the shape's fields; false if one cannot match. The caller checked length and family. */
static bool build_key(struct lookup *lu, const struct sluice_ruleset *rs,
		      const struct sluice_shape *shape, const struct sluice_msg *msg)
{
	const struct sluice_field *f = shape->fields;
	const struct sluice_field *end = f + shape->nfields;
	u64 *key = lu->key;

	for (; f < end; key += f->words, f++) {
		switch (f->type) {
		case SLUICE_FIELD_SRC4:
			key[0] = sluice_load32(msg->saddr) & f->mask[0];
			break;
		case SLUICE_FIELD_SRC6:
			key[0] = sluice_load64(msg->saddr) & f->mask[0];
			key[1] = sluice_load64(msg->saddr + 8) & f->mask[1];
			break;
		case SLUICE_FIELD_BYTES:
			key[0] = load_bytes(lu->data + f->offset, f->width) & f->mask[0];
			break;
		case SLUICE_FIELD_TEXT:
			put_text(lu, f, key);
			break;
		case SLUICE_FIELD_TOKEN:
			if (!put_token(lu, rs, f, key))
				return false;
			break;
		}
	}
	return true;
}

static bool same_key(const u64 *a, const u64 *b, u32 words)
{
	u32 i;

	for (i = 0; i < words; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* Value behind a key, 0 if there is none. Ends: at least half of the slots are empty. */
static u32 probe(const struct sluice_shape *shape, const u64 *key)
{
	u32 hash = sluice_key_words_hash(key, shape->words, shape->seed);
	u32 stride = 1 + shape->words;
	const u64 *slot;
	u32 i;

	for (i = hash & shape->table_mask;; i = (i + 1) & shape->table_mask) {
		slot = shape->table + (size_t)i * stride;
		if (!(u32)*slot)
			return 0;
		if (*slot >> 32 == hash && same_key(slot + 1, key, shape->words))
			return (u32)*slot;
	}
}

/* Rank plus 1 of the best rule of a run that takes messages of @len bytes, or 0. */
static u32 run_value(const struct sluice_interval *run, u32 len)
{
	u32 low = 1, high = run->prefix_max, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (run[mid].prefix_max < len)
			low = mid + 1;
		else
			high = mid;
	}
	return run[low].value;
}

static void lookup_init(struct lookup *lu, const struct sluice_ruleset *rs,
			const struct sluice_msg *msg)
{
	u32 limit = msg->len < msg->avail ? msg->len : msg->avail;
	u32 s;

	lu->data = msg->data;
	lu->limit = limit < SLUICE_DEPTH_MAX ? limit : SLUICE_DEPTH_MAX;
	lu->whole = lu->limit == msg->len;
	for (s = 0; s < rs->nstreams; s++) {
		sluice_cursor_init(&lu->cursor[s], rs->streams[s].offset, lu->limit);
		lu->index[s] = 0;
		lu->next[s] = rs->streams[s].first;
	}
}

/**
 * sluice_ruleset_match() - find the rule that takes a message
 * @rs: compiled set
 * @msg: message; hostile
 *
 * Context: any; takes no lock and does not allocate. The set must not be freed meanwhile.
 * Return: index of the spec, the first in (order, index) of those all of whose matches hold; -1 if
 * there is none.
 */
int sluice_ruleset_match(const struct sluice_ruleset *rs, const struct sluice_msg *msg)
{
	const struct sluice_shape *shape = rs->shapes;
	const struct sluice_shape *end = shape + rs->nshapes;
	u32 best = U32_MAX, value;
	struct lookup lu sluice_uninit;

	lookup_init(&lu, rs, msg);
	for (; shape < end && shape->best < best; shape++) {
		if (lu.limit < shape->need || (shape->family && shape->family != msg->family))
			continue;
		if (!build_key(&lu, rs, shape, msg))
			continue;
		value = probe(shape, lu.key);
		if (value & SLUICE_VALUE_RUN)
			value = run_value(shape->runs + (value & ~SLUICE_VALUE_RUN), msg->len);
		if (value && value - 1 < best)
			best = value - 1;
	}
	return best == U32_MAX ? -1 : (int)rs->rules[best];
}

/* How many first bytes of a message the set needs to be seen, at most SLUICE_DEPTH_MAX. */
u32 sluice_ruleset_depth(const struct sluice_ruleset *rs)
{
	return rs->depth;
}

/* NULL is nothing. Context: may sleep; nobody reads the set any more. */
void sluice_ruleset_free(struct sluice_ruleset *rs)
{
	u32 i;

	if (!rs)
		return;
	for (i = 0; i < rs->nshapes; i++) {
		sluice_port_free(rs->shapes[i].table);
		sluice_port_free(rs->shapes[i].runs);
	}
	sluice_port_free(rs->shapes);
	sluice_port_free(rs->rules);
	sluice_port_free(rs);
}
