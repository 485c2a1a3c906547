// SPDX-License-Identifier: GPL-2.0-only
/* sluiced: command line, signals, and exit status. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

#define DEFAULT_CONFIG "/etc/sluice/sluiced.conf"

static const char usage[] =
	"usage: sluiced [-c FILE] [-p FILE] [--check]\n"
	"Serve groups of the sluice module with handlers. Stays in the foreground and logs to standard error.\n"
	"\n"
	"  -c, --config FILE    configuration (" DEFAULT_CONFIG "); see sluiced.conf(5)\n"
	"  -p, --pid-file FILE  write the process id there once all groups are served\n"
	"      --check          say whether the configuration is good, and leave\n"
	"  -V, --version        print the version\n"
	"  -h, --help           print this\n"
	"\n"
	"SIGTERM, SIGINT  answer what was taken and leave; a second one: leave at once\n"
	"SIGHUP           read the configuration again; a bad one changes nothing\n"
	"SIGUSR1          write statistics of each worker to the log\n"
	"\n"
	"Exit status: 0 all was answered, 1 the system refused something, 2 bad usage, 3 bad configuration,\n"
	"4 the groups cannot be served, 5 requests were left at the drain timeout\n";

struct options {
	const char *config;
	const char *pid_file;
	bool check;
};

/* 0, or an exit status plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "pid-file", required_argument, NULL, 'p' },
		{ "check", no_argument, NULL, 'k' },
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
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -1;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool write_pid(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool good;

	good = fd >= 0 && dprintf(fd, "%d\n", (int)getpid()) > 0;
	if (!good)
		log_line(LOG_ERR, "%s: %s: give a file that can be written with --pid-file", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

static int serve(struct daemon *d, const struct options *o)
{
	struct conf_error err;
	int status;

	if (conf_read(o->config, &d->conf, &err)) {
		log_line(LOG_ERR, "%s", err.text);
		return EXIT_CONFIG;
	}
	log_set_level(d->conf.log_level);
	status = daemon_start(d);
	if (!status && o->pid_file && !write_pid(o->pid_file))
		status = EXIT_INTERNAL;
	if (!status)
		status = daemon_run(d);
	else
		while (d->ngroups)
			group_destroy(d->group[--d->ngroups]);
	if (o->pid_file)
		unlink(o->pid_file);
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
