// SPDX-License-Identifier: GPL-2.0-only
/* sluice doctor: whether this machine can build, load and run Sluice, and what to do where it cannot. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli.h"

#define CAP_NET_ADMIN_BIT	12
#define CAP_IPC_LOCK_BIT	14
#define CAP_SYS_MODULE_BIT	16
#define MEMLOCK_ENOUGH		(64ULL << 20)
#define KERNEL_MIN_MAJOR	6
#define KERNEL_MIN_MINOR	1

enum area { BUILD, LOAD, RUN };
enum status { OK, NOTE, FAULT };

static const char *const area_names[] = { "build", "load", "run", NULL };
static const char *const status_names[] = { "ok", "note", "FAULT", NULL };

struct doctor {
	struct cli *c;
	json_object *list;
	struct utsname uts;
	uint64_t caps;
	bool loaded;
	bool asked[3], fault[3];	/* by area */
};

/* @todo: NULL if there is nothing to do. */
static void say(struct doctor *d, enum area area, enum status status, const char *name, const char *detail,
		const char *todo)
{
	json_object *js;

	if (status == FAULT)
		d->fault[area] = true;
	if (!d->list) {
		printf("%-5s %-6s %-20s %s\n", area_names[area], status_names[status], name, detail);
		if (todo)
			printf("%34s-> %s\n", "", todo);
		return;
	}
	js = json_object_new_object();
	json_object_object_add(js, "area", json_object_new_string(area_names[area]));
	json_object_object_add(js, "status", json_object_new_string(status == FAULT ? "fault" : status_names[status]));
	json_object_object_add(js, "name", json_object_new_string(name));
	json_object_object_add(js, "detail", json_object_new_string(detail));
	if (todo)
		json_object_object_add(js, "todo", json_object_new_string(todo));
	json_object_array_add(d->list, js);
}

/* The beginning of a small file, without the line's end; "" if it cannot be read. */
static const char *slurp(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f) {
		n = fread(buf, 1, size - 1, f);
		fclose(f);
	}
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : "/usr/bin:/bin"), *save = NULL, *dir;
	char full[4096];
	bool found = false;

	for (dir = copy ? strtok_r(copy, ":", &save) : NULL; dir && !found; dir = strtok_r(NULL, ":", &save)) {
		snprintf(full, sizeof(full), "%s/%s", dir, program);
		found = !access(full, X_OK);
	}
	free(copy);
	return found;
}

/* Whether a line of a list of the running kernel's modules names the module. */
static bool listed(const struct doctor *d, const char *list, const char *module)
{
	char path[512], name[64];
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/lib/modules/%s/%s", d->uts.release, list);
	snprintf(name, sizeof(name), "/%s.ko", module);
	f = fopen(path, "re");
	while (f && !found && getline(&line, &room, f) > 0) {
		line[strcspn(line, ":\n")] = 0;
		found = strstr(line, name);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

static void check_tools(struct doctor *d)
{
	bool cc = in_path("gcc") || in_path("cc");

	say(d, BUILD, cc ? OK : FAULT, "compiler", cc ? "found" : "neither gcc nor cc is in PATH",
	    cc ? NULL : "apt-get install build-essential");
	say(d, BUILD, in_path("make") ? OK : FAULT, "make", in_path("make") ? "found" : "not in PATH",
	    in_path("make") ? NULL : "apt-get install build-essential");
}

/* What the commands are built with, beside the C library. */
static void check_libraries(struct doctor *d)
{
	static const struct {
		const char *name, *header, *package;
	} libs[] = {
		{ "libmnl", "/usr/include/libmnl/libmnl.h", "apt-get install libmnl-dev" },
		{ "json-c", "/usr/include/json-c/json.h", "apt-get install libjson-c-dev" },
	};
	unsigned int i;
	bool found;

	for (i = 0; i < 2; i++) {
		found = !access(libs[i].header, R_OK);
		say(d, BUILD, found ? OK : FAULT, libs[i].name, found ? "found" : "no headers",
		    found ? NULL : libs[i].package);
	}
}

static void check_kernel(struct doctor *d, enum area area)
{
	char text[128], *rest;
	long major, minor = 0;

	major = strtol(d->uts.release, &rest, 10);
	if (*rest == '.')
		minor = strtol(rest + 1, NULL, 10);
	if (major < KERNEL_MIN_MAJOR || (major == KERNEL_MIN_MAJOR && minor < KERNEL_MIN_MINOR)) {
		say(d, area, FAULT, "kernel", d->uts.release, "Sluice needs Linux 6.1 or later: boot one");
	} else if (major == 6 && (minor == 1 || minor == 12)) {
		say(d, area, OK, "kernel", d->uts.release, NULL);
	} else {
		snprintf(text, sizeof(text), "%.80s: not one that Sluice is tested on", d->uts.release);
		say(d, area, NOTE, "kernel", text, "prefer 6.1 or 6.12, as Debian 12 and its backports have them");
	}
}

static void check_headers(struct doctor *d)
{
	char path[512], todo[512];

	snprintf(path, sizeof(path), "/lib/modules/%s/build/scripts/Makefile.build", d->uts.release);
	snprintf(todo, sizeof(todo), "apt-get install linux-headers-%s, or the headers from whoever built this kernel",
		 d->uts.release);
	if (access(path, R_OK))
		say(d, BUILD, FAULT, "headers", "no headers for the running kernel", todo);
	else
		say(d, BUILD, OK, "headers", "found", NULL);
}

static void check_module(struct doctor *d)
{
	char version[64];

	if (d->loaded) {
		slurp("/sys/module/sluice/version", version, sizeof(version));
		say(d, LOAD, OK, "module", version[0] ? version : "loaded", NULL);
	} else if (access("/proc/modules", R_OK)) {
		say(d, LOAD, FAULT, "modules", "this kernel takes no modules at all (CONFIG_MODULES)",
		    "boot a kernel that does, such as the one of linux-image-amd64");
	} else if (listed(d, "modules.dep", "sluice")) {
		say(d, LOAD, NOTE, "module", "installed, not loaded", "modprobe sluice");
	} else {
		say(d, LOAD, NOTE, "module", "neither loaded nor installed",
		    "in its sources: make -C /lib/modules/$(uname -r)/build M=$PWD, then insmod sluice.ko");
	}
}

/* What a kernel may demand of a module; of no interest once it is loaded. */
static void check_trust(struct doctor *d)
{
	static const char efi[] = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	enum status bad = d->loaded ? NOTE : FAULT;
	char buf[256], secure[8] = "";
	FILE *f;

	if (slurp("/proc/sys/kernel/modules_disabled", buf, sizeof(buf))[0] == '1')
		say(d, LOAD, bad, "modules_disabled", "the kernel takes no more modules until it is booted again",
		    "boot without kernel.modules_disabled=1 in sysctl.conf");
	if (slurp("/sys/module/module/parameters/sig_enforce", buf, sizeof(buf))[0] == 'Y')
		say(d, LOAD, bad, "signature", "only signed modules are taken",
		    "sign sluice.ko with an enrolled key (mokutil --import), or boot with module.sig_enforce=0");
	else
		say(d, LOAD, OK, "signature", "not demanded", NULL);
	slurp("/sys/kernel/security/lockdown", buf, sizeof(buf));
	if (buf[0] && !strstr(buf, "[none]"))
		say(d, LOAD, bad, "lockdown", buf, "sign sluice.ko with an enrolled key, or boot with lockdown=none");
	else
		say(d, LOAD, OK, "lockdown", buf[0] ? buf : "not there", NULL);
	f = fopen(efi, "re");
	if (f) {
		if (fread(secure, 1, 5, f) == 5 && secure[4] == 1)
			say(d, LOAD, NOTE, "secure boot", "on: the kernel may lock itself down",
			    "sign sluice.ko with an enrolled key, if loading it is refused");
		fclose(f);
	}
	slurp("/proc/sys/kernel/tainted", buf, sizeof(buf));
	if (strcmp(buf, "0"))
		say(d, LOAD, NOTE, "taint", buf, NULL);
}

static void check_right(struct doctor *d)
{
	bool held = d->caps >> CAP_SYS_MODULE_BIT & 1;

	if (!d->loaded)
		say(d, LOAD, held ? OK : FAULT, "CAP_SYS_MODULE", held ? "held" : "not held",
		    held ? NULL : "load the module as root, outside containers");
}

static void check_device(struct doctor *d)
{
	struct stat st;

	if (stat("/dev/sluice", &st))
		say(d, RUN, FAULT, "/dev/sluice", "not there",
		    d->loaded ? "wait for udev, or mknod it with the number in /proc/misc" : "load the module");
	else if (access("/dev/sluice", R_OK | W_OK))
		say(d, RUN, FAULT, "/dev/sluice", "not readable and writable for you",
		    "chgrp and chmod it, or run as root");
	else
		say(d, RUN, OK, "/dev/sluice", "accessible", NULL);
}

static void check_netlink(struct doctor *d)
{
	bool admin = d->caps >> CAP_NET_ADMIN_BIT & 1;
	char ns[64];
	ssize_t n;

	if (genl_open(d->c))
		say(d, RUN, FAULT, "netlink", "the family \"sluice\" does not answer", "load the module");
	else
		say(d, RUN, OK, "netlink", "the family answers", NULL);
	say(d, RUN, admin ? OK : NOTE, "CAP_NET_ADMIN", admin ? "held" : "not held: reading works, changing does not",
	    admin ? NULL : "run as root, or setcap cap_net_admin+ep with the path of this command");
	n = readlink("/proc/self/ns/net", ns, sizeof(ns) - 1);
	ns[n > 0 ? n : 0] = 0;
	say(d, RUN, NOTE, "network namespace", n > 0 ? ns : "unknown", NULL);
}

static void check_memlock(struct doctor *d)
{
	bool ipc_lock = d->caps >> CAP_IPC_LOCK_BIT & 1;
	struct rlimit rl = { 0 };
	char text[64];

	getrlimit(RLIMIT_MEMLOCK, &rl);
	if (rl.rlim_cur == RLIM_INFINITY)
		snprintf(text, sizeof(text), "unlimited");
	else
		format_size(text, sizeof(text), rl.rlim_cur);
	if (ipc_lock || rl.rlim_cur >= MEMLOCK_ENOUGH)
		say(d, RUN, OK, "RLIMIT_MEMLOCK", text, NULL);
	else
		say(d, RUN, NOTE, "RLIMIT_MEMLOCK", text,
		    "rings are charged to it: ulimit -l 65536, or LimitMEMLOCK=64M in the unit");
}

static uint64_t effective_caps(void)
{
	char *line = NULL;
	size_t room = 0;
	uint64_t caps = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && getline(&line, &room, f) > 0)
		if (!strncmp(line, "CapEff:", 7))
			caps = strtoull(line + 7, NULL, 16);
	free(line);
	if (f)
		fclose(f);
	return caps;
}

static int verdict(struct doctor *d)
{
	json_object *js;
	unsigned int i;

	if (d->loaded)
		d->fault[LOAD] = false;
	js = d->list ? json_object_new_object() : NULL;
	if (!js)
		putchar('\n');
	for (i = 0; i < 3; i++) {
		if (!d->asked[i])
			continue;
		if (d->fault[i])
			d->c->exit_code = 1;
		if (js)
			json_object_object_add(js, area_names[i], json_object_new_boolean(!d->fault[i]));
		else
			printf("This machine can%s %s Sluice.\n", d->fault[i] ? "not" : "", area_names[i]);
	}
	if (!js)
		return 0;
	json_object_object_add(js, "checks", d->list);
	return print_json(d->c, js);
}

static void examine(struct doctor *d)
{
	if (d->asked[BUILD]) {
		check_tools(d);
		check_libraries(d);
		check_kernel(d, BUILD);
		check_headers(d);
	}
	if (d->asked[LOAD]) {
		check_kernel(d, LOAD);
		check_module(d);
		check_trust(d);
		check_right(d);
	}
	if (d->asked[RUN]) {
		check_device(d);
		check_netlink(d);
		check_memlock(d);
	}
}

/* [build|load|run]... */
int cmd_doctor(struct cli *c, struct args *a)
{
	struct doctor d = { .c = c };
	uint32_t area;
	int ret = 0;

	if (!args_peek(a))
		d.asked[BUILD] = d.asked[LOAD] = d.asked[RUN] = true;
	while (!ret && args_peek(a)) {
		ret = args_enum(c, a, "part of the examination", area_names, &area);
		if (!ret)
			d.asked[area] = true;
	}
	if (ret)
		return ret;
	if (uname(&d.uts))
		return fail(c, -errno, "uname: %s", strerror(errno));
	d.caps = effective_caps();
	d.loaded = !access("/sys/module/sluice", F_OK);
	d.list = c->json ? json_object_new_array() : NULL;
	examine(&d);
	return verdict(&d);
}
