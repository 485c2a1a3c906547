// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation on the way of a command, an ioctl or a mapping fails in turn. Whatever fails, the
 * object is either there or not, can be removed, and the ledger closes; kmemleak, read after the
 * suite, finds what was forgotten.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "rig.h"

#define NTH_MAX 4000

static int nth_fd = -1;
static uint16_t family;

static void setting(const char *injector, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", injector, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, value, strlen(value)) < 0)
			perror(path);
		close(fd);
	}
}

/* Allocations that may sleep fail too, and none of it is told in the kernel's log. */
static void settings(void)
{
	static const char *const injectors[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		setting(injectors[i], "verbose", "0");
		setting(injectors[i], "ignore-gfp-wait", "N");
		setting(injectors[i], "ignore-gfp-highmem", "N");
		setting(injectors[i], "min-order", "0");
	}
}

static void arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	/* a fault that is left over may hit this very call, once */
	if (pwrite(nth_fd, text, len, 0) != len && pwrite(nth_fd, text, len, 0) != len)
		abort();
}

/* Disarm. Return: whether the fault was reached before. */
static bool disarm(void)
{
	char text[16] = "";
	bool hit = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	arm(0);
	return hit;
}

/* ---- netlink messages, built beforehand ---- */

struct command {
	const char *name;
	uint8_t cmd;
	uint16_t flags;
	void (*fill)(struct nlmsghdr *nlh);
	const struct command *undo; /* makes it possible again; may find nothing to do */
};

static void fill_group(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_GROUP_NAME, "fresh");
	mnl_attr_put_u32(nlh, SLUICE_A_GROUP_STEERING, SLUICE_STEERING_FIFO);
	mnl_attr_put_u32(nlh, SLUICE_A_GROUP_BACKLOG, 100);
}

static void fill_group_set(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_GROUP_NAME, "base");
	mnl_attr_put_u32(nlh, SLUICE_A_GROUP_BACKLOG, 200);
}

static void fill_listener(struct nlmsghdr *nlh)
{
	uint8_t addr[4] = { 127, 0, 0, 1 };

	mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_NAME, "fresh");
	mnl_attr_put(nlh, SLUICE_A_LISTENER_ADDR, 4, addr);
	mnl_attr_put_u16(nlh, SLUICE_A_LISTENER_PORT, 7001);
	mnl_attr_put_u32(nlh, SLUICE_A_LISTENER_ACTION, SLUICE_ACTION_GROUP);
	mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_GROUP, "base");
	mnl_attr_put(nlh, SLUICE_A_LISTENER_REJECT_DATA, 4, "busy");
}

static void fill_listener_gro(struct nlmsghdr *nlh)
{
	fill_listener(nlh);
	mnl_attr_put(nlh, SLUICE_A_LISTENER_GRO, 0, NULL);
}

static void fill_listener_set(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_NAME, "base");
	mnl_attr_put(nlh, SLUICE_A_LISTENER_REJECT_DATA, 5, "later");
}

static void fill_rule(struct nlmsghdr *nlh, uint32_t id, const char *class, const char *text)
{
	struct nlattr *rule = mnl_attr_nest_start(nlh, SLUICE_A_RULES_RULE), *match;

	mnl_attr_put_u32(nlh, SLUICE_A_RULE_ID, id);
	match = mnl_attr_nest_start(nlh, SLUICE_A_RULE_MATCH);
	mnl_attr_put_u32(nlh, SLUICE_A_MATCH_KIND, SLUICE_MATCH_KIND_TEXT);
	mnl_attr_put_u32(nlh, SLUICE_A_MATCH_OFFSET, 0);
	mnl_attr_put(nlh, SLUICE_A_MATCH_WORD, strlen(text), text);
	mnl_attr_nest_end(nlh, match);
	mnl_attr_put_u32(nlh, SLUICE_A_RULE_ACTION, SLUICE_ACTION_GROUP);
	mnl_attr_put_strz(nlh, SLUICE_A_RULE_GROUP, "base");
	mnl_attr_put_strz(nlh, SLUICE_A_RULE_CLASS, class);
	mnl_attr_nest_end(nlh, rule);
}

static void fill_rules(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_RULES_LISTENER, "base");
	fill_rule(nlh, 1, "one", "get");
	fill_rule(nlh, 2, "two", "set");
}

static void fill_rules_other(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_RULES_LISTENER, "base");
	fill_rule(nlh, 2, "two", "put");
	fill_rule(nlh, 3, "one", "del");
}

static void fill_explain(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_EXPLAIN_LISTENER, "base");
	mnl_attr_put(nlh, SLUICE_A_EXPLAIN_MESSAGE, 5, "get a");
}

static void fill_exact(struct nlmsghdr *nlh)
{
	mnl_attr_put(nlh, SLUICE_A_STATS_EXACT, 0, NULL);
}

static void fill_nothing(struct nlmsghdr *nlh)
{
}

static void fill_rules_dump(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_RULES_LISTENER, "base");
}

static void fill_fresh_listener(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_NAME, "fresh");
}

static void fill_fresh_group(struct nlmsghdr *nlh)
{
	mnl_attr_put_strz(nlh, SLUICE_A_GROUP_NAME, "fresh");
}

static const struct command add_group = { "add", SLUICE_CMD_GROUP_NEW, 0, fill_group, NULL };
static const struct command del_group = { "del", SLUICE_CMD_GROUP_DEL, 0, fill_fresh_group, NULL };
static const struct command add_listener = { "add", SLUICE_CMD_LISTENER_NEW, 0, fill_listener,
					     NULL };
static const struct command del_listener = { "del", SLUICE_CMD_LISTENER_DEL, 0,
					     fill_fresh_listener, NULL };

static const struct command commands[] = {
	{ "group new", SLUICE_CMD_GROUP_NEW, 0, fill_group, &del_group },
	{ "group set", SLUICE_CMD_GROUP_SET, 0, fill_group_set, NULL },
	{ "group del", SLUICE_CMD_GROUP_DEL, 0, fill_fresh_group, &add_group },
	{ "listener new", SLUICE_CMD_LISTENER_NEW, 0, fill_listener, &del_listener },
	{ "listener new, gro", SLUICE_CMD_LISTENER_NEW, 0, fill_listener_gro, &del_listener },
	{ "listener set", SLUICE_CMD_LISTENER_SET, 0, fill_listener_set, NULL },
	{ "listener del", SLUICE_CMD_LISTENER_DEL, 0, fill_fresh_listener, &add_listener },
	{ "rules set", SLUICE_CMD_RULES_SET, 0, fill_rules, NULL },
	{ "rules set again", SLUICE_CMD_RULES_SET, 0, fill_rules_other, NULL },
	{ "rules get", SLUICE_CMD_RULES_GET, NLM_F_DUMP, fill_rules_dump, NULL },
	{ "explain", SLUICE_CMD_EXPLAIN, 0, fill_explain, NULL },
	{ "listener get", SLUICE_CMD_LISTENER_GET, NLM_F_DUMP, fill_nothing, NULL },
	{ "group get", SLUICE_CMD_GROUP_GET, NLM_F_DUMP, fill_nothing, NULL },
	{ "ring get", SLUICE_CMD_RING_GET, NLM_F_DUMP, fill_nothing, NULL },
	{ "stats get", SLUICE_CMD_STATS_GET, NLM_F_DUMP, fill_nothing, NULL },
	{ "stats get, exact", SLUICE_CMD_STATS_GET, NLM_F_DUMP, fill_exact, NULL },
	{ "hist get", SLUICE_CMD_HIST_GET, NLM_F_DUMP, fill_nothing, NULL },
};

static int family_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*(uint16_t *)data = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int family_message(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), family_attr, data);
}

static struct nlmsghdr *message(char *buf, uint16_t type, uint16_t flags, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = 1;
	g->cmd = cmd;
	g->version = 1;
	return nlh;
}

static struct mnl_socket *netlink_open(void)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		abort();
	return s;
}

static uint16_t family_resolve(void)
{
	char buf[32768];
	struct mnl_socket *s = netlink_open();
	struct nlmsghdr *nlh = message(buf, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY);
	uint16_t id = 0;
	int n;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, SLUICE_GENL_NAME);
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) >= 0) {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n > 0)
			mnl_cb_run(buf, n, 1, 0, family_message, &id);
	}
	mnl_socket_close(s);
	return id;
}

/*
 * Give a command with the @nth allocation failing, 0: none. The kernel answers in the caller's own
 * time, so nothing has to be waited for. Return: 0 or -errno; *hit: the fault was reached.
 */
static int give(const struct command *c, int nth, bool *hit)
{
	static char buf[65536];
	struct mnl_socket *s = netlink_open();
	struct nlmsghdr *nlh = message(buf, family, c->flags ? c->flags : NLM_F_ACK, c->cmd);
	int err = 0, n;

	c->fill(nlh);
	arm(nth);
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		err = -errno;
	while (!err) {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0) {
			err = -errno;
			break;
		}
		n = mnl_cb_run(buf, n, 1, 0, NULL, NULL);
		if (n < 0)
			err = -errno;
		if (n <= MNL_CB_STOP)
			break;
	}
	*hit = disarm();
	mnl_socket_close(s);
	return err;
}

/* Return: how many faults were reached until one was not, and the command succeeded then; or -1. */
static int sweep(const struct command *c)
{
	bool hit, ignored;
	int n, err;

	if (c->undo)
		give(c->undo, 0, &ignored);
	for (n = 1; n < NTH_MAX; n++) {
		err = give(c, n, &hit);
		if (!hit) {
			if (err)
				printf("# %s: %s without a fault\n", c->name, strerror(-err));
			return err ? -1 : n - 1;
		}
		if (c->undo)
			give(c->undo, 0, &ignored);
	}
	return -1;
}

/* ---- a ring's whole life ---- */

static int ring_life(int nth, bool *hit)
{
	struct ring r;
	int err;

	ring_init(&r, "base", 256, 8);
	r.su.flags = SLUICE_RING_TX_THREAD;
	arm(nth);
	err = ring_setup(&r);
	if (!err) {
		err = ring_attach(&r);
		ring_kick(&r);
	}
	*hit = disarm();
	if (r.kernel)
		ring_unmap(&r);
	if (r.fd >= 0 && r.kernel)
		close(r.fd);
	return err;
}

static int sweep_ring(void)
{
	bool hit;
	int n, err;

	for (n = 1; n < NTH_MAX; n++) {
		err = ring_life(n, &hit);
		if (!hit)
			return err ? -1 : n - 1;
	}
	return -1;
}

/* First in each case: a skip in the fixture does not keep the harness from running the case. */
#define NEED_FAULTS()                                                                          \
	do {                                                                                   \
		if (nth_fd < 0)                                                                \
			SKIP(return, "this kernel cannot inject faults: run it on K=debug");   \
	} while (0)

FIXTURE(faults)
{
};

FIXTURE_SETUP(faults)
{
	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		return;
	settings();
	ASSERT_EQ(rig_up(), 0);
	family = family_resolve();
	ASSERT_NE(family, 0);
	ASSERT_EQ(run("sluice group add base && "
		      "sluice listener add base udp 127.0.0.1:7000 default group base"), 0);
}

FIXTURE_TEARDOWN(faults)
{
	if (nth_fd >= 0)
		close(nth_fd);
}

TEST_F(faults, each_allocation_of_each_command)
{
	unsigned int i;
	int n;

	NEED_FAULTS();
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		n = sweep(&commands[i]);
		TH_LOG("%s: %d allocations failed in turn", commands[i].name, n);
		EXPECT_GE(n, 1);
		EXPECT_TRUE(ledger_closed());
	}
}

TEST_F(faults, each_allocation_of_a_rings_life)
{
	int n;

	NEED_FAULTS();
	n = sweep_ring();
	TH_LOG("ring: %d allocations failed in turn", n);
	EXPECT_GE(n, 10);
	EXPECT_TRUE(ledger_closed());
}

/* Ten requests in one buffer. */
static int say_gathered(int fd)
{
	int size = 100;
	char text[1000];

	memset(text, 'x', sizeof(text));
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	return send(fd, text, sizeof(text), 0) > 0 ? 10 : 0;
}

/* In softirq a fault cannot be numbered: one allocation of ten fails, of those that may not sleep. */
TEST_F(faults, allocations_on_the_way_of_a_request)
{
	struct request q;
	struct ring r;
	int fd, whole, i, sent = 0;
	char buf[128];

	NEED_FAULTS();
	/* one buffer's requests, and more than the ring has slots: some wait */
	ASSERT_EQ(run("sluice listener add whole udp 127.0.0.1:7009 gro default group base"), 0);
	ring_init(&r, "base", 2048, 4);
	ASSERT_EQ(ring_setup(&r), 0);
	ASSERT_EQ(ring_attach(&r), 0);
	fd = client(AF_INET, RIG_PORT, 0);
	whole = client(AF_INET, 7009, 0);
	setting("failslab", "ignore-gfp-wait", "Y");
	setting("failslab", "times", "-1");
	setting("failslab", "probability", "10");
	for (i = 0; i < 2000; i++) {
		if (i % 4)
			sent += say(fd, "request") > 0;
		else
			sent += say_gathered(whole);
		while (ring_take(&r, &q))
			ring_answer(&r, &q, q.hdr->len, 0);
		while (recv(i % 4 ? fd : whole, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
	setting("failslab", "probability", "0");
	setting("failslab", "ignore-gfp-wait", "N");
	while (ring_take(&r, &q))
		ring_answer(&r, &q, q.hdr->len, 0);
	TH_LOG("%d sent, %ld answered, %ld refused for memory", sent, outcome("answered"),
	       outcome("rejected_memory"));
	EXPECT_GT(outcome("answered"), 0);
	EXPECT_GT(outcome("rejected_memory"), 0);
	EXPECT_TRUE(ledger_closed());
	ring_close(&r);
	EXPECT_TRUE(ledger_closed());
}

TEST_HARNESS_MAIN
