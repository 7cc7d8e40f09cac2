/*
 * One loop for everything that the simulator waits for: file descriptors and moments. Callbacks may add and remove any
 * watch or timer, their own too. Never blocks but in loop_run(), and knows nothing of what it waits for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;

/* A file descriptor that is looked at. Lives in its owner; the FD stays the owner's. */
struct watch {
	int fd;
	/* events: of epoll. */
	void (*ready)(struct watch *watch, uint32_t events);
};

/* A moment that is waited for. Lives in its owner; all zero is one that is off. */
struct timer {
	TAILQ_ENTRY(timer) link; // loop::timers
	uint64_t due;            /* CLOCK_MONOTONIC milliseconds */
	bool on;
	void (*expired)(struct timer *timer);
};

int loop_new(struct loop **out); /* 0, -errno */
struct loop *loop_free(struct loop *loop);

/* Begins to look at watch->fd for epoll's events (EPOLLHUP and EPOLLERR always are). 0, -errno. */
int loop_add(struct loop *loop, struct watch *watch, uint32_t events);
/* Looks for these events from now on. 0, -errno. */
int loop_change(struct loop *loop, struct watch *watch, uint32_t events);
/* Stops looking: the watch is not called any more. Call before its FD is closed. */
void loop_remove(struct loop *loop, struct watch *watch);
/* The same where the FD has no copy and is closed next, which is what makes epoll forget it. */
void loop_forget(struct loop *loop, struct watch *watch);

/* Calls timer->expired once, in so many milliseconds; a timer that is on already is set anew. */
void loop_set_timer(struct loop *loop, struct timer *timer, uint64_t milliseconds);
void loop_clear_timer(struct loop *loop, struct timer *timer);

/* Runs until loop_stop(): 0, or -errno of epoll_wait(). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
