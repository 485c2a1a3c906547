/* SPDX-License-Identifier: GPL-2.0-only */
/* The words, defaults and counts of TCP listeners. */
#ifndef SLUICE_CLI_LISTENER_TCP_H
#define SLUICE_CLI_LISTENER_TCP_H

#include "cli.h"

int listener_parse_framing(struct cli *c, struct args *a, void *obj);
int listener_parse_framer(struct cli *c, struct args *a, void *obj);
int listener_parse_frame_offset(struct cli *c, struct args *a, void *obj);
int listener_parse_frame_width(struct cli *c, struct args *a, void *obj);
int listener_parse_frame_little(struct cli *c, struct args *a, void *obj);
int listener_parse_frame_whole(struct cli *c, struct args *a, void *obj);
int listener_parse_frame_delim(struct cli *c, struct args *a, void *obj);
int listener_parse_message_max(struct cli *c, struct args *a, void *obj);
int listener_parse_unordered(struct cli *c, struct args *a, void *obj);
int listener_parse_reuseport(struct cli *c, struct args *a, void *obj);
int listener_parse_backlog(struct cli *c, struct args *a, void *obj);
int listener_parse_max_conns(struct cli *c, struct args *a, void *obj);
int listener_parse_max_per_source(struct cli *c, struct args *a, void *obj);
int listener_parse_pipeline(struct cli *c, struct args *a, void *obj);
int listener_parse_send_limit(struct cli *c, struct args *a, void *obj);
int listener_parse_idle_ns(struct cli *c, struct args *a, void *obj);
int listener_parse_message_ns(struct cli *c, struct args *a, void *obj);
int listener_parse_send_ns(struct cli *c, struct args *a, void *obj);
int listener_parse_keepalive_ns(struct cli *c, struct args *a, void *obj);

#define LISTENER_TCP_OPTIONS										\
	{ "framing", "length|line|memcached|resp|bpf PROGRAM", "tcp: how messages are cut", listener_parse_framing },	\
	{ "offset", "N", "length: the field's place (0)", listener_parse_frame_offset },		\
	{ "width", "1|2|4|8", "length: its bytes (4)", listener_parse_frame_width },			\
	{ "little", NULL, "length: least significant byte first", listener_parse_frame_little },		\
	{ "whole", NULL, "length: it counts the whole message, not only what follows", listener_parse_frame_whole },	\
	{ "delim", "BYTE", "line: the byte that ends it (\\n)", listener_parse_frame_delim },		\
	{ "message-max", "SIZE", "tcp: longest message (64K)", listener_parse_message_max },		\
	{ "unordered", NULL, "tcp: replies leave as they come: ids are in the messages", listener_parse_unordered },	\
	{ "reuseport", NULL, "tcp: share the port with sockets that say so too", listener_parse_reuseport },	\
	{ "accept-backlog", "N", "tcp: connections not yet accepted (4096)", listener_parse_backlog },	\
	{ "max-conns", "N", "tcp: open connections (65536)", listener_parse_max_conns },			\
	{ "max-per-source", "N", "tcp: of one address; 0: no limit (0)", listener_parse_max_per_source },	\
	{ "pipeline", "N", "tcp: unanswered requests of a connection, then it is not read (256)",		\
	  listener_parse_pipeline },										\
	{ "send-limit", "SIZE", "tcp: replies waiting for their client, then it is not read (1M)",		\
	  listener_parse_send_limit },										\
	{ "idle", "TIME", "tcp: close after this long without a request; 0s: never (0s)", listener_parse_idle_ns },	\
	{ "message-timeout", "TIME", "tcp: from a message's first byte to its last (30s)",			\
	  listener_parse_message_ns },										\
	{ "send-timeout", "TIME", "tcp: cut off who takes no byte of its replies for so long (30s)",		\
	  listener_parse_send_ns },										\
	{ "keepalive", "TIME", "tcp: silence before the first probe; 0s: none (60s)", listener_parse_keepalive_ns }

void listener_tcp_defaults(struct listener *l);
bool listener_tcp_equal(const struct listener *a, const struct listener *b);
void listener_tcp_print(FILE *f, const struct listener *l);
void listener_counts_print(FILE *f, const struct listener *l);
json_object *listener_counts_to_json(const struct listener *l);

#endif /* SLUICE_CLI_LISTENER_TCP_H */
