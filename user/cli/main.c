// SPDX-License-Identifier: GPL-2.0-only
/* The sluice command: options, choosing the command, help from the tables, exit status. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

const struct command top_commands[] = {
	{ "listener", NULL, "where requests enter", NULL, listener_commands, NULL },
	{ "group", NULL, "rings that serve the same requests", NULL, group_commands, NULL },
	{ "rule", NULL, "which requests go where", NULL, rule_commands, NULL },
	{ "ring", NULL, "what consumers have mapped", NULL, ring_commands, NULL },
	{ "conn", NULL, "connections of TCP listeners", NULL, conn_commands, NULL },
	{ "cancel", NULL, "end requests that are outstanding", cmd_cancel, NULL, cancel_options },
	{ "apply", "FILE [dry-run] [prune]", "make what runs equal to a file", cmd_apply, NULL, NULL },
	{ "show", NULL, "the whole configuration, as apply reads it", cmd_show, NULL, NULL },
	{ "export", NULL, "the same as show", cmd_show, NULL, NULL },
	{ "stats", "[listener|rule|group|class|ring [NAME]]", "the ledger, and latencies", cmd_stats, NULL, NULL },
	{ "check", "[quiet]", "prove that every request is accounted for", cmd_check, NULL, NULL },
	{ "explain", "LISTENER MESSAGE [from ADDRESS] [all]", "which rule would take these bytes, and why",
	  cmd_explain, NULL, NULL },
	{ "monitor", "[count N]", "print events as they happen", cmd_monitor, NULL, NULL },
	{ "top", "[interval TIME] [count N] [batch]", "what happens per second", cmd_top, NULL, NULL },
	{ "doctor", "[build|load|run]...", "whether this machine can build, load and run Sluice", cmd_doctor, NULL, NULL },
	{ "help", "[COMMAND...]", "what a command takes", cmd_help, NULL, NULL },
	{ "__complete", "[WORD...]", NULL, cmd_complete, NULL, NULL },	/* for the shell */
	{ NULL, NULL, NULL, NULL, NULL, NULL }
};

static void print_options(const struct keyword *k)
{
	for (; k->name; k++) {
		printf("  %s%s%s\n", k->name, k->args ? " " : "", k->args ? k->args : "");
		printf("        %s\n", k->help);
	}
}

static void print_commands(const struct command *table, const char *prefix)
{
	const struct command *cmd;

	for (cmd = table; cmd->name; cmd++)
		printf("  sluice %s%s%s%s%s\n        %s\n", prefix, cmd->name, cmd->args ? " " : "",
		       cmd->args ? cmd->args : "", cmd->options ? " [OPTIONS]" : "", cmd->help);
}

static void print_overview(FILE *f)
{
	const struct command *cmd;

	fprintf(f, "Usage: sluice [-j [-p]] [-d] COMMAND ...\n\n");
	for (cmd = top_commands; cmd->name; cmd++)
		if (cmd->help)
			fprintf(f, "  %-10s %s\n", cmd->name, cmd->help);
	fprintf(f, "\n"
		"  -j, --json     print JSON: exact values in nanoseconds and bytes\n"
		"  -p, --pretty   indent it\n"
		"  -d, --dump     print the netlink requests of a command instead of sending them\n"
		"  -q, --quiet    with check: say nothing, the exit status tells\n"
		"  -V, --version\n"
		"  -h, --help\n\n"
		"Words may be shortened as long as they are unambiguous. Another network namespace: ip netns exec NAME\n"
		"sluice ...  Exit status: 0 done, 1 refused or does not hold, 2 wrong usage (check: any error).\n");
}

/* What the words of @a lead to, as deep as they go; NULL with an error, or for no words at all. */
static const struct command *find_path(struct cli *c, struct args *a, const struct command **parent)
{
	const struct command *table = top_commands, *cmd = NULL;

	*parent = NULL;
	while (table && args_peek(a)) {
		*parent = cmd;
		cmd = find_command(c, table, args_next(a));
		if (!cmd)
			return NULL;
		table = cmd->sub;
	}
	return cmd;
}

/* @parent: the noun that @cmd is a verb of, or NULL */
static void print_help(const struct command *cmd, const struct command *parent)
{
	char deeper[64];

	if (cmd->sub) {
		printf("sluice %s: %s\n\n", cmd->name, cmd->help);
		snprintf(deeper, sizeof(deeper), "%s ", cmd->name);
		print_commands(cmd->sub, deeper);
		return;
	}
	printf("Usage: sluice %s%s%s%s%s%s\n\n  %s\n", parent ? parent->name : "", parent ? " " : "", cmd->name,
	       cmd->args ? " " : "", cmd->args ? cmd->args : "", cmd->options ? " [OPTIONS]" : "", cmd->help);
	if (cmd->options) {
		printf("\nOptions (defaults in brackets):\n");
		print_options(cmd->options);
	}
}

int cmd_help(struct cli *c, struct args *a)
{
	const struct command *cmd, *parent;
	int ret;

	if (!args_peek(a)) {
		print_overview(stdout);
		return 0;
	}
	cmd = find_path(c, a, &parent);
	if (!cmd)
		return -EINVAL;
	ret = args_end(c, a);
	if (!ret)
		print_help(cmd, parent);
	return ret;
}

/* Help is asked for right behind a command, or with --help anywhere behind one that does something. */
static bool help_asked(const struct args *a, const struct command *cmd)
{
	const char *next = args_peek(a);
	int i;

	if (next && (!strcmp(next, "-h") || !strcmp(next, "--help") || (cmd->sub && !strcmp(next, "help"))))
		return true;
	for (i = a->pos; cmd->run && i < a->n; i++)
		if (!strcmp(a->words[i], "--help"))
			return true;
	return false;
}

static int run(struct cli *c, struct args *a)
{
	const struct command *table = top_commands, *cmd = NULL, *parent;
	const char *word;

	for (;;) {
		word = args_next(a);
		if (!word && table == top_commands) {
			print_overview(stderr);
			return fail_usage(c, "no command was given");
		}
		parent = cmd;
		cmd = find_command(c, table, word ? word : "show");
		if (!cmd)
			return -EINVAL;
		if (help_asked(a, cmd)) {
			print_help(cmd, parent);
			return 0;
		}
		if (cmd->run)
			return cmd->run(c, a);
		table = cmd->sub;
	}
}

static const struct {
	char letter;
	const char *name;
} global_options[] = {
	{ 'j', "json" }, { 'p', "pretty" }, { 'd', "dump" }, { 'q', "quiet" }, { 'V', "version" }, { 'h', "help" },
};

/* The letter of a long option; 0: there is none of this name. */
static char letter_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(global_options) / sizeof(global_options[0]); i++)
		if (!strcmp(global_options[i].name, name))
			return global_options[i].letter;
	return 0;
}

/* One option by its letter. Return 1 to go on, 0 if the command is done, or -errno. */
static int option(struct cli *c, char letter, const char *word)
{
	switch (letter) {
	case 'j':
		c->json = true;
		break;
	case 'p':
		c->pretty = true;
		break;
	case 'd':
		c->dump = true;
		break;
	case 'q':
		c->quiet = true;
		break;
	case 'V':
		puts("sluice " SLUICE_VERSION);
		return 0;
	case 'h':
		print_overview(stdout);
		return 0;
	default:
		return fail_usage(c, "unknown option \"%s\": see \"sluice --help\"", word);
	}
	return 1;
}

/* The options in front of the command. */
static int options(struct cli *c, struct args *a)
{
	const char *word, *p;
	int ret = 1;

	while (ret == 1 && args_peek(a) && args_peek(a)[0] == '-' && args_peek(a)[1]) {
		word = args_next(a);
		if (word[1] == '-')
			ret = option(c, letter_of(word + 2), word);
		for (p = word + 1; word[1] != '-' && *p && ret == 1; p++)
			ret = option(c, *p, word);
	}
	return ret;
}

/* Whether the command is check, whose exit status tells errors from an open ledger. */
static bool is_check(struct cli *c, const struct args *a)
{
	const struct command *cmd = args_peek(a) ? find_command(c, top_commands, args_peek(a)) : NULL;

	c->usage = false;
	return cmd && cmd->run == cmd_check;
}

int main(int argc, char **argv)
{
	struct args a = { .words = argv + 1, .n = argc - 1 };
	struct cli c = { 0 };
	bool check;
	int ret;

	ret = options(&c, &a);
	if (!ret)
		return fflush(stdout) ? 1 : 0;
	/* what follows sees the command's words only */
	a.words += a.pos;
	a.n -= a.pos;
	a.pos = 0;
	check = ret > 0 && is_check(&c, &a);
	if (ret > 0 && c.quiet && !check)
		ret = fail_usage(&c, "-q goes with check only");
	if (ret > 0)
		ret = run(&c, &a);
	genl_close(&c);
	if (!ret && fflush(stdout))
		ret = fail(&c, -errno, "cannot write: %s", strerror(errno));
	if (!ret)
		return c.exit_code;
	if (!c.quiet || c.usage)
		fprintf(stderr, "sluice: %s\n", c.err);
	return c.usage || check ? 2 : 1;
}
