/* SPDX-License-Identifier: GPL-2.0-only */
/* What framers need to keep a length within bounds that the verifier believes. */
#ifndef SLUICE_BPF_BOUNDED_H
#define SLUICE_BPF_BOUNDED_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* @n, which is not 0, or @max, a power of two; said so that the verifier of 6.1 sees it. */
static __always_inline __u32 bounded(__u32 n, __u32 max)
{
	if (n > max)
		n = max;
	n--;
	barrier_var(n);
	return (n & (max - 1)) + 1;
}

#endif /* SLUICE_BPF_BOUNDED_H */
