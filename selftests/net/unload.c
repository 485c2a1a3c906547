// SPDX-License-Identifier: GPL-2.0-only
/* The module goes under traffic, with all that it has, and leaves sockets and mappings as they were. */
#include "rig.h"

FIXTURE(unload)
{
	struct ring r;
	int c;
};

FIXTURE_SETUP(unload)
{
	ASSERT_EQ(0, run("test -d /sys/module/sluice || modprobe sluice"));
	ASSERT_EQ(0, rig_up());
	self->c = client(AF_INET, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(unload)
{
	run("test -d /sys/module/sluice || modprobe sluice");
}

struct sender {
	volatile bool stop;
};

static void *send_on(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), i = 0;
	struct sender *s = arg;

	while (!s->stop) {
		to.sin_port = htons(RIG_PORT + i++ % 3);
		sendto(fd, "message", 7, 0, (struct sockaddr *)&to, sizeof(to));
	}
	close(fd);
	return NULL;
}

TEST_F(unload, not_while_a_ring_is_open)
{
	ASSERT_EQ(0, run("sluice group add g"));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	EXPECT_NE(0, run("rmmod sluice 2>/dev/null"));
	EXPECT_EQ(0, run("test -d /sys/module/sluice"));
	ring_close(&self->r);
	EXPECT_TRUE(until(run("rmmod sluice 2>/dev/null") == 0));
}

TEST_F(unload, under_traffic_with_listeners_requests_and_a_mapping_left)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT + 1) };
	struct sender sender = {};
	pthread_t thread;
	char buf[16];
	int fd, i;

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&sin, sizeof(sin)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_on, &sender));
	for (i = 0; i < 4; i++) {
		/* one listener holds requests, one is adopted, one refuses with a reply */
		ASSERT_EQ(0, run("sluice group add g steer fifo no-consumer hold 1h backlog 100"));
		ASSERT_EQ(0, run("sluice group add adopted no-consumer pass"));
		ASSERT_EQ(0, run("sluice listener add l udp 127.0.0.1:%d default group g", RIG_PORT));
		ASSERT_EQ(0, run("sluice rule add l 1 text 0 mess group g class c deadline 1h"));
		ASSERT_EQ(0, run("sluice listener add a udp fd %d default group adopted", fd));
		ASSERT_EQ(0, run("sluice listener add r udp 127.0.0.1:%d default reject reject-reply text:no",
				 RIG_PORT + 2));
		/* a ring that is served a little, then closed, but stays mapped */
		ASSERT_EQ(0, ring_open(&self->r, "g"));
		ASSERT_TRUE(until(ring_pending(&self->r)));
		close(self->r.fd);
		ASSERT_TRUE(until(stat_sum("group", "in_flight") >= 100));
		ASSERT_TRUE(until(run("rmmod sluice 2>/dev/null") == 0));
		memset(self->r.slots, 0x55, self->r.su.map.slots.len);
		EXPECT_EQ(0x55, self->r.slots[self->r.su.map.slots.len - 1]);
		EXPECT_EQ(64U, ring_pending(&self->r));
		ring_unmap(&self->r);
		/* the adopted socket is its owner's again */
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		EXPECT_EQ(7, hear(fd, buf, sizeof(buf)));
		ASSERT_EQ(0, run("modprobe sluice"));
	}
	sender.stop = true;
	pthread_join(thread, NULL);
	close(fd);
}

TEST_HARNESS_MAIN
