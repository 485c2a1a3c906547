/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what each way to hand requests over has to offer to the bench of the core. */
#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include "../../../kmod/core/port.h"

#define WINDOW 256	/* requests in flight at the most; rings have as many entries */
#define SIZE_MAX_REQ 64
#define LINE 64

/**
 * struct way - hands requests of a fixed size to a consumer and replies of the same size back
 * @name: in the results
 * @init: empty, for requests of @size bytes
 * @send: first thread: hand over up to @n requests, each read from @wire; the number handed over
 * @collect: first thread: take up to @n replies, each copied to @wire; the number taken
 * @serve: second thread: take up to @n requests, turn each by turn() and give it back; the number served
 * @lines: cache lines that change hands per request there and back, at a batch of @batch
 *
 * Every one copies the bytes in from the wire and the reply out to it, checks no more and no less than it does in life,
 * and keeps the order.
 */
struct way {
	const char *name;
	void (*init)(u32 size);
	u32 (*send)(const u8 *wire, u32 n);
	u32 (*collect)(u8 *wire, u32 n);
	u32 (*serve)(u32 n);
	double (*lines)(u32 size, u32 batch);
};

extern const struct way way_sluice, way_sluice_bare, way_rte, way_ck, way_bpf;

/* What a consumer does with a request: check its number, answer with its complement. Dies if it is not the next. */
void turn(u8 *bytes);
void *lines_alloc(size_t bytes);

#endif
