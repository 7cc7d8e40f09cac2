#include "requests.h"

#include "../../../policy/util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of one audit: more is not kept, and the audit is incomplete then. */
enum { FINDINGS_MAX = 65536 };

struct question {
	struct question *next; /* questions::first */
	uint64_t id;
	enum wire_type type; /* WIRE_AUDIT, WIRE_RECORD or WIRE_STOP */
	union {
		audit_answer audit;
		record_answer record;
		stop_answer stop;
	} answer; /* all NULL: whoever asked does not want to know */
	void *context;
	struct hold *hold;
	size_t hold_count, hold_allocated;
	struct node_access *access;
	size_t access_count, access_allocated;
	int error; /* of the gathering: ENOMEM */
};

struct requests {
	struct executor_link *link;
	uint64_t next_id;
	struct question *first;
};

int requests_new(struct executor_link *link, struct requests **out)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return -ENOMEM;
	requests->link = link;
	*out = requests;
	return 0;
}

static void question_free(struct question *question)
{
	free(question->hold);
	free(question->access);
	free(question);
}

struct requests *requests_free(struct requests *requests)
{
	if (!requests)
		return NULL;
	while (requests->first) {
		struct question *question = requests->first;

		requests->first = question->next;
		question_free(question);
	}
	free(requests);
	return NULL;
}

static struct question *question_new(struct requests *requests, enum wire_type type, void *context)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->id = ++requests->next_id;
	question->type = type;
	question->context = context;
	return question;
}

static void wait_for(struct requests *requests, struct question *question)
{
	question->next = requests->first;
	requests->first = question;
}

/* Sends a question of one message. Takes the question over: it waits for its answer, or is freed. */
static int ask(struct requests *requests, struct question *question, union wire_message *message, const int *fds,
	       size_t fd_count)
{
	int error;

	wire_stamp(message, question->type, question->id);
	error = executor_link_send(requests->link, message, fds, fd_count);
	if (error < 0)
		question_free(question);
	else
		wait_for(requests, question);
	return error;
}

int requests_audit(struct requests *requests, const struct audit_context *contexts, size_t count, audit_answer answer,
		   void *context)
{
	struct question *question = question_new(requests, WIRE_AUDIT, context);
	size_t sent = 0;
	int error = 0;

	if (!question)
		return -ENOMEM;
	question->answer.audit = answer;
	do {
		union wire_message message;
		struct wire_audit *audit = &message.audit;

		memset(audit, 0, sizeof(*audit));
		audit->first = (uint32_t)sent;
		while (sent < count && audit->count < WIRE_CONTEXTS_MAX) {
			struct wire_audit_context *next = &audit->context[audit->count++];

			next->fd = contexts[sent].fd;
			text_format(next->claim, sizeof(next->claim), "%s", contexts[sent++].claim);
		}
		audit->more = sent < count;
		wire_stamp(&message, WIRE_AUDIT, question->id);
		error = executor_link_send(requests->link, &message, NULL, 0);
	} while (error == 0 && sent < count);
	if (error < 0)
		question_free(question);
	else
		wait_for(requests, question);
	return error;
}

int requests_record(struct requests *requests, const struct audit_record *record, record_answer answer, void *context)
{
	struct question *question;
	union wire_message message;

	if (!audit_record_is_sane(record))
		return -EINVAL;
	question = question_new(requests, WIRE_RECORD, context);
	if (!question)
		return -ENOMEM;
	question->answer.record = answer;
	memset(&message.record, 0, sizeof(message.record));
	message.record.record = *record;
	return ask(requests, question, &message, NULL, 0);
}

int requests_stop(struct requests *requests, const struct stop_order *order, stop_answer answer, void *context)
{
	bool process = order->what == REVOKE_STOP_PROCESS;
	struct question *question;
	union wire_message message;
	struct wire_stop *stop = &message.stop;

	if ((!process && order->what != REVOKE_STOP_UNIT) || order->device_count < 1 ||
	    order->device_count > CLAIM_DEVICES_MAX ||
	    (process ? order->pid <= 0 || order->pidfd < 0 : !order->unit[0]))
		return -EINVAL;
	question = question_new(requests, WIRE_STOP, context);
	if (!question)
		return -ENOMEM;
	question->answer.stop = answer;
	memset(stop, 0, sizeof(*stop));
	stop->what = order->what;
	stop->pid = process ? order->pid : 0;
	stop->count = (uint32_t)order->device_count;
	text_format(stop->rule, sizeof(stop->rule), "%s", order->rule);
	if (!process)
		text_format(stop->unit, sizeof(stop->unit), "%s", order->unit);
	for (size_t i = 0; i < order->device_count; i++)
		text_format(stop->device[i], sizeof(stop->device[i]), "%s", order->device[i]);
	return ask(requests, question, &message, &order->pidfd, process ? 1 : 0);
}

void requests_forget(struct requests *requests, const void *context)
{
	for (struct question *question = requests->first; question; question = question->next)
		if (question->context == context)
			memset(&question->answer, 0, sizeof(question->answer));
}

/* Room for one more in *list. False: there is none, and the audit is incomplete. */
static bool make_room(struct question *question, void **list, size_t count, size_t *allocated, size_t size)
{
	size_t wanted = *allocated ? *allocated * 2 : 16;
	void *larger;

	if (count < *allocated)
		return true;
	larger = count < FINDINGS_MAX ? reallocarray(*list, wanted, size) : NULL;
	if (!larger) {
		question->error = ENOMEM;
		return false;
	}
	*list = larger;
	*allocated = wanted;
	return true;
}

static void found_hold(struct question *question, const struct hold *hold)
{
	void *list = question->hold;

	if (make_room(question, &list, question->hold_count, &question->hold_allocated, sizeof(*hold))) {
		question->hold = list;
		question->hold[question->hold_count++] = *hold;
	}
}

static void found_access(struct question *question, const struct node_access *access)
{
	void *list = question->access;

	if (make_room(question, &list, question->access_count, &question->access_allocated, sizeof(*access))) {
		question->access = list;
		question->access[question->access_count++] = *access;
	}
}

static void answer_audit(const struct question *question, const struct wire_audit_done *done)
{
	struct audit_report report = {
		.hold = question->hold,
		.hold_count = question->hold_count,
		.access = question->access,
		.access_count = question->access_count,
		.compared = done->compared,
	};

	if (question->answer.audit)
		question->answer.audit(question->context, question->error ? question->error : done->error, &report);
}

/* The question that a message belongs to, and where it stands in the list; or NULL. */
static struct question **find(struct requests *requests, enum wire_type type, uint64_t id)
{
	for (struct question **link = &requests->first; *link; link = &(*link)->next)
		if ((*link)->type == type && (*link)->id == id)
			return link;
	return NULL;
}

/* Takes a question out whose answer came; the caller frees it. NULL: nobody asked. */
static struct question *take(struct requests *requests, enum wire_type type, uint64_t id)
{
	struct question **link = find(requests, type, id), *question = link ? *link : NULL;

	if (question)
		*link = question->next;
	return question;
}

static void hear_finding(struct requests *requests, const union wire_message *message)
{
	struct question **link = find(requests, WIRE_AUDIT, message->header.id);

	if (!link)
		return;
	if (message->header.type == WIRE_HOLD)
		found_hold(*link, &message->hold.hold);
	else
		found_access(*link, &message->node_access.access);
}

bool requests_hear(struct requests *requests, const union wire_message *message)
{
	uint64_t id = message->header.id;
	struct question *question = NULL;

	switch (message->header.type) {
	case WIRE_HOLD:
	case WIRE_NODE_ACCESS:
		hear_finding(requests, message);
		return true;
	case WIRE_AUDIT_DONE:
		question = take(requests, WIRE_AUDIT, id);
		if (question)
			answer_audit(question, &message->audit_done);
		break;
	case WIRE_RECORDED:
		question = take(requests, WIRE_RECORD, id);
		if (question && question->answer.record)
			question->answer.record(question->context, message->recorded.error);
		break;
	case WIRE_STOPPED:
		question = take(requests, WIRE_STOP, id);
		if (question && question->answer.stop)
			question->answer.stop(question->context, &message->stopped);
		break;
	default:
		return false;
	}
	if (question)
		question_free(question);
	return true;
}
