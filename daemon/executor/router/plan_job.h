/*
 * A plan on its way through the main process: received whole, proven free of holders if it is a release, handed to a
 * binder in chunks. Pure bookkeeping.
 */
#pragma once

#include "../../base/wire.h"

struct plan_job {
	struct plan_job *next; /* in the queue that it waits in; NULL: in none, or the last */
	struct wire_plan_inbox plan;
	size_t sent;     /* steps that the binder has got */
	bool begun;      /* the binder has got the first chunk, with the FDs */
	unsigned proofs; /* searches for holders so far */
};

struct plan_job_queue {
	struct plan_job *first;
	struct plan_job *last;
	size_t count;
};

struct plan_job *plan_job_free(struct plan_job *job); /* takes NULL */
void plan_job_queue_put(struct plan_job_queue *queue, struct plan_job *job);
struct plan_job *plan_job_queue_take(struct plan_job_queue *queue); /* NULL: empty */

/* The oldest that may run now; NULL: none. */
typedef bool (*plan_job_test)(void *context, const struct plan_job *job);
struct plan_job *plan_job_queue_take_any(struct plan_job_queue *queue, plan_job_test may_run, void *context);

/* Fills in and stamps the answer to a job that no binder answers. */
void plan_job_answer(union wire_message *message, uint64_t id, enum wire_outcome outcome, const char *text);
/*
 * The same for a job that no binder has got, though nothing is wrong with it: a claim is refused, a release may be
 * asked for again. The context that came with a release goes back, in fds, which the caller owns.
 */
void plan_job_answer_untouched(union wire_message *message, struct plan_job *job, const char *text,
			       struct descriptors *fds);
