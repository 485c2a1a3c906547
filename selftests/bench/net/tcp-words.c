// SPDX-License-Identifier: GPL-2.0-only
/* Owns what clients over TCP say and hear: messages with a length field, memcached's GETs, Redis's. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tcp.h"

#define KEY "cost-key-%06u"	/* 15 bytes */

struct words words[WORDS_MAX];
unsigned int variants;

static struct words *another(void)
{
	struct words *w = &words[variants++];

	w->out = calloc(1, BYTES_MAX);
	w->want = calloc(1, BYTES_MAX);
	if (!w->out || !w->want)
		die("memory");
	return w;
}

/* Length and payload, each different. */
void words_echo(int fd)
{
	struct words *w = another();
	unsigned int i, be = htonl(size - 4);

	(void)fd;
	for (i = 0; i < pipeline; i++) {
		memset(w->out + i * size, 'a' + i % 26, size);
		memcpy(w->out + i * size, &be, 4);
	}
	w->out_len = pipeline * size;
	w->want_len = w->out_len;
	memcpy(w->want, w->out, w->out_len);
}

static const char *value(void)
{
	static char v[2048];

	memset(v, 'v', size);
	return v;
}

/* Of ten keys one is not there: in ten rounds each is asked for as often as any other. */
void words_memcached(int fd)
{
	char text[4096];
	unsigned int key;

	for (key = 0; key < WORDS_MAX * pipeline; key++) {
		struct words *w = key % pipeline ? &words[variants - 1] : another();

		w->out_len += sprintf(w->out + w->out_len, "get " KEY "\r\n", key);
		if (key % 10 == 9) {
			w->want_len += sprintf(w->want + w->want_len, "END\r\n");
			continue;
		}
		send(fd, text, sprintf(text, "set " KEY " 0 0 %u\r\n%s\r\n", key, size, value()), 0);
		hear(fd, "STORED\r\n", 8);
		w->want_len += sprintf(w->want + w->want_len, "VALUE " KEY " 0 %u\r\n%s\r\nEND\r\n", key, size, value());
	}
}

/* Every key is there. */
void words_redis(int fd)
{
	char text[4096];
	unsigned int key;

	for (key = 0; key < WORDS_MAX * pipeline; key++) {
		struct words *w = key % pipeline ? &words[variants - 1] : another();

		send(fd, text, sprintf(text, "*3\r\n$3\r\nSET\r\n$15\r\n" KEY "\r\n$%u\r\n%s\r\n", key, size, value()), 0);
		hear(fd, "+OK\r\n", 5);
		w->out_len += sprintf(w->out + w->out_len, "*2\r\n$3\r\nGET\r\n$15\r\n" KEY "\r\n", key);
		w->want_len += sprintf(w->want + w->want_len, "$%u\r\n%s\r\n", size, value());
	}
}
