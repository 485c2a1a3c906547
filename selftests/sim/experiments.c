// SPDX-License-Identifier: GPL-2.0-only
/* Owns the experiments: each prints a table and writes what is plotted. */
#include <stdio.h>

#include "experiments.h"

#define US(ns) ((ns) / 1e3)
#define MS(ns) ((ns) / 1e6)

static FILE *data(const char *dir, const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.tsv", dir, name);
	f = fopen(path, "w");
	if (!f)
		perror(path);
	return f;
}

static void timeline(FILE *f, const struct sim_conf *c, const struct sim_result *r)
{
	double per_second = 1e9 / c->bin_ns * SCALE / 1e6;
	u32 i;

	fprintf(f, "# ms\toffered M/s\tanswered\twithin the objective\trefused\tlost\tp99 "
		   "us\twaiting\n");
	for (i = 0; i + 1 < r->nbins; i++) {
		const struct sim_bin *b = &r->bin[i];

		fprintf(f, "%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f\t%llu\n", MS(i * c->bin_ns),
			b->offered * per_second, b->answered * per_second, b->good * per_second,
			b->refused * per_second, b->lost * per_second, US(b->p99),
			(unsigned long long)b->waiting * SCALE);
	}
}

static int run(const struct sim_conf *c, struct sim_result *r, const char *dir, const char *name)
{
	int err = sim_run(c, r);
	FILE *f;

	if (err || !name)
		return err;
	f = data(dir, name);
	if (!f)
		return -EIO;
	timeline(f, c, r);
	return fclose(f) ? -EIO : 0;
}

static const char *const control_name[] = {"unbounded FIFO", "Sluice"};

/* Share of what was lost or refused in a stretch of the timeline, in percent. */
static double share(const struct sim_conf *c, const struct sim_result *r, u64 from, u64 until,
		    bool lost)
{
	u64 some = 0, all = 0;
	u32 b;

	for (b = from / c->bin_ns; b < until / c->bin_ns; b++) {
		some += lost ? r->bin[b].lost : r->bin[b].refused;
		all += r->bin[b].offered;
	}
	return 100.0 * some / all;
}

/* 10 M/s, then 45 M/s; clients wait for a second, and try twice more. */
int experiment_incident(const char *dir)
{
	static struct sim_result r;
	struct sim_conf c;
	int i, err;

	printf("The incident: 10 M requests/s, from 0.5 s on 45 M/s, capacity 31.5 M/s; clients "
	       "wait 1 s and "
	       "retry twice\n(simulated: 2 of 16 workers and 1/8 of the requests)\n\n"
	       "| server | lost, before retries | with retries | refused, before retries | with "
	       "retries | p50 | p99 | within 100 us, of capacity |\n"
	       "|---|---|---|---|---|---|---|---|\n");
	for (i = 0; i < 2; i++) {
		conf_incident(&c, i ? SIM_SLUICE : SIM_FIFO);
		c.phase[0] = (struct sim_phase){SIM_S / 2, INCIDENT_NORMAL};
		c.phase[1] = (struct sim_phase){7 * SIM_S / 2, INCIDENT_FLOOD};
		/* by then the queue that nobody bounds is as long as memory allows */
		c.measure_from = 1600 * SIM_MS;
		c.retries = 2;
		c.timeout_ns = SIM_S;
		c.backoff_ns = 100 * SIM_MS;
		c.bin_ns = 20 * SIM_MS;
		err = run(&c, &r, dir, i ? "incident-sluice" : "incident-fifo");
		if (err)
			return err;
		printf("| %s | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.3f ms | %.3f ms | %.3f "
		       "|\n",
		       control_name[i], share(&c, &r, 1600 * SIM_MS, 2500 * SIM_MS, true),
		       share(&c, &r, 2600 * SIM_MS, 3400 * SIM_MS, true),
		       share(&c, &r, 500 * SIM_MS, 560 * SIM_MS, false),
		       share(&c, &r, 2600 * SIM_MS, 3400 * SIM_MS, false),
		       MS(sim_quantile(&r.all, 500000)), MS(sim_quantile(&r.all, 990000)),
		       r.good / r.seconds / r.capacity);
		free(r.bin);
	}
	return 0;
}

int experiment_factors(const char *dir)
{
	static const double factor[] = {0.95, 1.05, 1.2, 1.4, 2.0, 4.5};
	static struct sim_result r, fifo;
	FILE *f = data(dir, "factors");
	struct sim_conf c;
	int err = 0;
	u32 i;

	if (!f)
		return -EIO;
	printf("\nGoodput: answered within the objective of 100 us, as a share of capacity, over "
	       "one second from the "
	       "first request on\n\n| offered / capacity | Sluice: goodput | refused | p50 us | "
	       "p99 us | p99.9 us "
	       "| window us | unbounded FIFO: goodput | p99 us "
	       "|\n|---|---|---|---|---|---|---|---|---|\n");
	for (i = 0; i < sizeof(factor) / sizeof(factor[0]) && !err; i++) {
		conf_factor(&c, SIM_FIFO, factor[i], 1000);
		err = sim_run(&c, &fifo);
		free(fifo.bin);
		if (err)
			break;
		conf_factor(&c, SIM_SLUICE, factor[i], 1000);
		err = sim_run(&c, &r);
		free(r.bin);
		printf("| %.2f | %.3f | %.1f %% | %.1f | %.1f | %.1f | %.1f | %.3f | %.0f |\n",
		       factor[i], r.good / r.seconds / r.capacity, 100.0 * r.refused / r.offered,
		       US(sim_quantile(&r.all, 500000)), US(sim_quantile(&r.all, 990000)),
		       US(sim_quantile(&r.all, 999000)), US(r.window),
		       fifo.good / fifo.seconds / fifo.capacity,
		       US(sim_quantile(&fifo.all, 990000)));
		fprintf(f, "%.2f\t%.4f\t%.4f\t%.1f\t%.1f\n", factor[i],
			r.good / r.seconds / r.capacity, fifo.good / fifo.seconds / fifo.capacity,
			US(sim_quantile(&r.all, 990000)), US(sim_quantile(&fifo.all, 990000)));
	}
	return fclose(f) ? -EIO : err;
}

/* From 0.8 to 1.4 times capacity at once. */
int experiment_step(const char *dir)
{
	static struct sim_result r;
	struct sim_conf c;
	u64 back;
	int err;

	conf_factor(&c, SIM_SLUICE, 0.8, 100);
	c.phase[1] = (struct sim_phase){400 * SIM_MS, 1.4 * sim_capacity(&c)};
	c.bin_ns = SIM_MS / 2;
	err = run(&c, &r, dir, "step");
	if (err)
		return err;
	back = recovery(&r, c.bin_ns, c.phase[0].until);
	free(r.bin);
	printf("\nStep from 0.8 to 1.4 times capacity: goodput is 0.95 of capacity or more again "
	       "after %.1f ms\n",
	       back == U64_MAX ? -1.0 : MS(back));
	return 0;
}

/* 0.9 times capacity; for two seconds 1.5 times; then 0.9 again, with clients that retry. */
int experiment_trigger(const char *dir)
{
	static struct sim_result r;
	struct sim_conf c;
	double after;
	int i, err;
	u32 b, n;

	printf("\nA trigger of two seconds: 0.9 times capacity, from 0.5 to 2.5 s 1.5 times, then "
	       "0.9 again; clients wait "
	       "100 ms and retry up to 8 times\n\n| server | answered while the client waits, "
	       "first tries = 1, in the "
	       "last second |\n|---|---|\n");
	for (i = 0; i < 2; i++) {
		conf_incident(&c, i ? SIM_SLUICE : SIM_FIFO);
		c.phase[0] = (struct sim_phase){SIM_S / 2, 0.9 * sim_capacity(&c)};
		c.phase[1] = (struct sim_phase){5 * SIM_S / 2, 1.5 * sim_capacity(&c)};
		c.phase[2] = (struct sim_phase){5 * SIM_S, 0.9 * sim_capacity(&c)};
		c.retries = 8;
		c.timeout_ns = 100 * SIM_MS;
		c.backoff_ns = 10 * SIM_MS;
		c.bin_ns = 20 * SIM_MS;
		err = run(&c, &r, dir, i ? "trigger-sluice" : "trigger-fifo");
		if (err)
			return err;
		after = 0;
		for (n = 0, b = 4 * SIM_S / c.bin_ns; b + 1 < r.nbins; b++, n++)
			after += (double)r.bin[b].useful / r.bin[b].first;
		printf("| %s | %.3f |\n", control_name[i], after / n);
		free(r.bin);
	}
	return 0;
}

static int classes_row(FILE *f, const struct mix *m, double load)
{
	static struct sim_result r;
	u64 got, ideal;
	struct sim_conf c;
	int s, err;

	printf("| %.2f |", load);
	fprintf(f, "%.2f", load);
	for (s = SIM_RR; s <= SIM_TYPED; s++) {
		conf_mix(&c, m, s, load, m->seconds);
		err = sim_run(&c, &r);
		free(r.bin);
		if (err)
			return err;
		got = sim_quantile(&r.latency[0], 990000);
		ideal = ideal_p99(s, c.class, c.workers, load, m->seconds * c.phase[0].rate, 0,
				  c.seed);
		printf(" %.2f | %.2f | %.2f |", US(got), US(ideal), (double)got / ideal);
		fprintf(f, "\t%.3f\t%.3f", US(got), US(ideal));
		if (r.refused)
			printf(" (%llu refused)", (unsigned long long)r.refused);
	}
	printf("\n");
	fprintf(f, "\n");
	return 0;
}

int experiment_classes(const char *dir)
{
	static const double load[] = {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
	int err = 0;
	FILE *f;
	u32 m, i;

	printf("\np99 of short requests in us, on 6 workers: with the module's core, of the ideal "
	       "model, and their ratio\n");
	for (m = 0; m < nmixes && !err; m++) {
		f = data(dir, mixes[m].name);
		if (!f)
			return -EIO;
		printf("\n%s\n\n| load | rr | ideal | ratio | least | ideal | ratio | fifo | ideal "
		       "| ratio | typed | "
		       "ideal | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
		       mixes[m].title);
		for (i = 0; i < sizeof(load) / sizeof(load[0]) && !err; i++)
			err = classes_row(f, &mixes[m], load[i]);
		if (fclose(f))
			err = -EIO;
	}
	return err;
}

/* What docs/cost.md says of the cores that serve 45 M/s: with more all is answered, with fewer the difference is refused. */
int experiment_paper(const char *dir)
{
	/* instructions of the serving half, 6.1, and what a core is taken to execute */
	static const struct {
		const char *name;
		double instructions;
	} way[] = {{"UDP echo, socket hook", 3572}, {"UDP echo, XDP", 1310}, {"GET over UDP", 4572}};
	const double per_ns = 4.5;
	static struct sim_result r;
	struct sim_conf c;
	u32 i, more;
	int err;

	printf("\n45 M requests/s on so many cores that serve; each request keeps one busy for its "
	       "instructions at %.1f a ns (exponential)\n(simulated: 1/8 of cores and requests)\n\n"
	       "| | ns | cores on paper | cores simulated | load | refused | of it on paper | lost | p50 "
	       "us | p99 us |\n|---|---|---|---|---|---|---|---|---|---|\n",
	       per_ns);
	for (i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		double ns = way[i].instructions / per_ns, paper = INCIDENT_FLOOD * ns / 1e9;

		for (more = 0; more < 2; more++) {
			conf_incident(&c, SIM_SLUICE);
			c.class[0].service = ns;
			c.workers = (u32)paper + more;
			c.phase[0] = (struct sim_phase){SIM_S, INCIDENT_FLOOD};
			err = sim_run(&c, &r);
			free(r.bin);
			if (err)
				return err;
			printf("| %s | %.0f | %.1f | %u | %.2f | %.1f %% | %.1f %% | %.1f %% | %.1f | "
			       "%.1f |\n",
			       way[i].name, ns, paper * SCALE, c.workers * SCALE, paper / c.workers,
			       100.0 * r.refused / r.offered,
			       paper > c.workers ? 100 - 100.0 * c.workers / paper : 0.0,
			       100.0 * r.lost / r.offered, US(sim_quantile(&r.all, 500000)),
			       US(sim_quantile(&r.all, 990000)));
		}
	}
	return 0;
}
