/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns how a native test program registers its cases, checks, and reports in KTAP. */
#ifndef SLUICE_UNIT_KTAP_H
#define SLUICE_UNIT_KTAP_H

#include <stdarg.h>
#include <stdbool.h>

struct ktap_case {
	const char *name;
	void (*run)(void);
	struct ktap_case *next;
};

void ktap_register(struct ktap_case *c);
/* Say why and leave the running case; what it holds is left to the end of the program. */
void ktap_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void ktap_skip(const char *reason) __attribute__((noreturn));
void ktap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A case: named function__case, after the function under test and what is shown of it. */
#define TEST(title)								\
static void title(void);							\
__attribute__((constructor)) static void register_##title(void)		\
{										\
	static struct ktap_case c = { .name = #title, .run = title };		\
	ktap_register(&c);							\
}										\
static void title(void)

#define EXPECT(condition) do {							\
	if (!(condition))							\
		ktap_fail(__FILE__, __LINE__, "not true: %s", #condition);	\
} while (0)

#define EXPECT_OP(a, op, b) do {						\
	long long a_ = (long long)(a), b_ = (long long)(b);			\
	if (!(a_ op b_))							\
		ktap_fail(__FILE__, __LINE__, "%s is %lld, not " #op " %lld",	\
			  #a, a_, b_);						\
} while (0)
#define EXPECT_EQ(a, b) EXPECT_OP(a, ==, b)
#define EXPECT_NE(a, b) EXPECT_OP(a, !=, b)
#define EXPECT_LE(a, b) EXPECT_OP(a, <=, b)
#define EXPECT_GE(a, b) EXPECT_OP(a, >=, b)

#endif /* SLUICE_UNIT_KTAP_H */
