// SPDX-License-Identifier: GPL-2.0-only
/* Reads the configuration: words and statements of sluiced.conf, with the file and line of whatever is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "conf.h"
#include "conf_group.h"
#include "handlers/option.h"
#include "log.h"

#define FILE_BYTES_MAX	(1U << 20)
#define DRAIN_DEFAULT	10000000000ULL

int conf_fail(struct reader *rd, const char *format, ...)
{
	va_list ap;
	int n;

	n = snprintf(rd->err->text, sizeof(rd->err->text), "%s:%u: ", rd->file, rd->line);
	if (n > 0 && n < (int)sizeof(rd->err->text)) {
		va_start(ap, format);
		vsnprintf(rd->err->text + n, sizeof(rd->err->text) - n, format, ap);
		va_end(ap);
	}
	return -EINVAL;
}

static int no_memory(struct reader *rd)
{
	conf_fail(rd, "out of memory");
	return -ENOMEM;
}

/* ---- words ---- */

static void skip_blanks(struct reader *rd)
{
	for (;;) {
		if (rd->at[0] == '\\' && rd->at[1] == '\n') {
			rd->at += 2;
			rd->next_line++;
		} else if (*rd->at == ' ' || *rd->at == '\t' || *rd->at == '\r') {
			rd->at++;
		} else {
			break;
		}
	}
	if (*rd->at == '#')
		rd->at += strcspn(rd->at, "\n");
}

/* Quotes keep blanks together and fall away. The word is written over the text read before. */
static int read_word(struct reader *rd, char **to)
{
	char quote = 0;

	if (rd->n == CONF_WORDS_MAX)
		return conf_fail(rd, "more than %d words in one statement", CONF_WORDS_MAX);
	rd->words[rd->n++] = *to;
	for (; *rd->at && *rd->at != '\n' && (quote || !strchr(" \t\r", *rd->at)); rd->at++) {
		if (*rd->at == quote)
			quote = 0;
		else if (!quote && (*rd->at == '"' || *rd->at == '\''))
			quote = *rd->at;
		else
			*(*to)++ = *rd->at;
	}
	if (quote)
		return conf_fail(rd, "a quote is not closed on its line");
	*(*to)++ = 0;
	return 0;
}

/* The words of the next statement; none for an empty line. @words has room for all of the text. */
static int read_statement(struct reader *rd, char *words)
{
	int ret;

	rd->line = rd->next_line;
	rd->n = 0;
	rd->pos = 0;
	for (;;) {
		skip_blanks(rd);
		if (!*rd->at || *rd->at == '\n')
			break;
		ret = read_word(rd, &words);
		if (ret)
			return ret;
	}
	if (*rd->at == '\n') {
		rd->at++;
		rd->next_line++;
	}
	return 0;
}

/* ---- statements ---- */

static int expect_end(struct reader *rd)
{
	if (rd->pos < rd->n)
		return conf_fail(rd, "\"%s\" is one word too many", rd->words[rd->pos]);
	return 0;
}

static int read_log(struct reader *rd)
{
	const char *level = conf_word(rd);

	if (!level || !log_parse_level(level, &rd->conf->log_level))
		return conf_fail(rd, "log wants a level: error, warning, notice, info or debug");
	return expect_end(rd);
}

static int read_drain_timeout(struct reader *rd)
{
	const char *time = conf_word(rd);

	if (!time || !parse_time(time, &rd->conf->drain_ns) || rd->conf->drain_ns < 1000000 ||
	    rd->conf->drain_ns > 3600 * 1000000000ULL)
		return conf_fail(rd, "drain-timeout wants a time from 1ms to 60min, such as 10s");
	return expect_end(rd);
}

static int add_group(struct reader *rd)
{
	struct conf_group *groups;
	struct conf_group *g;
	int ret;

	if (rd->conf->ngroups == CONF_GROUPS_MAX)
		return conf_fail(rd, "more than %d groups", CONF_GROUPS_MAX);
	groups = realloc(rd->conf->groups, (rd->conf->ngroups + 1) * sizeof(*groups));
	if (!groups)
		return no_memory(rd);
	rd->conf->groups = groups;
	g = &groups[rd->conf->ngroups++];
	memset(g, 0, sizeof(*g));
	if (asprintf(&g->where, "%s:%u", rd->file, rd->line) < 0) {
		g->where = NULL;
		return no_memory(rd);
	}
	ret = conf_group_read(rd, g);
	if (!ret && rd->block)
		rd->block_line = rd->line;
	return ret;
}

/* A line of a group's block goes to the handler. */
static int add_option(struct reader *rd)
{
	struct conf_group *g = &rd->conf->groups[rd->conf->ngroups - 1];
	struct sluice_handler_option *options, *o;
	char *name = NULL, *value = NULL, *where = NULL;
	size_t len = 1;
	int i;

	options = realloc(g->options, (g->noptions + 1) * sizeof(*options));
	if (!options)
		return no_memory(rd);
	g->options = options;
	for (i = 1; i < rd->n; i++)
		len += strlen(rd->words[i]) + 1;
	name = strdup(rd->words[0]);
	value = calloc(1, len);
	if (asprintf(&where, "%s:%u", rd->file, rd->line) < 0)
		where = NULL;
	if (!name || !value || !where) {
		free(name);
		free(value);
		free(where);
		return no_memory(rd);
	}
	for (i = 1; i < rd->n; i++) {
		strcat(value, i > 1 ? " " : "");
		strcat(value, rd->words[i]);
	}
	o = &options[g->noptions++];
	*o = (struct sluice_handler_option){ .name = name, .value = value, .where = where };
	return 0;
}

static int statement(struct reader *rd)
{
	const char *word = conf_word(rd);

	if (!strcmp(word, "}")) {
		if (!rd->block)
			return conf_fail(rd, "\"}\" without a block");
		rd->block = false;
		return expect_end(rd);
	}
	if (rd->block)
		return add_option(rd);
	if (!strcmp(word, "group"))
		return add_group(rd);
	if (!strcmp(word, "log"))
		return read_log(rd);
	if (!strcmp(word, "drain-timeout"))
		return read_drain_timeout(rd);
	return conf_fail(rd, "\"%s\" is no statement: group, log or drain-timeout", word);
}

int conf_parse(const char *name, const char *text, struct conf *conf, struct conf_error *err)
{
	struct reader rd = { .file = name, .at = text, .next_line = 1, .conf = conf, .err = err };
	char *words = malloc(strlen(text) + CONF_WORDS_MAX + 1);
	int ret = 0;

	memset(conf, 0, sizeof(*conf));
	conf->log_level = LOG_INFO;
	conf->drain_ns = DRAIN_DEFAULT;
	if (!words)
		return no_memory(&rd);
	while (!ret && *rd.at) {
		ret = read_statement(&rd, words);
		if (!ret && rd.n)
			ret = statement(&rd);
	}
	if (!ret && rd.block) {
		rd.line = rd.block_line;
		ret = conf_fail(&rd, "the block is not closed with } on a line of its own");
	}
	if (!ret && !conf->ngroups) {
		rd.line = 1;
		ret = conf_fail(&rd, "there is no group to serve: write one, such as \"group echo handler echo\"");
	}
	free(words);
	return ret;
}

static int file_error(struct conf_error *err, const char *path, int e)
{
	snprintf(err->text, sizeof(err->text), "%s: %s: give a readable file with -c", path, strerror(e));
	return -e;
}

int conf_read(const char *path, struct conf *conf, struct conf_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	size_t len = 0;
	ssize_t n;
	char *text;

	memset(conf, 0, sizeof(*conf));
	if (fd < 0)
		return file_error(err, path, errno);
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text) {
		close(fd);
		return file_error(err, path, ENOMEM);
	}
	while ((n = read(fd, text + len, FILE_BYTES_MAX - len)) > 0)
		len += n;
	if (n < 0)
		ret = file_error(err, path, errno);
	else if (len == FILE_BYTES_MAX)
		ret = file_error(err, path, EFBIG);
	else if (memchr(text, 0, len))
		ret = file_error(err, path, EILSEQ);
	else
		ret = 0;
	text[len] = 0;
	close(fd);
	if (!ret)
		ret = conf_parse(path, text, conf, err);
	free(text);
	return ret;
}

void conf_free(struct conf *conf)
{
	struct conf_group *g;
	unsigned int i, k;

	for (i = 0; i < conf->ngroups; i++) {
		g = &conf->groups[i];
		for (k = 0; k < g->noptions; k++) {
			free((char *)g->options[k].name);
			free((char *)g->options[k].value);
			free((char *)g->options[k].where);
		}
		free(g->options);
		free(g->name);
		free(g->where);
		free(g->handler);
	}
	free(conf->groups);
	memset(conf, 0, sizeof(*conf));
}

struct conf_group *conf_find(const struct conf *conf, const char *name)
{
	unsigned int i;

	for (i = 0; i < conf->ngroups; i++)
		if (!strcmp(conf->groups[i].name, name))
			return &conf->groups[i];
	return NULL;
}

bool conf_same_options(const struct conf_group *a, const struct conf_group *b)
{
	unsigned int i;

	if (a->noptions != b->noptions)
		return false;
	for (i = 0; i < a->noptions; i++)
		if (strcmp(a->options[i].name, b->options[i].name) ||
		    strcmp(a->options[i].value, b->options[i].value))
			return false;
	return true;
}

bool conf_same_rings(const struct conf_group *a, const struct conf_group *b)
{
	return !memcmp(a->ring.slots, b->ring.slots, sizeof(a->ring.slots)) &&
	       a->ring.reply_slots == b->ring.reply_slots && a->ring.reply_size == b->ring.reply_size &&
	       a->ring.tx == b->ring.tx && a->ring.tx_idle_us == b->ring.tx_idle_us;
}
