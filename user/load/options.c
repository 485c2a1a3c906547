// SPDX-License-Identifier: GPL-2.0-only
/* Options of sluice-load: one table, from which they are parsed, checked and explained. */
#include <getopt.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>

#include "load/load.h"

enum kind { KIND_FLAG, KIND_NUMBER, KIND_TIME, KIND_RATIO, KIND_STRING, KIND_CHOICE };

struct option_def {
	const char *name;
	char letter;		/* 0: none */
	enum kind kind;
	size_t at;		/* offset in struct options */
	u64 min, max;
	const char *arg;	/* KIND_CHOICE: the words, separated by | */
	const char *help;
};

#define AT(member)	offsetof(struct options, member)
#define MS		1000000ull

static const struct option_def table[] = {
	{ "target", 't', KIND_STRING, AT(target), 0, 0, "ADDR:PORT", "where to send; IPv6 as [ADDR]:PORT (required)" },
	{ "protocol", 'p', KIND_CHOICE, AT(proto_index), 0, 0, "raw|memcached|resp", "what to send (raw)" },
	{ "transport", 'x', KIND_CHOICE, AT(transport_index), 0, 0, "udp|tcp", "how to send it (udp; resp: tcp)" },
	{ "framing", 0, KIND_CHOICE, AT(framing), 0, 0, "length|line",
	  "raw over TCP: four bytes of length before a message, or a newline behind it (length)" },
	{ "rate", 'r', KIND_NUMBER, AT(rate), 1, 100000000, "N", "requests per second, all threads together (1000)" },
	{ "duration", 'd', KIND_TIME, AT(duration_ns), MS, 86400 * NS_PER_S, "TIME", "measured time (10s)" },
	{ "warmup", 'w', KIND_TIME, AT(warmup_ns), 0, 86400 * NS_PER_S, "TIME", "sent before it, not counted (1s)" },
	{ "timeout", 'T', KIND_TIME, AT(timeout_ns), MS, 60 * NS_PER_S, "TIME",
	  "a request without a reply for this long is lost (1s)" },
	{ "objective", 'O', KIND_TIME, AT(objective_ns), 1000, 60 * NS_PER_S, "TIME",
	  "count the replies that came within this time" },
	{ "arrival", 'a', KIND_CHOICE, AT(arrival), 0, 0, "poisson|constant", "gaps between requests (poisson)" },
	{ "connections", 'c', KIND_NUMBER, AT(sockets), 1, 65000, "N", "sockets, each with its own local port (16)" },
	{ "sockets", 0, KIND_NUMBER, AT(sockets), 1, 65000, "N", "the same as --connections" },
	{ "threads", 'n', KIND_NUMBER, AT(threads), 1, 1024, "N", "sending threads (1)" },
	{ "cpu", 0, KIND_STRING, AT(cpus), 0, 0, "LIST", "CPUs to pin the threads to, comma-separated, in turn" },
	{ "size", 's', KIND_NUMBER, AT(size), 1, DATAGRAM_MAX, "BYTES", "raw: bytes of a request (64)" },
	{ "prefix", 0, KIND_STRING, AT(prefix), 0, 0, "TEXT",
	  "raw: what requests begin with, before the id; \\r \\n \\t \\\\ \\xHH are understood" },
	{ "check", 0, KIND_CHOICE, AT(check), 0, 0, "echo|id",
	  "raw: the reply must equal the request, or only carry its id (echo)" },
	{ "refused", 0, KIND_STRING, AT(refused), 0, 0, "PREFIX",
	  "a reply that begins so refuses (memcached: SERVER_ERROR busy; resp: -BUSY)" },
	{ "keys", 'k', KIND_NUMBER, AT(keys), 1, 999999999, "N", "memcached, resp: number of keys (10000)" },
	{ "get-ratio", 'g', KIND_RATIO, AT(get_ratio), 0, 0, "R", "memcached, resp: share of gets, 0 to 1 (0.9)" },
	{ "value-size", 'v', KIND_NUMBER, AT(value_size), 0, DATAGRAM_MAX, "BYTES",
	  "memcached, resp: bytes of a value (64)" },
	{ "multi-get", 'm', KIND_NUMBER, AT(multi_get), 1, 100, "N", "memcached, resp: keys of a get (1)" },
	{ "no-preload", 0, KIND_FLAG, AT(preload_off), 0, 0, NULL,
	  "memcached, resp: do not set every key, and read it back, before the run" },
	{ "max-miss", 0, KIND_RATIO, AT(max_miss), 0, 0, "R",
	  "memcached, resp: share of keys that may be missing (0; 1 with --no-preload)" },
	{ "max-loss", 'L', KIND_RATIO, AT(max_loss), 0, 0, "R", "share of requests that may be lost, broken or unsent (0)" },
	{ "late", 'l', KIND_TIME, AT(late_ns), 1000, NS_PER_S, "TIME",
	  "a request sent this long after its time was sent late (1ms)" },
	{ "allow-late", 0, KIND_FLAG, AT(allow_late), 0, 0, NULL, "a run with over 1 % late sends is not void" },
	{ "seed", 'S', KIND_NUMBER, AT(seed), 0, U64_MAX, "N", "of arrivals and keys (1)" },
	{ "json", 'j', KIND_FLAG, AT(json), 0, 0, NULL, "print the result as one JSON object" },
	{ "help", 'h', KIND_FLAG, AT(help), 0, 0, NULL, "print this" },
	{ "version", 'V', KIND_FLAG, AT(version), 0, 0, NULL, "print the version" },
};

#define NTABLE	(sizeof(table) / sizeof(table[0]))

static void usage(FILE *to)
{
	char left[64];
	size_t i;

	fprintf(to, "usage: sluice-load --target ADDR:PORT [options]\n"
		"Sends requests over UDP or TCP at their scheduled times and measures from those times.\n\n");
	for (i = 0; i < NTABLE; i++) {
		const struct option_def *o = &table[i];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(to, "  %-32s %s\n", left, o->help);
	}
	fprintf(to, "\nTIME is a number with us, ms or s. Exit status: 0 a valid run; 1 it could not be made; 2 wrong\n"
		"options; 3 void: the generator was late or lost requests itself; 4 failed: wrong replies, none at all, or more\n"
		"requests lost, broken or unsent, or keys missing, than allowed.\n");
}

static int complain(const struct option_def *o, const char *text, const char *want)
{
	fprintf(stderr, "sluice-load: --%s: '%s' is not %s\n", o->name, text, want);
	return -1;
}

static int parse_number(const struct option_def *o, const char *text, u64 *out)
{
	char want[96];
	char *end;

	snprintf(want, sizeof(want), "a whole number from %llu to %llu", (unsigned long long)o->min,
		 (unsigned long long)o->max);
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || *out < o->min || *out > o->max)
		return complain(o, text, want);
	return 0;
}

static int parse_time(const struct option_def *o, const char *text, u64 *out)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	char want[128];
	double value;
	size_t i;
	char *end;

	value = strtod(text, &end);
	for (i = 0; end != text && *text != '-' && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		value *= units[i].ns;
		if (!(value >= (double)o->min && value <= (double)o->max))
			break;
		*out = (u64)value;
		return 0;
	}
	snprintf(want, sizeof(want), "a time such as 500us, 20ms or 1.5s, from %g s to %g s", (double)o->min / 1e9,
		 (double)o->max / 1e9);
	return complain(o, text, want);
}

static int parse_choice(const struct option_def *o, const char *text, u32 *out)
{
	const char *p = o->arg;
	size_t len = strlen(text);
	char want[96];
	u32 i;

	for (i = 0; p; i++) {
		size_t n = strcspn(p, "|");

		if (n == len && !memcmp(p, text, n)) {
			*out = i;
			return 0;
		}
		p = p[n] ? p + n + 1 : NULL;
	}
	snprintf(want, sizeof(want), "one of %s", o->arg);
	return complain(o, text, want);
}

static int set(struct options *opt, const struct option_def *o, const char *text)
{
	void *at = (char *)opt + o->at;
	char *end;

	switch (o->kind) {
	case KIND_FLAG:
		*(bool *)at = true;
		return 0;
	case KIND_STRING:
		*(const char **)at = text;
		return 0;
	case KIND_NUMBER:
		return parse_number(o, text, at);
	case KIND_TIME:
		return parse_time(o, text, at);
	case KIND_CHOICE:
		return parse_choice(o, text, at);
	case KIND_RATIO:
		*(double *)at = strtod(text, &end);
		if (end == text || *end || !(*(double *)at >= 0 && *(double *)at <= 1))
			return complain(o, text, "a share from 0 to 1, such as 0.9");
		return 0;
	}
	return -1;
}

/* ADDR:PORT or [ADDR]:PORT; a name is looked up. */
static int parse_target(struct options *opt)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV };
	const char *colon = opt->target ? strrchr(opt->target, ':') : NULL;
	struct addrinfo *found;
	char host[256];
	size_t n;
	int err;

	if (!opt->target) {
		fprintf(stderr, "sluice-load: no target: give --target ADDR:PORT (see --help)\n");
		return -1;
	}
	n = colon ? (size_t)(colon - opt->target) : 0;
	if (!n || n >= sizeof(host) || !colon[1] ||
	    (memchr(opt->target, ':', n) && (opt->target[0] != '[' || opt->target[n - 1] != ']'))) {
		fprintf(stderr, "sluice-load: --target: '%s' is not ADDR:PORT, such as 192.0.2.1:11211 or "
			"[2001:db8::1]:11211\n", opt->target);
		return -1;
	}
	if (opt->target[0] == '[')
		snprintf(host, sizeof(host), "%.*s", (int)n - 2, opt->target + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)n, opt->target);
	err = getaddrinfo(host, colon + 1, &hints, &found);
	if (err) {
		fprintf(stderr, "sluice-load: --target: %s: %s; give an address and a port number\n", opt->target,
			gai_strerror(err));
		return -1;
	}
	memcpy(&opt->addr, found->ai_addr, found->ai_addrlen);
	opt->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | ('A' <= c && c <= 'F' ? 0x20 : 0)) : NULL;

	return p ? (int)(p - digits) : -1;
}

static int parse_prefix(struct options *opt)
{
	static const char letters[] = "rnt\\0", bytes[] = "\r\n\t\\";
	const char *p;

	for (p = opt->prefix; p && *p; p++) {
		const char *l;
		u8 byte = (u8)*p;
		int high, low;

		if (*p == '\\') {
			p++;
			l = *p ? strchr(letters, *p) : NULL;
			if (l) {
				byte = (u8)bytes[l - letters];
			} else if (*p == 'x' && (high = hex(p[1])) >= 0 && (low = hex(p[2])) >= 0) {
				byte = (u8)(high << 4 | low);
				p += 2;
			} else {
				fprintf(stderr, "sluice-load: --prefix: unknown escape; use \\r \\n \\t \\0 \\\\ or "
					"\\xHH\n");
				return -1;
			}
		}
		if (opt->prefix_len == sizeof(opt->prefix_bytes)) {
			fprintf(stderr, "sluice-load: --prefix is longer than %zu bytes: shorten it\n",
				sizeof(opt->prefix_bytes));
			return -1;
		}
		opt->prefix_bytes[opt->prefix_len++] = byte;
	}
	return 0;
}

static int check_cpus(const char *list)
{
	const char *p;

	for (p = list; p; p = *p ? p + 1 : NULL) {
		size_t n = strspn(p, "0123456789");

		if (!n || n > 3 || (p[n] && p[n] != ',')) {
			fprintf(stderr, "sluice-load: --cpu: '%s' is not a list of CPU numbers such as 0,1\n", list);
			return -1;
		}
		p += n;
	}
	return 0;
}

static int check_transport(struct options *opt)
{
	if (opt->transport_index == TRANSPORT_UNSET)
		opt->transport_index = opt->proto->udp ? TRANSPORT_UDP : TRANSPORT_TCP;
	opt->tcp = opt->transport_index == TRANSPORT_TCP;
	opt->transport = opt->tcp ? &transport_tcp : &transport_udp;
	if (!opt->tcp && !opt->proto->udp) {
		fprintf(stderr, "sluice-load: --protocol %s is spoken over TCP alone: leave --transport away\n", opt->proto->name);
		return -1;
	}
	if (opt->framing != FRAMING_UNSET && opt->proto != &proto_raw) {
		fprintf(stderr, "sluice-load: --framing is for --protocol raw: %s has its own\n", opt->proto->name);
		return -1;
	}
	return 0;
}

static int finish(struct options *opt)
{
	char error[256];

	opt->proto = protos[opt->proto_index];
	if (!opt->refused)
		opt->refused = opt->proto == &proto_memcached ? "SERVER_ERROR busy" :
			       opt->proto == &proto_resp ? "-BUSY" : "";
	opt->refused_len = (u32)strlen(opt->refused);
	if (opt->max_miss < 0)
		opt->max_miss = opt->preload_off ? 1 : 0;
	opt->nonce = (u32)(now_ns() / 1000 % 1000000);
	if (check_transport(opt) || parse_target(opt) || parse_prefix(opt) || check_cpus(opt->cpus))
		return -1;
	if (opt->threads > opt->sockets) {
		fprintf(stderr, "sluice-load: --threads %llu is more than --connections %llu: each thread needs a socket of "
			"its own\n", (unsigned long long)opt->threads, (unsigned long long)opt->sockets);
		return -1;
	}
	if (!opt->proto->check_options(opt, error, sizeof(error))) {
		fprintf(stderr, "sluice-load: %s\n", error);
		return -1;
	}
	return 0;
}

static void defaults(struct options *opt)
{
	memset(opt, 0, sizeof(*opt));
	opt->rate = 1000;
	opt->duration_ns = 10 * NS_PER_S;
	opt->warmup_ns = NS_PER_S;
	opt->timeout_ns = NS_PER_S;
	opt->late_ns = MS;
	opt->sockets = 16;
	opt->threads = 1;
	opt->size = 64;
	opt->seed = 1;
	opt->keys = 10000;
	opt->value_size = 64;
	opt->multi_get = 1;
	opt->get_ratio = 0.9;
	opt->max_miss = -1;
	opt->transport_index = TRANSPORT_UNSET;
	opt->framing = FRAMING_UNSET;
}

int options_parse(struct options *opt, int argc, char **argv)
{
	struct option longs[NTABLE + 1] = { 0 };
	char shorts[2 * NTABLE + 1] = "";
	size_t i, n = 0;
	int c, index;

	defaults(opt);
	for (i = 0; i < NTABLE; i++) {
		longs[i].name = table[i].name;
		longs[i].has_arg = table[i].kind == KIND_FLAG ? no_argument : required_argument;
		longs[i].val = (unsigned char)table[i].letter;
		if (table[i].letter)
			shorts[n++] = table[i].letter;
		if (table[i].letter && table[i].kind != KIND_FLAG)
			shorts[n++] = ':';
	}
	for (;;) {
		index = -1;
		c = getopt_long(argc, argv, shorts, longs, &index);
		if (c == -1)
			break;
		for (i = 0; index < 0 && i < NTABLE; i++) {
			if (table[i].letter == c)
				index = (int)i;
		}
		if (c == '?' || index < 0) {
			fprintf(stderr, "sluice-load: see sluice-load --help\n");
			return -1;
		}
		if (set(opt, &table[index], optarg))
			return -1;
	}
	if (opt->help || opt->version) {
		if (opt->help)
			usage(stdout);
		else
			printf("sluice-load %s\n", SLUICE_VERSION);
		return 1;
	}
	if (optind < argc) {
		fprintf(stderr, "sluice-load: '%s' is not an option: options begin with --, see --help\n", argv[optind]);
		return -1;
	}
	return finish(opt);
}
