// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/handlers/kv_proto.c and kv_session.c on one shard: text in, text out, and text that is none. */
#include "kv_rig.h"

static void start(void)
{
	start_with(&kv_text, 1, 1 << 20, 1 << 20);
}

static const struct {
	const char *in;
	const char *out;
} table[] = {
	{ "get a\r\n", "END\r\n" },
	{ "set a 7 0 3\r\nabc\r\n", "STORED\r\n" },
	{ "get a\r\n", "VALUE a 7 3\r\nabc\r\nEND\r\n" },
	{ "get a a b\r\n", "VALUE a 7 3\r\nabc\r\nVALUE a 7 3\r\nabc\r\nEND\r\n" },
	{ "gets a\r\n", "VALUE a 7 3 1\r\nabc\r\nEND\r\n" },
	{ "cas a 0 0 1 2\r\nx\r\n", "EXISTS\r\n" },
	{ "cas a 0 0 1 1\r\nx\r\n", "STORED\r\n" },
	{ "cas none 0 0 1 1\r\nx\r\n", "NOT_FOUND\r\n" },
	{ "add a 0 0 1\r\ny\r\n", "NOT_STORED\r\n" },
	{ "replace b 0 0 1\r\ny\r\n", "NOT_STORED\r\n" },
	{ "append a 0 0 1\r\ny\r\n", "STORED\r\n" },
	{ "prepend a 0 0 1\r\nw\r\n", "STORED\r\n" },
	{ "get a\n", "VALUE a 0 3\r\nwxy\r\nEND\r\n" },
	{ "delete a\r\n", "DELETED\r\n" },
	{ "delete a\r\n", "NOT_FOUND\r\n" },
	{ "set a 0 0 1 noreply\r\nz\r\n", "" },
	{ "delete a noreply\r\n", "" },
	{ "incr n 1\r\n", "NOT_FOUND\r\n" },
	{ "set n 0 0 2\r\n41\r\n", "STORED\r\n" },
	{ "incr n 1\r\n", "42\r\n" },
	{ "decr n 50\r\n", "0\r\n" },
	{ "incr n x\r\n", "CLIENT_ERROR invalid numeric delta argument\r\n" },
	{ "touch n 100\r\n", "TOUCHED\r\n" },
	{ "touch none 100\r\n", "NOT_FOUND\r\n" },
	{ "gat 100 n none\r\n", "VALUE n 0 2\r\n0 \r\nEND\r\n" },
	{ "touch n -1\r\n", "TOUCHED\r\n" },
	{ "get n\r\n", "END\r\n" },
	{ "set a 0 0 5\r\nabc\r\n", "" },
	{ "set a 0 0 1\r\nabc\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\n" },
	{ "set a x 0 1\r\na\r\n", "CLIENT_ERROR bad command line format\r\nERROR\r\n" },
	{ "set a 0 0 -1\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "set a 0 0 8193\r\n", "SERVER_ERROR object too large for cache\r\n" },
	{ "set a 0 0 2147483647\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "set a 0 0 99999999999999999999\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "bogus\r\n", "ERROR\r\n" },
	{ "\r\n", "ERROR\r\n" },
	{ "\n", "ERROR\r\n" },
	{ "get\r\n", "ERROR\r\n" },
	{ "version\r\n", "VERSION 0.0.0\r\n" },
	{ "verbosity 1\r\n", "OK\r\n" },
	{ "verbosity 1 noreply\r\n", "" },
	{ "flush_all\r\n", "OK\r\n" },
	{ "flush_all noreply\r\n", "" },
	{ "stats reset\r\n", "RESET\r\n" },
	{ "quit\r\nget a\r\n", "" },
	{ "set p 0 0 1\r\n1\r\nget p\r\nincr p 1\r\n", "STORED\r\nVALUE p 0 1\r\n1\r\nEND\r\n2\r\n" },
};

TEST(kv_session__each_command_of_the_table)
{
	size_t i;

	start();
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		says(table[i].in, table[i].out);
	stop();
}

TEST(kv_session__says_where_an_unfinished_command_begins)
{
	start();
	says("get a\r\nset a 0 0 5\r\nab", "END\r\n");
	EXPECT(session.incomplete);
	EXPECT_EQ(session.pos, 7);
	says("get a", "");
	EXPECT(session.incomplete);
	stop();
}

TEST(kv_session__keys_of_250_bytes_and_no_more)
{
	char in[400], out[400], key[252];

	start();
	memset(key, 'k', sizeof(key));
	key[250] = 0;
	snprintf(in, sizeof(in), "set %s 0 0 1\r\nx\r\n", key);
	says(in, "STORED\r\n");
	snprintf(in, sizeof(in), "get %s\r\n", key);
	snprintf(out, sizeof(out), "VALUE %s 0 1\r\nx\r\nEND\r\n", key);
	says(in, out);
	key[250] = 'k';
	key[251] = 0;
	snprintf(in, sizeof(in), "get a %s\r\n", key);
	says(in, "CLIENT_ERROR bad command line format\r\n");
	stop();
}

/* One key behind one space is cut out in a way of its own: it must say what the other way does. */
TEST(kv_session__a_get_of_one_key_is_like_any_other)
{
	static const char *const ends[] = { "\r\n", "\n", " \r\n", "\r\r\n", "\rx\r\n", "" };
	char in[400], want[2000], key[300];
	size_t k, e, len;

	start();
	for (k = 0; k <= 252; k++) {
		memset(key, 'k', k);
		key[k] = 0;
		if (k && k <= 250 && k % 3) {
			snprintf(in, sizeof(in), "set %s 5 0 2\r\nxy\r\n", key);
			says(in, "STORED\r\n");
		}
		for (e = 0; e < sizeof(ends) / sizeof(ends[0]); e++) {
			snprintf(in, sizeof(in), "get  %s%s", key, ends[e]);
			run(in, strlen(in));
			len = session.out.len;
			memcpy(want, session.out.data, len);
			want[len] = 0;
			snprintf(in, sizeof(in), "get %s%s", key, ends[e]);
			says(in, want);
			EXPECT_EQ(session.incomplete, !*ends[e]);
		}
	}
	for (k = 0; k < 7; k++) {
		run("get key\r\n", k);
		EXPECT_EQ(session.out.len, 0);
	}
	stop();
}

TEST(kv_session__a_response_over_the_limit_is_an_error_and_the_next_is_not)
{
	static char in[8300];
	int n;

	start_with(&kv_text, 1, 1 << 20, 4096);
	n = snprintf(in, sizeof(in), "set a 0 0 3000\r\n");
	memset(in + n, 'v', 3000);
	memcpy(in + n + 3000, "\r\n", 2);
	run(in, n + 3002);
	says("get b a a\r\nget b\r\n", "SERVER_ERROR out of memory writing get response\r\nEND\r\n");
	run("get a\r\n", 7);
	EXPECT_EQ(session.out.len, 18 + 3000 + 2 + 5 - 2);
	stop();
}

TEST(kv_session__stats_count_each_flush_once)
{
	static const char want[] = "STAT cmd_flush 1\r\n";

	start();
	says("flush_all\r\n", "OK\r\n");
	run("stats\r\n", 7);
	EXPECT(memmem(session.out.data, session.out.len, want, strlen(want)));
	run("stats items\r\nstats slabs\r\nstats settings\r\nstats sizes\r\nstats what\r\n", 66);
	stop();
}

/* Commands bent at random: nothing may be read outside of them, and the store stays sound. */
TEST(kv_session__malformed_input_breaks_nothing)
{
	char in[512];
	size_t len;
	int round, k, bends;

	start_with(&kv_text, 1, 64 << 10, 1 << 20);
	srand(3);
	for (round = 0; round < 60000; round++) {
		len = 0;
		do {
			const char *t = table[rand() % (sizeof(table) / sizeof(table[0]))].in;

			if (len + strlen(t) > sizeof(in))
				break;
			memcpy(in + len, t, strlen(t));
			len += strlen(t);
		} while (rand() % 3);
		bends = rand() % 6;
		for (k = 0; k < bends && len; k++) {
			switch (rand() % 4) {
			case 0:
				in[rand() % len] = rand();
				break;
			case 1:
				len = rand() % (len + 1);
				break;
			case 2:
				in[rand() % len] = " \r\n0-9"[rand() % 6];
				break;
			default:
				memmove(in, in + len / 3, len - len / 3);
				len -= len / 3;
			}
		}
		run(in, len);
		if (round % 5000 == 0)
			kv_shard_clock(kv_cluster_shard(cluster, 0), NOW + round / 100);
	}
	stop();
}

TEST(kv_text_parse__a_line_without_an_end_closes)
{
	static char in[KV_LINE_MAX + 10];
	struct kv_cmd cmd;

	memset(in, 'x', sizeof(in));
	EXPECT(!kv_text.parse(in, KV_LINE_MAX - 1, 100, &cmd));
	EXPECT(kv_text.parse(in, sizeof(in), 100, &cmd));
	EXPECT_EQ(cmd.op.command, KV_CMD_QUIT);
}
