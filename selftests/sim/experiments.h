/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns the settings that all experiments share: the incident's machine, its clients, the mixes. */
#ifndef SLUICE_SIM_EXPERIMENTS_H
#define SLUICE_SIM_EXPERIMENTS_H

#include "sim.h"

/*
 * The machine of the incident served 31.5 M requests/s, say 16 workers of 508 ns. Simulated are 2
 * of the 16 workers and an eighth of everything that is counted in requests; times are as they
 * were.
 */
#define SCALE		   8
#define INCIDENT_WORKERS   (16 / SCALE)
#define INCIDENT_SERVICE   508.0
#define INCIDENT_MEMORY	   (14200000 / SCALE) /* requests that waited in the incident */
#define INCIDENT_OBJECTIVE (100 * SIM_US)
#define INCIDENT_NORMAL	   (10e6 / SCALE)
#define INCIDENT_FLOOD	   (45e6 / SCALE)

struct mix {
	const char *name;
	const char *title;
	struct sim_class class[SIM_CLASSES];
	double seconds;
};

extern const struct mix mixes[];
extern const u32 nmixes;
extern const char *const steering_name[];

void conf_incident(struct sim_conf *c, enum sim_control control);
void conf_mix(struct sim_conf *c, const struct mix *m, enum sim_steering steering, double load,
	      double seconds);
double conf_factor(struct sim_conf *c, enum sim_control control, double factor, u64 ms);
u64 recovery(const struct sim_result *r, u64 bin_ns, u64 step);

int experiment_incident(const char *dir);
int experiment_factors(const char *dir);
int experiment_step(const char *dir);
int experiment_trigger(const char *dir);
int experiment_classes(const char *dir);
int experiment_paper(const char *dir);
int experiment_quick(void);

#endif /* SLUICE_SIM_EXPERIMENTS_H */
