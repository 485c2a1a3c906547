/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The ledger's vocabulary: every outcome a request can end in, as one table that kernel, library
 * and tools expand.
 */
#ifndef _UAPI_LINUX_SLUICE_OUTCOME_H
#define _UAPI_LINUX_SLUICE_OUTCOME_H

/*
 * Every request that a listener receives ends in exactly one of these. The identity that `sluice
 * check` proves, for each listener, rule, group, class and ring, is
 *
 *	received = answered + done + rejected + dropped + passed + cancelled + expired + in flight
 *
 * For rings one more way out exists: a request may be moved to another ring (requeued after a
 * crash), which is counted as `moved` on the ring it left and as received on the ring that takes
 * it.
 */

/* X(KIND, name) */
#define SLUICE_KINDS(X)			\
	X(ANSWERED, "answered")		\
	X(DONE, "done")			\
	X(REJECTED, "rejected")		\
	X(DROPPED, "dropped")		\
	X(PASSED, "passed")		\
	X(CANCELLED, "cancelled")	\
	X(EXPIRED, "expired")

/* X(OUTCOME, KIND, reason, description): values are ABI, new ones go at the end. */
#define SLUICE_OUTCOMES(X)									\
	X(ANSWERED, ANSWERED, "answered", "a response was handed to the network")		\
	X(DONE, DONE, "done", "the consumer finished it and wanted no response")		\
	X(REJECTED_RULE, REJECTED, "rule", "a rule, or the listener's default, says reject")	\
	X(REJECTED_NO_CONSUMER, REJECTED, "no_consumer",					\
	  "no ring was attached, or none came within the hold time")				\
	X(REJECTED_BACKLOG_FULL, REJECTED, "backlog_full",					\
	  "the group's backlog holds its limit of requests")					\
	X(REJECTED_MEMORY, REJECTED, "memory", "the group's backlog holds its limit of bytes")	\
	X(REJECTED_TOO_BIG, REJECTED, "too_big",						\
	  "larger than the largest slot of the ring it was meant for")				\
	X(REJECTED_CONSUMER, REJECTED, "consumer", "the consumer refused it")			\
	X(REJECTED_CRASH, REJECTED, "crash",							\
	  "its consumer went away and the group's crash policy does not repeat it")		\
	X(DROPPED_RULE, DROPPED, "rule", "a rule, or the listener's default, says drop")	\
	X(DROPPED_SEND, DROPPED, "send",							\
	  "its response could not be sent: no route, no memory, refused by the firewall")	\
	X(DROPPED_BAD_RESPONSE, DROPPED, "bad_response",					\
	  "the consumer answered with an impossible length or data slot")			\
	X(PASSED_RULE, PASSED, "rule", "a rule, or the listener's default, says pass")		\
	X(PASSED_NO_CONSUMER, PASSED, "no_consumer",						\
	  "no ring was attached and the group passes such requests to the socket")		\
	X(CANCELLED_LISTENER, CANCELLED, "listener", "its listener was removed")		\
	X(EXPIRED_BACKLOG, EXPIRED, "backlog", "its deadline passed while it waited")	\
	X(EXPIRED_RING, EXPIRED, "ring", "its deadline passed before the consumer took it")	\
	X(REJECTED_OVERLOAD, REJECTED, "overload",						\
	  "it waited over twice the delay target while its class was overloaded")		\
	X(REJECTED_SHED, REJECTED, "shed",							\
	  "the backlog was full and something else had more right to wait")			\
	X(CANCELLED_CONNECTION, CANCELLED, "connection",					\
	  "its connection ended before it was answered")					\
	X(CANCELLED_PEER, CANCELLED, "peer",							\
	  "its sender cancelled it by a message of a cancel rule")				\
	X(CANCELLED_ADMIN, CANCELLED, "admin", "an administrator cancelled it: sluice cancel")	\
	X(DONE_CANCEL, DONE, "cancel", "it cancelled an earlier request of its sender")		\
	X(DONE_CANCEL_MISSED, DONE, "cancel_missed",						\
	  "it was to cancel a request that was not outstanding, or another sender's")		\
	X(DONE_RETRY, DONE, "retry",								\
	  "it repeated a request that was outstanding, whose answer it shares")

enum sluice_kind {
#define SLUICE_X_KIND(k, name) SLUICE_KIND_##k,
	SLUICE_KINDS(SLUICE_X_KIND)
#undef SLUICE_X_KIND
	__SLUICE_KIND_MAX
};
#define SLUICE_KIND_MAX (__SLUICE_KIND_MAX - 1)

enum sluice_outcome {
#define SLUICE_X_OUTCOME(o, kind, reason, text) SLUICE_OUTCOME_##o,
	SLUICE_OUTCOMES(SLUICE_X_OUTCOME)
#undef SLUICE_X_OUTCOME
	__SLUICE_OUTCOME_MAX
};
#define SLUICE_OUTCOME_MAX (__SLUICE_OUTCOME_MAX - 1)

#endif /* _UAPI_LINUX_SLUICE_OUTCOME_H */
