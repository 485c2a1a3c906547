/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's log: one line to standard error, with a level as in syslog(3). */
#ifndef SLUICED_LOG_H
#define SLUICED_LOG_H

#include <stdbool.h>

/* Lines above @level are left out; LOG_INFO until it is set. */
void log_set_level(int level);
/* error, warning, notice, info or debug */
bool log_parse_level(const char *name, int *level);
/* Any thread. @level is LOG_ERR .. LOG_DEBUG of <syslog.h>. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* SLUICED_LOG_H */
