// SPDX-License-Identifier: GPL-2.0-only
/* Owns the server over Sluice, and the consumer that makes no system call. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "cost.h"

static struct sluice_ring *ring;

static void open_ring(enum sluice_tx tx, unsigned int slots)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = "echo", .tx = tx };
	int err;

	config.slots[0].size = 2048;
	config.slots[0].count = slots;
	err = sluice_ring_open(&ring, &config);
	if (!err)
		err = sluice_ring_attach(ring);
	if (err)
		die("ring", err);
}

static void open_sluice(void)
{
	open_ring(SLUICE_TX_KICK, 4 * BATCH);
}

static int serve_sluice(void)
{
	struct sluice_request req[BATCH];
	int i, n = sluice_ring_peek(ring, req, BATCH), err;

	for (i = 0; i < n; i++) {
		err = sluice_respond(ring, &req[i], req[i].len);
		if (err)
			return err;
	}
	err = sluice_ring_flush(ring);
	return err < 0 ? err : n;
}

int consume(unsigned long want)
{
	struct sluice_request req[BATCH];
	unsigned long done = 0;
	int i, n;

	open_ring(SLUICE_TX_THREAD, 1024);
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
	{ "sluice-xdp", open_sluice, serve_sluice, false },
	{ 0 },
};
