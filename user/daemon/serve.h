/* SPDX-License-Identifier: GPL-2.0-only */
/* The worker's thread. */
#ifndef SLUICED_SERVE_H
#define SLUICED_SERVE_H

#include "worker.h"

void *serve_main(void *worker);

#endif /* SLUICED_SERVE_H */
