// SPDX-License-Identifier: GPL-2.0-only
/* The hash table of a shape: equal keys brought together, their length ranges made disjoint. */
#include "ruleset.h"

struct table_build {
	struct sluice_shape *shape;
	const u64 *keys;
	u32 nkeys;
	u32 nruns;
	u32 *first;		/* [nkeys + 1] first of a key's entries */
	struct sluice_entry *grouped;	/* entries by key, by rank within it */
	u64 *starts;		/* of the elementary intervals of one key */
	u32 *paint;		/* their values */
	u32 *next;		/* next interval not painted yet, at or behind one */
};

static u32 slots_for(u32 n)
{
	u32 slots = 2;

	while (slots < 2 * n)
		slots *= 2;
	return slots;
}

static bool equal_words(const u64 *a, const u64 *b, u32 words)
{
	return !words || !memcmp(a, b, words * sizeof(*a));
}

/* Number the distinct keys as they come, and move them together. Return how many, or -ENOMEM. */
static int number_keys(const struct sluice_shape *shape, u64 *keys, struct sluice_entry *entries,
		       u32 n)
{
	u32 mask = slots_for(n) - 1, words = shape->words;
	u32 nkeys = 0, i, at;
	u32 *slots;

	slots = sluice_port_alloc(mask + 1, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const u64 *key = keys + (size_t)i * words;

		sluice_port_resched();
		at = sluice_key_words_hash(key, words, shape->seed) & mask;
		while (slots[at] &&
		       !equal_words(keys + (size_t)(slots[at] - 1) * words, key, words))
			at = (at + 1) & mask;
		if (!slots[at]) {
			memmove(keys + (size_t)nkeys * words, key, words * sizeof(*key));
			slots[at] = ++nkeys;
		}
		entries[i].key = slots[at] - 1;
	}
	sluice_port_free(slots);
	return nkeys;
}

/* Counting sort: entries of a key stand together and keep their order. Return the largest group. */
static u32 group_entries(struct table_build *t, const struct sluice_entry *entries, u32 n)
{
	u32 largest = 0, i, k;

	for (i = 0; i < n; i++)
		t->first[entries[i].key]++;
	for (i = 0, k = 0; k < t->nkeys; k++) {
		largest = t->first[k] > largest ? t->first[k] : largest;
		i += t->first[k];
		t->first[k] = i;
	}
	t->first[t->nkeys] = i;
	for (i = n; i-- > 0;)
		t->grouped[--t->first[entries[i].key]] = entries[i];
	return largest;
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* All places where the best rule may change. Return their number. */
static u32 cut_lengths(struct table_build *t, const struct sluice_entry *e, u32 n)
{
	u32 cuts = 0, m = 0, i;

	t->starts[cuts++] = 0;
	for (i = 0; i < n; i++) {
		t->starts[cuts++] = e[i].min;
		t->starts[cuts++] = (u64)e[i].max + 1;
	}
	sluice_port_sort(t->starts, cuts, sizeof(*t->starts), compare_u64);
	for (i = 0; i < cuts && t->starts[i] <= U32_MAX; i++)
		if (!i || t->starts[i] != t->starts[i - 1])
			t->starts[m++] = t->starts[i];
	return m;
}

static u32 find_start(const struct table_build *t, u32 m, u64 start)
{
	u32 low = 0, high = m, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (t->starts[mid] < start)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* First interval at or behind @i not painted; halving paths keeps all searches near linear. */
static u32 unpainted(struct table_build *t, u32 i)
{
	while (t->next[i] != i) {
		t->next[i] = t->next[t->next[i]];
		i = t->next[i];
	}
	return i;
}

/* Best rule of each interval: rules come by rank, and what a better one painted stays. */
static void paint_lengths(struct table_build *t, const struct sluice_entry *e, u32 n, u32 m)
{
	u32 i, at, end;

	for (i = 0; i <= m; i++) {
		t->next[i] = i;
		t->paint[i] = 0;
	}
	for (i = 0; i < n; i++) {
		end = find_start(t, m, (u64)e[i].max + 1);
		at = unpainted(t, find_start(t, m, e[i].min));
		for (; at < end; at = unpainted(t, at)) {
			t->paint[at] = e[i].rank + 1;
			t->next[at] = at + 1;
		}
	}
}

static bool any_length(const struct sluice_entry *e)
{
	return !e->min && e->max == U32_MAX;
}

/* Value of a key: its best rank if that one takes every length, or a run. */
static u32 key_value(struct table_build *t, const struct sluice_entry *e, u32 n)
{
	struct sluice_interval *run;
	u32 m, i, used = 0;

	if (any_length(e))
		return e->rank + 1;
	m = cut_lengths(t, e, n);
	paint_lengths(t, e, n, m);
	run = t->shape->runs + t->nruns;
	for (i = 0; i < m; i++) {
		if (!used || run[used].value != t->paint[i])
			run[++used].value = t->paint[i];
		run[used].prefix_max = i + 1 < m ? t->starts[i + 1] - 1 : U32_MAX;
	}
	run[0].prefix_max = used;
	t->nruns += used + 1;
	return SLUICE_VALUE_RUN | (t->nruns - used - 1);
}

static void insert_key(struct table_build *t, u32 k, u32 value)
{
	struct sluice_shape *shape = t->shape;
	const u64 *key = t->keys + (size_t)k * shape->words;
	u32 hash = sluice_key_words_hash(key, shape->words, shape->seed);
	u32 at = hash & shape->table_mask;
	u64 *slot;

	for (;; at = (at + 1) & shape->table_mask) {
		slot = shape->table + (size_t)at * (1 + shape->words);
		if (!*slot)
			break;
	}
	*slot = (u64)hash << 32 | value;
	memcpy(slot + 1, key, shape->words * sizeof(*key));
}

static int alloc_group(struct table_build *t, u32 n)
{
	t->first = sluice_port_alloc(t->nkeys + 1, sizeof(*t->first));
	t->grouped = sluice_port_alloc(n, sizeof(*t->grouped));
	return t->first && t->grouped ? 0 : -ENOMEM;
}

/* The table, the runs, and scratch for the largest key: n ranges make at most 2n + 1 intervals. */
static int alloc_table(struct table_build *t, u32 largest)
{
	struct sluice_shape *shape = t->shape;
	u32 slots = slots_for(t->nkeys);
	size_t runs = 0;
	u32 k;

	for (k = 0; k < t->nkeys; k++)
		if (!any_length(&t->grouped[t->first[k]]))
			runs += 2 * (size_t)(t->first[k + 1] - t->first[k]) + 2;
	shape->table_mask = slots - 1;
	shape->table = sluice_port_alloc(slots, (1 + shape->words) * sizeof(*shape->table));
	if (!shape->table)
		return -ENOMEM;
	if (!runs)
		return 0;
	shape->runs = sluice_port_alloc(runs, sizeof(*shape->runs));
	t->starts = sluice_port_alloc(2 * (size_t)largest + 1, sizeof(*t->starts));
	t->paint = sluice_port_alloc(2 * (size_t)largest + 2, sizeof(*t->paint));
	t->next = sluice_port_alloc(2 * (size_t)largest + 2, sizeof(*t->next));
	return shape->runs && t->starts && t->paint && t->next ? 0 : -ENOMEM;
}

/**
 * sluice_table_build() - build the hash table of a shape
 * @shape: words and seed are set; table, table_mask and runs are filled, and the caller's to free
 *	even after an error
 * @keys: @n keys of shape->words words; overwritten
 * @entries: by rank; the keys' numbers are overwritten
 * @n: number of both, 1..SLUICE_KEYS_MAX
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int sluice_table_build(struct sluice_shape *shape, u64 *keys, struct sluice_entry *entries, u32 n)
{
	struct table_build t = { .shape = shape, .keys = keys };
	u32 k, value;
	int ret;

	ret = number_keys(shape, keys, entries, n);
	if (ret < 0)
		return ret;
	t.nkeys = ret;
	ret = alloc_group(&t, n);
	if (ret)
		goto out;
	ret = alloc_table(&t, group_entries(&t, entries, n));
	if (ret)
		goto out;
	for (k = 0; k < t.nkeys; k++) {
		sluice_port_resched();
		value = key_value(&t, t.grouped + t.first[k], t.first[k + 1] - t.first[k]);
		insert_key(&t, k, value);
	}
out:
	sluice_port_free(t.first);
	sluice_port_free(t.grouped);
	sluice_port_free(t.starts);
	sluice_port_free(t.paint);
	sluice_port_free(t.next);
	return ret;
}
