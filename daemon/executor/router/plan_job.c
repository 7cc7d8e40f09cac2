#include "plan_job.h"

#include "../../../policy/util/text.h"

#include <stdlib.h>
#include <string.h>

struct plan_job *plan_job_free(struct plan_job *job)
{
	if (job) {
		wire_plan_inbox_done(&job->plan);
		free(job);
	}
	return NULL;
}

void plan_job_queue_put(struct plan_job_queue *queue, struct plan_job *job)
{
	job->next = NULL;
	if (queue->last)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->count++;
}

struct plan_job *plan_job_queue_take(struct plan_job_queue *queue)
{
	struct plan_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = NULL;
	queue->count--;
	job->next = NULL;
	return job;
}

struct plan_job *plan_job_queue_take_any(struct plan_job_queue *queue, plan_job_test may_run, void *context)
{
	struct plan_job *before = NULL, *job = queue->first;

	while (job && !may_run(context, job)) {
		before = job;
		job = job->next;
	}
	if (!before || !job)
		return job ? plan_job_queue_take(queue) : NULL;
	before->next = job->next;
	if (!before->next)
		queue->last = before;
	queue->count--;
	job->next = NULL;
	return job;
}

void plan_job_answer(union wire_message *message, uint64_t id, enum wire_outcome outcome, const char *text)
{
	memset(&message->result, 0, sizeof(message->result));
	message->result.outcome = outcome;
	message->result.kind = STEP_KIND_COUNT;
	text_format(message->result.text, sizeof(message->result.text), "%s", text);
	wire_stamp(message, WIRE_RESULT, id);
}

void plan_job_answer_untouched(union wire_message *message, struct plan_job *job, const char *text,
			       struct descriptors *fds)
{
	bool release = job->plan.kind == WIRE_PLAN_RELEASE;

	plan_job_answer(message, job->plan.id, release ? WIRE_OUTCOME_INTERRUPTED : WIRE_OUTCOME_REFUSED, text);
	if (!release || job->plan.enclosure.context < 0)
		return;
	descriptors_add(fds, descriptor_take(&job->plan.enclosure.context));
	message->result.contexts = 1;
}
