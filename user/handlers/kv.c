// SPDX-License-Identifier: GPL-2.0-only
/* The kv handler: datagrams or messages of a connection in, sessions over the shards, responses out. */
#include <errno.h>
#include <time.h>

#include "handlers.h"

#include "kv_cluster.h"
#include "kv_udp.h"
#include "option.h"

#define MEMORY_DEFAULT		(64ULL << 20)
#define ITEM_MAX_DEFAULT	(1U << 20)
#define RESPONSE_MAX_DEFAULT	(4U << 20)
#define RESPONSE_MAX_MAX	(64U << 20)	/* its datagrams still fit the header's 16-bit count */
#define END_ROOM		(sizeof(KV_END) - 1)	/* what a dialect puts behind the item that a get found */
#define CRAWL			4096		/* chunks looked at for expired items per tick */

#define MULTI_DATAGRAM	"SERVER_ERROR multi-packet request not supported\r\n"
#define INCOMPLETE	"CLIENT_ERROR request does not end in this datagram\r\n"

struct kv_config {
	uint64_t memory;
	uint64_t item_max;
	uint64_t response_max;
	unsigned int workers;
	uint32_t reply_size;
};

struct kv {
	struct kv_config config;
	const struct kv_dialect *dialect;
	struct kv_cluster *cluster;
};

/**
 * struct exchange - a request on its way to its response
 * @session: first, so that it leads back here
 * @framed: it came as a datagram with memcached's frame header; otherwise as it is
 * @id: the client's, in a frame header
 * @next_piece: of the response, to be written: a datagram, or a part of the stream
 */
struct exchange {
	struct kv_session session;
	struct sluice_request req;
	struct kv_worker *worker;
	struct exchange *next;
	bool framed;
	uint16_t id;
	uint32_t next_piece;
};

/**
 * struct kv_worker - one worker
 * @ring: during serve() and poll()
 * @idle: exchanges for reuse
 * @first, @last: answered, but for want of reply slots or queue entries not, or not wholly, handed to the ring
 * @busy: exchanges in use
 * @reply_size: bytes of a reply slot
 * @dialect: what its requests speak
 * @cmd: of the request that is served in place
 */
struct kv_worker {
	struct kv_shard *shard;
	struct sluice_ring *ring;
	struct exchange *idle;
	struct exchange *first;
	struct exchange **last;
	unsigned int busy;
	uint32_t reply_size;
	const struct kv_dialect *dialect;
	struct kv_cmd cmd;
	uint64_t requests;
	uint64_t in_place;
	uint64_t delayed;
	uint64_t malformed;
};

static uint32_t wall_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

/* ---- responses ---- */

static void release(struct exchange *x)
{
	struct kv_worker *w = x->worker;

	x->next = w->idle;
	w->idle = x;
	w->busy--;
}

/* Finish without bytes. Errors but a full queue mean that the ring is gone, and the request with it. */
static int send_nothing(struct exchange *x)
{
	return sluice_done(x->worker->ring, &x->req) == -EAGAIN ? -EAGAIN : 0;
}

/* Bytes of a connection's response in one piece: all in place, or as much as a reply slot holds. */
static uint32_t stream_piece(const struct exchange *x)
{
	return x->session.out.len <= x->req.room || !x->worker->reply_size ? x->req.room : x->worker->reply_size;
}

static uint32_t piece_count(const struct exchange *x)
{
	uint32_t piece = stream_piece(x);

	return x->framed ? kv_udp_count(x->session.out.len) : (x->session.out.len + piece - 1) / piece;
}

static uint32_t piece_size(const struct exchange *x, uint32_t i)
{
	uint32_t piece = stream_piece(x);
	size_t left = x->session.out.len - (size_t)i * piece;

	if (x->framed)
		return kv_udp_size(x->session.out.len, i);
	return left < piece ? left : piece;
}

static void write_piece(const struct exchange *x, uint32_t i, void *to)
{
	const struct kv_buf *out = &x->session.out;

	if (x->framed)
		kv_udp_write(to, x->id, out->data, out->len, i);
	else
		memcpy(to, out->data + (size_t)i * stream_piece(x), piece_size(x, i));
}

static int send_in_place(struct exchange *x, uint32_t i)
{
	write_piece(x, i, x->req.data);
	return sluice_respond(x->worker->ring, &x->req, piece_size(x, i));
}

static int send_from_slot(struct exchange *x, uint32_t i, bool more)
{
	struct sluice_ring *ring = x->worker->ring;
	struct sluice_reply reply;
	int err;

	err = sluice_reply_get(ring, &reply);
	if (err)
		return err;
	if (piece_size(x, i) > reply.room) {
		sluice_reply_put(ring, &reply);
		return -ENOENT;
	}
	write_piece(x, i, reply.data);
	err = sluice_respond_from(ring, &x->req, &reply, piece_size(x, i), more);
	if (err)
		sluice_reply_put(ring, &reply);
	return err;
}

/* Hand the response, or what is left of it, to the ring. -EAGAIN: not all of it fitted. */
static int send_response(struct exchange *x)
{
	struct kv_buf *out = &x->session.out;
	uint32_t count, i;
	int err = 0;

	if (!out->len)
		return send_nothing(x);
	if (out->len <= (x->framed ? KV_UDP_DATA : x->req.room) && piece_size(x, 0) <= x->req.room)
		return send_in_place(x, 0) == -EAGAIN ? -EAGAIN : 0;
	count = piece_count(x);
	for (i = x->next_piece; i < count && !err; i++) {
		x->next_piece = i;
		/* The last one goes where the request was: an earlier one there would end the request. */
		if (i == count - 1 && piece_size(x, i) <= x->req.room)
			err = send_in_place(x, i);
		else
			err = send_from_slot(x, i, i < count - 1);
	}
	if (err == -ENOENT) {
		/* No reply slots, or too small ones: known before the first piece, so a short text can replace it. */
		kv_buf_cut(out, 0);
		kv_buf_str(out, x->session.dialect->no_slots);
		x->next_piece = 0;
		return piece_size(x, 0) > x->req.room || piece_count(x) > 1 ? send_nothing(x) : send_response(x);
	}
	return err == -EAGAIN ? err : 0;
}

static void finish(struct exchange *x)
{
	struct kv_worker *w = x->worker;

	if (x->session.incomplete)
		kv_buf_str(&x->session.out, x->framed ? INCOMPLETE : x->session.dialect->incomplete);
	x->next_piece = 0;
	/* Without a ring the request went with the one that it came in. */
	if (!w->ring || send_response(x) != -EAGAIN) {
		release(x);
		return;
	}
	w->delayed++;
	x->next = NULL;
	*w->last = x;
	w->last = &x->next;
}

static void session_done(struct kv_session *s)
{
	finish((struct exchange *)s);
}

static unsigned int send_delayed(struct kv_worker *w)
{
	struct exchange *x, *next;
	uint32_t sent;
	unsigned int n = 0;

	while ((x = w->first)) {
		next = x->next;
		sent = x->next_piece;
		if (w->ring && send_response(x) == -EAGAIN) {
			n += x->next_piece - sent;	/* what went has to be flushed, or no slot comes back */
			break;
		}
		w->first = next;
		release(x);
		n++;
	}
	if (!w->first)
		w->last = &w->first;
	return n;
}

/* ---- requests ---- */

static struct exchange *exchange_get(struct kv_worker *w)
{
	struct exchange *x = w->idle;

	if (x) {
		w->idle = x->next;
	} else {
		x = calloc(1, sizeof(*x));
		if (!x)
			return NULL;
		x->worker = w;
		if (kv_session_init(&x->session, w->shard, w->dialect, session_done)) {
			kv_session_fini(&x->session);
			free(x);
			return NULL;
		}
	}
	w->busy++;
	return x;
}

/* No command of memcached's begins with an asterisk, and every request of Redis's clients does. */
static const struct kv_dialect *dialect_of(const struct kv_worker *w, const struct sluice_request *req)
{
	return req->conn && req->len && *(const char *)req->data == '*' ? &kv_resp : w->dialect;
}

/* The response @out, which lies in the request's slot, does not fit the queue yet. */
static void keep(struct kv_worker *w, const struct sluice_request *req, bool framed, const struct kv_buf *out)
{
	struct exchange *x = exchange_get(w);

	if (!x) {
		sluice_reject(w->ring, req);
		return;
	}
	x->req = *req;
	x->framed = framed;
	x->id = framed ? kv_udp_get(req->data) : 0;
	x->session.dialect = dialect_of(w, req);
	kv_session_start(&x->session, NULL, 0);
	kv_buf_add(&x->session.out, out->data, out->len);
	finish(x);
}

/*
 * What most requests are, a get of one key whose response fits its slot: it is written over the request. False: it is not
 * that; nothing was done. Inline: for datagrams the dialect is known.
 */
static inline __attribute__((always_inline)) bool in_place(struct kv_worker *w, const struct sluice_request *req,
							   const struct kv_dialect *dialect, bool framed)
{
	uint32_t skip = framed ? KV_UDP_HEADER : 0, room = req->room - skip;
	uint8_t *data = req->data;
	struct kv_buf out = { .data = (char *)data + skip };
	struct kv_cmd *cmd = &w->cmd;

	/* all keys are here if there are no other shards to be woken by */
	if (kv_shard_fd(w->shard) >= 0 || req->len <= skip || !dialect->parse_get(out.data, req->len - skip, cmd) ||
	    cmd->size != req->len - skip || (framed && kv_udp_get(data + 4) != 1))
		return false;
	/* one datagram, and within what any configuration lets a response be */
	out.cap = room > KV_UDP_DATA ? KV_UDP_DATA : room;
	if (out.cap < END_ROOM || !kv_execute_get(kv_shard_store(w->shard), &cmd->op, &out, out.cap - END_ROOM))
		return false;
	dialect->respond(cmd, &cmd->op, &out);
	w->in_place++;
	if (framed) {
		kv_udp_put(data + 2, 0);
		kv_udp_put(data + 6, 0);
	}
	if (sluice_respond(w->ring, req, skip + out.len) == -EAGAIN)
		keep(w, req, framed, &out);
	return true;
}

static void serve_one(struct kv_worker *w, const struct sluice_request *req)
{
	bool framed = !req->conn && w->dialect == &kv_text, short_frame = framed && req->len < KV_UDP_HEADER;
	uint32_t skip = framed ? KV_UDP_HEADER : 0;
	const uint8_t *data = req->data;
	struct exchange *x;

	w->requests++;
	if (framed ? in_place(w, req, &kv_text, true) : in_place(w, req, dialect_of(w, req), false))
		return;
	w->malformed += short_frame;
	x = short_frame ? NULL : exchange_get(w);
	if (!x) {
		/* The queue of responses has room for one answer to each slot. */
		sluice_reject(w->ring, req);
		return;
	}
	x->req = *req;
	x->framed = framed;
	x->id = framed ? kv_udp_get(data) : 0;
	x->session.dialect = dialect_of(w, req);
	kv_session_start(&x->session, (const char *)data + skip, req->len - skip);
	if (framed && kv_udp_get(data + 4) != 1) {
		w->malformed++;
		kv_buf_str(&x->session.out, MULTI_DATAGRAM);
		finish(x);
		return;
	}
	if (kv_session_run(&x->session))
		finish(x);
}

static void kv_serve(void *worker, struct sluice_ring *ring, struct sluice_request *req, unsigned int n)
{
	struct kv_worker *w = worker;
	unsigned int i;

	w->ring = ring;
	for (i = 0; i < n; i++)
		serve_one(w, &req[i]);
}

static unsigned int kv_poll(void *worker, struct sluice_ring *ring)
{
	struct kv_worker *w = worker;

	w->ring = ring;
	return kv_shard_poll(w->shard) + (w->first ? send_delayed(w) : 0);
}

static int kv_fd(void *worker)
{
	return kv_shard_fd(((struct kv_worker *)worker)->shard);
}

static int kv_sleep(void *worker)
{
	struct kv_worker *w = worker;
	int ret = kv_shard_sleep(w->shard);

	return !ret && w->first ? -1 : ret;
}

static void kv_wake(void *worker)
{
	kv_shard_wake(((struct kv_worker *)worker)->shard);
}

static unsigned int kv_busy(void *worker)
{
	return ((struct kv_worker *)worker)->busy;
}

static void kv_tick(void *worker, uint64_t now_ns)
{
	struct kv_worker *w = worker;

	(void)now_ns;
	kv_shard_clock(w->shard, wall_seconds());
	kv_store_crawl(kv_shard_store(w->shard), CRAWL);
}

static void kv_stats_line(void *worker, char *text, size_t len)
{
	struct kv_worker *w = worker;
	const struct kv_stats *s = kv_store_stats(kv_shard_store(w->shard));

	snprintf(text, len,
		 "kv: %llu requests, %llu in place, %llu malformed, %llu delayed, %llu for other shards' sessions, %llu items, "
		 "%llu gets, %llu hits, %llu sets, %llu evictions",
		 (unsigned long long)w->requests, (unsigned long long)w->in_place, (unsigned long long)w->malformed,
		 (unsigned long long)w->delayed,
		 (unsigned long long)kv_shard_foreign(w->shard), (unsigned long long)s->curr_items,
		 (unsigned long long)s->cmd_get, (unsigned long long)s->get_hits, (unsigned long long)s->cmd_set,
		 (unsigned long long)s->evictions);
}

/* ---- configuration ---- */

static int kv_read(const struct sluice_handler_config *hc, struct kv_config *c, struct sluice_handler_error *err)
{
	const struct sluice_handler_option *o;
	unsigned int i;
	int ret;

	*c = (struct kv_config){
		.memory = MEMORY_DEFAULT,
		.item_max = ITEM_MAX_DEFAULT,
		.response_max = RESPONSE_MAX_DEFAULT,
		.workers = hc->workers,
		.reply_size = hc->reply_size,
	};
	for (i = 0; i < hc->noptions; i++) {
		o = &hc->options[i];
		if (!strcmp(o->name, "memory"))
			ret = option_size(o, (uint64_t)KV_MEMORY_MIN * hc->workers, 1ULL << 42, &c->memory, err);
		else if (!strcmp(o->name, "item-size-max"))
			ret = option_size(o, KV_ITEM_MIN, 128U << 20, &c->item_max, err);
		else if (!strcmp(o->name, "response-max"))
			ret = option_size(o, KV_UDP_DATAGRAM, RESPONSE_MAX_MAX, &c->response_max, err);
		else
			ret = option_error(err, o, "handler kv, or redis, knows memory, item-size-max and response-max, not %s",
					   o->name);
		if (ret)
			return ret;
	}
	if (hc->reply_size && hc->reply_size < KV_UDP_DATAGRAM)
		return option_error(err, NULL, "handler kv, or redis, answers in datagrams of %d bytes: "
				    "give reply-slots that size, as in \"reply-slots 1408:64\"", KV_UDP_DATAGRAM);
	/* A shard must be able to hold several of its largest items, or storing one would empty it. */
	if (c->item_max > c->memory / c->workers / 2)
		c->item_max = c->memory / c->workers / 2;
	return 0;
}

static int kv_check(const struct sluice_handler_config *hc, struct sluice_handler_error *err)
{
	struct kv_config c;

	return kv_read(hc, &c, err);
}

static int create_cluster(const struct kv_config *c, struct kv_cluster **cluster, struct sluice_handler_error *err)
{
	struct kv_cluster_config cc = {
		.shards = c->workers,
		.memory = c->memory,
		.item_max = c->item_max,
		.response_max = c->response_max,
		.now = wall_seconds(),
	};
	int ret = kv_cluster_create(cluster, &cc);

	if (ret)
		option_error(err, NULL, "cannot reserve %llu bytes for the handler's store: %s",
			     (unsigned long long)c->memory, strerror(-ret));
	return ret;
}

static int init(const struct sluice_handler_config *hc, const struct kv_dialect *dialect, void **state,
		struct sluice_handler_error *err)
{
	struct kv *kv = calloc(1, sizeof(*kv));
	int ret;

	if (!kv)
		return -ENOMEM;
	kv->dialect = dialect;
	ret = kv_read(hc, &kv->config, err);
	if (!ret)
		ret = create_cluster(&kv->config, &kv->cluster, err);
	if (ret) {
		free(kv);
		return ret;
	}
	*state = kv;
	return 0;
}

static int kv_init(const struct sluice_handler_config *hc, void **state, struct sluice_handler_error *err)
{
	return init(hc, &kv_text, state, err);
}

static int redis_init(const struct sluice_handler_config *hc, void **state, struct sluice_handler_error *err)
{
	return init(hc, &kv_resp, state, err);
}

static int kv_reconfigure(void *state, const struct sluice_handler_config *hc, struct sluice_handler_error *err)
{
	struct kv_cluster *cluster;
	struct kv *kv = state;
	struct kv_config c;
	int ret;

	ret = kv_read(hc, &c, err);
	if (ret)
		return ret;
	if (c.memory == kv->config.memory && c.workers == kv->config.workers) {
		kv_cluster_limits(kv->cluster, c.item_max, c.response_max);
	} else {
		ret = create_cluster(&c, &cluster, err);
		if (ret)
			return ret;
		kv_cluster_adopt(cluster, kv->cluster);
		kv->cluster = cluster;
	}
	kv->config = c;
	return 0;
}

static void kv_fini(void *state)
{
	struct kv *kv = state;

	kv_cluster_destroy(kv->cluster);
	free(kv);
}

static int kv_worker_init(void *state, unsigned int index, void **worker)
{
	struct kv_worker *w = calloc(1, sizeof(*w));
	struct kv *kv = state;

	if (!w)
		return -ENOMEM;
	w->shard = kv_cluster_shard(kv->cluster, index);
	w->last = &w->first;
	w->reply_size = kv->config.reply_size;
	w->dialect = kv->dialect;
	*worker = w;
	return 0;
}

static void kv_worker_fini(void *worker)
{
	struct kv_worker *w = worker;
	struct exchange *x;

	while ((x = w->idle)) {
		w->idle = x->next;
		kv_session_fini(&x->session);
		free(x);
	}
	free(w);
}

/* Two protocols over one store: they differ in how they begin. */
#define KV_HANDLER(protocol, begin)			\
	{						\
		.abi = SLUICE_HANDLER_ABI,		\
		.size = sizeof(struct sluice_handler),	\
		.name = protocol,			\
		.check = kv_check,			\
		.init = begin,				\
		.reconfigure = kv_reconfigure,		\
		.fini = kv_fini,			\
		.worker_init = kv_worker_init,		\
		.worker_fini = kv_worker_fini,		\
		.serve = kv_serve,			\
		.poll = kv_poll,			\
		.fd = kv_fd,				\
		.sleep = kv_sleep,			\
		.wake = kv_wake,			\
		.busy = kv_busy,			\
		.tick = kv_tick,			\
		.stats = kv_stats_line,			\
	}

const struct sluice_handler handler_kv = KV_HANDLER("kv", kv_init);
const struct sluice_handler handler_redis = KV_HANDLER("redis", redis_init);
