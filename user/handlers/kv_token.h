/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of a command line of memcached's text protocol, and numbers in them. */
#ifndef SLUICE_HANDLERS_KV_TOKEN_H
#define SLUICE_HANDLERS_KV_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct token {
	const char *p;
	size_t len;
};

/* The next token of a line. Only spaces part tokens. */
bool kv_next_token(const char **pos, const char *end, struct token *t);

/* Digits, with what strtol() and its kind accept around them: a sign, and anything after a blank. */
bool kv_read_u64(struct token t, uint64_t *number);
bool kv_read_u32(struct token t, uint32_t *number);
bool kv_read_s64(struct token t, int64_t *number);

#endif /* SLUICE_HANDLERS_KV_TOKEN_H */
