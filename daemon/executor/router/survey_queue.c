#include "survey_queue.h"

#include "../../../policy/util/text.h"
#include "../../base/clock.h"
#include "../../base/log.h"
#include "../os/process.h"

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
	struct ask *next;            // queue::first
	struct plan_job *job;        /* a release that waits for the answer; NULL: none does */
	survey_queue_found searcher; /* who searched; NULL: nobody did. If there is no job either, the broker asks */
	void *context;
	struct found found;           /* of a search */
	bool short_of_memory;         /* so that something is missing there */
	pid_t holder;                 /* of the first device that is held; 0: none so far */
	char device[DEVICE_NAME_MAX]; /* that device */
	union wire_message *message;  /* of the size in its header */
};

static void ask_free(struct ask *ask)
{
	plan_job_free(ask->job);
	free(ask->found.device);
	free(ask->found.pid);
	free(ask->message);
	free(ask);
}

/* The answer to a question of the broker's that nobody could answer. */
static void answer_broker(struct survey_queue *queue, const struct wire_header *question, int error)
{
	union wire_message message;

	if (question->type == WIRE_AUDIT) {
		message.audit_done = (struct wire_audit_done){ .error = error };
		wire_stamp(&message, WIRE_AUDIT_DONE, question->id);
	} else {
		message.survey_done = (struct wire_survey_done){ .error = error };
		wire_stamp(&message, WIRE_SURVEY_DONE, question->id);
	}
	outbox_send(&queue->supervisor->outbox, &message, NULL);
}

static void answer_release(struct survey_queue *queue, struct plan_job *job, int error)
{
	struct descriptors fds = { .count = 0 };
	union wire_message message;
	char text[TEXT_MAX];

	text_format(text, sizeof(text), "cannot tell whether a process still holds the devices: the survey failed: %s",
		    strerror(error));
	/* The same question fails again only if it is too long. */
	if (error == E2BIG)
		plan_job_answer(&message, job->plan.id, WIRE_OUTCOME_BROKEN, text);
	else
		plan_job_answer_untouched(&message, job, text, &fds);
	message.result.error = error;
	supervisor_answer_plan(queue->supervisor, &message, &fds);
}

/* Nothing was found out, and nothing was touched. */
static void answer_failure(struct survey_queue *queue, const struct ask *ask, int error)
{
	static const struct found nothing = { .device = NULL };

	if (ask->searcher)
		ask->searcher(ask->context, &nothing, error);
	else if (ask->job)
		answer_release(queue, ask->job, error);
	else
		answer_broker(queue, &ask->message->header, error);
}

/* Gives the surveyor the next question, if it is free. */
static void dispatch(struct survey_queue *queue)
{
	while (!queue->busy && queue->first && queue->worker.socket >= 0) {
		/* Its socket is empty when it is free, and takes a message whole. */
		if (wire_send(queue->worker.socket, queue->first->message, NULL, 0) < 0)
			return; /* the end of the socket will be seen */
		queue->busy = true;
		queue->busy_since = clock_milliseconds();
	}
}

static struct ask *take_first(struct survey_queue *queue)
{
	struct ask *ask = queue->first;

	queue->first = ask->next;
	if (!queue->first)
		queue->last = NULL;
	queue->count--;
	queue->busy = false;
	return ask;
}

/* A question that waits for its place in the queue. NULL: there is no place. */
static struct ask *new_ask(const struct survey_queue *queue, const union wire_message *message)
{
	struct ask *ask = queue->count < ASKS_MAX ? calloc(1, sizeof(*ask)) : NULL;

	if (!ask)
		return NULL;
	ask->message = malloc(message->header.size);
	if (!ask->message) {
		free(ask);
		return NULL;
	}
	memcpy(ask->message, message, message->header.size);
	return ask;
}

static void enqueue(struct survey_queue *queue, struct ask *ask)
{
	if (queue->last)
		queue->last->next = ask;
	else
		queue->first = ask;
	queue->last = ask;
	queue->count++;
	dispatch(queue);
}

/* Puts a question of the broker's into the queue; if there is no place it is answered. */
static void enqueue_brokers(struct survey_queue *queue, const union wire_message *message)
{
	struct ask *ask = new_ask(queue, message);

	if (ask)
		enqueue(queue, ask);
	else
		answer_broker(queue, &message->header, ENOMEM);
}

int survey_queue_start(struct survey_queue *queue, struct supervisor *supervisor, const struct host *host,
		       survey_queue_proven proven, void *context)
{
	*queue = (struct survey_queue){
		.supervisor = supervisor, .host = host, .worker = { .socket = -1 }, .proven = proven, .context = context
	};
	return supervisor_start(supervisor, &queue->worker, WORKER_SURVEYOR);
}

void survey_queue_ask(struct survey_queue *queue, const struct wire_survey *survey)
{
	enqueue_brokers(queue, (const union wire_message *)survey);
}

void survey_queue_audit(struct survey_queue *queue, const struct wire_audit *audit)
{
	union wire_message message;

	memcpy(&message, audit, audit->header.size);
	message.audit.broker = queue->broker;
	enqueue_brokers(queue, &message);
}

void survey_queue_search(struct survey_queue *queue, const char (*device)[DEVICE_NAME_MAX], size_t count,
			 survey_queue_found found, void *context)
{
	static const struct found nothing = { .device = NULL };
	union wire_message message;
	struct ask *ask;

	memset(&message.survey, 0, sizeof(message.survey));
	message.survey.count = (uint32_t)count;
	memcpy(message.survey.device, device, count * sizeof(*device));
	wire_stamp(&message, WIRE_SURVEY, ++queue->searches);
	ask = new_ask(queue, &message);
	if (!ask) {
		found(context, &nothing, ENOMEM);
		return;
	}
	ask->searcher = found;
	ask->context = context;
	enqueue(queue, ask);
}

void survey_queue_prove(struct survey_queue *queue, struct plan_job *job)
{
	union wire_message message;
	struct wire_survey *survey = &message.survey;
	struct ask *ask;

	memset(survey, 0, sizeof(*survey));
	for (size_t i = 0; i < job->plan.plan.count; i++) {
		const struct step *step = &job->plan.plan.step[i];

		if (step->kind != STEP_PROVE_NO_HOLDER || step->number == 1)
			continue;
		if (survey->count == GROUP_MEMBERS_MAX) {
			answer_release(queue, job, E2BIG);
			plan_job_free(job);
			return;
		}
		memcpy(survey->device[survey->count++], step->device, sizeof(step->device));
	}
	if (survey->count == 0) {
		queue->proven(queue->context, job);
		return;
	}
	job->proofs++;
	wire_stamp(&message, WIRE_SURVEY, job->plan.id);
	ask = new_ask(queue, &message);
	if (!ask) {
		answer_release(queue, job, ENOMEM);
		plan_job_free(job);
		return;
	}
	ask->job = job;
	enqueue(queue, ask);
}

/* Answers a release of which a device is held. False: the holder has ended meanwhile. */
static bool answer_held(struct survey_queue *queue, struct plan_job *job, const struct ask *ask)
{
	struct descriptors fds = { .count = 0 };
	const struct plan *plan = &job->plan.plan;
	union wire_message message;
	struct wire_result *result = &message.result;
	int fd = pidfd_open(ask->holder, 0);

	if (fd < 0 && errno == ESRCH && job->proofs < PROOFS_MAX)
		return false;
	plan_job_answer(&message, job->plan.id, WIRE_OUTCOME_HELD, "");
	process_name(queue->host, ask->holder, result->holder);
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
	supervisor_answer_plan(queue->supervisor, &message, &fds);
	return true;
}

/* The search for the holders of a release is over. Takes the ask's job out. */
static void conclude(struct survey_queue *queue, struct ask *ask, int error)
{
	struct plan_job *job = ask->job;

	ask->job = NULL;
	if (ask->holder == 0 && error == 0) {
		job->plan.enclosure.proof = WIRE_PROOF_THERE;
		queue->proven(queue->context, job);
		return;
	}
	if (ask->holder == 0) {
		answer_release(queue, job, error);
	} else if (!answer_held(queue, job, ask)) {
		survey_queue_prove(queue, job);
		return;
	}
	plan_job_free(job);
}

/* The answer to the first question is complete. */
static void finish(struct survey_queue *queue, const union wire_message *message)
{
	struct ask *ask = take_first(queue);
	bool partial = ask->message->header.type == WIRE_AUDIT && ask->message->audit.more;

	supervisor_worked(queue->supervisor);
	if (ask->searcher)
		ask->searcher(ask->context, &ask->found, ask->short_of_memory ? ENOMEM : message->survey_done.error);
	else if (ask->job)
		conclude(queue, ask, message->survey_done.error);
	else if (!partial)
		outbox_send(&queue->supervisor->outbox, message, NULL);
	ask_free(ask);
	dispatch(queue);
}

/* Appends to an array. */
static void keep(struct ask *ask, void **array, size_t *count, const void *item, size_t size)
{
	char *larger = reallocarray(*array, *count + 1, size);

	if (!larger) {
		ask->short_of_memory = true;
		return;
	}
	memcpy(larger + *count * size, item, size);
	*array = larger;
	++*count;
}

/* A finding of a search. */
static void keep_found(struct ask *ask, const union wire_message *message)
{
	struct found *found = &ask->found;
	void *devices = found->device, *pids = found->pid;
	pid_t pid = message->header.type == WIRE_USE && message->use.use.kind == USE_HOLDER ? message->use.use.pid : 0;

	if (message->header.type == WIRE_DEVICE)
		keep(ask, &devices, &found->device_count, &message->device.device, sizeof(*found->device));
	for (size_t i = 0; i < found->pid_count; i++)
		if (found->pid[i] == pid)
			pid = 0;
	if (pid > 0)
		keep(ask, &pids, &found->pid_count, &pid, sizeof(pid));
	found->device = devices;
	found->pid = pids;
}

/* True for a message that answers, or helps to answer, a question of this kind. */
static bool belongs(const union wire_message *message, const union wire_message *question)
{
	switch (message->header.type) {
	case WIRE_USE:
	case WIRE_DEVICE:
	case WIRE_DEVICE_GONE:
	case WIRE_SURVEY_DONE:
		return question->header.type == WIRE_SURVEY;
	case WIRE_HOLD:
	case WIRE_NODE_ACCESS:
	case WIRE_AUDIT_DONE:
		return question->header.type == WIRE_AUDIT;
	default:
		return false;
	}
}

/* Something that the surveyor says. False: not what a surveyor says now. */
static bool hear(struct survey_queue *queue, const union wire_message *message)
{
	struct ask *ask = queue->first;

	if (message->header.type == WIRE_TOPOLOGY_DONE && !queue->worker.ready) {
		queue->worker.ready = true;
		return true;
	}
	if (!queue->busy || message->header.id != ask->message->header.id || !belongs(message, ask->message))
		return false;
	if (message->header.type == WIRE_SURVEY_DONE || message->header.type == WIRE_AUDIT_DONE) {
		finish(queue, message);
	} else if (ask->searcher) {
		keep_found(ask, message);
	} else if (!ask->job) {
		outbox_send(&queue->supervisor->outbox, message, NULL);
	} else if (message->header.type == WIRE_USE && message->use.use.kind == USE_HOLDER && ask->holder == 0) {
		ask->holder = message->use.use.pid;
		memcpy(ask->device, message->use.use.device, sizeof(ask->device));
	}
	return true;
}

/* The surveyor is gone, or has to go: another takes its place, but not the question that it had. */
static void replace(struct survey_queue *queue, int error)
{
	supervisor_lost(queue->supervisor, &queue->worker, WORKER_SURVEYOR);
	if (queue->busy) {
		struct ask *ask = take_first(queue);

		answer_failure(queue, ask, error);
		ask_free(ask);
	}
	if (!queue->supervisor->hopeless && supervisor_start(queue->supervisor, &queue->worker, WORKER_SURVEYOR) < 0)
		queue->supervisor->hopeless = true;
	dispatch(queue);
}

bool survey_queue_overdue(struct survey_queue *queue, uint64_t plan)
{
	const struct ask *ask = queue->first;

	while (ask && (!ask->job || ask->job->plan.id != plan))
		ask = ask->next;
	if (!ask)
		return false;
	/* It waits for the surveyor, which may hang at another question. */
	if (queue->busy && clock_milliseconds() - queue->busy_since >= HANGING_MSEC)
		replace(queue, ETIMEDOUT);
	return true;
}

void survey_queue_readable(struct survey_queue *queue)
{
	while (outbox_is_empty(&queue->supervisor->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(queue->worker.socket, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got <= 0 || !hear(queue, &message)) {
			replace(queue, EIO);
			return;
		}
	}
}

void survey_queue_end(struct survey_queue *queue)
{
	while (queue->first)
		ask_free(take_first(queue));
	worker_end(&queue->worker);
}
