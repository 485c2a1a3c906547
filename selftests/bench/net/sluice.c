// SPDX-License-Identifier: GPL-2.0-only
/* Owns the server over Sluice, and the consumer that makes no system call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "cost.h"

#define RINGS_MAX 256

static struct sluice_ring *ring, *many[RINGS_MAX];
static unsigned int rings = 1;

static struct sluice_ring *open_ring(const char *group, enum sluice_tx tx, unsigned int slots)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = group, .tx = tx };
	struct sluice_ring *r;
	int err;

	config.slots[0].size = 2048;
	config.slots[0].count = slots;
	err = sluice_ring_open(&r, &config);
	if (!err)
		err = sluice_ring_attach(r);
	if (err)
		die("ring", err);
	return r;
}

static void open_sluice(void)
{
	ring = open_ring("echo", SLUICE_TX_KICK, 4 * BATCH);
}

/* $RINGS of one group; or one ring in each of so many groups: echo0, echo1 and so on. */
static void open_many(const char *how_many, bool grouped)
{
	char name[16] = "echo";
	unsigned int i;

	rings = how_many ? atoi(how_many) : 1;
	if (rings < 1 || rings > RINGS_MAX)
		die(grouped ? "GROUPS" : "RINGS", EINVAL);
	for (i = 0; i < rings; i++) {
		if (grouped)
			snprintf(name, sizeof(name), "echo%u", i);
		many[i] = open_ring(name, SLUICE_TX_KICK, 2 * BATCH);
	}
}

static void open_rings(void)
{
	open_many(getenv("RINGS"), false);
}

static void open_groups(void)
{
	open_many(getenv("GROUPS_OF_ONE"), true);
}

static int serve_ring(struct sluice_ring *r)
{
	struct sluice_request req[BATCH];
	int i, n = sluice_ring_peek(r, req, BATCH), err;

	for (i = 0; i < n; i++) {
		err = sluice_respond(r, &req[i], req[i].len);
		if (err)
			return err;
	}
	err = sluice_ring_flush(r);
	return err < 0 ? err : n;
}

static int serve_sluice(void)
{
	return serve_ring(ring);
}

/* One consumer that looks at all of them in turn. */
static int serve_many(void)
{
	unsigned int i;
	int n, done = 0;

	for (i = 0; i < rings; i++) {
		n = serve_ring(many[i]);
		if (n < 0)
			return n;
		done += n;
	}
	return done;
}

int consume(unsigned long want)
{
	struct sluice_request req[BATCH];
	unsigned long done = 0;
	int i, n;

	ring = open_ring("echo", SLUICE_TX_THREAD, 1024);
	puts("ready");
	fflush(stdout);
	while (done < want) {
		n = sluice_ring_peek(ring, req, BATCH);
		for (i = 0; i < n; i++)
			while (sluice_respond(ring, &req[i], req[i].len) == -EAGAIN)
				sluice_ring_flush(ring);
		sluice_ring_flush(ring);
		done += n;
	}
	printf("consumed %lu\n", done);
	/* stay until told: leaving is not part of the load */
	fflush(stdout);
	pause();
	return 0;
}

const struct server sluice_servers[] = {
	{ "sluice", open_sluice, serve_sluice, false },
	{ "sluice-gro", open_sluice, serve_sluice, false },
	{ "sluice-xdp", open_sluice, serve_sluice, false },
	{ "sluice-rings", open_rings, serve_many, false },
	{ "sluice-groups", open_groups, serve_many, false },
	{ 0 },
};
