// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/daemon/conf.c and conf_group.c: what a file means, and where and how it is wrong. */
#include <stdlib.h>
#include <string.h>

#include "daemon/conf.h"
#include "ktap.h"

static struct conf conf;
static struct conf_error err;

static int parse(const char *text)
{
	char *copy = strdup(text);	/* just its size, for the sanitizer */
	int ret = conf_parse("f", copy, &conf, &err);

	free(copy);
	return ret;
}

TEST(conf_parse__every_statement)
{
	const struct conf_group *g;

	EXPECT_EQ(parse("# a comment\n"
			"log debug\n"
			"drain-timeout 1500ms\r\n"
			"\n"
			"group cache handler kv workers 3 \\\n"
			"\tcpus 0 slots 256:16 2048:1k reply-slots 1408:8 tx thread tx-idle 2ms spin always { # block\n"
			"\tmemory 64M\n"
			"\tname 'two  words' \"x # y\" z\n"
			"}\n"
			"group e handler \"./my echo.so\" reply-slots none cpus none tx kick spin 10us"), 0);
	EXPECT_EQ(conf.drain_ns, 1500000000);
	EXPECT_EQ(conf.ngroups, 2);
	g = conf_find(&conf, "cache");
	EXPECT(g && g->workers == 3 && !strcmp(g->handler, "kv") && !strcmp(g->where, "f:5"));
	EXPECT(g->cpus_mode == CONF_CPUS_LIST && CPU_COUNT(&g->cpus) == 1);
	EXPECT(g->ring.slots[0].size == 256 && g->ring.slots[0].count == 16 && g->ring.slots[1].count == 1024);
	EXPECT(g->ring.reply_size == 1408 && g->ring.reply_slots == 8 && g->ring.tx == SLUICE_TX_THREAD);
	EXPECT(g->ring.tx_idle_us == 2000 && g->ring.spin_us == UINT32_MAX);
	EXPECT_EQ(g->noptions, 2);
	EXPECT(!strcmp(g->options[0].name, "memory") && !strcmp(g->options[0].value, "64M") &&
	       !strcmp(g->options[0].where, "f:7"));
	EXPECT(!strcmp(g->options[1].value, "two  words x # y z"));
	g = conf_find(&conf, "e");
	EXPECT(g && g->workers == 1 && !strcmp(g->handler, "./my echo.so") && !g->ring.reply_slots);
	EXPECT(g->cpus_mode == CONF_CPUS_NONE && g->ring.spin_us == 10);
	EXPECT(!conf_find(&conf, "f"));
	conf_free(&conf);
}

TEST(conf_parse__auto_is_at_least_one_worker)
{
	EXPECT_EQ(parse("group a handler echo workers auto"), 0);
	EXPECT_GE(conf.groups[0].workers, 1);
	conf_free(&conf);
}

static const struct {
	const char *text;
	const char *says;
} bad[] = {
	{ "", "f:1: there is no group" },
	{ "\n\nwhat\n", "f:3: \"what\" is no statement" },
	{ "log loud\n", "f:1: log wants a level" },
	{ "log info info\n", "f:1: \"info\" is one word too many" },
	{ "drain-timeout 5\n", "f:1: drain-timeout wants" },
	{ "drain-timeout 0\n", "f:1: drain-timeout wants" },
	{ "drain-timeout\n", "f:1: drain-timeout wants" },
	{ "group\n", "f:1: group wants a name" },
	{ "group {\n", "f:1: group wants a name" },
	{ "group abcdefghijklmnopqrstuvwxyz0123456 handler echo", "f:1: group wants a name" },
	{ "group a\n", "f:1: group a has no handler" },
	{ "group a handler\n", "f:1: handler wants" },
	{ "group a handler echo\ngroup a handler kv\n", "f:2: group a was named before, at f:1" },
	{ "group a handler echo workers 0", "f:1: workers wants" },
	{ "group a handler echo workers 257", "f:1: workers wants" },
	{ "group a handler echo workers -1", "f:1: workers wants" },
	{ "group a handler echo workers 1 workers 2", "f:1: workers is given twice" },
	{ "group a handler echo cpus 3-1", "f:1: cpus wants" },
	{ "group a handler echo cpus 0,", "f:1: cpus wants" },
	{ "group a handler echo cpus 99999", "f:1: cpus wants" },
	{ "group a handler echo cpus", "f:1: cpus wants" },
	{ "group a handler echo slots 100:1", "f:1: slots wants" },
	{ "group a handler echo slots 128", "f:1: slots wants" },
	{ "group a handler echo slots 128:0", "f:1: slots wants" },
	{ "group a handler echo slots 128:1 128:1", "f:1: the sizes of slots must ascend" },
	{ "group a handler echo slots 64:1 128:1 192:1 256:1 320:1", "f:1: slots takes at most 4" },
	{ "group a handler echo reply-slots x", "f:1: reply-slots wants" },
	{ "group a handler echo tx maybe", "f:1: tx wants" },
	{ "group a handler echo spin 5", "f:1: spin wants" },
	{ "group a handler echo spin 11s", "f:1: spin wants" },
	{ "group a handler echo nonsense", "f:1: \"nonsense\" is no word of a group" },
	{ "group a handler echo {\nx\n", "f:1: the block is not closed" },
	{ "}\n", "f:1: \"}\" without a block" },
	{ "group a handler echo {\nx\n} y\n", "f:3: \"y\" is one word too many" },
	{ "group a handler \"echo\n", "f:1: a quote is not closed" },
};

TEST(conf_parse__says_where_and_what_is_wrong)
{
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT(parse(bad[i].text) < 0);
		if (strncmp(err.text, bad[i].says, strlen(bad[i].says)))
			ktap_fail(__FILE__, __LINE__, "%s: %s", bad[i].text, err.text);
		conf_free(&conf);
	}
}

TEST(conf_parse__bent_files_break_nothing)
{
	static const char good[] = "log info\ngroup a handler kv workers 2 cpus 0 slots 64:4 { \nmemory \"64M\"\n}\n";
	char text[sizeof(good)];
	int round, k;

	srand(5);
	for (round = 0; round < 20000; round++) {
		memcpy(text, good, sizeof(good));
		for (k = rand() % 5; k >= 0; k--)
			text[rand() % (sizeof(good) - 1)] = " \n\\\"'#{}:0a,-"[rand() % 13];
		text[rand() % sizeof(good)] = 0;
		parse(text);
		conf_free(&conf);
	}
}

TEST(conf_same_rings__spin_and_names_aside)
{
	EXPECT_EQ(parse("group a handler echo spin 1us\ngroup b handler echo spin 2us\ngroup c handler echo tx kick"), 0);
	EXPECT(conf_same_rings(&conf.groups[0], &conf.groups[1]));
	EXPECT(!conf_same_rings(&conf.groups[0], &conf.groups[2]));
	EXPECT(conf_same_options(&conf.groups[0], &conf.groups[1]));
	conf_free(&conf);
}
