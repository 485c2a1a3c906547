// SPDX-License-Identifier: MIT
/* The system's calls behind struct sluice_io, with -errno in place of errno. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/io.h"

/* errno belongs to the caller of the library: every call here leaves it as it was. */
static int result(int ret, int saved)
{
	int err = errno;

	errno = saved;
	return ret < 0 ? -err : ret;
}

static int system_open(void *ctx, const char *path)
{
	int saved = errno;

	(void)ctx;
	return result(open(path, O_RDWR | O_CLOEXEC), saved);
}

static int system_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
	int saved = errno;

	(void)ctx;
	return result(ioctl(fd, request, arg), saved);
}

/*
 * The call itself, not the C library's function: others take that one's place, to have no program sync its files, and threads
 * are cancelled in it.
 */
static int system_kick(void *ctx, int fd)
{
	int saved = errno;

	(void)ctx;
	return result((int)syscall(SYS_fdatasync, fd), saved);
}

static int system_map(void *ctx, int fd, uint64_t offset, size_t len, int writable, void **addr)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	int saved = errno;
	void *p;

	(void)ctx;
	p = mmap(NULL, len, prot, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);
	if (p == MAP_FAILED)
		return result(-1, saved);
	*addr = p;
	return 0;
}

static void system_unmap(void *ctx, void *addr, size_t len)
{
	int saved = errno;

	(void)ctx;
	munmap(addr, len);
	errno = saved;
}

static void system_close(void *ctx, int fd)
{
	int saved = errno;

	(void)ctx;
	close(fd);
	errno = saved;
}

static uint64_t system_now(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const struct sluice_io sluice_io_system = {
	.open = system_open,
	.ioctl = system_ioctl,
	.kick = system_kick,
	.map = system_map,
	.unmap = system_unmap,
	.close = system_close,
	.now = system_now,
};
