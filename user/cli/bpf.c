// SPDX-License-Identifier: GPL-2.0-only
/* BPF programs from object files, for the kernel to take by their fd. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf.h"
#include "installed.h"

#ifndef PROGRAM_DIR
#define PROGRAM_DIR "/usr/local/lib/sluice/bpf"
#endif

/* The library's last complaint says more than an error number, and the verifier's more than that. */
static char said[400];
static bool verifier_said;

/* What the verifier did not like stands in its log before the line on how much it has processed. */
static char *verdict_of(char *log)
{
	char *end = strstr(log, "\nprocessed "), *line;

	if (!end)
		return NULL;
	*end = '\0';
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

static int keep(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *line;

	if (level != LIBBPF_WARN || verifier_said || vasprintf(&text, format, args) < 0)
		return 0;
	line = verdict_of(text);
	verifier_said = line;
	if (!line)
		line = text;
	line[strcspn(line, "\n")] = '\0';
	if (line[0])
		snprintf(said, sizeof(said), "%s", line);
	free(text);
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

/* Whether the name of a program is that of a file, and not of one that comes with Sluice. */
bool bpf_is_file(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 2 && !strcmp(name + len - 2, ".o"));
}

/* bpf_load() of a file, or of a program that comes with Sluice. */
int bpf_load_named(struct cli *c, const char *name, struct bpf_object **obj)
{
	char path[PATH_MAX];

	if (bpf_is_file(name))
		return bpf_load(c, name, obj);
	installed_path(path, sizeof(path), "sluice/bpf", name, ".bpf.o", PROGRAM_DIR);
	if (access(path, R_OK))
		return fail(c, -ENOENT, "no program \"%s\" comes with Sluice (memcached and resp do), and a file is named with"
			    " a / or .o: no %s", name, path);
	return bpf_load(c, path, obj);
}
