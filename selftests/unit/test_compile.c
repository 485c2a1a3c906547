// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/compile.c: the limits of a set, and what the compiler keeps. */
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "../../kmod/core/ruleset.h"

#define MANY 2048

static struct sluice_rule_spec specs[MANY];
static struct sluice_match matches[MANY][SLUICE_MATCHES_MAX];
static struct sluice_word words[SLUICE_WORDS_MAX];
static struct sluice_compile_error err;
static struct sluice_ruleset *rs;

static void byte_rule(u32 r, u32 offset, u8 value)
{
	memset(matches[r], 0, sizeof(matches[r]));
	matches[r][0].type = SLUICE_MATCH_BYTES;
	matches[r][0].bytes.offset = offset;
	matches[r][0].bytes.width = 1;
	matches[r][0].bytes.mask = 0xff;
	matches[r][0].bytes.value = value;
	specs[r] = (struct sluice_rule_spec){ .order = r, .nmatches = 1, .matches = matches[r] };
}

static void token_match(struct sluice_match *m, u32 offset, u8 delim, u8 index, u32 nwords)
{
	u32 i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < SLUICE_WORDS_MAX; i++)
		words[i] = (struct sluice_word){ .len = 2, .bytes = { 'w', 'A' + i } };
	m->type = SLUICE_MATCH_TOKEN;
	m->token.token.offset = offset;
	m->token.token.delim = delim;
	m->token.token.index = index;
	m->token.nwords = nwords;
	m->token.words = words;
}

static void token_rule(u32 r, u32 offset, u8 delim, u8 index, u32 nwords)
{
	token_match(&matches[r][0], offset, delim, index, nwords);
	specs[r] = (struct sluice_rule_spec){ .order = r, .nmatches = 1, .matches = matches[r] };
}

static void expect_refused(u32 n, int code, u32 rule)
{
	EXPECT_EQ(sluice_ruleset_compile(&rs, specs, n, &err), code);
	EXPECT(!rs);
	EXPECT_EQ(err.rule, rule);
	EXPECT(err.text && *err.text);
}

static void expect_compiled(u32 n)
{
	EXPECT_EQ(sluice_ruleset_compile(&rs, specs, n, &err), 0);
	EXPECT(rs);
}

TEST(ruleset_compile__64_shapes_and_no_more)
{
	u32 r;

	for (r = 0; r <= SLUICE_SHAPES_MAX; r++)
		byte_rule(r, r, 1);
	expect_compiled(SLUICE_SHAPES_MAX);
	sluice_ruleset_free(rs);
	expect_refused(SLUICE_SHAPES_MAX + 1, -E2BIG, SLUICE_SHAPES_MAX);
}

TEST(ruleset_compile__rules_of_one_shape_share_it)
{
	u32 r;

	for (r = 0; r < MANY; r++)
		byte_rule(r, r % 2, r / 2);
	expect_compiled(MANY);
	EXPECT_EQ(rs->nshapes, 2);
	sluice_ruleset_free(rs);
}

TEST(ruleset_compile__order_of_matches_does_not_matter)
{
	struct sluice_match a, b;

	byte_rule(0, 5, 1);
	byte_rule(1, 3, 1);
	a = matches[0][0];
	b = matches[1][0];
	matches[0][1] = b;
	matches[1][0] = b;
	matches[1][1] = a;
	specs[0].nmatches = 2;
	specs[1].nmatches = 2;
	expect_compiled(2);
	EXPECT_EQ(rs->nshapes, 1);
	sluice_ruleset_free(rs);
}

TEST(ruleset_compile__shapes_stand_by_their_best_rule)
{
	u32 s;

	byte_rule(0, 4, 1);
	byte_rule(1, 7, 1);
	byte_rule(2, 4, 2);
	byte_rule(3, 9, 2);
	specs[0].order = 8;
	specs[3].order = 0;
	expect_compiled(4);
	EXPECT_EQ(rs->nshapes, 3);
	EXPECT_EQ(rs->rules[0], 3);
	for (s = 1; s < rs->nshapes; s++)
		EXPECT(rs->shapes[s - 1].best < rs->shapes[s].best);
	EXPECT_EQ(rs->shapes[0].fields[0].offset, 9);
	EXPECT_EQ(rs->shapes[1].fields[0].offset, 7);
	sluice_ruleset_free(rs);
}

TEST(ruleset_compile__64_tokens_and_no_more)
{
	u32 r, i;

	for (r = 0; r < 9; r++) {
		token_rule(r, 0, ' ', 8 * r, 1);
		for (i = 1; i < SLUICE_MATCHES_MAX; i++)
			token_match(&matches[r][i], 0, ' ', 8 * r + i, 1);
		specs[r].nmatches = SLUICE_MATCHES_MAX;
	}
	expect_compiled(8);
	EXPECT_EQ(rs->ntokens, SLUICE_TOKENS_MAX);
	EXPECT_EQ(rs->nstreams, 1);
	sluice_ruleset_free(rs);
	expect_refused(9, -E2BIG, 8);
}

TEST(ruleset_compile__8_streams_and_no_more)
{
	u32 r;

	for (r = 0; r <= SLUICE_STREAMS_MAX; r++)
		token_rule(r, r / 2, r % 2 ? ' ' : ',', r, 1);
	expect_compiled(SLUICE_STREAMS_MAX);
	EXPECT_EQ(rs->nstreams, SLUICE_STREAMS_MAX);
	sluice_ruleset_free(rs);
	expect_refused(SLUICE_STREAMS_MAX + 1, -E2BIG, SLUICE_STREAMS_MAX);
}

TEST(ruleset_compile__256_combinations_and_no_more)
{
	token_rule(0, 0, ' ', 0, 16);
	token_match(&matches[0][1], 0, ' ', 1, 16);
	token_match(&matches[0][2], 0, ' ', 2, 1);
	specs[0].nmatches = 3;
	expect_compiled(1);
	sluice_ruleset_free(rs);
	token_match(&matches[0][2], 0, ' ', 2, 2);
	expect_refused(1, -E2BIG, 0);
	EXPECT_EQ(err.match, 2);
}

TEST(ruleset_compile__keys_of_a_set_are_bounded)
{
	u32 n = SLUICE_KEYS_MAX / SLUICE_EXPAND_MAX + 1, r;
	struct sluice_rule_spec *big = calloc(n, sizeof(*big));

	token_rule(0, 0, ' ', 0, 16);
	token_match(&matches[0][1], 0, ' ', 1, 16);
	specs[0].nmatches = 2;
	for (r = 0; r < n; r++)
		big[r] = specs[0];
	EXPECT_EQ(sluice_ruleset_compile(&rs, big, n, &err), -E2BIG);
	free(big);
	EXPECT_EQ(err.rule, n - 1);
	EXPECT_EQ(err.match, -1);
}

TEST(ruleset_compile__memory_of_keys_is_bounded)
{
	u32 n = SLUICE_KEYS_BYTES_MAX / (SLUICE_EXPAND_MAX * 2 * 8 * 5) + 1, r;
	struct sluice_rule_spec *big = calloc(n, sizeof(*big));

	token_rule(0, 0, ' ', 0, 16);
	token_match(&matches[0][1], 0, ' ', 1, 16);
	specs[0].nmatches = 2;
	words[3].len = SLUICE_WORD_LEN_MAX;
	memset(words[3].bytes, 'x', SLUICE_WORD_LEN_MAX);
	for (r = 0; r < n; r++)
		big[r] = specs[0];
	EXPECT_EQ(sluice_ruleset_compile(&rs, big, n, &err), -E2BIG);
	free(big);
	EXPECT(!rs);
}

TEST(ruleset_compile__65536_rules_and_no_more)
{
	u32 n = SLUICE_RULES_MAX + 1, r;
	struct sluice_rule_spec *big = calloc(n, sizeof(*big));
	struct sluice_match *m = calloc(n, sizeof(*m));
	struct sluice_msg msg = { .data = (const u8 *)"\xff\xff\0\0", .avail = 4, .len = 4 };
	int ret;

	for (r = 0; r < n; r++) {
		m[r].type = SLUICE_MATCH_BYTES;
		m[r].bytes.width = 4;
		m[r].bytes.mask = 0xffffffff;
		m[r].bytes.value = r << 16;
		big[r] = (struct sluice_rule_spec){ .order = r ^ 5, .nmatches = 1, .matches = &m[r] };
	}
	ret = sluice_ruleset_compile(&rs, big, n - 1, &err);
	EXPECT_EQ(ret, 0);
	EXPECT_EQ(sluice_ruleset_match(rs, &msg), 65535);
	sluice_ruleset_free(rs);
	EXPECT_EQ(sluice_ruleset_compile(&rs, big, n, &err), -E2BIG);
	free(m);
	free(big);
	EXPECT_EQ(err.rule, SLUICE_RULES_MAX);
}

TEST(ruleset_compile__keeps_nothing_of_the_specs)
{
	struct sluice_msg msg = { .data = (const u8 *)"wB", .avail = 2, .len = 2 };

	token_rule(0, 0, ' ', 0, 2);
	expect_compiled(1);
	memset(words, 0xee, sizeof(words));
	memset(matches, 0xee, sizeof(matches));
	memset(specs, 0xee, sizeof(specs));
	EXPECT_EQ(sluice_ruleset_match(rs, &msg), 0);
	sluice_ruleset_free(rs);
}
