/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Framing: where the messages of a byte stream end. One pass over the bytes in pieces of any size,
 * with a few words of state, so that a message that arrives a byte at a time costs no more than a
 * whole one.
 */
#ifndef SLUICE_CORE_FRAME_H
#define SLUICE_CORE_FRAME_H

#include "token.h"

#define SLUICE_FRAME_HEADER_MAX 256U /* a length field ends within these many bytes */

enum sluice_frame_type {
	SLUICE_FRAME_LENGTH,	/* a length field at a fixed place */
	SLUICE_FRAME_LINE,	/* up to and with a delimiter */
	SLUICE_FRAME_MEMCACHED, /* memcached's text and meta commands, data blocks included */
	SLUICE_FRAME_RESP,	/* Redis: arrays of bulk strings, and inline commands */
	__SLUICE_FRAME_MAX
};

/* How to cut; immutable once in use. */
struct sluice_frame {
	u8 type;    /* enum sluice_frame_type */
	u8 width;   /* LENGTH: bytes of the field: 1, 2, 4, 8 */
	bool little; /* LENGTH: least significant byte first */
	bool whole; /* LENGTH: the field counts everything, itself and what is before it included */
	u8 delim;   /* LINE */
	u32 offset; /* LENGTH: of the field */
	u32 max;    /* bytes of a message */
};

/* What is known of the message whose bytes are being fed; all zero before its first byte. */
struct sluice_frame_state {
	u64 value;   /* number being read, or the word of a command */
	u32 seen;    /* bytes fed */
	u32 skip;    /* RESP: bytes of the current string still to come */
	u32 items;   /* RESP: strings still to come */
	u8 stage;
	u8 token;    /* MEMCACHED: number of the word in the line */
	u8 want;     /* MEMCACHED: number of the word that is the length of a data block */
	u8 chars;    /* of the word or number so far */
	bool number; /* MEMCACHED: the length word is there and is one */
	u32 data;    /* MEMCACHED: its value */
};

static inline int sluice_frame_quick_length(const struct sluice_frame *f, const u8 *data, u32 len)
{
	const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	u32 field, header = f->offset + 4;

	if (f->width != 4 || len < header)
		return 0;
	/* the sender may still write to these bytes: what is judged is what is used */
	__builtin_memcpy(&field, data + f->offset, 4);
	OPTIMIZER_HIDE_VAR(field);
	if (f->little == big)
		field = __builtin_bswap32(field);
	if (f->whole && field < header)
		return -EPROTO;
	if (field > f->max || (!f->whole && header > f->max - field))
		return -EMSGSIZE;
	return f->whole ? (int)field : (int)(field + header);
}

static inline int sluice_frame_quick_get(const struct sluice_frame *f, const u8 *data, u32 len)
{
	const u8 *end;

	if (len < 4 || memcmp(data, "get ", 4))
		return 0;
	end = sluice_find(data, '\n', len);
	if (!end)
		return 0;
	return end - data < f->max ? (int)(end - data) + 1 : -EMSGSIZE;
}

/**
 * sluice_frame_quick() - the length of a message of the most common kinds, if that is easily told
 * @f: checked configuration
 * @data: the first bytes of a message
 * @len: how many are there
 *
 * Return: as sluice_frame_feed(), to which 0 leaves it.
 */
static inline int sluice_frame_quick(const struct sluice_frame *f, const u8 *data, u32 len)
{
	if (f->type == SLUICE_FRAME_LENGTH)
		return sluice_frame_quick_length(f, data, len);
	if (f->type == SLUICE_FRAME_MEMCACHED)
		return sluice_frame_quick_get(f, data, len);
	return 0;
}

int sluice_frame_check(const struct sluice_frame *f, const char **why);
int sluice_frame_feed(const struct sluice_frame *f, struct sluice_frame_state *s, const u8 *data,
		      u32 len);

#endif /* SLUICE_CORE_FRAME_H */
