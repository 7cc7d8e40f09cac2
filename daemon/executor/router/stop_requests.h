/*
 * The main process's side of stops: finds out whether what is to be stopped holds a device, asks the policy, and has a
 * stopper of its own end it. A broker that was taken over can stop no more than what holds a device of a rule that says
 * so.
 */
#pragma once

#include "survey_queue.h"

enum { STOPS_MAX = 16 };

struct stop;

struct stop_requests {
	struct supervisor *supervisor;
	struct survey_queue *queue;
	const struct host *host;
	struct stop *stop[STOPS_MAX]; /* NULL: free */
};

void stop_requests_start(struct stop_requests *requests, struct supervisor *supervisor, struct survey_queue *queue,
			 const struct host *host);
/* A stop that the broker asks for. Takes the FDs over, which are empty then. */
void stop_requests_ask(struct stop_requests *requests, const struct wire_stop *question, struct descriptors *fds);
/* The socket of a slot's stopper, or -1. */
int stop_requests_socket(const struct stop_requests *requests, size_t slot);
/* That socket is readable. */
void stop_requests_readable(struct stop_requests *requests, size_t slot);
/* Drops all, without an answer. What was begun goes on to its end. Call after survey_queue_end(). */
void stop_requests_end(struct stop_requests *requests);
