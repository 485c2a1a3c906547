/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what the measured servers and the loop that measures them share. */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH 64	/* requests in flight at once */
#define SIZE_MAX_MSG 1472
#define PORT 7000
#define DEVICE "v0"	/* the server's end of the pair */

/**
 * struct server - one way to serve
 * @name: as on the command line and in the results
 * @open: ready to serve when it returns; never fails (it dies)
 * @serve: answer what is there, at most BATCH; the number answered, or -errno
 * @lags: may keep requests back until more arrive: a round is one call of @serve
 */
struct server {
	const char *name;
	void (*open)(void);
	int (*serve)(void);
	bool lags;
};

extern const struct server sockets_servers[], uring_servers[], packet_servers[], xsk_servers[], bpfring_servers[],
	sluice_servers[];

extern unsigned int size;	/* bytes of a request */

void die(const char *what, int err);
int udp_socket(const char *addr, int port);

/* BPF programs of bench.bpf.c on the server's device, detached when the process ends. */
struct bpf_object;
struct bpf_object *xdp_attach(const char *program, unsigned int flags);

/* Have a device drop what arrives, until something else does away with it. */
int xdp_drop(const char *device);

/* An Ethernet frame that holds a request becomes the reply to it: its payload stays. */
bool frame_turn(uint8_t *frame, uint32_t len);

/* sluice.c: serve @want requests by polling memory alone, saying how many. */
int consume(unsigned long want);

#endif
