/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's tracepoints, for tests in C: switched on for one case, and their lines counted. */
#ifndef TRACE_H
#define TRACE_H

#include <sys/mount.h>

#include "rig.h"

#define TRACEFS "/sys/kernel/tracing/"

static inline int trace_write(const char *name, const char *value)
{
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), TRACEFS "%s", name);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static inline void trace_off(void)
{
	trace_write("events/sluice/enable", "0");
}

/* Begin anew, with all of the module's tracepoints. Return: 0 or -errno. */
static inline int trace_on(void)
{
	int err;

	if (access(TRACEFS "trace", F_OK) && mount("none", TRACEFS, "tracefs", 0, NULL))
		return -errno;
	trace_off();
	err = trace_write("trace", "");
	err = err ? err : trace_write("tracing_on", "1");
	return err ? err : trace_write("events/sluice/enable", "1");
}

/* Lines of a tracepoint with this text in them since trace_on(), of all namespaces; -1: not to be read. */
static inline int trace_count(const char *event, const char *text)
{
	char line[512], mark[64];
	FILE *f = fopen(TRACEFS "trace", "r");
	int n = 0;

	if (!f)
		return -1;
	snprintf(mark, sizeof(mark), ": %s: ", event);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, mark) && strstr(line, text);
	fclose(f);
	return n;
}

#endif /* TRACE_H */
