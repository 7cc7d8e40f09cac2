/*
 * The main process's side of the surveyor: hands it one question after the other, and its answers to the broker; and has it
 * look for holders before a release goes to a binder, which could not see them.
 */
#pragma once

#include "crew.h"
#include "job.h"
#include "sysfs.h"

struct ask;

/* What became of a job whose devices were looked at. Takes the job over. */
typedef void (*surveying_proven)(void *context, struct job *job);

struct surveying {
	struct crew *crew;
	const struct host *host;
	struct worker worker;
	struct ask *first;  /* the one that the surveyor has, if busy */
	struct ask *last;
	size_t count;
	bool busy;
	uint64_t busy_since; /* CLOCK_MONOTONIC, milliseconds */
	surveying_proven proven; /* no holder was found */
	void *context;
};

int surveying_start(struct surveying *surveying, struct crew *crew, const struct host *host, surveying_proven proven,
		    void *context); /* 0 or -errno */
/* A question of the broker's. */
void surveying_ask(struct surveying *surveying, const struct wire_survey *survey);
/*
 * A release: calls proven() if no holder of the devices is found that it has to be proven for, else answers it. Takes
 * the job over.
 */
void surveying_prove(struct surveying *surveying, struct job *job);
/* The deadline of a plan passed. False: it does not wait for the surveyor. */
bool surveying_overdue(struct surveying *surveying, uint64_t plan);
/* The surveyor's socket is readable. */
void surveying_readable(struct surveying *surveying);
/* Drops all that wait, without an answer: the executor ends, and its end is the answer. */
void surveying_end(struct surveying *surveying);
