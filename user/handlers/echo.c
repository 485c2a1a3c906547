// SPDX-License-Identifier: GPL-2.0-only
/* The echo handler: every response is its request. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

/**
 * struct echo - one worker
 * @late: requests whose response found the queue full
 */
struct echo {
	struct sluice_request *late;
	unsigned int nlate;
	unsigned int room;
	unsigned long long requests;
	unsigned long long bytes;
};

static int echo_worker_init(void *state, unsigned int index, void **worker)
{
	(void)state;
	(void)index;
	*worker = calloc(1, sizeof(struct echo));
	return *worker ? 0 : -ENOMEM;
}

static void echo_worker_fini(void *worker)
{
	struct echo *e = worker;

	free(e->late);
	free(e);
}

static void keep(struct echo *e, struct sluice_ring *ring, const struct sluice_request *req)
{
	unsigned int room = e->room ? e->room * 2 : 64;
	struct sluice_request *late = e->late;

	if (e->nlate == e->room) {
		late = realloc(late, room * sizeof(*late));
		if (!late) {
			/* It stays unanswered until the ring is closed, and then follows the group's policy. */
			sluice_reject(ring, req);
			return;
		}
		e->late = late;
		e->room = room;
	}
	late[e->nlate++] = *req;
}

static void echo_serve(void *worker, struct sluice_ring *ring, struct sluice_request *req, unsigned int n)
{
	struct echo *e = worker;
	unsigned int i;

	for (i = 0; i < n; i++) {
		e->requests++;
		e->bytes += req[i].len;
		if (sluice_respond(ring, &req[i], req[i].len) == -EAGAIN)
			keep(e, ring, &req[i]);
	}
}

static unsigned int echo_poll(void *worker, struct sluice_ring *ring)
{
	struct echo *e = worker;
	unsigned int i;

	if (!e->nlate)
		return 0;
	for (i = 0; ring && i < e->nlate; i++)
		if (sluice_respond(ring, &e->late[i], e->late[i].len) == -EAGAIN)
			break;
	if (!ring)
		i = e->nlate;	/* they went with their ring */
	e->nlate -= i;
	memmove(e->late, e->late + i, e->nlate * sizeof(*e->late));
	return i;
}

static int echo_sleep(void *worker)
{
	return ((struct echo *)worker)->nlate ? -1 : 0;
}

static unsigned int echo_busy(void *worker)
{
	return ((struct echo *)worker)->nlate;
}

static void echo_stats(void *worker, char *text, size_t len)
{
	struct echo *e = worker;

	snprintf(text, len, "echo: %llu requests, %llu bytes", e->requests, e->bytes);
}

const struct sluice_handler handler_echo = {
	.abi = SLUICE_HANDLER_ABI,
	.size = sizeof(struct sluice_handler),
	.name = "echo",
	.worker_init = echo_worker_init,
	.worker_fini = echo_worker_fini,
	.serve = echo_serve,
	.poll = echo_poll,
	.sleep = echo_sleep,
	.busy = echo_busy,
	.stats = echo_stats,
};
