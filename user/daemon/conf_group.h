/* SPDX-License-Identifier: GPL-2.0-only */
/* What the readers of statements share; internal to the configuration. */
#ifndef SLUICED_CONF_GROUP_H
#define SLUICED_CONF_GROUP_H

#include "conf.h"

#define CONF_WORDS_MAX 256

/**
 * struct reader - a file that is being read
 * @at: what is not read yet; @next_line: its line
 * @line: where the statement began
 * @words, @n: of the statement; @pos: the next one to be looked at
 * @block: the last group's block is open, since @block_line
 */
struct reader {
	const char *file;
	const char *at;
	unsigned int next_line;
	unsigned int line;
	char *words[CONF_WORDS_MAX];
	int n;
	int pos;
	bool block;
	unsigned int block_line;
	struct conf *conf;
	struct conf_error *err;
};

/* Next word of the statement or NULL. */
static inline const char *conf_word(struct reader *rd)
{
	return rd->pos < rd->n ? rd->words[rd->pos++] : NULL;
}

/* Say what is wrong at the statement's line; returns -EINVAL. */
int conf_fail(struct reader *rd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The words after "group". */
int conf_group_read(struct reader *rd, struct conf_group *g);

#endif /* SLUICED_CONF_GROUP_H */
