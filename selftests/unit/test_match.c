// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/match.c: what single matches mean, steering keys, and the hash. */
#include <string.h>

#include "ktap.h"
#include "rulegen.h"
#include "../../kmod/core/token.h"

static struct sluice_msg message(const char *text, u32 len)
{
	struct sluice_msg msg = { .data = (const u8 *)text, .avail = len, .len = len };

	return msg;
}

#define LITERAL(text) message(text, sizeof(text) - 1)

/* Whether token @index of a text is @word, by match_one. */
static bool is_token(const char *text, u32 len, u32 offset, u8 delim, u8 index, const char *word)
{
	struct sluice_word w = { .len = strlen(word) };
	struct sluice_match m = { .type = SLUICE_MATCH_TOKEN,
				  .token = { { .offset = offset, .index = index, .delim = delim }, 1, &w } };
	struct sluice_msg msg = message(text, len);

	memcpy(w.bytes, word, w.len);
	return sluice_match_one(&m, &msg);
}

#define IS_TOKEN(text, ...) is_token(text, sizeof(text) - 1, __VA_ARGS__)

TEST(match_one__blanks_count_once_and_lead_nothing)
{
	EXPECT(IS_TOKEN("  get   k1 k2", 0, ' ', 0, "get"));
	EXPECT(IS_TOKEN("  get   k1 k2", 0, ' ', 1, "k1"));
	EXPECT(IS_TOKEN("  get   k1 k2", 0, ' ', 2, "k2"));
	EXPECT(!IS_TOKEN("  get   k1 k2 ", 0, ' ', 3, "k2"));
	EXPECT(IS_TOKEN("\t\ta\tb", 0, '\t', 1, "b"));
	EXPECT(IS_TOKEN("a b\tc", 0, '\t', 1, "c"));
}

TEST(match_one__other_delimiters_separate_at_each_place)
{
	EXPECT(IS_TOKEN("a,,b", 0, ',', 2, "b"));
	EXPECT(!IS_TOKEN("a,,b", 0, ',', 1, "b"));
	EXPECT(IS_TOKEN(",a", 0, ',', 1, "a"));
	EXPECT(is_token("a\0b", 3, 0, 0, 1, "b"));
}

TEST(match_one__tokens_stop_at_the_line)
{
	EXPECT(IS_TOKEN("a b\r\nc d", 0, ' ', 1, "b"));
	EXPECT(!IS_TOKEN("a b\r\nc d", 0, ' ', 2, "d"));
	EXPECT(!IS_TOKEN("a b\nc d", 0, ' ', 2, "c"));
	EXPECT(IS_TOKEN("a b\nc d", 4, ' ', 1, "d"));
	EXPECT(!IS_TOKEN("\r\na", 0, ' ', 0, "a"));
}

TEST(match_one__token_beyond_the_message)
{
	EXPECT(!IS_TOKEN("abc", 3, ' ', 0, "c"));
	EXPECT(!IS_TOKEN("abc", 400, ' ', 0, "c"));
	EXPECT(IS_TOKEN("abc", 2, ' ', 0, "c"));
}

TEST(match_one__token_at_the_edge_of_sight)
{
	char text[SLUICE_DEPTH_MAX + 1];

	memset(text, 'x', sizeof(text));
	memcpy(text + 508, "tail", 4);
	EXPECT(is_token(text, 512, 508, ' ', 0, "tail"));
	EXPECT(!is_token(text, 513, 508, ' ', 0, "tail"));
	text[511] = ' ';
	EXPECT(is_token(text, 513, 508, ' ', 0, "tai"));
}

TEST(match_one__source_prefix_bits)
{
	struct sluice_match m = { .type = SLUICE_MATCH_SRC,
				  .src = { .family = 6, .prefix = 65, .addr = { [8] = 0x80 } } };
	struct sluice_msg msg = { .family = 6, .saddr = { [8] = 0xff, [15] = 9 } };

	EXPECT(sluice_match_one(&m, &msg));
	msg.saddr[8] = 0x7f;
	EXPECT(!sluice_match_one(&m, &msg));
	msg.saddr[8] = 0x80;
	msg.saddr[7] = 1;
	EXPECT(!sluice_match_one(&m, &msg));
	msg.family = 4;
	EXPECT(!sluice_match_one(&m, &msg));
}

TEST(match_one__length_counts_the_whole_message)
{
	struct sluice_match m = { .type = SLUICE_MATCH_LENGTH, .length = { 1000, 2000 } };
	struct sluice_msg msg = { .data = (const u8 *)"", .avail = 0, .len = 1000 };

	EXPECT(sluice_match_one(&m, &msg));
	msg.len = 999;
	EXPECT(!sluice_match_one(&m, &msg));
	msg.len = 2001;
	EXPECT(!sluice_match_one(&m, &msg));
}

TEST(match_one__field_behind_what_is_readable_does_not_match)
{
	struct sluice_match m = { .type = SLUICE_MATCH_TEXT, .text = { 0, 3, "abc" } };
	struct sluice_msg msg = { .data = (const u8 *)"abc", .avail = 2, .len = 3 };

	EXPECT(!sluice_match_one(&m, &msg));
	msg.avail = 3;
	EXPECT(sluice_match_one(&m, &msg));
}

static bool hash_of(const struct sluice_key *key, struct sluice_msg msg, u32 *hash)
{
	*hash = 0;
	return sluice_key_hash(key, &msg, 42, hash);
}

TEST(key_hash__flow_has_no_key)
{
	struct sluice_key key = { .type = SLUICE_KEY_FLOW };
	u32 hash;

	EXPECT(!hash_of(&key, LITERAL("abc"), &hash));
	EXPECT_EQ(sluice_key_depth(&key), 0);
}

TEST(key_hash__bytes_that_are_there)
{
	struct sluice_key key = { .type = SLUICE_KEY_BYTES, .offset = 2, .len = 4 };
	u32 full, same, shorter;

	EXPECT(hash_of(&key, LITERAL("xxkeyy"), &full));
	EXPECT(hash_of(&key, LITERAL("zzkeyyy"), &same));
	EXPECT_EQ(full, same);
	EXPECT_EQ(full, sluice_hash_bytes((const u8 *)"keyy", 4, 42));
	EXPECT(hash_of(&key, LITERAL("xxk"), &shorter));
	EXPECT_EQ(shorter, sluice_hash_bytes((const u8 *)"k", 1, 42));
	EXPECT(!hash_of(&key, LITERAL("xx"), &shorter));
	EXPECT(!hash_of(&key, LITERAL(""), &shorter));
	EXPECT_EQ(sluice_key_depth(&key), 6);
}

TEST(key_hash__token)
{
	struct sluice_key key = { .type = SLUICE_KEY_TOKEN, .token = { .offset = 8, .index = 1, .delim = ' ' } };
	u32 hash;

	EXPECT(hash_of(&key, LITERAL("01234567get some:key other\r\n"), &hash));
	EXPECT_EQ(hash, sluice_hash_bytes((const u8 *)"some:key", 8, 42));
	EXPECT(!hash_of(&key, LITERAL("01234567get \r\n"), &hash));
	EXPECT(!hash_of(&key, LITERAL("01234567get"), &hash));
	EXPECT(!hash_of(&key, LITERAL("0123456"), &hash));
	EXPECT_EQ(sluice_key_depth(&key), SLUICE_DEPTH_MAX);
}

TEST(key_hash__empty_token_is_no_key)
{
	struct sluice_key key = { .type = SLUICE_KEY_TOKEN, .token = { .index = 1, .delim = ',' } };
	u32 hash;

	EXPECT(!hash_of(&key, LITERAL("a,,b"), &hash));
	EXPECT(hash_of(&key, LITERAL("a,b,"), &hash));
}

/* The fast scan of the lookup and of keys, against the byte-by-byte definition. */
TEST(cursor_next__agrees_with_match_one)
{
	static const char alphabet[] = "ab ,\t\r\n";
	struct choices c = { .state = 5 };
	u32 round, i, hits = 0;

	for (round = 0; round < 200000; round++) {
		struct sluice_key key = { .type = SLUICE_KEY_TOKEN };
		struct sluice_match m = { .type = SLUICE_MATCH_TOKEN };
		struct sluice_word w = { .len = 0 };
		u32 len = pick(&c, 40), start = 0;
		struct sluice_cursor cur;
		u8 text[40];
		int n = -1;

		for (i = 0; i < len; i++)
			text[i] = alphabet[pick(&c, pick(&c, 4) ? 4 : 7)];
		key.token.delim = " ,\ta"[pick(&c, 4)];
		key.token.index = pick(&c, 4);
		key.token.offset = pick(&c, 6);
		sluice_cursor_init(&cur, key.token.offset, len);
		for (i = 0; i <= key.token.index; i++) {
			n = sluice_cursor_next(&cur, text, len, true, key.token.delim, &start);
			if (n < 0)
				break;
		}
		m.token.token = key.token;
		m.token.nwords = 1;
		m.token.words = &w;
		w.len = n > 0 ? n : 1;
		memcpy(w.bytes, n > 0 ? text + start : (const u8 *)"a", w.len > 32 ? 32 : w.len);
		if (w.len > 32)
			continue;
		struct sluice_msg msg = { .data = text, .avail = len, .len = len };

		EXPECT_EQ(sluice_match_one(&m, &msg), n > 0);
		hits += n > 0;
	}
	EXPECT_GE(hits, 20000);
}

TEST(hash_bytes__every_output_bit_depends_on_every_input_bit)
{
	enum { TRIALS = 2000 };
	static u32 flips[33 * 8][32];
	struct choices c = { .state = 99 };
	u32 t, len, bit, out;

	for (len = 1; len <= 33; len += 4) {
		memset(flips, 0, sizeof(flips));
		for (t = 0; t < TRIALS; t++) {
			u8 data[33];
			u32 h, diff;

			for (out = 0; out < len; out++)
				data[out] = pick(&c, 256);
			h = sluice_hash_bytes(data, len, t);
			for (bit = 0; bit < len * 8; bit++) {
				data[bit / 8] ^= 1 << bit % 8;
				diff = h ^ sluice_hash_bytes(data, len, t);
				data[bit / 8] ^= 1 << bit % 8;
				for (out = 0; out < 32; out++)
					flips[bit][out] += diff >> out & 1;
			}
		}
		for (bit = 0; bit < len * 8; bit++)
			for (out = 0; out < 32; out++)
				if (flips[bit][out] < TRIALS * 2 / 5 || flips[bit][out] > TRIALS * 3 / 5)
					ktap_fail(__FILE__, __LINE__, "%u bytes: input bit %u flips output bit %u %u times of %u",
						  len, bit, out, flips[bit][out], TRIALS);
	}
}

TEST(hash_bytes__seed_and_length_matter)
{
	static const u8 zeros[40];
	u32 seed, len, bit, flips[32] = { 0 };

	for (seed = 0; seed < 4000; seed++)
		for (bit = 0; bit < 32; bit++)
			flips[bit] += __builtin_popcount(sluice_hash_bytes(zeros, 8, seed) ^
							 sluice_hash_bytes(zeros, 8, seed ^ 1U << bit));
	for (bit = 0; bit < 32; bit++) {
		EXPECT_GE(flips[bit], 4000 * 15);
		EXPECT_LE(flips[bit], 4000 * 17);
	}
	for (len = 1; len < 40; len++)
		EXPECT_NE(sluice_hash_bytes(zeros, len, 1), sluice_hash_bytes(zeros, len - 1, 1));
}

/* Counter-like keys, as clients make them, over a few rings: no ring gets 10 % more than its share. */
TEST(hash_bytes__spreads_counted_keys_evenly)
{
	u32 rings, i, r, load[7];
	u8 key[12] = "key:00000000";

	for (rings = 2; rings <= 7; rings++) {
		memset(load, 0, sizeof(load));
		for (i = 0; i < 70000; i++) {
			for (r = 0; r < 8; r++)
				key[4 + r] = '0' + (i >> 4 * (7 - r)) % 10;
			key[11] = i;
			key[10] = i >> 8;
			key[9] = i >> 16;
			load[sluice_hash_reduce(sluice_hash_bytes(key, 12, 3), rings)]++;
		}
		for (r = 0; r < rings; r++) {
			EXPECT_LE(load[r], 77000 / rings);
			EXPECT_GE(load[r], 63000 / rings);
		}
	}
}
