#include "surveying.h"

#include "../../policy/text.h"
#include "../base/log.h"
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

/* Questions that may wait; a holder that ends while it is named is looked for again so often. */
enum { ASKS_MAX = 1024, PROOFS_MAX = 8 };

/* A surveyor that has had a question for so long will not answer it any more. */
enum { HANGING_MSEC = 10000 };

/* One question to the surveyor. */
struct ask {
	struct ask *next;            // surveying::first
	struct job *job;             /* a release that waits for the answer; NULL: the broker asks */
	pid_t holder;                /* of the first device that is held; 0: none so far */
	char device[DEVICE_NAME_MAX]; /* that device */
	union wire_message *message; /* of the size in its header */
};

static void ask_free(struct ask *ask)
{
	job_free(ask->job);
	free(ask->message);
	free(ask);
}

static void answer_survey(struct surveying *surveying, uint64_t id, int error)
{
	union wire_message message;

	message.survey_done = (struct wire_survey_done){ .error = error };
	wire_stamp(&message, WIRE_SURVEY_DONE, id);
	outbox_send(&surveying->crew->outbox, &message, NULL);
}

/* Nothing was found out, and nothing was touched. */
static void answer_failure(struct surveying *surveying, const struct job *job, uint64_t id, int error)
{
	union wire_message message;
	char text[TEXT_MAX];

	if (!job) {
		answer_survey(surveying, id, error);
		return;
	}
	text_format(text, sizeof(text), "nobody can tell whether somebody still holds the devices: the survey failed: %s",
		    strerror(error));
	job_answer(&message, id, WIRE_OUTCOME_BROKEN, text);
	message.result.error = error;
	outbox_send(&surveying->crew->outbox, &message, NULL);
}

/* Gives the surveyor the next question, if it is free. */
static void dispatch(struct surveying *surveying)
{
	while (!surveying->busy && surveying->first && surveying->worker.socket >= 0) {
		/* Its socket is empty when it is free, and takes a message whole. */
		if (wire_send(surveying->worker.socket, surveying->first->message, NULL, 0) < 0)
			return; /* the end of the socket will be seen */
		surveying->busy = true;
		surveying->busy_since = monotonic_milliseconds();
	}
}

static struct ask *take_first(struct surveying *surveying)
{
	struct ask *ask = surveying->first;

	surveying->first = ask->next;
	if (!surveying->first)
		surveying->last = NULL;
	surveying->count--;
	surveying->busy = false;
	return ask;
}

/* Puts a copy of the question into the queue. Takes the job over; if there is no place it is answered. */
static void enqueue(struct surveying *surveying, const union wire_message *message, struct job *job)
{
	struct ask *ask = surveying->count < ASKS_MAX ? calloc(1, sizeof(*ask)) : NULL;

	if (ask)
		ask->message = malloc(message->header.size);
	if (!ask || !ask->message) {
		free(ask);
		answer_failure(surveying, job, message->header.id, ENOMEM);
		job_free(job);
		return;
	}
	memcpy(ask->message, message, message->header.size);
	ask->job = job;
	if (surveying->last)
		surveying->last->next = ask;
	else
		surveying->first = ask;
	surveying->last = ask;
	surveying->count++;
	dispatch(surveying);
}

int surveying_start(struct surveying *surveying, struct crew *crew, const struct host *host, surveying_proven proven,
		    void *context)
{
	*surveying = (struct surveying){ .crew = crew, .host = host, .worker = { .socket = -1 }, .proven = proven,
					 .context = context };
	return crew_start(crew, &surveying->worker, WORKER_SURVEYOR);
}

void surveying_ask(struct surveying *surveying, const struct wire_survey *survey)
{
	enqueue(surveying, (const union wire_message *)survey, NULL);
}

void surveying_prove(struct surveying *surveying, struct job *job)
{
	union wire_message message;
	struct wire_survey *survey = &message.survey;

	memset(survey, 0, sizeof(*survey));
	for (size_t i = 0; i < job->plan.plan.count; i++) {
		const struct step *step = &job->plan.plan.step[i];

		if (step->kind != STEP_PROVE_NO_HOLDER || step->number == 1)
			continue;
		if (survey->count == GROUP_MEMBERS_MAX) {
			answer_failure(surveying, job, job->plan.id, E2BIG);
			job_free(job);
			return;
		}
		memcpy(survey->device[survey->count++], step->device, sizeof(step->device));
	}
	if (survey->count == 0) {
		surveying->proven(surveying->context, job);
		return;
	}
	job->proofs++;
	wire_stamp(&message, WIRE_SURVEY, job->plan.id);
	enqueue(surveying, &message, job);
}

/* Answers a release of which a device is held. False: the holder has ended meanwhile. */
static bool answer_held(struct surveying *surveying, struct job *job, const struct ask *ask)
{
	struct descriptors fds = { .count = 0 };
	const struct plan *plan = &job->plan.plan;
	union wire_message message;
	struct wire_result *result = &message.result;
	int fd = pidfd_open(ask->holder, 0);

	if (fd < 0 && errno == ESRCH && job->proofs < PROOFS_MAX)
		return false;
	job_answer(&message, job->plan.id, WIRE_OUTCOME_HELD, "");
	process_name(surveying->host, ask->holder, result->holder);
	text_format(result->text, sizeof(result->text), "%s is held by %s[%d]", ask->device, result->holder,
		    ask->holder);
	memcpy(result->device, ask->device, sizeof(result->device));
	result->pid = ask->holder;
	result->error = EBUSY;
	result->kind = STEP_PROVE_NO_HOLDER;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_PROVE_NO_HOLDER && strcmp(plan->step[i].device, ask->device) == 0)
			result->step = (uint32_t)i;
	/* The claim goes on for a while, and its mappings can be removed only with its context. */
	if (job->plan.enclosure.context >= 0) {
		descriptors_add(&fds, descriptor_take(&job->plan.enclosure.context));
		result->contexts = 1;
	}
	if (fd >= 0)
		descriptors_add(&fds, fd);
	outbox_send(&surveying->crew->outbox, &message, &fds);
	return true;
}

/* The search for the holders of a release is over. Takes the ask's job out. */
static void conclude(struct surveying *surveying, struct ask *ask, int error)
{
	struct job *job = ask->job;

	ask->job = NULL;
	if (ask->holder == 0 && error == 0) {
		surveying->proven(surveying->context, job);
		return;
	}
	if (ask->holder == 0) {
		answer_failure(surveying, job, job->plan.id, error);
	} else if (!answer_held(surveying, job, ask)) {
		surveying_prove(surveying, job);
		return;
	}
	job_free(job);
}

/* Something that the surveyor says. False: not what a surveyor says now. */
static bool hear(struct surveying *surveying, const union wire_message *message)
{
	struct ask *ask = surveying->first;

	if (message->header.type == WIRE_TOPOLOGY_DONE && !surveying->worker.ready) {
		surveying->worker.ready = true;
		return true;
	}
	if (!surveying->busy || message->header.id != ask->message->header.id)
		return false;
	if (message->header.type == WIRE_SURVEY_DONE) {
		crew_worked(surveying->crew);
		take_first(surveying);
		if (ask->job)
			conclude(surveying, ask, message->survey_done.error);
		else
			outbox_send(&surveying->crew->outbox, message, NULL);
		ask_free(ask);
		dispatch(surveying);
		return true;
	}
	if (message->header.type != WIRE_USE && message->header.type != WIRE_DEVICE &&
	    message->header.type != WIRE_DEVICE_GONE)
		return false;
	if (!ask->job) {
		outbox_send(&surveying->crew->outbox, message, NULL);
	} else if (message->header.type == WIRE_USE && message->use.use.kind == USE_HOLDER && ask->holder == 0) {
		ask->holder = message->use.use.pid;
		memcpy(ask->device, message->use.use.device, sizeof(ask->device));
	}
	return true;
}

/* The surveyor is gone, or has to go: another takes its place, but not the question that it had. */
static void replace(struct surveying *surveying, int error)
{
	crew_lost(surveying->crew, &surveying->worker, WORKER_SURVEYOR);
	if (surveying->busy) {
		struct ask *ask = take_first(surveying);

		answer_failure(surveying, ask->job, ask->message->header.id, error);
		ask_free(ask);
	}
	if (!surveying->crew->hopeless && crew_start(surveying->crew, &surveying->worker, WORKER_SURVEYOR) < 0)
		surveying->crew->hopeless = true;
	dispatch(surveying);
}

bool surveying_overdue(struct surveying *surveying, uint64_t plan)
{
	const struct ask *ask = surveying->first;

	while (ask && (!ask->job || ask->job->plan.id != plan))
		ask = ask->next;
	if (!ask)
		return false;
	/* It waits for the surveyor, which may hang at another question. */
	if (surveying->busy && monotonic_milliseconds() - surveying->busy_since >= HANGING_MSEC)
		replace(surveying, ETIMEDOUT);
	return true;
}

void surveying_readable(struct surveying *surveying)
{
	while (outbox_is_empty(&surveying->crew->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(surveying->worker.socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got <= 0 || !hear(surveying, &message)) {
			replace(surveying, EIO);
			return;
		}
	}
}

void surveying_end(struct surveying *surveying)
{
	while (surveying->first)
		ask_free(take_first(surveying));
	worker_end(&surveying->worker);
}
