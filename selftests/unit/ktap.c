// SPDX-License-Identifier: GPL-2.0-only
/* Owns main() of the native test programs: runs the cases, or those named as arguments. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "ktap.h"

static struct ktap_case *first, **last = &first;
static jmp_buf leave;
static char why[512];

enum { PASSED, FAILED, SKIPPED };

void ktap_register(struct ktap_case *c)
{
	*last = c;
	last = &c->next;
}

void ktap_fail(const char *file, int line, const char *format, ...)
{
	int used = snprintf(why, sizeof(why), "%s:%d: ", file, line);
	va_list args;

	va_start(args, format);
	vsnprintf(why + used, sizeof(why) - used, format, args);
	va_end(args);
	longjmp(leave, FAILED);
}

void ktap_skip(const char *reason)
{
	snprintf(why, sizeof(why), "%s", reason);
	longjmp(leave, SKIPPED);
}

void ktap_note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static bool wanted(const struct ktap_case *c, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strstr(c->name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	static int number, failed;
	static struct ktap_case *c;
	int total = 0;

	for (c = first; c; c = c->next)
		total += wanted(c, argc, argv);
	printf("KTAP version 1\n1..%d\n", total);
	for (c = first; c; c = c->next) {
		if (!wanted(c, argc, argv))
			continue;
		number++;
		fflush(stdout);
		switch (setjmp(leave)) {
		case PASSED:
			c->run();
			printf("ok %d %s\n", number, c->name);
			break;
		case FAILED:
			printf("# %s\nnot ok %d %s\n", why, number, c->name);
			failed = 1;
			break;
		case SKIPPED:
			printf("ok %d %s # SKIP %s\n", number, c->name, why);
			break;
		}
	}
	return failed;
}
