// SPDX-License-Identifier: GPL-2.0-only
/* Reading a configuration: from a file in the command's own words or in JSON, checked as a whole, or from the kernel. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define WORDS_MAX	512
#define FILE_MAX	(64U << 20)

struct reader {
	struct cli *c;
	struct config *conf;
	unsigned int line;		/* where the current statement began */
	char *words[WORDS_MAX];
	int n;
	struct conf_listener *open;	/* whose block is open */
};

struct conf_group *conf_find_group(const struct config *conf, const char *name)
{
	uint32_t i;

	for (i = 0; i < conf->groups.n; i++)
		if (!strcmp(conf_group_at(conf, i)->group.name, name))
			return conf_group_at(conf, i);
	return NULL;
}

struct conf_listener *conf_find_listener(const struct config *conf, const char *name)
{
	uint32_t i;

	for (i = 0; i < conf->listeners.n; i++)
		if (!strcmp(conf_listener_at(conf, i)->listener.name, name))
			return conf_listener_at(conf, i);
	return NULL;
}

void config_free(struct config *conf)
{
	uint32_t i;

	for (i = 0; i < conf->groups.n; i++)
		obj_free(&set_group, &conf_group_at(conf, i)->group);
	for (i = 0; i < conf->listeners.n; i++) {
		obj_free(&set_listener, &conf_listener_at(conf, i)->listener);
		obj_free(&set_rules, &conf_listener_at(conf, i)->rules);
	}
	free(conf->groups.items);
	free(conf->listeners.items);
	memset(conf, 0, sizeof(*conf));
}

/* Put FILE:LINE: in front of what went wrong. */
static int at_line(struct reader *rd, unsigned int line, int ret)
{
	char text[sizeof(rd->c->err)];

	if (!ret)
		return 0;
	snprintf(text, sizeof(text), "%s", rd->c->err);
	return fail(rd->c, ret, "%s:%u: %.900s", rd->conf->file, line, text);
}

static struct conf_listener *new_listener(struct config *conf, unsigned int line)
{
	struct conf_listener *l = vec_add(&conf->listeners, sizeof(*l));

	if (l) {
		l->line = line;
		l->rules.given = GIVEN(SLUICE_A_RULES_LISTENER) | GIVEN(SLUICE_A_RULES_RULE);
	}
	return l;
}

static int read_group(struct reader *rd, struct args *a)
{
	struct conf_group *g = vec_add(&rd->conf->groups, sizeof(*g));

	if (!g)
		return fail_memory(rd->c);
	g->line = rd->line;
	return group_parse(rd->c, a, &g->group);
}

static int read_listener(struct reader *rd, struct args *a)
{
	struct conf_listener *l = new_listener(rd->conf, rd->line);
	bool block = a->n && !strcmp(a->words[a->n - 1], "{");
	int ret;

	if (!l)
		return fail_memory(rd->c);
	if (block)
		a->n--;
	ret = listener_parse(rd->c, a, &l->listener);
	strcpy(l->rules.listener, l->listener.name);
	if (!ret && block)
		rd->open = l;
	return ret;
}

static int read_rule(struct reader *rd, struct args *a)
{
	struct conf_listener *l = rd->open;
	char name[NAME_LEN] = "";
	struct rule *r;
	int ret;

	if (!l) {
		ret = args_name(rd->c, a, "a listener", name);
		if (ret)
			return ret;
		l = conf_find_listener(rd->conf, name);
		if (!l)
			return fail_usage(rd->c, "no listener \"%s\" stands above this rule", name);
	}
	r = vec_add(&l->rules.rules, sizeof(*r));
	if (!r)
		return fail_memory(rd->c);
	return rule_parse(rd->c, a, r);
}

static int statement(struct reader *rd)
{
	struct args a = { .words = rd->words, .n = rd->n };
	const char *word = args_next(&a);
	int ret;

	if (!strcmp(word, "}")) {
		if (!rd->open)
			return fail_usage(rd->c, "\"}\" without a block");
		rd->open = NULL;
		return args_end(rd->c, &a);
	}
	if (!strcmp(word, "rule"))
		ret = read_rule(rd, &a);
	else if (rd->open)
		ret = fail_usage(rd->c, "in a listener's block are rules only: close it with } before \"%s\"", word);
	else if (!strcmp(word, "group"))
		ret = read_group(rd, &a);
	else if (!strcmp(word, "listener"))
		ret = read_listener(rd, &a);
	else
		ret = fail_usage(rd->c, "\"%s\" is no object: group, listener or rule", word);
	return ret;
}

/*
 * Copy the next word from *@at to *@out. Quotes keep blanks together and fall away; what is escaped in them stays
 * escaped, for it is values that have escapes. Return 1: a word; 0: end of the statement; or -errno.
 */
static int next_word(struct reader *rd, const char **at, unsigned int *line, char **out)
{
	const char *from = *at;
	char *to = *out, quote = 0;

	for (;; from++) {
		if (from[0] == '\\' && from[1] == '\n') {
			from++;
			++*line;
		} else if (*from != ' ' && *from != '\t' && *from != '\r') {
			break;
		}
	}
	if (*from == '#')
		from += strcspn(from, "\n");
	*at = from;
	if (!*from || *from == '\n')
		return 0;
	for (; *from && *from != '\n' && (quote || !strchr(" \t\r", *from)); from++) {
		if (*from == quote) {
			quote = 0;
		} else if (!quote && (*from == '"' || *from == '\'')) {
			quote = *from;
		} else {
			if (*from == '\\' && from[1] && from[1] != '\n')
				*to++ = *from++;
			*to++ = *from;
		}
	}
	if (quote)
		return fail_usage(rd->c, "a quote is not closed on its line");
	if (rd->n == WORDS_MAX)
		return fail_usage(rd->c, "more than %u words in one statement", WORDS_MAX);
	*to++ = 0;
	rd->words[rd->n++] = *out;
	*out = to;
	*at = from;
	return 1;
}

static int parse_text_file(struct cli *c, const char *text, size_t len, struct config *out)
{
	struct reader rd = { .c = c, .conf = out };
	char *words = malloc(len + 1), *to;
	unsigned int line = 1;
	int ret = 0;

	if (!words)
		return fail_memory(c);
	while (!ret && *text) {
		rd.line = line;
		rd.n = 0;
		to = words;
		do
			ret = next_word(&rd, &text, &line, &to);
		while (ret > 0);
		if (!ret && rd.n)
			ret = statement(&rd);
		ret = at_line(&rd, rd.line, ret);
		if (*text == '\n') {
			text++;
			line++;
		}
	}
	if (!ret && rd.open)
		ret = at_line(&rd, rd.open->line, fail_usage(c, "the listener's block is not closed with }"));
	free(words);
	return ret;
}

static int json_rules(struct cli *c, json_object *rules, struct conf_listener *l)
{
	json_object *one;
	struct rule *r;
	size_t i;
	int ret;

	if (!json_object_is_type(rules, json_type_array))
		return fail_usage(c, "\"rules\" must be a list");
	for (i = 0; i < json_object_array_length(rules); i++) {
		r = vec_add(&l->rules.rules, sizeof(*r));
		if (!r)
			return fail_memory(c);
		one = json_object_array_get_idx(rules, i);
		if (json_object_is_type(one, json_type_object))
			json_object_object_del(one, "hits");
		ret = obj_from_json(c, &set_rule, one, r);
		if (!ret && (!r->id || !is_given(r, SLUICE_A_RULE_ACTION)))
			ret = fail_usage(c, "rules[%zu] needs an id from 1 and an action", i);
		if (ret)
			return ret;
	}
	return 0;
}

/* Adopted sockets are skipped: only the process that has one can hand it over. */
static int json_listener(struct cli *c, json_object *js, struct config *out)
{
	json_object *rules = NULL, *dev = NULL, *is_adopted = NULL;
	struct conf_listener *l;
	int ret;

	if (json_object_object_get_ex(js, "adopted", &is_adopted) && json_object_get_boolean(is_adopted))
		return 0;
	l = new_listener(out, 0);
	if (!l)
		return fail_memory(c);
	if (json_object_is_type(js, json_type_object)) {
		json_object_object_get_ex(js, "rules", &rules);
		if (json_object_object_get_ex(js, "dev", &dev)) {
			l->listener.ifindex = if_nametoindex(json_object_get_string(dev));
			if (!l->listener.ifindex)
				return fail_usage(c, "no device \"%s\" here", json_object_get_string(dev));
			json_object_object_del(js, "ifindex");
			json_object_object_del(js, "dev");
			l->listener.given |= GIVEN(SLUICE_A_LISTENER_IFINDEX);
		}
	}
	ret = obj_from_json(c, &set_listener, js, &l->listener);
	if (ret)
		return ret;
	strcpy(l->rules.listener, l->listener.name);
	return rules ? json_rules(c, rules, l) : 0;
}

static int json_group(struct cli *c, json_object *js, struct config *out)
{
	struct conf_group *g = vec_add(&out->groups, sizeof(*g));

	return g ? obj_from_json(c, &set_group, js, &g->group) : fail_memory(c);
}

static int json_list(struct cli *c, json_object *top, const char *key, struct config *out,
		     int (*read)(struct cli *c, json_object *js, struct config *out))
{
	char text[sizeof(c->err)];
	json_object *list;
	size_t i;
	int ret;

	if (!json_object_object_get_ex(top, key, &list))
		return 0;
	if (!json_object_is_type(list, json_type_array))
		return fail_usage(c, "%s: \"%s\" must be a list", out->file, key);
	for (i = 0; i < json_object_array_length(list); i++) {
		ret = read(c, json_object_array_get_idx(list, i), out);
		if (!ret)
			continue;
		snprintf(text, sizeof(text), "%s", c->err);
		return fail(c, ret, "%s: %s[%zu]: %.900s", out->file, key, i, text);
	}
	return 0;
}

static int parse_json_file(struct cli *c, const char *text, size_t len, struct config *out)
{
	json_tokener *tok = json_tokener_new();
	json_object *top = NULL;
	unsigned int line = 1;
	size_t i;
	int ret = 0;

	if (!tok)
		return fail_memory(c);
	if (len < INT32_MAX)
		top = json_tokener_parse_ex(tok, text, len + 1);
	if (json_tokener_get_error(tok) != json_tokener_success || !json_object_is_type(top, json_type_object)) {
		for (i = 0; i < json_tokener_get_parse_end(tok) && i < len; i++)
			line += text[i] == '\n';
		ret = fail_usage(c, "%s:%u: no JSON object: %s", out->file, line,
				 json_tokener_error_desc(json_tokener_get_error(tok)));
	}
	json_tokener_free(tok);
	if (!ret) {
		json_object_object_foreach(top, key, value) {
			(void)value;
			if (strcmp(key, "groups") && strcmp(key, "listeners"))
				ret = fail_usage(c, "%s: \"%s\" is no part of a configuration: groups, listeners",
						 out->file, key);
		}
	}
	if (!ret)
		ret = json_list(c, top, "groups", out, json_group);
	if (!ret)
		ret = json_list(c, top, "listeners", out, json_listener);
	json_object_put(top);
	return ret;
}

static int where(struct cli *c, const struct config *conf, unsigned int line, const char *text, const char *name)
{
	if (line)
		return fail_usage(c, "%s:%u: %s \"%s\"", conf->file, line, text, name);
	return fail_usage(c, "%s: %s \"%s\"", conf->file, text, name);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Rule numbers must differ. */
static int check_ids(struct cli *c, const struct config *conf, const struct conf_listener *l)
{
	uint32_t n = l->rules.rules.n, i;
	uint32_t *ids = calloc(n + 1, sizeof(*ids));
	int ret = 0;

	if (!ids)
		return fail_memory(c);
	for (i = 0; i < n; i++)
		ids[i] = rules_at(&l->rules, i)->id;
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (i = 1; i < n && !ret; i++)
		if (ids[i] == ids[i - 1])
			ret = fail_usage(c, "%s: listener %s has two rules %u", conf->file, l->listener.name, ids[i]);
	free(ids);
	return ret;
}

/* What no single object shows: names twice, groups that the file does not declare. */
static int check_config(struct cli *c, struct config *conf)
{
	struct conf_listener *l;
	struct conf_group *g;
	struct rule *r;
	uint32_t i, j;
	int ret;

	for (i = 0; i < conf->groups.n; i++) {
		g = conf_group_at(conf, i);
		if (!g->group.name[0])
			return where(c, conf, g->line, "a group has no name:", "");
		if (conf_find_group(conf, g->group.name) != g)
			return where(c, conf, g->line, "there are two groups", g->group.name);
		group_defaults(&g->group);
	}
	for (i = 0; i < conf->listeners.n; i++) {
		l = conf_listener_at(conf, i);
		if (!l->listener.name[0])
			return where(c, conf, l->line, "a listener has no name:", "");
		if (conf_find_listener(conf, l->listener.name) != l)
			return where(c, conf, l->line, "there are two listeners", l->listener.name);
		if (l->listener.group[0] && !conf_find_group(conf, l->listener.group))
			return where(c, conf, l->line, "the file has no group", l->listener.group);
		listener_defaults(&l->listener);
		for (j = 0; j < l->rules.rules.n; j++) {
			r = rules_at(&l->rules, j);
			if (r->group[0] && !conf_find_group(conf, r->group))
				return where(c, conf, l->line, "a rule names a group that the file has not:", r->group);
			rule_defaults(r);
		}
		ret = check_ids(c, conf, l);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * config_parse() - read a configuration and check it as a whole
 * @c: the command's context
 * @file: its name, for errors; kept by @out
 * @text: zero-terminated
 * @len: bytes of @text without the zero
 * @out: zeroed; config_free() is the caller's, whatever is returned
 */
int config_parse(struct cli *c, const char *file, const char *text, size_t len, struct config *out)
{
	size_t blank = strspn(text, " \t\r\n");
	int ret;

	out->file = file;
	if (strlen(text) != len)
		return fail_usage(c, "%s: there is a zero byte in it: no text file", file);
	if (text[blank] == '{')
		ret = parse_json_file(c, text, len, out);
	else
		ret = parse_text_file(c, text, len, out);
	return ret ? ret : check_config(c, out);
}

int config_read_file(struct cli *c, const char *path, struct config *out)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	size_t len = 0, room = 0, n;
	char *text = NULL, *more;
	int ret = 0;

	if (!f)
		return fail(c, -errno, "cannot read %s: %s", path, strerror(errno));
	do {
		if (room - len < 65536) {
			room = room ? 2 * room : 1 << 17;
			more = room <= FILE_MAX ? realloc(text, room) : NULL;
			if (!more) {
				ret = fail(c, -EFBIG, "%s is larger than 64 MiB", path);
				break;
			}
			text = more;
		}
		n = fread(text + len, 1, room - len - 1, f);
		len += n;
	} while (n);
	if (!ret && ferror(f))
		ret = fail(c, -EIO, "cannot read %s: %s", path, strerror(errno));
	if (f != stdin)
		fclose(f);
	if (!ret) {
		text[len] = 0;
		ret = config_parse(c, path, text, len, out);
	}
	free(text);
	return ret;
}

/* Everything that runs in this namespace. */
int config_read_kernel(struct cli *c, struct config *out)
{
	struct conf_listener *l;
	struct conf_group *g;
	struct objects o;
	uint32_t i;
	int ret;

	out->file = "kernel";
	ret = kernel_dump(c, SLUICE_CMD_GROUP_GET, NULL, &o);
	if (ret)
		return ret;
	for (i = 0; i < o.items.n && !ret; i++) {
		g = vec_add(&out->groups, sizeof(*g));
		ret = g ? obj_copy(&set_group, &g->group, (struct group *)o.items.items + i) : -ENOMEM;
		if (!ret)
			group_defaults(&g->group);
	}
	objects_free(&o);
	if (!ret)
		ret = kernel_dump(c, SLUICE_CMD_LISTENER_GET, NULL, &o);
	if (ret)
		return ret == -ENOMEM ? fail_memory(c) : ret;
	for (i = 0; i < o.items.n && !ret; i++) {
		l = new_listener(out, 0);
		ret = l ? obj_copy(&set_listener, &l->listener, (struct listener *)o.items.items + i) : fail_memory(c);
		if (!ret)
			ret = kernel_rules(c, l->listener.name, &l->rules);
	}
	objects_free(&o);
	return ret;
}

/* The file that makes this configuration; adopted sockets, which no file can make, as comments. */
void config_print(FILE *f, const struct config *conf)
{
	const struct conf_listener *l;
	const char *hide;
	uint32_t i, j;

	for (i = 0; i < conf->groups.n; i++)
		group_print(f, &conf_group_at(conf, i)->group, false);
	for (i = 0; i < conf->listeners.n; i++) {
		l = conf_listener_at(conf, i);
		hide = l->listener.adopted ? "# " : "";
		fprintf(f, "%s%s", hide, l->listener.adopted ? "adopted socket: " : "");
		listener_print(f, &l->listener);
		fprintf(f, l->rules.rules.n ? " {\n" : "\n");
		for (j = 0; j < l->rules.rules.n; j++) {
			fprintf(f, "%s\t", hide);
			rule_print(f, rules_at(&l->rules, j));
			fputc('\n', f);
		}
		if (l->rules.rules.n)
			fprintf(f, "%s}\n", hide);
	}
}

json_object *config_to_json(const struct config *conf)
{
	json_object *js = json_object_new_object();
	json_object *groups = json_object_new_array(), *listeners = json_object_new_array(), *one, *rules;
	const struct conf_listener *l;
	char dev[IF_NAMESIZE];
	uint32_t i, j;

	for (i = 0; i < conf->groups.n; i++)
		json_object_array_add(groups, obj_to_json(&set_group, &conf_group_at(conf, i)->group));
	for (i = 0; i < conf->listeners.n; i++) {
		l = conf_listener_at(conf, i);
		one = obj_to_json(&set_listener, &l->listener);
		if (l->listener.ifindex && if_indextoname(l->listener.ifindex, dev))
			json_object_object_add(one, "dev", json_object_new_string(dev));
		rules = json_object_new_array();
		for (j = 0; j < l->rules.rules.n; j++)
			json_object_array_add(rules, obj_to_json(&set_rule, rules_at(&l->rules, j)));
		json_object_object_add(one, "rules", rules);
		json_object_array_add(listeners, one);
	}
	json_object_object_add(js, "groups", groups);
	json_object_object_add(js, "listeners", listeners);
	return js;
}
