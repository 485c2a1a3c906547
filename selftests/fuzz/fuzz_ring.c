// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the fuzzing of the library against a kernel that lies: any bytes in what it maps read only, any order of calls.
 * Nothing may be touched outside the mappings, and no request is handed out twice.
 */
#include <stdarg.h>

#include "../unit/ktap.h"
#include "../unit/ring_host.h"
#include "fuzz.h"

#define REQUESTS 8

void ktap_register(struct ktap_case *c)
{
	abort();
}

void ktap_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s:%d: ", file, line);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

static struct sluice_ring *ring;
static struct ring_host *host;
static struct sluice_request held[64];
static u32 nheld;
static struct sluice_reply reply;
static bool have_reply;

/* Write over a word of the kernel page or the request queues, or over a slot's header. */
static void lie(struct choices *c)
{
	static const u32 regions[] = { 0, 2, 4 };
	size_t len;
	u32 region = regions[pick(c, 3)];
	u8 *memory = ring_host_memory(host, region, &len);
	u32 at = pick(c, region ? 64 : 20) * 4, value = pick(c, 2) ? pick(c, 80) : ~pick(c, 256);

	if (region == 4)
		at = pick(c, 16) + pick(c, REQUESTS) * 128 / 4 * 4;
	if (at + 4 <= len)
		memcpy(memory + at, &value, 4);
}

static void take(struct choices *c)
{
	int n = sluice_ring_peek(ring, held + nheld, 1 + pick(c, 8)), i;
	u32 k;

	if (n < 0)
		return;
	for (i = 0; i < n; i++) {
		for (k = 0; k < nheld; k++)
			MUST(held[k].slot != held[nheld].slot);
		MUST(held[nheld].len <= held[nheld].room && held[nheld].room == 64);
		memset(held[nheld].data, 1, held[nheld].room);
		nheld++;
	}
}

static void give_up(u32 i)
{
	held[i] = held[--nheld];
}

static void answer(struct choices *c)
{
	u32 i = pick(c, nheld), how = pick(c, 5);
	int ret;

	if (!nheld)
		return;
	if (how == 0)
		ret = sluice_respond(ring, &held[i], pick(c, 100));
	else if (how == 1)
		ret = sluice_done(ring, &held[i]);
	else if (how == 2)
		ret = sluice_reject(ring, &held[i]);
	else if (!have_reply)
		return;
	else
		ret = sluice_respond_from(ring, &held[i], &reply, pick(c, 100), how == 4);
	if (ret)
		return;
	if (how >= 3)
		have_reply = false;
	if (how == 4)
		return;
	MUST(sluice_done(ring, &held[i]) == -EINVAL);
	give_up(i);
}

static void step(struct choices *c)
{
	static const u8 message[64] = { 1 };

	switch (pick(c, 8)) {
	case 0:
		ring_host_publish(host, message, pick(c, 65));
		break;
	case 1:
		take(c);
		break;
	case 2:
		answer(c);
		break;
	case 3:
		sluice_ring_flush(ring);
		break;
	case 4:
		sluice_ring_wait(ring, 0);
		break;
	case 5:
		if (!have_reply && !sluice_reply_get(ring, &reply)) {
			memset(reply.data, 2, reply.room);
			have_reply = true;
		}
		break;
	case 6:
		if (have_reply)
			sluice_reply_put(ring, &reply);
		have_reply = false;
		break;
	default:
		lie(c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sluice_ring_config config = {
		.size = sizeof(config), .group = "g", .slots = { { 64, REQUESTS } }, .reply_slots = 2, .reply_size = 64,
	};
	struct choices c = { .data = data, .left = size };

	nheld = 0;
	have_reply = false;
	host = ring_host_create(&ring, &config);
	while (c.left)
		step(&c);
	sluice_ring_close(ring);
	ring_host_destroy(host);
	return 0;
}
