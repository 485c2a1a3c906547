/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the files are that were installed with a program. */
#ifndef SLUICE_INSTALLED_H
#define SLUICE_INSTALLED_H

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The path of file @name@suffix in ../lib/@dir beside the running program, so that a build tree and an odd prefix work as
 * they are; if it cannot be read there, in @prefix.
 */
static inline void installed_path(char *path, size_t size, const char *dir, const char *name, const char *suffix,
				  const char *prefix)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;
	int i;

	if (n > 0) {
		exe[n] = 0;
		for (i = 0; i < 2; i++) {
			slash = strrchr(exe, '/');
			if (slash)
				*slash = 0;
		}
		if (snprintf(path, size, "%s/lib/%s/%s%s", exe, dir, name, suffix) < (int)size && !access(path, R_OK))
			return;
	}
	snprintf(path, size, "%s/%s%s", prefix, name, suffix);
}

#endif /* SLUICE_INSTALLED_H */
