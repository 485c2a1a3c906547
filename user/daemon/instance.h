/* SPDX-License-Identifier: GPL-2.0-only */
/* A handler at work for one group: where it comes from, its state, and the state of each worker. */
#ifndef SLUICED_INSTANCE_H
#define SLUICED_INSTANCE_H

#include "conf.h"

/**
 * struct instance - a handler and what it made
 * @handler: its own table, absent functions NULL; also those that an older plug-in does not know
 * @object: of dlopen(), or NULL
 * @state: of init()
 * @nworkers, @worker: of worker_init(), by number
 */
struct instance {
	struct sluice_handler handler;
	void *object;
	void *state;
	bool made;
	unsigned int nworkers;
	void **worker;
};

/* Find the handler that @g names and ask whether it likes its options. Leaves nothing behind. */
int instance_check(const struct conf_group *g, struct conf_error *err);
/* Make the handler's state for all workers of @g. */
int instance_create(struct instance **in, const struct conf_group *g, struct conf_error *err);
void instance_destroy(struct instance *in);
/* May the handler of @old serve @g by reconfigure()? */
bool instance_can_reconfigure(const struct instance *in, const struct conf_group *old, const struct conf_group *g);
/* Change options and number of workers; no worker runs. On an error all is as before. */
int instance_reconfigure(struct instance *in, const struct conf_group *g, struct conf_error *err);

#endif /* SLUICED_INSTANCE_H */
