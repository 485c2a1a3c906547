/* SPDX-License-Identifier: GPL-2.0-only */
/* A group that is served: a handler's instance and the workers that it runs in. */
#ifndef SLUICED_GROUP_H
#define SLUICED_GROUP_H

#include "instance.h"
#include "worker.h"

/**
 * struct group - one group
 * @conf: in the configuration in force
 * @n: number of workers, as in @conf but in the middle of a change
 */
struct group {
	struct conf_group *conf;
	struct instance *in;
	unsigned int n;
	struct worker *worker[CONF_WORKERS_MAX];
};

/* Processor for a worker, -1: any. The processors of auto go around over all groups of the file. */
int group_cpu(const struct conf *conf, const struct conf_group *cg, unsigned int index);
/* Open rings for workers @from and up, ascending by their number in the kernel, as hash steering counts them. */
int group_open_rings(const struct conf_group *cg, unsigned int from, struct sluice_ring **rings, struct conf_error *err);
void group_close_rings(struct sluice_ring **rings, unsigned int n);
/* Make and start, parked, workers @from and up for @rings, whose ownership passes in any case. */
int group_make_workers(const struct conf *conf, const struct conf_group *cg, unsigned int from,
		       struct sluice_ring **rings, int done, struct worker **workers, struct conf_error *err);
void group_end_made(struct worker **workers, unsigned int n);
/* Make handler and workers, parked, with rings open but not attached. */
int group_create(struct group **g, const struct conf *conf, struct conf_group *cg, int done, struct conf_error *err);
/*
 * Attach the rings of parked workers @from and up: requests come. 0, or the last error; a worker without a ring will open
 * one itself.
 */
int group_attach(struct group *g, unsigned int from, struct conf_error *err);
/* Give each worker its handler's state; they are parked. */
void group_set_state(struct group *g);
/* Join the workers from @from on, which were told to end or drained. False: some do not end. */
bool group_end_workers(struct group *g, unsigned int from);
/* Ends the workers too. */
bool group_destroy(struct group *g);

void group_order(struct group *g, unsigned int from, unsigned int orders);
void group_lift(struct group *g, unsigned int from, unsigned int orders);
void group_drain(struct group *g, unsigned int from);
/* How many workers from @from on have not come to @status or beyond. */
unsigned int group_behind(struct group *g, unsigned int from, enum worker_status status);

#endif /* SLUICED_GROUP_H */
