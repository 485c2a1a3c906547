/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what the fuzzers share: a claim that must hold, and a fuzzer's bytes taken as choices. */
#ifndef SLUICE_FUZZ_H
#define SLUICE_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/rulegen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(claim) do {								\
	if (!(claim)) {									\
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);	\
		abort();								\
	}										\
} while (0)

/* A copy in memory of just its size: the sanitizer sees a read behind it. */
static inline uint8_t *exact_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	MUST(copy);
	memcpy(copy, data, size);
	return copy;
}

#endif /* SLUICE_FUZZ_H */
