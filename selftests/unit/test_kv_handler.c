// SPDX-License-Identifier: GPL-2.0-only
/* Owns the tests of user/handlers/kv.c: the handler on a ring, datagrams and messages of connections in, responses out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "handlers/kv_udp.h"
#include "ktap.h"
#include "ring_host.h"

#define BIG 20000	/* bytes of a value over many datagrams */

static struct sluice_ring *ring;
static struct ring_host *host;
static void *state, *worker;

static void no_log(int level, const char *format, ...)
{
}

static struct sluice_handler_config handler_config(unsigned int workers, uint32_t reply_size)
{
	return (struct sluice_handler_config){
		.size = sizeof(struct sluice_handler_config), .group = "g", .workers = workers, .slot_size = 4096,
		.reply_size = reply_size, .log = no_log,
	};
}

static void open_ring_of(uint32_t bytes, uint32_t replies)
{
	struct sluice_ring_config config = {
		.size = sizeof(config), .group = "g", .slots = { { bytes, 8 } }, .reply_slots = replies,
		.reply_size = replies ? 1408 : 0,
	};

	host = ring_host_create(&ring, &config);
}

static void open_ring(uint32_t replies)
{
	open_ring_of(4096, replies);
}

static void start_with(const struct sluice_handler *handler, uint32_t bytes, uint32_t replies)
{
	struct sluice_handler_config hc = handler_config(1, replies ? 1408 : 0);
	struct sluice_handler_error err;

	EXPECT_EQ(handler->init(&hc, &state, &err), 0);
	EXPECT_EQ(handler->worker_init(state, 0, &worker), 0);
	open_ring_of(bytes, replies);
}

static void start(uint32_t replies)
{
	start_with(&handler_kv, 4096, replies);
}

/* Of all requests, how many were answered in place at once. */
static unsigned int in_place(void)
{
	unsigned int requests = 0, n = 0;
	char text[512];

	handler_kv.stats(worker, text, sizeof(text));
	EXPECT_EQ(sscanf(text, "kv: %u requests, %u in place", &requests, &n), 2);
	return n;
}

static void stop(void)
{
	EXPECT_EQ(handler_kv.busy(worker), 0);
	EXPECT_EQ(ring_host_unanswered(host), 0);
	sluice_ring_close(ring);
	ring_host_destroy(host);
	handler_kv.worker_fini(worker);
	handler_kv.fini(state);
}

/* A turn of a worker. */
static void turn(void)
{
	struct sluice_request req[8];
	int n = sluice_ring_peek(ring, req, 8);

	EXPECT_GE(n, 0);
	if (n)
		handler_kv.serve(worker, ring, req, n);
	handler_kv.poll(worker, ring);
	sluice_ring_flush(ring);
}

static int publish(uint16_t id, uint16_t sequence, uint16_t count, const void *text, size_t len)
{
	uint8_t datagram[4096];

	kv_udp_put(datagram, id);
	kv_udp_put(datagram + 2, sequence);
	kv_udp_put(datagram + 4, count);
	kv_udp_put(datagram + 6, 0);
	memcpy(datagram + 8, text, len);
	return ring_host_publish(host, datagram, len + 8);
}

/* One request, and its response of one datagram. */
static void says(const char *in, const char *out)
{
	struct host_reply r;

	EXPECT_GE(publish(77, 0, 1, in, strlen(in)), 0);
	turn();
	EXPECT(ring_host_take(host, &r));
	if (!*out) {
		EXPECT_EQ(r.flags, SLUICE_RESP_NO_REPLY);
		return;
	}
	EXPECT_EQ(r.flags, 0);
	EXPECT_EQ(r.len, 8 + strlen(out));
	EXPECT(!memcmp(r.data, "\0\115\0\0\0\1\0\0", 8));
	EXPECT(!memcmp(r.data + 8, out, strlen(out)));
}

static void store_big(char fill)
{
	static char in[4096];
	int k, n;

	says("set big 0 0 0\r\n\r\n", "STORED\r\n");
	for (k = 0; k < BIG / 2000; k++) {
		n = snprintf(in, sizeof(in), "append big 0 0 2000\r\n");
		memset(in + n, fill, 2000);
		strcpy(in + n + 2000, "\r\n");
		says(in, "STORED\r\n");
	}
}

TEST(kv_serve__answers_in_place)
{
	start(4);
	says("set a 1 0 2\r\nhi\r\n", "STORED\r\n");
	says("get a\r\n", "VALUE a 1 2\r\nhi\r\nEND\r\n");
	says("delete a noreply\r\n", "");
	says("get a\r\n", "END\r\n");
	stop();
}

TEST(kv_serve__refuses_what_is_no_frame_and_requests_of_several_datagrams)
{
	static const char multi[] = "SERVER_ERROR multi-packet request not supported\r\n";
	struct host_reply r;
	uint16_t count;

	start(4);
	EXPECT_GE(ring_host_publish(host, "short", 5), 0);
	turn();
	EXPECT(ring_host_take(host, &r));
	EXPECT_EQ(r.flags, SLUICE_RESP_REJECT);
	for (count = 0; count < 4; count += 2) {
		publish(1, 0, count, "get a\r\n", 7);
		turn();
		EXPECT(ring_host_take(host, &r));
		EXPECT(r.len == 8 + strlen(multi) && !memcmp(r.data + 8, multi, strlen(multi)));
	}
	says("get a", "CLIENT_ERROR request does not end in this datagram\r\n");
	says("set a 0 0 10\r\nabc\r\n", "CLIENT_ERROR request does not end in this datagram\r\n");
	stop();
}

/* Datagrams of one response in order, as reply slots come back. */
static void take_big(char fill, uint32_t rounds)
{
	static char got[BIG + 200];
	uint32_t len = 0, seen = 0, count = 0, turns;
	struct host_reply r = { .flags = SLUICE_RESP_MORE };

	publish(5, 0, 1, "get big\r\n", 9);
	for (turns = 0; r.flags & SLUICE_RESP_MORE; turns++) {
		EXPECT_LE(turns, rounds);
		turn();
		while (ring_host_take(host, &r)) {
			EXPECT_EQ(kv_udp_get(r.data), 5);
			EXPECT_EQ(kv_udp_get(r.data + 2), seen++);
			count = kv_udp_get(r.data + 4);
			EXPECT_LE(r.len, KV_UDP_DATAGRAM);
			memcpy(got + len, r.data + 8, r.len - 8);
			len += r.len - 8;
		}
	}
	EXPECT_EQ(seen, count);
	EXPECT_EQ(len, strlen("VALUE big 0 20000\r\n") + BIG + strlen("\r\nEND\r\n"));
	EXPECT(!memcmp(got, "VALUE big 0 20000\r\n", 19) && !memcmp(got + len - 7, "\r\nEND\r\n", 7));
	EXPECT(got[19] == fill && got[len - 8] == fill);
}

TEST(kv_serve__a_long_response_goes_out_as_reply_slots_come_back)
{
	start(3);
	store_big('b');
	take_big('b', 100);
	says("get none\r\n", "END\r\n");
	stop();
}

TEST(kv_serve__without_reply_slots_a_long_response_is_an_error)
{
	start(0);
	store_big('b');
	says("get big\r\n", "SERVER_ERROR too large for the slot\r\n");
	stop();
}

TEST(kv_poll__without_a_ring_what_waits_is_dropped)
{
	struct host_reply r;

	start(2);
	store_big('b');
	publish(5, 0, 1, "get big\r\n", 9);
	turn();
	EXPECT_GE(handler_kv.busy(worker), 1);
	ring_host_detach(host);
	handler_kv.poll(worker, NULL);
	EXPECT_EQ(handler_kv.busy(worker), 0);
	sluice_ring_close(ring);
	ring_host_destroy(host);
	open_ring(2);
	says("get none\r\n", "END\r\n");
	EXPECT(!ring_host_take(host, &r));
	take_big('b', 100);
	stop();
}

TEST(kv_reconfigure__keeps_what_is_stored)
{
	struct sluice_handler_config hc = handler_config(3, 1408);
	struct sluice_handler_option bad = { .name = "memory", .value = "1k", .where = "f:2" };
	struct sluice_handler_error err;

	start(4);
	says("set a 1 0 2\r\nhi\r\n", "STORED\r\n");
	handler_kv.worker_fini(worker);
	hc.options = &bad;
	hc.noptions = 1;
	EXPECT_EQ(handler_kv.reconfigure(state, &hc, &err), -EINVAL);
	EXPECT(!strcmp(err.where, "f:2"));
	hc.noptions = 0;
	EXPECT_EQ(handler_kv.reconfigure(state, &hc, &err), 0);
	hc.workers = 1;
	EXPECT_EQ(handler_kv.reconfigure(state, &hc, &err), 0);
	EXPECT_EQ(handler_kv.worker_init(state, 0, &worker), 0);
	says("get a\r\n", "VALUE a 1 2\r\nhi\r\nEND\r\n");
	stop();
}

TEST(kv_check__says_what_is_wrong_and_where)
{
	static const struct {
		const char *name, *value, *text;
	} bad[] = {
		{ "memory", "lots", "memory wants a size" }, { "memory", "1", "memory must be" },
		{ "item-size-max", "1G", "item-size-max must be" }, { "colour", "red", "knows memory" },
	};
	struct sluice_handler_config hc = handler_config(1, 1408);
	struct sluice_handler_option o = { .where = "f:9" };
	struct sluice_handler_error err;
	size_t i;

	EXPECT_EQ(handler_kv.check(&hc, &err), 0);
	hc.options = &o;
	hc.noptions = 1;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.name = bad[i].name;
		o.value = bad[i].value;
		EXPECT_EQ(handler_kv.check(&hc, &err), -EINVAL);
		EXPECT(!strcmp(err.where, "f:9") && strstr(err.text, bad[i].text));
	}
	hc = handler_config(1, 64);
	EXPECT_EQ(handler_kv.check(&hc, &err), -EINVAL);
}

/* The response to a get of one key is written over the key that it begins with. */
TEST(kv_serve__a_get_in_place_is_right_for_any_sizes)
{
	static const unsigned int values[] = { 0, 1, 9, 10, 99, 100, 1000, 1105, 1106, 1300, 1310, 1320, 1330, 1392, 3000 };
	static char in[4096], want[4096], key[251], value[3001];
	unsigned int fits = 0, tried = 0;
	struct host_reply r;
	size_t v, k, n;

	start(4);
	memset(value, 'v', sizeof(value));
	for (v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
		for (k = 1; k <= 250; k += k < 12 ? 1 : 34) {
			memset(key, 'a' + k % 26, k);
			key[k] = 0;
			n = sprintf(in, "set %s 1234567890 0 %u\r\n%.*s\r\n", key, values[v], (int)values[v], value);
			says(in, "STORED\r\n");
			n = sprintf(want, "VALUE %s 1234567890 %u\r\n%.*s\r\nEND\r\n", key, values[v], (int)values[v], value);
			sprintf(in, "get %s\r\n", key);
			/* the number of the datagram means nothing when there is one */
			EXPECT_GE(publish(77, 5, 1, in, strlen(in)), 0);
			turn();
			EXPECT(ring_host_take(host, &r));
			EXPECT_EQ(r.flags & ~(uint32_t)SLUICE_RESP_MORE, 0);
			EXPECT(!memcmp(r.data, "\0\115\0\0\0", 5) && r.data[5] == (n > KV_UDP_DATA ? (n - 1) / KV_UDP_DATA + 1 : 1));
			EXPECT(!memcmp(r.data + 8, want, r.len - 8));
			EXPECT_EQ(r.len - 8, n > KV_UDP_DATA ? KV_UDP_DATA : n);
			while (r.flags & SLUICE_RESP_MORE)
				EXPECT(ring_host_take(host, &r));
			tried++;
			fits += n <= KV_UDP_DATA - 100; /* what is allowed for numbers may be more than they take */
		}
	}
	EXPECT_GE(in_place(), fits);
	EXPECT_LE(in_place(), tried);
	stop();
}

TEST(kv_serve__a_response_in_place_waits_for_the_queue)
{
	struct host_reply r;
	int i, n = 0, turns;

	ring_host_responses = 2;
	start(0);
	ring_host_responses = 0;
	says("set a 7 0 3\r\nxyz\r\n", "STORED\r\n");
	for (i = 0; i < 8; i++)
		EXPECT_GE(publish(i, 0, 1, i % 2 ? "get b\r\n" : "get a\r\n", 7), 0);
	for (turns = 0; n < 8; turns++) {
		EXPECT_LE(turns, 20);
		turn();
		while (ring_host_take(host, &r)) {
			EXPECT_EQ(r.data[1], n);
			EXPECT_EQ(r.len, n % 2 ? 8 + 5 : 8 + 23);
			EXPECT(!memcmp(r.data + 8, n % 2 ? "END\r\n" : "VALUE a 7 3\r\nxyz\r\nEND\r\n", r.len - 8));
			n++;
		}
	}
	stop();
}

TEST(kv_serve__random_datagrams_are_each_answered_once)
{
	uint8_t datagram[600];
	struct host_reply r;
	unsigned int k, len;
	int round;

	start(4);
	srand(11);
	for (round = 0; round < 5000; round++) {
		len = rand() % sizeof(datagram);
		for (k = 0; k < len; k++)
			datagram[k] = rand();
		if (rand() % 2 && len > 20)
			memcpy(datagram + 2, "\0\0\0\1\0\0get a b c\r\n", 17);
		EXPECT_GE(ring_host_publish(host, datagram, len), 0);
		turn();
		EXPECT(ring_host_take(host, &r));
		while (r.flags & SLUICE_RESP_MORE)
			EXPECT(ring_host_take(host, &r));
	}
	stop();
}

/* ---- connections: no frame header ---- */

/* The pieces of one response, as they would stand in the stream. */
static uint32_t stream(const char *in, size_t len, char *got)
{
	struct host_reply r = { .flags = SLUICE_RESP_MORE };
	uint32_t n = 0, turns;

	EXPECT_GE(ring_host_publish(host, in, len), 0);
	for (turns = 0; r.flags & SLUICE_RESP_MORE; turns++) {
		EXPECT_LE(turns, 100);
		turn();
		while (ring_host_take(host, &r)) {
			if (r.flags & SLUICE_RESP_NO_REPLY)
				return 0;
			memcpy(got + n, r.data, r.len);
			n += r.len;
		}
	}
	return n;
}

static void streams(const char *in, const char *out)
{
	static char got[BIG + 200];
	uint32_t n = stream(in, strlen(in), got);

	if (n != strlen(out) || memcmp(got, out, n))
		ktap_fail(__FILE__, __LINE__, "%s: %.*s, not %s", in, (int)n, got, out);
}

TEST(kv_serve__a_message_of_a_connection_has_no_frame)
{
	start(4);
	ring_host_connection(host, 7);
	streams("set a 1 0 2\r\nhi\r\n", "STORED\r\n");
	streams("get a\r\n", "VALUE a 1 2\r\nhi\r\nEND\r\n");
	streams("delete a noreply\r\n", "");
	streams("quit\r\n", "");
	streams("x", "CLIENT_ERROR request does not end in this message\r\n");
	ring_host_connection(host, 0);
	says("get a\r\n", "END\r\n");
	stop();
}

/* In a slot that holds the request and little more, over UDP and over a connection in both protocols. */
TEST(kv_serve__a_get_in_place_stays_within_its_slot)
{
	char in[300], want[300], value[200];
	unsigned int n, here = 0;

	memset(value, 'v', sizeof(value));
	start_with(&handler_kv, 256, 0);
	for (n = 0; n < 200; n += 3) {
		sprintf(in, "set k 0 0 %u\r\n%.*s\r\n", n, (int)n, value);
		says(in, "STORED\r\n");
		sprintf(want, "VALUE k 0 %u\r\n%.*s\r\nEND\r\n", n, (int)n, value);
		says("get k\r\n", want);
		ring_host_connection(host, 7);
		streams("get k\r\n", want);
		sprintf(want, "$%u\r\n%.*s\r\n", n, (int)n, value);
		streams("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", want);
		streams("*2\r\n$3\r\nget\r\n$1\r\nz\r\n", "$-1\r\n");
		streams("get z\r\n", "END\r\n");
		ring_host_connection(host, 0);
		here += n < 100;
	}
	EXPECT_GE(in_place(), 5 * here);
	stop();
}

TEST(kv_serve__redis_gets_are_in_place_too)
{
	start_with(&handler_redis, 4096, 4);
	ring_host_connection(host, 7);
	streams("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n", "+OK\r\n");
	EXPECT_EQ(in_place(), 0);
	streams("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", "$5\r\nvalue\r\n");
	EXPECT_EQ(in_place(), 1);
	streams("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$-1\r\n");
	EXPECT_EQ(in_place(), 2);
	streams("GET key\r\n", "$5\r\nvalue\r\n");
	EXPECT_EQ(in_place(), 2);
	stop();
}

TEST(kv_serve__a_long_response_is_the_same_bytes_in_pieces)
{
	static char got[BIG + 200];
	uint32_t n;

	start(2);
	store_big('c');
	ring_host_connection(host, 7);
	n = stream("get big\r\n", 9, got);
	EXPECT_EQ(n, 19 + BIG + 7);
	EXPECT(!memcmp(got, "VALUE big 0 20000\r\n", 19) && !memcmp(got + n - 7, "\r\nEND\r\n", 7));
	for (n = 19; n < 19 + BIG; n++)
		EXPECT_EQ(got[n], 'c');
	stop();
}

TEST(echo_serve__sends_back_what_came)
{
	struct sluice_request req[8];
	struct host_reply r;
	void *echo;

	open_ring(0);
	EXPECT_EQ(handler_echo.worker_init(NULL, 0, &echo), 0);
	EXPECT_GE(ring_host_publish(host, "hello", 5), 0);
	EXPECT_EQ(sluice_ring_peek(ring, req, 8), 1);
	handler_echo.serve(echo, ring, req, 1);
	sluice_ring_flush(ring);
	EXPECT(ring_host_take(host, &r) && r.len == 5 && !memcmp(r.data, "hello", 5));
	handler_echo.worker_fini(echo);
	sluice_ring_close(ring);
	ring_host_destroy(host);
}
