/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole configuration in memory: as a file declares it, or as the kernel runs it. */
#ifndef SLUICE_CLI_CONFIG_H
#define SLUICE_CLI_CONFIG_H

#include "cli.h"

struct conf_listener {
	struct listener listener;
	struct rules rules;
	unsigned int line;	/* of the file; 0: from the kernel */
};

struct conf_group {
	struct group group;
	unsigned int line;
};

struct config {
	const char *file;
	struct vec groups;	/* struct conf_group */
	struct vec listeners;	/* struct conf_listener */
};

static inline struct conf_group *conf_group_at(const struct config *conf, uint32_t i)
{
	return (struct conf_group *)conf->groups.items + i;
}

static inline struct conf_listener *conf_listener_at(const struct config *conf, uint32_t i)
{
	return (struct conf_listener *)conf->listeners.items + i;
}

struct conf_group *conf_find_group(const struct config *conf, const char *name);
struct conf_listener *conf_find_listener(const struct config *conf, const char *name);

int config_parse(struct cli *c, const char *file, const char *text, size_t len, struct config *out);
int config_read_file(struct cli *c, const char *path, struct config *out);
int config_read_kernel(struct cli *c, struct config *out);
void config_free(struct config *conf);
void config_print(FILE *f, const struct config *conf);
json_object *config_to_json(const struct config *conf);

#endif /* SLUICE_CLI_CONFIG_H */
