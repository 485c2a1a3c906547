// SPDX-License-Identifier: GPL-2.0-only
/* A request's way from being due to its one end, and which request a reply belongs to; the same for every transport. */
#include "load/load.h"

bool request_due(const struct worker *w, u64 now)
{
	u64 due = w->start_ns + (u64)w->schedule.next;

	return due <= now && due < w->end_ns;
}

/* Requests whose places in the table are taken: a reply may still come, or bytes are still to be sent. */
static u32 places_used(const struct worker *w, const struct channel *c)
{
	u32 used = c->next_seq - c->oldest;

	if (!w->opt->tcp)
		return used;
	if (c->next_seq - c->unsent > used)
		used = c->next_seq - c->unsent;
	if (w->opt->proto->ordered && c->next_seq - c->expected > used)
		used = c->next_seq - c->expected;
	return used;
}

/* The next request that is due, as one of this channel's; NULL if none is, or the channel has no place for it. */
struct flight *request_next(struct worker *w, struct channel *c, u64 now)
{
	struct flight *f = &c->flights[c->next_seq & c->mask];

	if (!request_due(w, now) || places_used(w, c) > c->mask)
		return NULL;
	assembly_free(f);
	f->seq = c->next_seq++;
	f->due_ns = w->start_ns + (u64)w->schedule.next;
	f->counted = f->due_ns >= w->count_from_ns;
	f->state = FLIGHT_PENDING;
	f->sent = false;
	if (f->counted)
		COUNT(w->counts.offered);
	schedule_advance(&w->schedule);
	return f;
}

/* The next request that is due ends in @counter before anything is done for it. False if none is due. */
bool request_skip(struct worker *w, u64 now, u64 *counter)
{
	if (!request_due(w, now))
		return false;
	if (w->start_ns + (u64)w->schedule.next >= w->count_from_ns) {
		COUNT(w->counts.offered);
		COUNT(*counter);
	}
	schedule_advance(&w->schedule);
	return true;
}

/* How late it was sent, or offered to a socket that did not take it: the generator's own fault. */
void request_tried(struct worker *w, struct flight *f, u64 now)
{
	u64 late = now - f->due_ns;

	if (!f->counted)
		return;
	if (late > w->opt->late_ns)
		COUNT(w->counts.late);
	if (late > w->counts.worst_late_ns)
		w->counts.worst_late_ns = late;
}

void request_settle(struct worker *w, struct flight *f, enum verdict v, u64 now)
{
	u64 latency = now > f->due_ns ? now - f->due_ns : 0;
	u32 bucket = sluice_hist_bucket(latency);

	f->state = FLIGHT_SETTLED;
	assembly_free(f);
	if (!f->counted)
		return;
	if (v == VERDICT_WRONG) {
		COUNT(w->counts.wrong);
	} else if (v == VERDICT_REFUSED) {
		COUNT(w->counts.refused);
		w->counts.refused_latency[bucket]++;
	} else {
		COUNT(w->counts.answered);
		w->counts.latency[bucket]++;
		if (latency <= w->opt->objective_ns)
			COUNT(w->counts.in_time);
		if (latency > w->counts.max_ns)
			w->counts.max_ns = latency;
	}
}

static void lose(struct worker *w, struct flight *f)
{
	f->state = FLIGHT_LOST;
	assembly_free(f);
	if (!f->counted)
		return;
	if (w->opt->tcp && !f->sent) {
		COUNT(w->counts.unsent);
		COUNT(w->counts.blocked);
	} else {
		COUNT(w->counts.lost);
	}
}

/* Count as lost what waited longer than the timeout; move the window's start over what is done with. */
void request_expire(struct worker *w, struct channel *c, u64 now)
{
	while (c->oldest != c->next_seq) {
		struct flight *f = &c->flights[c->oldest & c->mask];

		if (f->state == FLIGHT_PENDING) {
			if (now < f->due_ns + w->opt->timeout_ns)
				return;
			lose(w, f);
		}
		c->oldest++;
	}
}

/* The oldest request of a channel that waits, or NULL. */
struct flight *request_oldest(struct channel *c)
{
	for (; c->oldest != c->next_seq; c->oldest++) {
		struct flight *f = &c->flights[c->oldest & c->mask];

		if (f->state == FLIGHT_PENDING)
			return f;
	}
	return NULL;
}

/* A reply may be many datagrams: what was lost is counted as late with the first of them. */
static void late_reply(struct worker *w, struct flight *f)
{
	if (!f->counted)
		return;
	if (f->state == FLIGHT_LOST) {
		COUNT(w->counts.late_replies);
		f->state = FLIGHT_LATE;
	} else if (f->state != FLIGHT_LATE) {
		COUNT(w->counts.duplicates);
	}
}

/* A reply, or a part of one, to this request. */
void reply_take(struct worker *w, struct channel *c, struct flight *f, const u8 *buf, u32 len, u64 now)
{
	enum verdict v;

	if (f->state == FLIGHT_PENDING && now >= f->due_ns + w->opt->timeout_ns) {
		/* its time is over; whether the sweep or the reply came first must not matter */
		request_expire(w, c, now);
		if (f->state == FLIGHT_PENDING)
			lose(w, f);
	}
	if (f->state != FLIGHT_PENDING) {
		if (f->state != FLIGHT_SETTLED || !w->opt->proto->more || !w->opt->proto->more(w, f, buf, len))
			late_reply(w, f);
		return;
	}
	v = w->opt->proto->judge(w, f, buf, len);
	if (v != VERDICT_PARTIAL)
		request_settle(w, f, v, now);
}

/* A refusal that carries no id is laid to the oldest request of its socket that waits. */
static bool anonymous_refusal(struct worker *w, struct channel *c, const u8 *buf, u32 len, u64 now)
{
	struct flight *f;

	if (!starts(buf, len, w->opt->refused, w->opt->refused_len))
		return false;
	f = request_oldest(c);
	if (f)
		request_settle(w, f, VERDICT_REFUSED, now);
	return f;
}

/* A reply that says itself which request it belongs to. */
void reply_identify(struct worker *w, struct channel *c, const u8 *buf, u32 len, u64 now)
{
	struct flight *f;
	u32 id, mask, seq;

	if (!w->opt->proto->identify(w->opt, buf, len, &id, &mask)) {
		if (!anonymous_refusal(w, c, buf, len, now))
			COUNT(w->counts.strange);
		return;
	}
	/* the latest request that was sent under this id */
	seq = c->next_seq - 1 - ((c->next_seq - 1 - id) & mask);
	f = &c->flights[seq & c->mask];
	if (f->state == FLIGHT_FREE || f->seq != seq)
		COUNT(w->counts.strange);
	else
		reply_take(w, c, f, buf, len, now);
}
