// SPDX-License-Identifier: MIT
/* A whole consumer: sends every request of a group back to where it came from. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <sluice/sluice.h>

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static int serve(struct sluice_ring *ring)
{
	struct sluice_request req[64];
	int i, n;

	/* wait() also hands over the answers of the batch before; a timeout lets a stop in from a signal that came just earlier */
	while ((n = sluice_ring_wait(ring, 100)) >= 0 || n == -EINTR) {
		if (stop) {
			stop = 0;
			sluice_ring_drain(ring);
		}
		n = sluice_ring_peek(ring, req, 64);
		for (i = 0; i < n; i++) {
			while (sluice_respond(ring, &req[i], req[i].len) == -EAGAIN)
				sluice_ring_flush(ring);
		}
	}
	return n == -ESHUTDOWN ? 0 : n;
}

int main(int argc, char **argv)
{
	struct sluice_ring_config config = { .size = sizeof(config), .group = argc > 1 ? argv[1] : "echo" };
	struct sigaction action = { .sa_handler = on_signal };
	struct sluice_ring_stats stats;
	struct sluice_ring *ring;
	int err;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	err = sluice_ring_open(&ring, &config);
	if (!err)
		err = sluice_ring_attach(ring);
	if (!err)
		err = serve(ring);
	if (ring) {
		sluice_ring_stats(ring, &stats);
		printf("echoed %llu requests\n", (unsigned long long)stats.requests);
	}
	sluice_ring_close(ring);
	if (err)
		fprintf(stderr, "sluice-echo: group %s: %s\n", config.group, sluice_strerror(err));
	return err ? 1 : 0;
}
