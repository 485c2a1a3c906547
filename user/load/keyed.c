// SPDX-License-Identifier: GPL-2.0-only
/* Keys and values of a store: which are asked for, and that a value is recognized as its key's. */
#include <stdio.h>

#include "load/load.h"

bool starts(const u8 *p, u32 len, const char *text, u32 n)
{
	return n && len >= n && !memcmp(p, text, n);
}

bool keyed_check_options(const struct options *opt, char *error, size_t room)
{
	if (opt->multi_get > opt->keys) {
		snprintf(error, room, "--multi-get %llu asks for more keys than there are: give at least --keys %llu",
			 (unsigned long long)opt->multi_get, (unsigned long long)opt->multi_get);
		return false;
	}
	return true;
}

void keyed_pick(struct worker *w, struct flight *f)
{
	f->key = (u32)rng_below(&w->rng, w->opt->keys);
	f->next = f->found = 0;
	f->had[0] = f->had[1] = 0;
	f->ended = false;
	f->keys = rng_unit(&w->rng) <= w->opt->get_ratio ? (u16)w->opt->multi_get : 0;
}

/* The i-th key of a request: they follow one another. */
u32 keyed_key(const struct options *opt, const struct flight *f, u32 i)
{
	return (u32)((f->key + i) % opt->keys);
}

static u8 value_byte(u32 key, u32 i)
{
	return (u8)('a' + (key * 7 + i) % 26);
}

u32 keyed_put_value(u8 *buf, u32 key, u32 size)
{
	u32 i;

	for (i = 0; i < size; i++)
		buf[i] = value_byte(key, i);
	memcpy(buf + size, "\r\n", 2);
	return size + 2;
}

/* A value and the end of line behind it; there are size + 2 bytes. */
bool keyed_is_value(const u8 *p, u32 key, u32 size)
{
	u32 i;

	for (i = 0; i < size; i++) {
		if (p[i] != value_byte(key, i))
			return false;
	}
	return !memcmp(p + size, "\r\n", 2);
}

void keyed_count(struct worker *w, const struct flight *f)
{
	if (!f->counted)
		return;
	WRITE_ONCE(w->counts.hits, w->counts.hits + f->found);
	WRITE_ONCE(w->counts.misses, w->counts.misses + f->keys - f->found);
}
