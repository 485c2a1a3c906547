// SPDX-License-Identifier: GPL-2.0-only
/* Preload over UDP: every key is set, and read back, before the run; what gets no answer is asked for again. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "load/load.h"

#define REPLY_MAX	2056
#define WINDOW		32
#define RETRY_NS	(200 * 1000000ull)
#define TRIES		25

struct preload {
	const struct options *opt;
	int fd;
	u32 done;			/* keys read back */
	u32 next;			/* next key to ask for */
	char said[96];			/* the last answer that was neither */
	struct {
		u32 key;
		u32 tries;		/* 0: free */
		bool stored;		/* acknowledged: to be read back */
		u64 sent_ns;
	} window[WINDOW];
};

static void ask(struct preload *p, u32 i)
{
	struct flight f = { .seq = p->window[i].key % IDS, .key = p->window[i].key, .keys = p->window[i].stored };
	u8 buf[MC_FRAME + MC_LINE_MAX + MC_VALUE_MAX];
	u32 len = p->opt->proto->put(p->opt, &f, buf);

	/* a send that fails is repeated by the timeout like one that is lost */
	(void)!send(p->fd, buf, len, MSG_DONTWAIT);
	p->window[i].sent_ns = now_ns();
	p->window[i].tries++;
}

/* Send what is new or was not answered in time. False when a key was tried too often. */
static bool fill(struct preload *p)
{
	u32 i;

	for (i = 0; i < WINDOW; i++) {
		if (p->window[i].tries) {
			if (now_ns() - p->window[i].sent_ns < RETRY_NS)
				continue;
			if (p->window[i].tries >= TRIES)
				return false;
		} else if (p->next < p->opt->keys) {
			p->window[i].key = p->next++;
			p->window[i].stored = false;
		} else {
			continue;
		}
		ask(p, i);
	}
	return true;
}

/* An answer to what window @i waits for. False: it is another. */
static bool answer(struct preload *p, u32 i, const u8 *text, u32 len)
{
	u32 n;

	if (!p->window[i].stored) {
		if (len != 8 || memcmp(text, "STORED\r\n", 8))
			return false;
		p->window[i].stored = true;
		p->window[i].tries = 0;
		ask(p, i);
		return true;
	}
	/* the answer to a set that was repeated */
	if (len == 8 && !memcmp(text, "STORED\r\n", 8))
		return true;
	n = mc_match_value(text, len, p->window[i].key, (u32)p->opt->value_size);
	if (!n || len - n != 5 || memcmp(text + n, "END\r\n", 5))
		return false;
	p->window[i].tries = 0;
	p->done++;
	return true;
}

static void take_answers(struct preload *p)
{
	u8 buf[REPLY_MAX];
	u32 i, id, mask;
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf) - 1, MSG_DONTWAIT)) >= MC_FRAME) {
		buf[n] = 0;
		p->opt->proto->identify(p->opt, buf, (u32)n, &id, &mask);
		for (i = 0; i < WINDOW; i++)
			if (p->window[i].tries && p->window[i].key % IDS == id)
				break;
		if (i < WINDOW && !answer(p, i, buf + MC_FRAME, (u32)n - MC_FRAME))
			snprintf(p->said, sizeof(p->said), "; the last answer was: %.*s",
				 (int)strcspn((const char *)buf + MC_FRAME, "\r"), (const char *)buf + MC_FRAME);
	}
}

int preload_udp(const struct options *opt, char *error, size_t room)
{
	struct preload p = { .opt = opt };
	struct pollfd pfd;

	p.fd = datagram_open(opt);
	if (p.fd < 0) {
		open_error(opt, p.fd, error, room);
		return p.fd;
	}
	pfd.fd = p.fd;
	pfd.events = POLLIN;
	while (p.done < opt->keys) {
		if (!fill(&p)) {
			snprintf(error, room, "preload: %u of %llu keys were stored and read back, then no right answer for "
				 "%llu s; does a memcached server answer UDP at %s, with memory for all keys?%s", p.done,
				 (unsigned long long)opt->keys,
				 (unsigned long long)(TRIES * RETRY_NS / NS_PER_S), opt->target, p.said);
			close(p.fd);
			return -ETIMEDOUT;
		}
		poll(&pfd, 1, (int)(RETRY_NS / 1000000));
		take_answers(&p);
	}
	close(p.fd);
	return 0;
}
