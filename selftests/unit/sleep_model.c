// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owns the exhaustive search for lost wake-ups: the sleep, kick, backlog and connection protocols of core/ring.h, run by two threads of a
 * small machine with store buffers, in every order of their steps. Built once for each full barrier left out.
 *
 * The machine is TSO (x86, the strongest that the module runs on; what fails there fails everywhere): a store goes to
 * its thread's buffer, and drains to memory, oldest first, at any later time; a load takes the newest buffered store of
 * its own thread, else memory; a full barrier waits until the buffer is empty. ring.h itself runs, unchanged: its
 * accesses are the machine's steps. An order is explored by running both threads again along a path of choices. A
 * state that was met before is not explored again; a thread's state is what it has done and loaded.
 *
 * usage: sleep_model request|poll|response|backlog|connection|end; exit status 0, 1 if something waits for ever although somebody could have
 * seen to it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static unsigned int model_load(const void *p);
static void model_store(void *p, unsigned int v);
static void model_fence(void);

#define READ_ONCE(x)		model_load(&(x))
#define WRITE_ONCE(x, v)	model_store(&(x), (v))
#define smp_load_acquire(p)	model_load(p)
#define smp_store_release(p, v)	model_store((p), (v))
#define smp_mb()		model_fence()

#include "../../kmod/core/ring.h"

#define WORK		3	/* requests, or responses */
#define NEED_KICK	1
#define BUFFER		8
#define STACK		65536
#define PATH_MAX_STEPS	400
#define VISITED		(1U << 22)

enum step { RUN, FENCE, WAIT, DONE };

struct thread {
	ucontext_t context;
	void (*body)(void);
	enum step step;		/* what it would do next */
	bool *event;		/* it waits for */
	u64 history;		/* hash of what it has done and loaded */
	u32 *where[BUFFER];	/* stores on their way, oldest first */
	u32 what[BUFFER];
	u32 nstores;
	char stack[STACK];
};

static struct thread threads[2], *running;
static ucontext_t scheduler;

/* What both threads share, and nothing else: the two pages and the events. */
static struct shared {
	u32 req_tail, need_wakeup, resp_tail, resp_head, state;
	u32 queue[4];
	u32 backlog, used;
	u32 paused, full, attention, answering;
	u32 woken, queued;
	bool wake, kick, fed;
} mem;

/* ---- the machine ---- */

static u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

/* Let the scheduler choose who goes on. */
static void step(enum step what)
{
	running->step = what;
	swapcontext(&running->context, &scheduler);
}

static u32 model_load(const void *p)
{
	const u32 *where = p;
	struct thread *t;
	u32 v, i;

	step(RUN);
	t = running;
	v = *where;
	for (i = 0; i < t->nstores; i++)
		if (t->where[i] == where)
			v = t->what[i];
	t->history = mix(t->history, v);
	return v;
}

static void model_store(void *p, u32 v)
{
	struct thread *t;

	step(RUN);
	t = running;
	if (t->nstores == BUFFER)
		abort();
	t->where[t->nstores] = p;
	t->what[t->nstores++] = v;
	t->history = mix(t->history, 2);
}

static void model_fence(void)
{
	step(FENCE);
	running->history = mix(running->history, 3);
}

/* Waking somebody takes a lock, which drains the buffer. */
static void model_signal(bool *event)
{
	step(FENCE);
	*event = true;
	running->history = mix(running->history, 4);
}

/* Poll: returns at once if the event has come, and takes it. */
static void model_wait(bool *event)
{
	running->event = event;
	step(WAIT);
	*event = false;
	running->history = mix(running->history, 5);
}

static void drain_one(struct thread *t)
{
	u32 i;

	*t->where[0] = t->what[0];
	t->nstores--;
	for (i = 0; i < t->nstores; i++) {
		t->where[i] = t->where[i + 1];
		t->what[i] = t->what[i + 1];
	}
}

static bool runnable(const struct thread *t)
{
	switch (t->step) {
	case RUN:
		return true;
	case FENCE:
		return !t->nstores;
	case WAIT:
		return *t->event && !t->nstores;
	default:
		return false;
	}
}

static void enter(void)
{
	running->body();
	step(DONE);
}

/* Run a thread up to its next access. */
static void resume(struct thread *t)
{
	running = t;
	swapcontext(&scheduler, &t->context);
}

static void start(struct thread *t, void (*body)(void))
{
	t->body = body;
	t->step = RUN;
	t->event = NULL;
	t->history = 1;
	t->nstores = 0;
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = sizeof(t->stack);
	t->context.uc_link = &scheduler;
	makecontext(&t->context, enter, 0);
	resume(t);
}

/* ---- the protocols, as module and library use them ---- */

static void publish_requests(void)
{
	u32 tail = 0, ticket, i;

	for (i = 0; i < WORK; i++) {
		sluice_rq_push(mem.queue, 3, &mem.req_tail, &tail, i);
		ticket = sluice_rq_wake_ticket(&mem.need_wakeup);
		if (!ticket || ticket == READ_ONCE(mem.woken))
			continue;
		WRITE_ONCE(mem.woken, ticket);
		model_fence(); /* the lock of those who wait */
		if (READ_ONCE(mem.queued))
			model_signal(&mem.wake);
	}
}

/*
 * As the kernel's: whoever is woken looks again, and sleeps on if there is nothing. In epoll the ring stays on the list of
 * those to be looked at, and is not before the sleep.
 */
static void poll_requests(u32 head, bool registered)
{
	if (registered) {
		model_wait(&mem.wake);
	} else {
		WRITE_ONCE(mem.queued, 1);
		model_fence(); /* the lock of those who wait */
	}
	for (;;) {
		sluice_rq_wake_spent(&mem.woken);
		if (READ_ONCE(mem.req_tail) != head)
			break;
		model_wait(&mem.wake);
	}
	if (registered)
		return;
	WRITE_ONCE(mem.queued, 0);
	model_fence();
}

static void consume(bool registered)
{
	u32 head = 0, ticket = 0, n;

	while (head < WORK) {
		n = sluice_rq_ready(&mem.req_tail, head);
		head += n;
		if (n)
			continue;
		sluice_rq_sleep_begin(&mem.need_wakeup, &ticket);
		if (!sluice_rq_ready(&mem.req_tail, head))
			poll_requests(head, registered);
		sluice_rq_sleep_end(&mem.need_wakeup);
	}
}

static void consume_in_poll(void)
{
	consume(false);
}

static void consume_in_epoll(void)
{
	WRITE_ONCE(mem.queued, 1);
	model_fence();
	consume(true);
}

static void publish_responses(void)
{
	u32 tail;

	for (tail = 1; tail <= WORK; tail++) {
		sluice_resp_publish(&mem.resp_tail, tail);
		if (sluice_resp_state(&mem.state) & NEED_KICK)
			model_signal(&mem.kick);
	}
}

static void take_responses(void)
{
	u32 head = 0, n;

	while (head < WORK) {
		if (!sluice_resp_ready(&mem.resp_tail, head, 4, &n))
			abort();
		head += n;
		if (n)
			continue;
		sluice_state_ask_kick(&mem.state, NEED_KICK);
		if (sluice_resp_ready(&mem.resp_tail, head, 4, &n) && !n)
			model_wait(&mem.kick);
		WRITE_ONCE(mem.state, 0);
	}
}

/* One slot, taken, and one request that finds no room: whoever sees both room and the request gives it the slot. */
static void add_to_backlog(void)
{
	WRITE_ONCE(mem.backlog, 1);
	sluice_backlog_raised();
	if (!READ_ONCE(mem.used))
		model_signal(&mem.fed);
	model_wait(&mem.fed);
}

static void make_room(void)
{
	WRITE_ONCE(mem.used, 0);
	sluice_room_made();
	if (READ_ONCE(mem.backlog))
		model_signal(&mem.fed);
}

/* A connection that waits for a group with room: whoever sees both lets it read on. */
static void wait_for_room(void)
{
	WRITE_ONCE(mem.paused, 1);
	sluice_conn_waits();
	if (!READ_ONCE(mem.full))
		model_signal(&mem.fed);
	model_wait(&mem.fed);
}

static void give_room(void)
{
	WRITE_ONCE(mem.full, 0);
	sluice_conn_room();
	if (READ_ONCE(mem.paused))
		model_signal(&mem.fed);
}

/* A reader that waits for a request to end. */
static void wait_for_end(void)
{
	WRITE_ONCE(mem.attention, 1);
	sluice_conn_asked();
	if (!READ_ONCE(mem.answering))
		model_signal(&mem.fed);
	model_wait(&mem.fed);
}

static void end_request(void)
{
	WRITE_ONCE(mem.answering, 0);
	sluice_conn_ended();
	if (READ_ONCE(mem.attention))
		model_signal(&mem.fed);
}

/* ---- the search ---- */

static u64 *visited;
static u64 nvisited;
static u8 path[PATH_MAX_STEPS];
static u32 path_len;

/* True the first time that the present state is met. */
static bool visit(void)
{
	u64 h = 7;
	u32 i, t, at;

	for (t = 0; t < 2; t++) {
		h = mix(mix(mix(h, threads[t].history), threads[t].step), threads[t].nstores);
		for (i = 0; i < threads[t].nstores; i++)
			h = mix(mix(h, (char *)threads[t].where[i] - (char *)&mem), threads[t].what[i]);
	}
	for (i = 0; i < sizeof(mem) / sizeof(u32); i++)
		h = mix(h, ((const u32 *)&mem)[i]);
	h = h ? h : 1;
	for (at = h % VISITED; visited[at]; at = (at + 1) % VISITED)
		if (visited[at] == h)
			return false;
	visited[at] = h;
	if (++nvisited > VISITED / 2) {
		fprintf(stderr, "sleep_model: too many states\n");
		exit(2);
	}
	return true;
}

/* Choices: run thread 0 or 1, drain a store of thread 0 or 1. */
static bool possible(u32 choice)
{
	const struct thread *t = &threads[choice & 1];

	return choice < 2 ? runnable(t) : t->nstores > 0;
}

static void choose(u32 choice)
{
	if (choice < 2)
		resume(&threads[choice]);
	else
		drain_one(&threads[choice & 1]);
}

static void restart(void (*kernel)(void), void (*consumer)(void))
{
	memset(&mem, 0, sizeof(mem));
	mem.used = 1;
	mem.full = 1;
	mem.answering = 1;
	start(&threads[0], kernel);
	start(&threads[1], consumer);
}

static void print_path(void)
{
	static const char *const names[] = { "kernel steps", "consumer steps", "kernel drains", "consumer drains" };
	u32 i;

	for (i = 0; i < path_len; i++)
		printf("# %s\n", names[path[i]]);
	printf("# then nothing can go on, and there is work left\n");
}

/*
 * Depth first: run along the path, extend it by the first possible choice as long as states are new, then step back to
 * the last place with another choice. Return false at the first end at which somebody still waits.
 */
static bool explore(void (*kernel)(void), void (*consumer)(void))
{
	u32 at, c;
	bool fresh;

	restart(kernel, consumer);
	visit();
	for (fresh = true;;) {
		for (c = 0; fresh && c < 4 && !possible(c); c++)
			;
		if (fresh && c == 4 && (threads[0].step != DONE || threads[1].step != DONE))
			return false;
		if (fresh && c < 4) {
			if (path_len == PATH_MAX_STEPS)
				abort();
			path[path_len++] = c;
			choose(c);
			fresh = visit();
			continue;
		}
		/* Step back: run the path again up to a place where a later choice is possible. */
		for (;;) {
			if (!path_len)
				return true;
			c = path[--path_len];
			restart(kernel, consumer);
			for (at = 0; at < path_len; at++)
				choose(path[at]);
			while (++c < 4 && !possible(c))
				;
			if (c < 4)
				break;
		}
		path[path_len++] = c;
		choose(c);
		fresh = visit();
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*kernel)(void);
		void (*other)(void);
	} protocols[] = {
		{ "request", publish_requests, consume_in_epoll },
		{ "poll", publish_requests, consume_in_poll },
		{ "response", take_responses, publish_responses },
		{ "backlog", add_to_backlog, make_room },
		{ "connection", wait_for_room, give_room },
		{ "end", wait_for_end, end_request },
	};
	u32 p;

	visited = calloc(VISITED, sizeof(*visited));
	if (!visited)
		return 2;
	for (p = 0; p < sizeof(protocols) / sizeof(protocols[0]); p++) {
		bool held;

		if (argc < 2 || strcmp(argv[1], protocols[p].name))
			continue;
		held = explore(protocols[p].kernel, protocols[p].other);
		printf("# %s protocol: %llu states, %s\n", argv[1], (unsigned long long)nvisited,
		       held ? "nothing is left behind" : "something is left behind");
		if (!held)
			print_path();
		return !held;
	}
	return 2;
}
