/* SPDX-License-Identifier: GPL-2.0-only */
/* The memcached text protocol apart from any transport: commands from bytes, responses to bytes. */
#ifndef SLUICE_HANDLERS_KV_PROTO_H
#define SLUICE_HANDLERS_KV_PROTO_H

#include "kv_buf.h"
#include "kv_store.h"

#define KV_LINE_MAX	65536	/* bytes of a command line */

enum kv_command {
	KV_CMD_GET,		/* get, gets, gat, gats: keys follow, see kv_next_key() */
	KV_CMD_STORE,		/* set, add, replace, append, prepend, cas */
	KV_CMD_DELETE,
	KV_CMD_ARITH,		/* incr, decr */
	KV_CMD_TOUCH,
	KV_CMD_FLUSH,
	KV_CMD_STATS,
	KV_CMD_STATS_RESET,
	KV_CMD_TEXT,		/* nothing to do but to answer with the text */
	KV_CMD_QUIT,		/* answer with the text, if any, and close */
};

enum kv_stats_kind { KV_STATS_GENERAL, KV_STATS_SETTINGS, KV_STATS_ITEMS, KV_STATS_SLABS };

/**
 * struct kv_op - work for the one shard that owns a key, or for every shard
 * @command: KV_CMD_GET (one key) to KV_CMD_STATS_RESET
 * @mode: KV_CMD_STORE: which
 * @want_cas: KV_CMD_GET: gets and gats
 * @touch: KV_CMD_GET: gat and gats, set @exptime
 * @add: KV_CMD_ARITH: incr
 * @key: points into the request, like @value.data
 * @exptime: as the client wrote it
 * @status, @number: filled by kv_execute()
 */
struct kv_op {
	uint8_t command;
	uint8_t mode;
	bool want_cas;
	bool touch;
	bool add;
	uint8_t status;
	uint32_t nkey;
	const char *key;
	int64_t exptime;
	struct kv_value value;
	uint64_t number;
};

/**
 * struct kv_cmd - a parsed command
 * @noreply: the client wants no response line
 * @stats: KV_CMD_STATS
 * @keys: KV_CMD_GET: the rest of the line, up to @keys_end
 * @text: KV_CMD_TEXT and KV_CMD_QUIT
 * @size: bytes of the whole command; may reach beyond what is there if the value is not wanted
 */
struct kv_cmd {
	struct kv_op op;
	bool noreply;
	uint8_t stats;
	const char *keys;
	const char *keys_end;
	const char *text;
	size_t size;
};

/**
 * kv_parse() - cut one command out of a stream of bytes
 * @data, @len: what is there
 * @item_max: largest value that will be accepted
 * @cmd: filled
 *
 * Return: false if the command is not complete. Anything else is a command: what cannot be understood is a
 * KV_CMD_TEXT that says so.
 */
bool kv_parse(const char *data, size_t len, uint32_t item_max, struct kv_cmd *cmd);

/* Next key of a KV_CMD_GET: 1 and @op filled, 0 at the end, -1 if the key is longer than KV_KEY_MAX. */
int kv_next_key(struct kv_cmd *cmd, struct kv_op *op);

/* Perform @op on a store. What a get finds is appended to @out, ready to send. */
void kv_execute(struct kv_store *s, struct kv_op *op, struct kv_buf *out);

/* Append the response line of a performed KV_CMD_STORE, DELETE, ARITH or TOUCH. */
void kv_respond(const struct kv_op *op, struct kv_buf *out);

/* What stats needs to know beside the sums over all shards. */
struct kv_server {
	uint32_t now;
	uint32_t started;
	uint32_t shards;
	uint32_t item_max;
	uint64_t memory;
};

void kv_stats_add(struct kv_stats *sum, const struct kv_stats *s);
void kv_stats_print(struct kv_buf *out, enum kv_stats_kind kind, const struct kv_stats *sum,
		    const struct kv_server *server);

#define KV_ERROR	"ERROR\r\n"
#define KV_BAD_FORMAT	"CLIENT_ERROR bad command line format\r\n"
#define KV_BAD_CHUNK	"CLIENT_ERROR bad data chunk\r\n"
#define KV_TOO_LARGE_TEXT "SERVER_ERROR object too large for cache\r\n"
#define KV_END		"END\r\n"

#endif /* SLUICE_HANDLERS_KV_PROTO_H */
