// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of kmod/core/demand.[ch] and window.h: caps from demand, windows from idleness. */
#include "ktap.h"
#include "../../kmod/core/demand.h"
#include "../../kmod/core/window.h"

#define MS 1000000ULL

/* @n arrivals a second apart by 1/@rate, all with service time @service. */
static void feed(struct sluice_demand *d, u64 rate, u64 service, u32 n)
{
	u64 now = d->start ? d->start : 1000;
	u32 i;

	for (i = 0; i < n; i++) {
		now += 1000 * MS / rate;
		sluice_demand_arrived(d, now);
		sluice_demand_served(d, service, 1);
	}
}

TEST(demand_served__mean)
{
	struct sluice_demand d = {0};
	u32 i;

	EXPECT_EQ(sluice_demand_service(&d), 0);
	for (i = 0; i < 10000; i++)
		sluice_demand_served(&d, i % 2 ? 1000 : 3000, 1);
	EXPECT_GE(sluice_demand_service(&d), 1950);
	EXPECT_LE(sluice_demand_service(&d), 2050);
	sluice_demand_served(&d, U64_MAX, 1);
	EXPECT_LE(sluice_demand_service(&d), SLUICE_SERVICE_MAX);
}

TEST(demand_caps__long_requests_leave_the_short_ones_room)
{
	struct sluice_demand d[2] = {{0}}, *both[2] = {&d[0], &d[1]};

	feed(&d[0], 1000000, 500, 200000); /* half a ring */
	feed(&d[1], 7000, 500000, 20000);  /* three and a half */
	EXPECT_GE(d[1].rings, 3400);
	EXPECT_LE(d[1].rings, 3600);
	sluice_demand_caps(both, 2, 6);
	EXPECT_EQ(d[0].cap, 0);
	EXPECT_EQ(d[1].cap, 4);
	EXPECT_EQ(d[0].order, 0);
	EXPECT_EQ(d[1].order, 1);
}

TEST(demand_caps__nothing_known_nothing_capped)
{
	struct sluice_demand d[2] = {{0}}, *both[2] = {&d[0], &d[1]};

	sluice_demand_caps(both, 2, 6);
	EXPECT_EQ(d[0].cap, 0);
	EXPECT_EQ(d[1].cap, 0);
}

TEST(demand_caps__no_cap_where_whole_rings_do_not_fit)
{
	struct sluice_demand d[2] = {{0}}, *both[2] = {&d[0], &d[1]};

	feed(&d[0], 50000, 1000, 20000);
	feed(&d[1], 53500, 100000, 20000); /* 5.35 of 6 */
	sluice_demand_caps(both, 2, 6);
	EXPECT_EQ(d[1].cap, 0);
}

TEST(window_collected__grows_with_idleness)
{
	struct sluice_window w;
	u32 i;

	sluice_window_init(&w, false);
	EXPECT(sluice_window_room(&w, SLUICE_WINDOW_START - 1));
	EXPECT(!sluice_window_room(&w, SLUICE_WINDOW_START));
	w.limit = 1;
	for (i = 0; i < 20 && w.limit < 5000; i++)
		sluice_window_collected(&w, w.limit, 0, 5000, true, i);
	EXPECT_GE(w.limit, 5000);
	EXPECT_LE(w.limit, 10000);
}

TEST(window_collected__unmoved_without_pressure)
{
	struct sluice_window w;

	sluice_window_init(&w, false);
	sluice_window_collected(&w, 500, 0, 1000000, false, 5);
	EXPECT_EQ(w.limit, SLUICE_WINDOW_START);
	/* idle for less than a thirty-second of the work */
	sluice_window_collected(&w, 64000, 0, 1000, true, 5);
	EXPECT_EQ(w.limit, SLUICE_WINDOW_START);
}

TEST(window_collected__gives_back_what_is_not_needed)
{
	struct sluice_window w;
	u64 now = 1;
	u32 i;

	sluice_window_init(&w, false);
	w.limit = 100000;
	for (i = 0; i < 4000; i++, now += MS / 2)
		sluice_window_collected(&w, 1000, w.limit > 1000 ? w.limit - 1000 : 1, 0, true,
					now);
	EXPECT_LE(w.limit, 2100);
	EXPECT_GE(w.limit, 1);
}

TEST(window_collected__a_long_last_request_does_not_underflow)
{
	struct sluice_window w;

	sluice_window_init(&w, false);
	sluice_window_collected(&w, 10, 50 * MS, 0, true, 1);
	sluice_window_collected(&w, 10, 50 * MS, 0, true, 1000 * MS);
	EXPECT_EQ(w.limit, 1);
}

TEST(window_init__fixed_has_no_limit)
{
	struct sluice_window w;

	sluice_window_init(&w, true);
	sluice_window_collected(&w, 10, 10, 0, true, 1);
	EXPECT(sluice_window_room(&w, U64_MAX - 1));
}
