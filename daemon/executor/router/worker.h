/*
 * A worker process as the main process sees it: started by executing the executor's own program again with nothing but
 * a socket, and ended by closing that. Never waits for one.
 */
#pragma once

#include "../sandbox/confine.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The FDs that a worker starts with, beside 0, 1 and 2. */
enum { WORKER_SOCKET_FD = 3, WORKER_POLICY_FD = 4 };

struct worker {
	int socket; /* nonblocking; -1: there is none */
	pid_t pid;
	bool ready;       /* it has said so: it has confined itself, and hears */
	uint64_t started; /* CLOCK_MONOTONIC, milliseconds */
};

/*
 * Starts a worker. program: the executor's own binary; policy: a snapshot that a binder gets, else -1. Both stay the
 * caller's. 0, or -errno.
 */
int worker_start(struct worker *worker, enum worker_role role, int program, int policy);
/* Tells it to end, by closing the socket. The handler of SIGCHLD reaps it. */
void worker_end(struct worker *worker);
/* Ends one that can't be trusted any more, or does not answer. What hangs in the kernel ends when that lets go of it.
 */
void worker_kill(struct worker *worker);
/* True if it was started within the last second: one that ends so soon will end again. */
bool worker_is_young(const struct worker *worker);
