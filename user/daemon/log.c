// SPDX-License-Identifier: GPL-2.0-only
/* Writes log lines: with the journal's level prefix if the journal reads them, else with the time. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_LEN 2048

static _Atomic int max_level = LOG_INFO;

static const char *const names[] = {
	[LOG_EMERG] = "error", [LOG_ALERT] = "error", [LOG_CRIT] = "error", [LOG_ERR] = "error",
	[LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

void log_set_level(int level)
{
	atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

bool log_parse_level(const char *name, int *level)
{
	int i;

	for (i = LOG_ERR; i <= LOG_DEBUG; i++) {
		if (strcmp(name, names[i]))
			continue;
		*level = i;
		return true;
	}
	return false;
}

/* sd-daemon(3): "<6>" in front of a line tells the journal its level. */
static int prefix(char *to, size_t size, int level)
{
	struct timespec ts;
	struct tm tm;
	char date[32];

	if (getenv("JOURNAL_STREAM"))
		return snprintf(to, size, "<%d>", level);
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(to, size, "%s.%03ld sluiced[%d] %s: ", date, ts.tv_nsec / 1000000, (int)getpid(),
			names[level]);
}

void log_line(int level, const char *format, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;
	ssize_t ret;
	int n, m;

	if (level < LOG_ERR)
		level = LOG_ERR;
	if (level > LOG_DEBUG)
		level = LOG_DEBUG;
	if (level > atomic_load_explicit(&max_level, memory_order_relaxed))
		return;
	n = prefix(line, sizeof(line) - 1, level);
	va_start(ap, format);
	m = vsnprintf(line + n, sizeof(line) - 1 - n, format, ap);
	va_end(ap);
	n += m < (int)sizeof(line) - 1 - n ? m : (int)sizeof(line) - 2 - n;
	line[n++] = '\n';
	/* One write, so that lines of several threads do not mix. There is nobody to tell if it fails. */
	ret = write(STDERR_FILENO, line, n);
	(void)ret;
}
