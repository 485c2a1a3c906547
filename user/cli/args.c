// SPDX-License-Identifier: GPL-2.0-only
/* The cursor over command words, keywords by table with unambiguous abbreviations, and failing with a text. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"

static void set_error(struct cli *c, const char *fmt, va_list ap)
{
	vsnprintf(c->err, sizeof(c->err), fmt, ap);
}

/* Note why, and return @err, so that a caller can return in one statement. */
int fail(struct cli *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(c, fmt, ap);
	va_end(ap);
	return err;
}

int fail_usage(struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(c, fmt, ap);
	va_end(ap);
	c->usage = true;
	return -EINVAL;
}

int fail_memory(struct cli *c)
{
	return fail(c, -ENOMEM, "out of memory");
}

const char *args_peek(const struct args *a)
{
	return a->pos < a->n ? a->words[a->pos] : NULL;
}

const char *args_next(struct args *a)
{
	return a->pos < a->n ? a->words[a->pos++] : NULL;
}

/* Step over the next word if it is just @word. */
bool args_take(struct args *a, const char *word)
{
	const char *next = args_peek(a);

	if (!next || strcmp(next, word))
		return false;
	a->pos++;
	return true;
}

int args_need(struct cli *c, struct args *a, const char *what, const char **word)
{
	*word = args_next(a);
	if (*word)
		return 0;
	if (a->pos && a->n)
		return fail_usage(c, "\"%s\" must be followed by %s", a->words[a->n - 1], what);
	return fail_usage(c, "%s is missing", what);
}

/* What to add to a complaint about a word that looks like an option of the command itself. */
static const char *hint(const char *word)
{
	return word[0] == '-' ? "; options go before the command, as in \"sluice -j stats\"" : "";
}

int args_end(struct cli *c, struct args *a)
{
	const char *word = args_peek(a);

	if (!word)
		return 0;
	return fail_usage(c, "\"%s\" is more than this command takes%s", word, hint(word));
}

int args_name(struct cli *c, struct args *a, const char *what, char *name)
{
	const char *word;
	int ret = args_need(c, a, what, &word);

	if (ret)
		return ret;
	if (check_name(word) || word[0] == '-')
		return fail_usage(c, "\"%s\" is no name for %s: 1 to 31 letters, digits, _ . or -%s", word, what,
				  hint(word));
	strcpy(name, word);
	return 0;
}

/* Index of the name that @word is, or is the beginning of no other than; -ENOENT, or -EEXIST: of several. */
static int find_prefix(const char *word, const char *(*name_at)(const void *table, int i), const void *table)
{
	size_t len = strlen(word);
	int i, found = -ENOENT;
	const char *name;

	for (i = 0; (name = name_at(table, i)); i++) {
		if (!strcmp(name, word))
			return i;
		if (len && !strncmp(name, word, len))
			found = found == -ENOENT ? i : -EEXIST;
	}
	return found;
}

static const char *enum_at(const void *table, int i)
{
	return ((const char *const *)table)[i];
}

static const char *keyword_at(const void *table, int i)
{
	return ((const struct keyword *)table)[i].name;
}

static const char *command_at(const void *table, int i)
{
	return ((const struct command *)table)[i].name;
}

/* All names, or all that begin with @word, as "a, b, c". */
static void list_names(char *buf, size_t size, const char *word,
		       const char *(*name_at)(const void *table, int i), const void *table)
{
	const char *name;
	size_t used = 0;
	int i;

	buf[0] = 0;
	for (i = 0; (name = name_at(table, i)); i++) {
		if (word && strncmp(name, word, strlen(word)))
			continue;
		if (used < size)
			used += snprintf(buf + used, size - used, "%s%s", used ? ", " : "", name);
	}
}

static int lookup(struct cli *c, const char *word, const char *what,
		  const char *(*name_at)(const void *table, int i), const void *table)
{
	int i = find_prefix(word, name_at, table);
	char list[600];

	if (i == -EEXIST) {
		list_names(list, sizeof(list), word, name_at, table);
		return fail_usage(c, "\"%s\" may be any of %s: write more of it", word, list);
	}
	if (i < 0) {
		list_names(list, sizeof(list), NULL, name_at, table);
		return fail_usage(c, "\"%s\" is no %s; known: %s%s", word, what, list, hint(word));
	}
	return i;
}

int args_enum(struct cli *c, struct args *a, const char *what, const char *const *names, uint32_t *value)
{
	const char *word;
	int ret = args_need(c, a, what, &word);

	if (ret)
		return ret;
	ret = lookup(c, word, what, enum_at, names);
	if (ret < 0)
		return ret;
	*value = ret;
	return 0;
}

int args_u32(struct cli *c, struct args *a, const char *what, uint32_t max, uint32_t *value)
{
	const char *word;
	uint64_t v;
	int ret = args_need(c, a, what, &word);

	if (ret)
		return ret;
	if (parse_u64(word, max, &v))
		return fail_usage(c, "\"%s\" is no %s: a number from 0 to %u", word, what, max);
	*value = v;
	return 0;
}

/* A time in ns, any. */
int args_time(struct cli *c, struct args *a, uint64_t *ns)
{
	const char *word;
	int ret = args_need(c, a, "a time", &word);

	if (!ret && parse_ns(word, ns))
		ret = fail_usage(c, "\"%s\" is no time: write it as 50us, 2ms or 10s", word);
	return ret;
}

const struct keyword *find_keyword(struct cli *c, const struct keyword *table, const char *word)
{
	int i = lookup(c, word, "option here", keyword_at, table);

	return i < 0 ? NULL : &table[i];
}

const struct command *find_command(struct cli *c, const struct command *table, const char *word)
{
	int i = lookup(c, word, "command", command_at, table);

	return i < 0 ? NULL : &table[i];
}

/* Every word up to the end is an option of the table, with what belongs to it. */
int args_options(struct cli *c, struct args *a, const struct keyword *table, void *obj)
{
	const struct keyword *k;
	const char *word;
	int ret;

	while ((word = args_next(a))) {
		k = find_keyword(c, table, word);
		if (!k)
			return -EINVAL;
		ret = k->parse(c, a, obj);
		if (ret)
			return ret;
	}
	return 0;
}
