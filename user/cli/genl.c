// SPDX-License-Identifier: GPL-2.0-only
/* Generic netlink: the socket, finding the family, sending a request, and making sense of a refusal. */
#include <errno.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli.h"

#define RECEIVE_SIZE	(256 << 10)
#define CTRL_ROOM	(NLMSG_HDRLEN + GENL_HDRLEN)

struct genl {
	struct mnl_socket *nl;
	uint16_t family;
	uint32_t events;	/* number of the multicast group */
	uint32_t seq;
	char *buf;		/* RECEIVE_SIZE */
};

struct request {
	size_t len, room;
	uint8_t cmd;
	bool is_dump;
	char *data;		/* netlink and generic header, attributes */
	bool failed;		/* memory */
};

struct request *request_new(struct cli *c, uint8_t cmd, uint16_t flags)
{
	struct request *r = calloc(1, sizeof(*r));
	struct nlmsghdr *nlh;
	struct genlmsghdr *g;

	(void)c;
	if (!r)
		return NULL;
	r->room = 4096;
	r->data = calloc(1, r->room);
	if (!r->data) {
		free(r);
		return NULL;
	}
	r->len = CTRL_ROOM;
	r->cmd = cmd;
	r->is_dump = flags & NLM_F_DUMP;
	nlh = (struct nlmsghdr *)r->data;
	nlh->nlmsg_flags = NLM_F_REQUEST | (r->is_dump ? 0 : NLM_F_ACK) | flags;
	g = (struct genlmsghdr *)(r->data + NLMSG_HDRLEN);
	g->cmd = cmd;
	g->version = SLUICE_GENL_VERSION;
	return r;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	free(r->data);
	free(r);
}

static int make_room(struct request *r, size_t more)
{
	size_t room = r->room;
	char *data;

	while (room - r->len < more)
		room *= 2;
	if (room > UINT32_MAX / 2)
		return -EMSGSIZE;
	if (room == r->room)
		return 0;
	data = realloc(r->data, room);
	if (!data)
		return -ENOMEM;
	memset(data + r->room, 0, room - r->room);
	r->data = data;
	r->room = room;
	return 0;
}

int request_put(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct nlattr *attr;
	int ret;

	if (len > UINT16_MAX - NLA_HDRLEN)
		return -EMSGSIZE;
	ret = make_room(r, NLA_HDRLEN + NLA_ALIGN(len));
	if (ret)
		return ret;
	attr = (struct nlattr *)(r->data + r->len);
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy(attr + 1, data, len);
	r->len += NLA_HDRLEN + NLA_ALIGN(len);
	return 0;
}

/* Begin a nest; @mark is for request_nest_end(). */
int request_nest(struct request *r, uint16_t type, size_t *mark)
{
	*mark = r->len;
	return request_put(r, type | NLA_F_NESTED, NULL, 0);
}

int request_nest_end(struct request *r, size_t mark)
{
	if (r->len - mark > UINT16_MAX)
		return -EMSGSIZE;
	((struct nlattr *)(r->data + mark))->nla_len = r->len - mark;
	return 0;
}

static const char *what_to_do(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return "run it as root, or with CAP_NET_ADMIN in this network namespace";
	case EEXIST:
		return "choose another name, or change the existing one with \"set\"";
	case ENOENT:
		return "see what there is with \"show\"";
	case EBUSY:
		return "remove what refers to it first";
	case EADDRINUSE:
		return "choose another address or port, or stop what is bound to it (ss -lunp)";
	case EADDRNOTAVAIL:
		return "use an address of this namespace (ip address), or 0.0.0.0 or [::]";
	case EOPNOTSUPP:
		return "the loaded module is of another version: load the one that belongs to this command";
	case ENOMEM:
	case ENOBUFS:
		return "free memory, or lower the limits asked for";
	case EMSGSIZE:
		return "the request is larger than a netlink socket takes: raise net.core.wmem_max";
	}
	return NULL;
}

static int on_extack_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr **tb = data;

	if (mnl_attr_get_type(attr) <= NLMSGERR_ATTR_MAX)
		tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static uint32_t extack_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == 4 ? mnl_attr_get_u32(attr) : 0;
}

/* The attribute that the kernel blames, in words; empty if it names none. */
static void blame(const struct request *r, const struct nlattr **tb, char *buf, size_t size)
{
	const struct attr_set *set = schema_set(r->cmd);
	char path[128];
	uint32_t n;

	buf[0] = 0;
	if (tb[NLMSGERR_ATTR_OFFS]) {
		n = extack_u32(tb[NLMSGERR_ATTR_OFFS]);
		if (n >= CTRL_ROOM && attr_at(set, r->data + CTRL_ROOM, r->len - CTRL_ROOM, n - CTRL_ROOM, path,
					      sizeof(path)))
			snprintf(buf, size, " (attribute %s)", path);
	} else if (tb[NLMSGERR_ATTR_MISS_TYPE]) {
		n = extack_u32(tb[NLMSGERR_ATTR_MISS_TYPE]);
		if (n && n <= set->max)
			snprintf(buf, size, " (attribute %s is missing)", set->attrs[n].name);
	}
}

/* @attrs, @len: the extended acknowledgement's attributes; NULL if there is none. */
static int refused(struct cli *c, const struct request *r, int err, const void *attrs, size_t len)
{
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { 0 };
	const char *text = NULL, *todo = what_to_do(err);
	char where[200];

	if (attrs && len)
		mnl_attr_parse_payload(attrs, len, on_extack_attr, tb);
	if (tb[NLMSGERR_ATTR_MSG] && !mnl_attr_validate(tb[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING))
		text = mnl_attr_get_str(tb[NLMSGERR_ATTR_MSG]);
	blame(r, tb, where, sizeof(where));
	return fail(c, -err, "the kernel refused %s: %s%s%s%s%s%s", schema_command(r->cmd), text ? text : strerror(err),
		    where, text ? ": " : "", text ? strerror(err) : "", todo ? "; " : "", todo ? todo : "");
}

static int on_error(struct cli *c, const struct request *r, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t off = sizeof(*e);

	if (nlh->nlmsg_len < NLMSG_HDRLEN + sizeof(*e))
		return fail(c, -EBADMSG, "the kernel sent a short acknowledgement");
	if (!e->error)
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		off += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || off > nlh->nlmsg_len - NLMSG_HDRLEN)
		return refused(c, r, -e->error, NULL, 0);
	return refused(c, r, -e->error, (const char *)e + off, nlh->nlmsg_len - NLMSG_HDRLEN - off);
}

static int on_done(struct cli *c, const struct request *r, const struct nlmsghdr *nlh)
{
	size_t len = mnl_nlmsg_get_payload_len(nlh);
	const int *err = mnl_nlmsg_get_payload(nlh);

	if (len < sizeof(*err) || *err >= 0)
		return 0;
	return refused(c, r, -*err, err + 1, nlh->nlmsg_flags & NLM_F_ACK_TLVS ? len - sizeof(*err) : 0);
}

/* One message of an answer. Return 1 to go on, 0 at the end, or -errno. */
static int on_message(struct cli *c, const struct request *r, const struct nlmsghdr *nlh, object_fn fn, void *data)
{
	int ret;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		return fail(c, -EINTR, "objects changed while they were read; try again");
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return on_error(c, r, nlh);
	if (nlh->nlmsg_type == NLMSG_DONE)
		return on_done(c, r, nlh);
	if (nlh->nlmsg_type < NLMSG_MIN_TYPE || !fn)
		return 1;
	if (nlh->nlmsg_len < CTRL_ROOM)
		return fail(c, -EBADMSG, "the kernel sent a short message");
	ret = fn(c, nlh, data);
	return ret ? ret : 1;
}

/* Everything up to the acknowledgement or the dump's end is read, even after a failure, so that the next is not confused. */
static int receive(struct cli *c, const struct request *r, uint32_t seq, object_fn fn, void *data)
{
	struct genl *g = c->genl;
	const struct nlmsghdr *nlh;
	int len, ret = 0, one;
	ssize_t n;
	bool more = true;

	while (more) {
		n = mnl_socket_recvfrom(g->nl, g->buf, RECEIVE_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(c, -errno, "cannot receive from the kernel: %s", strerror(errno));
		len = n;
		for (nlh = (void *)g->buf; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			one = on_message(c, r, nlh, ret ? NULL : fn, data);
			if (one < 0 && !ret)
				ret = one;
			if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
				more = false;
		}
	}
	return ret;
}

/* Room for the whole request on its way; without the privilege the kernel's own limit decides. */
static void make_socket_room(struct genl *g, size_t len)
{
	int fd = mnl_socket_get_fd(g->nl);
	int want = len + 65536;

	if (len < 65536)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
}

static int transact(struct cli *c, struct request *r, object_fn fn, void *data)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)r->data;
	struct genl *g = c->genl;

	nlh->nlmsg_len = r->len;
	nlh->nlmsg_seq = ++g->seq;
	make_socket_room(g, r->len);
	if (mnl_socket_sendto(g->nl, r->data, r->len) < 0)
		return refused(c, r, errno, NULL, 0);
	return receive(c, r, nlh->nlmsg_seq, fn, data);
}

/**
 * request_send() - send a request and hand each message of the answer to @fn
 * @c: the command's context; with @c->dump the request is printed instead
 * @r: request; stays the caller's
 * @fn: called for each message; may be NULL
 * @data: for @fn
 *
 * Return: 0 or -errno with the kernel's words in @c->err.
 */
int request_send(struct cli *c, struct request *r, object_fn fn, void *data)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)r->data;
	int ret;

	if (c->dump) {
		printf("%s%s\n", schema_command(r->cmd), r->is_dump ? " dump" : "");
		msg_dump(stdout, schema_set(r->cmd), r->data + CTRL_ROOM, r->len - CTRL_ROOM, 1);
		return 0;
	}
	ret = genl_open(c);
	if (ret)
		return ret;
	nlh->nlmsg_type = c->genl->family;
	return transact(c, r, fn, data);
}

static void find_events(struct genl *g, const struct nlattr *groups)
{
	const struct nlattr *group, *attr;
	const char *name;
	uint32_t id;

	mnl_attr_for_each_nested(group, groups) {
		name = NULL;
		id = 0;
		mnl_attr_for_each_nested(attr, group) {
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
				name = mnl_attr_get_str(attr);
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
				id = mnl_attr_get_u32(attr);
		}
		if (name && !strcmp(name, SLUICE_GENL_MCGRP_EVENTS))
			g->events = id;
	}
}

static int on_family(struct cli *c, const struct nlmsghdr *nlh, void *data)
{
	struct genl *g = data;
	const struct nlattr *attr;

	(void)c;
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			g->family = mnl_attr_get_u16(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			find_events(g, attr);
	}
	return 0;
}

static int find_family(struct cli *c)
{
	struct request *r = request_new(c, CTRL_CMD_GETFAMILY, 0);
	struct genlmsghdr *head;
	int ret;

	if (!r)
		return fail_memory(c);
	((struct nlmsghdr *)r->data)->nlmsg_type = GENL_ID_CTRL;
	head = (struct genlmsghdr *)(r->data + NLMSG_HDRLEN);
	head->version = 1;
	ret = request_put(r, CTRL_ATTR_FAMILY_NAME, SLUICE_GENL_NAME, sizeof(SLUICE_GENL_NAME));
	if (!ret)
		ret = transact(c, r, on_family, c->genl);
	request_free(r);
	if (ret == -ENOENT)
		return fail(c, ret, "the module is not loaded: run \"modprobe sluice\", or \"insmod\" with the path of"
			    " sluice.ko; \"sluice doctor\" says what is missing");
	if (!ret && !c->genl->family)
		return fail(c, -EBADMSG, "the kernel did not give the family's number");
	return ret;
}

/* Open the socket and find the family, once. */
int genl_open(struct cli *c)
{
	struct genl *g = c->genl;
	int on = 1, ret;

	if (g)
		return 0;
	g = calloc(1, sizeof(*g));
	if (!g)
		return fail_memory(c);
	g->buf = malloc(RECEIVE_SIZE);
	g->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	c->genl = g;
	if (!g->buf)
		ret = fail_memory(c);
	else if (!g->nl || mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		ret = fail(c, -errno, "cannot open a netlink socket: %s", strerror(errno));
	else
		ret = 0;
	if (ret) {
		genl_close(c);
		return ret;
	}
	mnl_socket_setsockopt(g->nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(g->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(g->nl, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	ret = find_family(c);
	if (ret)
		genl_close(c);
	return ret;
}

void genl_close(struct cli *c)
{
	struct genl *g = c->genl;

	if (!g)
		return;
	if (g->nl)
		mnl_socket_close(g->nl);
	free(g->buf);
	free(g);
	c->genl = NULL;
}

/* Receive the family's events from now on. */
int genl_subscribe(struct cli *c, const char *group)
{
	int ret = genl_open(c);

	if (ret)
		return ret;
	if (!c->genl->events)
		return fail(c, -EOPNOTSUPP, "the module has no multicast group \"%s\"", group);
	if (mnl_socket_setsockopt(c->genl->nl, NETLINK_ADD_MEMBERSHIP, &c->genl->events,
				  sizeof(c->genl->events)) < 0)
		return fail(c, -errno, "cannot subscribe to events: %s", strerror(errno));
	return 0;
}

/* Wait for events and hand each to @fn. Return -ENOBUFS if some were lost, -EINTR after a signal. */
int genl_event(struct cli *c, int timeout_ms, object_fn fn, void *data)
{
	struct genl *g = c->genl;
	struct pollfd p = { .fd = mnl_socket_get_fd(g->nl), .events = POLLIN };
	const struct nlmsghdr *nlh;
	int len, ret;
	ssize_t n;

	ret = poll(&p, 1, timeout_ms);
	if (ret <= 0)
		return ret < 0 ? -errno : 0;
	n = mnl_socket_recvfrom(g->nl, g->buf, RECEIVE_SIZE);
	if (n < 0)
		return fail(c, -errno, "cannot receive events: %s", strerror(errno));
	len = n;
	for (nlh = (void *)g->buf; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_type != g->family || nlh->nlmsg_len < CTRL_ROOM)
			continue;
		ret = fn(c, nlh, data);
		if (ret)
			return ret;
	}
	return 0;
}
