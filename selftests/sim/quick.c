// SPDX-License-Identifier: GPL-2.0-only
/* Owns the assertions on short simulations: virtual time, seeded, the same in every run. */
#include <stdio.h>

#include "experiments.h"

static unsigned int number, failures;

static void report(bool ok, const char *name, const char *what, double value)
{
	printf("%sok %u %s # %s %.4g\n", ok ? "" : "not ", ++number, name, what, value);
	failures += !ok;
}

static void factor(const char *name, double offered)
{
	static struct sim_result r;
	struct sim_conf c;
	double good, p99;

	conf_factor(&c, SIM_SLUICE, offered, 200);
	if (sim_run(&c, &r))
		exit(1);
	free(r.bin);
	good = r.good / r.seconds / r.capacity;
	p99 = sim_quantile(&r.all, 990000);
	report(good >= (offered < 1 ? 0.99 * offered : 0.95) && p99 <= 2 * INCIDENT_OBJECTIVE, name,
	       "goodput / capacity", good);
}

/* The core of what the unbounded queue does: it answers everything, and nothing in time. */
static void fifo_fails(void)
{
	static struct sim_result r;
	struct sim_conf c;

	conf_factor(&c, SIM_FIFO, 1.4, 200);
	if (sim_run(&c, &r))
		exit(1);
	free(r.bin);
	report(r.good / r.seconds / r.capacity < 0.05 && r.answered / r.seconds / r.capacity > 0.95,
	       "overload__an_unbounded_queue_answers_late", "goodput / capacity",
	       r.good / r.seconds / r.capacity);
}

static void step(void)
{
	static struct sim_result r;
	struct sim_conf c;
	u64 back;

	conf_factor(&c, SIM_SLUICE, 0.8, 50);
	c.phase[1] = (struct sim_phase){150 * SIM_MS, 1.4 * sim_capacity(&c)};
	c.bin_ns = SIM_MS / 2;
	if (sim_run(&c, &r))
		exit(1);
	back = recovery(&r, c.bin_ns, c.phase[0].until);
	free(r.bin);
	report(back <= 20 * SIM_MS, "step__recovers_within_20_ms", "ms", back / 1e6);
}

static void trigger(void)
{
	static struct sim_result r;
	struct sim_conf c;
	double after = 0;
	u32 b, n = 0;

	conf_incident(&c, SIM_SLUICE);
	c.phase[0] = (struct sim_phase){100 * SIM_MS, 0.9 * sim_capacity(&c)};
	c.phase[1] = (struct sim_phase){400 * SIM_MS, 1.5 * sim_capacity(&c)};
	c.phase[2] = (struct sim_phase){900 * SIM_MS, 0.9 * sim_capacity(&c)};
	c.retries = 4;
	c.timeout_ns = 50 * SIM_MS;
	c.backoff_ns = 10 * SIM_MS;
	c.bin_ns = 10 * SIM_MS;
	if (sim_run(&c, &r))
		exit(1);
	for (b = 80; b + 1 < r.nbins; b++, n++)
		after += (double)r.bin[b].good / r.bin[b].first;
	free(r.bin);
	report(after / n > 0.95, "trigger__goodput_returns", "goodput / offered", after / n);
}

static void typed(void)
{
	static struct sim_result r;
	struct sim_conf c;
	u64 got, ideal;

	conf_mix(&c, &mixes[0], SIM_TYPED, 0.8, 1);
	if (sim_run(&c, &r))
		exit(1);
	free(r.bin);
	got = sim_quantile(&r.latency[0], 990000);
	ideal = ideal_p99(SIM_TYPED, c.class, c.workers, 0.8, c.phase[0].rate, 0, c.seed);
	report(got <= 1.3 * ideal, "typed__short_requests_near_the_ideal", "ratio",
	       (double)got / ideal);
}

/* One client sends nine tenths of an overload; the others must still be answered. */
static void sources(void)
{
	static struct sim_result r;
	struct sim_conf c;

	conf_factor(&c, SIM_SLUICE, 3, 100);
	c.heavy = 0.9;
	c.sources = 100;
	if (sim_run(&c, &r))
		exit(1);
	free(r.bin);
	report(r.light_answered > 0.95 * r.light, "sources__one_client_cannot_take_the_queue",
	       "answered share of the others", (double)r.light_answered / r.light);
}

int experiment_quick(void)
{
	printf("KTAP version 1\n1..11\n");
	factor("goodput__0.95_of_capacity", 0.95);
	factor("goodput__1.05_of_capacity", 1.05);
	factor("goodput__1.2_of_capacity", 1.2);
	factor("goodput__1.4_of_capacity", 1.4);
	factor("goodput__2.0_of_capacity", 2);
	factor("goodput__4.5_of_capacity", 4.5);
	fifo_fails();
	step();
	trigger();
	typed();
	sources();
	return failures ? -EDOM : 0;
}
