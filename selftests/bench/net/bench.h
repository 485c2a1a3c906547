/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns what the XDP program writes and the server fed by the BPF ring buffer reads. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

/* A request in the ring buffer; its bytes follow. */
struct record {
	__u32 len;
	__u32 saddr;
	__u16 sport;
	__u16 pad[3];
};

#endif
