// SPDX-License-Identifier: GPL-2.0-only
/* Framing of byte streams: length fields, lines, memcached's text protocol, Redis' RESP. */
#include "frame.h"

/* Stages of RESP. */
enum {
	RESP_START,
	RESP_COUNT,  /* digits after '*' */
	RESP_ITEM,   /* expects '$' */
	RESP_SIZE,   /* digits after '$' */
	RESP_BYTES,  /* of a string, with its CR LF */
	RESP_LF,     /* the LF of a count or size */
	RESP_INLINE, /* anything up to LF */
};

#define MEMCACHED_BINARY 0x80 /* first byte of a request of the binary protocol */

/**
 * sluice_frame_check() - judge a configuration
 * @f: configuration
 * @why: set to what is wrong with it
 *
 * Return: 0 or -EINVAL.
 */
int sluice_frame_check(const struct sluice_frame *f, const char **why)
{
	*why = "no such framing";
	if (f->type >= __SLUICE_FRAME_MAX)
		return -EINVAL;
	*why = "the largest message is at least one byte";
	if (!f->max)
		return -EINVAL;
	if (f->type != SLUICE_FRAME_LENGTH)
		return 0;
	*why = "a length field has 1, 2, 4 or 8 bytes";
	if (f->width != 1 && f->width != 2 && f->width != 4 && f->width != 8)
		return -EINVAL;
	*why = "the length field must end within the first 256 bytes and the largest message";
	if (f->offset > SLUICE_FRAME_HEADER_MAX - f->width || f->offset + f->width > f->max)
		return -EINVAL;
	return 0;
}

static int known(const struct sluice_frame *f, u64 total)
{
	return total > f->max ? -EMSGSIZE : (int)total;
}

static int feed_length(const struct sluice_frame *f, struct sluice_frame_state *s, const u8 *data,
		       u32 len)
{
	u32 header = f->offset + f->width;
	u32 i;

	for (i = 0; i < len; i++) {
		u32 at = s->seen++;

		if (at < f->offset)
			continue;
		if (f->little)
			s->value |= (u64)data[i] << (8 * (at - f->offset));
		else
			s->value = s->value << 8 | data[i];
		if (at + 1 < header)
			continue;
		if (f->whole)
			return s->value < header ? -EPROTO : known(f, s->value);
		return s->value > f->max ? -EMSGSIZE : known(f, s->value + header);
	}
	return 0;
}

static int feed_line(const struct sluice_frame *f, struct sluice_frame_state *s, const u8 *data,
		     u32 len, u8 delim)
{
	const u8 *end = sluice_find(data, delim, len);

	s->seen += end ? (u32)(end - data) + 1 : len;
	if (end)
		return known(f, s->seen);
	return s->seen >= f->max ? -EMSGSIZE : 0;
}

/*
 * Which word of a command's line is the length of a data block; 0: it has none. The command is in
 * the bytes of @word, the last one lowest.
 */
static u8 memcached_want(u64 word)
{
	switch (word) {
	case 0x736574:	       /* set */
	case 0x616464:	       /* add */
	case 0x636173:	       /* cas */
	case 0x7265706c616365: /* replace */
	case 0x617070656e64:   /* append */
	case 0x70726570656e64: /* prepend */
		return 4;
	case 0x6d73: /* ms */
		return 2;
	default:
		return 0;
	}
}

/* A word of the line has ended. */
static void memcached_word(struct sluice_frame_state *s)
{
	if (!s->token && s->chars <= 7)
		s->want = memcached_want(s->value);
	else if (s->token && s->token == s->want)
		s->number = s->chars != 0xff;
	s->token += s->token < 0xff;
	s->chars = 0;
	s->value = 0;
}

/* One more byte of a word: of the command, or of the number that matters. */
static void memcached_char(struct sluice_frame_state *s, u8 c)
{
	if (!s->token) {
		s->value = s->value << 8 | c;
		s->chars += s->chars < 0xff;
	} else if (s->token != s->want) {
		s->chars = 1;
	} else if (s->chars != 0xff && c >= '0' && c <= '9') {
		s->data = s->data > U32_MAX / 20 ? U32_MAX / 2 : s->data * 10 + (c - '0');
		s->chars = 1;
	} else {
		s->chars = 0xff; /* no number: the server will say so, and no data block follows */
	}
}

static int feed_memcached(const struct sluice_frame *f, struct sluice_frame_state *s,
			  const u8 *data, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++) {
		u8 c = data[i];

		if (s->token && !s->want) /* of the line only its end matters */
			return feed_line(f, s, data + i, len - i, '\n');
		if (!s->seen++ && c == MEMCACHED_BINARY)
			return -EPROTO;
		if (c != '\n' && c != ' ' && c != '\r')
			memcached_char(s, c);
		else if (s->chars)
			memcached_word(s);
		if (c == '\n')
			return known(f, s->seen + (s->number ? (u64)s->data + 2 : 0));
		if (s->seen >= f->max)
			return -EMSGSIZE;
	}
	return 0;
}

/* A digit of a count or size, or its CR. Return: 0, or -EPROTO. */
static int resp_digit(struct sluice_frame_state *s, u8 c)
{
	if (c >= '0' && c <= '9' && s->chars < 10) {
		s->value = s->value * 10 + (c - '0');
		s->chars++;
		return 0;
	}
	if (c != '\r' || !s->chars)
		return -EPROTO;
	s->token = s->stage;
	s->stage = RESP_LF;
	return 0;
}

/* The LF after a count or a size. Return: as feed. */
static int resp_number(const struct sluice_frame *f, struct sluice_frame_state *s)
{
	u64 value = s->value;

	s->value = 0;
	s->chars = 0;
	if (value > f->max)
		return -EMSGSIZE;
	if (s->token == RESP_COUNT) {
		s->items = (u32)value;
		s->stage = RESP_ITEM;
		return value ? 0 : known(f, s->seen);
	}
	s->skip = (u32)value + 2;
	s->stage = RESP_BYTES;
	if (!--s->items)
		return known(f, (u64)s->seen + s->skip);
	return (u64)s->seen + s->skip > f->max ? -EMSGSIZE : 0;
}

static int resp_byte(const struct sluice_frame *f, struct sluice_frame_state *s, u8 c)
{
	s->seen++;
	switch (s->stage) {
	case RESP_START:
		s->stage = c == '*' ? RESP_COUNT : RESP_INLINE;
		return c == '\n' ? known(f, s->seen) : 0;
	case RESP_COUNT:
	case RESP_SIZE:
		return resp_digit(s, c);
	case RESP_LF:
		return c == '\n' ? resp_number(f, s) : -EPROTO;
	case RESP_ITEM:
		s->stage = RESP_SIZE;
		return c == '$' ? 0 : -EPROTO;
	default:
		return c == '\n' ? known(f, s->seen) : 0;
	}
}

static int feed_resp(const struct sluice_frame *f, struct sluice_frame_state *s, const u8 *data,
		     u32 len)
{
	u32 i = 0, n;
	int ret;

	while (i < len) {
		if (s->stage == RESP_BYTES) {
			n = len - i < s->skip ? len - i : s->skip;
			s->seen += n;
			s->skip -= n;
			i += n;
			if (!s->skip)
				s->stage = RESP_ITEM;
			continue;
		}
		ret = resp_byte(f, s, data[i++]);
		if (ret)
			return ret;
		if (s->seen >= f->max)
			return -EMSGSIZE;
	}
	return 0;
}

/**
 * sluice_frame_feed() - look at the next bytes of the current message
 * @f: checked configuration
 * @s: state of this message; to be zeroed before the next one
 * @data: bytes that follow those fed before
 * @len: how many, at least one; those behind the message's end are not looked at
 *
 * Return: the length of the message as soon as it can be told, which may be more or less than what
 * was fed so far; 0 if it takes more bytes to tell; -EMSGSIZE longer than the maximum; -EPROTO no
 * message begins like this.
 */
int sluice_frame_feed(const struct sluice_frame *f, struct sluice_frame_state *s, const u8 *data,
		      u32 len)
{
	switch (f->type) {
	case SLUICE_FRAME_LENGTH:
		return feed_length(f, s, data, len);
	case SLUICE_FRAME_LINE:
		return feed_line(f, s, data, len, f->delim);
	case SLUICE_FRAME_MEMCACHED:
		return feed_memcached(f, s, data, len);
	case SLUICE_FRAME_RESP:
		return feed_resp(f, s, data, len);
	default:
		return -EPROTO;
	}
}
