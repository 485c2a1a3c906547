// SPDX-License-Identifier: GPL-2.0-only
/* A hostile consumer: maps a ring in forbidden ways, then writes garbage into it while requests arrive. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/sluice_ring.h>

static struct sluice_ring_setup su = {
	.abi = SLUICE_RING_ABI, .flags = SLUICE_RING_TX_THREAD, .tx_cpu = -1, .reply_slots = 4, .reply_size = 64,
	.classes = { { 128, 64 }, { 2048, 16 } },
};
static int fd, failures;

static void expect(int good, const char *what)
{
	printf("%s %s\n", good ? "good" : "bad", what);
	failures += !good;
}

static void *map(const struct sluice_ring_region *r, int prot)
{
	return mmap(NULL, r->len, prot, MAP_SHARED, fd, r->offset);
}

static void forbidden(void)
{
	struct sluice_ring_setup again = su;
	void *p;

	expect(ioctl(fd, SLUICE_IOC_SETUP, &again) < 0 && errno == EEXIST, "set up twice");
	expect(ioctl(fd, 0x1234, 0) < 0 && errno == ENOTTY, "unknown ioctl");
	expect(map(&su.map.kernel, PROT_READ | PROT_WRITE) == MAP_FAILED, "kernel page writable");
	expect(map(&su.map.requests, PROT_READ | PROT_WRITE) == MAP_FAILED, "request queues writable");
	expect(map(&su.map.slots, PROT_READ | PROT_EXEC) == MAP_FAILED, "executable");
	expect(mmap(NULL, su.map.user.len, PROT_READ, MAP_PRIVATE, fd, su.map.user.offset) == MAP_FAILED, "private");
	expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, su.map.slots.offset + 4096) == MAP_FAILED, "wrong offset");
	p = map(&su.map.kernel, PROT_READ);
	expect(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_WRITE) < 0, "mprotect to writable");
	expect(mremap(p, su.map.kernel.len, 2 * su.map.kernel.len, MREMAP_MAYMOVE) == MAP_FAILED, "grown");
}

static void bad_setups(const char *group)
{
	static const struct sluice_ring_class bad[][2] = {
		{ { 0, 1 }, { 0, 0 } }, { { 65, 1 }, { 0, 0 } }, { { 1U << 31, 1 }, { 0, 0 } },
		{ { 64, 0xffffffff }, { 0, 0 } }, { { 128, 1 }, { 64, 1 } }, { { 65536, 65536 }, { 0, 0 } },
	};
	struct sluice_ring_setup s;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = su;
		memset(s.classes, 0, sizeof(s.classes));
		memcpy(s.classes, bad[i], sizeof(bad[i]));
		strcpy(s.group, group);
		expect(ioctl(fd, SLUICE_IOC_SETUP, &s) < 0 && errno == EINVAL, "impossible sizes");
	}
	s = su;
	strcpy(s.group, "nosuch");
	expect(ioctl(fd, SLUICE_IOC_SETUP, &s) < 0 && errno == ENOENT, "no such group");
	memset(s.group, 'x', sizeof(s.group));
	expect(ioctl(fd, SLUICE_IOC_SETUP, &s) < 0 && errno == EINVAL, "name without end");
}

/* usage: hostile GROUP ROUNDS: ends by an impossible tail; exit status 0 if everything was as it should be */
int main(int argc, char **argv)
{
	volatile uint32_t *tail, *head, *state, *ticket, *queue;
	unsigned int rounds = argc > 2 ? atoi(argv[2]) : 1000, i, n;
	struct sluice_response *resp;
	char *kernel, *user, *slots;
	uint32_t t = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = open("/dev/sluice", O_RDWR | O_CLOEXEC);
	bad_setups(argv[1]);
	strcpy(su.group, argv[1]);
	if (ioctl(fd, SLUICE_IOC_SETUP, &su)) {
		perror("setup");
		return 1;
	}
	forbidden();
	kernel = map(&su.map.kernel, PROT_READ);
	user = map(&su.map.user, PROT_READ | PROT_WRITE);
	resp = map(&su.map.responses, PROT_READ | PROT_WRITE);
	slots = map(&su.map.slots, PROT_READ | PROT_WRITE);
	queue = map(&su.map.requests, PROT_READ);
	tail = (uint32_t *)(user + su.map.resp_tail);
	ticket = (uint32_t *)(user + su.map.need_wakeup);
	head = (uint32_t *)(kernel + su.map.resp_head);
	state = (uint32_t *)(kernel + su.map.state);
	if (ioctl(fd, SLUICE_IOC_ATTACH))
		return 1;
	puts("ready");
	srandom(1);
	for (i = 0; i < rounds; i++) {
		for (n = random() % 64; n && t - *head < su.map.resp_entries; n--, t++) {
			struct sluice_response *e = &resp[t & (su.map.resp_entries - 1)];

			e->slot = random() % 4 ? queue[su.map.req_entries + random() % 64] : (uint32_t)random();
			e->data = random() % 3 ? e->slot : (uint32_t)random() % 128;
			e->len = random() % 3 ? random() % 128 : (uint32_t)random();
			e->flags = random() % 3 ? 0 : random();
			e->gen = random() % 8;
		}
		*tail = t;
		*ticket = random();
		/* headers and payload of any slot, and entries that the kernel may be reading */
		memset(slots + random() % (su.map.slots.len - 64), random(), 64);
		resp[random() % su.map.resp_entries].slot = random();
		resp[random() % su.map.resp_entries].len = random();
		for (n = 0; n < su.map.req_head[0] / 64 + 4; n++)
			*(volatile uint32_t *)(user + su.map.req_head[n % 4]) = random();
		usleep(200);
	}
	*tail = t + 0x40000000;
	for (i = 0; i < 2000 && !(*state & SLUICE_STATE_GONE); i++)
		usleep(5000);
	expect(*state & SLUICE_STATE_BROKEN, "an impossible tail breaks the ring");
	expect(*state & SLUICE_STATE_GONE, "and it is detached");
	close(fd);
	memset(slots, 0xff, su.map.slots.len);	/* mappings outlive the ring */
	return failures != 0;
}
