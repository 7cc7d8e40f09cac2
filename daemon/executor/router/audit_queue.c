#include "audit_queue.h"

#include "../../base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Records that may wait for the recorder. */
enum { RECORDS_MAX = 4096 };

struct recorded {
	struct recorded *next;      // recording::first
	union wire_message *message; /* of the size in its header */
};

static void recorded_free(struct recorded *recorded)
{
	free(recorded->message);
	free(recorded);
}

static void answer(struct recording *recording, uint64_t id, int error)
{
	union wire_message message;

	message.recorded = (struct wire_recorded){ .error = error };
	wire_stamp(&message, WIRE_RECORDED, id);
	outbox_send(&recording->crew->outbox, &message, NULL);
}

static struct recorded *take_first(struct recording *recording)
{
	struct recorded *recorded = recording->first;

	recording->first = recorded->next;
	if (!recording->first)
		recording->last = NULL;
	recording->count--;
	if (recording->sent > 0)
		recording->sent--;
	return recorded;
}

/* The recorder is gone: what it had may be written or not. A new one is started with the next record. */
static void lose(struct recording *recording)
{
	log_error("the recorder [%d] has ended unexpectedly: %zu records may be missing in the audit log",
		  recording->worker.pid, recording->count);
	worker_kill(&recording->worker);
	while (recording->first) {
		struct recorded *recorded = take_first(recording);

		answer(recording, recorded->message->header.id, EIO);
		recorded_free(recorded);
	}
	recording->sent = 0;
}

/* Sends what the socket takes. */
static void feed(struct recording *recording)
{
	struct recorded *next = recording->first;

	for (size_t i = 0; next && i < recording->sent; i++)
		next = next->next;
	for (; next; next = next->next) {
		int error = wire_send(recording->worker.socket, next->message, NULL, 0);

		if (error == -EAGAIN)
			return;
		if (error < 0) {
			lose(recording);
			return;
		}
		recording->sent++;
	}
}

void recording_start(struct recording *recording, struct crew *crew, const struct deeds *deeds)
{
	*recording = (struct recording){ .crew = crew, .deeds = deeds, .worker = { .socket = -1 } };
}

/* False: there is no recorder, and none can be started, or one ended just now, as the next would. */
static bool has_worker(struct recording *recording)
{
	if (recording->worker.socket >= 0)
		return true;
	if (recording->worker.started > 0 && worker_is_young(&recording->worker))
		return false;
	return crew_start(recording->crew, &recording->worker, WORKER_RECORDER) == 0;
}

static bool enqueue(struct recording *recording, const struct wire_record *record)
{
	struct recorded *recorded = recording->count < RECORDS_MAX ? calloc(1, sizeof(*recorded)) : NULL;

	if (recorded)
		recorded->message = malloc(record->header.size);
	if (!recorded || !recorded->message) {
		free(recorded);
		return false;
	}
	memcpy(recorded->message, record, record->header.size);
	recorded->message->record.proof = deeds_prove(recording->deeds, &record->record);
	if (recording->last)
		recording->last->next = recorded;
	else
		recording->first = recorded;
	recording->last = recorded;
	recording->count++;
	return true;
}

void recording_ask(struct recording *recording, const struct wire_record *record)
{
	/* Nobody is to stand in the log for what another user's claim was. */
	if (!given_may_be_of(recording->crew->given.ledger, record->record.claim, record->record.uid))
		answer(recording, record->header.id, EPERM);
	else if (!has_worker(recording))
		answer(recording, record->header.id, EIO);
	else if (!enqueue(recording, record))
		answer(recording, record->header.id, ENOBUFS);
	else
		feed(recording);
}

void recording_readable(struct recording *recording)
{
	while (recording->worker.socket >= 0 && outbox_is_empty(&recording->crew->outbox)) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		struct recorded *recorded;
		int got = wire_receive(recording->worker.socket, &message, &fds);

		if (got == -EAGAIN)
			break;
		if (got > 0 && message.header.type == WIRE_TOPOLOGY_DONE && !recording->worker.ready) {
			recording->worker.ready = true;
			continue;
		}
		if (got <= 0 || message.header.type != WIRE_RECORDED || recording->sent == 0 ||
		    recording->first->message->header.id != message.header.id) {
			lose(recording);
			return;
		}
		recorded = take_first(recording);
		recorded_free(recorded);
		outbox_send(&recording->crew->outbox, &message, NULL);
	}
	if (recording->worker.socket >= 0)
		feed(recording);
}

void recording_writable(struct recording *recording)
{
	feed(recording);
}

bool recording_wants_to_write(const struct recording *recording)
{
	return recording->sent < recording->count;
}

bool recording_is_idle(const struct recording *recording)
{
	return recording->count == 0;
}

void recording_end(struct recording *recording)
{
	while (recording->first)
		recorded_free(take_first(recording));
	worker_end(&recording->worker);
}
