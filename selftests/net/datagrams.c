// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams of every size and make, both ways: each one is a request, with its own bytes, and so is each reply. */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>

#include "rig.h"

FIXTURE(datagrams)
{
	struct ring r;
	struct request q;
	int c, c6;
	char sent[65536], got[65536];
};

FIXTURE_SETUP(datagrams)
{
	size_t i;

	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g target 1h"));
	ASSERT_EQ(0, run("sluice listener add l udp '[::]:%d' default group g", RIG_PORT));
	ring_init(&self->r, "g", 2048, 16);
	self->r.su.classes[1].slot_size = 65536;
	self->r.su.classes[1].slots = 8;
	self->r.su.reply_slots = 4;
	self->r.su.reply_size = 65536;
	ASSERT_EQ(0, ring_setup(&self->r));
	ASSERT_EQ(0, ring_attach(&self->r));
	self->c = client(AF_INET, RIG_PORT, 0);
	self->c6 = client(AF_INET6, RIG_PORT, 0);
	for (i = 0; i < sizeof(self->sent); i++)
		self->sent[i] = i * 7 + i / 251;
}

FIXTURE_TEARDOWN(datagrams)
{
	EXPECT_TRUE(ledger_closed());
	ring_close(&self->r);
}

/* Send @len bytes, take them as a request, send them back, and hear them. Return: what went wrong, or NULL. */
static const char *echo(FIXTURE_DATA(datagrams) *self, int c, size_t len)
{
	if (send(c, self->sent, len, 0) != (ssize_t)len)
		return "not sent";
	if (!ring_wait(&self->r, &self->q))
		return "not taken";
	if (self->q.hdr->len != len || self->q.hdr->orig_len != len)
		return "another length";
	if (memcmp(self->q.data, self->sent, len))
		return "other bytes";
	if (ring_answer(&self->r, &self->q, len, 0) != 1)
		return "not answered";
	if (hear(c, self->got, sizeof(self->got)) != (ssize_t)len)
		return "the reply has another length, or did not come";
	return memcmp(self->got, self->sent, len) ? "the reply has other bytes" : NULL;
}

TEST_F(datagrams, of_every_size_both_ways)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 63, 64, 65, 1452, 1453, 1472, 1473, 2047, 2048, 2049, 9000, 32768,
					65000, 65507, 65527 };
	const char *wrong;
	size_t i, mtu;

	/* whole, then in fragments */
	for (mtu = 65536; mtu; mtu = mtu > 1500 ? 1500 : 0) {
		ASSERT_EQ(0, run("ip link set lo mtu %zu", mtu));
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			if (sizes[i] <= 65507) {
				wrong = echo(self, self->c, sizes[i]);
				EXPECT_EQ(NULL, wrong) {
					TH_LOG("IPv4, %zu bytes, MTU %zu: %s", sizes[i], mtu, wrong);
				}
			}
			wrong = echo(self, self->c6, sizes[i]);
			EXPECT_EQ(NULL, wrong) {
				TH_LOG("IPv6, %zu bytes, MTU %zu: %s", sizes[i], mtu, wrong);
			}
		}
	}
	EXPECT_EQ(0, outcome("dropped_send"));
}

TEST_F(datagrams, a_reply_may_be_larger_or_smaller_and_lie_elsewhere)
{
	static const size_t sizes[] = { 60000, 0, 1473, 5 };
	size_t i;

	ASSERT_EQ(0, run("ip link set lo mtu 1500"));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ASSERT_EQ(10, send(i % 2 ? self->c : self->c6, self->sent, 10, 0));
		ASSERT_TRUE(ring_wait(&self->r, &self->q));
		memcpy(ring_slot(&self->r, 24) + 1, self->sent, sizes[i]);
		ring_respond(&self->r, (struct sluice_response){ .slot = self->q.slot, .data = 24, .len = sizes[i],
								 .gen = self->q.hdr->gen });
		ASSERT_EQ(1, ring_kick(&self->r));
		EXPECT_EQ((ssize_t)sizes[i], hear(i % 2 ? self->c : self->c6, self->got, sizeof(self->got)));
		EXPECT_EQ(0, memcmp(self->got, self->sent, sizes[i]));
	}
	/* what no datagram can carry is counted */
	ASSERT_EQ(10, send(self->c, self->sent, 10, 0));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	ring_respond(&self->r, (struct sluice_response){ .slot = self->q.slot, .data = 24, .len = 65508,
							 .gen = self->q.hdr->gen });
	ASSERT_EQ(1, ring_kick(&self->r));
	EXPECT_EQ(1, outcome("dropped_send"));
	EXPECT_TRUE(silent(self->c));
}

TEST_F(datagrams, several_for_one_request_in_order)
{
	struct sluice_response e;
	int i;

	ASSERT_EQ(5, send(self->c, "parts", 5, 0));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	e = (struct sluice_response){ .slot = self->q.slot, .flags = SLUICE_RESP_MORE, .gen = self->q.hdr->gen };
	for (i = 0; i < 4; i++) {
		e.data = 24 + i;
		e.len = 100 + i;
		memset(ring_slot(&self->r, e.data) + 1, 'a' + i, e.len);
		ring_respond(&self->r, e);
	}
	EXPECT_EQ(4, ring_kick(&self->r));
	EXPECT_EQ(0, outcome("answered"));
	EXPECT_EQ(1, stat_sum("ring", "in_flight"));
	/* the last one in place, of the request's own bytes */
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 5, 0));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(100 + i, hear(self->c, self->got, sizeof(self->got)));
		EXPECT_EQ('a' + i, self->got[99 + i]);
	}
	EXPECT_TRUE(hears(self->c, "parts"));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(1, outcome("answered"));
}

TEST_F(datagrams, a_part_that_cannot_be_sent_makes_the_answer_a_broken_one)
{
	struct sluice_response e;

	ASSERT_EQ(5, send(self->c, "parts", 5, 0));
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	e = (struct sluice_response){ .slot = self->q.slot, .flags = SLUICE_RESP_MORE, .gen = self->q.hdr->gen };
	e.data = 24;
	e.len = 65508; /* more than a datagram over IPv4 carries */
	ring_respond(&self->r, e);
	EXPECT_EQ(1, ring_kick(&self->r));
	EXPECT_EQ(1, stat_sum("ring", "in_flight"));
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 5, 0));
	EXPECT_TRUE(hears(self->c, "parts"));
	EXPECT_TRUE(silent(self->c));
	EXPECT_EQ(0, outcome("answered"));
	EXPECT_EQ(1, outcome("dropped_send"));
}

/* One send that the stack carries as one piece: 10 datagrams of 100 bytes, and one of 17. */
static void segmented(struct __test_metadata *_metadata, FIXTURE_DATA(datagrams) *self, int c)
{
	int size = 100, i;

	ASSERT_EQ(0, setsockopt(c, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)));
	ASSERT_EQ(1017, send(c, self->sent, 1017, 0));
	for (i = 0; i <= 10; i++) {
		int len = i < 10 ? 100 : 17;

		ASSERT_TRUE(ring_wait(&self->r, &self->q));
		ASSERT_EQ(len, (int)self->q.hdr->len);
		ASSERT_EQ(0, memcmp(self->q.data, self->sent + 100 * i, len));
		ASSERT_EQ(1, ring_answer(&self->r, &self->q, len, 0));
		ASSERT_EQ(len, hear(c, self->got, sizeof(self->got)));
		ASSERT_EQ(0, memcmp(self->got, self->sent + 100 * i, len));
	}
	EXPECT_EQ(0U, ring_pending(&self->r));
}

TEST_F(datagrams, segments_are_requests_of_their_own)
{
	segmented(_metadata, self, self->c);
	segmented(_metadata, self, self->c6);
	EXPECT_EQ(22, outcome("received"));
}

TEST_F(datagrams, so_they_are_on_an_adopted_socket_that_takes_them_in_bulk)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT + 1) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, c;

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&sin, sizeof(sin)));
	ASSERT_EQ(0, setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)));
	ASSERT_EQ(0, run("sluice listener add adopted udp fd %d default group g", fd));
	c = client(AF_INET, RIG_PORT + 1, 0);
	segmented(_metadata, self, c);
	EXPECT_EQ(11, outcome("received"));
	ASSERT_EQ(0, run("sluice listener del adopted"));
	/* given back, it takes them in bulk again */
	ASSERT_EQ(1017, send(c, self->sent, 1017, 0));
	EXPECT_EQ(1017, hear(fd, self->got, sizeof(self->got)));
	close(fd);
}

/* Does the stack give an ordinary socket what is sent to this address of the machine's own? */
static bool stack_delivers(struct sockaddr_in6 to)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(RIG_PORT + 1) };
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);
	struct pollfd p = { s, POLLIN, 0 };
	bool got;

	to.sin6_port = any.sin6_port;
	/* the way is by loopback: what will arrive is there when sendto() returns */
	got = !bind(s, (struct sockaddr *)&any, sizeof(any)) &&
	      sendto(c, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1 && poll(&p, 1, 1000) == 1;
	close(s);
	close(c);
	return got;
}

TEST_F(datagrams, the_reply_leaves_from_the_address_that_was_asked)
{
	static const char *const v4[] = { "127.0.0.1", "127.0.0.2", "127.9.8.7", "10.9.0.1" };
	struct sockaddr_in6 ll = { .sin6_family = AF_INET6, .sin6_port = htons(RIG_PORT) };
	const char *wrong;
	size_t i;
	int c;

	ASSERT_EQ(0, run("ip addr add 10.9.0.1/24 dev lo"));
	for (i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT) };

		inet_pton(AF_INET, v4[i], &sin.sin_addr);
		c = socket(AF_INET, SOCK_DGRAM, 0);
		/* connected: hears nobody else */
		ASSERT_EQ(0, connect(c, (struct sockaddr *)&sin, sizeof(sin)));
		wrong = echo(self, c, 100);
		EXPECT_EQ(NULL, wrong) {
			TH_LOG("%s: %s", v4[i], wrong);
		}
		close(c);
	}
	/* this machine's own link-local address, whose messages come by way of loopback */
	ASSERT_EQ(0, run("ip link add d0 type dummy && ip link set d0 up && ip addr add fe80::17/64 dev d0 nodad"));
	inet_pton(AF_INET6, "fe80::17", &ll.sin6_addr);
	ll.sin6_scope_id = if_nametoindex("d0");
	/* a new device's routes are not there at once */
	for (i = 0; i < 20 && !stack_delivers(ll); i++)
		;
	if (i == 20) {
		TH_LOG("fe80::17 of a device is not to be reached from here on this kernel: left out");
		return;
	}
	c = socket(AF_INET6, SOCK_DGRAM, 0);
	ASSERT_EQ(0, connect(c, (struct sockaddr *)&ll, sizeof(ll)));
	wrong = echo(self, c, 100);
	EXPECT_EQ(NULL, wrong) {
		TH_LOG("fe80::17: %s", wrong);
	}
	close(c);
}

TEST_F(datagrams, the_firewall_is_in_front_of_a_listener)
{
	ASSERT_EQ(0, run("nft 'add table inet t; add chain inet t in { type filter hook input priority 0; };"
			 " add rule inet t in udp dport %d counter drop'", RIG_PORT));
	send(self->c, "one", 3, 0);
	EXPECT_TRUE(until(run("nft list table inet t | grep -q 'packets 1 '") == 0));
	EXPECT_EQ(0, outcome("received"));
	ASSERT_EQ(0, run("nft delete table inet t"));
	EXPECT_EQ(NULL, echo(self, self->c, 3));
}

/* How many datagrams sockets were given, a buffer of many counted once. */
static long in_datagrams(const char *file, const char *format)
{
	char line[1024];
	long n = -1;
	FILE *f = fopen(file, "r");

	while (f && n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, format, &n);
	if (f)
		fclose(f);
	return n;
}

#define in_datagrams4() in_datagrams("/proc/net/snmp", "Udp: %ld")
#define in_datagrams6() in_datagrams("/proc/net/snmp6", "Udp6InDatagrams %ld")

/* COUNT datagrams of SIZE bytes, each of other bytes, in one buffer. */
static void send_gathered(struct __test_metadata *_metadata, FIXTURE_DATA(datagrams) *self, int c, int count, int size)
{
	ASSERT_EQ(0, setsockopt(c, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)));
	ASSERT_EQ(count * size, send(c, self->sent, count * size, 0));
}

#define GRO_PORT (RIG_PORT + 2)

static void listen_gro(struct __test_metadata *_metadata, const char *options)
{
	ASSERT_EQ(0, run("sluice listener add gro udp '[::]:%d' gro %s", GRO_PORT, options));
}

TEST_F(datagrams, a_listener_with_gro_takes_a_buffer_of_them_whole)
{
	long before4, before6;
	int c, c6;

	listen_gro(_metadata, "default group g");
	c = client(AF_INET, GRO_PORT, 0);
	c6 = client(AF_INET6, GRO_PORT, 0);
	before4 = in_datagrams4();
	before6 = in_datagrams6();
	segmented(_metadata, self, c);
	/* the request's buffer, and eleven replies to the client */
	EXPECT_EQ(before4 + 12, in_datagrams4());
	segmented(_metadata, self, c6);
	EXPECT_EQ(before6 + 12, in_datagrams6());
	EXPECT_EQ(22, outcome("received"));
	EXPECT_EQ(22, outcome("answered"));
	/* and those that come alone */
	EXPECT_EQ(NULL, echo(self, client(AF_INET, GRO_PORT, 0), 300));
	/* without gro the stack cuts it up: the counter sees that */
	before4 = in_datagrams4();
	segmented(_metadata, self, self->c);
	EXPECT_EQ(before4 + 22, in_datagrams4());
}

TEST_F(datagrams, gathered_ones_may_be_large_or_seen_by_others_too)
{
	int c, i, sniffer;

	listen_gro(_metadata, "default group g");
	c = client(AF_INET, GRO_PORT, 0);
	send_gathered(_metadata, self, c, 14, 4000);
	for (i = 0; i < 14; i++) {
		ASSERT_TRUE(ring_wait(&self->r, &self->q));
		ASSERT_EQ(4000U, self->q.hdr->len);
		ASSERT_EQ(0, memcmp(self->q.data, self->sent + 4000 * i, 4000));
		ASSERT_EQ(1, ring_answer(&self->r, &self->q, 10, 0));
		ASSERT_EQ(10, hear(c, self->got, sizeof(self->got)));
		ASSERT_EQ(0, memcmp(self->got, self->sent + 4000 * i, 10));
	}
	/* with a sniffer on the device each buffer is a clone, which is left to the stack to cut */
	sniffer = socket(AF_PACKET, SOCK_RAW, htons(0x0003));
	ASSERT_LE(0, sniffer);
	segmented(_metadata, self, c);
	close(sniffer);
	EXPECT_EQ(25, outcome("answered"));
}

TEST_F(datagrams, gathered_ones_meet_the_rules_one_by_one)
{
	int c, i;

	listen_gro(_metadata, "default group g reject-reply NO");
	ASSERT_EQ(0, run("sluice rule add gro 1 text 0 a drop"));
	ASSERT_EQ(0, run("sluice rule add gro 2 text 0 b reject"));
	c = client(AF_INET, GRO_PORT, 0);
	for (i = 0; i < 30; i++)
		memset(self->sent + 50 * i, "abc"[i % 3], 50);
	send_gathered(_metadata, self, c, 30, 50);
	for (i = 0; i < 10; i++) {
		EXPECT_TRUE(hears(c, "NO"));
		ASSERT_TRUE(ring_wait(&self->r, &self->q));
		ASSERT_EQ('c', self->q.data[0]);
		ASSERT_EQ(1, ring_answer(&self->r, &self->q, 50, 0));
	}
	for (i = 0; i < 10; i++)
		EXPECT_EQ(50, hear(c, self->got, sizeof(self->got)));
	EXPECT_EQ(30, outcome("received"));
	EXPECT_EQ(10, outcome("answered"));
	EXPECT_EQ(10, outcome("dropped_rule"));
	EXPECT_EQ(10, outcome("rejected_rule"));
}

TEST_F(datagrams, gathered_ones_wait_for_room_and_end_with_their_listener)
{
	int c, c6, i;

	listen_gro(_metadata, "default group g");
	c = client(AF_INET, GRO_PORT, 0);
	c6 = client(AF_INET6, GRO_PORT, 0);
	/* 16 slots for them, and 8 larger ones */
	send_gathered(_metadata, self, c, 60, 100);
	EXPECT_EQ(60, stat_sum("group", "in_flight"));
	EXPECT_GE(24, stat_sum("ring", "in_flight"));
	for (i = 0; i < 60; i++) {
		ASSERT_TRUE(ring_wait(&self->r, &self->q));
		ASSERT_EQ(100U, self->q.hdr->len);
		ASSERT_EQ(0, memcmp(self->q.data, self->sent + 100 * i, 100));
		ASSERT_EQ(1, ring_answer(&self->r, &self->q, 100, 0));
		ASSERT_EQ(100, hear(c, self->got, sizeof(self->got)));
		ASSERT_EQ(0, memcmp(self->got, self->sent + 100 * i, 100));
	}
	/* the same of IPv6; some published, some waiting, one of them answered, when the listener goes */
	send_gathered(_metadata, self, c6, 60, 100);
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	ASSERT_EQ(1, ring_answer(&self->r, &self->q, 100, 0));
	ASSERT_EQ(100, hear(c6, self->got, sizeof(self->got)));
	ASSERT_EQ(0, run("sluice listener del gro"));
	EXPECT_TRUE(ledger_closed());
	EXPECT_EQ(0, stat_sum("group", "in_flight"));
	EXPECT_EQ(61, stat_sum("group", "answered"));
	EXPECT_EQ(59, stat_sum("group", "cancelled_listener"));
}

/* An ordinary socket of 127.0.0.2 that shares its port with a listener. */
static int neighbour(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(GRO_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.2", &sin.sin_addr);
	return bind(fd, (struct sockaddr *)&sin, sizeof(sin)) ? -1 : fd;
}

TEST_F(datagrams, a_neighbour_of_a_listener_with_gro_gets_them_as_it_likes)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(GRO_PORT) };
	int c = socket(AF_INET, SOCK_DGRAM, 0), fd = neighbour(), one = 1, i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, run("sluice listener add gro udp 127.0.0.1:%d gro default group g", GRO_PORT));
	inet_pton(AF_INET, "127.0.0.2", &to.sin_addr);
	ASSERT_EQ(0, connect(c, (struct sockaddr *)&to, sizeof(to)));
	send_gathered(_metadata, self, c, 10, 100);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(100, hear(fd, self->got, sizeof(self->got)));
		ASSERT_EQ(0, memcmp(self->got, self->sent + 100 * i, 100));
	}
	ASSERT_EQ(0, setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)));
	send_gathered(_metadata, self, c, 10, 100);
	EXPECT_EQ(1000, hear(fd, self->got, sizeof(self->got)));
	EXPECT_EQ(0, outcome("received"));
	/* adopted, it would have to let its owner read one by one what it passes */
	EXPECT_TRUE(refused("sluice listener add adopted udp fd %d default group g", fcntl(fd, F_DUPFD, 100)));
	ASSERT_EQ(0, run("sluice listener del gro"));
	ASSERT_EQ(0, run("sluice listener add adopted udp fd %d default group g", fcntl(fd, F_DUPFD, 100)));
	EXPECT_TRUE(refused("sluice listener add gro udp 127.0.0.1:%d gro default group g", GRO_PORT));
	ASSERT_EQ(0, run("sluice listener del adopted"));
	ASSERT_EQ(0, run("sluice listener add gro udp 127.0.0.1:%d gro default group g", GRO_PORT));
	close(fd);
}

TEST_F(datagrams, gro_is_for_udp_listeners_with_an_address)
{
	EXPECT_TRUE(refused("sluice listener add t tcp 127.0.0.1:%d gro framing line default group g", GRO_PORT));
	EXPECT_TRUE(refused("sluice listener add x xdp dev lo udp 127.0.0.1:%d gro default group g", GRO_PORT));
	listen_gro(_metadata, "default group g");
	EXPECT_EQ(0, run("sluice show | grep -q '^listener gro udp .* gro default group g'"));
	EXPECT_TRUE(refused("sluice listener set gro default pass"));
}

TEST_F(datagrams, a_classifier_is_shown_gathered_ones_each_with_its_own_bytes)
{
	long before = in_datagrams4();
	int c, i, answered = 0;

	listen_gro(_metadata, "default drop");
	ASSERT_EQ(0, run("sluice rule add gro 10 text 0 nothing-is-like-this group g class small"));
	ASSERT_EQ(0, run("sluice rule add gro 11 text 0 nothing-is-like-this-either group g class large"));
	ASSERT_EQ(0, run("sluice listener set gro classifier ./classify.bpf.o"));
	c = client(AF_INET, GRO_PORT, 0);
	for (i = 0; i < 10; i++)
		memset(self->sent + 50 * i, '1', 50);
	send_gathered(_metadata, self, c, 10, 50);
	/* cut up by the stack, so that each has its skb */
	EXPECT_EQ(before + 10, in_datagrams4());
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(ring_wait(&self->r, &self->q));
		EXPECT_EQ(50U, self->q.hdr->len);
		answered += ring_answer(&self->r, &self->q, 50, 0);
	}
	EXPECT_EQ(10, answered);
	EXPECT_EQ(10, outcome("answered"));
	/* whole again without it */
	ASSERT_EQ(0, run("sluice listener set gro classifier none default group g"));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(50, hear(c, self->got, sizeof(self->got)));
	segmented(_metadata, self, c);
	EXPECT_EQ(21, outcome("answered"));
}

TEST_F(datagrams, a_classifier_of_one_device_is_asked_whoever_has_the_other)
{
	long before;
	int c;

	ASSERT_EQ(0, run("ip link add d0 type dummy && ip link set d0 up"));
	ASSERT_EQ(0, run("sluice listener add one udp 0.0.0.0:%d dev lo gro default group g", GRO_PORT));
	ASSERT_EQ(0, run("sluice listener add two udp 0.0.0.0:%d dev d0 gro default group g", GRO_PORT));
	c = client(AF_INET, GRO_PORT, 0);
	before = in_datagrams4();
	segmented(_metadata, self, c);
	EXPECT_EQ(before + 12, in_datagrams4());
	ASSERT_EQ(0, run("sluice listener set one classifier ./classify.bpf.o"));
	before = in_datagrams4();
	segmented(_metadata, self, c);
	EXPECT_EQ(before + 22, in_datagrams4());
	EXPECT_EQ(22, outcome("answered"));
}

TEST_F(datagrams, gro_of_one_address_leaves_the_others_alone)
{
	long before;
	int c, c6;

	ASSERT_EQ(0, run("sluice listener add four udp 127.0.0.1:%d gro default group g", GRO_PORT));
	ASSERT_EQ(0, run("sluice listener add six udp '[::1]:%d' default group g", GRO_PORT));
	c = client(AF_INET, GRO_PORT, 0);
	c6 = client(AF_INET6, GRO_PORT, 0);
	before = in_datagrams4();
	segmented(_metadata, self, c);
	EXPECT_EQ(before + 12, in_datagrams4());
	before = in_datagrams6();
	segmented(_metadata, self, c6);
	EXPECT_EQ(before + 22, in_datagrams6());
	ASSERT_EQ(0, run("sluice listener add six2 udp '[::1]:%d' gro default group g", GRO_PORT + 1));
	c6 = client(AF_INET6, GRO_PORT + 1, 0);
	before = in_datagrams6();
	segmented(_metadata, self, c6);
	EXPECT_EQ(before + 12, in_datagrams6());
	ASSERT_EQ(0, run("sluice listener add mapped udp '[::ffff:127.0.0.1]:%d' gro default group g", GRO_PORT + 2));
	c = client(AF_INET, GRO_PORT + 2, 0);
	before = in_datagrams4();
	segmented(_metadata, self, c);
	EXPECT_EQ(before + 12, in_datagrams4());
	EXPECT_EQ(44, outcome("answered"));
}

/* What a virtual machine's device may hand over: a frame that claims to be a buffer of datagrams. */
struct claimed {
	struct virtio_net_hdr vnet;
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	char data[200];
} __attribute__((packed));

static uint16_t header_sum(struct iphdr ip)
{
	uint16_t at[sizeof(ip) / 2];
	uint32_t sum = 0, i;

	memcpy(at, &ip, sizeof(ip));
	for (i = 0; i < sizeof(ip) / 2; i++)
		sum += at[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

TEST_F(datagrams, a_buffer_that_is_none_is_a_datagram)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(5555), .sin_addr.s_addr = htonl(0x0a090001) };
	struct claimed f = {
		.vnet = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = 5 /* UDP_L4 */, .gso_size = 100,
			  .hdr_len = sizeof(f.eth) + sizeof(f.ip) + sizeof(f.udp),
			  .csum_start = sizeof(f.eth) + sizeof(f.ip), .csum_offset = 6 },
		.eth = { .h_proto = htons(ETH_P_IP) },
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .saddr = from.sin_addr.s_addr,
			.daddr = from.sin_addr.s_addr,
			.tot_len = htons(sizeof(f.ip) + sizeof(f.udp) + sizeof(f.data)) },
		/* shorter than the packet: the stack takes what is behind it off */
		.udp = { .source = from.sin_port, .dest = htons(GRO_PORT), .len = htons(sizeof(f.udp)) },
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = 1, .sll_protocol = htons(ETH_P_IP) };
	int c = socket(AF_INET, SOCK_DGRAM, 0), raw = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	listen_gro(_metadata, "default group g");
	ASSERT_EQ(0, run("ip addr add 10.9.0.1/24 dev lo && echo 1 >/proc/sys/net/ipv4/conf/lo/accept_local"));
	ASSERT_EQ(0, bind(c, (struct sockaddr *)&from, sizeof(from)));
	ASSERT_EQ(0, setsockopt(raw, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	f.ip.check = header_sum(f.ip);
	if (sendto(raw, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EINVAL)
		SKIP(return, "this kernel takes no buffers of datagrams from packet sockets: 6.12 does");
	ASSERT_TRUE(ring_wait(&self->r, &self->q));
	EXPECT_EQ(0U, self->q.hdr->len);
	/* its reply is one datagram too, and has a sum */
	memcpy(self->q.data, self->sent, 150);
	EXPECT_EQ(1, ring_answer(&self->r, &self->q, 150, 0));
	EXPECT_EQ(150, hear(c, self->got, sizeof(self->got)));
	EXPECT_EQ(0, memcmp(self->got, self->sent, 150));
	EXPECT_TRUE(silent(c));
	EXPECT_EQ(1, outcome("answered"));
}

/* Send @n requests of @each bytes one by one, and take them. */
static void take_many(struct __test_metadata *_metadata, FIXTURE_DATA(datagrams) *self, const int *c, int n,
		      struct request *q)
{
	int i;

	for (i = 0; i < n; i++) {
		ASSERT_EQ(100, send(c[i], self->sent + i, 100, 0));
		ASSERT_TRUE(ring_wait(&self->r, &q[i]));
	}
}

static void respond_each(FIXTURE_DATA(datagrams) *self, const struct request *q, const uint32_t *len, int n)
{
	int i;

	for (i = 0; i < n; i++)
		ring_respond(&self->r, (struct sluice_response){ .slot = q[i].slot, .data = q[i].slot, .len = len[i],
								 .gen = q[i].hdr->gen });
}

TEST_F(datagrams, replies_of_one_batch_to_one_client_leave_together)
{
	static const uint32_t len[8] = { 100, 100, 100, 50, 100, 0, 0, 100 };
	static const ssize_t heard[] = { 350, 100, 0, 0, 100 };
	int on[2] = { self->c, self->c6 }, one = 1, family, i;
	struct request q[8];

	for (family = 0; family < 2; family++) {
		int c[8] = { [0 ... 7] = on[family] };

		take_many(_metadata, self, c, 8, q);
		ASSERT_EQ(0, setsockopt(on[family], SOL_UDP, UDP_GRO, &one, sizeof(one)));
		respond_each(self, q, len, 8);
		ASSERT_EQ(8, ring_kick(&self->r));
		for (i = 0; i < 5; i++)
			EXPECT_EQ(heard[i], hear(on[family], self->got, sizeof(self->got)));
		EXPECT_TRUE(silent(on[family]));
	}
	/* who does not ask for buffers gets them one by one */
	one = 0;
	ASSERT_EQ(0, setsockopt(self->c, SOL_UDP, UDP_GRO, &one, sizeof(one)));
	{
		int c[8] = { [0 ... 7] = self->c };

		take_many(_metadata, self, c, 8, q);
		respond_each(self, q, len, 8);
		ASSERT_EQ(8, ring_kick(&self->r));
	}
	for (i = 0; i < 8; i++) {
		EXPECT_EQ((ssize_t)len[i], hear(self->c, self->got, sizeof(self->got)));
		EXPECT_EQ(0, memcmp(self->got, self->sent + i, len[i]));
	}
	EXPECT_EQ(24, outcome("answered"));
}

TEST_F(datagrams, replies_to_several_clients_or_of_several_listeners_do_not_mix)
{
	static const uint32_t len[8] = { 100, 100, 100, 100, 100, 100, 100, 100 };
	int other = client(AF_INET, RIG_PORT, 0), second, i;
	struct request q[8];

	ASSERT_EQ(0, run("sluice listener add second udp '127.0.0.1:%d' default group g", GRO_PORT));
	second = client(AF_INET, GRO_PORT, 0);
	{
		int c[8] = { self->c, other, other, self->c, second, second, self->c6, self->c };

		take_many(_metadata, self, c, 8, q);
		respond_each(self, q, len, 8);
		ASSERT_EQ(8, ring_kick(&self->r));
		for (i = 0; i < 8; i++) {
			EXPECT_EQ(100, hear(c[i], self->got, sizeof(self->got)));
			EXPECT_EQ(0, memcmp(self->got, self->sent + i, 100));
		}
	}
	EXPECT_EQ(8, outcome("answered"));
}

TEST_F(datagrams, replies_that_leave_together_are_counted_where_each_belongs)
{
	static const uint32_t len[8] = { 100, 100, 100, 100, 100, 100, 100, 100 };
	int c[8] = { [0 ... 7] = self->c }, i;
	struct request q[8];

	ASSERT_EQ(0, run("sluice rule add l 1 text 0 a group g class one"));
	ASSERT_EQ(0, run("sluice rule add l 2 text 0 b group g class two request-id 1/4"));
	for (i = 0; i < 8; i++) {
		char text[100] = { "aabbabaa"[i], i };

		ASSERT_EQ(100, send(c[i], text, sizeof(text), 0));
		ASSERT_TRUE(ring_wait(&self->r, &q[i]));
	}
	respond_each(self, q, len, 8);
	ASSERT_EQ(8, ring_kick(&self->r));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(100, hear(self->c, self->got, sizeof(self->got)));
	EXPECT_EQ(0, run("sluice -j stats class | tr -d ' \n' | grep -q '\"name\":\"one\"[^}]*\"answered\":5'"));
	EXPECT_EQ(0, run("sluice -j stats class | tr -d ' \n' | grep -q '\"name\":\"two\"[^}]*\"answered\":3'"));
	EXPECT_EQ(8, outcome("answered"));
}

TEST_F(datagrams, what_leaves_together_is_refused_together_and_counted_one_by_one)
{
	static const uint32_t len[8] = { 100, 100, 100, 100, 100, 100, 100, 100 };
	int c[8] = { [0 ... 7] = self->c };
	struct request q[8];

	take_many(_metadata, self, c, 8, q);
	ASSERT_EQ(0, run("nft 'add table inet t; add chain inet t out { type filter hook output priority 0; };"
			 " add rule inet t out udp sport %d drop'", RIG_PORT));
	respond_each(self, q, len, 8);
	ASSERT_EQ(8, ring_kick(&self->r));
	EXPECT_EQ(8, outcome("dropped_send"));
	EXPECT_TRUE(silent(self->c));
	ASSERT_EQ(0, run("nft delete table inet t"));
	/* larger than a packet: each goes alone, in fragments */
	ASSERT_EQ(0, run("ip link set lo mtu 1500"));
	take_many(_metadata, self, c, 2, q);
	respond_each(self, q, (uint32_t[]){ 2000, 2000 }, 2);
	ASSERT_EQ(2, ring_kick(&self->r));
	EXPECT_EQ(2000, hear(self->c, self->got, sizeof(self->got)));
	EXPECT_EQ(2000, hear(self->c, self->got, sizeof(self->got)));
	EXPECT_EQ(2, outcome("answered"));
}

TEST_HARNESS_MAIN
