// SPDX-License-Identifier: MIT
/* A plug-in of sluiced: answers with the request's text in upper case, or as its option says in lower case. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/handler.h>

/* Shared by the group's workers, which only read it. */
struct letters {
	int (*convert)(int c);
};

struct letters_worker {
	const struct letters *letters;
	unsigned long long requests;
};

static int read_options(const struct sluice_handler_config *config, struct letters *l, struct sluice_handler_error *err)
{
	unsigned int i;

	l->convert = toupper;
	for (i = 0; i < config->noptions; i++) {
		const struct sluice_handler_option *o = &config->options[i];

		if (!strcmp(o->name, "case") && !strcmp(o->value, "upper")) {
			l->convert = toupper;
		} else if (!strcmp(o->name, "case") && !strcmp(o->value, "lower")) {
			l->convert = tolower;
		} else {
			snprintf(err->where, sizeof(err->where), "%s", o->where);
			snprintf(err->text, sizeof(err->text), "handler letters knows \"case upper\" and \"case lower\"");
			return -EINVAL;
		}
	}
	return 0;
}

static int check(const struct sluice_handler_config *config, struct sluice_handler_error *err)
{
	struct letters l;

	return read_options(config, &l, err);
}

static int init(const struct sluice_handler_config *config, void **state, struct sluice_handler_error *err)
{
	struct letters *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*state = l;
	return read_options(config, l, err);
}

static int reconfigure(void *state, const struct sluice_handler_config *config, struct sluice_handler_error *err)
{
	struct letters l;
	int ret = read_options(config, &l, err);

	if (!ret)
		*(struct letters *)state = l;
	return ret;
}

static int worker_init(void *state, unsigned int index, void **worker)
{
	struct letters_worker *w = calloc(1, sizeof(*w));

	(void)index;
	if (!w)
		return -ENOMEM;
	w->letters = state;
	*worker = w;
	return 0;
}

static void serve(void *worker, struct sluice_ring *ring, struct sluice_request *req, unsigned int n)
{
	struct letters_worker *w = worker;
	unsigned int i;
	uint32_t k;

	for (i = 0; i < n; i++) {
		unsigned char *text = req[i].data;

		for (k = 0; k < req[i].len; k++)
			text[k] = w->letters->convert(text[k]);
		/* One entry for each request always fits: the queue has more entries than the ring has slots. */
		sluice_respond(ring, &req[i], req[i].len);
	}
	w->requests += n;
}

static void stats(void *worker, char *text, size_t len)
{
	snprintf(text, len, "letters: %llu requests", ((struct letters_worker *)worker)->requests);
}

const struct sluice_handler sluice_handler_main = {
	.abi = SLUICE_HANDLER_ABI,
	.size = sizeof(struct sluice_handler),
	.name = "letters",
	.check = check,
	.init = init,
	.reconfigure = reconfigure,
	.fini = free,
	.worker_init = worker_init,
	.worker_fini = free,
	.serve = serve,
	.stats = stats,
};
