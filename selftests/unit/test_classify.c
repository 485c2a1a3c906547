// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/classify.c: the lookup, against the plain meaning of the rules. */
#include <stdio.h>
#include <string.h>

#include "ktap.h"
#include "rulegen.h"

static struct sluice_ruleset *compile(const struct sluice_rule_spec *specs, u32 n)
{
	struct sluice_compile_error err;
	struct sluice_ruleset *rs;
	int ret = sluice_ruleset_compile(&rs, specs, n, &err);

	if (ret)
		ktap_fail(__FILE__, __LINE__, "refused (%d), rule %u match %d: %s", ret, err.rule, err.match,
			  err.text);
	return rs;
}

static struct sluice_msg message(const char *text, u32 len)
{
	struct sluice_msg msg = { .data = (const u8 *)text, .avail = len, .len = len, .family = 4 };

	return msg;
}

#define LITERAL(text) message(text, sizeof(text) - 1)

static int take(const struct sluice_rule_spec *specs, u32 n, struct sluice_msg msg)
{
	struct sluice_ruleset *rs = compile(specs, n);
	int rule = sluice_ruleset_match(rs, &msg);

	sluice_ruleset_free(rs);
	return rule;
}

TEST(ruleset_match__empty_set_takes_nothing)
{
	EXPECT_EQ(take(NULL, 0, LITERAL("x")), -1);
}

TEST(ruleset_match__rule_without_matches_takes_everything)
{
	struct sluice_rule_spec all = { .order = 7 };

	EXPECT_EQ(take(&all, 1, LITERAL("")), 0);
	EXPECT_EQ(take(&all, 1, LITERAL("anything")), 0);
}

TEST(ruleset_match__lower_order_wins_then_lower_index)
{
	struct sluice_rule_spec specs[] = { { .order = 9 }, { .order = 3 }, { .order = 3 } };

	EXPECT_EQ(take(specs, 3, LITERAL("x")), 1);
}

TEST(ruleset_match__order_holds_across_shapes)
{
	struct sluice_match first = { .type = SLUICE_MATCH_BYTES,
				      .bytes = { .offset = 0, .width = 1, .mask = 0xff, .value = 'x' } };
	struct sluice_match second = { .type = SLUICE_MATCH_TEXT,
				       .text = { .offset = 1, .len = 1, .bytes = "y" } };
	struct sluice_rule_spec specs[] = {
		{ .order = 5 },
		{ .order = 4, .nmatches = 1, .matches = &first },
		{ .order = 6, .nmatches = 1, .matches = &second },
		{ .order = 3, .nmatches = 1, .matches = &second },
	};

	EXPECT_EQ(take(specs, 4, LITERAL("xy")), 3);
	EXPECT_EQ(take(specs, 4, LITERAL("xz")), 1);
	EXPECT_EQ(take(specs, 4, LITERAL("zz")), 0);
	EXPECT_EQ(take(specs, 3, LITERAL("zy")), 0);
}

TEST(ruleset_match__any_of_the_words)
{
	struct sluice_word words[] = { { 3, "get" }, { 4, "gets" }, { 3, "gat" } };
	struct sluice_match m = { .type = SLUICE_MATCH_TOKEN,
				  .token = { { .offset = 8, .delim = ' ' }, 3, words } };
	struct sluice_rule_spec spec = { .nmatches = 1, .matches = &m };

	EXPECT_EQ(take(&spec, 1, LITERAL("01234567get k\r\n")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("01234567gets k\r\n")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("01234567gat\r\n")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("01234567get")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("01234567ge")), -1);
	EXPECT_EQ(take(&spec, 1, LITERAL("01234567getsx")), -1);
	EXPECT_EQ(take(&spec, 1, LITERAL("0123456")), -1);
}

TEST(ruleset_match__words_of_two_tokens_combine)
{
	struct sluice_word verbs[] = { { 1, "a" }, { 9, "bbbbbbbbb" } }, nouns[] = { { 1, "c" }, { 2, "dd" } };
	struct sluice_match m[] = {
		{ .type = SLUICE_MATCH_TOKEN, .token = { { .index = 2, .delim = ' ' }, 2, nouns } },
		{ .type = SLUICE_MATCH_TOKEN, .token = { { .index = 0, .delim = ' ' }, 2, verbs } },
	};
	struct sluice_rule_spec spec = { .nmatches = 2, .matches = m };

	EXPECT_EQ(take(&spec, 1, LITERAL("a x c")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("a x dd")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("  bbbbbbbbb  x  c  ")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("bbbbbbbbb x dd\n")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("c x a")), -1);
	EXPECT_EQ(take(&spec, 1, LITERAL("a x d")), -1);
}

TEST(ruleset_match__ipv4_and_ipv6_sources_are_apart)
{
	struct sluice_match m[] = {
		{ .type = SLUICE_MATCH_SRC, .src = { .family = 4, .prefix = 0 } },
		{ .type = SLUICE_MATCH_SRC, .src = { .family = 6, .prefix = 0 } },
		{ .type = SLUICE_MATCH_SRC, .src = { .family = 4, .prefix = 32, .addr = { 1, 2, 3, 4 } } },
		{ .type = SLUICE_MATCH_SRC, .src = { .family = 6, .prefix = 32, .addr = { 1, 2, 3, 4 } } },
	};
	struct sluice_rule_spec specs[] = {
		{ .order = 2, .nmatches = 1, .matches = &m[0] }, { .order = 2, .nmatches = 1, .matches = &m[1] },
		{ .order = 1, .nmatches = 1, .matches = &m[2] }, { .order = 1, .nmatches = 1, .matches = &m[3] },
	};
	struct sluice_msg msg = LITERAL("x");

	EXPECT_EQ(take(specs, 4, msg), 0);
	memcpy(msg.saddr, "\1\2\3\4\5", 5);
	EXPECT_EQ(take(specs, 4, msg), 2);
	msg.family = 6;
	EXPECT_EQ(take(specs, 4, msg), 3);
	msg.saddr[3] = 5;
	EXPECT_EQ(take(specs, 4, msg), 1);
	msg.family = 0;
	EXPECT_EQ(take(specs, 4, msg), -1);
}

TEST(ruleset_match__network_order_of_bytes)
{
	struct sluice_match m[] = {
		{ .type = SLUICE_MATCH_BYTES, .bytes = { 1, 2, 0xffff, 0x0102 } },
		{ .type = SLUICE_MATCH_BYTES, .bytes = { 3, 4, 0xff0000ff, 0x03000006 } },
		{ .type = SLUICE_MATCH_BYTES, .bytes = { 1, 8, 0xff00000000000000, 0x0100000000000000 } },
	};
	struct sluice_rule_spec spec = { .nmatches = 3, .matches = m };

	EXPECT_EQ(take(&spec, 1, LITERAL("\0\1\2\3\4\5\6\7\10")), 0);
	EXPECT_EQ(take(&spec, 1, LITERAL("\0\1\2\3\4\5\6\7")), -1);
	EXPECT_EQ(take(&spec, 1, LITERAL("\0\2\1\3\4\5\6\7\10")), -1);
	EXPECT_EQ(take(&spec, 1, LITERAL("\0\1\2\3\4\5\7\7\10")), -1);
}

TEST(ruleset_match__token_that_does_not_end_in_sight_is_none)
{
	struct sluice_word word = { 4, "tail" };
	struct sluice_match m = { .type = SLUICE_MATCH_TOKEN,
				  .token = { { .offset = 508, .delim = ' ' }, 1, &word } };
	struct sluice_rule_spec spec = { .nmatches = 1, .matches = &m };
	char buf[600] = "";

	memcpy(buf + 508, "tail ", 5);
	EXPECT_EQ(take(&spec, 1, message(buf, 512)), 0);
	EXPECT_EQ(take(&spec, 1, message(buf, 513)), -1);
}

TEST(ruleset_depth__is_the_last_byte_that_rules_look_at)
{
	struct sluice_word word = { 1, "a" };
	struct sluice_match bytes = { .type = SLUICE_MATCH_BYTES, .bytes = { 100, 4, 1, 1 } };
	struct sluice_match token = { .type = SLUICE_MATCH_TOKEN, .token = { { 0, 0, ' ' }, 1, &word } };
	struct sluice_rule_spec specs[] = { { 0 }, { .nmatches = 1, .matches = &bytes },
					    { .nmatches = 1, .matches = &token } };
	static const u32 depth[] = { 0, 104, SLUICE_DEPTH_MAX };
	u32 n;

	for (n = 1; n <= 3; n++) {
		struct sluice_ruleset *rs = compile(specs, n);

		EXPECT_EQ(sluice_ruleset_depth(rs), depth[n - 1]);
		sluice_ruleset_free(rs);
	}
}

#define TAKERS 10000

TEST(ruleset_match__each_of_10000_rules_takes_its_message)
{
	static struct sluice_rule_spec specs[TAKERS];
	static struct sluice_match matches[TAKERS];
	struct sluice_ruleset *rs;
	u8 buf[4];
	u32 i;

	for (i = 0; i < TAKERS; i++) {
		matches[i].type = SLUICE_MATCH_BYTES;
		matches[i].bytes.width = 4;
		matches[i].bytes.mask = 0xffffffff;
		matches[i].bytes.value = i * 2654435761U % 0xffffffff;
		specs[i] = (struct sluice_rule_spec){ .order = TAKERS - i, .nmatches = 1, .matches = &matches[i] };
	}
	rs = compile(specs, TAKERS);
	for (i = 0; i < TAKERS; i++) {
		struct sluice_msg msg = { .data = buf, .avail = 4, .len = 4 };
		u32 v = matches[i].bytes.value;

		buf[0] = v >> 24;
		buf[1] = v >> 16;
		buf[2] = v >> 8;
		buf[3] = v;
		EXPECT_EQ(sluice_ruleset_match(rs, &msg), (int)i);
		buf[3] ^= 1;
		EXPECT(sluice_ruleset_match(rs, &msg) != (int)i);
	}
	sluice_ruleset_free(rs);
}

static void show(const struct rulegen *g, const struct sluice_msg *msg)
{
	u32 i;

	ktap_note("%u rules, family %u, %u bytes, %u of them readable", g->nrules, msg->family, msg->len,
		  msg->avail);
	for (i = 0; i < g->nrules; i++)
		ktap_note("rule %u: order %u, %u matches, first of type %u", i, g->specs[i].order,
			  g->specs[i].nmatches, g->matches[i][0].type);
}

/*
 * One message on a compiled set and on its definition, in a buffer of just the readable bytes: the sanitizer sees any
 * read behind it. What lies between the set's depth and the message's end must not matter.
 */
static int try_message(const struct rulegen *g, const struct sluice_ruleset *rs, struct choices *c)
{
	u8 buf[RULEGEN_MESSAGE];
	u32 depth = sluice_ruleset_depth(rs);
	struct sluice_msg msg, cut;
	int want, got;
	u8 *exact;

	rulegen_message(g, c, buf, &msg);
	want = rulegen_oracle(g->specs, g->nrules, &msg);
	cut = msg;
	if (msg.len > depth)
		cut.avail = depth + pick(c, msg.len - depth + 1);
	exact = malloc(cut.avail ? cut.avail : 1);
	memcpy(exact, buf, cut.avail);
	cut.data = exact;
	got = sluice_ruleset_match(rs, &cut);
	free(exact);
	if (got != want) {
		show(g, &cut);
		ktap_fail(__FILE__, __LINE__, "rule %d took the message, should be %d", got, want);
	}
	return got;
}

TEST(ruleset_match__agrees_with_the_meaning_of_100000_random_rule_sets)
{
	static struct rulegen g;
	struct choices c = { .state = 0x9d1f7a3b5c2e4681 };
	u32 sets = 0, refused = 0, messages = 0, taken = 0, i;
	struct sluice_ruleset *rs;

	while (sets < 100000) {
		rulegen_rules(&g, &c, sets % 8 ? 6 : RULEGEN_RULES);
		if (sluice_ruleset_compile(&rs, g.specs, g.nrules, NULL)) {
			refused++;
			continue;
		}
		sets++;
		for (i = 0; i < 4; i++) {
			messages++;
			taken += try_message(&g, rs, &c) >= 0;
		}
		sluice_ruleset_free(rs);
	}
	ktap_note("%u sets, %u more refused; %u messages, %u taken", sets, refused, messages, taken);
	EXPECT_GE(taken, messages / 5);
	EXPECT_GE(messages - taken, messages / 5);
}
