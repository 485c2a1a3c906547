// SPDX-License-Identifier: GPL-2.0-only
/* Sessions: run commands in order, at home or in parts on other shards, and put the responses together. */
#include <errno.h>

#include "kv_shard.h"

#define OUT_KEEP	65536	/* a larger response buffer is not kept for the next session */
#define ERROR_ROOM	256	/* for an error after a response that did not fit */

static unsigned int parts_max(const struct kv_cluster *c)
{
	return c->config.shards > KV_WINDOW ? c->config.shards : KV_WINDOW;
}

int kv_session_init(struct kv_session *s, struct kv_shard *home, const struct kv_dialect *dialect,
		    void (*done)(struct kv_session *s))
{
	struct kv_cluster *c = home->cluster;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->home = home;
	s->dialect = dialect;
	s->done = done;
	kv_buf_init(&s->out, c->config.response_max);
	/* One shard never sends parts. */
	if (c->config.shards == 1)
		return 0;
	s->parts = calloc(parts_max(c), sizeof(*s->parts));
	if (!s->parts)
		return -ENOMEM;
	for (i = 0; i < parts_max(c); i++) {
		s->parts[i].session = s;
		kv_buf_init(&s->parts[i].out, c->config.response_max);
	}
	return 0;
}

void kv_session_fini(struct kv_session *s)
{
	unsigned int i;

	for (i = 0; s->parts && i < parts_max(s->home->cluster); i++)
		kv_buf_free(&s->parts[i].out);
	free(s->parts);
	kv_buf_free(&s->out);
}

void kv_session_start(struct kv_session *s, const char *in, size_t len)
{
	if (s->out.cap > OUT_KEEP)
		kv_buf_free(&s->out);
	kv_buf_cut(&s->out, 0);
	s->in = in;
	s->len = len;
	s->pos = 0;
	s->incomplete = false;
	s->closed = false;
	s->busy = false;
}

/* The command's response did not fit: replace what there is of it. */
static void fail(struct kv_session *s, const char *text)
{
	kv_buf_cut(&s->out, s->start);
	s->out.limit += ERROR_ROOM;
	kv_buf_str(&s->out, text);
	s->out.limit -= ERROR_ROOM;
}

static void add_part(struct kv_session *s, const struct kv_op *op, unsigned int to)
{
	struct kv_part *part = &s->parts[s->nparts++];

	part->op = *op;
	part->to = to;
	kv_buf_cut(&part->out, 0);
}

/* Perform the parts at home, send the others. True if none is away. */
static bool send_parts(struct kv_session *s)
{
	struct kv_shard *home = s->home;
	struct kv_part *part;
	unsigned int i;

	s->waiting = 0;
	for (i = 0; i < s->nparts; i++)
		s->waiting += s->parts[i].to != home->id;
	for (i = 0; i < s->nparts; i++) {
		part = &s->parts[i];
		if (part->to == home->id)
			kv_execute(home->store, &part->op, &part->out);
		else
			kv_shard_send(home, part->to, part);
	}
	if (!s->waiting)
		return true;
	kv_shard_tell(home);
	return false;
}

/* Count what an operation for one of many keys came to. */
static void count(struct kv_session *s, const struct kv_op *op)
{
	s->cmd.done += op->status == KV_OK || op->status == KV_STORED;
	s->cmd.failed += op->status == KV_TOO_LARGE || op->status == KV_NO_MEMORY;
}

/* Operations for many keys, from the next one on. True: the command is done. False: parts are away. */
static bool run_many(struct kv_session *s)
{
	struct kv_shard *home = s->home;
	unsigned int to, away = 0;
	struct kv_op op;
	int more = 0;

	s->nparts = 0;
	while (s->nparts < KV_WINDOW && (more = s->dialect->next(&s->cmd, &op)) > 0) {
		to = kv_cluster_owner(home->cluster, op.key, op.nkey);
		if (to == home->id && !s->nparts) {
			kv_execute(home->store, &op, &s->out);
			count(s, &op);
			continue;
		}
		add_part(s, &op, to);
		away += to != home->id;
	}
	if (more < 0) {
		fail(s, s->dialect->bad_key);
		s->nparts = 0;
		return true;
	}
	if (away)
		return send_parts(s);
	s->dialect->end(&s->cmd, &s->out);
	return true;
}

static void add_stats(struct kv_session *s, struct kv_stats *sum, const struct kv_buf *part)
{
	struct kv_stats one;

	if (part->len != sizeof(one)) {
		s->out.failed = true;
		return;
	}
	memcpy(&one, part->data, sizeof(one));
	kv_stats_add(sum, &one);
}

/* All shards have performed a flush_all or stats. */
static void finish_all(struct kv_session *s)
{
	const struct kv_cluster *c = s->home->cluster;
	struct kv_server server = {
		.now = kv_store_now(s->home->store),
		.started = c->started,
		.shards = c->config.shards,
		.item_max = c->config.item_max,
		.memory = c->config.memory,
	};
	struct kv_stats sum = { 0 };
	unsigned int i;

	if (s->cmd.op.command == KV_CMD_FLUSH) {
		/* One command, though every shard performed it. */
		kv_store_stats(s->home->store)->cmd_flush++;
	}
	if (s->cmd.op.command == KV_CMD_STATS) {
		if (!s->parts)
			kv_stats_add(&sum, kv_store_stats(s->home->store));
		for (i = 0; i < s->nparts; i++)
			add_stats(s, &sum, &s->parts[i].out);
	}
	s->dialect->all(&s->cmd, &sum, &server, &s->out);
}

static bool run_all(struct kv_session *s)
{
	unsigned int i;

	s->nparts = 0;
	if (s->parts) {
		for (i = 0; i < s->home->cluster->config.shards; i++)
			add_part(s, &s->cmd.op, i);
		if (!send_parts(s))
			return false;
	} else if (s->cmd.op.command != KV_CMD_STATS) {
		kv_execute(s->home->store, &s->cmd.op, &s->out);
	}
	finish_all(s);
	return true;
}

static bool run_key(struct kv_session *s)
{
	struct kv_shard *home = s->home;
	unsigned int to = kv_cluster_owner(home->cluster, s->cmd.op.key, s->cmd.op.nkey);

	if (to != home->id) {
		s->nparts = 0;
		add_part(s, &s->cmd.op, to);
		return send_parts(s);
	}
	kv_execute(home->store, &s->cmd.op, &s->out);
	s->dialect->respond(&s->cmd, &s->cmd.op, &s->out);
	return true;
}

/* Begin, or go on after parts came back. True: the command is done. */
static bool run_command(struct kv_session *s)
{
	if (s->cmd.many)
		return run_many(s);
	switch (s->cmd.op.command) {
	case KV_CMD_GET:
	case KV_CMD_STORE:
	case KV_CMD_DELETE:
	case KV_CMD_ARITH:
	case KV_CMD_TOUCH:
	case KV_CMD_ADD:
	case KV_CMD_TTL:
	case KV_CMD_META:
		return run_key(s);
	case KV_CMD_FLUSH:
	case KV_CMD_STATS:
	case KV_CMD_STATS_RESET:
		return run_all(s);
	case KV_CMD_QUIT:
		s->closed = true;
		break;
	}
	if (!s->cmd.noreply)
		kv_buf_str(&s->out, s->cmd.text);
	return true;
}

static void end_command(struct kv_session *s)
{
	if (s->out.failed)
		fail(s, s->dialect->no_room);
	s->pos += s->cmd.size < s->len - s->pos ? s->cmd.size : s->len - s->pos;
	s->busy = false;
}

bool kv_session_run(struct kv_session *s)
{
	while (s->pos < s->len && !s->closed) {
		if (!s->busy) {
			if (!s->dialect->parse(s->in + s->pos, s->len - s->pos, s->home->cluster->config.item_max,
					       &s->cmd)) {
				s->incomplete = true;
				return true;
			}
			s->busy = true;
			s->start = s->out.len;
			if (s->cmd.many && s->dialect->begin)
				s->dialect->begin(&s->cmd, &s->out);
		}
		if (!run_command(s))
			return false;
		end_command(s);
	}
	return true;
}

/* All parts are back. True: the command is done; one for many keys may have more of them. */
static bool collect(struct kv_session *s)
{
	struct kv_part *part;
	unsigned int i;

	if (s->cmd.many) {
		for (i = 0; i < s->nparts; i++) {
			part = &s->parts[i];
			count(s, &part->op);
			s->out.failed |= part->out.failed;
			kv_buf_add(&s->out, part->out.data, part->out.len);
			if (part->out.cap > OUT_KEEP)
				kv_buf_free(&part->out);
		}
		return false;
	}
	switch (s->cmd.op.command) {
	case KV_CMD_FLUSH:
	case KV_CMD_STATS:
	case KV_CMD_STATS_RESET:
		finish_all(s);
		return true;
	}
	/* One key on another shard. */
	part = &s->parts[0];
	s->out.failed |= part->out.failed;
	kv_buf_add(&s->out, part->out.data, part->out.len);
	if (part->out.cap > OUT_KEEP)
		kv_buf_free(&part->out);
	s->dialect->respond(&s->cmd, &part->op, &s->out);
	return true;
}

void kv_session_part_done(struct kv_part *part)
{
	struct kv_session *s = part->session;

	if (--s->waiting)
		return;
	if (collect(s))
		end_command(s);
	if (kv_session_run(s))
		s->done(s);
}
