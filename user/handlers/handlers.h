/* SPDX-License-Identifier: GPL-2.0-only */
/* The built-in handlers. */
#ifndef SLUICE_HANDLERS_H
#define SLUICE_HANDLERS_H

#include <sluice/handler.h>

extern const struct sluice_handler handler_echo;
extern const struct sluice_handler handler_kv;

#endif /* SLUICE_HANDLERS_H */
