/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns two echo servers that sleep when there is nothing to do. Both end only with what went wrong. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

struct sluice_ring;

/* By recvmmsg and sendmmsg on a bound socket. Return: -errno. */
int echo_socket(int fd);

/* Open and attach a ring of group "echo" whose answers leave with kicks. Return: 0 or -errno. */
int echo_ring_open(struct sluice_ring **ring, unsigned int spin_us);

/* On an attached ring. Return: -errno. */
int echo_ring(struct sluice_ring *ring);

#endif
