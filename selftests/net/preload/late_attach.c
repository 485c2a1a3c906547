// SPDX-License-Identifier: GPL-2.0-only
/* Owns a delay: preloaded, it holds up the attaching of an XDP program until the file /tmp/attach is there. */
#include <dlfcn.h>
#include <unistd.h>

struct xdp_program;

static void wait_for_leave(void)
{
	while (access("/tmp/attach", F_OK))
		usleep(10000);
}

int xdp_program__attach(struct xdp_program *prog, int ifindex, int mode, unsigned int flags)
{
	int (*next)(struct xdp_program *, int, int, unsigned int) = dlsym(RTLD_NEXT, "xdp_program__attach");

	wait_for_leave();
	return next(prog, ifindex, mode, flags);
}

int bpf_xdp_attach(int ifindex, int fd, unsigned int flags, const void *opts)
{
	int (*next)(int, int, unsigned int, const void *) = dlsym(RTLD_NEXT, "bpf_xdp_attach");

	wait_for_leave();
	return next(ifindex, fd, flags, opts);
}
