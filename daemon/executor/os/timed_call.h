/*
 * Calls into the kernel that may wait for ever, with a limit to the waiting. Reading driver_override takes the device's
 * lock, which an unbind that waits for a last close keeps for ever; reading /proc/PID/maps takes a lock of that
 * process. A thread makes the call; if it does not come back in time it is left behind, and the caller goes on without
 * an answer. Knows nothing of what the calls are for. One user thread only.
 */
#pragma once

struct timed_call;

struct timed_call *timed_call_new(void); /* NULL: out of memory */
/* Threads that were left behind live on, but touch nothing of the caller's any more. */
struct timed_call *timed_call_free(struct timed_call *timed_call);

struct timed_call_task {
	const char *key; /* what it asks about: while a call with this key hangs, no other is begun */
	int (*run)(void *context);
	void (*free)(void *context);
};

/*
 * Runs task->run(context) for at most so many milliseconds. Returns what run() returned, and the context is still the
 * caller's. -ETIMEDOUT: it did not come back, or an earlier one of this key still hangs; then the context is not the
 * caller's any more. -ENOMEM: no thread was to be had, and nothing was run; the context is the caller's.
 */
int timed_call_run(struct timed_call *timed_call, const struct timed_call_task *task, unsigned milliseconds,
		   void *context);
