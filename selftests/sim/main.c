// SPDX-License-Identifier: GPL-2.0-only
/* Owns the simulation's command line. */
#include <stdio.h>

#include "experiments.h"

static const struct {
	const char *name;
	int (*run)(const char *dir);
} experiments[] = {
	{"incident", experiment_incident}, {"factors", experiment_factors},
	{"step", experiment_step},	   {"trigger", experiment_trigger},
	{"classes", experiment_classes},   {"paper", experiment_paper},
};

int main(int argc, char **argv)
{
	u32 i;
	int err = -EINVAL;

	if (argc == 2 && !strcmp(argv[1], "quick"))
		return experiment_quick() ? 1 : 0;
	for (i = 0; argc == 3 && i < sizeof(experiments) / sizeof(experiments[0]); i++)
		if (!strcmp(argv[1], experiments[i].name) || !strcmp(argv[1], "all")) {
			err = experiments[i].run(argv[2]);
			if (err)
				break;
			fflush(stdout);
		}
	if (err == -EINVAL)
		fprintf(stderr,
			"usage: sim quick | sim all|incident|factors|step|trigger|classes|paper DIR\n");
	else if (err)
		fprintf(stderr, "sim: %s\n", strerror(-err));
	return err ? 1 : 0;
}
