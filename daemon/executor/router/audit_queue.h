/*
 * The main process's side of the recorder: adds to each record whether this executor did what it says, hands one after the
 * other on, and passes the answers to the broker. A recorder that fails costs records, and nothing else.
 */
#pragma once

#include "supervisor.h"
#include "done_plans.h"

struct recorded;

struct recording {
	struct crew *crew;
	const struct deeds *deeds;
	struct worker worker; /* started with the first record */
	struct recorded *first, *last; /* not answered yet; the recorder has got the first of them */
	size_t count;
	size_t sent;          /* so many of them */
};

void recording_start(struct recording *recording, struct crew *crew, const struct deeds *deeds);
/* A record of the broker's. */
void recording_ask(struct recording *recording, const struct wire_record *record);
/* The recorder's socket is readable, or takes more. */
void recording_readable(struct recording *recording);
void recording_writable(struct recording *recording);
/* True if a record waits for place in the recorder's socket. */
bool recording_wants_to_write(const struct recording *recording);
/* True if no record is on its way: the broker's last ones have to get there when it goes. */
bool recording_is_idle(const struct recording *recording);
/* Drops all that wait, without an answer: the executor ends, and its end is the answer. */
void recording_end(struct recording *recording);
