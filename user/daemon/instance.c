// SPDX-License-Identifier: GPL-2.0-only
/* Finds handlers, built in or in shared objects, and makes, changes and unmakes their state. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "handlers/handlers.h"
#include "instance.h"
#include "installed.h"
#include "log.h"

#ifndef PLUGIN_DIR
#define PLUGIN_DIR "/usr/local/lib/sluice"
#endif

static const struct sluice_handler *const built_in[] = { &handler_echo, &handler_kv, &handler_redis };

__attribute__((format(printf, 3, 4)))
static int group_error(struct conf_error *err, const struct conf_group *g, const char *format, ...)
{
	va_list ap;
	int n;

	n = snprintf(err->text, sizeof(err->text), "%s: ", g->where);
	va_start(ap, format);
	vsnprintf(err->text + n, sizeof(err->text) - n, format, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- where handlers come from ---- */

static int check_abi(const struct sluice_handler *h, const struct conf_group *g, const char *path,
		     struct conf_error *err)
{
	if (h->abi != SLUICE_HANDLER_ABI)
		return group_error(err, g, "%s is built for handler ABI %u, this sluiced speaks %u: build it again", path,
				   h->abi, SLUICE_HANDLER_ABI);
	if (h->size < offsetof(struct sluice_handler, check) || !h->name || !h->serve)
		return group_error(err, g, "%s: " SLUICE_HANDLER_SYMBOL " lacks size, name or serve: see sluice/handler.h",
				   path);
	return 0;
}

static int load(struct instance *in, const struct conf_group *g, struct conf_error *err)
{
	const struct sluice_handler *h = NULL;
	char path[PATH_MAX];
	unsigned int i;
	int ret;

	for (i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
		if (strcmp(g->handler, built_in[i]->name))
			continue;
		in->handler = *built_in[i];
		return 0;
	}
	if (strchr(g->handler, '/'))
		snprintf(path, sizeof(path), "%s", g->handler);
	else
		installed_path(path, sizeof(path), "sluice", g->handler, ".so", PLUGIN_DIR);
	in->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!in->object)
		return group_error(err, g, "handler %s is neither built in (echo, kv, redis) nor a plug-in: %s", g->handler,
				   dlerror());
	h = dlsym(in->object, SLUICE_HANDLER_SYMBOL);
	if (!h)
		return group_error(err, g, "%s exports no " SLUICE_HANDLER_SYMBOL ": it is no plug-in of sluiced", path);
	ret = check_abi(h, g, path, err);
	if (ret)
		return ret;
	memcpy(&in->handler, h, h->size < sizeof(in->handler) ? h->size : sizeof(in->handler));
	if (!in->handler.serve)
		return group_error(err, g, "%s: " SLUICE_HANDLER_SYMBOL " lacks serve: see sluice/handler.h", path);
	return 0;
}

static void unload(struct instance *in)
{
	if (in->object)
		dlclose(in->object);
}

/* ---- what a handler is told ---- */

static uint32_t largest_slot(const struct conf_group *g)
{
	uint32_t size = 0;
	unsigned int i;

	for (i = 0; i < SLUICE_SIZE_CLASSES; i++)
		if (g->ring.slots[i].size > size)
			size = g->ring.slots[i].size;
	return size;
}

static struct sluice_handler_config handler_config(const struct conf_group *g)
{
	return (struct sluice_handler_config){
		.size = sizeof(struct sluice_handler_config),
		.group = g->name,
		.workers = g->workers,
		.noptions = g->noptions,
		.options = g->options,
		.slot_size = largest_slot(g),
		.reply_size = g->ring.reply_slots ? g->ring.reply_size : 0,
		.log = log_line,
	};
}

/* The handler's own words, at the place that it names. */
static int handler_error(struct conf_error *err, const struct conf_group *g, const struct instance *in,
			 const struct sluice_handler_error *he, int ret)
{
	snprintf(err->text, sizeof(err->text), "%s: %s", he->where[0] ? he->where : g->where,
		 he->text[0] ? he->text : strerror(-ret));
	if (!he->text[0])
		log_line(LOG_DEBUG, "handler %s refused without a word", in->handler.name);
	return ret < 0 ? ret : -EINVAL;
}

static int check_options(const struct instance *in, const struct conf_group *g, struct conf_error *err)
{
	struct sluice_handler_config hc = handler_config(g);
	struct sluice_handler_error he = { "", "" };
	int ret;

	if (in->handler.check) {
		ret = in->handler.check(&hc, &he);
		return ret ? handler_error(err, g, in, &he, ret) : 0;
	}
	if (!g->noptions)
		return 0;
	snprintf(err->text, sizeof(err->text), "%s: handler %s takes no options: remove %s", g->options[0].where,
		 in->handler.name, g->options[0].name);
	return -EINVAL;
}

int instance_check(const struct conf_group *g, struct conf_error *err)
{
	struct instance in = { .object = NULL };
	int ret = load(&in, g, err);

	if (!ret)
		ret = check_options(&in, g, err);
	unload(&in);
	return ret;
}

/* ---- state ---- */

static void fini_workers(struct instance *in)
{
	unsigned int i;

	for (i = 0; i < in->nworkers; i++)
		if (in->handler.worker_init && in->handler.worker_fini)
			in->handler.worker_fini(in->worker[i]);
	free(in->worker);
	in->worker = NULL;
	in->nworkers = 0;
}

static int init_workers(struct instance *in, const struct conf_group *g, unsigned int n, struct conf_error *err)
{
	unsigned int i;
	int ret;

	in->worker = calloc(n, sizeof(*in->worker));
	if (!in->worker)
		return group_error(err, g, "out of memory");
	for (i = 0; i < n; i++) {
		ret = in->handler.worker_init ? in->handler.worker_init(in->state, i, &in->worker[i]) : 0;
		if (ret) {
			group_error(err, g, "handler %s cannot make its worker %u: %s", in->handler.name, i,
				    strerror(-ret));
			fini_workers(in);
			return ret;
		}
		in->nworkers = i + 1;
	}
	return 0;
}

int instance_create(struct instance **out, const struct conf_group *g, struct conf_error *err)
{
	struct sluice_handler_config hc = handler_config(g);
	struct sluice_handler_error he = { "", "" };
	struct instance *in = calloc(1, sizeof(*in));
	int ret;

	*out = NULL;
	if (!in)
		return group_error(err, g, "out of memory");
	ret = load(in, g, err);
	if (!ret)
		ret = check_options(in, g, err);
	if (!ret && in->handler.init) {
		ret = in->handler.init(&hc, &in->state, &he);
		if (ret)
			handler_error(err, g, in, &he, ret);
	}
	if (!ret) {
		in->made = true;
		ret = init_workers(in, g, g->workers, err);
	}
	if (ret) {
		instance_destroy(in);
		return ret;
	}
	*out = in;
	return 0;
}

void instance_destroy(struct instance *in)
{
	if (!in)
		return;
	fini_workers(in);
	if (in->made && in->handler.fini)
		in->handler.fini(in->state);
	unload(in);
	free(in);
}

bool instance_can_reconfigure(const struct instance *in, const struct conf_group *old, const struct conf_group *g)
{
	return !strcmp(old->handler, g->handler) && in->handler.reconfigure;
}

int instance_reconfigure(struct instance *in, const struct conf_group *g, struct conf_error *err)
{
	struct sluice_handler_config hc = handler_config(g);
	struct sluice_handler_error he = { "", "" };
	unsigned int before = in->nworkers;
	struct conf_error fatal;
	int ret;

	/* Workers hold on to the state that is about to change. */
	fini_workers(in);
	ret = in->handler.reconfigure(in->state, &hc, &he);
	if (ret)
		handler_error(err, g, in, &he, ret);
	if (init_workers(in, g, ret ? before : g->workers, &fatal)) {
		/* No worker can run: the rings close, and a service manager starts afresh. */
		log_line(LOG_ERR, "%s", fatal.text);
		_exit(EXIT_FAILURE);
	}
	return ret;
}
