#include "surveyor.h"

#include "../../base/log.h"
#include "../../base/wire.h"
#include "../survey/audit.h"
#include "../devices/device_kind.h"
#include "../survey/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct surveyor {
	int socket;
	struct host host;
	struct timed_call *timed_call;
	struct audit_context *context; /* of the audit that is being received in parts */
	size_t context_count;
	uint64_t auditing; /* its id */
};

static int tell(const struct surveyor *surveyor, union wire_message *message, enum wire_type type, uint64_t id)
{
	wire_stamp(message, type, id);
	return wire_send(surveyor->socket, message, NULL, 0);
}

/*
 * Reads and tells each device. Those that are there go into device, *count of them. *incomplete: 0 or the positive
 * errno of one that could not be read in full. 0 or -errno of the socket.
 */
static int tell_devices(const struct surveyor *surveyor, const struct wire_survey *survey, struct device *device,
			size_t *count, int *incomplete)
{
	*count = 0;
	for (uint32_t i = 0; i < survey->count; i++) {
		union wire_message message;
		int error = device_read(&surveyor->host, survey->device[i], surveyor->timed_call, &device[*count]);

		if (error == DEVICE_LOCKED)
			*incomplete = EBUSY;
		if (error >= 0) {
			memset(&message.device, 0, sizeof(message.device));
			message.device.device = device[(*count)++];
			error = tell(surveyor, &message, WIRE_DEVICE, survey->header.id);
		} else {
			if (error != -ENOENT)
				*incomplete = -error;
			memset(&message.device_gone, 0, sizeof(message.device_gone));
			memcpy(message.device_gone.name, survey->device[i], sizeof(message.device_gone.name));
			error = tell(surveyor, &message, WIRE_DEVICE_GONE, survey->header.id);
		}
		if (error < 0)
			return error;
	}
	return 0;
}

/* Answers one survey. 0 or -errno of the socket. */
static int answer(const struct surveyor *surveyor, const struct wire_survey *survey)
{
	struct device *device = calloc(survey->count, sizeof(*device));
	struct uses uses = { 0 };
	union wire_message message;
	size_t count = 0;
	int error = 0, incomplete = device ? 0 : ENOMEM;

	if (device)
		error = tell_devices(surveyor, survey, device, &count, &incomplete);
	if (error == 0 && device) {
		int found = survey_devices(&surveyor->host, device, count, true, surveyor->timed_call, &uses);

		if (found < 0) {
			log_warning("a survey is incomplete: %s", strerror(-found));
			incomplete = -found;
		}
	}
	free(device);
	for (size_t i = 0; i < uses.count && error == 0; i++) {
		memset(&message.use, 0, sizeof(message.use));
		message.use.use = uses.use[i];
		error = tell(surveyor, &message, WIRE_USE, survey->header.id);
	}
	uses_done(&uses);
	if (error == 0) {
		message.survey_done = (struct wire_survey_done){ .error = incomplete };
		error = tell(surveyor, &message, WIRE_SURVEY_DONE, survey->header.id);
	}
	return error;
}

/* Where the findings of an audit go. */
struct telling {
	const struct surveyor *surveyor;
	uint64_t id;
};

static int tell_hold(void *context, const struct hold *hold)
{
	const struct telling *telling = context;
	union wire_message message;

	message.hold.hold = *hold;
	return tell(telling->surveyor, &message, WIRE_HOLD, telling->id);
}

static int tell_access(void *context, const struct node_access *access)
{
	const struct telling *telling = context;
	union wire_message message;

	message.node_access.access = *access;
	return tell(telling->surveyor, &message, WIRE_NODE_ACCESS, telling->id);
}

/* Keeps the contexts of one part. 0, -ENOMEM, or -EIO: a part before it is missing. */
static int keep_contexts(struct surveyor *surveyor, const struct wire_audit *part)
{
	struct audit_context *larger;

	if (part->first == 0) {
		surveyor->auditing = part->header.id;
		surveyor->context_count = 0;
	}
	if (part->header.id != surveyor->auditing || part->first != surveyor->context_count)
		return -EIO;
	larger = reallocarray(surveyor->context, surveyor->context_count + part->count + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	surveyor->context = larger;
	for (uint32_t i = 0; i < part->count; i++) {
		struct audit_context *context = &larger[surveyor->context_count++];

		context->fd = part->context[i].fd;
		memcpy(context->claim, part->context[i].claim, sizeof(context->claim));
	}
	return 0;
}

/* Answers one part of an audit, and the audit with the last. 0 or -errno of the socket. */
static int answer_audit(struct surveyor *surveyor, const struct wire_audit *part)
{
	struct telling telling = { .surveyor = surveyor, .id = part->header.id };
	struct audit audit = { .host = &surveyor->host,
			       .timed_call = surveyor->timed_call,
			       .broker = part->broker,
			       .hold = tell_hold,
			       .access = tell_access,
			       .to = &telling };
	union wire_message message;
	int error = keep_contexts(surveyor, part);

	if (error == 0 && !part->more) {
		audit.context = surveyor->context;
		audit.context_count = surveyor->context_count;
		error = audit_run(&audit);
		if (error == -EPIPE || error == -ECONNRESET)
			return error;
		if (error < 0)
			log_warning("an audit is incomplete: %s", strerror(-error));
	}
	if (!part->more) {
		free(surveyor->context);
		surveyor->context = NULL;
		surveyor->context_count = 0;
	}
	message.audit_done = (struct wire_audit_done){ .error = -error, .compared = audit.compared };
	return tell(surveyor, &message, WIRE_AUDIT_DONE, part->header.id);
}

static int serve(struct surveyor *surveyor)
{
	union wire_message ready;
	int said = tell(surveyor, &ready, WIRE_TOPOLOGY_DONE, 0); /* as a binder does */

	if (said < 0)
		return said;
	for (;;) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int error = wire_receive(surveyor->socket, &message, &fds);

		if (error <= 0)
			return error;
		if (message.header.type == WIRE_SURVEY)
			error = answer(surveyor, &message.survey);
		else if (message.header.type == WIRE_AUDIT)
			error = answer_audit(surveyor, &message.audit);
		else
			return -EBADMSG;
		if (error < 0)
			return error;
	}
}

int surveyor_main(int socket)
{
	struct surveyor surveyor = { .socket = socket };
	int error = host_open(&surveyor.host, "");

	if (error == 0) {
		surveyor.timed_call = timed_call_new();
		error = surveyor.timed_call ? serve(&surveyor) : -ENOMEM;
	}
	free(surveyor.context);
	timed_call_free(surveyor.timed_call);
	host_close(&surveyor.host);
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return EXIT_SUCCESS;
	log_error("the surveyor ends: %s", strerror(-error));
	return EXIT_FAILURE;
}
