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
	struct ask *next;            // surveying::first
	struct job *job;             /* a release that waits for the answer; NULL: none does */
	surveying_found searcher;    /* who searched; NULL: nobody did. If there is no job either, the broker asks */
	void *context;
	struct found found;          /* of a search */
	bool short_of_memory;        /* so that something is missing there */
	pid_t holder;                /* of the first device that is held; 0: none so far */
	char device[DEVICE_NAME_MAX]; /* that device */
	union wire_message *message; /* of the size in its header */
};

static void ask_free(struct ask *ask)
{
	job_free(ask->job);
	free(ask->found.device);
	free(ask->found.pid);
	free(ask->message);
	free(ask);
}

/* The answer to a question of the broker's that nobody could answer. */
static void answer_broker(struct surveying *surveying, const struct wire_header *question, int error)
{
	union wire_message message;

	if (question->type == WIRE_AUDIT) {
		message.audit_done = (struct wire_audit_done){ .error = error };
		wire_stamp(&message, WIRE_AUDIT_DONE, question->id);
	} else {
		message.survey_done = (struct wire_survey_done){ .error = error };
		wire_stamp(&message, WIRE_SURVEY_DONE, question->id);
	}
	outbox_send(&surveying->crew->outbox, &message, NULL);
}

static void answer_release(struct surveying *surveying, struct job *job, int error)
{
	struct descriptors fds = { .count = 0 };
	union wire_message message;
	char text[TEXT_MAX];

	text_format(text, sizeof(text), "nobody can tell whether somebody still holds the devices: the survey failed: %s",
		    strerror(error));
	/* The same question fails again only if it is too long. */
	if (error == E2BIG)
		job_answer(&message, job->plan.id, WIRE_OUTCOME_BROKEN, text);
	else
		job_answer_untouched(&message, job, text, &fds);
	message.result.error = error;
	crew_answer_plan(surveying->crew, &message, &fds);
}

/* Nothing was found out, and nothing was touched. */
static void answer_failure(struct surveying *surveying, const struct ask *ask, int error)
{
	static const struct found nothing = { .device = NULL };

	if (ask->searcher)
		ask->searcher(ask->context, &nothing, error);
	else if (ask->job)
		answer_release(surveying, ask->job, error);
	else
		answer_broker(surveying, &ask->message->header, error);
}

/* Gives the surveyor the next question, if it is free. */
static void dispatch(struct surveying *surveying)
{
	while (!surveying->busy && surveying->first && surveying->worker.socket >= 0) {
		/* Its socket is empty when it is free, and takes a message whole. */
		if (wire_send(surveying->worker.socket, surveying->first->message, NULL, 0) < 0)
			return; /* the end of the socket will be seen */
		surveying->busy = true;
		surveying->busy_since = clock_milliseconds();
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

/* A question that waits for its place in the queue. NULL: there is no place. */
static struct ask *new_ask(const struct surveying *surveying, const union wire_message *message)
{
	struct ask *ask = surveying->count < ASKS_MAX ? calloc(1, sizeof(*ask)) : NULL;

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

static void enqueue(struct surveying *surveying, struct ask *ask)
{
	if (surveying->last)
		surveying->last->next = ask;
	else
		surveying->first = ask;
	surveying->last = ask;
	surveying->count++;
	dispatch(surveying);
}

/* Puts a question of the broker's into the queue; if there is no place it is answered. */
static void enqueue_brokers(struct surveying *surveying, const union wire_message *message)
{
	struct ask *ask = new_ask(surveying, message);

	if (ask)
		enqueue(surveying, ask);
	else
		answer_broker(surveying, &message->header, ENOMEM);
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
	enqueue_brokers(surveying, (const union wire_message *)survey);
}

void surveying_audit(struct surveying *surveying, const struct wire_audit *audit)
{
	union wire_message message;

	memcpy(&message, audit, audit->header.size);
	message.audit.broker = surveying->broker;
	enqueue_brokers(surveying, &message);
}

void surveying_search(struct surveying *surveying, const char (*device)[DEVICE_NAME_MAX], size_t count,
		      surveying_found found, void *context)
{
	static const struct found nothing = { .device = NULL };
	union wire_message message;
	struct ask *ask;

	memset(&message.survey, 0, sizeof(message.survey));
	message.survey.count = (uint32_t)count;
	memcpy(message.survey.device, device, count * sizeof(*device));
	wire_stamp(&message, WIRE_SURVEY, ++surveying->searches);
	ask = new_ask(surveying, &message);
	if (!ask) {
		found(context, &nothing, ENOMEM);
		return;
	}
	ask->searcher = found;
	ask->context = context;
	enqueue(surveying, ask);
}

void surveying_prove(struct surveying *surveying, struct job *job)
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
			answer_release(surveying, job, E2BIG);
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
	ask = new_ask(surveying, &message);
	if (!ask) {
		answer_release(surveying, job, ENOMEM);
		job_free(job);
		return;
	}
	ask->job = job;
	enqueue(surveying, ask);
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
	crew_answer_plan(surveying->crew, &message, &fds);
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
		answer_release(surveying, job, error);
	} else if (!answer_held(surveying, job, ask)) {
		surveying_prove(surveying, job);
		return;
	}
	job_free(job);
}

/* The answer to the first question is complete. */
static void finish(struct surveying *surveying, const union wire_message *message)
{
	struct ask *ask = take_first(surveying);
	bool partial = ask->message->header.type == WIRE_AUDIT && ask->message->audit.more;

	crew_worked(surveying->crew);
	if (ask->searcher)
		ask->searcher(ask->context, &ask->found, ask->short_of_memory ? ENOMEM : message->survey_done.error);
	else if (ask->job)
		conclude(surveying, ask, message->survey_done.error);
	else if (!partial)
		outbox_send(&surveying->crew->outbox, message, NULL);
	ask_free(ask);
	dispatch(surveying);
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
static bool hear(struct surveying *surveying, const union wire_message *message)
{
	struct ask *ask = surveying->first;

	if (message->header.type == WIRE_TOPOLOGY_DONE && !surveying->worker.ready) {
		surveying->worker.ready = true;
		return true;
	}
	if (!surveying->busy || message->header.id != ask->message->header.id || !belongs(message, ask->message))
		return false;
	if (message->header.type == WIRE_SURVEY_DONE || message->header.type == WIRE_AUDIT_DONE) {
		finish(surveying, message);
	} else if (ask->searcher) {
		keep_found(ask, message);
	} else if (!ask->job) {
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

		answer_failure(surveying, ask, error);
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
	if (surveying->busy && clock_milliseconds() - surveying->busy_since >= HANGING_MSEC)
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
