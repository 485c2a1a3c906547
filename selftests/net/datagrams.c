// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams of every size and make, both ways: each one is a request, with its own bytes, and so is each reply. */
#include <net/if.h>
#include <netinet/udp.h>

#include "rig.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

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
	ASSERT_EQ(0, run("sluice group add g"));
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

TEST_HARNESS_MAIN
