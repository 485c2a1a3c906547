// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/rulecheck.c: each refusal, provoked by one fault in a rule that is else right. */
#include <string.h>

#include "ktap.h"
#include "../../kmod/core/ruleset.h"

static const struct sluice_match good_src = { .type = SLUICE_MATCH_SRC,
	.src = { .family = 4, .prefix = 9, .addr = { 10, 0x80 } } };
static const struct sluice_match good_length = { .type = SLUICE_MATCH_LENGTH, .length = { 10, 20 } };
static const struct sluice_match good_bytes = { .type = SLUICE_MATCH_BYTES, .bytes = { 8, 2, 0xff00, 0x1200 } };
static const struct sluice_match good_text = { .type = SLUICE_MATCH_TEXT, .text = { 4, 3, "abc" } };
static struct sluice_word words[SLUICE_WORDS_MAX + 1];
static struct sluice_match good_token = { .type = SLUICE_MATCH_TOKEN,
	.token = { { .offset = 8, .index = 1, .delim = ' ' }, 2, words } };
static struct sluice_match m[SLUICE_MATCHES_MAX + 1];
static struct sluice_rule_spec specs[3];
static struct sluice_compile_error err;

/* Rule 1 of two, with its matches in m[]: what it is refused for, or NULL. */
static const char *refusal(u32 nmatches, int match)
{
	int ret;

	memset(&err, 0xee, sizeof(err));
	memset(specs, 0, sizeof(specs));
	specs[1].nmatches = nmatches;
	specs[1].matches = m;
	ret = sluice_rules_check(specs, 2, &err);
	if (!ret)
		return NULL;
	EXPECT(ret == -EINVAL || ret == -E2BIG);
	EXPECT_EQ(err.rule, 1);
	EXPECT_EQ(err.match, match);
	return err.text;
}

static void reset(void)
{
	u32 i;

	for (i = 0; i <= SLUICE_WORDS_MAX; i++)
		words[i] = (struct sluice_word){ .len = 3, .bytes = "get" };
	m[0] = good_src;
	m[1] = good_length;
	m[2] = good_bytes;
	m[3] = good_text;
	m[4] = good_token;
}

static void expect_refusal(u32 n, const char *part)
{
	const char *text = refusal(n, n - 1);

	if (!text || !strstr(text, part))
		ktap_fail(__FILE__, __LINE__, "expected '%s', got '%s'", part, text ? text : "no refusal");
}

TEST(rules_check__good_rule_passes)
{
	reset();
	EXPECT(!refusal(5, 0));
}

TEST(rules_check__source)
{
	static const struct {
		u8 family, prefix, byte, value;
		const char *part;
	} bad[] = {
		{ 5, 8, 0, 0, "family" }, { 0, 0, 0, 0, "family" },
		{ 4, 33, 0, 0, "prefix" }, { 6, 129, 0, 0, "prefix" },
		{ 4, 8, 1, 1, "outside" }, { 4, 31, 3, 1, "outside" }, { 4, 0, 0, 0x80, "outside" },
		{ 6, 64, 8, 0x80, "outside" }, { 6, 127, 15, 1, "outside" },
	};
	u32 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&m[0], 0, sizeof(m[0]));
		m[0].type = SLUICE_MATCH_SRC;
		m[0].src.family = bad[i].family;
		m[0].src.prefix = bad[i].prefix;
		m[0].src.addr[bad[i].byte] = bad[i].value;
		expect_refusal(1, bad[i].part);
	}
}

TEST(rules_check__second_source)
{
	reset();
	m[5] = good_src;
	expect_refusal(6, "one source");
}

TEST(rules_check__empty_length_range)
{
	reset();
	m[1].length.min = 21;
	expect_refusal(2, "min is above max");
}

TEST(rules_check__length_ranges_that_do_not_intersect)
{
	reset();
	m[0] = good_length;
	m[1].length.min = 20;
	m[1].length.max = 30;
	EXPECT(!refusal(2, 1));
	m[1].length.min = 21;
	expect_refusal(2, "length ranges");
}

TEST(rules_check__bytes)
{
	static const struct {
		u16 offset;
		u8 width;
		u64 mask, value;
		const char *part;
	} bad[] = {
		{ 0, 0, 1, 1, "width" }, { 0, 3, 1, 1, "width" }, { 0, 16, 1, 1, "width" },
		{ 512, 1, 1, 1, "behind" }, { 505, 8, 1, 1, "behind" }, { 65535, 1, 1, 1, "behind" },
		{ 0, 4, 0, 0, "mask is 0" }, { 0, 1, 0x100, 0, "wider" }, { 0, 4, 1ULL << 32, 0, "wider" },
		{ 0, 4, 0xff, 0x100, "outside" },
	};
	u32 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m[0] = good_bytes;
		m[0].bytes.offset = bad[i].offset;
		m[0].bytes.width = bad[i].width;
		m[0].bytes.mask = bad[i].mask;
		m[0].bytes.value = bad[i].value;
		expect_refusal(1, bad[i].part);
	}
	m[0] = good_bytes;
	m[0].bytes.offset = 510;
	EXPECT(!refusal(1, 0));
}

TEST(rules_check__two_matches_on_the_same_bytes)
{
	m[0] = good_bytes;
	m[1] = good_bytes;
	expect_refusal(2, "twice");
	m[1].bytes.mask = 0x0ff0;
	m[1].bytes.value = 0x0230;
	EXPECT(!refusal(2, 0));
	m[1].bytes.value = 0x0330;
	expect_refusal(2, "different values");
	m[1].bytes.offset++;
	EXPECT(!refusal(2, 0));
}

TEST(rules_check__text)
{
	m[0] = good_text;
	m[0].text.len = 0;
	expect_refusal(1, "empty");
	m[0].text.len = 33;
	expect_refusal(1, "longer than 32");
	m[0] = good_text;
	m[0].text.offset = 509;
	EXPECT(!refusal(1, 0));
	m[0].text.offset = 510;
	expect_refusal(1, "behind");
	m[0] = good_text;
	m[1] = good_text;
	expect_refusal(2, "two texts");
	m[1].text.len = 2;
	EXPECT(!refusal(2, 0));
}

TEST(rules_check__token)
{
	reset();
	m[0] = good_token;
	m[0].token.token.offset = 512;
	expect_refusal(1, "behind");
	m[0].token.token.offset = 511;
	EXPECT(!refusal(1, 0));
	m[0].token.token.delim = '\r';
	expect_refusal(1, "end of line");
	m[0].token.token.delim = '\n';
	expect_refusal(1, "end of line");
	m[0] = good_token;
	m[1] = good_token;
	expect_refusal(2, "twice");
	m[1].token.token.index++;
	EXPECT(!refusal(2, 0));
}

TEST(rules_check__words)
{
	reset();
	m[0] = good_token;
	m[0].token.nwords = 0;
	expect_refusal(1, "no word");
	m[0].token.nwords = 1;
	m[0].token.words = NULL;
	expect_refusal(1, "no word");
	m[0].token.words = words;
	m[0].token.nwords = SLUICE_WORDS_MAX + 1;
	expect_refusal(1, "more than 16");
	m[0].token.nwords = SLUICE_WORDS_MAX;
	EXPECT(!refusal(1, 0));
	words[15].len = 0;
	expect_refusal(1, "empty");
	words[15].len = 33;
	expect_refusal(1, "longer than 32");
	words[15] = (struct sluice_word){ 3, "a b" };
	expect_refusal(1, "delimiter");
	words[15] = (struct sluice_word){ 3, "a\nb" };
	expect_refusal(1, "line end");
	words[15] = (struct sluice_word){ 3, "a\tb" };
	EXPECT(!refusal(1, 0));
}

TEST(rules_check__shape_of_a_rule)
{
	u32 i;

	for (i = 0; i <= SLUICE_MATCHES_MAX; i++) {
		m[i] = good_bytes;
		m[i].bytes.offset = i;
	}
	EXPECT(!refusal(8, 0));
	EXPECT(strstr(refusal(9, -1), "more than 8"));
	m[0].type = SLUICE_MATCH_TOKEN + 1;
	expect_refusal(1, "unknown");
	specs[0] = (struct sluice_rule_spec){ .nmatches = 1 };
	EXPECT_EQ(sluice_rules_check(specs, 1, &err), -EINVAL);
	EXPECT(strstr(err.text, "without its matches"));
}

TEST(key_check__each_kind)
{
	struct sluice_key key = { .type = SLUICE_KEY_FLOW };
	const char *why = NULL;

	EXPECT_EQ(sluice_key_check(&key, NULL), 0);
	key.type = SLUICE_KEY_BYTES;
	EXPECT_EQ(sluice_key_check(&key, &why), -EINVAL);
	EXPECT(strstr(why, "no bytes"));
	key.len = 4;
	EXPECT_EQ(sluice_key_check(&key, &why), 0);
	key.offset = 512;
	EXPECT_EQ(sluice_key_check(&key, NULL), -EINVAL);
	key.type = SLUICE_KEY_TOKEN;
	EXPECT_EQ(sluice_key_check(&key, &why), 0);
	key.token.delim = '\n';
	EXPECT_EQ(sluice_key_check(&key, &why), -EINVAL);
	EXPECT(strstr(why, "end of line"));
	key.token.delim = ' ';
	key.token.offset = 512;
	EXPECT_EQ(sluice_key_check(&key, &why), -EINVAL);
	key.type = SLUICE_KEY_TOKEN + 1;
	EXPECT_EQ(sluice_key_check(&key, &why), -EINVAL);
}
