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

/* Refused for what they ask; each has gone some other length of the way. */
static const char *const refused_commands[] = {
	"group add g",
	"group add new no-consumer hold 2h",
	"group add new steer hash key bytes 600 4",
	"group set nix backlog 1",
	"group del g",
	"listener add l udp 127.0.0.1:7009",
	"listener add new udp 127.0.0.1:7000",
	"listener add new udp 192.0.2.1:7009 default group g",
	"listener add new udp [fe80::1]:7009 default group g",
	"listener add new udp 127.0.0.1:7009 default group nix",
	"listener add new udp 127.0.0.1:7009 default pass",
	"listener add new udp 127.0.0.1:7009 reject-reply ab copy 3",
	"listener add new udp fd 0",
	"listener set l default pass",
	"listener set nix default drop",
	"rule add l 2 group nix class new",
	"rule add l 2 pass",
	"rule add l 2 length 9-2 group g class new",
	"rule add l 2 text 0 ab bytes 4/2 mask 0x0f = 0x10 group g class new",
	"ring del 9999",
	"ring set 9999 drain on",
	"explain nix text:message",
};

static bool goes_and_comes_back(void)
{
	return until(run("rmmod sluice 2>/dev/null") == 0) && run("modprobe sluice") == 0;
}

TEST_F(unload, after_each_command_that_is_refused)
{
	unsigned int i;

	ASSERT_EQ(0, run("printf '%%s\\n' 'group g' 'listener l udp 127.0.0.1:%d default group g {' "
			 "'rule 1 text 0 mess group g class c' '}' >/tmp/unload.conf", RIG_PORT));
	for (i = 0; i < sizeof(refused_commands) / sizeof(refused_commands[0]); i++) {
		ASSERT_EQ(0, run("sluice apply /tmp/unload.conf >/dev/null"));
		EXPECT_TRUE(refused("sluice %s 2>/tmp/why </dev/null", refused_commands[i])) {
			TH_LOG("sluice %s", refused_commands[i]);
			run("cat /tmp/why");
		}
		EXPECT_TRUE(goes_and_comes_back()) {
			TH_LOG("after: sluice %s", refused_commands[i]);
		}
	}
}

TEST_F(unload, after_each_ring_that_is_refused)
{
	struct ring *r = &self->r;
	int i;

	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, run("sluice group add g"));
		ring_init(r, i == 1 ? "nix" : "g", 2048, 64);
		r->su.abi += i == 0;
		r->su.classes[1].slot_size = i == 2 ? 64 : 0;	/* not ascending */
		r->su.classes[1].slots = i == 2;
		r->su.flags = i == 3 ? 0 : r->su.flags;
		r->su.tx_cpu = i == 4 ? 100000 : -1;
		if (i < 5) {
			EXPECT_GT(0, ring_setup(r));
		} else {
			/* one that is set up, and a mapping of it that is refused */
			ASSERT_EQ(0, ring_setup(r));
			EXPECT_EQ(MAP_FAILED, ring_map(r, &r->su.map.kernel, PROT_READ | PROT_WRITE));
			ring_close(r);
		}
		EXPECT_TRUE(goes_and_comes_back()) {
			TH_LOG("after ring %d", i);
		}
	}
}

TEST_HARNESS_MAIN
