/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's configuration as read from its file; sluiced.conf(5) describes the file. */
#ifndef SLUICED_CONF_H
#define SLUICED_CONF_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/handler.h>

#define CONF_WORKERS_MAX	256
#define CONF_GROUPS_MAX		256

enum conf_cpus {
	CONF_CPUS_AUTO,		/* those that the process may use, in turn */
	CONF_CPUS_LIST,
	CONF_CPUS_NONE,		/* not pinned */
};

/**
 * struct conf_group - one group statement and its block
 * @where: "file:line"
 * @handler: as written: a built-in's name, a plug-in's name, or a path
 * @workers: never 0: auto is counted when the file is read
 * @ring: what each of its rings is opened with; @size and @group filled in
 * @options: the block
 */
struct conf_group {
	char *name;
	char *where;
	char *handler;
	unsigned int workers;
	enum conf_cpus cpus_mode;
	cpu_set_t cpus;
	struct sluice_ring_config ring;
	unsigned int noptions;
	struct sluice_handler_option *options;
};

struct conf {
	int log_level;
	uint64_t drain_ns;
	unsigned int ngroups;
	struct conf_group *groups;
};

struct conf_error {
	char text[1024];
};

/* 0 or -errno with @err, which begins with the file and the line. @conf is to be freed in either case. */
int conf_read(const char *path, struct conf *conf, struct conf_error *err);
/* The same from memory; @name stands for the file's name. */
int conf_parse(const char *name, const char *text, struct conf *conf, struct conf_error *err);
void conf_free(struct conf *conf);
struct conf_group *conf_find(const struct conf *conf, const char *name);
bool conf_same_options(const struct conf_group *a, const struct conf_group *b);
bool conf_same_rings(const struct conf_group *a, const struct conf_group *b);

#endif /* SLUICED_CONF_H */
