// SPDX-License-Identifier: GPL-2.0-only
/* Preload over TCP: every key is set, and read back once its set was answered, many at a time on one connection. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "load/load.h"

#define WINDOW		32
#define WINDOW_BYTES	(128u << 10)	/* less than the kernel holds, so that neither side waits for the other to read */
#define WAIT_S		5
#define RETRY_NS	(200 * 1000000ull)
#define TRIES		25
#define CHUNK		(64u << 10)

struct preload {
	const struct options *opt;
	struct worker *w;		/* whom replies are judged for */
	int fd;
	u32 window;
	u32 head, tail;			/* [head, tail) wait for their replies */
	u32 next;			/* next key to set */
	u32 done;			/* keys read back */
	bool refused;			/* something is to be asked again: not at once */
	u8 *out;
	u32 out_len;
	u8 *in;
	u32 in_len, in_room;
	char said[96];			/* an answer that was not right */
	struct {
		struct flight f;
		u32 tries;
	} queue[WINDOW];
};

static void ask(struct preload *p, u32 key, bool get, u32 tries)
{
	u32 i = p->tail++ % WINDOW;

	memset(&p->queue[i].f, 0, sizeof(p->queue[i].f));
	p->queue[i].f.key = key;
	p->queue[i].f.keys = get;
	p->queue[i].tries = tries;
	p->out_len += p->opt->proto->put(p->opt, &p->queue[i].f, p->out + p->out_len);
}

static int send_all(struct preload *p)
{
	u32 at = 0;
	ssize_t n;

	while (at < p->out_len) {
		n = send(p->fd, p->out + at, p->out_len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += n > 0 ? (u32)n : 0;
	}
	p->out_len = 0;
	return 0;
}

/* False: not what was hoped for. */
static bool answer(struct preload *p, const u8 *buf, u32 len)
{
	u32 i = p->head % WINDOW;
	struct flight *f = &p->queue[i].f;
	enum verdict v;

	if (p->head == p->tail)
		return false;
	p->head++;
	v = p->opt->proto->judge(p->w, f, buf, len);
	if (v == VERDICT_REFUSED && p->queue[i].tries + 1 < TRIES) {
		p->refused = true;
		ask(p, f->key, f->keys, p->queue[i].tries + 1);
	} else if (v == VERDICT_ANSWERED && !f->keys) {
		ask(p, f->key, true, 0);
	} else if (v == VERDICT_ANSWERED && f->found) {
		p->done++;
	} else {
		return false;
	}
	return true;
}

/* One receive, and the answers that it completes. */
static int take_answers(struct preload *p)
{
	struct cut reply;
	u32 at = 0;
	ssize_t n;

	n = recv(p->fd, p->in + p->in_len, p->in_room - p->in_len, 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return !n ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
	p->in_len += (u32)n;
	for (;;) {
		enum cut_result r = p->opt->proto->cut(p->opt, p->in + at, p->in_len - at, &reply);

		if (r == CUT_MORE)
			break;
		if (r == CUT_BAD || !answer(p, p->in + at + reply.at, reply.len)) {
			p->in[p->in_len] = 0;
			snprintf(p->said, sizeof(p->said), "; the last answer was: %.*s",
				 (int)strcspn((char *)p->in + at, "\r\n"), (char *)p->in + at);
			return -EPROTO;
		}
		at += reply.total;
	}
	p->in_len -= at;
	memmove(p->in, p->in + at, p->in_len);
	return p->in_len < p->in_room ? 0 : -EPROTO;
}

static int run(struct preload *p)
{
	struct timespec pause = { .tv_nsec = RETRY_NS };
	int err = 0;

	while (!err && p->done < p->opt->keys) {
		while (p->tail - p->head < p->window && p->next < p->opt->keys)
			ask(p, p->next++, false, 0);
		if (p->refused)
			nanosleep(&pause, NULL);
		p->refused = false;
		err = send_all(p);
		if (!err)
			err = take_answers(p);
	}
	return err;
}

static int set_up(struct preload *p, const struct options *opt, char *error, size_t room)
{
	struct timeval wait = { .tv_sec = WAIT_S };

	p->opt = opt;
	p->window = WINDOW_BYTES / ((u32)opt->value_size + MC_LINE_MAX);
	if (p->window > WINDOW)
		p->window = WINDOW;
	p->in_room = stream_reply_max(opt) + CHUNK;
	p->w = calloc(1, sizeof(*p->w));
	p->out = malloc((size_t)WINDOW * opt->proto->request_max(opt));
	/* a zero behind what was received: it is printed */
	p->in = malloc(p->in_room + 1);
	if (!p->w || !p->out || !p->in)
		return -ENOMEM;
	p->w->opt = opt;
	p->fd = stream_open(opt);
	if (p->fd < 0) {
		open_error(opt, p->fd, error, room);
		return p->fd;
	}
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return 0;
}

int preload_tcp(const struct options *opt, char *error, size_t room)
{
	struct preload p = { .fd = -1 };
	int err;

	err = set_up(&p, opt, error, room);
	if (!err) {
		err = run(&p);
		if (err)
			snprintf(error, room, "preload: %u of %llu keys were stored and read back, then %s; does a server for "
				 "--protocol %s answer TCP at %s, with memory for all keys?%s", p.done,
				 (unsigned long long)opt->keys, err == -EPROTO ? "no right answer" : strerror(-err),
				 opt->proto->name, opt->target, p.said);
	}
	if (p.fd >= 0)
		close(p.fd);
	free(p.w);
	free(p.out);
	free(p.in);
	return err;
}
