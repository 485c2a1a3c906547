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
 * What a program says of a message, in front of the listener's rules: a classifier, that is a BPF
 * program of type socket filter set on a UDP or TCP listener, by its return value (its context's
 * data begin at the message), an XDP program by sluice_xdp_opts.verdict. Group, class and deadline
 * are those of the rule that it names.
 */
/* number of the rule that applies; 0: the rules decide */
#define SLUICE_VERDICT_RULE	0x00ffffffU
/* 0: the rule's own priority; 1 + priority else */
#define SLUICE_VERDICT_PRIO	0x07000000U
#define SLUICE_VERDICT_AT_PRIO(prio) ((__u32)((prio) + 1) << 24)
/* the hash of the steering key is given: by a classifier in cb[0], else in sluice_xdp_opts.key */
#define SLUICE_VERDICT_KEY	0x08000000U
#define SLUICE_VERDICT_ALL	0x0fffffffU	/* a verdict with another bit is impossible */

/*
 * A framer, that is a BPF program of type socket filter set on a TCP listener, says where the
 * messages of a stream end. It is run when bytes of a message have come that it has not seen, until
 * it tells the length. Of its context:
 *
 *	cb[0]	how many of the message's first bytes it is done with: its data begin behind
 *		them. 0 for a new message; what it leaves there counts if it returns 0. More than
 *		have come: it is run when bytes behind them are there.
 *	cb[1]..cb[4]	its own: 0 for a new message, then what it left there
 *	mark	the longest message that the listener takes
 *	len	bytes to look at, at least one. Up to SLUICE_FRAMER_FIRST; if that does not do,
 *		more of what is there, up to SLUICE_FRAMER_WINDOW.
 *
 * It looks at all that it is shown: with the same bytes it is not run again. It returns the length
 * of the message, counted from its first byte, as early as it can tell; 0 if it takes more bytes to
 * tell; -EMSGSIZE if the message is too long; another negative number if no message begins like
 * this. The connection then ends, counted as "oversize" or "broken", as it does if the length or
 * cb[0] is more than mark, or less than what the program was done with, or if it is not done with
 * half of a whole window while more is there. Bytes that it is not done with are shown again with
 * those that follow: a run costs what a window costs at the most.
 */
#define SLUICE_FRAMER_FIRST	256
#define SLUICE_FRAMER_WINDOW	16384

/* Second argument of sluice_xdp_request(). */
struct sluice_xdp_opts {
	__u32 flags;	/* in: 0; unknown ones are refused */
	__u32 passed;	/* out: 1 + enum sluice_xdp_pass; 0: the frame was taken */
	__u32 verdict;	/* in: SLUICE_VERDICT_*; 0: the rules decide */
	__u32 key;	/* in: hash of the steering key, with SLUICE_VERDICT_KEY */
};

#define SLUICE_XDP_OPTS_MIN 8	/* flags and passed: the smallest size that is taken */

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
