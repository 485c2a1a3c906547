// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer in the machine: programs of netlink messages, ioctls, mappings, stores and traffic (ops.h), changed at random, and
 * kept if they reach code of the module that no other one has reached, by KCOV. Without arguments it is a test: all kept
 * inputs run again, and the ledger closes while what each of them made is still there.
 *
 * usage: kfuzz				replay data/
 *	  kfuzz -f SECONDS SEED NEW	change those of data/; what reaches more goes to the directory NEW
 *	  kfuzz -m FROM NEW		of data/ and FROM, put in NEW as few as reach all that they all reach
 */
#include <dirent.h>
#include <linux/kcov.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "ops.h"

#define INPUT_MAX  600
#define INPUTS_MAX 20000
#define TRACE	   (1 << 16)	/* words of a KCOV buffer: program counters of one input, the first is their number */
#define REACHED	   (1 << 18)	/* pairs of program counters, hashed */
#define TELLS	   32		/* a replay tells how far it is, for the guest may die */
#define CHECKS	   8		/* a replay asks for the ledger after each such number of inputs, for asking is slow */

struct kept {
	uint8_t *data;
	size_t len;
	char name[64];
};

static struct kept corpus[INPUTS_MAX];
static unsigned int kept;
static uint64_t *trace;
static int kcov = -1;
static uint8_t reached[REACHED];
static uint64_t state;

/* splitmix64 */
static uint32_t any(uint32_t below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return below ? (z ^ (z >> 31)) % below : 0;
}

static void keep(const uint8_t *data, size_t len, const char *name)
{
	struct kept *k = &corpus[kept];

	if (kept == INPUTS_MAX)
		return;
	k->data = malloc(len + 1);
	if (!k->data)
		return;
	memcpy(k->data, data, len);
	k->len = len;
	snprintf(k->name, sizeof(k->name), "%s", name);
	kept++;
}

static int by_length(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return x->len != y->len ? (x->len > y->len) - (x->len < y->len) : strcmp(x->name, y->name);
}

static void read_corpus(const char *path)
{
	struct dirent *e;
	uint8_t data[INPUT_MAX];
	char file[512];
	DIR *d = opendir(path);
	ssize_t n;
	int fd;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		n = read(fd, data, sizeof(data));
		if (n > 0)
			keep(data, n, e->d_name);
		close(fd);
	}
	if (d)
		closedir(d);
	qsort(corpus, kept, sizeof(corpus[0]), by_length);
}

static void write_file(const char *file, const uint8_t *data, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		perror(file);
	close(fd);
}

/* An input is named by what it says, so that the same one is kept once. */
static void write_input(const char *dir, const uint8_t *data, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;
	char file[512];
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ data[i]) * 0x100000001b3;
	snprintf(file, sizeof(file), "%s/%016llx", dir, (unsigned long long)h);
	write_file(file, data, len);
}

static int kcov_open(void)
{
	kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov < 0 || ioctl(kcov, KCOV_INIT_TRACE, TRACE))
		return -1;
	trace = mmap(NULL, TRACE * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED, kcov, 0);
	return trace == MAP_FAILED ? -1 : 0;
}

/* Run an input from a clean start to a clean end. Return: pairs of program counters that none before it has reached. */
static unsigned int run_counted(const uint8_t *data, size_t len)
{
	unsigned int more = 0, h;
	uint64_t n, i, last = 0;

	if (ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC)) {
		perror("KCOV_ENABLE");
		exit(1);
	}
	__atomic_store_n(trace, 0, __ATOMIC_RELAXED);
	run_input(data, len);
	reset();
	n = __atomic_load_n(trace, __ATOMIC_RELAXED);
	ioctl(kcov, KCOV_DISABLE, 0);
	for (i = 1; i <= n && i < TRACE; i++) {
		h = ((trace[i] ^ last << 7) * 0x9e3779b97f4a7c15) >> (64 - 18);
		more += !reached[h];
		reached[h] = 1;
		last = trace[i];
	}
	return more;
}

/* ---- changing an input ---- */

static size_t change(uint8_t *data, size_t len)
{
	const struct kept *other;
	size_t at = any(len + 1), n = 1 + any(8), from;

	switch (any(8)) {
	case 0:
		if (len)
			data[any(len)] ^= 1 << any(8);
		return len;
	case 1:
		if (len)
			data[any(len)] = any(256);
		return len;
	case 2:
		if (len)
			data[any(len)] += any(2) ? 1 : -1;
		return len;
	case 3: /* bytes come in */
		n = n < INPUT_MAX - len ? n : INPUT_MAX - len;
		memmove(data + at + n, data + at, len - at);
		for (from = 0; from < n; from++)
			data[at + from] = any(256);
		return len + n;
	case 4: /* bytes go */
		n = n < len - at ? n : len - at;
		memmove(data + at, data + at + n, len - at - n);
		return len - n;
	case 5: /* a part of this one again */
		if (!len)
			return len;
		from = any(len);
		n = 1 + any(40);
		n = n < len - from ? n : len - from;
		n = n < INPUT_MAX - len ? n : INPUT_MAX - len;
		memmove(data + at + n, data + at, len - at);
		if (at <= from)
			from += n;
		memmove(data + at, data + from, n < len + n - from ? n : len + n - from);
		return len + n;
	default: /* a part of another one */
		other = &corpus[any(kept)];
		if (!kept || !other->len)
			return len;
		from = any(other->len);
		n = 1 + any(any(2) ? 20 : INPUT_MAX);
		n = n < other->len - from ? n : other->len - from;
		n = n < INPUT_MAX - len ? n : INPUT_MAX - len;
		memmove(data + at + n, data + at, len - at);
		memcpy(data + at, other->data + from, n);
		return len + n;
	}
}

/* ---- what the command does ---- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* The kernel's log, from now on. */
static int log_open(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	lseek(kmsg, 0, SEEK_END);
	return kmsg;
}

/* Has the kernel reported something? Reads what is new of its log. */
static bool trouble(int kmsg)
{
	static const char *const signs[] = { "BUG", "WARNING:", "KASAN", "UBSAN", "Oops", "refcount_t", "leaked", "stall",
					     "general protection", "sleeping function", "hung_task" };
	char text[8192];
	unsigned int i;
	ssize_t n;

	while ((n = read(kmsg, text, sizeof(text) - 1)) > 0) {
		text[n] = 0;
		for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
			if (strstr(text, signs[i]))
				return true;
	}
	return false;
}

static int fuzz(double duration, const char *new)
{
	uint8_t data[2 * INPUT_MAX];
	double begun, said;
	unsigned int i, seeds, total = 0, runs = 0, round;
	char running[512]; /* stays if the kernel kills us, or has something to say */
	int kmsg = log_open();
	size_t len;

	snprintf(running, sizeof(running), "%s/running", new);
	for (i = 0; i < kept; i++)
		total += run_counted(corpus[i].data, corpus[i].len);
	seeds = kept;
	begun = said = seconds();
	printf("# %u inputs reach %u pairs\n", seeds, total);
	while (seconds() - begun < duration) {
		const struct kept *k = kept ? &corpus[any(2) ? any(kept) : kept - 1 - any(kept < 50 ? kept : 50)] : NULL;

		len = k ? k->len : 0;
		if (k)
			memcpy(data, k->data, len);
		for (round = 1 << any(5); round; round--)
			len = change(data, len);
		write_file(running, data, len);
		i = run_counted(data, len);
		runs++;
		if (i) {
			total += i;
			keep(data, len, "new");
			write_input(new, data, len);
		}
		if (trouble(kmsg)) {
			printf("# the kernel has something to say after run %u\n", runs);
			return 1;
		}
		if (seconds() - said > 30) {
			said = seconds();
			printf("# %.0f s: %u runs, %u inputs, %u pairs\n", said - begun, runs, kept, total);
			fflush(stdout);
		}
	}
	unlink(running);
	printf("# %u runs, %u new inputs, %u pairs\n", runs, kept - seeds, total);
	return 0;
}

/* The longest first: they reach the most, so that few are left. */
static int minimise(const char *new)
{
	unsigned int i, n = 0;

	for (i = kept; i--;) {
		if (run_counted(corpus[i].data, corpus[i].len)) {
			write_input(new, corpus[i].data, corpus[i].len);
			n++;
		}
	}
	printf("# %u of %u inputs are enough\n", n, kept);
	return 0;
}

/* Grace periods are what most of the time goes to. */
static void expedite(bool on)
{
	FILE *f = fopen("/sys/kernel/rcu_expedited", "we");

	if (f) {
		fputs(on ? "1" : "0", f);
		fclose(f);
	}
}

static int replay(void)
{
	unsigned int i, open_books = 0;
	int kmsg = log_open();

	printf("TAP version 13\n1..2\n");
	expedite(true);
	for (i = 0; i < kept; i++) {
		if (i % TELLS == 0)
			printf("# from %s on\n", corpus[i].name);
		run_input(corpus[i].data, corpus[i].len);
		if (i % CHECKS == 0 && system("sluice check -q")) {
			printf("# the ledger does not close after %s\n", corpus[i].name);
			open_books++;
		}
		reset();
		if (trouble(kmsg))
			printf("# the kernel has something to say after %s\n", corpus[i].name);
	}
	expedite(false);
	printf("%sok 1 %u kept inputs run again\n", kept ? "" : "not ", kept);
	printf("%sok 2 the ledger closes after them\n", open_books ? "not " : "");
	return !kept || open_books;
}

/* A network namespace of its own, whose loopback device is up. */
static int isolate(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd, err;

	if (unshare(CLONE_NEWNET))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ops_init();
	if (isolate() || netlink_open()) {
		perror("kfuzz");
		return 1;
	}
	read_corpus("data");
	if (argc == 1)
		return replay();
	expedite(true);
	if (kcov_open()) {
		perror("KCOV");
		return 1;
	}
	if (argc == 5 && !strcmp(argv[1], "-f")) {
		state = strtoull(argv[3], NULL, 10);
		return fuzz(strtod(argv[2], NULL), argv[4]);
	}
	if (argc == 4 && !strcmp(argv[1], "-m")) {
		read_corpus(argv[2]);
		return minimise(argv[3]);
	}
	fprintf(stderr, "usage: kfuzz | kfuzz -f SECONDS SEED NEW | kfuzz -m FROM NEW\n");
	return 2;
}
