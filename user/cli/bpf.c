// SPDX-License-Identifier: GPL-2.0-only
/* BPF programs from object files, for the kernel to take by their fd. */
#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bpf.h"

/* The libraries' last complaint says more than an error number. */
static char said[400];

static int keep(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[sizeof(said)];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (line[0])
		memcpy(said, line, sizeof(said));
	return 0;
}

/**
 * bpf_load() - load the one program of an object file as a socket filter
 * @c: for the error message
 * @path: file
 * @obj: set to what is to be closed when the kernel has taken the program
 *
 * Return: the program's fd, or -errno.
 */
int bpf_load(struct cli *c, const char *path, struct bpf_object **obj)
{
	struct bpf_program *prog;
	int ret;

	libbpf_set_print(keep);
	*obj = bpf_object__open_file(path, NULL);
	if (!*obj)
		return fail(c, -errno, "cannot open %s: %s", path, said[0] ? said : strerror(errno));
	prog = bpf_object__next_program(*obj, NULL);
	if (!prog || bpf_object__next_program(*obj, prog)) {
		ret = fail(c, -EINVAL, "%s holds %s program: one is needed", path, prog ? "more than one" : "no");
		goto err;
	}
	bpf_program__set_type(prog, BPF_PROG_TYPE_SOCKET_FILTER);
	ret = bpf_object__load(*obj);
	if (ret) {
		fail(c, ret, "the kernel does not take the program of %s as a socket filter: %s", path, said);
		goto err;
	}
	return bpf_program__fd(prog);
err:
	bpf_object__close(*obj);
	*obj = NULL;
	return ret;
}
