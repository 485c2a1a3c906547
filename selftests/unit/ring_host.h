/* SPDX-License-Identifier: GPL-2.0-only */
/* Owns the kernel's half of one ring in a test's own memory, over core/slots.h: what is published, what is answered. */
#ifndef SLUICE_UNIT_RING_HOST_H
#define SLUICE_UNIT_RING_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/sluice_ring.h>
#include <sluice/sluice.h>

#include "../../kmod/core/slots.h"

struct ring_host;

/* A response as it would go out: @data is NULL for NO_REPLY, REJECT and EXPIRED. */
struct host_reply {
	uint32_t request;	/* number of the request it answers, from 0 */
	uint32_t flags;		/* SLUICE_RESP_* */
	uint32_t len;
	const uint8_t *data;	/* until the next call */
};

/* Entries of the response queues of rings to come, a power of two; 0: enough for all slots, twice. */
extern uint32_t ring_host_responses;

/* Make a host and open a ring of it through the library. */
struct ring_host *ring_host_create(struct sluice_ring **ring, const struct sluice_ring_config *config);
void ring_host_destroy(struct ring_host *h);
struct host_options {
	uint64_t deadline_ns;
	uint32_t gap;
	uint16_t gap_reason;
	uint8_t prio;
};

/* Give the consumer one message; returns its number, or -1: no slot is free. */
int ring_host_publish_with(struct ring_host *h, const void *data, uint32_t len, const struct host_options *o);
int ring_host_publish(struct ring_host *h, const void *data, uint32_t len);
/* What is published from now on comes by this connection; 0: as datagrams. */
void ring_host_connection(struct ring_host *h, uint64_t conn);
/* Take one response off the queue; false: there is none. A response that breaks the rules ends the test. */
bool ring_host_take(struct ring_host *h, struct host_reply *reply);
/* Requests that are not answered. */
uint32_t ring_host_unanswered(const struct ring_host *h);
/* Memory of a region in the order of struct sluice_ring_map: kernel, user, requests, responses, slots. */
uint8_t *ring_host_memory(struct ring_host *h, uint32_t region, size_t *len);
/* Kicks of the cheap kind, which do nothing here, or of the other, which say that they did. */
uint32_t ring_host_kicks(const struct ring_host *h, bool cheap);
/* Calls to sleep in the kernel, one of them when the ring was opened, and what ends the next ones: SLUICE_WAIT_* or -errno. */
uint32_t ring_host_naps(const struct ring_host *h);
void ring_host_nap_ends(struct ring_host *h, int result);
/* The ring was detached. */
void ring_host_detach(struct ring_host *h);

#endif /* SLUICE_UNIT_RING_HOST_H */
