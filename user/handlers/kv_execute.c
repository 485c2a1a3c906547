// SPDX-License-Identifier: GPL-2.0-only
/* Performs operations on a store, whatever protocol they came by. */
#include "kv_proto.h"

/* Bytes that put_item() and put_bulk() may take. */
static size_t item_room(const struct kv_item *it)
{
	return 6 + it->nkey + 3 * 21 + 2 + (size_t)it->nbytes + 2;
}

/* VALUE <key> <flags> <bytes> [<cas unique>]\r\n<data>\r\n. The request, with its key, may lie where this is written. */
static void put_item(struct kv_store *s, struct kv_item *it, const struct kv_op *op, struct kv_buf *out)
{
	char *p;

	if (!kv_buf_room(out, item_room(it)))
		return;
	p = out->data + out->len;
	memmove(p + 6, op->key, it->nkey);
	memcpy(p, "VALUE ", 6);
	p += 6 + it->nkey;
	*p++ = ' ';
	p += kv_digits(p, it->flags);
	*p++ = ' ';
	p += kv_digits(p, it->nbytes);
	if (op->want_cas) {
		*p++ = ' ';
		p += kv_digits(p, it->cas);
	}
	*p++ = '\r';
	*p++ = '\n';
	kv_item_copy(s, it, 0, p, it->nbytes);
	p += it->nbytes;
	*p++ = '\r';
	*p++ = '\n';
	out->len = p - out->data;
}

/* $<bytes>\r\n<data>\r\n */
static void put_bulk(struct kv_store *s, struct kv_item *it, struct kv_buf *out)
{
	char *p;

	if (!kv_buf_room(out, item_room(it)))
		return;
	p = out->data + out->len;
	*p++ = '$';
	p += kv_digits(p, it->nbytes);
	memcpy(p, "\r\n", 2);
	kv_item_copy(s, it, 0, p + 2, it->nbytes);
	memcpy(p + 2 + it->nbytes, "\r\n", 2);
	out->len = p + 4 + it->nbytes - out->data;
}

static void execute_get(struct kv_store *s, struct kv_op *op, struct kv_item *it, struct kv_buf *out)
{
	struct kv_stats *stats = kv_store_stats(s);

	/* As memcached counts: gat touches, and gets nothing. */
	*(op->touch ? &stats->cmd_touch : &stats->cmd_get) += 1;
	op->status = it ? KV_OK : KV_NOT_FOUND;
	if (!it) {
		*(op->touch ? &stats->touch_misses : &stats->get_misses) += 1;
		if (op->resp)
			kv_buf_str(out, "$-1\r\n");
		return;
	}
	*(op->touch ? &stats->touch_hits : &stats->get_hits) += 1;
	if (op->touch)
		it->exptime = kv_expiry(op->exptime, kv_store_now(s));
	if (op->resp)
		put_bulk(s, it, out);
	else
		put_item(s, it, op, out);
}

static void execute_touch(struct kv_store *s, struct kv_op *op)
{
	struct kv_stats *stats = kv_store_stats(s);
	struct kv_item *it = kv_store_find(s, op->key, op->nkey);

	stats->cmd_touch++;
	op->status = it ? KV_OK : KV_NOT_FOUND;
	if (!it) {
		stats->touch_misses++;
		return;
	}
	stats->touch_hits++;
	it->exptime = kv_expiry(op->exptime, kv_store_now(s));
}

/* Seconds until it expires; -1: never; -2: there is none, as Redis counts. */
static void execute_ttl(struct kv_store *s, struct kv_op *op)
{
	struct kv_item *it = kv_store_find(s, op->key, op->nkey);
	int64_t ttl = -2;

	if (it)
		ttl = it->exptime ? (int64_t)it->exptime - kv_store_now(s) : -1;
	op->number = ttl;
	op->status = KV_OK;
}

void kv_execute(struct kv_store *s, struct kv_op *op, struct kv_buf *out)
{
	uint32_t now = kv_store_now(s);

	switch (op->command) {
	case KV_CMD_GET:
		execute_get(s, op, kv_store_find(s, op->key, op->nkey), out);
		break;
	case KV_CMD_STORE:
		op->value.exptime = kv_expiry(op->exptime, now);
		op->status = kv_store_put(s, op->mode, op->key, op->nkey, &op->value);
		break;
	case KV_CMD_DELETE:
		op->status = kv_store_delete(s, op->key, op->nkey);
		break;
	case KV_CMD_ARITH:
		op->status = kv_store_arith(s, op->key, op->nkey, op->add, op->number, &op->number);
		break;
	case KV_CMD_TOUCH:
		execute_touch(s, op);
		break;
	case KV_CMD_ADD:
		op->status = kv_store_add(s, op->key, op->nkey, op->number, &op->number);
		break;
	case KV_CMD_TTL:
		execute_ttl(s, op);
		break;
	case KV_CMD_EXISTS:
		op->status = kv_store_find(s, op->key, op->nkey) ? KV_OK : KV_NOT_FOUND;
		break;
	case KV_CMD_META:
		kv_meta_execute(s, op, out);
		break;
	case KV_CMD_FLUSH:
		kv_store_flush(s, op->exptime > 0 ? kv_expiry(op->exptime, now) : now);
		break;
	case KV_CMD_STATS:
		kv_buf_add(out, kv_store_stats(s), sizeof(struct kv_stats));
		break;
	case KV_CMD_STATS_RESET:
		kv_store_reset(s);
		break;
	}
}

bool kv_execute_get(struct kv_store *s, struct kv_op *op, struct kv_buf *out, size_t room)
{
	struct kv_item *it = kv_store_peek(s, op->key, op->nkey);

	if (it && item_room(it) > room)
		return false;
	if (it)
		kv_store_use(s, it);
	execute_get(s, op, it, out);
	return true;
}
