/*
 * The main process's side of the surveyor: hands it one question after the other, and its answers to the broker; and
 * has it look for holders before a release goes to a binder, which could not see them, and before anything is stopped.
 */
#pragma once

#include "supervisor.h"
#include "plan_job.h"
#include "../os/sysfs.h"

struct ask;

/* What became of a job whose devices were looked at. Takes the job over. */
typedef void (*survey_queue_proven)(void *context, struct plan_job *job);

/* What a search found: the devices as they are, and the processes that hold any of them, each once. */
struct found {
	struct device *device;
	size_t device_count;
	pid_t *pid;
	size_t pid_count;
};
/* error: 0, or a positive errno: incomplete. found is valid during the call only. */
typedef void (*survey_queue_found)(void *context, const struct found *found, int error);

struct survey_queue {
	struct supervisor *supervisor;
	const struct host *host;
	struct worker worker;
	struct ask *first; /* the one that the surveyor has, if busy */
	struct ask *last;
	size_t count;
	bool busy;
	uint64_t busy_since;        /* CLOCK_MONOTONIC, milliseconds */
	pid_t broker;               /* its pid, 0 unknown */
	uint64_t searches;          /* so far */
	survey_queue_proven proven; /* no holder was found */
	void *context;
};

int survey_queue_start(struct survey_queue *queue, struct supervisor *supervisor, const struct host *host,
		       survey_queue_proven proven, void *context); /* 0 or -errno */
/* A question of the broker's. */
void survey_queue_ask(struct survey_queue *queue, const struct wire_survey *survey);
/*
 * A release: calls proven() if no holder of the devices is found that it has to be proven for, else answers it. Takes
 * the job over.
 */
void survey_queue_prove(struct survey_queue *queue, struct plan_job *job);
/* Looks at devices (1 to GROUP_MEMBERS_MAX) and for who holds them. found is called once, perhaps before this returns.
 */
void survey_queue_search(struct survey_queue *queue, const char (*device)[DEVICE_NAME_MAX], size_t count,
			 survey_queue_found found, void *context);
/* A part of an audit of the broker's. */
void survey_queue_audit(struct survey_queue *queue, const struct wire_audit *audit);
/* The deadline of a plan passed. False: it does not wait for the surveyor. */
bool survey_queue_overdue(struct survey_queue *queue, uint64_t plan);
/* The surveyor's socket is readable. */
void survey_queue_readable(struct survey_queue *queue);
/* Drops all that wait, without an answer: the executor ends, and its end is the answer. */
void survey_queue_end(struct survey_queue *queue);
