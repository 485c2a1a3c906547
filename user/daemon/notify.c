// SPDX-License-Identifier: GPL-2.0-only
/* Tells the service manager how the daemon is doing. */
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "daemon.h"

void notify_ready(const struct daemon *d)
{
	sd_notifyf(0, "READY=1\nSTATUS=serving %u group%s with %u worker%s", d->ngroups, d->ngroups == 1 ? "" : "s",
		   daemon_workers(d), daemon_workers(d) == 1 ? "" : "s");
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=changing the configuration",
		   (unsigned long long)daemon_now() / 1000);
}

/* A service whose main process has a successor goes on. */
void notify_stopping(const struct daemon *d)
{
	if (d->replaced_by)
		sd_notifyf(0, "MAINPID=%d\nSTATUS=replaced by process %d", (int)d->replaced_by, (int)d->replaced_by);
	else
		sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

void notify_status(const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}

void notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_ns(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us * 1000 / 2 : 0;
}
