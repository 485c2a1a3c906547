// SPDX-License-Identifier: GPL-2.0-only
/* sluice listener: what only a TCP listener has, its framing, limits and times. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "cli.h"
#include "listener_tcp.h"

#define NS_PER_S	1000000000ull

static int size_of(struct cli *c, struct args *a, uint32_t *value)
{
	uint64_t bytes;
	const char *word;
	int ret = args_need(c, a, "a size", &word);

	if (ret)
		return ret;
	if (parse_size(word, &bytes) || bytes > UINT32_MAX)
		return fail_usage(c, "\"%s\" is no size: bytes, or 64K, 1M", word);
	*value = (uint32_t)bytes;
	return 0;
}

static int time_of(struct cli *c, struct args *a, uint64_t *ns)
{
	const char *word;
	int ret = args_need(c, a, "a time", &word);

	if (!ret && parse_ns(word, ns))
		ret = fail_usage(c, "\"%s\" is no time: write it as 500ms or 2s, 0s for none", word);
	return ret;
}

#define NUMBER(member, ATTR, what, max)							\
int listener_parse_##member(struct cli *c, struct args *a, void *obj)			\
{											\
	struct listener *l = obj;							\
											\
	l->given |= GIVEN(SLUICE_A_LISTENER_##ATTR);					\
	return args_u32(c, a, what, max, &l->member);					\
}
#define SIZE(member, ATTR)								\
int listener_parse_##member(struct cli *c, struct args *a, void *obj)			\
{											\
	struct listener *l = obj;							\
											\
	l->given |= GIVEN(SLUICE_A_LISTENER_##ATTR);					\
	return size_of(c, a, &l->member);						\
}
#define TIME(member, ATTR)								\
int listener_parse_##member(struct cli *c, struct args *a, void *obj)			\
{											\
	struct listener *l = obj;							\
											\
	l->given |= GIVEN(SLUICE_A_LISTENER_##ATTR);					\
	return time_of(c, a, &l->member);						\
}
#define FLAG(member, ATTR)								\
int listener_parse_##member(struct cli *c, struct args *a, void *obj)			\
{											\
	struct listener *l = obj;							\
											\
	(void)c;									\
	(void)a;									\
	l->given |= GIVEN(SLUICE_A_LISTENER_##ATTR);					\
	l->member = true;								\
	return 0;									\
}

NUMBER(frame_offset, FRAME_OFFSET, "offset", 255)
NUMBER(frame_width, FRAME_WIDTH, "number of bytes", 8)
FLAG(frame_little, FRAME_LITTLE)
FLAG(frame_whole, FRAME_WHOLE)
SIZE(message_max, MESSAGE_MAX)
FLAG(unordered, UNORDERED)
FLAG(reuseport, REUSEPORT)
NUMBER(backlog, BACKLOG, "number of connections", 65535)
NUMBER(max_conns, MAX_CONNS, "number of connections", SLUICE_CONNS_MAX)
NUMBER(max_per_source, MAX_PER_SOURCE, "number of connections", SLUICE_CONNS_MAX)
NUMBER(pipeline, PIPELINE, "number of requests", SLUICE_PIPELINE_MAX)
SIZE(send_limit, SEND_LIMIT)
TIME(idle_ns, IDLE_NS)
TIME(message_ns, MESSAGE_NS)
TIME(send_ns, SEND_NS)
TIME(keepalive_ns, KEEPALIVE_NS)

/* The word behind "framing bpf": a program that comes with Sluice, or a file, by its full name from here on. */
static int parse_framer(struct cli *c, struct args *a, struct listener *l)
{
	char path[PATH_MAX];
	const char *word;
	int ret = args_need(c, a, "a program: memcached, resp, or an object file", &word);

	if (ret)
		return ret;
	if (bpf_is_file(word)) {
		if (!realpath(word, path))
			return fail(c, -errno, "cannot open %s: %s", word, strerror(errno));
		word = path;
	}
	if (!*word || strlen(word) > SLUICE_FRAMER_NAME_MAX || strpbrk(word, "\"'\\\n"))
		return fail_usage(c, "\"%s\" cannot stand in a configuration: up to %u bytes, no quotes or backslashes",
				  word, SLUICE_FRAMER_NAME_MAX);
	l->given |= GIVEN(SLUICE_A_LISTENER_FRAMER_NAME);
	return blob_set(&l->framer_name, word, strlen(word)) ? fail_memory(c) : 0;
}

int listener_parse_framing(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;
	int ret = args_enum(c, a, "framing", framing_names, &l->framing);

	l->given |= GIVEN(SLUICE_A_LISTENER_FRAMING);
	return ret || l->framing != SLUICE_FRAMING_BPF ? ret : parse_framer(c, a, l);
}

/* Of a listener that there is: another program, the rest of its framing is fixed. */
int listener_parse_framer(struct cli *c, struct args *a, void *obj)
{
	if (!args_take(a, "bpf"))
		return fail_usage(c, "a framing cannot change, only the program of framing bpf: delete the listener and add it"
				  " again");
	return parse_framer(c, a, obj);
}

int listener_parse_frame_delim(struct cli *c, struct args *a, void *obj)
{
	struct listener *l = obj;
	const char *word;
	int ret = args_need(c, a, "a byte", &word);

	l->given |= GIVEN(SLUICE_A_LISTENER_FRAME_DELIM);
	if (!ret && parse_char(word, &l->frame_delim))
		ret = fail_usage(c, "\"%s\" is no byte: one character, or \\n, \\x00", word);
	return ret;
}

/* What the kernel takes if nothing is said; the same values, so that configurations compare. */
static const struct {
	unsigned int attr;
	size_t offset;
	bool wide;
	uint64_t value;
} defaults[] = {
#define D32(member, ATTR, value) { SLUICE_A_LISTENER_##ATTR, offsetof(struct listener, member), false, value }
#define D64(member, ATTR, value) { SLUICE_A_LISTENER_##ATTR, offsetof(struct listener, member), true, value }
	D32(message_max, MESSAGE_MAX, SLUICE_SLOT_MAX),
	D32(backlog, BACKLOG, 4096),
	D32(max_conns, MAX_CONNS, 65536),
	D32(max_per_source, MAX_PER_SOURCE, 0),
	D32(pipeline, PIPELINE, 256),
	D32(send_limit, SEND_LIMIT, 1 << 20),
	D64(idle_ns, IDLE_NS, 0),
	D64(message_ns, MESSAGE_NS, 30 * NS_PER_S),
	D64(send_ns, SEND_NS, 30 * NS_PER_S),
	D64(keepalive_ns, KEEPALIVE_NS, 60 * NS_PER_S),
};

#define NDEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static uint64_t value_at(const struct listener *l, size_t i)
{
	const char *at = (const char *)l + defaults[i].offset;

	return defaults[i].wide ? *(const uint64_t *)at : *(const uint32_t *)at;
}

void listener_tcp_defaults(struct listener *l)
{
	size_t i;

	if (l->transport != SLUICE_TRANSPORT_TCP)
		return;
	if (l->framing == SLUICE_FRAMING_LENGTH && !is_given(l, SLUICE_A_LISTENER_FRAME_WIDTH))
		l->frame_width = 4;
	if (l->framing == SLUICE_FRAMING_LINE && !is_given(l, SLUICE_A_LISTENER_FRAME_DELIM))
		l->frame_delim = '\n';
	for (i = 0; i < NDEFAULTS; i++) {
		char *at = (char *)l + defaults[i].offset;

		if (is_given(l, defaults[i].attr))
			continue;
		if (defaults[i].wide)
			*(uint64_t *)at = defaults[i].value;
		else
			*(uint32_t *)at = (uint32_t)defaults[i].value;
	}
}

/* Whether two listeners with their defaults filled in agree on all that cannot be changed later. */
bool listener_tcp_equal(const struct listener *a, const struct listener *b)
{
	size_t i;

	if (a->transport != b->transport)
		return false;
	if (a->transport != SLUICE_TRANSPORT_TCP)
		return true;
	if (a->framing != b->framing || a->frame_offset != b->frame_offset || a->frame_width != b->frame_width ||
	    a->frame_little != b->frame_little || a->frame_whole != b->frame_whole ||
	    a->frame_delim != b->frame_delim || a->unordered != b->unordered || a->reuseport != b->reuseport)
		return false;
	for (i = 0; i < NDEFAULTS; i++)
		if (value_at(a, i) != value_at(b, i))
			return false;
	return true;
}

static void print_framing(FILE *f, const struct listener *l)
{
	char buf[32];

	fprintf(f, " framing %s", name_of(framing_names, l->framing));
	if (l->framer_name.len) {
		fprintf(f, " ");
		print_word(f, (const char *)l->framer_name.data);
	}
	if (l->framing == SLUICE_FRAMING_LENGTH) {
		if (l->frame_offset)
			fprintf(f, " offset %u", l->frame_offset);
		fprintf(f, " width %u%s%s", l->frame_width, l->frame_little ? " little" : "",
			l->frame_whole ? " whole" : "");
	}
	if (l->framing == SLUICE_FRAMING_LINE && l->frame_delim != '\n') {
		format_char(buf, sizeof(buf), l->frame_delim);
		fprintf(f, " delim %s", buf);
	}
}

/* The options that differ from their defaults, as a file has them. */
void listener_tcp_print(FILE *f, const struct listener *l)
{
	static const char *const words[NDEFAULTS] = {
		"message-max", "accept-backlog", "max-conns", "max-per-source", "pipeline", "send-limit", "idle",
		"message-timeout", "send-timeout", "keepalive",
	};
	char buf[32];
	size_t i;

	if (l->transport != SLUICE_TRANSPORT_TCP)
		return;
	print_framing(f, l);
	if (l->unordered)
		fprintf(f, " unordered");
	if (l->reuseport)
		fprintf(f, " reuseport");
	for (i = 0; i < NDEFAULTS; i++) {
		if (!is_given(l, defaults[i].attr) || value_at(l, i) == defaults[i].value)
			continue;
		if (defaults[i].wide)
			format_ns(buf, sizeof(buf), value_at(l, i));
		else
			snprintf(buf, sizeof(buf), "%" PRIu64, value_at(l, i));
		fprintf(f, " %s %s", words[i], buf);
	}
}

/* What happened to its connections, by name; zeroes are left out of the text. */
void listener_counts_print(FILE *f, const struct listener *l)
{
	uint32_t i;

	for (i = 0; conn_count_names[i] && (i + 1) * sizeof(uint64_t) <= l->conn_counts.len; i++) {
		uint64_t n;

		memcpy(&n, l->conn_counts.data + i * sizeof(n), sizeof(n));
		if (n)
			fprintf(f, " %s %" PRIu64, conn_count_names[i], n);
	}
}

json_object *listener_counts_to_json(const struct listener *l)
{
	json_object *js = json_object_new_object();
	uint32_t i;

	for (i = 0; conn_count_names[i] && (i + 1) * sizeof(uint64_t) <= l->conn_counts.len; i++) {
		uint64_t n;

		memcpy(&n, l->conn_counts.data + i * sizeof(n), sizeof(n));
		json_object_object_add(js, conn_count_names[i], json_object_new_uint64(n));
	}
	return js;
}
