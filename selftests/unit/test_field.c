// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/field.c: deadlines and ids as messages carry them. */
#include <string.h>

#include "ktap.h"
#include "../../kmod/core/field.h"

#define MS 1000000U
#define HOUR (3600ULL * 1000000000)

static u64 read_time(struct sluice_time_field f, const u8 *bytes, u32 len)
{
	u8 *copy = malloc(len ? len : 1); /* so that the sanitizer sees a byte too many */
	struct sluice_msg msg = { .data = copy, .avail = len, .len = len };
	u64 ns;

	memcpy(copy, bytes, len);
	ns = sluice_time_field_ns(&f, &msg);
	free(copy);
	return ns;
}

#define TIME(f, ...)                                                                    \
	({                                                                              \
		static const u8 bytes_[] = { __VA_ARGS__ };                             \
		read_time(f, bytes_, sizeof(bytes_));                                   \
	})

TEST(time_field_ns__each_width_in_both_orders)
{
	struct sluice_time_field f = { .offset = 1, .width = 1, .unit = 1, .max = U64_MAX };

	EXPECT_EQ(0xab, TIME(f, 9, 0xab));
	f.width = 2;
	EXPECT_EQ(0x0102, TIME(f, 9, 1, 2));
	f.width = 4;
	EXPECT_EQ(0x01020304, TIME(f, 9, 1, 2, 3, 4, 9));
	f.width = 8;
	EXPECT_EQ(0x0102030405060708, TIME(f, 9, 1, 2, 3, 4, 5, 6, 7, 8));
	f.little = true;
	EXPECT_EQ(0x0807060504030201, TIME(f, 9, 1, 2, 3, 4, 5, 6, 7, 8));
	f.width = 4;
	EXPECT_EQ(0x04030201, TIME(f, 9, 1, 2, 3, 4, 9));
	f.width = 2;
	EXPECT_EQ(0x0201, TIME(f, 9, 1, 2));
}

TEST(time_field_ns__units)
{
	struct sluice_time_field f = { .width = 2, .unit = 1000, .max = HOUR };

	EXPECT_EQ(3000, TIME(f, 0, 3));
	f.unit = MS;
	EXPECT_EQ(3 * MS, TIME(f, 0, 3));
	f.unit = 1000 * MS;
	EXPECT_EQ(3000000000, TIME(f, 0, 3));
}

TEST(time_field_ns__beyond_the_maximum_is_the_maximum)
{
	struct sluice_time_field f = { .width = 2, .unit = MS, .max = 500 * MS };

	EXPECT_EQ(499 * MS, TIME(f, 1, 0xf3));
	EXPECT_EQ(500 * MS, TIME(f, 1, 0xf4));
	EXPECT_EQ(500 * MS, TIME(f, 1, 0xf5));
	EXPECT_EQ(500 * MS, TIME(f, 0xff, 0xff));
	/* the product does not fit 64 bits */
	f.width = 8;
	f.max = HOUR;
	EXPECT_EQ(HOUR, TIME(f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
	EXPECT_EQ(HOUR, TIME(f, 0, 0, 0x10, 0xc6, 0xf7, 0xa0, 0xb5, 0xee));
}

TEST(time_field_ns__zero_or_too_short_says_nothing)
{
	struct sluice_time_field f = { .offset = 2, .width = 4, .unit = 1, .max = HOUR };
	u8 bytes[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	struct sluice_msg msg = { .data = bytes, .avail = 5, .len = 8 };
	u32 len;

	EXPECT_EQ(0, TIME(f, 1, 1, 0, 0, 0, 0, 1));
	for (len = 0; len < 6; len++)
		EXPECT_EQ(0, read_time(f, bytes, len));
	EXPECT_EQ(0x01010101, read_time(f, bytes, 6));
	/* and what may not be looked at is not there */
	EXPECT_EQ(0, sluice_time_field_ns(&f, &msg));
}

TEST(time_field_check__what_is_refused)
{
	struct sluice_time_field f = { .offset = 508, .width = 4, .unit = 1, .max = 1 };
	const char *text = NULL;

	EXPECT_EQ(0, sluice_time_field_check(&f, &text));
	f.offset++;
	EXPECT_EQ(-EINVAL, sluice_time_field_check(&f, &text));
	EXPECT(text);
	f.offset = 0;
	f.width = 3;
	EXPECT_EQ(-EINVAL, sluice_time_field_check(&f, &text));
	f.width = 8;
	f.unit = 0;
	EXPECT_EQ(-EINVAL, sluice_time_field_check(&f, &text));
	f.unit = 1;
	f.max = 0;
	EXPECT_EQ(-EINVAL, sluice_time_field_check(&f, &text));
}

TEST(id_field_read__the_bytes_and_zeroes)
{
	static const u8 zeroes[SLUICE_ID_LEN_MAX];
	struct sluice_id_field f = { .offset = 2, .len = 3 };
	struct sluice_msg msg = { .data = (const u8 *)"xxabcy", .avail = 6, .len = 6 };
	u8 id[SLUICE_ID_LEN_MAX];

	memset(id, 0xff, sizeof(id));
	EXPECT(sluice_id_field_read(&f, &msg, id));
	EXPECT(!memcmp(id, "abc", 3) && !memcmp(id + 3, zeroes, sizeof(id) - 3));
	msg.len = msg.avail = 5;
	EXPECT(sluice_id_field_read(&f, &msg, id));
	msg.len = msg.avail = 4;
	EXPECT(!sluice_id_field_read(&f, &msg, id));
}

TEST(id_field_check__what_is_refused)
{
	struct sluice_id_field f = { .offset = 480, .len = 32 };
	const char *text = NULL;

	EXPECT_EQ(0, sluice_id_field_check(&f, &text));
	f.offset++;
	EXPECT_EQ(-EINVAL, sluice_id_field_check(&f, &text));
	EXPECT(text);
	f.offset = 0;
	f.len = 33;
	EXPECT_EQ(-EINVAL, sluice_id_field_check(&f, &text));
	f.len = 0;
	EXPECT_EQ(-EINVAL, sluice_id_field_check(&f, &text));
}
