// SPDX-License-Identifier: GPL-2.0-only
/* A consumer for tests that does with its requests what its arguments say. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/sluice.h>

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static int more(struct sluice_ring *ring, struct sluice_request *req, bool last_too)
{
	struct sluice_reply reply;
	int err = sluice_reply_get(ring, &reply);

	if (err)
		return err;
	memcpy(reply.data, "first", 5);
	err = sluice_respond_from(ring, req, &reply, 5, true);
	if (err)
		return err;
	if (last_too) {
		memcpy(req->data, "second", 6);
		return sluice_respond(ring, req, 6);
	}
	return 0;
}

static int act(struct sluice_ring *ring, const char *mode, struct sluice_request *req)
{
	if (req->gap)
		printf("gap %u reason %u\n", req->gap, req->gap_reason);
	if (!strcmp(mode, "done"))
		return sluice_done(ring, req);
	if (!strcmp(mode, "reject"))
		return sluice_reject(ring, req);
	if (!strcmp(mode, "more"))
		return more(ring, req, true);
	if (!strcmp(mode, "half"))
		return more(ring, req, false);
	if (!strcmp(mode, "log"))
		printf("got %.*s\n", (int)req->len, (const char *)req->data);
	if (!strcmp(mode, "size"))
		return sluice_respond(ring, req, snprintf(req->data, req->room, "%u ", req->len));
	if (!strcmp(mode, "flags")) {
		int n = snprintf(req->data, req->room, "flags%u", req->flags);

		return sluice_respond(ring, req, n);
	}
	return sluice_respond(ring, req, req->len);
}

/*
 * usage: ring_client GROUP MODE [SLOT_SIZE SLOTS [kick|thread|adaptive]]
 * MODE: echo, reverse (a batch from its end), done, reject, more, half (the first part and never the last), flags,
 * size (say how long it was), log
 * (print, then echo); hold (take and never answer); idle (never take)
 */
int main(int argc, char **argv)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = argc > 1 ? argv[1] : "",
					     .reply_slots = 64, .reply_size = 64 };
	const char *mode = argc > 2 ? argv[2] : "echo";
	struct sigaction sa = { .sa_handler = on_signal };
	struct sluice_request req[32];
	struct sluice_ring *ring;
	int err, i, n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTERM, &sa, NULL);
	config.slots[0].size = argc > 3 ? atoi(argv[3]) : 2048;
	config.slots[0].count = argc > 4 ? atoi(argv[4]) : 256;
	if (argc > 5)
		config.tx = !strcmp(argv[5], "kick") ? SLUICE_TX_KICK :
			    !strcmp(argv[5], "thread") ? SLUICE_TX_THREAD : SLUICE_TX_ADAPTIVE;
	err = sluice_ring_open(&ring, &config);
	if (!err)
		err = sluice_ring_attach(ring);
	if (err) {
		printf("error %d\n", -err);
		return 1;
	}
	printf("ready %u\n", sluice_ring_id(ring));
	if (!strcmp(mode, "idle")) {
		while (!stop)
			pause();
		return 0;
	}
	while (n >= 0 || n == -EINTR) {
		n = sluice_ring_wait(ring, 100);
		if (stop) {
			stop = 0;
			sluice_ring_drain(ring);
		}
		if (n <= 0)
			continue;
		n = sluice_ring_peek(ring, req, 32);
		if (!strcmp(mode, "hold") && n > 0) {
			printf("held %d\n", n);
			continue;
		}
		for (i = 0; i < n; i++) {
			bool back = !strcmp(mode, "reverse");

			while ((err = act(ring, mode, &req[back ? n - 1 - i : i])) == -EAGAIN)
				sluice_ring_flush(ring);
			if (err)
				printf("error %d\n", -err);
		}
		sluice_ring_flush(ring);
	}
	printf("left %d\n", -n);
	sluice_ring_close(ring);
	return n == -ESHUTDOWN ? 0 : 1;
}
