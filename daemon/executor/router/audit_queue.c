#include "audit_queue.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Records that may wait for the recorder. */
enum { RECORDS_MAX = 4096 };

struct recorded {
	struct recorded *next;       // audit_queue::first
	union wire_message *message; /* of the size in its header */
};

static void recorded_free(struct recorded *recorded)
{
	free(recorded->message);
	free(recorded);
}

static void answer(struct audit_queue *audit_queue, uint64_t id, int error)
{
	union wire_message message;

	message.recorded = (struct wire_recorded){ .error = error };
	wire_stamp(&message, WIRE_RECORDED, id);
	outbox_send(&audit_queue->supervisor->outbox, &message, NULL);
}

static struct recorded *take_first(struct audit_queue *audit_queue)
{
	struct recorded *recorded = audit_queue->first;

	audit_queue->first = recorded->next;
	if (!audit_queue->first)
		audit_queue->last = NULL;
	audit_queue->count--;
	if (audit_queue->sent > 0)
		audit_queue->sent--;
	return recorded;
}

/* The recorder is gone: what it had may be written or not. A new one is started with the next record. */
static void lose(struct audit_queue *audit_queue)
{
	log_error("the recorder [%d] exited unexpectedly: %zu records may be missing from the audit log",
		  audit_queue->worker.pid, audit_queue->count);
	worker_kill(&audit_queue->worker);
	while (audit_queue->first) {
		struct recorded *recorded = take_first(audit_queue);

		answer(audit_queue, recorded->message->header.id, EIO);
		recorded_free(recorded);
	}
	audit_queue->sent = 0;
}

/* Sends what the socket takes. */
static void feed(struct audit_queue *audit_queue)
{
	struct recorded *next = audit_queue->first;

	for (size_t i = 0; next && i < audit_queue->sent; i++)
		next = next->next;
	for (; next; next = next->next) {
		int error = wire_send(audit_queue->worker.socket, next->message, NULL, 0);

		if (error == -EAGAIN)
			return;
		if (error < 0) {
			lose(audit_queue);
			return;
		}
		audit_queue->sent++;
	}
}

void audit_queue_start(struct audit_queue *audit_queue, struct supervisor *supervisor,
		       const struct done_plans *done_plans)
{
	*audit_queue =
		(struct audit_queue){ .supervisor = supervisor, .done_plans = done_plans, .worker = { .socket = -1 } };
}

/* False: there is no recorder, and none can be started, or one ended just now, as the next would. */
static bool has_worker(struct audit_queue *audit_queue)
{
	if (audit_queue->worker.socket >= 0)
		return true;
	if (audit_queue->worker.started > 0 && worker_is_young(&audit_queue->worker))
		return false;
	return supervisor_start(audit_queue->supervisor, &audit_queue->worker, WORKER_RECORDER) == 0;
}

static bool enqueue(struct audit_queue *audit_queue, const struct wire_record *record)
{
	struct recorded *recorded = audit_queue->count < RECORDS_MAX ? calloc(1, sizeof(*recorded)) : NULL;

	if (recorded)
		recorded->message = malloc(record->header.size);
	if (!recorded || !recorded->message) {
		free(recorded);
		return false;
	}
	memcpy(recorded->message, record, record->header.size);
	recorded->message->record.proof = done_plans_prove(audit_queue->done_plans, &record->record);
	if (audit_queue->last)
		audit_queue->last->next = recorded;
	else
		audit_queue->first = recorded;
	audit_queue->last = recorded;
	audit_queue->count++;
	return true;
}

void audit_queue_ask(struct audit_queue *audit_queue, const struct wire_record *record)
{
	/* Nobody is to stand in the log for what another user's claim was. */
	if (!given_may_be_of(audit_queue->supervisor->given.ledger, record->record.claim, record->record.uid))
		answer(audit_queue, record->header.id, EPERM);
	else if (!has_worker(audit_queue))
		answer(audit_queue, record->header.id, EIO);
	else if (!enqueue(audit_queue, record))
		answer(audit_queue, record->header.id, ENOBUFS);
	else
		feed(audit_queue);
}

void audit_queue_readable(struct audit_queue *audit_queue)
{
	while (audit_queue->worker.socket >= 0 && outbox_is_empty(&audit_queue->supervisor->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		struct recorded *recorded;
		int got = wire_receive(audit_queue->worker.socket, &message, &fds);

		if (got == -EAGAIN)
			break;
		if (got > 0 && message.header.type == WIRE_TOPOLOGY_DONE && !audit_queue->worker.ready) {
			audit_queue->worker.ready = true;
			continue;
		}
		if (got <= 0 || message.header.type != WIRE_RECORDED || audit_queue->sent == 0 ||
		    audit_queue->first->message->header.id != message.header.id) {
			lose(audit_queue);
			return;
		}
		recorded = take_first(audit_queue);
		recorded_free(recorded);
		outbox_send(&audit_queue->supervisor->outbox, &message, NULL);
	}
	if (audit_queue->worker.socket >= 0)
		feed(audit_queue);
}

void audit_queue_writable(struct audit_queue *audit_queue)
{
	feed(audit_queue);
}

bool audit_queue_wants_to_write(const struct audit_queue *audit_queue)
{
	return audit_queue->sent < audit_queue->count;
}

bool audit_queue_is_idle(const struct audit_queue *audit_queue)
{
	return audit_queue->count == 0;
}

void audit_queue_end(struct audit_queue *audit_queue)
{
	while (audit_queue->first)
		recorded_free(take_first(audit_queue));
	worker_end(&audit_queue->worker);
}
