/* SPDX-License-Identifier: MIT */
/* The system calls and the clock that a ring uses, as a table given to it when it is opened. */
#ifndef SLUICE_LIB_IO_H
#define SLUICE_LIB_IO_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/sluice.h>

/**
 * struct sluice_io - how a ring reaches the kernel
 * @open: fd or -errno
 * @ioctl: result of the request, or -errno
 * @kick: has the kernel take the ring's answers now, the cheap way, which it may not know; 0 or -errno
 * @map: maps @len bytes at @offset, writable or not; 0 or -errno
 * @unmap: undoes @map
 * @close: closes what @open gave
 * @now: CLOCK_MONOTONIC, ns
 *
 * @ctx of every call is what sluice_ring_open_io() was given. None but @kick, and @ioctl to sleep, is called while requests come.
 */
struct sluice_io {
	int (*open)(void *ctx, const char *path);
	int (*ioctl)(void *ctx, int fd, unsigned long request, void *arg);
	int (*kick)(void *ctx, int fd);
	int (*map)(void *ctx, int fd, uint64_t offset, size_t len, int writable, void **addr);
	void (*unmap)(void *ctx, void *addr, size_t len);
	void (*close)(void *ctx, int fd);
	uint64_t (*now)(void *ctx);
};

/* The system's own. */
extern const struct sluice_io sluice_io_system;

/* sluice_ring_open() over another table; @io and @ctx must outlive the ring. */
int sluice_ring_open_io(struct sluice_ring **ring, const struct sluice_ring_config *config,
			const struct sluice_io *io, void *ctx);

#endif /* SLUICE_LIB_IO_H */
