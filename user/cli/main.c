// SPDX-License-Identifier: GPL-2.0-only
/* The sluice command: options, choosing the command, help from the tables, exit status. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct command *find_path(struct cli *c, struct args *a);

static int cmd_help(struct cli *c, struct args *a);

const struct command top_commands[] = {
	{ "listener", NULL, "where requests enter", NULL, listener_commands, NULL },
	{ "group", NULL, "rings that serve the same requests", NULL, group_commands, NULL },
	{ "rule", NULL, "which requests go where", NULL, rule_commands, NULL },
	{ "ring", NULL, "what consumers have mapped", NULL, ring_commands, NULL },
	{ "apply", "FILE [dry-run] [prune]", "make what runs equal to a file", cmd_apply, NULL, NULL },
	{ "show", NULL, "the whole configuration, as apply reads it", cmd_show, NULL, NULL },
	{ "export", NULL, "the same as show", cmd_show, NULL, NULL },
	{ "stats", "[listener|rule|group|class|ring [NAME]]", "the ledger, and latencies", cmd_stats, NULL, NULL },
	{ "check", "[quiet]", "prove that every request is accounted for", cmd_check, NULL, NULL },
	{ "explain", "LISTENER MESSAGE [from ADDRESS] [all]", "which rule would take these bytes, and why",
	  cmd_explain, NULL, NULL },
	{ "monitor", "[count N]", "print events as they happen", cmd_monitor, NULL, NULL },
	{ "top", "[interval TIME] [count N] [batch]", "what happens per second", cmd_top, NULL, NULL },
	{ "doctor", NULL, "whether this machine can build, load and run Sluice", cmd_doctor, NULL, NULL },
	{ "help", "[COMMAND...]", "what a command takes", cmd_help, NULL, NULL },
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
static const struct command *find_path(struct cli *c, struct args *a)
{
	const struct command *table = top_commands, *cmd = NULL;

	while (table && args_peek(a)) {
		cmd = find_command(c, table, args_next(a));
		if (!cmd)
			return NULL;
		table = cmd->sub;
	}
	return cmd;
}

static void print_help(const struct command *cmd, const char *prefix)
{
	char deeper[64];

	if (cmd->sub) {
		printf("sluice %s: %s\n\n", cmd->name, cmd->help);
		snprintf(deeper, sizeof(deeper), "%s ", cmd->name);
		print_commands(cmd->sub, deeper);
		return;
	}
	printf("Usage: sluice %s%s%s%s%s\n\n  %s\n", prefix, cmd->name, cmd->args ? " " : "",
	       cmd->args ? cmd->args : "", cmd->options ? " [OPTIONS]" : "", cmd->help);
	if (cmd->options) {
		printf("\nOptions (defaults in brackets):\n");
		print_options(cmd->options);
	}
}

static int cmd_help(struct cli *c, struct args *a)
{
	const struct command *cmd, *top;
	char prefix[64] = "";
	struct args first;

	if (!args_peek(a)) {
		print_overview(stdout);
		return 0;
	}
	first = *a;
	top = find_command(c, top_commands, args_next(&first));
	cmd = find_path(c, a);
	if (!cmd || !top)
		return -EINVAL;
	if (cmd != top)
		snprintf(prefix, sizeof(prefix), "%s ", top->name);
	print_help(cmd, prefix);
	return args_end(c, a);
}

static int run(struct cli *c, struct args *a)
{
	const struct command *table = top_commands, *cmd;
	const char *word;

	for (;;) {
		word = args_next(a);
		if (!word && table == top_commands) {
			print_overview(stderr);
			return fail_usage(c, "no command was given");
		}
		cmd = find_command(c, table, word ? word : "show");
		if (!cmd)
			return -EINVAL;
		if (args_peek(a) && (!strcmp(args_peek(a), "--help") || !strcmp(args_peek(a), "-h"))) {
			print_help(cmd, cmd->sub || table == top_commands ? "" : a->words[0]);
			return 0;
		}
		if (cmd->run)
			return cmd->run(c, a);
		table = cmd->sub;
	}
}

/* One leading option. Return 1 to go on, 0 if the command is done, or -errno. */
static int option(struct cli *c, const char *word, bool *quiet)
{
	if (!strcmp(word, "--json"))
		word = "-j";
	else if (!strcmp(word, "--pretty"))
		word = "-p";
	else if (!strcmp(word, "--dump"))
		word = "-d";
	else if (!strcmp(word, "--quiet"))
		word = "-q";
	else if (!strcmp(word, "--version"))
		word = "-V";
	else if (!strcmp(word, "--help"))
		word = "-h";
	for (word++; *word; word++) {
		switch (*word) {
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
			*quiet = true;
			break;
		case 'V':
			puts("sluice " SLUICE_VERSION);
			return 0;
		case 'h':
			print_overview(stdout);
			return 0;
		default:
			return fail_usage(c, "unknown option -%c: see \"sluice --help\"", *word);
		}
	}
	return 1;
}

static int options(struct cli *c, struct args *a, bool *quiet)
{
	int ret = 1;

	while (ret == 1 && args_peek(a) && args_peek(a)[0] == '-' && args_peek(a)[1])
		ret = option(c, args_next(a), quiet);
	return ret;
}

int main(int argc, char **argv)
{
	struct args a = { .words = argv + 1, .n = argc - 1 };
	static char quiet_word[] = "quiet";
	struct cli c = { 0 };
	bool quiet = false, is_check;
	char **words;
	int ret;

	ret = options(&c, &a, &quiet);
	if (!ret)
		return 0;
	words = calloc(argc + 1, sizeof(*words));
	if (!words)
		ret = fail_memory(&c);
	if (ret > 0) {
		a.n -= a.pos;
		memcpy(words, a.words + a.pos, a.n * sizeof(*words));
		a.words = words;
		a.pos = 0;
		if (quiet)
			words[a.n++] = quiet_word;
		ret = run(&c, &a);
	}
	is_check = words && a.n && !strncmp(words[0], "check", strlen(words[0])) && words[0][0];
	free(words);
	genl_close(&c);
	if (!ret && fflush(stdout))
		ret = fail(&c, -errno, "cannot write: %s", strerror(errno));
	if (!ret)
		return c.exit_code;
	if (!quiet)
		fprintf(stderr, "sluice: %s\n", c.err);
	return c.usage || is_check ? 2 : 1;
}
