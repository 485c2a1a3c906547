/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of a compiled rule set, shared by the compiler and the lookup only. */
#ifndef SLUICE_CORE_RULESET_H
#define SLUICE_CORE_RULESET_H

#include "classify.h"

/*
 * Rules are ranked by (order, index); a rank stands for a rule inside the set. Rules that look at
 * the same fields under the same masks form a shape. A shape has one hash table; the key is what
 * the fields hold, as 64-bit words. So a lookup costs a probe for each shape, whatever the number
 * of rules. Length ranges are no part of the key: behind a key stands one rank, or a run of
 * disjoint length intervals with the best rank of each.
 *
 * A set is immutable once compiled, and may be read by any number of CPUs.
 */
enum sluice_field_type {
	SLUICE_FIELD_SRC4,
	SLUICE_FIELD_SRC6,
	SLUICE_FIELD_BYTES,
	SLUICE_FIELD_TEXT,
	SLUICE_FIELD_TOKEN,
};

struct sluice_field {
	u8 type;	/* enum sluice_field_type */
	u8 width;	/* SRC: prefix bits; BYTES, TEXT: bytes; TOKEN: index */
	u8 delim;	/* TOKEN */
	u8 words;	/* of the key; TOKEN: room for the shape's longest word and its length */
	u16 offset;
	u8 token;	/* TOKEN: index in the set's tokens */
	u8 longest;	/* TOKEN: bytes of the shape's longest word */
	u64 mask[2];	/* SRC, BYTES: as loaded from memory */
};

/* The length stands in the highest byte of the last word, so the bytes leave that one free. */
#define SLUICE_TOKEN_WORDS(longest)	((longest) / 8 + 1)
#define SLUICE_KEY_WORDS_MAX	(SLUICE_MATCHES_MAX * SLUICE_TOKEN_WORDS(SLUICE_WORD_LEN_MAX))

/*
 * A table slot is a head word (hash above, value below) and the key's words. A value is 0 for an
 * empty slot, a rank plus 1, or SLUICE_VALUE_RUN and the index of a run in @runs.
 */
#define SLUICE_VALUE_RUN	0x80000000U

struct sluice_interval {
	u32 prefix_max;	/* inclusive; in a run's first entry: number of intervals */
	u32 value;	/* rank plus 1, or 0: no rule */
};

struct sluice_shape {
	u32 best;	/* lowest rank in it */
	u32 table_mask;	/* slots less one; at most half of them are filled */
	u16 need;	/* bytes that its fields need */
	u8 family;	/* needed source family, 0: any */
	u8 nfields;
	u8 words;	/* of a key */
	u64 seed;	/* of the hash */
	u64 *table;
	struct sluice_interval *runs;
	struct sluice_field fields[SLUICE_MATCHES_MAX];
};

/* Tokens that share offset and delimiter are found by one scan. */
struct sluice_stream {
	u16 offset;
	u8 delim;
	u8 first;	/* its tokens, by ascending index */
};

struct sluice_ruleset {
	u32 nshapes;
	u32 nrules;
	u16 depth;
	u8 nstreams;
	u8 ntokens;
	u32 *rules;	/* index of the spec, by rank */
	struct sluice_shape *shapes;	/* by best rank */
	struct sluice_stream streams[SLUICE_STREAMS_MAX];
	u8 token_stream[SLUICE_TOKENS_MAX];
	u8 token_index[SLUICE_TOKENS_MAX];
};

/* Spread every bit of @word over the state. */
static inline u64 sluice_mix(u64 h, u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

static inline u32 sluice_mix_end(u64 h)
{
	h *= 0xd6e8feb86659fd93ULL;
	h ^= h >> 29;
	h *= 0xa3ec647659359acdULL;
	return h >> 32;
}

static inline u32 sluice_key_words_hash(const u64 *key, u32 words, u64 seed)
{
	u64 h = seed;
	u32 i;

	for (i = 0; i < words; i++)
		h = sluice_mix(h, key[i]);
	return sluice_mix_end(h);
}

/* While compiling: one rule under one combination of its words. */
struct sluice_entry {
	u32 key;	/* index of its key */
	u32 rank;
	u32 min;	/* message length */
	u32 max;
};

int sluice_rules_check(const struct sluice_rule_spec *specs, u32 n,
		       struct sluice_compile_error *err);

int sluice_table_build(struct sluice_shape *shape, u64 *keys, struct sluice_entry *entries, u32 n);

#endif /* SLUICE_CORE_RULESET_H */
