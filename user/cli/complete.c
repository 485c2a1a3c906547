// SPDX-License-Identifier: GPL-2.0-only
/* sluice __complete: the words that may follow those given, out of the tables that also parse and explain them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define TOKENS_MAX	16

/* "[interval TIME]" as its words; what is in brackets may be left out. */
struct grammar {
	char text[192];
	const char *token[TOKENS_MAX];
	bool optional[TOKENS_MAX];
	int n;
};

struct completion {
	struct cli *c;
	const struct command *noun;	/* that the command is a verb of, or NULL */
	struct args *a;			/* behind the command */
	const char *listener;		/* the name given first */
};

static void grammar_init(struct grammar *g, const char *text, size_t len)
{
	bool optional = false;
	char *p, *save = NULL;
	size_t n;

	g->n = 0;
	snprintf(g->text, sizeof(g->text), "%.*s", (int)len, text);
	for (p = strtok_r(g->text, " ", &save); p && g->n < TOKENS_MAX; p = strtok_r(NULL, " ", &save)) {
		for (; *p == '['; p++)
			optional = true;
		g->optional[g->n] = optional;
		for (n = strlen(p); n && (p[n - 1] == ']' || p[n - 1] == '.'); p[--n] = 0)
			if (p[n - 1] == ']')
				optional = false;
		g->token[g->n++] = p;
	}
}

/* A token in capitals stands for a value, others for themselves. */
static bool is_value(const char *token, size_t len)
{
	return len && isupper((unsigned char)token[0]) && (len == 1 || !islower((unsigned char)token[1]));
}

static void print_names(struct completion *k, uint8_t cmd, size_t offset)
{
	struct objects o;
	uint32_t i;

	if (kernel_dump(k->c, cmd, NULL, &o))
		return;
	for (i = 0; i < o.items.n; i++)
		puts((char *)o.items.items + i * o.set->size + offset);
	objects_free(&o);
}

static void print_rings(struct completion *k)
{
	struct objects o;
	uint32_t i;

	if (kernel_dump(k->c, SLUICE_CMD_RING_GET, NULL, &o))
		return;
	for (i = 0; i < o.items.n; i++)
		printf("%u\n", ((struct ring *)o.items.items + i)->id);
	objects_free(&o);
}

static void print_rules(struct completion *k)
{
	struct rules rs;
	uint32_t i;

	if (!k->listener || check_name(k->listener) || kernel_rules(k->c, k->listener, &rs))
		return;
	for (i = 0; i < rs.rules.n; i++)
		printf("%u\n", rules_at(&rs, i)->id);
	obj_free(&set_rules, &rs);
}

/* What exists and may stand for a value; a new object's own name is the user's to think of. */
static void print_values(struct completion *k, const struct command *cmd, const char *token, size_t len)
{
	const char *last = k->a->n ? k->a->words[k->a->n - 1] : "";
	bool fresh = !strcmp(cmd->name, "add");
	char what[16];

	snprintf(what, sizeof(what), "%.*s", (int)len, token);
	if (!strcmp(what, "FILE"))
		puts("FILE");
	else if (!strcmp(what, "LISTENER") || (!strcmp(what, "NAME") && !strcmp(last, "listener")))
		print_names(k, SLUICE_CMD_LISTENER_GET, offsetof(struct listener, name));
	else if (!strcmp(what, "NAME") && !strcmp(last, "group"))
		print_names(k, SLUICE_CMD_GROUP_GET, offsetof(struct group, name));
	else if (!strcmp(what, "NAME") && !fresh && k->noun && !strcmp(last, cmd->name))
		print_names(k, k->noun->sub == listener_commands ? SLUICE_CMD_LISTENER_GET : SLUICE_CMD_GROUP_GET,
			    k->noun->sub == listener_commands ? offsetof(struct listener, name) :
								offsetof(struct group, name));
	else if (!strcmp(what, "ID") && k->noun && k->noun->sub == ring_commands)
		print_rings(k);
	else if (!strcmp(what, "ID") && !fresh)
		print_rules(k);
}

static void print_token(struct completion *k, const struct command *cmd, const char *token)
{
	size_t len;

	for (; *token; token += len + !!token[len]) {
		len = strcspn(token, "|");
		if (is_value(token, len))
			print_values(k, cmd, token, len);
		else
			printf("%.*s\n", (int)len, token);
	}
}

/* Whether a word is one of those that a token names. */
static bool is_literal(const char *token, const char *word)
{
	size_t len;

	for (; *token; token += len + !!token[len]) {
		len = strcspn(token, "|");
		if (!is_value(token, len) && strlen(word) == len && !strncmp(token, word, len))
			return true;
	}
	return false;
}

/* Whether a word may stand where a token is. */
static bool fits(const char *token, const char *word)
{
	size_t len;

	for (; *token; token += len + !!token[len]) {
		len = strcspn(token, "|");
		if (is_value(token, len) || (strlen(word) == len && !strncmp(token, word, len)))
			return true;
	}
	return false;
}

static bool is_keyword(const struct keyword *table, const char *word)
{
	for (; table && table->name; table++)
		if (!strcmp(table->name, word))
			return true;
	return false;
}

/* In "ADDRESS:PORT|handed|fd N" the N belongs to fd, not to an address. */
static bool belongs_to_other(const struct grammar *g, int i, const char *before)
{
	const char *bar = i ? strrchr(g->token[i - 1], '|') : NULL;

	return bar && before && is_value(g->token[i - 1], strcspn(g->token[i - 1], "|")) && strcmp(bar + 1, before);
}

/* Whether a word that might be an optional value is what comes behind it. */
static bool begins_later(const struct command *cmd, const struct grammar *g, int i, const char *word)
{
	return is_keyword(cmd->options, word) || (i + 1 < g->n && is_literal(g->token[i + 1], word));
}

/*
 * Step over the words that belong to a grammar. At the end of the words, print what may follow in it, and return
 * false if something must.
 */
static bool follow(struct completion *k, const struct command *cmd, const struct grammar *g)
{
	const char *word, *before = NULL;
	int i;

	for (i = 0; i < g->n; i++) {
		if (belongs_to_other(g, i, before))
			continue;
		word = args_peek(k->a);
		if (!word) {
			print_token(k, cmd, g->token[i]);
			if (!g->optional[i])
				return false;
			continue;
		}
		if (!fits(g->token[i], word) || (g->optional[i] && begins_later(cmd, g, i, word))) {
			if (!g->optional[i])
				return false;
			continue;
		}
		before = word;
		k->a->pos++;
		if (!k->listener)
			k->listener = word;
	}
	return true;
}

/* The arguments of an option: "bytes OFFSET LENGTH|flow" are two ways to go on. */
static bool follow_option(struct completion *k, const struct command *cmd, const struct keyword *option)
{
	const char *way = option->args, *word = args_peek(k->a);
	struct grammar g;
	size_t len;

	if (!way)
		return true;
	if (word && is_keyword(cmd->options, word) && strchr(way, '[') == way)
		return true;
	for (; *way; way += len + !!way[len]) {
		len = strcspn(way, "|");
		grammar_init(&g, way, len);
		if (!g.n)
			continue;
		if (!word)
			print_token(k, cmd, g.token[0]);
		else if (fits(g.token[0], word))
			return follow(k, cmd, &g);
	}
	return false;
}

static const struct keyword *option_of(const struct command *cmd, const char *word)
{
	const struct keyword *o;

	for (o = cmd->options; o && o->name; o++)
		if (!strcmp(o->name, word))
			return o;
	return NULL;
}

static bool was_said(const struct args *a, const char *word)
{
	int i;

	for (i = 0; i < a->n; i++)
		if (!strcmp(a->words[i], word))
			return true;
	return false;
}

/* "[interval TIME] [count N]" and the like, of commands without a table of options, come in any order. */
static void complete_loose(struct completion *k, const struct command *cmd, const struct grammar *g, int from)
{
	const char *last = k->a->n > k->a->pos ? k->a->words[k->a->n - 1] : NULL;
	int i, said = k->a->n - k->a->pos;

	for (i = from; last && i + 1 < g->n; i++)
		if (fits(g->token[i], last) && is_value(g->token[i + 1], strcspn(g->token[i + 1], "|"))) {
			print_token(k, cmd, g->token[i + 1]);
			return;
		}
	for (i = from; i < g->n; i++)
		if (i == from + said || (!is_value(g->token[i], strcspn(g->token[i], "|")) &&
					 !was_said(k->a, g->token[i])))
			print_token(k, cmd, g->token[i]);
}

static void complete_command(struct completion *k, const struct command *cmd)
{
	const struct keyword *o;
	struct grammar g, must;
	bool more;

	grammar_init(&g, cmd->args ? cmd->args : "", cmd->args ? strlen(cmd->args) : 0);
	must = g;
	for (must.n = 0; must.n < g.n && !g.optional[must.n]; must.n++)
		;
	if (!cmd->options) {
		if (follow(k, cmd, &must))
			complete_loose(k, cmd, &g, must.n);
		return;
	}
	more = follow(k, cmd, &g);
	while (more && args_peek(k->a)) {
		o = option_of(cmd, args_next(k->a));
		more = o && follow_option(k, cmd, o);
	}
	for (o = cmd->options; more && o->name; o++)
		puts(o->name);
}

static void print_commands(const struct command *table)
{
	for (; table->name; table++)
		if (table->help)
			puts(table->name);
}

/* WORD...: those before the one to be completed; options in front are skipped */
int cmd_complete(struct cli *c, struct args *a)
{
	struct completion k = { .c = c, .a = a };
	const struct command *table = top_commands, *cmd = NULL;
	const char *word;

	c->dump = false;
	while (args_peek(a) && args_peek(a)[0] == '-')
		a->pos++;
	while (table && (word = args_next(a))) {
		k.noun = cmd;
		cmd = find_command(c, table, word);
		if (!cmd)
			return 0;
		table = cmd->sub;
		if (cmd->run == cmd_help)
			table = top_commands;
	}
	c->usage = false;
	if (table)
		print_commands(table);
	else
		complete_command(&k, cmd);
	return 0;
}
