// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/handlers/kv_resp.c: Redis's protocol over one shard and over several, and what is none of it. */
#include <stdio.h>

#include "kv_rig.h"

static void start(unsigned int n)
{
	start_with(&kv_resp, n, (uint64_t)n << 20, 1 << 20);
}

static const struct {
	const char *in;
	const char *out;
} table[] = {
	{ "PING\r\n", "+PONG\r\n" },
	{ "*1\r\n$4\r\nPING\r\n", "+PONG\r\n" },
	{ "*2\r\n$4\r\nping\r\n$2\r\nhi\r\n", "$2\r\nhi\r\n" },
	{ "ECHO there\n", "$5\r\nthere\r\n" },
	{ "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$-1\r\n" },
	{ "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n1\r\n2\r\n", "+OK\r\n" },
	{ "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$4\r\n1\r\n2\r\n" },
	{ "SET a 5 NX\r\n", "$-1\r\n" },
	{ "SET a 5 XX\r\n", "+OK\r\n" },
	{ "SET b 5 XX\r\n", "$-1\r\n" },
	{ "SET b 7 NX EX 100\r\n", "+OK\r\n" },
	{ "TTL b\r\n", ":100\r\n" },
	{ "SET b 7 PX 1500\r\n", "+OK\r\n" },
	{ "TTL b\r\n", ":2\r\n" },
	{ "PERSIST b\r\n", ":1\r\n" },
	{ "TTL b\r\n", ":-1\r\n" },
	{ "TTL none\r\n", ":-2\r\n" },
	{ "SET b 7 EX\r\n", "-ERR syntax error\r\n" },
	{ "SET b 7 EX x\r\n", "-ERR value is not an integer or out of range\r\n" },
	{ "SET b 7 NX XX\r\n", "-ERR syntax error\r\n" },
	{ "SETNX b 8\r\n", ":0\r\n" },
	{ "SETNX c 8\r\n", ":1\r\n" },
	{ "SETEX c 10 9\r\n", "+OK\r\n" },
	{ "EXPIRE c -1\r\n", ":1\r\n" },
	{ "GET c\r\n", "$-1\r\n" },
	{ "EXPIRE c 10\r\n", ":0\r\n" },
	{ "INCR n\r\n", ":1\r\n" },
	{ "INCRBY n 41\r\n", ":42\r\n" },
	{ "DECRBY n 50\r\n", ":-8\r\n" },
	{ "DECR n\r\n", ":-9\r\n" },
	{ "GET n\r\n", "$2\r\n-9\r\n" },
	{ "SET n 9223372036854775807\r\n", "+OK\r\n" },
	{ "INCR n\r\n", "-ERR value is not an integer or out of range\r\n" },
	{ "INCRBY n -9223372036854775808\r\n", ":-1\r\n" },
	{ "INCRBY n 9223372036854775808\r\n", "-ERR value is not an integer or out of range\r\n" },
	{ "SET n 5x\r\n", "+OK\r\n" },
	{ "INCR n\r\n", "-ERR value is not an integer or out of range\r\n" },
	{ "MSET x 1 y 2 z 3\r\n", "+OK\r\n" },
	{ "MSET x 1 y\r\n", "-ERR wrong number of arguments\r\n" },
	{ "MGET x none z y x\r\n", "*5\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n" },
	{ "EXISTS x y none x\r\n", ":3\r\n" },
	{ "DEL x none y\r\n", ":2\r\n" },
	{ "DBSIZE\r\n", ":4\r\n" },
	{ "CONFIG GET save\r\n", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n" },
	{ "COMMAND DOCS\r\n", "*0\r\n" },
	{ "SELECT 0\r\n", "+OK\r\n" },
	{ "HELLO 3\r\n", "-ERR unknown command\r\n" },
	{ "GET\r\n", "-ERR wrong number of arguments\r\n" },
	{ "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\nx\r\n", "-ERR empty key\r\n" },
	{ "\r\n", "" },
	{ "*0\r\n", "" },
	{ "*1\r\n$4\r\nPI", "" },
	{ "*1\r\n", "" },
	{ "*x\r\n", "-ERR Protocol error\r\n" },
	{ "*1\r\nPING\r\n", "-ERR Protocol error\r\n" },
	{ "*1\r\n$-4\r\nPING\r\n", "-ERR Protocol error\r\n" },
	{ "*1\r\n$4\r\nPINGxx", "-ERR Protocol error\r\n" },
	{ "*1\r\n$99999999999\r\n", "-ERR Protocol error\r\n" },
	{ "PING\r\n*1\r\n$4\r\nPING\r\nINCR k\r\n", "+PONG\r\n+PONG\r\n:1\r\n" },
	{ "FLUSHALL\r\n", "+OK\r\n" },
	{ "GET z\r\n", "$-1\r\n" },
	{ "QUIT\r\nPING\r\n", "+OK\r\n" },
};

static void whole_table(void)
{
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		says(table[i].in, table[i].out);
}

TEST(kv_resp__each_command_of_the_table)
{
	start(1);
	whole_table();
	stop();
}

TEST(kv_resp__the_same_over_several_shards)
{
	start(4);
	whole_table();
	stop();
}

TEST(kv_resp__values_over_the_limit_and_long_keys_are_errors)
{
	static char in[9000];
	int n;

	start(2);
	n = sprintf(in, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8193\r\n");
	memset(in + n, 'v', 8193);
	strcpy(in + n + 8193, "\r\n");
	says(in, "-ERR value too large\r\n");
	n = sprintf(in, "GET ");
	memset(in + n, 'k', 251);
	strcpy(in + n + 251, "\r\n");
	says(in, "-ERR a key has 1 to 250 bytes\r\n");
	stop();
}

/* A GET as clients write it is cut out in a way of its own: it must say what the other way does, which mixed case takes. */
TEST(kv_resp__a_get_is_like_any_other)
{
	char in[400], want[400];
	size_t k, len, cut;

	start(2);
	for (k = 0; k <= 252; k++) {
		char key[300];

		memset(key, 'k', k);
		key[k] = 0;
		if (k && k <= 250 && k % 3) {
			len = sprintf(in, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$2\r\nxy\r\n", k, key);
			run(in, len);
		}
		len = sprintf(in, "*2\r\n$3\r\nGeT\r\n$%zu\r\n%s\r\n", k, key);
		run(in, len);
		snprintf(want, sizeof(want), "%.*s", (int)session.out.len, session.out.data);
		memcpy(in + 8, "GET", 3);
		says(in, want);
		memcpy(in + 8, "get", 3);
		says(in, want);
		for (cut = 1; cut < len; cut++) {
			run(in, cut);
			EXPECT(!session.out.len && session.incomplete);
		}
	}
	says("*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n", "$-1\r\n");
	says("*2\r\n$3\r\nGET\r\n$1\r\nkk\r\n", "-ERR Protocol error\r\n");
	says("*2\r\n$3\r\nGET\r\n$+1\r\nk\r\n", "-ERR Protocol error\r\n");
	stop();
}

TEST(kv_resp__info_is_one_string)
{
	start(2);
	run("INFO\r\n", 6);
	EXPECT(session.out.len > 50 && session.out.data[0] == '$' &&
	       !memcmp(session.out.data + session.out.len - 2, "\r\n", 2));
	stop();
}

TEST(kv_resp__malformed_input_breaks_nothing)
{
	char in[256];
	size_t len;
	int round, k;

	start(3);
	srand(9);
	for (round = 0; round < 40000; round++) {
		const char *t = table[rand() % (sizeof(table) / sizeof(table[0]))].in;

		len = strlen(t);
		memcpy(in, t, len);
		for (k = rand() % 5; k > 0 && len; k--) {
			if (rand() % 3)
				in[rand() % len] = rand() % 2 ? rand() : "*$\r\n 0129-"[rand() % 10];
			else
				len = rand() % (len + 1);
		}
		run(in, len);
	}
	for (k = 0; k < 3; k++)
		EXPECT(!kv_store_verify(kv_shard_store(kv_cluster_shard(cluster, k))));
	stop();
}
