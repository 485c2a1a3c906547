// SPDX-License-Identifier: GPL-2.0-only
/* Every kind of match takes what it says, to the byte, and the order of rules decides between several. */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "rig.h"

FIXTURE(matches)
{
	struct ring r;
	struct request q;
	int c, c6;
};

FIXTURE_SETUP(matches)
{
	ASSERT_EQ(0, rig_up());
	ASSERT_EQ(0, run("sluice group add g"));
	ASSERT_EQ(0, run("sluice listener add l udp '[::]:%d' default drop", RIG_PORT));
	ASSERT_EQ(0, ring_open(&self->r, "g"));
	self->c = client(AF_INET, RIG_PORT, 0);
	self->c6 = client(AF_INET6, RIG_PORT, 0);
}

FIXTURE_TEARDOWN(matches)
{
	EXPECT_TRUE(ledger_closed());
}

struct bytes {
	const char *at;
	size_t len;
};

#define B(text) { text, sizeof(text) - 1 }
#define MAX 8

/* Messages that a rule must take, and that it must leave to the default, which drops them. */
struct row {
	const char *match;
	struct bytes take[MAX];
	struct bytes leave[MAX];
};

static const struct row rows[] = {
	{ "length 3-5", { B("123"), B("1234"), B("12345") }, { B(""), B("12"), B("123456") } },
	{ "length 0-0", { B("") }, { B("1") } },
	{ "bytes 0/1 = 0x47", { B("G"), B("Get") }, { B(""), B("g"), B("xG") } },
	{ "bytes 1/1 mask 0xf0 = 0x30", { B("x0"), B("x9"), B("x?more") }, { B("xA"), B("0"), B("x") } },
	{ "bytes 2/2 = 0x0102", { B("..\1\2"), B("..\1\2.") }, { B("..\2\1"), B("..\1"), B("\1\2") } },
	{ "bytes 0/2 mask 0x7fff = 0x0001", { B("\0\1"), B("\x80\1") }, { B("\0\2"), B("\1\1") } },
	{ "bytes 0/4 = 0xdeadbeef", { B("\xde\xad\xbe\xef") }, { B("\xef\xbe\xad\xde"), B("\xde\xad\xbe") } },
	{ "bytes 4/4 mask 0x00ffff00 = 0x00123400", { B("....\xff\x12\x34\xff") },
	  { B("....\xff\x12\x35\xff"), B("....\xff\x12\x34") } },
	{ "bytes 0/8 = 0x0102030405060708", { B("\1\2\3\4\5\6\7\x8") },
	  { B("\1\2\3\4\5\6\7"), B("\1\2\3\4\5\6\7\x9"), B("\x8\7\6\5\4\3\2\1") } },
	{ "bytes 0/8 mask 0x8000000000000001 = 0x8000000000000001",
	  { B("\x80\0\0\0\0\0\0\1"), B("\xff\xff\xff\xff\xff\xff\xff\xff") }, { B("\x80\0\0\0\0\0\0\2") } },
	{ "text 0 get", { B("get"), B("get x") }, { B("ge"), B("Get"), B(" get") } },
	{ "text 5 ok", { B("12345ok") }, { B("12345o"), B("ok"), B("1234ok") } },
	{ "token 0 0 = get,gets", { B("get"), B("gets k"), B("  get k"), B("get\r\nset") },
	  { B("getx"), B("ge"), B("set get"), B("\r\nget") } },
	{ "token 0 1 = key", { B("get key"), B("get  key more"), B("x key\r\n") },
	  { B("get key1"), B("key"), B("get\r\n key"), B("") } },
	{ "token 8 0 = get", { B("8 bytes.get k") }, { B("get k"), B("8 bytes.got") } },
	{ "token 0 2 , = c", { B("a,b,c"), B(",,c") }, { B("a,c"), B("a,b, c") } },
};

TEST_F(matches, each_kind_to_the_byte)
{
	size_t i;
	int j;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		ASSERT_EQ(0, run("sluice rule add l 7 %s group g || sluice rule set l 7 %s group g", row->match,
				 row->match));
		for (j = 0; j < MAX && row->leave[j].at; j++)
			ASSERT_EQ((ssize_t)row->leave[j].len,
				  send(self->c, row->leave[j].at, row->leave[j].len, 0));
		for (j = 0; j < MAX && row->take[j].at; j++)
			ASSERT_EQ((ssize_t)row->take[j].len, send(self->c, row->take[j].at, row->take[j].len, 0));
		/* loopback keeps the order: were one taken that is to be left, it would come first */
		for (j = 0; j < MAX && row->take[j].at; j++) {
			ASSERT_TRUE(ring_wait(&self->r, &self->q)) {
				TH_LOG("%s: message %d was not taken", row->match, j);
			}
			ASSERT_EQ(row->take[j].len, self->q.hdr->len) {
				TH_LOG("%s", row->match);
			}
			ASSERT_EQ(0, memcmp(self->q.data, row->take[j].at, row->take[j].len)) {
				TH_LOG("%s", row->match);
			}
			ASSERT_EQ(7U, self->q.hdr->rule);
			ASSERT_EQ(1, ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY));
		}
		ASSERT_EQ(0U, ring_pending(&self->r));
	}
}

/* Which rule takes a message of this client; 0: the default. */
static uint32_t taken_by(FIXTURE_DATA(matches) *self, int c, const char *text)
{
	uint32_t rule;

	say(c, text);
	say(self->c, "end");
	if (!ring_wait(&self->r, &self->q))
		return UINT32_MAX;
	rule = self->q.hdr->rule;
	ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY);
	if (rule == 999)
		return 0;
	if (!ring_wait(&self->r, &self->q) || self->q.hdr->rule != 999)
		return UINT32_MAX;
	ring_answer(&self->r, &self->q, 0, SLUICE_RESP_NO_REPLY);
	return rule;
}

TEST_F(matches, source_prefix)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010203) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(RIG_PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int far = socket(AF_INET, SOCK_DGRAM, 0);

	ASSERT_EQ(0, bind(far, (struct sockaddr *)&from, sizeof(from)));
	ASSERT_EQ(0, connect(far, (struct sockaddr *)&to, sizeof(to)));
	ASSERT_EQ(0, run("sluice rule add l 999 text 0 end group g"));
	ASSERT_EQ(0, run("sluice rule add l 1 src 127.1.2.2/31 group g"));
	EXPECT_EQ(1U, taken_by(self, far, "x"));
	EXPECT_EQ(0U, taken_by(self, self->c, "x"));
	EXPECT_EQ(0U, taken_by(self, self->c6, "x"));
	ASSERT_EQ(0, run("sluice rule set l 1 src 127.1.2.4/30 group g"));
	EXPECT_EQ(0U, taken_by(self, far, "x"));
	ASSERT_EQ(0, run("sluice rule set l 1 src 127.1.2.3/32 group g"));
	EXPECT_EQ(1U, taken_by(self, far, "x"));
	ASSERT_EQ(0, run("sluice rule set l 1 src 0.0.0.0/0 group g"));
	EXPECT_EQ(1U, taken_by(self, self->c, "x"));
	EXPECT_EQ(0U, taken_by(self, self->c6, "x"));
	ASSERT_EQ(0, run("sluice rule set l 1 src ::1/128 group g"));
	EXPECT_EQ(1U, taken_by(self, self->c6, "x"));
	EXPECT_EQ(0U, taken_by(self, self->c, "x"));
	ASSERT_EQ(0, run("sluice rule set l 1 src ::2/127 group g || sluice rule set l 1 src 2001:db8::/32 group g"));
	EXPECT_EQ(0U, taken_by(self, self->c6, "x"));
}

TEST_F(matches, all_of_a_rule_hold_and_the_lowest_order_wins)
{
	ASSERT_EQ(0, run("sluice rule add l 999 text 0 end group g"));
	ASSERT_EQ(0, run("sluice rule add l 1 order 20 text 0 get group g"));
	ASSERT_EQ(0, run("sluice rule add l 2 order 10 token 0 1 = key length 0-8 group g"));
	ASSERT_EQ(0, run("sluice rule add l 3 order 30 group g"));
	EXPECT_EQ(2U, taken_by(self, self->c, "get key"));
	EXPECT_EQ(1U, taken_by(self, self->c, "get key long"));
	EXPECT_EQ(2U, taken_by(self, self->c, "set key"));
	EXPECT_EQ(3U, taken_by(self, self->c, "nothing of it"));
	ASSERT_EQ(0, run("sluice rule set l 1 order 5 text 0 get group g"));
	EXPECT_EQ(1U, taken_by(self, self->c, "get key"));
	/* of equals the one that was added first */
	ASSERT_EQ(0, run("sluice rule add l 4 order 5 text 0 get group g"));
	EXPECT_EQ(1U, taken_by(self, self->c, "get key"));
	ASSERT_EQ(0, run("sluice rule del l 1"));
	EXPECT_EQ(4U, taken_by(self, self->c, "get key"));
	EXPECT_TRUE(ledger_closed());
}

/* ---- replacing rules if they are still those that one has read ---- */

static int family_cb(const struct nlmsghdr *nlh, void *data)
{
	struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			*(uint16_t *)data = mnl_attr_get_u16(a);
	return MNL_CB_OK;
}

static struct nlmsghdr *begin(char *buf, uint16_t type, uint8_t cmd, uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->cmd = cmd;
	g->version = version;
	return nlh;
}

/* Send, and run the replies. Return: 0 or the errno that the kernel gave. */
static int talk(struct mnl_socket *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	char buf[8192];
	int n, ret = 1;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return errno;
	while (ret > 0) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		ret = n < 0 ? -1 : mnl_cb_run(buf, n, 0, mnl_socket_get_portid(nl), cb, data);
	}
	return ret < 0 ? errno : 0;
}

TEST_F(matches, a_set_that_changed_meanwhile_is_not_replaced)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_GENERIC);
	struct nlmsghdr *nlh;
	uint16_t family = 0;
	uint32_t generation;
	char buf[8192];

	ASSERT_EQ(0, mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID));
	nlh = begin(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, SLUICE_GENL_NAME);
	ASSERT_EQ(0, talk(nl, nlh, family_cb, &family));
	ASSERT_NE(0, family);
	ASSERT_EQ(0, run("sluice rule add l 1 text 0 a drop"));
	ASSERT_EQ(0, run("sluice rule add l 2 text 0 b drop"));
	for (generation = 1; generation <= 3; generation++) {
		nlh = begin(buf, family, SLUICE_CMD_RULES_SET, SLUICE_GENL_VERSION);
		mnl_attr_put_strz(nlh, SLUICE_A_RULES_LISTENER, "l");
		mnl_attr_put_u32(nlh, SLUICE_A_RULES_GENERATION, generation);
		EXPECT_EQ(generation == 2 ? 0 : EAGAIN, talk(nl, nlh, NULL, NULL));
		EXPECT_EQ(generation >= 2 ? 0 : 2, run("exit $(sluice rule show l | grep -c ^rule)"));
		if (generation == 2)
			ASSERT_EQ(0, run("sluice rule add l 1 text 0 a drop && sluice rule flush l"));
	}
	mnl_socket_close(nl);
}

struct sender {
	volatile bool stop;
};

static void *send_on(void *arg)
{
	struct sender *s = arg;
	int fd = client(AF_INET, RIG_PORT, 0);

	while (!s->stop)
		say(fd, "message");
	close(fd);
	return NULL;
}

/* Two sets with not a rule in common, each of which takes every message. */
TEST_F(matches, a_set_is_replaced_between_two_messages)
{
	struct sender sender = {};
	pthread_t thread;
	int i;

	ASSERT_EQ(0, run("printf '%%s\\n' 'listener l udp [::]:%d default drop {' 'rule 1 text 0 mess reject' '}' >/tmp/set0;"
			 "printf '%%s\\n' 'listener l udp [::]:%d default drop {' 'rule 2 length 7-7 reject' '}' >/tmp/set1",
			 RIG_PORT, RIG_PORT));
	ASSERT_EQ(0, run("sluice apply /tmp/set0"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_on, &sender));
	for (i = 1; i <= 12; i++) {
		long before = outcome("received");

		ASSERT_EQ(0, run("sluice apply /tmp/set%d >/dev/null", i % 2));
		ASSERT_TRUE(until(outcome("received") > before));
	}
	sender.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LT(0, outcome("rejected_rule"));
	EXPECT_EQ(outcome("received"), outcome("rejected_rule"));
	EXPECT_EQ(0, outcome("dropped_rule"));
}

TEST_HARNESS_MAIN
