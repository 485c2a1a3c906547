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
	KV_CMD_ADD,		/* signed, from 0 if there is no such key */
	KV_CMD_TTL,
	KV_CMD_EXISTS,
	KV_CMD_META,		/* mg, ms, md, ma, me */
	KV_CMD_FLUSH,
	KV_CMD_STATS,
	KV_CMD_STATS_RESET,
	KV_CMD_TEXT,		/* nothing to do but to answer with the text */
	KV_CMD_QUIT,		/* answer with the text, if any, and close */
};

enum kv_stats_kind { KV_STATS_GENERAL, KV_STATS_SETTINGS, KV_STATS_ITEMS, KV_STATS_SLABS };

/**
 * struct kv_meta - what the flags of a meta command say
 * @command: second letter of its name
 * @mode: M, 0: none
 * @name: the key as the client wrote it, @nname bytes
 * @flags: all of them, up to @flags_end: those that ask for something are answered in their order
 * @binary: b, the key is base64; @quiet: q; @value: v; @no_update: u; @invalidate: I
 * @ttl: T, with @new_ttl; @vivify_ttl: N, with @vivify; @recache_ttl: R, with @recache; as the client wrote them
 * @cas: C, with @has_cas; @delta: D; @initial: J; @client_flags: F
 */
struct kv_meta {
	char command;
	char mode;
	bool binary;
	bool quiet;
	bool value;
	bool no_update;
	bool invalidate;
	bool new_ttl;
	bool vivify;
	bool recache;
	bool has_cas;
	uint32_t nname;
	uint32_t client_flags;
	const char *name;
	const char *flags;
	const char *flags_end;
	int64_t ttl;
	int64_t vivify_ttl;
	int64_t recache_ttl;
	uint64_t cas;
	uint64_t delta;
	uint64_t initial;
};

/**
 * struct kv_op - work for the one shard that owns a key, or for every shard
 * @command: KV_CMD_GET (one key) to KV_CMD_STATS_RESET
 * @mode: KV_CMD_STORE: which
 * @want_cas: KV_CMD_GET: gets and gats
 * @touch: KV_CMD_GET: gat and gats, set @exptime
 * @add: KV_CMD_ARITH: incr
 * @resp: KV_CMD_GET: what is found, or that nothing is, in RESP
 * @key: points into the request, like @value.data
 * @exptime: as the client wrote it
 * @meta: KV_CMD_META
 * @status, @number: filled by kv_execute()
 */
struct kv_op {
	uint8_t command;
	uint8_t mode;
	bool want_cas;
	bool touch;
	bool add;
	bool resp;
	uint8_t status;
	uint32_t nkey;
	const char *key;
	int64_t exptime;
	struct kv_value value;
	uint64_t number;
	struct kv_meta meta;
};

/**
 * struct kv_cmd - a parsed command
 * @noreply: the client wants no response line
 * @stats: KV_CMD_STATS
 * @many: one operation for each key that the dialect's next() gives
 * @inlined: RESP: words parted by blanks, no bulk strings
 * @kind: what the dialect's functions agree on
 * @keys: @many: the rest of the command, up to @keys_end
 * @nkeys: RESP: how many operations there are
 * @done: @many: operations that ended with KV_OK or KV_STORED; @failed: those that found no room
 * @text: KV_CMD_TEXT and KV_CMD_QUIT
 * @size: bytes of the whole command; may reach beyond what is there if the value is not wanted
 * @decoded: a key that came in base64; not cleared
 */
struct kv_cmd {
	struct kv_op op;
	bool noreply;
	uint8_t stats;
	bool many;
	bool inlined;
	uint8_t kind;
	const char *keys;
	const char *keys_end;
	uint32_t nkeys;
	uint32_t done;
	uint32_t failed;
	const char *text;
	size_t size;
	char decoded[KV_KEY_MAX];
};

/* Make @cmd one that says nothing; but for @decoded, and what only meta commands look at, which clear it themselves. */
static inline void kv_cmd_clear(struct kv_cmd *cmd)
{
	memset(&cmd->op, 0, offsetof(struct kv_op, meta));
	memset((char *)cmd + offsetof(struct kv_cmd, noreply), 0,
	       offsetof(struct kv_cmd, decoded) - offsetof(struct kv_cmd, noreply));
}

/* What stats needs to know beside the sums over all shards. */
struct kv_server {
	uint32_t now;
	uint32_t started;
	uint32_t shards;
	uint32_t item_max;
	uint64_t memory;
};

/**
 * struct kv_dialect - a protocol: bytes to commands, results to bytes
 * @parse: cut one command out of @len bytes at @data; values beyond @item_max are not accepted. False if the command is
 *	not complete. Anything else is a command: what cannot be understood is a KV_CMD_TEXT that says so
 * @parse_get: the same for one that gets one key, in the form that most clients send. False: it is not that, or not complete.
 *	Of @cmd, which was clear or an earlier one's, it fills in what a get needs
 * @next: next operation of a command for many keys: 1 and @op filled, 0 at the end, -1 if a key is too long
 * @begin, @end: append what comes before and after the results of a command for many keys
 * @respond: append the response to an operation on one key
 * @all: append the response to what every shard has done; @sum for KV_CMD_STATS
 * @bad_key, @no_room, @incomplete, @no_slots: texts for a key that is too long, a response over the limit, a command that
 *	does not end in its message, and a response that does not fit the ring's slots
 */
struct kv_dialect {
	bool (*parse)(const char *data, size_t len, uint32_t item_max, struct kv_cmd *cmd);
	bool (*parse_get)(const char *data, size_t len, struct kv_cmd *cmd);
	int (*next)(struct kv_cmd *cmd, struct kv_op *op);
	void (*begin)(const struct kv_cmd *cmd, struct kv_buf *out);
	void (*end)(const struct kv_cmd *cmd, struct kv_buf *out);
	void (*respond)(const struct kv_cmd *cmd, const struct kv_op *op, struct kv_buf *out);
	void (*all)(const struct kv_cmd *cmd, const struct kv_stats *sum, const struct kv_server *server,
		    struct kv_buf *out);
	const char *bad_key;
	const char *no_room;
	const char *incomplete;
	const char *no_slots;
};

extern const struct kv_dialect kv_text;		/* memcached's */
extern const struct kv_dialect kv_resp;		/* a subset of Redis's */

/* Perform @op on a store. What a get finds is appended to @out, ready to send. */
void kv_execute(struct kv_store *s, struct kv_op *op, struct kv_buf *out);

/*
 * The same for a KV_CMD_GET, whose request may lie at the end of @out and is written over. False: what was found may take more
 * than @room bytes; nothing was done.
 */
bool kv_execute_get(struct kv_store *s, struct kv_op *op, struct kv_buf *out, size_t room);

/*
 * The meta command in a line that begins with its name; @data, @len: what follows the line. False: its value is not there
 * yet. It is performed, and its response appended, in one.
 */
bool kv_meta_parse(struct kv_cmd *cmd, const char *line, const char *end, const char *data, size_t len, uint32_t item_max);
void kv_meta_execute(struct kv_store *s, struct kv_op *op, struct kv_buf *out);

void kv_stats_add(struct kv_stats *sum, const struct kv_stats *s);
void kv_stats_print(struct kv_buf *out, enum kv_stats_kind kind, const struct kv_stats *sum,
		    const struct kv_server *server);

#define KV_ERROR	"ERROR\r\n"
#define KV_BAD_FORMAT	"CLIENT_ERROR bad command line format\r\n"
#define KV_BAD_CHUNK	"CLIENT_ERROR bad data chunk\r\n"
#define KV_TOO_LARGE_TEXT "SERVER_ERROR object too large for cache\r\n"
#define KV_END		"END\r\n"

#endif /* SLUICE_HANDLERS_KV_PROTO_H */
