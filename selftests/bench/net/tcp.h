/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what the servers over TCP, what is said to them, and the loop that measures them share. */
#ifndef BENCH_TCP_H
#define BENCH_TCP_H

#include <stddef.h>

#define PORT 7000
#define BYTES_MAX (1 << 17)	/* in flight on one connection, and the replies to it */
#define ACTIVE_MAX 1024		/* connections that say something */
#define WORDS_MAX 10		/* rounds that differ */

/**
 * struct server - one way to serve
 * @name: as on the command line
 * @open: ready to be dialled when it returns; never fails (it dies)
 * @take: accept so many connections, which are established
 * @serve: answer what is there; how many requests that were
 */
struct server {
	const char *name;
	void (*open)(void);
	void (*take)(unsigned int n);
	int (*serve)(void);
};

extern const struct server epoll_server, sluice_server, kcm_server, uring_server;

/**
 * struct words - what is sent on a connection in one round, and what must come back
 */
struct words {
	char *out, *want;
	size_t out_len, want_len;
};

extern struct words words[WORDS_MAX];
extern unsigned int variants;		/* of @words: rounds take them in turn */
extern unsigned int size, pipeline;	/* bytes of a message or value; requests in flight on each connection */
extern unsigned int conns, idle;	/* connections: those that say something, and others */

/* Make @words; those of a store first put there what is asked for, over @fd. */
void words_echo(int fd);
void words_memcached(int fd);
void words_redis(int fd);

void die(const char *what);
/* Wait for @len bytes, which must be these. */
void hear(int fd, const char *bytes, size_t len);

int tcp_listen(void);
int tcp_accept(int listener, int flags);
/* How many messages the bytes of a receive hold: whole ones, or it dies. */
int tcp_messages(const char *bytes, size_t len);

#endif
