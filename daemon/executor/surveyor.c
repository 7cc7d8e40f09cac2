#include "surveyor.h"

#include "../base/log.h"
#include "../base/wire.h"
#include "inspect.h"
#include "survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct surveyor {
	int socket;
	struct host host;
	struct patience *patience;
};

static int tell(const struct surveyor *surveyor, union wire_message *message, enum wire_type type, uint64_t id)
{
	wire_stamp(message, type, id);
	return wire_send(surveyor->socket, message, NULL, 0);
}

/*
 * Reads and tells each device. Those that are there go into device, *count of them. *incomplete: 0 or the positive errno
 * of one that could not be read in full. 0 or -errno of the socket.
 */
static int tell_devices(const struct surveyor *surveyor, const struct wire_survey *survey, struct device *device,
			size_t *count, int *incomplete)
{
	*count = 0;
	for (uint32_t i = 0; i < survey->count; i++) {
		union wire_message message;
		int error = inspect_device(&surveyor->host, survey->device[i], surveyor->patience, &device[*count]);

		if (error == INSPECT_LOCKED)
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
		int found = survey_devices(&surveyor->host, device, count, true, surveyor->patience, &uses);

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

static int serve(const struct surveyor *surveyor)
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
		if (message.header.type != WIRE_SURVEY)
			return -EBADMSG;
		error = answer(surveyor, &message.survey);
		if (error < 0)
			return error;
	}
}

int surveyor_main(int socket)
{
	struct surveyor surveyor = { .socket = socket };
	int error = host_open(&surveyor.host, "");

	if (error == 0) {
		surveyor.patience = patience_new();
		error = surveyor.patience ? serve(&surveyor) : -ENOMEM;
	}
	patience_free(surveyor.patience);
	host_close(&surveyor.host);
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return EXIT_SUCCESS;
	log_error("the surveyor ends: %s", strerror(-error));
	return EXIT_FAILURE;
}
