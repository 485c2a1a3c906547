/* SPDX-License-Identifier: MIT */
/* The handler ABI: what code that serves requests inside sluiced looks like, built in or in a shared object. */
#ifndef SLUICE_HANDLER_H
#define SLUICE_HANDLER_H

#include <stddef.h>
#include <stdint.h>
#include <sluice/sluice.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A shared object named in sluiced's configuration exports one symbol:
 *
 *	const struct sluice_handler sluice_handler_main = {
 *		.abi = SLUICE_HANDLER_ABI,
 *		.size = sizeof(struct sluice_handler),
 *		.name = "upper",
 *		.serve = serve,
 *	};
 *
 * Only @abi, @size, @name and @serve are required. sluiced runs one thread per ring, a "worker". Functions that take
 * a worker run in that worker's thread, but worker_init and worker_fini, which like init, reconfigure and fini run in
 * the main thread while no worker runs. Nothing may block. Link with libsluice to answer (sluice_respond() and the
 * like); sluiced has the same shared library loaded.
 *
 * Every request handed to serve() belongs to the handler until it is answered, with sluice_respond(),
 * sluice_respond_from(), sluice_done() or sluice_reject(): at once, or later from poll(). The worker flushes the ring
 * after serve(), in the call that puts it to sleep if there is nothing more to do, and after a poll() that returned more
 * than 0.
 */
#define SLUICE_HANDLER_ABI	1
#define SLUICE_HANDLER_SYMBOL	"sluice_handler_main"

/**
 * struct sluice_handler_option - one statement of the handler's block in the configuration
 * @name: first word
 * @value: the words after it, separated by single spaces; "" if there are none
 * @where: "file:line", for messages
 */
struct sluice_handler_option {
	const char *name;
	const char *value;
	const char *where;
};

/**
 * struct sluice_handler_config - what init() and reconfigure() are given
 * @size: sizeof(struct sluice_handler_config) in sluiced; members beyond it do not exist
 * @group: name of the group
 * @workers: number of workers
 * @noptions: number of @options
 * @options: the handler's block, in order; valid during the call only
 * @slot_size: payload bytes of the largest request slot
 * @reply_size: payload bytes of a reply slot; 0: the rings have none
 * @log: write a line to sluiced's log; @level as in syslog(3), 3 error .. 7 debug; may be kept and used at any time
 */
struct sluice_handler_config {
	size_t size;
	const char *group;
	unsigned int workers;
	unsigned int noptions;
	const struct sluice_handler_option *options;
	uint32_t slot_size;
	uint32_t reply_size;
	void (*log)(int level, const char *format, ...);
};

/**
 * struct sluice_handler_error - why a configuration was refused
 * @where: the option's "file:line", or empty: the group's
 * @text: says what to do
 */
struct sluice_handler_error {
	char where[256];
	char text[256];
};

/**
 * struct sluice_handler - a handler; absent functions are NULL
 * @abi: SLUICE_HANDLER_ABI
 * @size: sizeof(struct sluice_handler)
 * @name: shown in the log
 * @check: is this configuration good? Must have no effect. 0 or -errno with @err filled. Without it a handler takes
 *	no options.
 * @init: make the state that the group's workers share, if any
 * @reconfigure: the configuration or the number of workers changed; keep what can be kept. On an error the state must
 *	be as before. Without it the state is made anew.
 * @fini: undo init
 * @worker_init: make the state of worker @index
 * @worker_fini: undo worker_init
 * @serve: take @n requests; @worker is NULL without worker_init
 * @poll: called in every turn of the worker's loop, whether or not requests came; returns how much was done. @ring is
 *	NULL while the ring is being opened again.
 * @fd: a file descriptor that is polled for input beside the ring while the worker sleeps, or -1; the same, and open, for
 *	as long as the worker's state lives
 * @sleep: the worker is about to sleep; 1: do not, there is something to do; negative: sleep a millisecond at most
 * @wake: the worker has woken
 * @busy: requests that the handler holds unanswered; a ring is closed only after this is 0
 * @tick: called about ten times a second, awake or asleep; @now_ns is CLOCK_MONOTONIC
 * @stats: write one line of text about the worker, without a newline, at most @len bytes with the terminating zero
 */
struct sluice_handler {
	uint32_t abi;
	uint32_t size;
	const char *name;
	int (*check)(const struct sluice_handler_config *config, struct sluice_handler_error *err);
	int (*init)(const struct sluice_handler_config *config, void **state, struct sluice_handler_error *err);
	int (*reconfigure)(void *state, const struct sluice_handler_config *config, struct sluice_handler_error *err);
	void (*fini)(void *state);
	int (*worker_init)(void *state, unsigned int index, void **worker);
	void (*worker_fini)(void *worker);
	void (*serve)(void *worker, struct sluice_ring *ring, struct sluice_request *req, unsigned int n);
	unsigned int (*poll)(void *worker, struct sluice_ring *ring);
	int (*fd)(void *worker);
	int (*sleep)(void *worker);
	void (*wake)(void *worker);
	unsigned int (*busy)(void *worker);
	void (*tick)(void *worker, uint64_t now_ns);
	void (*stats)(void *worker, char *text, size_t len);
};

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_HANDLER_H */
