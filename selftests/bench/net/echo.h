/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns three echo servers that sleep when there is nothing to do. They end only with what went wrong. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

struct sluice_ring;

/* By recvmmsg and sendmmsg on a bound socket. Return: -errno. */
int echo_socket(int fd);

/* By epoll on a listening TCP socket; a message begins with its length in four bytes, big-endian. Return: -errno. */
int echo_epoll(int listener);

/* Open and attach a ring of group "echo" whose answers leave with kicks. Return: 0 or -errno. */
int echo_ring_open(struct sluice_ring **ring, unsigned int spin_us);

/* On an attached ring. Return: -errno. */
int echo_ring(struct sluice_ring *ring);

#endif
