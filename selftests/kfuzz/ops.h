/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bytes of an input do: every string of bytes is a program of netlink messages, ioctls, mappings, stores into rings
 * and traffic. Numbers that are only a byte long lie where they matter; any byte may also say that the next ones are taken
 * as they are.
 */
#ifndef OPS_H
#define OPS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sluice.h>
#include <linux/sluice_ring.h>

enum kind { KIND_BLOB, KIND_U16, KIND_U32, KIND_U64, KIND_FLAG, KIND_NEST, KIND_NAME, KIND_ADDR, KIND_PORT, KIND_FD, KINDS };

struct attr {
	enum kind kind;
	unsigned int nest;
	uint64_t most;
};

struct set {
	const struct attr *attrs;
	unsigned int n;
};

struct command {
	uint8_t cmd;
	unsigned int set;
	bool dump;
};

#include "schema.h"

#define RINGS	   4
#define CLIENTS	   4
#define NAMES	   4
#define PORT	   7000
#define MESSAGE	   4096
#define RING_BYTES (16 << 20)	/* a ring that is larger is not asked for: memory is what the machine has least of */

/* ---- the input ---- */

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static uint64_t raw(struct input *in, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | byte(in);
	return v;
}

/* A number: small ones by a byte, with up to @most of them where there is a limit; else one at the limits of something. */
static uint64_t number(struct input *in, uint64_t most)
{
	static const uint64_t limits[] = { 255, 256, 511, 512, 4096, 65535, 65536, INT32_MAX, UINT32_MAX, UINT32_MAX + 1ULL,
					   INT64_MAX, UINT64_MAX };
	uint8_t b = byte(in);

	if (b < 0xf0)
		return most && most < 0xf0 ? b % (most + 2) : b;
	if (b < 0xfc)
		return limits[b - 0xf0];
	return b == 0xfc ? most : b == 0xfd ? most + 1 : raw(in, 8);
}

static size_t bytes(struct input *in, uint8_t *buf, size_t room)
{
	size_t n = number(in, 0), i;

	n = n < room ? n : room;
	for (i = 0; i < n; i++)
		buf[i] = byte(in);
	return n;
}

static void name(struct input *in, char *to, size_t room)
{
	uint8_t b = byte(in);

	memset(to, 0, room);
	if (b < 0xe0)
		to[0] = 'a' + b % NAMES;
	else if (b < 0xf0)
		snprintf(to, room, "default");
	else
		bytes(in, (uint8_t *)to, room);
}

/* ---- what there is while an input runs ---- */

struct ring {
	int fd;
	struct sluice_ring_map map;
	void *region[5];
	uint32_t head[SLUICE_RING_PRIOS], tail;
};

static struct ring rings[RINGS];
static int clients[CLIENTS];
static int netlink = -1;
static uint16_t family;

static const struct sluice_ring_region *region_of(const struct ring *r, unsigned int i)
{
	const struct sluice_ring_region *all[] = { &r->map.kernel, &r->map.requests, &r->map.user, &r->map.responses,
						   &r->map.slots };

	return all[i];
}

/* ---- netlink ---- */

struct message {
	struct nlmsghdr h;
	struct genlmsghdr g;
	uint8_t attrs[MESSAGE];
	size_t len;
};

static struct nlattr *put(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (struct nlattr *)(m->attrs + m->len);

	if (m->len + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(m->attrs))
		return NULL;
	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memset(a + 1, 0, NLA_ALIGN(len));
	if (len)
		memcpy(a + 1, data, len);
	m->len += NLA_HDRLEN + NLA_ALIGN(len);
	return a;
}

static int descriptor(struct input *in)
{
	uint8_t b = byte(in);

	return b < 0x80 ? clients[b % CLIENTS] : b < 0xc0 ? rings[b % RINGS].fd : (int)raw(in, 1);
}

static size_t address(struct input *in, uint8_t *to)
{
	uint8_t b = byte(in);

	memset(to, 0, 16);
	if (b < 0x80) {
		to[0] = 127;
		to[3] = 1;
		return 4;
	}
	if (b < 0xc0) {
		to[15] = 1;
		return 16;
	}
	return bytes(in, to, 16);
}

static void put_attrs(struct input *in, struct message *m, unsigned int set, int depth)
{
	unsigned int n = byte(in) % 16;

	while (n-- && in->left) {
		uint8_t b = byte(in), data[600];
		uint16_t type = b % 0x80 % sets[set].n;
		const struct attr *a = &sets[set].attrs[type];
		enum kind kind = a->kind;
		struct nlattr *nest;
		uint64_t v;

		if (b >= 0xf0) { /* of another kind than it should be */
			kind = byte(in) % KINDS;
			type = byte(in);
		}
		switch (kind) {
		case KIND_U16:
			v = number(in, a->most);
			put(m, type, &v, 2);
			break;
		case KIND_PORT:
			v = number(in, 0);
			v = v < 0xf0 ? PORT + v % 4 : v;
			put(m, type, &v, 2);
			break;
		case KIND_U32:
			v = number(in, a->most);
			put(m, type, &v, 4);
			break;
		case KIND_FD:
			v = descriptor(in);
			put(m, type, &v, 4);
			break;
		case KIND_U64:
			v = number(in, a->most);
			put(m, type, &v, 8);
			break;
		case KIND_FLAG:
			put(m, type, NULL, 0);
			break;
		case KIND_NAME:
			name(in, (char *)data, SLUICE_NAME_LEN + 8);
			put(m, type, data, strnlen((char *)data, SLUICE_NAME_LEN + 7) + 1);
			break;
		case KIND_ADDR:
			v = address(in, data);
			put(m, type, data, v);
			break;
		case KIND_NEST:
			nest = depth < 4 ? put(m, type | NLA_F_NESTED, NULL, 0) : NULL;
			if (!nest)
				break;
			put_attrs(in, m, a->nest, depth + 1);
			nest->nla_len = m->attrs + m->len - (uint8_t *)nest;
			break;
		default:
			v = bytes(in, data, sizeof(data));
			put(m, type, data, v);
		}
	}
}

/* Send, and take all that is answered, so that dumps are carried to their ends. Return: the error of the acknowledgement. */
static int exchange(struct message *m)
{
	static char buf[65536];
	const struct nlmsghdr *h;
	int err = 0;
	ssize_t n;

	m->h.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN + m->len;
	if (send(netlink, m, m->h.nlmsg_len, 0) < 0)
		return -errno;
	while ((n = recv(netlink, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		for (h = (struct nlmsghdr *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n))
			if (h->nlmsg_type == NLMSG_ERROR)
				err = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
	return err;
}

static void message_init(struct message *m, uint16_t type, uint8_t cmd, uint16_t flags)
{
	m->h = (struct nlmsghdr){ .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 1 };
	m->g = (struct genlmsghdr){ .cmd = cmd, .version = 1 };
	m->len = 0;
}

static void op_netlink(struct input *in)
{
	static struct message m;
	const struct command *c = &commands[byte(in) % (sizeof(commands) / sizeof(commands[0]))];
	uint8_t mode = byte(in);

	message_init(&m, family, mode == 0xff ? byte(in) : c->cmd, c->dump && !(mode & 1) ? NLM_F_DUMP : NLM_F_ACK);
	put_attrs(in, &m, c->set, 0);
	if (mode >= 0xf0 && m.len) /* a byte of it is another one */
		m.attrs[raw(in, 2) % m.len] = byte(in);
	exchange(&m);
}

static void forget(uint8_t cmd, uint16_t attr)
{
	static struct message m;
	char text[2] = "";
	int i;

	for (i = 0; i < NAMES; i++) {
		text[0] = 'a' + i;
		message_init(&m, family, cmd, NLM_F_ACK);
		put(&m, attr, text, 2);
		exchange(&m);
	}
}

static int netlink_open(void)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	static struct message m;
	char buf[8192];
	struct nlattr *a;
	ssize_t n;

	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (netlink < 0 || bind(netlink, (struct sockaddr *)&sa, sizeof(sa)))
		return -1;
	message_init(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put(&m, CTRL_ATTR_FAMILY_NAME, SLUICE_GENL_NAME, sizeof(SLUICE_GENL_NAME));
	m.h.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN + m.len;
	if (send(netlink, &m, m.h.nlmsg_len, 0) < 0)
		return -1;
	n = recv(netlink, buf, sizeof(buf), 0);
	for (a = (struct nlattr *)(buf + NLMSG_HDRLEN + GENL_HDRLEN); (char *)a + NLA_HDRLEN < buf + n;
	     a = (struct nlattr *)((char *)a + NLA_ALIGN(a->nla_len)))
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&family, a + 1, 2);
	return family ? 0 : -1;
}

/* ---- rings ---- */

static void unmap(struct ring *r)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		if (r->region[i])
			munmap(r->region[i], region_of(r, i)->len);
	memset(r->region, 0, sizeof(r->region));
}

static void ring_forget(struct ring *r)
{
	if (r->fd >= 0)
		close(r->fd);
	unmap(r);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
}

static void op_setup(struct input *in, struct ring *r)
{
	struct sluice_ring_setup su = { .abi = SLUICE_RING_ABI, .tx_cpu = -1 };
	uint64_t room = 0;
	uint8_t mode = byte(in);
	unsigned int i;

	su.flags = mode < 0xf0 ? 1U << mode % 3 : raw(in, 4);
	name(in, su.group, sizeof(su.group));
	for (i = 0; i <= mode / 3 % SLUICE_RING_CLASSES; i++) {
		su.classes[i].slot_size = 64 * (i + 1);
		su.classes[i].slots = 1 + byte(in) % 64;
	}
	if (mode & 0x40) {
		su.reply_slots = number(in, 0);
		su.reply_size = 64 * (byte(in) & 7);
		su.tx_cpu = (int)number(in, 2) - 1;
		su.tx_idle_us = number(in, 0);
	}
	if (mode >= 0xf8) /* four bytes of it are others */
		for (i = 0; i < 4; i++)
			((uint8_t *)&su)[raw(in, 1)] = byte(in);
	for (i = 0; i < SLUICE_RING_CLASSES; i++)
		room += (uint64_t)su.classes[i].slot_size * su.classes[i].slots;
	room += (uint64_t)su.reply_slots * su.reply_size;
	if (room > RING_BYTES || ioctl(r->fd, SLUICE_IOC_SETUP, &su))
		return;
	r->map = su.map;
}

static void op_map(struct input *in, struct ring *r)
{
	uint8_t mode = byte(in);
	uint64_t offset, len;
	unsigned int i;
	void *p;

	if (mode < 0xc0) {
		unmap(r);
		for (i = 0; i < 5; i++) {
			p = mmap(NULL, region_of(r, i)->len, i < 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
				 region_of(r, i)->offset);
			r->region[i] = p == MAP_FAILED ? NULL : p;
		}
		return;
	}
	offset = region_of(r, byte(in) % 5)->offset + (mode & 1 ? number(in, 0) << 12 : 0);
	len = mode & 2 ? number(in, 0) << 12 : region_of(r, byte(in) % 5)->len;
	len = len < RING_BYTES ? len : RING_BYTES;
	p = mmap(NULL, len, byte(in) & 7, mode & 4 ? MAP_PRIVATE : MAP_SHARED, r->fd, offset);
	if (p != MAP_FAILED)
		munmap(p, len);
}

/* Store four bytes anywhere in what the consumer may write. */
static void op_store(struct input *in, struct ring *r)
{
	unsigned int i = 2 + byte(in) % 3;
	uint64_t at = number(in, 0) * 4;
	uint32_t v = number(in, 0);

	if (r->region[i])
		*(volatile uint32_t *)((char *)r->region[i] + at % region_of(r, i)->len) = v;
}

/* Take what has come and answer it, each member of the response as it should be or not. */
static void op_answer(struct input *in, struct ring *r)
{
	const struct sluice_ring_map *m = &r->map;
	uint8_t mode = byte(in), prio = mode % SLUICE_RING_PRIOS;
	volatile struct sluice_response *resp;
	uint32_t slot, first = m->slot_first[0];
	struct sluice_response e = { 0 };
	struct sluice_slot *hdr = NULL;
	int c;

	if (!r->region[1] || !r->region[2] || !r->region[3] || !r->region[4] || !m->req_entries || !m->resp_entries)
		return;
	slot = ((uint32_t *)r->region[1])[prio * m->req_entries + (r->head[prio]++ & (m->req_entries - 1))];
	for (c = 0; c < SLUICE_RING_CLASSES; c++)
		if (slot - m->slot_first[c] < m->slot_count[c])
			hdr = (void *)((char *)r->region[4] + m->slot_offset[c] +
				       (uint64_t)(slot - m->slot_first[c]) * m->slot_stride[c]);
	*(volatile uint32_t *)((char *)r->region[2] + m->req_head[prio]) = r->head[prio];
	e.slot = e.data = slot;
	if (hdr) {
		e.gen = hdr->gen;
		e.len = mode & 4 ? 0 : hdr->len;
	}
	if (mode & 8)
		e.flags = byte(in);
	if (mode & 16)
		e.len = number(in, 0);
	if (mode & 32)
		e.data = first + number(in, 0);
	if (mode & 64)
		e.slot = first + number(in, 0);
	if (mode & 128)
		e.gen = number(in, 0);
	resp = r->region[3];
	resp[r->tail++ & (m->resp_entries - 1)] = e;
	__atomic_store_n((uint32_t *)((char *)r->region[2] + m->resp_tail), r->tail, __ATOMIC_RELEASE);
}

static void op_ring(struct input *in)
{
	uint8_t b = byte(in);
	struct ring *r = &rings[b % RINGS];
	struct pollfd p = { .fd = r->fd, .events = POLLIN | POLLOUT };

	switch (b / RINGS % 14) {
	case 0:
		ring_forget(r);
		r->fd = open("/dev/sluice", O_RDWR | O_CLOEXEC);
		break;
	case 1:
		op_setup(in, r);
		break;
	case 2:
		ioctl(r->fd, SLUICE_IOC_ATTACH);
		break;
	case 3:
		ioctl(r->fd, SLUICE_IOC_DRAIN);
		break;
	case 4:
	case 5:
		ioctl(r->fd, SLUICE_IOC_KICK);
		break;
	case 6:
		op_map(in, r);
		break;
	case 7:
		op_store(in, r);
		break;
	case 8:
	case 9:
		op_answer(in, r);
		break;
	case 10:
		poll(&p, 1, 0);
		break;
	case 11:
		/* at most a millisecond: nobody comes to wake it */
		ioctl(r->fd, SLUICE_IOC_WAIT, 1 + byte(in) * 4);
		break;
	case 12:
		ioctl(r->fd, SLUICE_IOC_INTERRUPT);
		break;
	default:
		if (b & 0x80)
			ioctl(r->fd, _IO(SLUICE_IOC_MAGIC, byte(in)), raw(in, 8));
		else
			ring_forget(r);
	}
}

/* ---- traffic ---- */

static void op_client(struct input *in)
{
	uint8_t b = byte(in), port = byte(in), data[600];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT + port % 4),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger at_once = { .l_onoff = 1 };
	int *fd = &clients[b % CLIENTS], one = 1;
	ssize_t n;

	switch (b / CLIENTS % 8) {
	case 0:
	case 1:
		if (*fd >= 0)
			close(*fd);
		*fd = socket(AF_INET, (b & 0x80 ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (b & 0x40) {
			if (!bind(*fd, (struct sockaddr *)&to, sizeof(to)) && b & 0x80)
				listen(*fd, 4);
		} else {
			connect(*fd, (struct sockaddr *)&to, sizeof(to));
		}
		break;
	case 7:
		if (b & 0x80)
			setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(*fd);
		*fd = -1;
		break;
	case 6:
		shutdown(*fd, port % 3);
		break;
	case 5:
		recv(*fd, data, sizeof(data), MSG_DONTWAIT);
		break;
	default:
		n = bytes(in, data, sizeof(data));
		send(*fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* ---- a whole input ---- */

static void run_input(const uint8_t *data, size_t len)
{
	struct input in = { data, len };

	while (in.left) {
		uint8_t b = byte(&in);

		if (b < 0x60)
			op_netlink(&in);
		else if (b < 0xb0)
			op_ring(&in);
		else if (b < 0xf8)
			op_client(&in);
		else
			usleep(1000); /* for the ring's thread, and for what works later */
	}
}

/* Everything goes, so that the next input finds what the first one found. */
static void reset(void)
{
	int i;

	for (i = 0; i < RINGS; i++)
		ring_forget(&rings[i]);
	for (i = 0; i < CLIENTS; i++) {
		if (clients[i] >= 0)
			close(clients[i]);
		clients[i] = -1;
	}
	forget(SLUICE_CMD_LISTENER_DEL, SLUICE_A_LISTENER_NAME);
	forget(SLUICE_CMD_GROUP_DEL, SLUICE_A_GROUP_NAME);
}

static void ops_init(void)
{
	int i;

	for (i = 0; i < RINGS; i++)
		rings[i].fd = -1;
	for (i = 0; i < CLIENTS; i++)
		clients[i] = -1;
}

#endif
