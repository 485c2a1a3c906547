// SPDX-License-Identifier: GPL-2.0-only
/* Takes, looks at and gives up the file with the process id. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pidfile.h"

static const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

/* The lock tells who holds it, so that neither a file that was left behind nor a number used anew misleads. */
pid_t pidfile_holder(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err = 0;
	struct flock lock = whole;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fcntl(fd, F_GETLK, &lock))
		err = -errno;
	close(fd);
	if (err)
		return err;
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

int pidfile_take(struct pidfile *pf, const char *path)
{
	struct flock lock = whole;
	char *tmp;
	int err;

	if (asprintf(&tmp, "%s.%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	pf->path = path;
	pf->fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (pf->fd < 0) {
		err = -errno;
		free(tmp);
		return err;
	}
	if (fcntl(pf->fd, F_SETLK, &lock) || dprintf(pf->fd, "%d\n", (int)getpid()) < 0 || rename(tmp, path)) {
		err = -errno;
		unlink(tmp);
		close(pf->fd);
		pf->fd = -1;
		free(tmp);
		return err;
	}
	free(tmp);
	return 0;
}

void pidfile_release(struct pidfile *pf)
{
	struct stat ours, there;

	if (pf->fd < 0)
		return;
	if (!fstat(pf->fd, &ours) && !stat(pf->path, &there) && ours.st_ino == there.st_ino &&
	    ours.st_dev == there.st_dev)
		unlink(pf->path);
	close(pf->fd);
	pf->fd = -1;
}
