// SPDX-License-Identifier: GPL-2.0-only
/* What a run came to: sums over workers, the verdict, text and JSON, the progress line. */
#include <stdio.h>

#include "load/load.h"

#define VOID_SHARE	100	/* one in this many late or lost by ourselves makes the run void */

static const struct {
	const char *name;
	const char *json;
	u32 per_million;
} quantiles[] = {
	{ "p50", "p50", 500000 },
	{ "p90", "p90", 900000 },
	{ "p99", "p99", 990000 },
	{ "p99.9", "p99_9", 999000 },
};

#define NQUANTILES	(sizeof(quantiles) / sizeof(quantiles[0]))

/* X(name, what it is a share of, text) */
#define COUNTERS(X)		\
	X(offered, c->offered, "requests that were due")				\
	X(sent, c->offered, "handed to the kernel")					\
	X(answered, c->offered, "replies in time and with the right content")		\
	X(in_time, c->offered, "among the answered: within --objective")			\
	X(refused, c->offered, "replies that refuse")					\
	X(wrong, c->offered, "replies with wrong content")				\
	X(lost, c->offered, "no reply within the timeout")				\
	X(broken, c->offered, "their connection ended before the reply, or could not be made")	\
	X(unsent, c->offered, "could not be sent in time: own loss, but for the blocked")	\
	X(blocked, c->offered, "among the unsent: the server did not take them")	\
	X(dropped, c->offered, "own loss: replies dropped in our receive buffers, among the lost")	\
	X(late, c->offered, "sent later than --late after their time")			\
	X(late_replies, c->offered, "replies after the timeout")			\
	X(duplicates, c->offered, "second replies")					\
	X(strange, c->offered, "replies to nothing that was asked")			\
	X(hits, c->hits + c->misses, "keys found")					\
	X(misses, c->hits + c->misses, "keys not found")				\
	X(closed, opt->sockets, "connections that ended")				\
	X(unreachable, c->offered, "nobody listens there: ICMP errors, connections not made")

void counts_add(struct counts *sum, const struct counts *c)
{
	u32 i;

#define ADD(name, of, text)	sum->name += READ_ONCE(c->name);
	COUNTERS(ADD)
#undef ADD
	if (c->worst_late_ns > sum->worst_late_ns)
		sum->worst_late_ns = c->worst_late_ns;
	if (c->max_ns > sum->max_ns)
		sum->max_ns = c->max_ns;
	for (i = 0; i < SLUICE_HIST_BUCKETS; i++) {
		sum->latency[i] += c->latency[i];
		sum->refused_latency[i] += c->refused_latency[i];
	}
}

/* What is wrong with a run, in the order in which it is looked at. */
enum cause { CAUSE_NONE, CAUSE_LATE, CAUSE_OWN_LOSS, CAUSE_WRONG, CAUSE_SILENCE, CAUSE_LOSS, CAUSE_MISSES };

static const struct {
	int code;
	const char *verdict;
	const char *text;
} causes[] = {
	[CAUSE_NONE] = { EXIT_VALID, "valid", NULL },
	[CAUSE_LATE] = { EXIT_VOID, "void",
			 "the generator was late: lower --rate, give it more CPU, or --allow-late" },
	[CAUSE_OWN_LOSS] = { EXIT_VOID, "void", "the generator lost requests itself: lower --rate or give it more CPU" },
	[CAUSE_WRONG] = { EXIT_WRONG, "failed", "replies with wrong content" },
	[CAUSE_SILENCE] = { EXIT_WRONG, "failed", "no reply at all: is there a server?" },
	[CAUSE_LOSS] = { EXIT_WRONG, "failed", "more requests were lost, broken or unsent than --max-loss allows" },
	[CAUSE_MISSES] = { EXIT_WRONG, "failed", "more keys were missing than --max-miss allows" },
};

/* Of what lateness is a share. Over TCP what the socket did not take was tried, too. */
static u64 tried(const struct options *opt, const struct counts *c)
{
	return opt->tcp ? c->offered : c->sent;
}

static enum cause judge(const struct options *opt, const struct counts *c)
{
	if ((c->unsent - c->blocked + c->dropped) * VOID_SHARE > c->offered)
		return CAUSE_OWN_LOSS;
	if (!opt->allow_late && c->late * VOID_SHARE > tried(opt, c))
		return CAUSE_LATE;
	if (c->wrong)
		return CAUSE_WRONG;
	if (c->sent && !c->answered && !c->refused)
		return CAUSE_SILENCE;
	if ((double)(c->lost + c->broken + c->unsent) > opt->max_loss * (double)c->offered)
		return CAUSE_LOSS;
	if ((double)c->misses > opt->max_miss * (double)(c->hits + c->misses))
		return CAUSE_MISSES;
	return CAUSE_NONE;
}

static double share(u64 part, u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

/* The last value of a bucket can lie above the largest that was seen. */
static double quantile_us(const u64 *hist, u64 total, u32 per_million, u64 max)
{
	u64 ns = sluice_hist_quantile(hist, total, per_million);

	return (double)(max && ns > max ? max : ns) / 1000.0;
}

static void print_text(const struct options *opt, const struct counts *c, enum cause cause)
{
	double seconds = (double)opt->duration_ns / (double)NS_PER_S;
	u32 i;

#define ROW(name, of, text)								\
	if (c->name || !strcmp(#name, "offered") || !strcmp(#name, "sent") || !strcmp(#name, "answered") ||	\
	    !strcmp(#name, "refused") || !strcmp(#name, "lost") ||						\
	    (opt->objective_ns && !strcmp(#name, "in_time")))							\
		printf("%-12s %12llu  %6.2f%%  %s\n", #name, (unsigned long long)c->name,		\
		       share(c->name, of), text);
	COUNTERS(ROW)
#undef ROW
	printf("rate         %12.0f  offered/s  %.0f answered/s over %.3g s\n", (double)c->offered / seconds,
	       (double)c->answered / seconds, seconds);
	printf("latency us  ");
	for (i = 0; i < NQUANTILES; i++)
		printf(" %s %.1f ", quantiles[i].name,
		       quantile_us(c->latency, c->answered, quantiles[i].per_million, c->max_ns));
	printf(" max %.1f  from the scheduled time\n", (double)c->max_ns / 1000.0);
	if (c->refused)
		printf("refusal us   p50 %.1f  p99 %.1f\n", quantile_us(c->refused_latency, c->refused, 500000, 0),
		       quantile_us(c->refused_latency, c->refused, 990000, 0));
	printf("lateness     %.3f%% of sends over %llu us, worst %.1f us\n", share(c->late, tried(opt, c)),
	       (unsigned long long)(opt->late_ns / NS_PER_US), (double)c->worst_late_ns / 1000.0);
	printf("run          %s%s%s\n", causes[cause].verdict, causes[cause].text ? ": " : "",
	       causes[cause].text ? causes[cause].text : "");
}

static void print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void print_json(const struct options *opt, const struct counts *c, enum cause cause)
{
	double seconds = (double)opt->duration_ns / (double)NS_PER_S;
	u32 i;

	printf("{\"verdict\":\"%s\",\"why\":", causes[cause].verdict);
	print_json_string(causes[cause].text ? causes[cause].text : "");
	printf(",\"target\":");
	print_json_string(opt->target);
	printf(",\"transport\":\"%s\"", opt->transport->name);
	printf(",\"protocol\":\"%s\",\"rate\":%llu,\"duration_s\":%g,\"seed\":%llu", opt->proto->name,
	       (unsigned long long)opt->rate, seconds, (unsigned long long)opt->seed);
#define MEMBER(name, of, text)	printf(",\"" #name "\":%llu", (unsigned long long)c->name);
	COUNTERS(MEMBER)
#undef MEMBER
	printf(",\"offered_per_s\":%.1f,\"answered_per_s\":%.1f", (double)c->offered / seconds,
	       (double)c->answered / seconds);
	printf(",\"latency_us\":{");
	for (i = 0; i < NQUANTILES; i++)
		printf("\"%s\":%.3f,", quantiles[i].json,
		       quantile_us(c->latency, c->answered, quantiles[i].per_million, c->max_ns));
	printf("\"max\":%.3f},\"refused_us\":{\"p50\":%.3f,\"p99\":%.3f}", (double)c->max_ns / 1000.0,
	       quantile_us(c->refused_latency, c->refused, 500000, 0),
	       quantile_us(c->refused_latency, c->refused, 990000, 0));
	printf(",\"late_over_us\":%llu,\"late_percent\":%.4f,\"worst_late_us\":%.3f}\n",
	       (unsigned long long)(opt->late_ns / NS_PER_US), share(c->late, tried(opt, c)),
	       (double)c->worst_late_ns / 1000.0);
}

/* Print the result; returns the exit code. */
int report(const struct options *opt, const struct counts *sum)
{
	enum cause cause = judge(opt, sum);

	if (opt->json)
		print_json(opt, sum, cause);
	else
		print_text(opt, sum, cause);
	return causes[cause].code;
}

/* One line, overwritten in place; the last one is wiped. */
void progress(const struct options *opt, const struct worker *w, u64 elapsed_ns, bool end)
{
	u64 sent = 0, answered = 0, refused = 0, lost = 0, broken = 0;
	u32 i;

	if (end) {
		fputs("\r\033[K", stderr);
		return;
	}
	for (i = 0; i < opt->threads; i++) {
		sent += READ_ONCE(w[i].counts.sent);
		answered += READ_ONCE(w[i].counts.answered);
		refused += READ_ONCE(w[i].counts.refused);
		lost += READ_ONCE(w[i].counts.lost);
		broken += READ_ONCE(w[i].counts.broken);
	}
	fprintf(stderr, "\r\033[K%5.1f s  sent %llu  answered %llu  refused %llu  lost %llu",
		(double)elapsed_ns / (double)NS_PER_S, (unsigned long long)sent, (unsigned long long)answered,
		(unsigned long long)refused, (unsigned long long)lost);
	if (broken)
		fprintf(stderr, "  broken %llu", (unsigned long long)broken);
	fflush(stderr);
}
