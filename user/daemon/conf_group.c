// SPDX-License-Identifier: GPL-2.0-only
/* Reads a group statement: handler, workers, processors, and what its rings are made of. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_group.h"
#include "handlers/option.h"

#define NAME_LEN_MAX		31
#define SLOT_UNIT		64
#define SLOT_SIZE_MAX		65536
#define SLOTS_MAX		65536
#define REPLY_SIZE_DEFAULT	1408	/* holds the kv handler's datagrams */
#define REPLY_SLOTS_DEFAULT	64

static int read_name(struct reader *rd, struct conf_group *g)
{
	const char *name = conf_word(rd);
	struct conf_group *other;

	if (!name || !*name || strlen(name) > NAME_LEN_MAX)
		return conf_fail(rd, "group wants a name of 1 to %d characters, the one that \"sluice group show\" lists",
				 NAME_LEN_MAX);
	g->name = strdup(name);
	if (!g->name)
		return conf_fail(rd, "out of memory");
	other = conf_find(rd->conf, name);
	if (other != g)
		return conf_fail(rd, "group %s was named before, at %s: give it one statement with more workers", name,
				 other->where);
	return 0;
}

static int read_handler(struct reader *rd, struct conf_group *g)
{
	const char *handler = conf_word(rd);

	if (!handler || !*handler)
		return conf_fail(rd, "handler wants echo, kv, the name of a plug-in, or the path of one");
	free(g->handler);
	g->handler = strdup(handler);
	return g->handler ? 0 : conf_fail(rd, "out of memory");
}

static int read_workers(struct reader *rd, struct conf_group *g)
{
	const char *word = conf_word(rd);
	uint64_t n = 0;

	if (word && !strcmp(word, "auto")) {
		g->workers = 0;
		return 0;
	}
	if (!word || !parse_number(word, &n) || !n || n > CONF_WORKERS_MAX)
		return conf_fail(rd, "workers wants a number from 1 to %d, or auto: one for each processor",
				 CONF_WORKERS_MAX);
	g->workers = n;
	return 0;
}

/* 0-3,8: numbers and ranges */
static bool parse_cpus(const char *text, cpu_set_t *set)
{
	unsigned long first, last;
	char *end;

	CPU_ZERO(set);
	do {
		if (*text < '0' || *text > '9')
			return false;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			text = end + 1;
			if (*text < '0' || *text > '9')
				return false;
			last = strtoul(text, &end, 10);
		}
		if (last < first || last >= CPU_SETSIZE)
			return false;
		for (; first <= last; first++)
			CPU_SET(first, set);
		text = end + 1;
	} while (*end == ',');
	return !*end;
}

static int read_cpus(struct reader *rd, struct conf_group *g)
{
	const char *word = conf_word(rd);
	cpu_set_t allowed;

	if (!word)
		return conf_fail(rd, "cpus wants a list such as 0-3,8, or auto, or none");
	g->cpus_mode = CONF_CPUS_LIST;
	if (!strcmp(word, "auto")) {
		g->cpus_mode = CONF_CPUS_AUTO;
	} else if (!strcmp(word, "none")) {
		g->cpus_mode = CONF_CPUS_NONE;
	} else {
		if (!parse_cpus(word, &g->cpus))
			return conf_fail(rd, "cpus wants a list such as 0-3,8, or auto, or none, not \"%s\"", word);
		if (sched_getaffinity(0, sizeof(allowed), &allowed))
			return conf_fail(rd, "the processors of this process: %s", strerror(errno));
		CPU_AND(&allowed, &allowed, &g->cpus);
		if (!CPU_EQUAL(&allowed, &g->cpus))
			return conf_fail(rd, "cpus %s: some of them do not exist or are closed to this process; "
					 "see taskset -p", word);
	}
	return 0;
}

/* SIZE:NUMBER */
static int parse_slots(struct reader *rd, const char *what, const char *word, uint32_t *size, uint32_t *count)
{
	uint64_t bytes = 0, number = 0;
	const char *colon;
	char text[32];

	colon = word ? strchr(word, ':') : NULL;
	if (colon && colon - word < (int)sizeof(text)) {
		memcpy(text, word, colon - word);
		text[colon - word] = 0;
		if (!parse_size(text, &bytes) || !parse_size(colon + 1, &number))
			bytes = 0;
	}
	if (!bytes || bytes % SLOT_UNIT || bytes > SLOT_SIZE_MAX || !number || number > SLOTS_MAX)
		return conf_fail(rd, "%s wants BYTES:NUMBER, such as 2048:1024; bytes a multiple of %d up to %d, at most "
				 "%d of them", what, SLOT_UNIT, SLOT_SIZE_MAX, SLOTS_MAX);
	*size = bytes;
	*count = number;
	return 0;
}

/* slots 256:1024 2048:512: up to four sizes, ascending */
static int read_slots(struct reader *rd, struct conf_group *g)
{
	unsigned int n = 0;
	int ret;

	memset(g->ring.slots, 0, sizeof(g->ring.slots));
	do {
		if (n == SLUICE_SIZE_CLASSES)
			return conf_fail(rd, "slots takes at most %d sizes", SLUICE_SIZE_CLASSES);
		ret = parse_slots(rd, "slots", conf_word(rd), &g->ring.slots[n].size, &g->ring.slots[n].count);
		if (ret)
			return ret;
		if (n && g->ring.slots[n].size <= g->ring.slots[n - 1].size)
			return conf_fail(rd, "the sizes of slots must ascend");
		n++;
	} while (rd->pos < rd->n && strchr(rd->words[rd->pos], ':'));
	return 0;
}

static int read_reply_slots(struct reader *rd, struct conf_group *g)
{
	const char *word = conf_word(rd);

	if (word && !strcmp(word, "none")) {
		g->ring.reply_slots = 0;
		g->ring.reply_size = 0;
		return 0;
	}
	return parse_slots(rd, "reply-slots", word, &g->ring.reply_size, &g->ring.reply_slots);
}

static int read_tx(struct reader *rd, struct conf_group *g)
{
	static const char *const names[] = {
		[SLUICE_TX_ADAPTIVE] = "adaptive", [SLUICE_TX_THREAD] = "thread", [SLUICE_TX_KICK] = "kick",
	};
	const char *word = conf_word(rd);
	unsigned int i;

	for (i = 0; word && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(word, names[i]))
			continue;
		g->ring.tx = i;
		return 0;
	}
	return conf_fail(rd, "tx wants adaptive, thread or kick");
}

static int read_us(struct reader *rd, const char *what, uint32_t *us)
{
	const char *word = conf_word(rd);
	uint64_t ns;

	if (!word || !parse_time(word, &ns) || ns / 1000 > 10000000 || (ns && ns < 1000))
		return conf_fail(rd, "%s wants a time from 1us to 10s, such as 50us", what);
	*us = ns / 1000;
	return 0;
}

static int read_tx_idle(struct reader *rd, struct conf_group *g)
{
	return read_us(rd, "tx-idle", &g->ring.tx_idle_us);
}

static int read_spin(struct reader *rd, struct conf_group *g)
{
	if (rd->pos < rd->n && !strcmp(rd->words[rd->pos], "always")) {
		rd->pos++;
		g->ring.spin_us = UINT32_MAX;
		return 0;
	}
	return read_us(rd, "spin", &g->ring.spin_us);
}

static const struct {
	const char *name;
	int (*read)(struct reader *rd, struct conf_group *g);
} words[] = {
	{ "handler", read_handler },
	{ "workers", read_workers },
	{ "cpus", read_cpus },
	{ "slots", read_slots },
	{ "reply-slots", read_reply_slots },
	{ "tx", read_tx },
	{ "tx-idle", read_tx_idle },
	{ "spin", read_spin },
};

#define NWORDS (sizeof(words) / sizeof(words[0]))

/* auto: as many as there are processors for it */
static void count_workers(struct conf_group *g)
{
	cpu_set_t set;
	int n = 1;

	if (g->workers)
		return;
	if (g->cpus_mode == CONF_CPUS_LIST)
		n = CPU_COUNT(&g->cpus);
	else if (!sched_getaffinity(0, sizeof(set), &set))
		n = CPU_COUNT(&set);
	g->workers = n > CONF_WORKERS_MAX ? CONF_WORKERS_MAX : n;
}

int conf_group_read(struct reader *rd, struct conf_group *g)
{
	bool given[NWORDS] = { false };
	const char *word;
	unsigned int i;
	int ret;

	if (!strcmp(rd->words[rd->n - 1], "{")) {
		rd->block = true;
		rd->n--;
	}
	g->workers = 1;
	g->ring.size = sizeof(g->ring);
	g->ring.slots[0].size = 2048;
	g->ring.slots[0].count = 1024;
	g->ring.reply_size = REPLY_SIZE_DEFAULT;
	g->ring.reply_slots = REPLY_SLOTS_DEFAULT;
	g->ring.spin_us = 50;
	ret = read_name(rd, g);
	while (!ret && (word = conf_word(rd))) {
		for (i = 0; i < NWORDS && strcmp(word, words[i].name); i++)
			;
		if (i == NWORDS)
			return conf_fail(rd, "\"%s\" is no word of a group: handler, workers, cpus, slots, reply-slots, "
					 "tx, tx-idle or spin", word);
		if (given[i])
			return conf_fail(rd, "%s is given twice", word);
		given[i] = true;
		ret = words[i].read(rd, g);
	}
	if (!ret && !g->handler)
		ret = conf_fail(rd, "group %s has no handler: add \"handler echo\", kv, or a plug-in", g->name);
	if (ret)
		return ret;
	g->ring.group = g->name;
	count_workers(g);
	return 0;
}
