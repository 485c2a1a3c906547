// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of how sluice-load cuts replies out of a stream, split at every byte, and judges what it cut. */
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "ktap.h"

#define KEYS 1000
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static struct options opt;
static struct worker w;

static void speak(const struct proto *proto, u32 framing)
{
	memset(&opt, 0, sizeof(opt));
	memset(&w, 0, sizeof(w));
	opt.proto = proto;
	opt.tcp = true;
	opt.framing = framing;
	opt.size = 20;
	opt.keys = KEYS;
	opt.multi_get = 3;
	opt.value_size = 3;
	opt.refused = proto == &proto_resp ? "-BUSY" : "SERVER_ERROR busy";
	opt.refused_len = (u32)strlen(opt.refused);
	w.opt = &opt;
}

/* The bytes lie in memory of just their size: one byte read too far ends the program. */
static enum cut_result cut(const char *bytes, size_t len, struct cut *reply)
{
	u8 *copy = malloc(len ? len : 1);
	enum cut_result r;

	memcpy(copy, bytes, len);
	r = opt.proto->cut(&opt, copy, (u32)len, reply);
	free(copy);
	return r;
}

/* One reply of @len bytes with its framing, then more: found when it is all there, and not one byte before. */
static void whole(const char *bytes, size_t len, u32 at, u32 inner)
{
	char more[512];
	struct cut reply;
	size_t n;

	for (n = 1; n < len; n++) {
		if (cut(bytes, n, &reply) != CUT_MORE)
			ktap_fail(__FILE__, __LINE__, "%zu of %zu bytes of %s: not to be continued", n, len, bytes);
	}
	memcpy(more, bytes, len);
	memcpy(more + len, bytes, len);
	for (n = len; n <= 2 * len; n++) {
		if (cut(more, n, &reply) != CUT_DONE)
			ktap_fail(__FILE__, __LINE__, "%zu bytes, and a reply of %zu in them: not cut: %s", n, len, bytes);
		EXPECT_EQ(reply.total, len);
		EXPECT_EQ(reply.at, at);
		EXPECT_EQ(reply.len, inner);
	}
}

static void text(const char *bytes)
{
	whole(bytes, strlen(bytes), 0, (u32)strlen(bytes));
}

static void none(const char *bytes)
{
	struct cut reply;

	if (cut(bytes, strlen(bytes), &reply) != CUT_BAD)
		ktap_fail(__FILE__, __LINE__, "taken for a reply: %s", bytes);
}

TEST(raw_cut__length)
{
	speak(&proto_raw, FRAMING_LENGTH);
	whole("\0\0\0\5hello", 9, 4, 5);
	whole("\0\0\0\0", 4, 4, 0);
	none("\xff\xff\xff\xff");
}

TEST(raw_cut__line)
{
	speak(&proto_raw, FRAMING_LINE);
	whole("hello\n", 6, 0, 5);
	whole("\n", 1, 0, 0);
}

TEST(memcached_cut__lines_and_values)
{
	speak(&proto_memcached, 0);
	text("STORED\r\n");
	text("END\r\n");
	text("SERVER_ERROR busy\r\n");
	text("VALUE key000000001 1 3\r\nhij\r\nEND\r\n");
	/* what looks like an end of line, and an end, inside of values */
	text("VALUE a 0 7\r\nEND\r\n\r\n\r\nVALUE b 0 0\r\n\r\nEND\r\n");
	text("VALUE a 0 2\r\nxy\r\nSERVER_ERROR out of memory\r\n");
}

TEST(memcached_cut__no_reply)
{
	speak(&proto_memcached, 0);
	none("\n");
	none("STORED\n");
	none("VALUE a 0 x\r\n");
	none("VALUE a 0 \r\n");
	none("VALUE a 0 9999999999\r\n");
	none("VALUE a 0 99999999\r\n");
}

TEST(resp_cut__elements)
{
	speak(&proto_resp, 0);
	text("+OK\r\n");
	text("-BUSY later\r\n");
	text(":42\r\n");
	text("$-1\r\n");
	text("$0\r\n\r\n");
	text("$7\r\n+OK\r\n$1\r\n");
	text("*0\r\n");
	text("*-1\r\n");
	text("*3\r\n$3\r\nabc\r\n$-1\r\n:1\r\n");
	text("*2\r\n*2\r\n+a\r\n*1\r\n$1\r\nb\r\n*0\r\n");
}

TEST(resp_cut__no_reply)
{
	speak(&proto_resp, 0);
	none("OK\r\n");
	none("\r\n");
	none("+OK\n");
	none("$x\r\n");
	none("$\r\n");
	none("$-2\r\n");
	none("$1 \r\n");
	none("$999999999\r\n");
	none("$9999999999\r\n");
	none("*999999999\r\n");
	none("*1\r\nx");
}

/* Whatever a server sends: nothing is read that is not there, and what was cut stays cut when more comes. */
static void any_bytes(void)
{
	static const char *const words[] = { "\r\n", "VALUE ", "END", "$", "*", "+", "-1", "0", "2", "13", " ", "a", "\0\0\0\1" };
	struct rng rng;
	u32 round, i;

	rng_init(&rng, 7, 0);
	for (round = 0; round < 10000; round++) {
		struct cut first = { 0 }, reply;
		char bytes[128];
		size_t n, len = 0;
		enum cut_result r;

		for (i = 0; i < 12; i++) {
			const char *word = words[rng_below(&rng, ARRAY_SIZE(words))];
			size_t size = *word ? strlen(word) : 4;

			memcpy(bytes + len, word, size);
			len += size;
		}
		for (n = 1; n <= len; n++) {
			r = cut(bytes, n, &reply);
			if (first.total || r == CUT_DONE) {
				EXPECT_EQ(r, CUT_DONE);
				EXPECT_LE(reply.total, n);
				EXPECT_LE(reply.at + reply.len, reply.total);
				EXPECT(!first.total || !memcmp(&first, &reply, sizeof(first)));
				first = reply;
			}
			if (r == CUT_BAD)
				break;
		}
	}
}

TEST(cut__any_bytes)
{
	speak(&proto_raw, FRAMING_LENGTH);
	any_bytes();
	speak(&proto_raw, FRAMING_LINE);
	any_bytes();
	speak(&proto_memcached, 0);
	any_bytes();
	speak(&proto_resp, 0);
	any_bytes();
}

/* What the protocol's own put() asks for, answered so. */
static enum verdict judged(u32 key, u16 keys, const char *bytes)
{
	struct flight f = { .key = key, .keys = keys, .counted = true };
	size_t len = strlen(bytes);
	u8 *copy = malloc(len);
	enum verdict v;

	w.counts.hits = w.counts.misses = 0;
	memcpy(copy, bytes, len);
	v = opt.proto->judge(&w, &f, copy, (u32)len);
	free(copy);
	return v;
}

TEST(resp_judge__values_of_their_keys)
{
	speak(&proto_resp, 0);
	EXPECT_EQ(judged(1, 0, "+OK\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(judged(1, 0, "-BUSY later\r\n"), VERDICT_REFUSED);
	EXPECT_EQ(judged(1, 0, "-ERR\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 1, "$3\r\nhij\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(w.counts.hits, 1);
	EXPECT_EQ(judged(1, 1, "$-1\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(w.counts.misses, 1);
	EXPECT_EQ(judged(1, 1, "$3\r\nhik\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 1, "$2\r\nhi\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 1, "+OK\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 3, "*3\r\n$3\r\nhij\r\n$-1\r\n$3\r\nvwx\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(w.counts.hits, 2);
	EXPECT_EQ(w.counts.misses, 1);
	EXPECT_EQ(judged(1, 3, "*2\r\n$3\r\nhij\r\n$-1\r\n"), VERDICT_WRONG);
	/* values of each other's keys */
	EXPECT_EQ(judged(1, 3, "*3\r\n$3\r\nhij\r\n$3\r\nvwx\r\n$3\r\nopq\r\n"), VERDICT_WRONG);
}

TEST(memcached_judge__values_of_their_keys)
{
	speak(&proto_memcached, 0);
	EXPECT_EQ(judged(1, 0, "STORED\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(judged(1, 0, "SERVER_ERROR busy\r\n"), VERDICT_REFUSED);
	EXPECT_EQ(judged(1, 0, "END\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 1, "VALUE key000000001 1 3\r\nhij\r\nEND\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(w.counts.hits, 1);
	EXPECT_EQ(judged(1, 3, "VALUE key000000002 2 3\r\nopq\r\nEND\r\n"), VERDICT_ANSWERED);
	EXPECT_EQ(w.counts.hits, 1);
	EXPECT_EQ(w.counts.misses, 2);
	EXPECT_EQ(judged(1, 1, "VALUE key000000001 2 3\r\nhij\r\nEND\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 1, "VALUE key000000001 1 3\r\nhij\r\nERROR\r\n"), VERDICT_WRONG);
	EXPECT_EQ(judged(1, 1, "VALUE key000000002 2 3\r\nopq\r\nEND\r\n"), VERDICT_WRONG);
}
