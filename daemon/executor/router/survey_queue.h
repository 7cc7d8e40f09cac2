/*
 * The main process's side of the surveyor: hands it one question after the other, and its answers to the broker; and has it
 * look for holders before a release goes to a binder, which could not see them, and before anything is stopped.
 */
#pragma once

#include "supervisor.h"
#include "plan_job.h"
#include "../os/sysfs.h"

struct ask;

/* What became of a job whose devices were looked at. Takes the job over. */
typedef void (*surveying_proven)(void *context, struct job *job);

/* What a search found: the devices as they are, and the processes that hold any of them, each once. */
struct found {
	struct device *device;
	size_t device_count;
	pid_t *pid;
	size_t pid_count;
};
/* error: 0, or a positive errno: incomplete. found is valid during the call only. */
typedef void (*surveying_found)(void *context, const struct found *found, int error);

struct surveying {
	struct crew *crew;
	const struct host *host;
	struct worker worker;
	struct ask *first;  /* the one that the surveyor has, if busy */
	struct ask *last;
	size_t count;
	bool busy;
	uint64_t busy_since; /* CLOCK_MONOTONIC, milliseconds */
	pid_t broker;        /* its pid, 0 unknown */
	uint64_t searches;   /* so far */
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
/* Looks at devices (1 to GROUP_MEMBERS_MAX) and for who holds them. found is called once, perhaps before this returns. */
void surveying_search(struct surveying *surveying, const char (*device)[DEVICE_NAME_MAX], size_t count,
		      surveying_found found, void *context);
/* A part of an audit of the broker's. */
void surveying_audit(struct surveying *surveying, const struct wire_audit *audit);
/* The deadline of a plan passed. False: it does not wait for the surveyor. */
bool surveying_overdue(struct surveying *surveying, uint64_t plan);
/* The surveyor's socket is readable. */
void surveying_readable(struct surveying *surveying);
/* Drops all that wait, without an answer: the executor ends, and its end is the answer. */
void surveying_end(struct surveying *surveying);
