// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink messages out of a seeded generator: attributes of any type, length, number and nesting, and good messages with
 * bytes changed. Each is answered, what exists can be shown and removed, and the ledger closes.
 */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "rig.h"

#define MESSAGES 1200
#define ROOM	 8192

static uint64_t seed;

/* splitmix64: the same messages in each run */
static uint32_t any(uint32_t below)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static const char *a_name(void)
{
	static const char *const names[] = { "g", "l", "h", "m", "default", "", "a name", "0123456789012345678901234567890",
					     "01234567890123456789012345678901" };

	return names[any(sizeof(names) / sizeof(names[0]))];
}

/* Numbers at the limits of something. */
static uint64_t a_number(void)
{
	static const uint64_t numbers[] = { 0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 64, 128, 255, 256, 511, 512, 1024, 65535,
					    65536, 7000, INT32_MAX, UINT32_MAX, UINT32_MAX + 1ULL, INT64_MAX, UINT64_MAX };

	return any(8) ? numbers[any(sizeof(numbers) / sizeof(numbers[0]))] : (uint64_t)any(UINT32_MAX) << any(32);
}

/* One attribute of any kind; nests up to @depth deep. */
static void put_any(struct nlmsghdr *nlh, int depth)
{
	uint16_t type = any(any(4) ? 24 : 60);
	uint8_t bytes[300];
	struct nlattr *nest;
	uint32_t n, i;

	switch (any(8)) {
	case 0:
		mnl_attr_put_strz_check(nlh, ROOM, type, a_name());
		break;
	case 1:
		mnl_attr_put_check(nlh, ROOM, type, 0, NULL);
		break;
	case 2:
		mnl_attr_put_u16_check(nlh, ROOM, type, a_number());
		break;
	case 3:
		mnl_attr_put_u64_check(nlh, ROOM, type, a_number());
		break;
	case 4:
		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = any(256);
		n = any(4) ? 4U << 2 * any(2) : any(sizeof(bytes));
		mnl_attr_put_check(nlh, ROOM, type, n, bytes);
		break;
	case 5:
		nest = depth ? mnl_attr_nest_start_check(nlh, ROOM, type) : NULL;
		if (!nest)
			break;
		for (n = any(8); n; n--)
			put_any(nlh, depth - 1);
		mnl_attr_nest_end(nlh, nest);
		break;
	default:
		mnl_attr_put_u32_check(nlh, ROOM, type, a_number());
		break;
	}
}

static void put_match(struct nlmsghdr *nlh, uint32_t kind)
{
	struct nlattr *match = mnl_attr_nest_start(nlh, SLUICE_A_RULE_MATCH);

	mnl_attr_put_u32(nlh, SLUICE_A_MATCH_KIND, kind);
	switch (kind) {
	case SLUICE_MATCH_KIND_SRC:
		mnl_attr_put(nlh, SLUICE_A_MATCH_ADDR, 4, "\x7f\0\0\1");
		mnl_attr_put_u32(nlh, SLUICE_A_MATCH_PREFIX, 32);
		break;
	case SLUICE_MATCH_KIND_LENGTH:
		mnl_attr_put_u32(nlh, SLUICE_A_MATCH_MIN, 1);
		mnl_attr_put_u32(nlh, SLUICE_A_MATCH_MAX_LEN, 100);
		break;
	case SLUICE_MATCH_KIND_BYTES:
		mnl_attr_put_u32(nlh, SLUICE_A_MATCH_WIDTH, 2);
		mnl_attr_put_u64(nlh, SLUICE_A_MATCH_VALUE, 0x4142);
		break;
	default:
		mnl_attr_put(nlh, SLUICE_A_MATCH_WORD, 3, "get");
		if (kind == SLUICE_MATCH_KIND_TOKEN)
			mnl_attr_put(nlh, SLUICE_A_MATCH_WORD, 3, "set");
		break;
	}
	mnl_attr_nest_end(nlh, match);
}

static void put_rules(struct nlmsghdr *nlh)
{
	struct nlattr *rule;
	uint32_t n, m;

	mnl_attr_put_strz(nlh, SLUICE_A_RULES_LISTENER, "l");
	for (n = any(5); n; n--) {
		rule = mnl_attr_nest_start(nlh, SLUICE_A_RULES_RULE);
		mnl_attr_put_u32(nlh, SLUICE_A_RULE_ID, n);
		for (m = any(4); m; m--)
			put_match(nlh, any(5));
		mnl_attr_put_u32(nlh, SLUICE_A_RULE_ACTION, SLUICE_ACTION_GROUP);
		mnl_attr_put_strz(nlh, SLUICE_A_RULE_GROUP, "g");
		mnl_attr_put_strz(nlh, SLUICE_A_RULE_CLASS, any(2) ? "c" : "d");
		mnl_attr_nest_end(nlh, rule);
	}
}

/* What the command takes. */
static void put_good(struct nlmsghdr *nlh, uint8_t cmd)
{
	switch (cmd) {
	case SLUICE_CMD_LISTENER_NEW:
	case SLUICE_CMD_LISTENER_SET:
		mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_NAME, cmd == SLUICE_CMD_LISTENER_NEW ? "m" : "l");
		if (cmd == SLUICE_CMD_LISTENER_NEW) {
			mnl_attr_put(nlh, SLUICE_A_LISTENER_ADDR, 4, "\x7f\0\0\1");
			mnl_attr_put_u16(nlh, SLUICE_A_LISTENER_PORT, 7001);
		}
		mnl_attr_put_u32(nlh, SLUICE_A_LISTENER_ACTION, SLUICE_ACTION_GROUP);
		mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_GROUP, "g");
		mnl_attr_put(nlh, SLUICE_A_LISTENER_REJECT_DATA, 4, "busy");
		mnl_attr_put_u32(nlh, SLUICE_A_LISTENER_REJECT_COPY, 2);
		break;
	case SLUICE_CMD_LISTENER_DEL:
		mnl_attr_put_strz(nlh, SLUICE_A_LISTENER_NAME, "m");
		break;
	case SLUICE_CMD_GROUP_NEW:
	case SLUICE_CMD_GROUP_SET:
	case SLUICE_CMD_GROUP_DEL:
		mnl_attr_put_strz(nlh, SLUICE_A_GROUP_NAME, cmd == SLUICE_CMD_GROUP_SET ? "g" : "h");
		if (cmd == SLUICE_CMD_GROUP_DEL)
			break;
		mnl_attr_put_u32(nlh, SLUICE_A_GROUP_STEERING, SLUICE_STEERING_HASH);
		mnl_attr_put_u32(nlh, SLUICE_A_GROUP_KEY, SLUICE_KEY_KIND_BYTES);
		mnl_attr_put_u32(nlh, SLUICE_A_GROUP_KEY_LEN, 8);
		mnl_attr_put_u32(nlh, SLUICE_A_GROUP_BACKLOG, 10);
		mnl_attr_put_u64(nlh, SLUICE_A_GROUP_HOLD_NS, 1000);
		break;
	case SLUICE_CMD_RULES_SET:
		put_rules(nlh);
		break;
	case SLUICE_CMD_RULES_GET:
		mnl_attr_put_strz(nlh, SLUICE_A_RULES_LISTENER, "l");
		break;
	case SLUICE_CMD_EXPLAIN:
		mnl_attr_put_strz(nlh, SLUICE_A_EXPLAIN_LISTENER, "l");
		mnl_attr_put(nlh, SLUICE_A_EXPLAIN_MESSAGE, 7, "get key");
		break;
	}
}

/* Change bytes behind the headers; shorten now and then. */
static void spoil(struct nlmsghdr *nlh)
{
	uint32_t head = NLMSG_HDRLEN + GENL_HDRLEN, n = any(4);

	for (; n && nlh->nlmsg_len > head; n--) {
		uint8_t *at = (uint8_t *)nlh + head + any(nlh->nlmsg_len - head);

		*at = any(2) ? any(256) : *at ^ 1U << any(8);
	}
	if (!any(6) && nlh->nlmsg_len > head)
		nlh->nlmsg_len = head + any(nlh->nlmsg_len - head);
}

static void build(struct nlmsghdr *nlh)
{
	struct genlmsghdr *g = mnl_nlmsg_get_payload(nlh);
	uint32_t n;

	g->cmd = any(SLUICE_CMD_MAX + 3);
	g->version = any(20) ? SLUICE_GENL_VERSION : any(256);
	if (any(3)) {
		put_good(nlh, g->cmd);
		if (any(4))
			spoil(nlh);
		if (!any(5))
			put_any(nlh, 2);
		return;
	}
	for (n = any(10); n; n--)
		put_any(nlh, 3);
}

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

/* Send a message and read all that comes back. Return: 0, -errno of the answer, or 1: there was none. */
static int give(struct mnl_socket *s, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	static char buf[65536];
	static uint32_t seq;
	int n;

	nlh->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		struct pollfd p = { mnl_socket_get_fd(s), POLLIN, 0 };

		/* the kernel answers in our own time */
		if (poll(&p, 1, 0) != 1)
			return 1;
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		n = mnl_cb_run(buf, n, seq, 0, cb, data);
		if (n < 0)
			return -errno;
	} while (n > MNL_CB_STOP);
	return 0;
}

static struct nlmsghdr *begin(char *buf, uint16_t type, uint16_t flags, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	g->cmd = cmd;
	g->version = 1;
	return nlh;
}

FIXTURE(garbage)
{
	struct mnl_socket *s;
	uint16_t family;
};

FIXTURE_SETUP(garbage)
{
	char buf[ROOM];
	struct nlmsghdr *nlh;

	ASSERT_EQ(0, rig_up());
	self->s = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	ASSERT_NE(NULL, self->s);
	ASSERT_EQ(0, mnl_socket_bind(self->s, 0, MNL_SOCKET_AUTOPID));
	nlh = begin(buf, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, SLUICE_GENL_NAME);
	ASSERT_EQ(0, give(self->s, nlh, family_message, &self->family));
	ASSERT_NE(0, self->family);
	ASSERT_EQ(0, run("sluice group add g && sluice listener add l udp 127.0.0.1:%d default group g", RIG_PORT));
}

FIXTURE_TEARDOWN(garbage)
{
	mnl_socket_close(self->s);
}

FIXTURE_VARIANT(garbage)
{
	uint64_t seed;
};

FIXTURE_VARIANT_ADD(garbage, seed_1) { .seed = 1 };
FIXTURE_VARIANT_ADD(garbage, seed_2) { .seed = 2 };

TEST_F(garbage, is_answered_and_harms_nothing)
{
	int i, err, good = 0, bad = 0, c;
	char *buf = calloc(2, ROOM);

	seed = variant->seed;
	c = client(AF_INET, RIG_PORT, 0);
	for (i = 0; i < MESSAGES; i++) {
		struct nlmsghdr *nlh = begin(buf, self->family, any(4) ? NLM_F_ACK : NLM_F_DUMP, 0);

		build(nlh);
		/* an acknowledgement ends each answer but a dump's, which ends itself */
		err = give(self->s, nlh, NULL, NULL);
		ASSERT_NE(1, err) {
			TH_LOG("message %d, command %d: no answer", i, ((struct genlmsghdr *)(nlh + 1))->cmd);
		}
		good += !err;
		bad += err < 0;
		/* requests go by meanwhile */
		say(c, "get key");
	}
	TH_LOG("%d accepted, %d refused", good, bad);
	EXPECT_LT(MESSAGES / 20, good);
	EXPECT_LT(MESSAGES / 4, bad);
	EXPECT_TRUE(ledger_closed());
	EXPECT_EQ(0, run("sluice show >/dev/null && sluice stats >/dev/null"));
	/* whatever is there can be removed */
	EXPECT_EQ(0, run("for l in $(sluice -j listener show | grep -o '\"name\": *\"[^\"]*' | cut -d'\"' -f4);"
			 " do sluice listener del $l || exit 1; done"));
	EXPECT_EQ(0, run("for g in $(sluice -j group show | grep -o '\"name\": *\"[^\"]*' | cut -d'\"' -f4);"
			 " do sluice group del $g || exit 1; done"));
	free(buf);
}

TEST_HARNESS_MAIN
