#include "stop_requests.h"

#include "../../../policy/check/stop_check.h"
#include "../../../policy/util/text.h"
#include "../../base/log.h"
#include "../../plans/plan_admit.h"
#include "../devices/pci_bridges.h"
#include "policy_snapshot.h"
#include "../os/process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct stop {
	struct stop_requests *requests;
	size_t slot;
	struct wire_stop question;
	int pidfd;            /* -1: of a unit */
	struct worker worker; /* once it may be done */
};

static void answer(struct stop_requests *requests, uint64_t id, enum wire_stop_outcome outcome, int error,
		   const char *text)
{
	union wire_message message;

	memset(&message.stopped, 0, sizeof(message.stopped));
	message.stopped.outcome = outcome;
	message.stopped.error = error;
	text_format(message.stopped.text, sizeof(message.stopped.text), "%s", text);
	wire_stamp(&message, WIRE_STOPPED, id);
	outbox_send(&requests->supervisor->outbox, &message, NULL);
}

static void drop(struct stop *stop)
{
	stop->requests->stop[stop->slot] = NULL;
	worker_end(&stop->worker);
	descriptor_close(&stop->pidfd);
	free(stop);
}

static void conclude(struct stop *stop, enum wire_stop_outcome outcome, int error, const char *text)
{
	if (outcome == WIRE_STOP_REFUSED)
		log_warning("refused a stop: %s", text);
	answer(stop->requests, stop->question.header.id, outcome, error, text);
	drop(stop);
}

/* Gives the stopper its work. */
static void begin(struct stop *stop)
{
	struct stop_requests *requests = stop->requests;
	int error = supervisor_start(requests->supervisor, &stop->worker, WORKER_STOPPER);

	/* Its socket is empty and takes the message whole. */
	if (error == 0)
		error = wire_send(stop->worker.socket, (const union wire_message *)&stop->question, &stop->pidfd,
				  stop->pidfd >= 0 ? 1 : 0);
	if (error < 0)
		conclude(stop, WIRE_STOP_FAILED, -error, "the executor has no free worker, and cannot start one");
}

/* Whether the policy in force lets this be stopped for holding these devices. */
static bool is_covered(const struct stop *stop, const struct found *found, char why[static TEXT_MAX])
{
	struct topology *topology = topology_new();
	struct policy *policy = NULL;
	char name[DEVICE_NAME_MAX];
	bool covered = false;
	int error = topology ? policy_snapshot_load(stop->requests->supervisor->policy, &policy) : -ENOMEM;

	for (size_t i = 0; i < found->device_count && error == 0; i++) {
		error = topology_put(topology, &found->device[i]);
		if (error == 0 && policy->has_parents)
			error = pci_bridges_put(stop->requests->host, topology, &found->device[i], name);
	}
	if (error < 0)
		text_format(why, TEXT_MAX, "cannot read the policy: %s", strerror(-error));
	else
		covered = stop_is_covered(policy, topology, stop->question.rule, (enum revoke_stop)stop->question.what,
					  found->device, found->device_count, why);
	policy_free(policy);
	topology_free(topology);
	return covered;
}

/* Whether the process, or one of the unit, was found to hold a device. */
static bool holds(const struct stop *stop, const struct found *found, char why[static TEXT_MAX])
{
	const struct host *host = stop->requests->host;
	bool process = stop->question.what == REVOKE_STOP_PROCESS;

	for (size_t i = 0; i < found->pid_count; i++) {
		char unit[UNIT_NAME_MAX];

		if (process ? found->pid[i] == stop->question.pid
			    : strcmp(process_unit(host, found->pid[i], false, unit), stop->question.unit) == 0)
			return true;
	}
	if (process)
		text_format(why, TEXT_MAX, "the process [%d] holds none of the devices", stop->question.pid);
	else
		text_format(why, TEXT_MAX, "no process of %s holds any of the devices", stop->question.unit);
	return false;
}

/* True for a process that nobody may stop, whatever it holds, or that is not the one that the pidfd is of. */
static bool is_kept(const struct stop *stop)
{
	return stop->question.what == REVOKE_STOP_PROCESS &&
	       (stop->question.pid == 1 || stop->question.pid == stop->requests->queue->broker ||
		process_of(stop->requests->host, stop->pidfd) != stop->question.pid);
}

static bool may_stop(const struct stop *stop, const struct found *found, char why[static TEXT_MAX])
{
	return plan_admit_stop(&stop->question, stop->requests->supervisor->given.ledger, is_kept(stop),
			       found->device_count, why) &&
	       is_covered(stop, found, why) && holds(stop, found, why);
}

/* True for a process that has ended by itself. */
static bool has_ended(const struct stop *stop)
{
	pid_t pid = stop->pidfd >= 0 ? process_of(stop->requests->host, stop->pidfd) : 0;
	struct pollfd state = { .fd = stop->pidfd, .events = POLLIN };

	return pid == -1 || (pid > 0 && poll(&state, 1, 0) > 0);
}

static void on_found(void *context, const struct found *found, int error)
{
	struct stop *stop = context;
	char why[TEXT_MAX] = "";

	if (has_ended(stop)) {
		conclude(stop, WIRE_STOP_GONE, 0, "");
	} else if (error != 0) {
		text_format(why, sizeof(why), "cannot tell who holds the devices: %s", strerror(error));
		conclude(stop, WIRE_STOP_FAILED, error, why);
	} else if (!may_stop(stop, found, why)) {
		conclude(stop, WIRE_STOP_REFUSED, EPERM, why);
	} else {
		begin(stop);
	}
}

void stop_requests_start(struct stop_requests *requests, struct supervisor *supervisor, struct survey_queue *queue,
			 const struct host *host)
{
	*requests = (struct stop_requests){ .supervisor = supervisor, .queue = queue, .host = host };
}

void stop_requests_ask(struct stop_requests *requests, const struct wire_stop *question, struct descriptors *fds)
{
	bool process = question->what == REVOKE_STOP_PROCESS;
	struct stop *stop = NULL;
	size_t slot = 0;

	while (slot < STOPS_MAX && requests->stop[slot])
		slot++;
	if (fds->count == (process ? 1 : 0) && slot < STOPS_MAX)
		stop = calloc(1, sizeof(*stop));
	if (!stop) {
		answer(requests, question->header.id, WIRE_STOP_FAILED, fds->count > 1 ? EBADMSG : EAGAIN,
		       "too many stops are under way, or the process's pidfd is missing");
		descriptors_close(fds);
		return;
	}
	memcpy(&stop->question, question, question->header.size);
	stop->requests = requests;
	stop->slot = slot;
	stop->pidfd = process ? descriptors_take(fds, 0) : -1;
	stop->worker.socket = -1;
	requests->stop[slot] = stop;
	survey_queue_search(requests->queue, stop->question.device, stop->question.count, on_found, stop);
}

int stop_requests_socket(const struct stop_requests *requests, size_t slot)
{
	return requests->stop[slot] ? requests->stop[slot]->worker.socket : -1;
}

void stop_requests_readable(struct stop_requests *requests, size_t slot)
{
	struct stop *stop = requests->stop[slot];
	autoclose_list struct descriptors fds = { .count = 0 };
	union wire_message message;
	int got = wire_receive(stop->worker.socket, &message, &fds);

	if (got == -EAGAIN)
		return;
	if (got > 0 && message.header.type == WIRE_STOPPED && message.header.id == stop->question.header.id) {
		outbox_send(&requests->supervisor->outbox, &message, NULL);
		drop(stop);
	} else {
		conclude(stop, WIRE_STOP_FAILED, EIO, "the worker ended before it finished: its progress is unknown");
	}
}

void stop_requests_end(struct stop_requests *requests)
{
	for (size_t i = 0; i < STOPS_MAX; i++)
		if (requests->stop[i])
			drop(requests->stop[i]);
}
