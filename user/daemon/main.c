// SPDX-License-Identifier: GPL-2.0-only
/* sluiced: command line, signals, and exit status. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "pidfile.h"

#define DEFAULT_CONFIG "/etc/sluice/sluiced.conf"

static const char usage[] =
	"usage: sluiced [-c FILE] [-p FILE [--replace]] [--check]\n"
	"Serve groups of the sluice module with handlers. Stays in the foreground and logs to standard error.\n"
	"\n"
	"  -c, --config FILE    configuration (" DEFAULT_CONFIG "); see sluiced.conf(5)\n"
	"  -p, --pid-file FILE  write the process id there once all groups are served\n"
	"      --replace        once all groups are served, have the sluiced that holds the pid file drain and leave\n"
	"      --check          say whether the configuration is good, and leave\n"
	"  -V, --version        print the version\n"
	"  -h, --help           print this\n"
	"\n"
	"SIGTERM, SIGINT  answer what was taken and leave; a second one: leave at once\n"
	"SIGHUP           read the configuration again; a bad one changes nothing\n"
	"SIGUSR1          write statistics of each worker to the log\n"
	"SIGUSR2          the sender serves instead: as SIGTERM\n"
	"\n"
	"Exit status: 0 all was answered, 1 the system refused something, 2 bad usage, 3 bad configuration,\n"
	"4 the groups cannot be served, 5 requests were left at the drain timeout\n";

struct options {
	const char *config;
	const char *pid_file;
	bool check;
	bool replace;
};

/* 0, or an exit status plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "check", no_argument, NULL, 'k' },
		{ "replace", no_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:p:Vh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 'p':
			o->pid_file = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'r':
			o->replace = true;
			break;
		case 'V':
			puts("sluiced " SLUICE_VERSION);
			return 1 + EXIT_FINE;
		case 'h':
			fputs(usage, stdout);
			return 1 + EXIT_FINE;
		default:
			fputs("Try sluiced --help.\n", stderr);
			return 1 + EXIT_USAGE;
		}
	}
	if (o->replace && !o->pid_file) {
		fputs("sluiced: --replace needs --pid-file: it says which process is to be replaced\n", stderr);
		return 1 + EXIT_USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "sluiced: \"%s\" is one argument too many\nTry sluiced --help.\n", argv[optind]);
		return 1 + EXIT_USAGE;
	}
	return 0;
}

static int check_config(const struct options *o)
{
	struct conf_error err;
	struct conf conf;
	unsigned int i;
	int ret;

	ret = conf_read(o->config, &conf, &err);
	for (i = 0; i < conf.ngroups && !ret; i++)
		ret = instance_check(&conf.groups[i], &err);
	if (ret)
		fprintf(stderr, "%s\n", err.text);
	else
		printf("%s: good, %u group%s\n", o->config, conf.ngroups, conf.ngroups == 1 ? "" : "s");
	conf_free(&conf);
	return ret ? EXIT_CONFIG : EXIT_FINE;
}

/* Signals come as reads of a descriptor; workers inherit the mask and never see one. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -1;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int pid_file_error(const struct options *o, int err)
{
	log_line(LOG_ERR, "%s: %s: give a file that can be written with --pid-file", o->pid_file, strerror(-err));
	return EXIT_INTERNAL;
}

/* The process that holds the pid file, as a descriptor that cannot come to mean another one; -1: nobody does. */
static int find_predecessor(const struct options *o, int *pidfd)
{
	pid_t pid;

	*pidfd = -1;
	if (!o->pid_file)
		return 0;
	pid = pidfile_holder(o->pid_file);
	if (pid < 0)
		return pid_file_error(o, pid);
	if (!pid)
		return 0;
	if (!o->replace) {
		log_line(LOG_ERR, "%s is held by process %d: add --replace to take its place, or give another file",
			 o->pid_file, (int)pid);
		return EXIT_INTERNAL;
	}
	*pidfd = syscall(SYS_pidfd_open, pid, 0);
	/* Should the process have left in between, the number may be another one's by now. */
	if (*pidfd >= 0 && pidfile_holder(o->pid_file) != pid) {
		close(*pidfd);
		*pidfd = -1;
	}
	return 0;
}

static void send_off(int pidfd)
{
	if (pidfd < 0)
		return;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGUSR2, NULL, 0) && errno != ESRCH)
		log_line(LOG_ERR, "cannot tell the process that is to be replaced: %s: end it", strerror(errno));
	close(pidfd);
}

static int serve(struct daemon *d, const struct options *o)
{
	struct pidfile pf = { .fd = -1 };
	struct conf_error err;
	int status, pidfd, ret;

	if (conf_read(o->config, &d->conf, &err)) {
		log_line(LOG_ERR, "%s", err.text);
		return EXIT_CONFIG;
	}
	log_set_level(d->conf.log_level);
	status = find_predecessor(o, &pidfd);
	if (!status)
		status = daemon_start(d);
	if (!status && o->pid_file) {
		ret = pidfile_take(&pf, o->pid_file);
		if (ret)
			status = pid_file_error(o, ret);
	}
	if (!status) {
		send_off(pidfd);
		status = daemon_run(d);
	} else {
		while (d->ngroups)
			group_destroy(d->group[--d->ngroups]);
	}
	pidfile_release(&pf);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = { .config = DEFAULT_CONFIG };
	static struct daemon d;
	int ret;

	ret = read_options(argc, argv, &o);
	if (ret)
		return ret - 1;
	if (o.check)
		return check_config(&o);
	d.path = o.config;
	d.signals = open_signals();
	d.done = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d.signals < 0 || d.done < 0) {
		log_line(LOG_ERR, "signals and events: %s", strerror(errno));
		return EXIT_INTERNAL;
	}
	ret = serve(&d, &o);
	conf_free(&d.conf);
	return ret;
}
