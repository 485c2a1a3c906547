/* SPDX-License-Identifier: GPL-2.0-only */
/* The main thread: what it serves, what it is told by signals, and how it waits. */
#ifndef SLUICED_DAEMON_H
#define SLUICED_DAEMON_H

#include "group.h"

/* Exit statuses, described in sluiced(8). */
enum exit_status {
	EXIT_FINE = 0,
	EXIT_INTERNAL = 1,	/* the system refused something that has nothing to do with Sluice */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,
	EXIT_CANNOT_SERVE = 4,	/* no module, no such group, no permission, no memory for rings */
	EXIT_NOT_DRAINED = 5,	/* requests were still unanswered at the drain timeout */
};

/**
 * struct daemon - everything
 * @path: of the configuration
 * @term: how many times it was told to end
 * @replaced_by: the process that told it so because it serves in its place; 0: nobody
 * @hup, @usr1: told to, not yet done
 * @signals: signalfd; @done: eventfd that workers write when their status changes
 * @watchdog_ns: service manager's period, halved; 0: none
 */
struct daemon {
	const char *path;
	struct conf conf;
	unsigned int ngroups;
	struct group *group[CONF_GROUPS_MAX];
	unsigned int term;
	pid_t replaced_by;
	bool hup;
	bool usr1;
	int signals;
	int done;
	uint64_t watchdog_ns;
	uint64_t watchdog_at;
};

uint64_t daemon_now(void);
/* Sleep until a signal, a worker's change of status or @until; notes signals, feeds the watchdog, writes statistics. */
void daemon_wait(struct daemon *d, uint64_t until);
/* Wait until no worker of @g from @from on is behind @status, or until @until. */
bool daemon_wait_group(struct daemon *d, struct group *g, unsigned int from, enum worker_status status, uint64_t until);
unsigned int daemon_workers(const struct daemon *d);
struct group *daemon_find(const struct daemon *d, const char *name);
/* Serve what d->conf says. 0 or an exit status. */
int daemon_start(struct daemon *d);
/* Serve until told to end, then drain. Returns the exit status. */
int daemon_run(struct daemon *d);
/* Read the configuration again and change over to it; if that is not possible, all stays as it is. */
void daemon_reload(struct daemon *d);

/* sd_notify(3); nothing happens without a service manager. */
void notify_ready(const struct daemon *d);
void notify_reloading(void);
void notify_stopping(const struct daemon *d);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_watchdog(void);
uint64_t notify_watchdog_ns(void);

#endif /* SLUICED_DAEMON_H */
