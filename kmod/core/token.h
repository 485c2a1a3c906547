/* SPDX-License-Identifier: GPL-2.0-only */
/* Cursor over the tokens of a message, and unaligned loads that never read past a limit. */
#ifndef SLUICE_CORE_TOKEN_H
#define SLUICE_CORE_TOKEN_H

#include "classify.h"

#define SLUICE_ONES	0x0101010101010101ULL
#define SLUICE_HIGHS	0x8080808080808080ULL

/* Byte 0 in the lowest eight bits, whatever the machine's order: keys and searches rely on it. */
static inline u64 sluice_load64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline u32 sluice_load32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	return v;
}

static inline u32 sluice_load16(const u8 *p)
{
	return p[0] | (u32)p[1] << 8;
}

/**
 * sluice_load_part() - the @n bytes at @pos as the low bytes of a word, the rest 0
 * @data: message
 * @limit: readable bytes of it
 * @pos: @pos + @n is at most @limit
 * @n: 0..7
 */
static inline u64 sluice_load_part(const u8 *data, u32 limit, u32 pos, u32 n)
{
	u64 mask = (1ULL << (8 * n)) - 1;
	u64 v = 0;

	if (likely(pos + 8 <= limit))
		return sluice_load64(data + pos) & mask;
	if (!n)
		return 0;
	if (limit >= 8)
		return sluice_load64(data + limit - 8) >> (8 * (pos + 8 - limit)) & mask;
	while (n--)
		v = v << 8 | data[pos + n];
	return v;
}

/* The high bit of each byte of @v that is 0; exact up to and including the lowest. */
static inline u64 sluice_zero_bytes(u64 v)
{
	return (v - SLUICE_ONES) & ~v & SLUICE_HIGHS;
}

/* The first byte that is @c, or NULL; by words, where memchr() goes byte by byte. */
static inline const u8 *sluice_find(const u8 *data, u8 c, u32 len)
{
	for (; len >= 8; len -= 8, data += 8)
		if (sluice_zero_bytes(sluice_load64(data) ^ (SLUICE_ONES * c)))
			break;
	for (; len; len--, data++)
		if (*data == c)
			return data;
	return NULL;
}

/* First of @delim, CR and LF from @pos on, or @limit. */
static inline u32 sluice_token_end(const u8 *data, u32 limit, u32 pos, u8 delim)
{
	u64 v, hits;

	while (pos + 8 <= limit) {
		v = sluice_load64(data + pos);
		hits = sluice_zero_bytes(v ^ (SLUICE_ONES * delim)) |
		       sluice_zero_bytes(v ^ (SLUICE_ONES * '\r')) |
		       sluice_zero_bytes(v ^ (SLUICE_ONES * '\n'));
		if (hits)
			return pos + (__builtin_ctzll(hits) >> 3);
		pos += 8;
	}
	while (pos < limit && data[pos] != delim && data[pos] != '\r' && data[pos] != '\n')
		pos++;
	return pos;
}

/* Where the next token may begin; @ended once there can be none. */
struct sluice_cursor {
	u16 pos;
	bool ended;
};

static inline void sluice_cursor_init(struct sluice_cursor *c, u32 offset, u32 limit)
{
	c->pos = offset;
	c->ended = offset > limit;
}

/**
 * sluice_cursor_next() - find the next token
 * @c: cursor, moved behind the token
 * @data: message
 * @limit: bytes of it that may be looked at, at most SLUICE_DEPTH_MAX
 * @whole: the message has no byte behind @limit
 * @delim: delimiter
 * @start: set to the token's first byte
 *
 * Return: its length, which may be 0 unless the delimiter is blank; -1 if there is no token that
 * ends in sight.
 */
static inline int sluice_cursor_next(struct sluice_cursor *c, const u8 *data, u32 limit, bool whole,
				     u8 delim, u32 *start)
{
	bool blank = delim == ' ' || delim == '\t';
	u32 pos = c->pos, end;

	if (c->ended)
		return -1;
	if (blank)
		while (pos < limit && data[pos] == delim)
			pos++;
	end = sluice_token_end(data, limit, pos, delim);
	c->pos = end + 1;
	c->ended = end >= limit || data[end] != delim;
	if ((blank && end == pos) || (end >= limit && !whole)) {
		c->ended = true;
		return -1;
	}
	*start = pos;
	return end - pos;
}

#endif /* SLUICE_CORE_TOKEN_H */
