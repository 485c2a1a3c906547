// SPDX-License-Identifier: GPL-2.0-only
/* What the stats command prints, in memcached's names where there is one. */
#include <sys/resource.h>
#include <unistd.h>

#include "kv_proto.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "0.0.0"
#endif

void kv_stats_add(struct kv_stats *sum, const struct kv_stats *s)
{
#define KV_X(name) sum->name += s->name;
	KV_COUNTERS(KV_X)
	KV_X(curr_items) KV_X(bytes) KV_X(chunks) KV_X(chunks_used) KV_X(memory) KV_X(buckets)
#undef KV_X
}

static void stat(struct kv_buf *out, const char *name, uint64_t v)
{
	kv_buf_printf(out, "STAT %s %llu\r\n", name, (unsigned long long)v);
}

static void general(struct kv_buf *out, const struct kv_stats *sum, const struct kv_server *server)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	stat(out, "pid", getpid());
	stat(out, "uptime", server->now - server->started);
	stat(out, "time", server->now);
	kv_buf_printf(out, "STAT version %s\r\n", SLUICE_VERSION);
	stat(out, "pointer_size", 8 * sizeof(void *));
	kv_buf_printf(out, "STAT rusage_user %ld.%06ld\r\n", (long)usage.ru_utime.tv_sec,
		      (long)usage.ru_utime.tv_usec);
	kv_buf_printf(out, "STAT rusage_system %ld.%06ld\r\n", (long)usage.ru_stime.tv_sec,
		      (long)usage.ru_stime.tv_usec);
#define KV_X(name) stat(out, #name, sum->name);
	KV_COUNTERS(KV_X)
#undef KV_X
	stat(out, "threads", server->shards);
	stat(out, "hash_buckets", sum->buckets);
	stat(out, "limit_maxbytes", server->memory);
	stat(out, "bytes", sum->bytes);
	stat(out, "curr_items", sum->curr_items);
}

static void settings(struct kv_buf *out, const struct kv_server *server)
{
	stat(out, "maxbytes", server->memory);
	kv_buf_str(out, "STAT evictions on\r\n");
	stat(out, "chunk_size", KV_CHUNK);
	stat(out, "num_threads", server->shards);
	stat(out, "item_size_max", server->item_max);
	kv_buf_str(out, "STAT cas_enabled yes\r\nSTAT flush_enabled yes\r\nSTAT binding_protocol ascii\r\n"
			"STAT hash_algorithm sluice\r\nSTAT eviction clock\r\n");
}

/* There is one size of chunk: class 1. */
static void items(struct kv_buf *out, const struct kv_stats *sum)
{
	if (!sum->curr_items)
		return;
	stat(out, "items:1:number", sum->curr_items);
	stat(out, "items:1:mem_requested", sum->bytes);
	stat(out, "items:1:evicted", sum->evictions);
	stat(out, "items:1:evicted_unfetched", sum->evicted_unfetched);
	stat(out, "items:1:expired_unfetched", sum->expired_unfetched);
	stat(out, "items:1:outofmemory", sum->store_no_memory);
	stat(out, "items:1:reclaimed", sum->reclaimed);
}

static void slabs(struct kv_buf *out, const struct kv_stats *sum)
{
	stat(out, "1:chunk_size", KV_CHUNK);
	stat(out, "1:total_chunks", sum->chunks);
	stat(out, "1:used_chunks", sum->chunks_used);
	stat(out, "1:free_chunks", sum->chunks - sum->chunks_used);
	stat(out, "1:mem_requested", sum->bytes);
	stat(out, "active_slabs", 1);
	stat(out, "total_malloced", sum->memory);
}

void kv_stats_print(struct kv_buf *out, enum kv_stats_kind kind, const struct kv_stats *sum,
		    const struct kv_server *server)
{
	switch (kind) {
	case KV_STATS_GENERAL:
		general(out, sum, server);
		break;
	case KV_STATS_SETTINGS:
		settings(out, server);
		break;
	case KV_STATS_ITEMS:
		items(out, sum);
		break;
	case KV_STATS_SLABS:
		slabs(out, sum);
		break;
	}
	kv_buf_str(out, KV_END);
}
