/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * What BPF programs share with the module: the kfuncs for XDP programs and their arguments. Names
 * and meaning of what stands here do not change; structures grow at their end only, and say their
 * size.
 */
#ifndef _UAPI_LINUX_SLUICE_BPF_H
#define _UAPI_LINUX_SLUICE_BPF_H

#include <linux/types.h>

/* X(PASS, name, description): why a frame was left to the stack; new ones go at the end. */
#define SLUICE_XDP_PASSES(X)									\
	X(OTHER, "other", "no UDP over IP, or no XDP listener has its address and port")	\
	X(FRAGMENT, "fragment", "a fragment")							\
	X(OPTIONS, "options", "IP options, IPv6 extension headers or several VLAN tags")	\
	X(MALFORMED, "malformed", "lengths that contradict each other, or a bad IP checksum")	\
	X(CHECKSUM, "checksum", "a bad UDP checksum, or none over IPv6")			\
	X(HOST, "host", "not sent to this host alone, or by an impossible sender")		\
	X(REQUEST, "request",									\
	  "a request that a rule, or a group without consumer, passes: see the ledger")

enum sluice_xdp_pass {
#define SLUICE_X_PASS(p, name, text) SLUICE_XDP_PASS_##p,
	SLUICE_XDP_PASSES(SLUICE_X_PASS)
#undef SLUICE_X_PASS
	__SLUICE_XDP_PASS_MAX
};

/*
 * What a classifier returns: a BPF program of type socket filter, set on a UDP listener, that looks
 * at each message in front of the rules. The context's data begin at the message.
 */
/* number of the rule that applies; 0: the rules decide */
#define SLUICE_VERDICT_RULE	0x00ffffffU
/* 0: the rule's own priority; 1 + priority else */
#define SLUICE_VERDICT_PRIO	0x07000000U
#define SLUICE_VERDICT_KEY	0x08000000U	/* cb[0] is the hash of the steering key */
#define SLUICE_VERDICT_ALL	0x0fffffffU	/* a verdict with another bit is impossible */

/* Second argument of sluice_xdp_request(). */
struct sluice_xdp_opts {
	__u32 flags;	/* in: 0; unknown ones are refused */
	__u32 passed;	/* out: 1 + enum sluice_xdp_pass; 0: the frame was taken */
};

/*
 * For XDP programs:
 *
 *	int sluice_xdp_request(struct xdp_md *ctx, struct sluice_xdp_opts *opts,
 *			       __u32 opts__sz) __ksym;
 *
 * Offers a frame to the XDP listeners of the device it came in by. Returns XDP_DROP if it was a
 * request: the module has a copy, and the driver may use the frame again at once. Returns XDP_PASS
 * if it is not for any listener or shall go to the stack, with the reason in @opts; XDP_ABORTED if
 * @opts, or the context it is called in, is impossible. The frame itself is never changed.
 */

#endif /* _UAPI_LINUX_SLUICE_BPF_H */
