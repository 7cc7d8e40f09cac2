/*
 * The main process's side of stops: finds out whether what is to be stopped holds a device, asks the policy, and has a
 * stopper of its own end it. A broker that was taken over can stop no more than what holds a device of a rule that says so.
 */
#pragma once

#include "survey_queue.h"

enum { STOPS_MAX = 16 };

struct stop;

struct stopping {
	struct crew *crew;
	struct surveying *surveying;
	const struct host *host;
	struct stop *stop[STOPS_MAX]; /* NULL: free */
};

void stopping_start(struct stopping *stopping, struct crew *crew, struct surveying *surveying, const struct host *host);
/* A stop that the broker asks for. Takes the FDs over, which are empty then. */
void stopping_ask(struct stopping *stopping, const struct wire_stop *question, struct descriptors *fds);
/* The socket of a slot's stopper, or -1. */
int stopping_socket(const struct stopping *stopping, size_t slot);
/* That socket is readable. */
void stopping_readable(struct stopping *stopping, size_t slot);
/* Drops all, without an answer. What was begun goes on to its end. Call after surveying_end(). */
void stopping_end(struct stopping *stopping);
