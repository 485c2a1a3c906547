/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rule sets: compile matches into hashed tables, find the rule that takes a message, extract
 * steering keys.
 */
#ifndef SLUICE_CORE_CLASSIFY_H
#define SLUICE_CORE_CLASSIFY_H

#include "port.h"

#define SLUICE_MATCHES_MAX	8	/* matches of one rule; all must hold */
#define SLUICE_WORDS_MAX	16	/* words of one token match; one must equal */
#define SLUICE_WORD_LEN_MAX	32	/* bytes of a word or text */
#define SLUICE_DEPTH_MAX	512	/* only this many first bytes of a message are looked at */
#define SLUICE_RULES_MAX	65536	/* rules of one set */
#define SLUICE_SHAPES_MAX	64	/* distinct combinations of fields and masks in one set */
#define SLUICE_EXPAND_MAX	256	/* combinations of words of one rule */
#define SLUICE_KEYS_MAX		(1U << 20)	/* combinations of words of all rules of one set */
#define SLUICE_KEYS_BYTES_MAX	(32U << 20)	/* memory of their keys */
#define SLUICE_TOKENS_MAX	64	/* distinct tokens one set looks at */
#define SLUICE_STREAMS_MAX	8	/* distinct (offset, delimiter) of those tokens */

enum sluice_match_type {
	SLUICE_MATCH_SRC,	/* source address under a prefix */
	SLUICE_MATCH_LENGTH,	/* message length in [min, max] */
	SLUICE_MATCH_BYTES,	/* 1, 2, 4 or 8 bytes at an offset, under a mask, network order */
	SLUICE_MATCH_TEXT,	/* bytes at an offset equal a text */
	SLUICE_MATCH_TOKEN,	/* n-th token equals one of a set of words */
};

struct sluice_word {
	u8 len;
	u8 bytes[SLUICE_WORD_LEN_MAX];
};

/*
 * Tokens: the message from byte @offset on, up to the first CR or LF or its end, cut at @delim. If
 * @delim is a space or a tab, runs of it count as one and leading ones are skipped; any other
 * delimiter separates at each place, and tokens may be empty. Tokens are counted from 0. Only the
 * first SLUICE_DEPTH_MAX bytes of the message are looked at: a token that does not end there is not
 * matched.
 */
struct sluice_token {
	u16 offset;
	u8 index;
	u8 delim;
};

struct sluice_match {
	u8 type;	/* enum sluice_match_type */
	union {
		struct {
			u8 family;	/* 4 or 6 */
			u8 prefix;	/* bits, 0..32 or 0..128 */
			u8 addr[16];	/* network order; IPv4 in the first four */
		} src;
		struct {
			u32 min;
			u32 max;
		} length;
		struct {
			u16 offset;
			u8 width;	/* 1, 2, 4 or 8 bytes */
			u64 mask;
			u64 value;	/* value & ~mask must be 0 */
		} bytes;
		struct {
			u16 offset;
			u8 len;
			u8 bytes[SLUICE_WORD_LEN_MAX];
		} text;
		struct {
			struct sluice_token token;
			u8 nwords;
			const struct sluice_word *words;	/* needed only while compiling */
		} token;
	};
};

struct sluice_rule_spec {
	u32 order;	/* lower is looked at first; equal: lower index first */
	u32 nmatches;	/* 0 matches everything */
	const struct sluice_match *matches;
};

/* A message as the classifier sees it. */
struct sluice_msg {
	const u8 *data;	/* @avail readable bytes */
	u32 avail;	/* at least min(len, depth of the set) */
	u32 len;	/* whole message */
	u8 family;	/* 4, 6, or 0: no source address */
	u8 saddr[16];	/* network order */
};

/* Why a set was refused; @rule is the index of the spec, @match of its match or -1. */
struct sluice_compile_error {
	u32 rule;
	int match;
	const char *text;	/* static */
};

struct sluice_ruleset;

int sluice_ruleset_compile(struct sluice_ruleset **out, const struct sluice_rule_spec *specs, u32 n,
			   struct sluice_compile_error *err);
void sluice_ruleset_free(struct sluice_ruleset *rs);
u32 sluice_ruleset_depth(const struct sluice_ruleset *rs);
int sluice_ruleset_match(const struct sluice_ruleset *rs, const struct sluice_msg *msg);
bool sluice_match_one(const struct sluice_match *m, const struct sluice_msg *msg);

/* Which bytes of a message are its steering key. */
enum sluice_key_type {
	SLUICE_KEY_FLOW,	/* none: addresses and ports */
	SLUICE_KEY_BYTES,	/* @len bytes at @offset */
	SLUICE_KEY_TOKEN,
};

struct sluice_key {
	u8 type;	/* enum sluice_key_type */
	u16 offset;
	u16 len;
	struct sluice_token token;
};

int sluice_key_check(const struct sluice_key *key, const char **text);
u32 sluice_key_depth(const struct sluice_key *key);
bool sluice_key_hash(const struct sluice_key *key, const struct sluice_msg *msg, u32 seed,
		     u32 *hash);
u32 sluice_hash_bytes(const u8 *data, u32 len, u32 seed);

/* Reduce a 32-bit hash to 0..n-1 without a division. */
static inline u32 sluice_hash_reduce(u32 hash, u32 n)
{
	return ((u64)hash * n) >> 32;
}

#endif /* SLUICE_CORE_CLASSIFY_H */
