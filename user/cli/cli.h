/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the command share: its context, argument cursor, values, output, netlink. */
#ifndef SLUICE_CLI_H
#define SLUICE_CLI_H

#include <json-c/json.h>
#include <libmnl/libmnl.h>
#include <stdio.h>

#include "schema.h"

struct genl;

/* One run of the command. */
struct cli {
	bool json;
	bool pretty;
	bool dump;		/* print requests instead of sending them */
	bool quiet;		/* check: the exit status tells */
	struct genl *genl;	/* opened by the first request */
	char err[1024];		/* why the last function that failed did */
	bool usage;		/* @err is about the command line */
	int exit_code;		/* of a run that worked: 1 if what was asked about does not hold */
};

int fail(struct cli *c, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int fail_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int fail_memory(struct cli *c);

/* args.c: a cursor over words of the command line or of a line in a file */
struct args {
	char **words;
	int n;
	int pos;
};

/* A keyword of an object's options, or a command: tables of these are also what help and completion print. */
struct keyword {
	const char *name;
	const char *args;	/* as help shows them; NULL: none */
	const char *help;
	int (*parse)(struct cli *c, struct args *a, void *obj);
};

struct command {
	const char *name;
	const char *args;
	const char *help;
	int (*run)(struct cli *c, struct args *a);
	const struct command *sub;
	const struct keyword *options;
};

const char *args_peek(const struct args *a);
const char *args_next(struct args *a);
bool args_take(struct args *a, const char *word);
int args_need(struct cli *c, struct args *a, const char *what, const char **word);
int args_end(struct cli *c, struct args *a);
int args_name(struct cli *c, struct args *a, const char *what, char *name);
int args_enum(struct cli *c, struct args *a, const char *what, const char *const *names, uint32_t *value);
int args_u32(struct cli *c, struct args *a, const char *what, uint32_t max, uint32_t *value);
int args_time(struct cli *c, struct args *a, uint64_t *ns);
int args_options(struct cli *c, struct args *a, const struct keyword *table, void *obj);
const struct command *find_command(struct cli *c, const struct command *table, const char *word);
const struct keyword *find_keyword(struct cli *c, const struct keyword *table, const char *word);

/* value.c: single values from text and back */
#define TEXT_MAX	4096
int parse_u64(const char *text, uint64_t max, uint64_t *value);
int parse_ns(const char *text, uint64_t *ns);
int parse_size(const char *text, uint64_t *bytes);
int parse_bytes(const char *text, struct blob *out);
int parse_char(const char *text, uint32_t *c);
int parse_addr(const char *text, struct addr *addr);
int parse_addr_port(const char *text, struct addr *addr, uint16_t *port);
int parse_words(const char *text, struct vec *words);
int check_name(const char *name);
uint64_t monotonic_ns(void);
void format_ns(char *buf, size_t size, uint64_t ns);
void format_size(char *buf, size_t size, uint64_t bytes);
void format_addr(char *buf, size_t size, const struct addr *addr);
void format_char(char *buf, size_t size, uint32_t c);
char *format_bytes(const struct blob *b, const char *also);	/* escaped; to be freed */
void print_word(FILE *f, const char *text);

/* genl.c: requests and answers */
struct request;
typedef int (*object_fn)(struct cli *c, const struct nlmsghdr *nlh, void *data);
struct request *request_new(struct cli *c, uint8_t cmd, uint16_t flags);
void request_free(struct request *r);
int request_put(struct request *r, uint16_t type, const void *data, size_t len);
int request_nest(struct request *r, uint16_t type, size_t *mark);
int request_nest_end(struct request *r, size_t mark);
int request_send(struct cli *c, struct request *r, object_fn fn, void *data);
int genl_open(struct cli *c);
void genl_close(struct cli *c);
int genl_subscribe(struct cli *c, const char *group);
int genl_event(struct cli *c, int timeout_ms, object_fn fn, void *data);

/* codec.c: structures to messages and back */
int obj_encode(struct request *r, const struct attr_set *set, const void *obj);
int obj_decode(const struct attr_set *set, const struct nlattr *first, size_t len, void *obj);
int msg_decode(struct cli *c, const struct attr_set *set, const struct nlmsghdr *nlh, void *obj);
void msg_dump(FILE *f, const struct attr_set *set, const void *attrs, size_t len, int indent);
const char *attr_at(const struct attr_set *set, const void *attrs, size_t len, size_t off, char *buf, size_t size);

/* query.c: whole objects to and from the kernel */
struct objects {
	const struct attr_set *set;
	struct vec items;
};

int kernel_do(struct cli *c, uint8_t cmd, const void *obj, void *reply);
int kernel_dump(struct cli *c, uint8_t cmd, const void *filter, struct objects *out);
int kernel_rules(struct cli *c, const char *listener, struct rules *out);
void objects_free(struct objects *o);

/* json.c */
json_object *obj_to_json(const struct attr_set *set, const void *obj);
int obj_from_json(struct cli *c, const struct attr_set *set, json_object *js, void *obj);
int print_json(struct cli *c, json_object *js);

/* the objects' own words */
extern const struct keyword listener_options[], listener_set_options[], group_options[], rule_options[], cancel_options[];
int listener_parse(struct cli *c, struct args *a, struct listener *l);
int group_parse(struct cli *c, struct args *a, struct group *g);
int rule_parse(struct cli *c, struct args *a, struct rule *r);
void listener_defaults(struct listener *l);
void group_defaults(struct group *g);
void rule_defaults(struct rule *r);
void listener_print(FILE *f, const struct listener *l);
void group_print(FILE *f, const struct group *g, bool state);
void rule_print(FILE *f, const struct rule *r);
void match_print(FILE *f, const struct match *m);

/* stats.c: what was counted */
int stats_get(struct cli *c, bool exact, struct objects *out);
uint64_t stats_count(const struct stats *s, uint32_t i);
uint32_t stats_counts(const struct stats *s);
uint64_t stats_kind(const struct stats *s, uint32_t kind);
const char *stats_count_name(const struct stats *s, uint32_t i, char *buf, size_t size);
void stats_title(const struct stats *s, char *buf, size_t size);
json_object *stats_to_json(const struct stats *s);

static inline struct stats *stats_at(const struct objects *o, uint32_t i)
{
	return (struct stats *)o->items.items + i;
}

extern const struct command listener_commands[], group_commands[], rule_commands[], ring_commands[], conn_commands[];
extern const struct command top_commands[];
int cmd_stats(struct cli *c, struct args *a);
int cmd_check(struct cli *c, struct args *a);
int cmd_show(struct cli *c, struct args *a);
int cmd_apply(struct cli *c, struct args *a);
int cmd_explain(struct cli *c, struct args *a);
int cmd_monitor(struct cli *c, struct args *a);
int cmd_top(struct cli *c, struct args *a);
int cmd_cancel(struct cli *c, struct args *a);
int cmd_doctor(struct cli *c, struct args *a);
int cmd_help(struct cli *c, struct args *a);
int cmd_complete(struct cli *c, struct args *a);

#endif /* SLUICE_CLI_H */
