/* SPDX-License-Identifier: GPL-2.0-only */
/* A byte buffer that grows up to a limit: where responses are put together. */
#ifndef SLUICE_HANDLERS_KV_BUF_H
#define SLUICE_HANDLERS_KV_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct kv_buf - growable bytes
 * @failed: something did not fit or there was no memory; what is there is incomplete
 */
struct kv_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t limit;
	bool failed;
};

static inline void kv_buf_init(struct kv_buf *b, size_t limit)
{
	memset(b, 0, sizeof(*b));
	b->limit = limit;
}

static inline void kv_buf_free(struct kv_buf *b)
{
	free(b->data);
	kv_buf_init(b, b->limit);
}

/* Cut back to @len bytes; a failure beyond them is forgotten. */
static inline void kv_buf_cut(struct kv_buf *b, size_t len)
{
	b->len = len;
	b->failed = false;
}

/* Room for @n more bytes at b->data + b->len; false: limit or memory, and b->failed is set. */
static inline bool kv_buf_room(struct kv_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 512;
	char *p;

	if (b->cap - b->len >= n)
		return !b->failed;
	if (b->failed || n > b->limit || b->len > b->limit - n) {
		b->failed = true;
		return false;
	}
	while (cap - b->len < n)
		cap *= 2;
	p = realloc(b->data, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

static inline void kv_buf_add(struct kv_buf *b, const void *p, size_t n)
{
	if (!n || !kv_buf_room(b, n))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

static inline void kv_buf_str(struct kv_buf *b, const char *s)
{
	kv_buf_add(b, s, strlen(s));
}

/* Decimal digits of @v at @to, which has room for 20. Returns how many. */
static inline unsigned int kv_digits(char *to, uint64_t v)
{
	char tmp[20];
	unsigned int n = 0, i;

	if (v < 100) {
		n = v > 9;
		if (n)
			*to++ = '0' + v / 10;
		*to = '0' + v % 10;
		return n + 1;
	}
	do {
		tmp[n++] = '0' + v % 10;
		v /= 10;
	} while (v);
	for (i = 0; i < n; i++)
		to[i] = tmp[n - 1 - i];
	return n;
}

__attribute__((format(printf, 2, 3)))
static inline void kv_buf_printf(struct kv_buf *b, const char *format, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	kv_buf_add(b, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

#endif /* SLUICE_HANDLERS_KV_BUF_H */
