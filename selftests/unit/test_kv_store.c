// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/handlers/kv_store.c and kv_chunk.c: items in bounded memory against a model that remembers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/kv_store.h"
#include "ktap.h"

#define NOW	1700000000u
#define MEMORY	(256u << 10)

static struct kv_store *s;

static void start(void)
{
	EXPECT_EQ(kv_store_create(&s, MEMORY, 100000, 7), 0);
	kv_store_clock(s, NOW);
}

static void stop(void)
{
	const char *wrong = kv_store_verify(s);

	if (wrong)
		ktap_fail(__FILE__, __LINE__, "%s", wrong);
	kv_store_destroy(s);
}

static enum kv_status put(enum kv_mode mode, const char *key, const char *value, uint32_t exptime)
{
	struct kv_value v = { .data = value, .nbytes = strlen(value), .flags = 5, .exptime = exptime };

	return kv_store_put(s, mode, key, strlen(key), &v);
}

static struct kv_item *find(const char *key)
{
	return kv_store_find(s, key, strlen(key));
}

static bool holds(const char *key, const char *value)
{
	struct kv_item *it = find(key);
	char text[4096];

	if (!it || it->nbytes != strlen(value))
		return false;
	kv_item_copy(s, it, 0, text, it->nbytes);
	return !memcmp(text, value, it->nbytes);
}

TEST(kv_store_put__follows_each_mode)
{
	start();
	EXPECT_EQ(put(KV_MODE_REPLACE, "a", "x", 0), KV_NOT_STORED);
	EXPECT_EQ(put(KV_MODE_APPEND, "a", "x", 0), KV_NOT_STORED);
	EXPECT_EQ(put(KV_MODE_ADD, "a", "one", 0), KV_STORED);
	EXPECT_EQ(put(KV_MODE_ADD, "a", "two", 0), KV_NOT_STORED);
	EXPECT(holds("a", "one"));
	EXPECT_EQ(put(KV_MODE_REPLACE, "a", "three", 0), KV_STORED);
	EXPECT_EQ(put(KV_MODE_APPEND, "a", "+", 0), KV_STORED);
	EXPECT_EQ(put(KV_MODE_PREPEND, "a", "-", 0), KV_STORED);
	EXPECT(holds("a", "-three+"));
	EXPECT_EQ(kv_store_delete(s, "a", 1), KV_OK);
	EXPECT_EQ(kv_store_delete(s, "a", 1), KV_NOT_FOUND);
	EXPECT(!find("a"));
	stop();
}

TEST(kv_store_put__cas_replaces_only_the_version_it_names)
{
	struct kv_value v = { .data = "new", .nbytes = 3 };

	start();
	EXPECT_EQ(kv_store_put(s, KV_MODE_CAS, "a", 1, &v), KV_NOT_FOUND);
	put(KV_MODE_SET, "a", "old", 0);
	v.cas = find("a")->cas;
	put(KV_MODE_SET, "a", "old2", 0);
	EXPECT_EQ(kv_store_put(s, KV_MODE_CAS, "a", 1, &v), KV_EXISTS);
	v.cas = find("a")->cas;
	EXPECT_EQ(kv_store_put(s, KV_MODE_CAS, "a", 1, &v), KV_STORED);
	EXPECT_NE(find("a")->cas, v.cas);
	EXPECT(holds("a", "new"));
	stop();
}

TEST(kv_store_put__value_over_the_limit_forgets_the_old_one)
{
	char *big = calloc(1, 200000);
	struct kv_value v = { .data = big, .nbytes = 100001 };

	start();
	put(KV_MODE_SET, "a", "old", 0);
	EXPECT_EQ(kv_store_put(s, KV_MODE_ADD, "a", 1, &v), KV_TOO_LARGE);
	EXPECT(holds("a", "old"));
	EXPECT_EQ(kv_store_put(s, KV_MODE_SET, "a", 1, &v), KV_TOO_LARGE);
	EXPECT(!find("a"));
	free(big);
	stop();
}

TEST(kv_store_put__what_no_eviction_makes_room_for_is_refused)
{
	char *big = calloc(1, MEMORY);
	struct kv_value v = { .data = big, .nbytes = MEMORY };

	start();
	kv_store_set_item_max(s, UINT32_MAX);
	put(KV_MODE_SET, "b", "stays", 0);
	EXPECT_EQ(kv_store_put(s, KV_MODE_SET, "a", 1, &v), KV_NO_MEMORY);
	EXPECT_EQ(kv_store_stats(s)->store_no_memory, 1);
	free(big);
	stop();
}

TEST(kv_store__lengths_around_each_chunk)
{
	char value[1024], got[1024];
	struct kv_value v = { .data = value };
	struct kv_item *it;
	uint32_t n, i;

	start();
	for (i = 0; i < sizeof(value); i++)
		value[i] = i * 7;
	for (n = 0; n <= sizeof(value); n++) {
		v.nbytes = n;
		EXPECT_EQ(kv_store_put(s, KV_MODE_SET, "a", 1, &v), KV_STORED);
		it = find("a");
		EXPECT(it && it->nbytes == n);
		for (i = 0; i < n; i += 37) {
			kv_item_copy(s, it, i, got, n - i);
			EXPECT(!memcmp(got, value + i, n - i));
		}
	}
	stop();
}

TEST(kv_store_find__expired_at_its_second)
{
	start();
	put(KV_MODE_SET, "a", "x", NOW + 10);
	kv_store_clock(s, NOW + 9);
	EXPECT(find("a"));
	kv_store_clock(s, NOW + 10);
	EXPECT(!find("a"));
	EXPECT_EQ(kv_store_stats(s)->reclaimed, 1);
	stop();
}

TEST(kv_expiry__seconds_dates_never_and_at_once)
{
	EXPECT_EQ(kv_expiry(0, NOW), 0);
	EXPECT(kv_expiry(-1, NOW) && kv_expiry(-1, NOW) <= NOW);
	EXPECT_EQ(kv_expiry(60, NOW), NOW + 60);
	EXPECT_EQ(kv_expiry(60 * 60 * 24 * 30, NOW), NOW + 60 * 60 * 24 * 30);
	EXPECT_EQ(kv_expiry(60 * 60 * 24 * 30 + 1, NOW), 60 * 60 * 24 * 30 + 1);
	EXPECT_EQ(kv_expiry(INT64_MAX, NOW), 0);
}

TEST(kv_store_crawl__frees_what_nobody_asks_for)
{
	char key[16];
	int i;

	start();
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put(KV_MODE_SET, key, "x", i % 2 ? NOW + 5 : 0);
	}
	kv_store_clock(s, NOW + 5);
	kv_store_crawl(s, 100000);
	EXPECT_EQ(kv_store_stats(s)->curr_items, 50);
	EXPECT(find("k0") && !find("k1"));
	stop();
}

TEST(kv_store_flush__now_and_later)
{
	start();
	put(KV_MODE_SET, "a", "x", 0);
	kv_store_flush(s, NOW);
	EXPECT(!find("a"));
	put(KV_MODE_SET, "b", "x", 0);
	EXPECT(find("b"));
	kv_store_flush(s, NOW + 10);
	EXPECT(find("b"));
	kv_store_clock(s, NOW + 10);
	EXPECT(!find("b"));
	put(KV_MODE_SET, "b", "y", 0);
	EXPECT(holds("b", "y"));
	stop();
}

TEST(kv_store_arith__numbers_wrap_saturate_and_keep_their_length)
{
	uint64_t n;

	start();
	EXPECT_EQ(kv_store_arith(s, "n", 1, true, 1, &n), KV_NOT_FOUND);
	put(KV_MODE_SET, "n", "18446744073709551615", 0);
	EXPECT_EQ(kv_store_arith(s, "n", 1, true, 2, &n), KV_OK);
	EXPECT_EQ(n, 1);
	put(KV_MODE_SET, "n", "10", 0);
	EXPECT_EQ(kv_store_arith(s, "n", 1, false, 1, &n), KV_OK);
	EXPECT(n == 9 && holds("n", "9 "));
	EXPECT_EQ(kv_store_arith(s, "n", 1, false, 100, &n), KV_OK);
	EXPECT_EQ(n, 0);
	put(KV_MODE_SET, "n", "12x", 0);
	EXPECT_EQ(kv_store_arith(s, "n", 1, true, 1, &n), KV_NON_NUMERIC);
	put(KV_MODE_SET, "n", "", 0);
	EXPECT_EQ(kv_store_arith(s, "n", 1, true, 1, &n), KV_NON_NUMERIC);
	stop();
}

TEST(kv_store__memory_is_bounded_and_what_is_used_survives)
{
	char key[16], value[200];
	int i, hot = 0;

	start();
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	/* Not all in a row: the hand looks at a bounded number of items and then takes the least used of those. */
	for (i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), i % 5 ? "early%d" : "hot%d", i / (i % 5 ? 1 : 5));
		put(KV_MODE_SET, key, value, 0);
	}
	for (i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "cold%d", i);
		EXPECT_EQ(put(KV_MODE_SET, key, value, 0), KV_STORED);
		snprintf(key, sizeof(key), "hot%d", i % 100);
		find(key);
	}
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "hot%d", i);
		hot += !!find(key);
	}
	EXPECT_EQ(hot, 100);
	EXPECT_GE(kv_store_stats(s)->evictions, 15000);
	EXPECT_LE(kv_store_stats(s)->bytes, MEMORY);
	stop();
}

TEST(kv_store_import__moves_all_with_versions_and_expiry)
{
	struct kv_store *from, *to;
	struct kv_item *it;
	uint64_t cas;

	start();
	put(KV_MODE_SET, "a", "x", NOW + 9);
	cas = find("a")->cas;
	from = s;
	EXPECT_EQ(kv_store_create(&to, MEMORY, 1000, 99), 0);
	kv_store_inherit(to, from);
	EXPECT(kv_store_import(to, from, find("a")));
	s = to;
	it = find("a");
	EXPECT(it && it->cas == cas && it->exptime == NOW + 9 && it->flags == 5);
	put(KV_MODE_SET, "b", "x", 0);
	EXPECT_GE(find("b")->cas, cas + 1);
	s = from;
	stop();
	s = to;
	stop();
}

/* ---- random operations against a model ---- */

#define KEYS 40

struct model {
	bool there;
	uint32_t nbytes;
	unsigned char fill;
};

static void check_model(const struct model *m, const char *key)
{
	static unsigned char text[4096];
	struct kv_item *it = find(key);
	uint32_t i;

	if (!m->there) {
		EXPECT(!it);
		return;
	}
	EXPECT(it && it->nbytes == m->nbytes);
	kv_item_copy(s, it, 0, text, it->nbytes);
	for (i = 0; i < m->nbytes; i++)
		EXPECT_EQ(text[i], m->fill);
}

TEST(kv_store__random_operations_as_a_model_says)
{
	static struct model model[KEYS];
	unsigned char value[2048];
	struct kv_value v = { .data = value };
	const char *wrong;
	char key[300];
	struct model *m;
	int round, k;

	start();
	srand(1);
	for (round = 0; round < 30000; round++) {
		k = rand() % KEYS;
		m = &model[k];
		memset(key, 'k', sizeof(key));
		key[1 + k * 6] = 0;	/* keys of 1 to 235 bytes */
		v.nbytes = rand() % 1500;
		switch (rand() % 4) {
		case 0:
			EXPECT_EQ(kv_store_delete(s, key, strlen(key)), m->there ? KV_OK : KV_NOT_FOUND);
			m->there = false;
			break;
		case 1:
			v.nbytes %= 200;
			memset(value, m->fill, sizeof(value));
			if (m->there && m->nbytes + v.nbytes < sizeof(value)) {
				EXPECT_EQ(kv_store_put(s, rand() % 2 ? KV_MODE_APPEND : KV_MODE_PREPEND, key,
						       strlen(key), &v), KV_STORED);
				m->nbytes += v.nbytes;
			}
			break;
		default:
			m->fill = rand();
			memset(value, m->fill, sizeof(value));
			EXPECT_EQ(kv_store_put(s, KV_MODE_SET, key, strlen(key), &v), KV_STORED);
			m->there = true;
			m->nbytes = v.nbytes;
		}
		check_model(m, key);
		if (round % 1000)
			continue;
		wrong = kv_store_verify(s);
		if (wrong)
			ktap_fail(__FILE__, __LINE__, "%s", wrong);
	}
	EXPECT_EQ(kv_store_stats(s)->evictions, 0);
	stop();
}
