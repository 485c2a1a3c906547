// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/frame.[ch]: messages cut the same however their bytes arrive. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "rulegen.h"
#include "../../kmod/core/frame.h"

static const struct sluice_frame memcached = { .type = SLUICE_FRAME_MEMCACHED, .max = 4096 };
static const struct sluice_frame resp = { .type = SLUICE_FRAME_RESP, .max = 4096 };
static const struct sluice_frame line = { .type = SLUICE_FRAME_LINE, .delim = '\n', .max = 64 };
static const struct sluice_frame length4 = { .type = SLUICE_FRAME_LENGTH, .width = 4, .max = 4096 };

/* Feed in two pieces: all of @len bytes, cut after @cut. */
static int feed_cut(const struct sluice_frame *f, const u8 *data, u32 len, u32 cut)
{
	struct sluice_frame_state s = { 0 };
	u8 *a = malloc(cut + 1), *b = malloc(len - cut + 1);
	int ret = 0;

	/* copies of their own, so that the sanitizer sees a read past the end */
	if (cut) {
		a = realloc(a, cut);
		memcpy(a, data, cut);
		ret = sluice_frame_feed(f, &s, a, cut);
	}
	if (!ret && cut < len) {
		b = realloc(b, len - cut);
		memcpy(b, data + cut, len - cut);
		ret = sluice_frame_feed(f, &s, b, len - cut);
	}
	free(a);
	free(b);
	return ret;
}

static int feed_bytes(const struct sluice_frame *f, const u8 *data, u32 len)
{
	struct sluice_frame_state s = { 0 };
	int ret = 0;
	u32 i;

	for (i = 0; i < len && !ret; i++)
		ret = sluice_frame_feed(f, &s, data + i, 1);
	return ret;
}

/* The short cut says the same of the first @len bytes, or leaves it to the others. */
static void expect_quick(const struct sluice_frame *f, const u8 *data, u32 len, int want)
{
	u8 *exact = malloc(len);
	int ret;

	memcpy(exact, data, len);
	ret = sluice_frame_quick(f, exact, len);
	EXPECT_EQ(ret ? ret : want, want);
	free(exact);
}

/* The same answer for every cut, and byte by byte; what follows the message changes nothing. */
static void expect(const struct sluice_frame *f, const void *message, u32 len, int want)
{
	u8 *more = malloc(len + 5);
	u32 cut;

	memcpy(more, message, len);
	memcpy(more + len, "*3\r\n ", 5);
	for (cut = 0; cut <= len; cut++) {
		EXPECT_EQ(feed_cut(f, message, len, cut), want);
		EXPECT_EQ(feed_cut(f, more, len + 5, cut), want);
		if (cut)
			expect_quick(f, message, cut, want);
	}
	EXPECT_EQ(feed_bytes(f, message, len), want);
	free(more);
}

static void whole(const struct sluice_frame *f, const char *text)
{
	expect(f, text, (u32)strlen(text), (int)strlen(text));
}

TEST(frame_check__refuses_what_cannot_be_cut)
{
	struct sluice_frame f = length4;
	const char *why;

	EXPECT_EQ(sluice_frame_check(&f, &why), 0);
	f.width = 3;
	EXPECT_EQ(sluice_frame_check(&f, &why), -EINVAL);
	f.width = 8;
	f.offset = SLUICE_FRAME_HEADER_MAX - 8;
	EXPECT_EQ(sluice_frame_check(&f, &why), 0);
	f.offset++;
	EXPECT_EQ(sluice_frame_check(&f, &why), -EINVAL);
	f.offset = U32_MAX - 3;
	EXPECT_EQ(sluice_frame_check(&f, &why), -EINVAL);
	f.offset = 0;
	f.max = 7;
	EXPECT_EQ(sluice_frame_check(&f, &why), -EINVAL);
	f = line;
	f.max = 0;
	EXPECT_EQ(sluice_frame_check(&f, &why), -EINVAL);
	f.max = 1;
	EXPECT_EQ(sluice_frame_check(&f, &why), 0);
	f.type = __SLUICE_FRAME_MAX;
	EXPECT_EQ(sluice_frame_check(&f, &why), -EINVAL);
}

TEST(frame_feed__length_of_every_width_order_and_place)
{
	static const u8 widths[] = { 1, 2, 4, 8 };
	u8 message[64];
	u32 w, i, offset, little, counts;

	for (w = 0; w < 4; w++) {
		for (offset = 0; offset < 12; offset += 3) {
			for (little = 0; little < 2; little++) {
				for (counts = 0; counts < 2; counts++) {
					struct sluice_frame f = { .type = SLUICE_FRAME_LENGTH, .width = widths[w],
								  .little = little, .whole = counts,
								  .offset = offset, .max = 64 };
					u32 header = offset + f.width;

					memset(message, 0x7e, sizeof(message));
					for (i = 0; i < f.width; i++)
						message[offset + i] = 0;
					message[offset + (little ? 0 : f.width - 1)] =
						(u8)(counts ? header + 9 : 9);
					expect(&f, message, header, (int)header + 9);
					expect(&f, message, header + 9, (int)header + 9);
				}
			}
		}
	}
}

TEST(frame_feed__length_of_an_empty_message)
{
	expect(&length4, "\0\0\0\0", 4, 4);
}

TEST(frame_feed__length_above_the_maximum)
{
	struct sluice_frame f = length4;

	expect(&f, "\0\0\x0f\xfc", 4, 4096);
	expect(&f, "\0\0\x0f\xfd", 4, -EMSGSIZE);
	expect(&f, "\xff\xff\xff\xff", 4, -EMSGSIZE);
	f.width = 8;
	expect(&f, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, -EMSGSIZE);
	f.whole = true;
	expect(&f, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, -EMSGSIZE);
	f.little = true;
	expect(&f, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, -EMSGSIZE);
}

TEST(frame_feed__length_that_does_not_count_itself)
{
	struct sluice_frame f = length4;

	f.whole = true;
	expect(&f, "\0\0\0\3", 4, -EPROTO);
	expect(&f, "\0\0\0\4", 4, 4);
}

TEST(frame_feed__lines)
{
	char text[80];

	whole(&line, "\n");
	whole(&line, "\r\n");
	whole(&line, "hello\r\n");
	memset(text, 'a', sizeof(text));
	text[63] = '\n';
	expect(&line, text, 64, 64);
	EXPECT_EQ(feed_cut(&line, (u8 *)text, 63, 0), 0);
	text[63] = 'a';
	text[64] = '\n';
	expect(&line, text, 65, -EMSGSIZE);
}

TEST(frame_feed__memcached_lines_without_data)
{
	whole(&memcached, "get a\r\n");
	whole(&memcached, "get a b c\r\n");
	whole(&memcached, "gets a\n");
	whole(&memcached, "\r\n");
	whole(&memcached, "version\r\n");
	whole(&memcached, "incr a 5 noreply\r\n");
	whole(&memcached, "touch a 0\r\n");
	whole(&memcached, "mg key t v 12\r\n");
	whole(&memcached, "md key q\r\n");
	whole(&memcached, "ma key N0 J13\r\n");
	whole(&memcached, "mn\r\n");
	whole(&memcached, "settle a 0 0 5\r\n");
	whole(&memcached, "xset a 0 0 5\r\n");
	whole(&memcached, "replaced a 0 0 5\r\n");
	whole(&memcached, "aset\tb 0 0 5\r\n");
}

TEST(frame_feed__memcached_data_blocks)
{
	static const char *const commands[] = { "set", "add", "replace", "append", "prepend" };
	char text[128];
	u32 i;

	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%s key 0 0 5\r\nab\n\r1\r\n", commands[i]);
		whole(&memcached, text);
		snprintf(text, sizeof(text), "%s key 0 0 5 noreply\r\nabcde\r\n", commands[i]);
		whole(&memcached, text);
		snprintf(text, sizeof(text), "%s   key 0  0 0 \r\n\r\n", commands[i]);
		whole(&memcached, text);
	}
	whole(&memcached, "cas key 0 0 3 17\r\nabc\r\n");
	whole(&memcached, "ms key 5\r\nabcde\r\n");
	whole(&memcached, "ms key 5 T0 F1\r\nabcde\r\n");
	whole(&memcached, "ms key 12 q\r\nset a 0 0 1\n\r\n");
	whole(&memcached, "set key 0 0 0\r\n\r\n");
}

TEST(frame_feed__memcached_lengths_that_are_none)
{
	whole(&memcached, "set key 0 0 x\r\n");
	whole(&memcached, "set key 0 0 -1\r\n");
	whole(&memcached, "set key 0 0 5x\r\n");
	whole(&memcached, "set key 0 0 x5\r\n");
	whole(&memcached, "set key 0 0\r\n");
	whole(&memcached, "set\r\n");
	whole(&memcached, "ms key\r\n");
	whole(&memcached, "ms key T5\r\n");
}

TEST(frame_feed__memcached_too_long)
{
	char text[5000];

	expect(&memcached, "set key 0 0 4077\r\n", 18, -EMSGSIZE);
	expect(&memcached, "set key 0 0 4076\r\n", 18, 4096);
	expect(&memcached, "set key 0 0 99999999999999999999\r\n", 34, -EMSGSIZE);
	memset(text, 'a', sizeof(text));
	text[4095] = '\n';
	EXPECT_EQ(feed_bytes(&memcached, (u8 *)text, 4096), 4096);
	text[4095] = 'a';
	EXPECT_EQ(feed_bytes(&memcached, (u8 *)text, 4096), -EMSGSIZE);
	EXPECT_EQ(feed_cut(&memcached, (u8 *)text, 5000, 0), -EMSGSIZE);
}

TEST(frame_feed__memcached_binary_protocol)
{
	expect(&memcached, "\x80\x00\x00\x03", 4, -EPROTO);
}

TEST(frame_feed__resp_arrays)
{
	whole(&resp, "*1\r\n$4\r\nPING\r\n");
	whole(&resp, "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
	whole(&resp, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$8\r\n\r\n*1\r\n$4\r\n");
	whole(&resp, "*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
	whole(&resp, "*0\r\n");
	whole(&resp, "*01\r\n$04\r\nPING\r\n");
}

/* Bytes next to the one searched for are what a search by words may mistake. */
TEST(frame_find__as_memchr)
{
	static const u8 near[] = { 0, 1, 9, 10, 11, 0x7f, 0x80, 0x8a, 0xff };
	u8 text[40];
	u32 c, len, at, i;

	for (c = 0; c < sizeof(near); c++) {
		for (len = 0; len <= sizeof(text); len++) {
			for (at = 0; at <= len; at++) {
				for (i = 0; i < len; i++)
					text[i] = near[(i + at) % sizeof(near)] + (near[(i + at) % sizeof(near)] == near[c]);
				if (at < len)
					text[at] = near[c];
				EXPECT_EQ(sluice_find(text, near[c], len) == memchr(text, near[c], len), 1);
			}
		}
	}
}

TEST(frame_feed__resp_inline)
{
	whole(&resp, "PING\r\n");
	whole(&resp, "SET a b\n");
	whole(&resp, "\r\n");
	whole(&resp, "\n");
}

TEST(frame_feed__resp_that_is_none)
{
	expect(&resp, "*\r\n", 3, -EPROTO);
	expect(&resp, "*-1\r\n", 5, -EPROTO);
	expect(&resp, "*1x\r\n", 5, -EPROTO);
	expect(&resp, "*1\n", 3, -EPROTO);
	expect(&resp, "*1\r\r", 4, -EPROTO);
	expect(&resp, "*1\r\nPING\r\n", 10, -EPROTO);
	expect(&resp, "*1\r\n$-1\r\n", 9, -EPROTO);
	expect(&resp, "*1\r\n$\r\n", 7, -EPROTO);
	expect(&resp, "*00000000001\r\n", 14, -EPROTO);
}

TEST(frame_feed__resp_too_long)
{
	char text[5000];

	expect(&resp, "*2\r\n$3\r\nGET\r\n$5000\r\n", 20, -EMSGSIZE);
	expect(&resp, "*3\r\n$3\r\nSET\r\n$4090\r\n", 20, -EMSGSIZE);
	expect(&resp, "*9999999999\r\n", 13, -EMSGSIZE);
	expect(&resp, "*1\r\n$4082\r\n", 11, 4095);
	expect(&resp, "*1\r\n$4083\r\n", 11, 4096);
	expect(&resp, "*1\r\n$4084\r\n", 11, -EMSGSIZE);
	memset(text, 'a', sizeof(text));
	EXPECT_EQ(feed_cut(&resp, (u8 *)text, 5000, 0), -EMSGSIZE);
	EXPECT_EQ(feed_bytes(&resp, (u8 *)text, 4096), -EMSGSIZE);
}

/* Any bytes at all: the same answer in one piece, cut anywhere, and byte by byte. */
TEST(frame_feed__random_bytes_do_not_depend_on_the_pieces)
{
	static const char alphabet[] = "*$0123\r\n set cas ms 9\n";
	struct choices c = { .state = 11 };
	u8 data[48];
	u32 round, type, i;

	for (round = 0; round < 20000; round++) {
		struct sluice_frame f = { .width = (u8)(1u << pick(&c, 4)), .little = pick(&c, 2),
					  .whole = pick(&c, 2), .delim = '\n', .offset = pick(&c, 8) };
		u32 len = 1 + pick(&c, sizeof(data));
		int want;

		for (i = 0; i < len; i++)
			data[i] = pick(&c, 8) ? (u8)alphabet[pick(&c, sizeof(alphabet) - 1)] :
						(u8)pick(&c, 256);
		for (type = 0; type < __SLUICE_FRAME_MAX; type++) {
			f.type = (u8)type;
			f.max = 16 + pick(&c, 40);
			want = feed_cut(&f, data, len, 0);
			EXPECT(want <= (int)f.max);
			EXPECT_EQ(feed_bytes(&f, data, len), want);
			EXPECT_EQ(feed_cut(&f, data, len, pick(&c, len + 1)), want);
		}
	}
}
