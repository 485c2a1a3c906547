// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/handlers/kv_meta.c: the answers are those that memcached 1.6.18 gave to the same commands. */
#include "kv_rig.h"

static void start(void)
{
	start_with(&kv_text, 1, 1 << 20, 1 << 20);
}

/* In the order in which memcached was given them. */
static const struct {
	const char *in;
	const char *out;
} table[] = {
	{ "mn\r\n", "MN\r\n" },
	{ "mn x\r\n", "MN\r\n" },
	{ "mg\r\n", "ERROR\r\n" },
	{ "mg a\r\n", "EN\r\n" },
	{ "mg a v\r\n", "EN\r\n" },
	{ "mg a k O1 q\r\n", "" },
	{ "mg a k O1\r\n", "EN ka O1\r\n" },
	{ "ms a 3\r\nabc\r\n", "HD\r\n" },
	{ "mg a\r\n", "HD\r\n" },
	{ "mg a v\r\n", "VA 3\r\nabc\r\n" },
	{ "mg a s v t f c k O123 h l\r\n", "VA 3 s3 t-1 f0 c1 ka O123 h1 l0\r\nabc\r\n" },
	{ "mg a h l t\r\n", "HD h1 l0 t-1\r\n" },
	{ "mg a v v\r\n", "CLIENT_ERROR duplicate flag\r\n" },
	{ "mg a !\r\n", "CLIENT_ERROR invalid flag\r\n" },
	{ "mg a z\r\n", "CLIENT_ERROR invalid flag\r\n" },
	{ "mg a T30 t\r\n", "HD t30\r\n" },
	{ "mg a t\r\n", "HD t30\r\n" },
	{ "mg a Tx\r\n", "CLIENT_ERROR bad token in command line format\r\n" },
	{ "mg a q k\r\n", "HD ka\r\n" },
	{ "ms\r\n", "ERROR\r\n" },
	{ "ms a\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "ms a x\r\nabc\r\n", "CLIENT_ERROR bad command line format\r\nERROR\r\n" },
	{ "ms a 3 T0 F5 c k O9\r\nxyz\r\n", "HD c2 ka O9\r\n" },
	{ "mg a f v t\r\n", "VA 3 f5 t-1\r\nxyz\r\n" },
	{ "ms a 3 MA\r\n123\r\n", "HD\r\n" },
	{ "mg a v\r\n", "VA 6\r\nxyz123\r\n" },
	{ "ms a 1 MP\r\n0\r\n", "HD\r\n" },
	{ "mg a v\r\n", "VA 7\r\n0xyz123\r\n" },
	{ "ms b 1 MA\r\nx\r\n", "NS\r\n" },
	{ "ms b 1 MA N60\r\nx\r\n", "NS\r\n" },
	{ "mg b v t\r\n", "EN\r\n" },
	{ "ms b 1 ME\r\ny\r\n", "HD\r\n" },
	{ "ms b 1 Ma\r\ny\r\n", "CLIENT_ERROR invalid mode for ms M token\r\n" },
	{ "ms c 1 MR\r\ny\r\n", "NS\r\n" },
	{ "ms c 1 MX\r\ny\r\n", "CLIENT_ERROR invalid mode for ms M token\r\n" },
	{ "ms c 1 MSS\r\ny\r\n", "CLIENT_ERROR incorrect length for M token\r\n" },
	{ "ms c 1 M\r\ny\r\n", "CLIENT_ERROR incorrect length for M token\r\n" },
	{ "ms c 1 q\r\ny\r\n", "" },
	{ "ms c 1 ME q\r\ny\r\n", "NS\r\n" },
	{ "ms c 1 C99999\r\nz\r\n", "EX\r\n" },
	{ "ms nokey 1 C99999\r\nz\r\n", "NF\r\n" },
	{ "ms c 1 C1 q\r\nz\r\n", "EX\r\n" },
	{ "ms c 1 s\r\nq\r\n", "HD\r\n" },
	{ "ms c 1 Fx\r\nq\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "ms c 1 I\r\nq\r\n", "HD\r\n" },
	{ "mg c v\r\n", "VA 1\r\nq\r\n" },
	{ "ms c 3\r\nqqqq\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\n" },
	{ "ms c 3 S3\r\nqqq\r\n", "CLIENT_ERROR invalid flag\r\n" },
	{ "md\r\n", "ERROR\r\n" },
	{ "md c\r\n", "HD\r\n" },
	{ "md c\r\n", "NF\r\n" },
	{ "md c q\r\n", "NF\r\n" },
	{ "md c k O5\r\n", "NF kc O5\r\n" },
	{ "md a C1\r\n", "EX\r\n" },
	{ "md a q\r\n", "" },
	{ "mg a\r\n", "EN\r\n" },
	{ "ma n\r\n", "NF\r\n" },
	{ "ma n N0\r\n", "HD\r\n" },
	{ "ma n\r\n", "HD\r\n" },
	{ "ma n v\r\n", "VA 1\r\n2\r\n" },
	{ "ma n v t c k Oq\r\n", "VA 1 t-1 c12 kn Oq\r\n3\r\n" },
	{ "ma n D10 v\r\n", "VA 2\r\n13\r\n" },
	{ "ma n MD D3 v\r\n", "VA 2\r\n10\r\n" },
	{ "ma n M- v\r\n", "VA 1\r\n9\r\n" },
	{ "ma n M+ v\r\n", "VA 2\r\n10\r\n" },
	{ "ma n MI v\r\n", "VA 2\r\n11\r\n" },
	{ "ma n Md D100 v\r\n", "CLIENT_ERROR invalid mode for ma M token\r\n" },
	{ "ma n MX\r\n", "CLIENT_ERROR invalid mode for ma M token\r\n" },
	{ "ma n Dx\r\n", "CLIENT_ERROR invalid or duplicate flag\r\n" },
	{ "ma n Jx\r\n", "CLIENT_ERROR invalid or duplicate flag\r\n" },
	{ "ma j N30 J50 v t\r\n", "VA 2 t30\r\n50\r\n" },
	{ "ma j D5 v\r\n", "VA 2\r\n55\r\n" },
	{ "ma j q\r\n", "" },
	{ "ma j T99 v t\r\n", "VA 2 t99\r\n57\r\n" },
	{ "ma b\r\n", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n" },
	{ "ma nn q\r\n", "NF\r\n" },
	{ "ma n C1 v\r\n", "EX\r\n" },
	{ "me none\r\n", "EN\r\n" },
	{ "me\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "me n b\r\n", "CLIENT_ERROR bad command line format\r\n" },
	{ "mg Zm9v b\r\n", "EN\r\n" },
	{ "ms Zm9v 2 b\r\nhi\r\n", "HD\r\n" },
	{ "mg Zm9v b k v\r\n", "VA 2 kZm9v b\r\nhi\r\n" },
	{ "mg foo k v\r\n", "VA 2 kZm9v b\r\nhi\r\n" },
	{ "mg Zm9 b\r\n", "CLIENT_ERROR error decoding key\r\n" },
	{ "ms !!! 2 b\r\nhi\r\n", "CLIENT_ERROR error decoding key\r\n" },
	{ "md Zm9v b k\r\n", "HD kZm9v b\r\n" },
	{ "mg viv N30 v t\r\n", "VA 0 t30 W\r\n\r\n" },
	{ "mg viv N30 v t\r\n", "VA 0 t30 Z\r\n\r\n" },
	{ "mg viv v\r\n", "VA 0 Z\r\n\r\n" },
	{ "mg viv R60 t\r\n", "HD t30 Z\r\n" },
	{ "ms viv 2\r\nxx\r\n", "HD\r\n" },
	{ "mg viv R60 t\r\n", "HD t-1\r\n" },
	{ "ms viv 2 T30\r\nxx\r\n", "HD\r\n" },
	{ "mg viv R60 t\r\n", "HD t30 W\r\n" },
	{ "mg viv R60 t\r\n", "HD t30 Z\r\n" },
	{ "md viv I T20\r\n", "HD\r\n" },
	{ "mg viv v t c\r\n", "VA 2 t20 c26 X W\r\nxx\r\n" },
	{ "mg viv v t\r\n", "VA 2 t20 Z X\r\nxx\r\n" },
	{ "ms viv 2 I C1\r\nyy\r\n", "HD\r\n" },
	{ "mg viv v\r\n", "VA 2 Z X\r\nyy\r\n" },
	{ "md viv x\r\n", "CLIENT_ERROR invalid or duplicate flag\r\n" },
	{ "mg viv v f\r\n", "VA 2 f0 Z X\r\nyy\r\n" },
	{ "mg viv E5 c\r\n", "CLIENT_ERROR invalid flag\r\n" },
	{ "ms viv 1 E555 c\r\nz\r\n", "CLIENT_ERROR invalid flag\r\n" },
	{ "mg viv c\r\n", "HD c27 Z X\r\n" },
	{ "mg viv v q k O77\r\n", "VA 2 kviv O77 Z X\r\nyy\r\n" },
	{ "mg viv u h l\r\n", "HD h1 l0 Z X\r\n" },
	{ "md nope I\r\n", "NF\r\n" },
	{ "mg viv L P\r\n", "HD Z X\r\n" },
	{ "mg viv S1\r\n", "CLIENT_ERROR invalid flag\r\n" },
	{ "ma viv E7 v\r\n", "CLIENT_ERROR invalid or duplicate flag\r\n" },
	{ "mn\r\n", "MN\r\n" },
	{ "mg a b c d\r\n", "CLIENT_ERROR invalid flag\r\n" },
};

TEST(kv_meta__each_command_as_memcached_answers_it)
{
	size_t i;

	start();
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		says(table[i].in, table[i].out);
	stop();
}

TEST(kv_meta__what_is_over_as_soon_as_it_is_stored)
{
	start();
	says("ms e 1 T-1\r\nx\r\n", "HD\r\n");
	says("mg e v\r\n", "EN\r\n");
	says("ms e 1 T-1 k O9\r\nx\r\n", "HD ke O9\r\n");
	says("ms e 1 T3333320\r\nx\r\n", "HD\r\n");
	says("mg e v\r\n", "EN\r\n");
	says("mg e N-1 v\r\n", "VA 0 W\r\n\r\n");
	says("mg e N-1 k\r\n", "HD ke W\r\n");
	says("mg e N3333320\r\n", "HD W\r\n");
	says("mg e v\r\n", "EN\r\n");
	says("ma e N-1 J5 v\r\n", "VA 1\r\n5\r\n");
	says("ma e N-1 J5\r\n", "HD\r\n");
	says("set e 0 0 1\r\n5\r\n", "STORED\r\n");
	says("ma e T-1 v\r\n", "VA 1\r\n6\r\n");
	says("ma e v\r\n", "NF\r\n");
	says("set e 0 0 1\r\n5\r\n", "STORED\r\n");
	says("ma e T-1 k\r\n", "HD ke\r\n");
	says("mg e v\r\n", "EN\r\n");
	stop();
}

TEST(kv_meta__keys_in_base64_come_back_as_they_came)
{
	static const char *const keys[] = { "AA==", "AAA=", "AAAA", "/+8=", "Zm9vYmFy", "AGEgYg0K" };
	char in[256], out[256];
	size_t i;

	start();
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(in, sizeof(in), "ms %s 1 b F%zu\r\nx\r\n", keys[i], i);
		says(in, "HD\r\n");
	}
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(in, sizeof(in), "mg %s b f k v\r\n", keys[i]);
		snprintf(out, sizeof(out), "VA 1 f%zu k%s b\r\nx\r\n", i, keys[i]);
		says(in, out);
	}
	says("mg Zm=v b\r\n", "CLIENT_ERROR error decoding key\r\n");
	says("mg ==== b\r\n", "CLIENT_ERROR error decoding key\r\n");
	says("mg Zm9v= b\r\n", "CLIENT_ERROR error decoding key\r\n");
	says("mg foobar k\r\n", "HD kZm9vYmFy b\r\n");
	stop();
}

TEST(kv_meta__what_a_second_client_sees_of_a_key_that_is_fetched_anew)
{
	start();
	/* made by the first to ask, who is told to fill it; the others are told that somebody does */
	says("mg a v N30\r\n", "VA 0 W\r\n\r\n");
	says("mg a v N30\r\n", "VA 0 Z\r\n\r\n");
	says("ms a 1 T90\r\nx\r\n", "HD\r\n");
	says("mg a v R30\r\n", "VA 1\r\nx\r\n");
	kv_shard_clock(kv_cluster_shard(cluster, 0), NOW + 61);
	/* soon over: one of them fetches it anew */
	says("mg a v t R30\r\n", "VA 1 t29 W\r\nx\r\n");
	says("mg a v t R30\r\n", "VA 1 t29 Z\r\nx\r\n");
	/* invalidated: still there, and one fetches it */
	says("md a I T30\r\n", "HD\r\n");
	says("mg a v\r\n", "VA 1 X W\r\nx\r\n");
	says("mg a v\r\n", "VA 1 Z X\r\nx\r\n");
	kv_shard_clock(kv_cluster_shard(cluster, 0), NOW + 91);
	says("mg a v\r\n", "EN\r\n");
	stop();
}

TEST(kv_meta__hits_and_the_time_since_them)
{
	start();
	says("ms a 1\r\nx\r\n", "HD\r\n");
	kv_shard_clock(kv_cluster_shard(cluster, 0), NOW + 5);
	says("mg a h l u\r\n", "HD h0 l5\r\n");
	says("mg a h l\r\n", "HD h0 l5\r\n");
	kv_shard_clock(kv_cluster_shard(cluster, 0), NOW + 7);
	says("mg a h l\r\n", "HD h1 l2\r\n");
	says("me a\r\n", "ME a exp=-1 la=0 cas=1 fetch=yes cls=1 size=44\r\n");
	stop();
}

TEST(kv_meta__a_value_over_the_limit_or_not_there)
{
	start();
	says("ms a 8193\r\n", "SERVER_ERROR object too large for cache\r\n");
	says("ms a 5\r\nabc", "");
	EXPECT(session.incomplete);
	says("ms a 2147483647\r\n", "CLIENT_ERROR bad command line format\r\n");
	says("mg a O012345678901234567890123456789012\r\n", "CLIENT_ERROR opaque token too long\r\n");
	stop();
}

/* Commands bent at random: nothing may be read outside of them, and the store stays sound. */
TEST(kv_meta__malformed_input_breaks_nothing)
{
	char in[512];
	size_t len;
	int round, k;

	start();
	srand(5);
	for (round = 0; round < 40000; round++) {
		len = 0;
		do {
			const char *t = table[rand() % (sizeof(table) / sizeof(table[0]))].in;

			if (len + strlen(t) > sizeof(in))
				break;
			memcpy(in + len, t, strlen(t));
			len += strlen(t);
		} while (rand() % 3);
		for (k = rand() % 5; k && len; k--) {
			if (rand() % 3)
				in[rand() % len] = rand() % 2 ? rand() : " \r\n=bNTCkvq"[rand() % 11];
			else
				len = rand() % (len + 1);
		}
		run(in, len);
	}
	stop();
}
