/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bench in one process for tests in C: its own network namespace with loopback, the sluice
 * command, rings driven by hand through the mapped ABI, and UDP clients.
 */
#ifndef RIG_H
#define RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/sluice.h>
#include <linux/sluice_outcome.h>
#include <linux/sluice_ring.h>

#include "kselftest_harness.h"

/* A case that hangs is ended by the harness; a slow guest needs more than its 30 s. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define RIG_PORT 7000

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Wait for a condition, for up to 20 s (of what a good run never needs). */
#define until(cond)                                                       \
	({                                                                \
		int left_ = 20000;                                        \
		bool met_;                                                \
		while (!(met_ = (cond)) && left_-- > 0)                   \
			usleep(1000);                                     \
		met_;                                                     \
	})

/* Run a command. Return: its exit status. */
static inline __attribute__((format(printf, 1, 2))) int run(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	fflush(NULL);
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* A command that has to be refused by what it asks for, not for want of the command. */
#define refused(...) (run(__VA_ARGS__) == 1)

/* What KEY adds up to over all objects of a kind: "listener", "rule", "group", "class", "ring". */
static inline long stat_sum(const char *object, const char *key)
{
	char cmd[128], want[80], *text = NULL, *at;
	size_t size = 0;
	long sum = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "sluice -j stats %s", object);
	snprintf(want, sizeof(want), "\"%s\":", key);
	f = popen(cmd, "r");
	if (!f)
		return -1;
	if (getdelim(&text, &size, 0, f) < 0)
		sum = -1;
	for (at = text; sum >= 0 && (at = strstr(at, want)); at += strlen(want))
		sum += strtol(at + strlen(want), NULL, 10);
	free(text);
	return pclose(f) ? -1 : sum;
}

#define outcome(key) stat_sum("listener", key)
#define ledger_closed() (run("sluice check -q") == 0)

/* A fresh network namespace for this process and what it starts. Return: 0 or -1. */
static inline int rig_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd, err;

	if (unshare(CLONE_NEWNET))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return err;
}

/* ---- a ring, driven by hand ---- */

struct ring {
	int fd;
	struct sluice_ring_setup su;
	char *kernel, *user, *slots;
	volatile uint32_t *queue, *resp_tail, *ticket;
	const volatile uint32_t *resp_head, *state;
	struct sluice_response *resp;
	uint32_t head[SLUICE_RING_PRIOS];
	uint32_t tail;
};

/* A request in the hands of the test. */
struct request {
	uint32_t slot;
	struct sluice_slot *hdr;
	char *data;
};

static inline void *ring_map(const struct ring *r, const struct sluice_ring_region *region, int prot)
{
	return mmap(NULL, region->len, prot, MAP_SHARED, r->fd, region->offset);
}

/* Room for SLOTS requests of SIZE bytes; change r->su before ring_setup() for anything else. */
static inline void ring_init(struct ring *r, const char *group, uint32_t size, uint32_t slots)
{
	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->su.abi = SLUICE_RING_ABI;
	r->su.flags = SLUICE_RING_TX_KICK;
	r->su.tx_cpu = -1;
	snprintf(r->su.group, sizeof(r->su.group), "%s", group);
	r->su.classes[0].slot_size = size;
	r->su.classes[0].slots = slots;
}

/* Return: 0 or -errno. */
static inline int ring_setup(struct ring *r)
{
	r->fd = open("/dev/sluice", O_RDWR | O_CLOEXEC);
	if (r->fd < 0)
		return -errno;
	if (ioctl(r->fd, SLUICE_IOC_SETUP, &r->su)) {
		int err = -errno;

		close(r->fd);
		return err;
	}
	r->kernel = ring_map(r, &r->su.map.kernel, PROT_READ);
	r->queue = ring_map(r, &r->su.map.requests, PROT_READ);
	r->user = ring_map(r, &r->su.map.user, PROT_READ | PROT_WRITE);
	r->resp = ring_map(r, &r->su.map.responses, PROT_READ | PROT_WRITE);
	r->slots = ring_map(r, &r->su.map.slots, PROT_READ | PROT_WRITE);
	if (r->kernel == MAP_FAILED || r->queue == MAP_FAILED || r->user == MAP_FAILED ||
	    r->resp == MAP_FAILED || r->slots == MAP_FAILED)
		return -ENOMEM;
	r->resp_tail = (uint32_t *)(r->user + r->su.map.resp_tail);
	r->ticket = (uint32_t *)(r->user + r->su.map.need_wakeup);
	r->resp_head = (uint32_t *)(r->kernel + r->su.map.resp_head);
	r->state = (uint32_t *)(r->kernel + r->su.map.state);
	return 0;
}

static inline int ring_attach(struct ring *r)
{
	return ioctl(r->fd, SLUICE_IOC_ATTACH) ? -errno : 0;
}

/* Set up and attach a ring of 64 slots of 2048 bytes. Return: 0 or -errno. */
static inline int ring_open(struct ring *r, const char *group)
{
	int err;

	ring_init(r, group, 2048, 64);
	err = ring_setup(r);
	return err ? err : ring_attach(r);
}

static inline void ring_unmap(struct ring *r)
{
	munmap(r->kernel, r->su.map.kernel.len);
	munmap((void *)r->queue, r->su.map.requests.len);
	munmap(r->user, r->su.map.user.len);
	munmap(r->resp, r->su.map.responses.len);
	munmap(r->slots, r->su.map.slots.len);
}

static inline void ring_close(struct ring *r)
{
	close(r->fd);
	ring_unmap(r);
}

static inline struct sluice_slot *ring_slot(const struct ring *r, uint32_t slot)
{
	const struct sluice_ring_map *m = &r->su.map;
	int c;

	for (c = 0; c <= SLUICE_RING_CLASSES; c++)
		if (slot - m->slot_first[c] < m->slot_count[c])
			return (void *)(r->slots + m->slot_offset[c] +
					(uint64_t)(slot - m->slot_first[c]) * m->slot_stride[c]);
	abort();
}

static inline uint32_t ring_ready(const struct ring *r, int prio)
{
	const uint32_t *tail = (uint32_t *)(r->kernel + r->su.map.req_tail[prio]);

	return __atomic_load_n(tail, __ATOMIC_ACQUIRE) - r->head[prio];
}

static inline uint32_t ring_pending(const struct ring *r)
{
	uint32_t n = 0;
	int prio;

	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++)
		n += ring_ready(r, prio);
	return n;
}

/* Take the first request of the highest priority. Return: false if there is none. */
static inline bool ring_take(struct ring *r, struct request *q)
{
	int prio;

	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++) {
		if (!ring_ready(r, prio))
			continue;
		q->slot = r->queue[prio * r->su.map.req_entries +
				   (r->head[prio] & (r->su.map.req_entries - 1))];
		q->hdr = ring_slot(r, q->slot);
		q->data = (char *)(q->hdr + 1);
		r->head[prio]++;
		*(volatile uint32_t *)(r->user + r->su.map.req_head[prio]) = r->head[prio];
		return true;
	}
	return false;
}

#define ring_wait(r, q) until(ring_take(r, q))

/* Take a request within 20 s; the text of it, terminated, or "" if none came. */
static inline const char *ring_text(struct ring *r, struct request *q)
{
	static char text[65536];

	if (!ring_wait(r, q))
		return "";
	memcpy(text, q->data, q->hdr->len < sizeof(text) ? q->hdr->len : sizeof(text) - 1);
	text[q->hdr->len < sizeof(text) ? q->hdr->len : sizeof(text) - 1] = 0;
	return text;
}

/* Write an entry of the response queue, and hand it over. */
static inline void ring_respond(struct ring *r, struct sluice_response e)
{
	r->resp[r->tail++ & (r->su.map.resp_entries - 1)] = e;
	__atomic_store_n(r->resp_tail, r->tail, __ATOMIC_RELEASE);
}

static inline int ring_kick(struct ring *r)
{
	int n = ioctl(r->fd, SLUICE_IOC_KICK);

	return n < 0 ? -errno : n;
}

/* Answer with what is in the slot, and have it sent. Return: what the kick says. */
static inline int ring_answer(struct ring *r, const struct request *q, uint32_t len, uint16_t flags)
{
	ring_respond(r, (struct sluice_response){
				.slot = q->slot, .data = q->slot, .len = len, .flags = flags,
				.gen = q->hdr->gen });
	return ring_kick(r);
}

/* ---- clients ---- */

/* A UDP socket on loopback connected to PORT, from SOURCE (0: any port). */
static inline int client(int family, uint16_t port, uint16_t source)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				     .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(source) };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 4 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (source && bind(fd, (struct sockaddr *)&from, sizeof(from)))
		return -1;
	if (family == AF_INET ? connect(fd, (struct sockaddr *)&sin, sizeof(sin)) :
				connect(fd, (struct sockaddr *)&sin6, sizeof(sin6)))
		return -1;
	return fd;
}

#define say(fd, text) send(fd, text, strlen(text), 0)

/* Wait up to 20 s for a datagram. Return: its length, or -1. */
static inline ssize_t hear(int fd, void *buf, size_t size)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 20000) > 0 ? recv(fd, buf, size, 0) : -1;
}

/* Nothing is there to hear. Loopback delivers in the sender's own time, so no wait is needed. */
static inline bool silent(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

/* Does the next datagram say just this? */
static inline bool hears(int fd, const char *text)
{
	char buf[65536];
	ssize_t n = hear(fd, buf, sizeof(buf));

	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n);
}

#endif /* RIG_H */
