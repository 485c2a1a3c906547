// SPDX-License-Identifier: GPL-2.0-only
/* Reads numbers, sizes and times in configurations, and writes what is wrong with them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "option.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

static bool read_with_unit(const char *text, const struct unit *units, uint64_t *value)
{
	uint64_t v = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
			return false;
	if (p == text)
		return false;
	for (; units->suffix; units++) {
		if (strcmp(p, units->suffix))
			continue;
		return !__builtin_mul_overflow(v, units->factor, value);
	}
	return false;
}

bool parse_number(const char *text, uint64_t *value)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };

	return read_with_unit(text, units, value);
}

bool parse_size(const char *text, uint64_t *value)
{
	static const struct unit units[] = {
		{ "", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 },
	};

	return read_with_unit(text, units, value);
}

bool parse_time(const char *text, uint64_t *ns)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "min", 60000000000ULL },
		{ NULL, 0 },
	};

	if (!strcmp(text, "0")) {
		*ns = 0;
		return true;
	}
	return read_with_unit(text, units, ns);
}

int option_error(struct sluice_handler_error *err, const struct sluice_handler_option *o, const char *format, ...)
{
	va_list ap;

	snprintf(err->where, sizeof(err->where), "%s", o ? o->where : "");
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return -EINVAL;
}

int option_size(const struct sluice_handler_option *o, uint64_t min, uint64_t max, uint64_t *value,
		struct sluice_handler_error *err)
{
	if (!parse_size(o->value, value))
		return option_error(err, o, "%s wants a size, such as 64M, not \"%s\"", o->name, o->value);
	if (*value < min || *value > max)
		return option_error(err, o, "%s must be %llu to %llu bytes", o->name, (unsigned long long)min,
				    (unsigned long long)max);
	return 0;
}
