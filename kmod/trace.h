/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: one at each step of a request and one at its end, with the reason. Patched-out
 * branches when off.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sluice

#if !defined(SLUICE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SLUICE_TRACE_H

#include <linux/tracepoint.h>

#include "sluice.h"

#define SLUICE_X_EXPORT(o, kind, reason, text) TRACE_DEFINE_ENUM(SLUICE_OUTCOME_##o);
SLUICE_OUTCOMES(SLUICE_X_EXPORT)
#undef SLUICE_X_EXPORT

#define SLUICE_X_SYMBOL(o, kind, reason, text) { SLUICE_OUTCOME_##o, #o },

TRACE_EVENT(sluice_received,
	TP_PROTO(const struct sluice_listener *l, const struct sluice_req *req),
	TP_ARGS(l, req),
	TP_STRUCT__entry(
		__field(const void *, req)
		__field(u32, listener)
		__field(u32, rule)
		__field(u32, len)
	),
	TP_fast_assign(
		__entry->req = req;
		__entry->listener = l->id;
		__entry->rule = req->rule->id;
		__entry->len = req->len;
	),
	TP_printk("request=%p listener=%u rule=%u len=%u",
		  __entry->req, __entry->listener, __entry->rule, __entry->len)
);

TRACE_EVENT(sluice_waiting,
	TP_PROTO(const struct sluice_req *req, const struct sluice_group *g,
		 const struct sluice_ring *ring),
	TP_ARGS(req, g, ring),
	TP_STRUCT__entry(
		__field(const void *, req)
		__field(u32, group)
		__field(u32, ring)
		__field(int, waiting)
	),
	TP_fast_assign(
		__entry->req = req;
		__entry->group = g->id;
		__entry->ring = ring ? ring->id : 0;
		__entry->waiting = atomic_read(&g->waiting);
	),
	TP_printk("request=%p group=%u ring=%u waiting=%d",
		  __entry->req, __entry->group, __entry->ring, __entry->waiting)
);

TRACE_EVENT(sluice_published,
	TP_PROTO(const struct sluice_req *req, const struct sluice_ring *ring, u32 slot),
	TP_ARGS(req, ring, slot),
	TP_STRUCT__entry(
		__field(const void *, req)
		__field(u32, ring)
		__field(u32, slot)
		__field(u32, wait)
	),
	TP_fast_assign(
		__entry->req = req;
		__entry->ring = ring->id;
		__entry->slot = slot;
		__entry->wait = req->published;
	),
	TP_printk("request=%p ring=%u slot=%u wait_ns=%u",
		  __entry->req, __entry->ring, __entry->slot, __entry->wait)
);

TRACE_EVENT(sluice_response,
	TP_PROTO(const struct sluice_ring *ring, const struct sluice_response *resp, int verdict),
	TP_ARGS(ring, resp, verdict),
	TP_STRUCT__entry(
		__field(u32, ring)
		__field(u32, slot)
		__field(u32, data)
		__field(u32, len)
		__field(u16, flags)
		__field(u16, gen)
		__field(int, verdict)
	),
	TP_fast_assign(
		__entry->ring = ring->id;
		__entry->slot = resp->slot;
		__entry->data = resp->data;
		__entry->len = resp->len;
		__entry->flags = resp->flags;
		__entry->gen = resp->gen;
		__entry->verdict = verdict;
	),
	TP_printk("ring=%u slot=%u data=%u len=%u flags=%x gen=%u verdict=%d", __entry->ring,
		  __entry->slot, __entry->data, __entry->len, __entry->flags, __entry->gen,
		  __entry->verdict)
);

TRACE_EVENT(sluice_outcome,
	TP_PROTO(const struct sluice_req *req, const struct sluice_ring *ring, int outcome),
	TP_ARGS(req, ring, outcome),
	TP_STRUCT__entry(
		__field(u32, listener)
		__field(u32, rule)
		__field(u32, ring)
		__field(int, outcome)
		__field(u64, arrival)
	),
	TP_fast_assign(
		__entry->listener = req->rule->listener->id;
		__entry->rule = req->rule->id;
		__entry->ring = ring ? ring->id : 0;
		__entry->outcome = outcome;
		__entry->arrival = req->arrival;
	),
	TP_printk("listener=%u rule=%u ring=%u outcome=%s arrival_ns=%llu", __entry->listener,
		  __entry->rule, __entry->ring,
		  __print_symbolic(__entry->outcome, SLUICE_OUTCOMES(SLUICE_X_SYMBOL) { -1, "" }),
		  __entry->arrival)
);

#endif /* SLUICE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
