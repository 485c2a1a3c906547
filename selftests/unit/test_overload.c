// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/overload.[ch]: order, fairness, overload, who has to go. */
#include "ktap.h"
#include "rulegen.h"
#include "../../kmod/core/overload.h"

#define MS 1000000ULL
#define N  600

static struct sluice_waiter waiter[N];
static struct sluice_limits limits[SLUICE_QUEUE_CLASSES];
static struct sluice_queue q;

/* Target 1 ms, interval 10 ms for all classes. */
static void begin(u32 flows)
{
	struct sluice_policy p = {.target = MS, .interval = 10 * MS};
	u32 i;

	sluice_queue_fini(&q);
	EXPECT_EQ(sluice_queue_init(&q, flows), 0);
	memset(limits, 0, sizeof(limits));
	for (i = 0; i < SLUICE_QUEUE_CLASSES; i++)
		sluice_limits_set(&limits[i], &p, 0);
}

static struct sluice_waiter *push(u32 i, u32 class_id, u32 prio, u32 source, u64 now)
{
	sluice_waiter_init(&waiter[i], class_id, prio, source);
	sluice_queue_judge(&q, class_id, &limits[class_id], now);
	sluice_queue_push(&q, &waiter[i], limits, now);
	return &waiter[i];
}

static int pop(u32 classes)
{
	struct sluice_waiter *w = sluice_queue_pop(&q, limits, classes);

	return w ? w - waiter : -1;
}

/* A standing queue of class 0, long enough to be called overload; waiters 0 to 9 are in it. */
static u64 overload(void)
{
	u64 now = MS;
	u32 i;

	for (i = 0; i < 10; i++)
		push(i, 0, 0, i, now);
	for (; now < 40 * MS; now += MS / 2)
		sluice_queue_judge(&q, 0, &limits[0], now);
	EXPECT(q.overloaded & 1);
	return now;
}

TEST(queue_init__flows_are_a_power_of_two)
{
	struct sluice_queue bad;

	EXPECT_EQ(sluice_queue_init(&bad, 0), -EINVAL);
	EXPECT_EQ(sluice_queue_init(&bad, 2), -EINVAL);
	EXPECT_EQ(sluice_queue_init(&bad, 12), -EINVAL);
}

TEST(queue_pop__empty)
{
	begin(16);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), -1);
	EXPECT(!sluice_queue_overdue(&q, limits, MS));
	EXPECT(!sluice_queue_evict(&q, limits, &waiter[0]));
}

TEST(queue_pop__one_source_in_order)
{
	u32 i;

	begin(16);
	for (i = 0; i < 20; i++)
		push(i, 0, 1, 7, i);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(pop(SLUICE_QUEUE_ALL), i);
	EXPECT_EQ(q.n, 0);
	EXPECT_EQ(q.busy, 0);
}

TEST(queue_pop__by_priority_then_age)
{
	begin(16);
	push(0, 0, 3, 1, 0);
	push(1, 1, 2, 1, 1);
	push(2, 0, 2, 1, 2);
	push(3, 2, 0, 1, 3);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 3);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 1);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 2);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 0);
}

TEST(queue_pop__only_classes_that_may)
{
	begin(16);
	push(0, 3, 0, 1, 0);
	push(1, 5, 2, 1, 0);
	EXPECT_EQ(pop(1U << 4), -1);
	EXPECT_EQ(pop(1U << 5), 1);
	EXPECT_EQ(pop(~(1U << 3)), -1);
	EXPECT_EQ(pop(1U << 3), 0);
}

TEST(queue_pop__order_of_classes)
{
	begin(16);
	limits[0].order = 1;
	push(0, 0, 1, 1, 0);
	push(1, 1, 1, 1, 1);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 1);
}

TEST(queue_pop__sources_take_turns)
{
	u32 i;

	begin(64);
	for (i = 0; i < 100; i++)
		push(i, 0, 1, 1, i);
	push(100, 0, 1, 2, 100);
	push(101, 0, 1, 3, 101);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 0);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 100);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 101);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 1);
}

TEST(queue_unpop__as_if_never_taken)
{
	struct sluice_waiter *w;
	u32 i;

	begin(16);
	for (i = 0; i < 3; i++)
		push(i, 0, 1, 9, 5 + i);
	w = sluice_queue_pop(&q, limits, SLUICE_QUEUE_ALL);
	sluice_queue_unpop(&q, w);
	EXPECT_EQ(w->since, 5);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(pop(SLUICE_QUEUE_ALL), i);
}

TEST(queue_judge__a_burst_is_no_overload)
{
	u64 now;
	u32 i;

	begin(16);
	for (now = MS; now < 200 * MS; now += 9 * MS) {
		for (i = 0; i < 8; i++)
			push(i, 0, 1, 1, now);
		for (i = 0; i < 8; i++) {
			sluice_queue_judge(&q, 0, &limits[0], now + i * MS);
			EXPECT_EQ(pop(SLUICE_QUEUE_ALL) >= 0, 1);
		}
		EXPECT(!q.overloaded);
	}
}

TEST(queue_judge__a_standing_queue_is)
{
	begin(16);
	overload();
}

TEST(queue_judge__ends_with_an_interval_that_emptied)
{
	u64 now;
	u32 i;

	begin(16);
	now = overload();
	for (i = 0; i < 10; i++)
		EXPECT(pop(SLUICE_QUEUE_ALL) >= 0);
	EXPECT(!sluice_queue_judge(&q, 0, &limits[0], q.class_queue[0].until - 1));
	EXPECT(sluice_queue_judge(&q, 0, &limits[0], now + 10 * MS));
	EXPECT(!q.overloaded);
}

TEST(queue_judge__waiting_before_it_was_resumed_does_not_count)
{
	begin(16);
	push(0, 0, 1, 1, MS);
	q.resumed = 50 * MS;
	sluice_queue_judge(&q, 0, &limits[0], 50 * MS);
	sluice_queue_judge(&q, 0, &limits[0], 50 * MS + MS / 2);
	EXPECT(!q.late);
	sluice_queue_judge(&q, 0, &limits[0], 53 * MS);
	EXPECT(q.late & 1);
}

TEST(queue_pop__last_in_first_out_when_late)
{
	u32 i;

	begin(64);
	for (i = 0; i < 5; i++)
		push(i, 0, 1, 1, MS + i);
	sluice_queue_judge(&q, 0, &limits[0], 4 * MS);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 4);
	/* a source that had nothing waiting comes first */
	push(5, 0, 1, 2, 4 * MS);
	push(6, 0, 1, 3, 4 * MS);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 6);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 5);
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 3);
}

TEST(queue_pop__first_in_first_out_if_so_wished)
{
	begin(16);
	limits[0].lifo = false;
	overload();
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 0);
}

TEST(queue_pop__classes_take_turns_under_overload)
{
	u32 i, got[2] = {0};
	int n;

	begin(64);
	overload();
	for (i = 10; i < 14; i++)
		push(i, 4, 0, 1, 40 * MS);
	for (i = 0; i < 8; i++) {
		n = pop(SLUICE_QUEUE_ALL);
		EXPECT(n >= 0);
		got[waiter[n].class_id == 4]++;
	}
	EXPECT_EQ(got[1], 4);
}

TEST(queue_pop__shed_order_under_overload)
{
	begin(16);
	limits[0].shed = 1;
	push(10, 4, 3, 1, 0);
	overload();
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 10);
}

TEST(queue_overdue__oldest_first_and_not_the_young)
{
	u64 now;
	int i;

	begin(64);
	now = overload();
	push(10, 0, 0, 77, now - MS);
	for (i = 0; i < 10; i++)
		EXPECT_EQ(sluice_queue_overdue(&q, limits, now) - waiter, i);
	EXPECT(!sluice_queue_overdue(&q, limits, now));
	EXPECT_EQ(pop(SLUICE_QUEUE_ALL), 10);
}

TEST(queue_overdue__nothing_without_overload)
{
	begin(16);
	push(0, 0, 0, 1, 0);
	sluice_queue_judge(&q, 0, &limits[0], 5 * MS);
	EXPECT(!sluice_queue_overdue(&q, limits, 1000 * MS));
}

TEST(queue_evict__a_class_that_is_shed_first)
{
	begin(16);
	limits[2].shed = 5;
	push(0, 1, 0, 1, 0);
	push(1, 2, 0, 1, 1);
	push(2, 2, 0, 1, 2);
	sluice_waiter_init(&waiter[3], 1, 0, 1);
	EXPECT_EQ(sluice_queue_evict(&q, limits, &waiter[3]) - waiter, 1);
	sluice_waiter_init(&waiter[3], 2, 0, 1);
	EXPECT(!sluice_queue_evict(&q, limits, &waiter[3]));
}

TEST(queue_evict__the_source_that_holds_most)
{
	u32 i;

	begin(64);
	push(0, 0, 1, 2, 0);
	for (i = 1; i < 50; i++)
		push(i, 0, 1, 1, i);
	sluice_waiter_init(&waiter[50], 0, 1, 2);
	EXPECT_EQ(sluice_queue_evict(&q, limits, &waiter[50]) - waiter, 1);
	sluice_waiter_init(&waiter[50], 0, 1, 1);
	EXPECT(!sluice_queue_evict(&q, limits, &waiter[50]));
}

TEST(queue_evict__under_overload_the_oldest_of_the_class)
{
	begin(64);
	overload();
	sluice_waiter_init(&waiter[10], 0, 0, 99);
	EXPECT_EQ(sluice_queue_evict(&q, limits, &waiter[10]) - waiter, 0);
}

/* Any sequence of operations: what went in comes out once, and the counts agree. */
TEST(queue__random_operations_lose_nothing)
{
	static bool in[N];
	struct choices c = {.state = 11};
	struct sluice_waiter *w;
	u64 now = MS;
	u32 round, i, n = 0;

	begin(8);
	memset(in, 0, sizeof(in));
	for (round = 0; round < 200000; round++) {
		now += pick(&c, 20000);
		i = pick(&c, N);
		w = NULL;
		switch (pick(&c, 8)) {
		case 0 ... 3:
			if (in[i])
				break;
			if (pick(&c, 200) == 0)
				limits[pick(&c, 16)].shed = pick(&c, 3);
			push(i, pick(&c, 16), pick(&c, 4), pick(&c, 40), now);
			in[i] = true;
			n++;
			break;
		case 4:
			w = sluice_queue_pop(&q, limits, pick(&c, 65536));
			if (w && pick(&c, 4) == 0) {
				sluice_queue_unpop(&q, w);
				w = NULL;
			}
			break;
		case 5:
			w = sluice_queue_overdue(&q, limits, now);
			break;
		case 6:
			if (in[i])
				break;
			sluice_waiter_init(&waiter[i], pick(&c, 16), pick(&c, 4), pick(&c, 40));
			w = sluice_queue_evict(&q, limits, &waiter[i]);
			break;
		default:
			if (!in[i])
				break;
			w = &waiter[i];
			sluice_queue_remove(&q, w);
			break;
		}
		if (w) {
			EXPECT(in[w - waiter]);
			EXPECT(!sluice_waiter_waits(w));
			in[w - waiter] = false;
			n--;
		}
		EXPECT_EQ(q.n, n);
		EXPECT_EQ(!q.busy, !n);
	}
	while (pop(SLUICE_QUEUE_ALL) >= 0)
		n--;
	EXPECT_EQ(n, 0);
	EXPECT_EQ(q.n, 0);
	for (i = 0; i < SLUICE_QUEUE_CLASSES; i++)
		EXPECT_EQ(q.class_queue[i].n, 0);
	sluice_queue_fini(&q);
}

TEST(limits_set__defaults_follow_the_service_time)
{
	struct sluice_policy p = {0};
	struct sluice_limits l = {0};

	sluice_limits_set(&l, &p, 0);
	EXPECT_EQ(l.target, 50 * MS);
	EXPECT_EQ(l.interval, 500 * MS);
	EXPECT(l.lifo);
	sluice_limits_set(&l, &p, MS);
	EXPECT_EQ(l.target, 64 * MS);
	sluice_limits_set(&l, &p, U64_MAX);
	EXPECT_EQ(l.target, 1000 * MS);
	p.target = 10000;
	sluice_limits_set(&l, &p, MS);
	EXPECT_EQ(l.target, 10000);
	EXPECT_EQ(l.interval, MS / 2);
	p.interval = 77;
	sluice_limits_set(&l, &p, MS);
	EXPECT_EQ(l.interval, 77);
}
