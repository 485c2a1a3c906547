/* SPDX-License-Identifier: GPL-2.0-only */
/* Values of handler options, and the errors about them; the daemon's own configuration uses the same. */
#ifndef SLUICE_HANDLERS_OPTION_H
#define SLUICE_HANDLERS_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/handler.h>

/* Number with an optional suffix k, M, G (powers of 1024). */
bool parse_size(const char *text, uint64_t *value);
/* Number with a suffix ns, us, ms, s or min; without one only 0. In ns. */
bool parse_time(const char *text, uint64_t *ns);
/* Plain decimal number. */
bool parse_number(const char *text, uint64_t *value);

/* Fill @err about @o, or about the group if @o is NULL; returns -EINVAL. */
int option_error(struct sluice_handler_error *err, const struct sluice_handler_option *o, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int option_size(const struct sluice_handler_option *o, uint64_t min, uint64_t max, uint64_t *value,
		struct sluice_handler_error *err);

#endif /* SLUICE_HANDLERS_OPTION_H */
