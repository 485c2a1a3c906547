// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/packet.[ch]: no frame that is not whole and right is taken for a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "../../kmod/core/packet.h"
#include "frames.h"

#define PAYLOAD 21

/* Parse and sum a copy of just @len bytes, so that the sanitizer sees a read past the end. */
static int look(const u8 *frame, u32 len, struct sluice_packet *p)
{
	u8 *copy = malloc(len ? len : 1);
	int kind;

	memcpy(copy, frame, len);
	memset(p, 0, sizeof(*p));
	kind = sluice_packet_parse(len ? copy : frame, len, p);
	if (!kind && !sluice_packet_sum_ok(copy, p, false))
		kind = SLUICE_PACKET_CHECKSUM;
	free(copy);
	return kind;
}

struct shape {
	int family, tagged;
};

static const struct shape shapes[] = { { 4, 0 }, { 4, 1 }, { 6, 0 }, { 6, 1 } };

TEST(sluice_packet_parse__finds_the_message)
{
	struct sluice_packet p;
	u8 frame[256];
	u32 i, n, len;

	for (i = 0; i < 4; i++) {
		for (n = 0; n < 100; n++) {
			len = build(frame, shapes[i].family, shapes[i].tagged, n);
			EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OK);
			EXPECT_EQ(p.family, shapes[i].family);
			EXPECT_EQ(p.len, n);
			EXPECT_EQ(p.off, len - n);
			EXPECT_EQ(p.sport, 40000);
			EXPECT_EQ(p.dport, 7000);
			EXPECT_EQ(p.tag, shapes[i].tagged ? sluice_packet_tag(0x8100, 5) : 0);
		}
	}
}

TEST(sluice_packet_parse__padding_is_no_part_of_it)
{
	struct sluice_packet p;
	u8 frame[256] = { 0 };
	u32 i, len;

	for (i = 0; i < 4; i++) {
		len = build(frame, shapes[i].family, shapes[i].tagged, PAYLOAD);
		memset(frame + len, 0xee, 18);
		EXPECT_EQ(look(frame, len + 18, &p), SLUICE_PACKET_OK);
		EXPECT_EQ(p.len, PAYLOAD);
	}
}

TEST(sluice_packet_parse__truncated_at_each_byte)
{
	struct sluice_packet p;
	u8 frame[256];
	u32 i, n, len;

	for (i = 0; i < 4; i++) {
		len = build(frame, shapes[i].family, shapes[i].tagged, PAYLOAD);
		for (n = 0; n < len; n++)
			EXPECT_NE(look(frame, n, &p), SLUICE_PACKET_OK);
	}
}

/* Every single bit is covered by a checksum, a length or a demand, but for addresses and fields that may be so. */
TEST(sluice_packet_parse__each_bit_turned)
{
	u32 i, bit, len, l3, at;
	struct sluice_packet p;
	u8 frame[256];

	for (i = 0; i < 4; i++) {
		len = build(frame, shapes[i].family, shapes[i].tagged, PAYLOAD);
		l3 = 14 + (shapes[i].tagged ? 4 : 0);
		for (bit = l3 * 8; bit < len * 8; bit++) {
			at = bit / 8 - l3;
			/* IPv6: traffic class, flow label, hop limit */
			if (shapes[i].family == 6 && (at < 4 || at == 7))
				continue;
			frame[bit / 8] ^= 1 << bit % 8;
			EXPECT_NE(look(frame, len, &p), SLUICE_PACKET_OK);
			frame[bit / 8] ^= 1 << bit % 8;
		}
	}
}

TEST(sluice_packet_parse__each_value_of_each_length)
{
	u32 i, v, len, l3, l4;
	struct sluice_packet p;
	u8 frame[256];

	for (i = 0; i < 4; i++) {
		for (v = 0; v < 65536; v += v < 300 ? 1 : 251) {
			len = build(frame, shapes[i].family, shapes[i].tagged, PAYLOAD);
			l3 = 14 + (shapes[i].tagged ? 4 : 0);
			l4 = l3 + (shapes[i].family == 4 ? 20 : 40);
			if (v == 8 + PAYLOAD)
				continue;
			put16(frame + l4 + 4, v);
			put_udp_sum(frame, l3, l4, 8 + PAYLOAD, shapes[i].family);
			EXPECT_NE(look(frame, len, &p), SLUICE_PACKET_OK);
			len = build(frame, shapes[i].family, shapes[i].tagged, PAYLOAD);
			if (shapes[i].family == 4) {
				put16(frame + l3 + 2, v + 20);
				put16(frame + l3 + 10, 0);
				put16(frame + l3 + 10, ~slow_sum(frame + l3, 20, 0));
			} else {
				put16(frame + l3 + 4, v);
			}
			EXPECT_NE(look(frame, len, &p), SLUICE_PACKET_OK);
		}
	}
}

TEST(sluice_packet_parse__says_what_it_is)
{
	struct sluice_packet p;
	u8 frame[256];
	u32 len;

	len = build(frame, 4, 0, PAYLOAD);
	put16(frame + 12, 0x0806);
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OTHER);
	len = build(frame, 4, 0, PAYLOAD);
	frame[23] = 6;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OTHER);
	len = build(frame, 4, 0, PAYLOAD);
	frame[14] = 0x46;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OPTIONS);
	len = build(frame, 4, 0, PAYLOAD);
	frame[20] = 0x20;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_FRAGMENT);
	len = build(frame, 4, 0, PAYLOAD);
	frame[21] = 1;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_FRAGMENT);
	len = build(frame, 6, 0, PAYLOAD);
	frame[20] = 44;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_FRAGMENT);
	len = build(frame, 6, 0, PAYLOAD);
	frame[20] = 0;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OPTIONS);
	len = build(frame, 6, 0, PAYLOAD);
	frame[20] = 58;
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OTHER);
	len = build(frame, 4, 1, PAYLOAD);
	put16(frame + 16, 0x8100);
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OPTIONS);
}

TEST(sluice_packet_sum_ok__missing_sums)
{
	struct sluice_packet p;
	u8 frame[256];
	u32 len;

	len = build(frame, 4, 0, PAYLOAD);
	put16(frame + 40, 0);
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_OK);
	len = build(frame, 6, 0, PAYLOAD);
	put16(frame + 60, 0);
	EXPECT_EQ(look(frame, len, &p), SLUICE_PACKET_CHECKSUM);
}

TEST(sluice_packet_sum_ok__sums_left_to_a_device)
{
	struct sluice_packet p;
	u8 frame[256];
	u32 i, l3, l4;

	for (i = 0; i < 4; i++) {
		build(frame, shapes[i].family, shapes[i].tagged, PAYLOAD);
		l3 = 14 + (shapes[i].tagged ? 4 : 0);
		l4 = l3 + (shapes[i].family == 4 ? 20 : 40);
		EXPECT_EQ(sluice_packet_parse(frame, l4 + 8 + PAYLOAD, &p), SLUICE_PACKET_OK);
		put16(frame + l4 + 6, slow_sum(frame + l3 + (shapes[i].family == 4 ? 12 : 8),
					       shapes[i].family == 4 ? 8 : 32, 17 + 8 + PAYLOAD));
		EXPECT(sluice_packet_sum_ok(frame, &p, true));
		EXPECT(!sluice_packet_sum_ok(frame, &p, false));
		frame[l4 + 6] ^= 1;
		EXPECT(!sluice_packet_sum_ok(frame, &p, true));
	}
}

TEST(sluice_sum_add__as_the_long_way)
{
	u8 data[300], sum[2];
	u32 i, len;
	u16 got;

	for (i = 0; i < sizeof(data); i++)
		data[i] = rand();
	for (len = 0; len < sizeof(data); len++) {
		got = sluice_sum_fold(sluice_sum_add(data, len, 0));
		memcpy(sum, &got, 2);
		EXPECT_EQ(sum[0] << 8 | sum[1], slow_sum(data, len, 0));
	}
	memset(data, 0xff, sizeof(data));
	for (len = 0; len < sizeof(data); len++) {
		got = sluice_sum_fold(sluice_sum_add(data, len, 0));
		memcpy(sum, &got, 2);
		EXPECT_EQ(sum[0] << 8 | sum[1], slow_sum(data, len, 0));
	}
}
