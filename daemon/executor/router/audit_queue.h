/*
 * The main process's side of the recorder: adds to each record whether this executor did what it says, hands one after
 * the other on, and passes the answers to the broker. A recorder that fails costs records, and nothing else.
 */
#pragma once

#include "supervisor.h"
#include "done_plans.h"

struct recorded;

struct audit_queue {
	struct supervisor *supervisor;
	const struct done_plans *done_plans;
	struct worker worker;          /* started with the first record */
	struct recorded *first, *last; /* not answered yet; the recorder has got the first of them */
	size_t count;
	size_t sent; /* so many of them */
};

void audit_queue_start(struct audit_queue *audit_queue, struct supervisor *supervisor,
		       const struct done_plans *done_plans);
/* A record of the broker's. */
void audit_queue_ask(struct audit_queue *audit_queue, const struct wire_record *record);
/* The recorder's socket is readable, or takes more. */
void audit_queue_readable(struct audit_queue *audit_queue);
void audit_queue_writable(struct audit_queue *audit_queue);
/* True if a record waits for place in the recorder's socket. */
bool audit_queue_wants_to_write(const struct audit_queue *audit_queue);
/* True if no record is on its way: the broker's last ones have to get there when it goes. */
bool audit_queue_is_idle(const struct audit_queue *audit_queue);
/* Drops all that wait, without an answer: the executor ends, and its end is the answer. */
void audit_queue_end(struct audit_queue *audit_queue);
