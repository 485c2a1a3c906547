/* SPDX-License-Identifier: GPL-2.0-only */
/* The file that says which process serves, held by a lock for as long as it does. */
#ifndef SLUICED_PIDFILE_H
#define SLUICED_PIDFILE_H

#include <sys/types.h>

struct pidfile {
	const char *path;
	int fd;
};

/* The process that holds the file, 0: none. -errno. */
pid_t pidfile_holder(const char *path);
/* Put a file of our own in its place; 0 or -errno. */
int pidfile_take(struct pidfile *pf, const char *path);
/* Remove the file, unless another process has put its own there. */
void pidfile_release(struct pidfile *pf);

#endif /* SLUICED_PIDFILE_H */
