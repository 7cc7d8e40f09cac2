#include "broker_session.h"

#include "audit_parts.h"
#include "stand_in_holders.h"
#include "simulated_kernel.h"
#include "process_stops.h"

#include "../../policy/util/text.h"
#include "../base/log.h"
#include "../base/policy_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	MESSAGES_AT_ONCE = 64,
	QUEUE_MAX = 4096, /* answers that are not taken: no more questions are read then */
	RETRY_MILLISECONDS = 10,
};

/* A message that the socket did not take yet, with FDs of its own. */
struct queued {
	STAILQ_ENTRY(queued) link; // session::queue
	struct descriptors fds;
	union wire_message *message; /* only as long as its size says */
};

struct session {
	struct watch watch;
	struct machine_listener listener;
	struct timer retry;
	struct machine *machine;
	struct runs *runs;
	struct session_order order;
	char **folder;
	size_t folder_count;
	struct policy_in_force policy;
	struct wire_refusal refusal; /* of the files at the start, if its error is not 0 */
	struct wire_plan_inbox inbox;
	struct stops *stops;
	pid_t broker; /* its pid, 0 unknown */
	struct auditing auditing;
	STAILQ_HEAD(, queued) queue;
	size_t queue_length;
	bool reading;
	bool listed; /* all devices were told */
	bool over;
	const struct simulated_device *next_listed; /* the device that is told next */
};

static void queued_free(struct queued *queued)
{
	descriptors_close(&queued->fds);
	free(queued->message);
	free(queued);
}

static void end(struct session *session, int error)
{
	if (session->over)
		return;
	/* That it went without reading everything is its own affair. */
	if (error == -ECONNRESET || error == -EPIPE)
		error = 0;
	session->over = true;
	loop_remove(session->machine->loop, &session->watch);
	session->order.ended(session->order.context, session, error);
}

static void watch_for(struct session *session)
{
	bool waiting = !STAILQ_EMPTY(&session->queue) || !session->listed;

	session->reading = session->queue_length < QUEUE_MAX;
	if (!session->over)
		loop_change(session->machine->loop, &session->watch,
			    (session->reading ? EPOLLIN : 0) | (waiting && !session->retry.on ? EPOLLOUT : 0));
}

/* Puts a message behind those that wait. Takes the FDs over; the list is empty then. */
static void enqueue(struct session *session, const union wire_message *message, struct descriptors *fds)
{
	struct queued *queued = calloc(1, sizeof(*queued));

	if (queued)
		queued->message = malloc(message->header.size);
	if (!queued || !queued->message) {
		free(queued);
		log_error("out of memory: the broker misses an answer, so it is left");
		end(session, -ENOMEM);
		return;
	}
	memcpy(queued->message, message, message->header.size);
	if (fds) {
		queued->fds = *fds;
		fds->count = 0;
	}
	STAILQ_INSERT_TAIL(&session->queue, queued, link);
	session->queue_length++;
	watch_for(session);
}

/* 0: sent; 1: later; the session has ended else. */
static int try_to_send(struct session *session, const union wire_message *message, const struct descriptors *fds)
{
	int error = wire_send(session->watch.fd, message, fds ? fds->fd : NULL, fds ? fds->count : 0);

	if (error == 0)
		return 0;
	/* Too many FDs of this user are in flight: no event tells when there are fewer. */
	if (error == -ETOOMANYREFS)
		loop_set_timer(session->machine->loop, &session->retry, RETRY_MILLISECONDS);
	if (error == -ETOOMANYREFS || error == -EAGAIN)
		return 1;
	end(session, error);
	return error;
}

/* Sends a message, or queues it. Takes the FDs over; the list is empty then. */
static void send_message(struct session *session, const union wire_message *message, struct descriptors *fds)
{
	if (session->over)
		return;
	if (!STAILQ_EMPTY(&session->queue) || try_to_send(session, message, fds) == 1)
		enqueue(session, message, fds);
	else if (fds)
		descriptors_close(fds);
}

static void send_plain(struct session *session, enum wire_type type, uint64_t id)
{
	union wire_message message;

	wire_stamp(&message, type, id);
	send_message(session, &message, NULL);
}

static void send_device(struct session *session, const struct device *device, uint64_t id)
{
	union wire_message message;

	message.device.device = *device;
	wire_stamp(&message, WIRE_DEVICE, id);
	send_message(session, &message, NULL);
}

static void send_gone(struct session *session, const char *name, uint64_t id)
{
	union wire_message message;

	memset(&message.device_gone, 0, sizeof(message.device_gone));
	memcpy(message.device_gone.name, name, strnlen(name, sizeof(message.device_gone.name) - 1));
	wire_stamp(&message, WIRE_DEVICE_GONE, id);
	send_message(session, &message, NULL);
}

static void send_hello(struct session *session)
{
	union wire_message message;

	memset(&message.hello, 0, sizeof(message.hello));
	message.hello.version = WIRE_VERSION;
	message.hello.policy_digest = session->policy.policy->digest;
	message.hello.refusal = session->refusal;
	message.hello.kernel = session->machine->kernel;
	memcpy(message.hello.boot_id, session->machine->boot_id, sizeof(message.hello.boot_id));
	wire_stamp(&message, WIRE_HELLO, 0);
	send_message(session, &message, NULL);
}

/* Tells of devices for as long as the socket takes them: a queue of ten thousand would cost more than the devices. */
static void list_devices(struct session *session)
{
	while (!session->over && !session->listed && STAILQ_EMPTY(&session->queue)) {
		const struct simulated_device *device = session->next_listed;

		if (device) {
			session->next_listed = TAILQ_NEXT(device, link);
			send_device(session, &device->now, 0);
		} else {
			session->listed = true;
			send_plain(session, WIRE_TOPOLOGY_DONE, 0);
		}
	}
}

static void flush(struct session *session)
{
	struct queued *queued;

	while (!session->over && (queued = STAILQ_FIRST(&session->queue))) {
		if (try_to_send(session, queued->message, &queued->fds) != 0)
			break;
		STAILQ_REMOVE_HEAD(&session->queue, link);
		session->queue_length--;
		queued_free(queued);
	}
	list_devices(session);
	watch_for(session);
}

static void on_changed(struct machine_listener *listener, const struct device *device)
{
	struct session *session = (struct session *)((char *)listener - offsetof(struct session, listener));

	send_device(session, device, 0);
}

static void on_gone(struct machine_listener *listener, const struct simulated_device *device)
{
	struct session *session = (struct session *)((char *)listener - offsetof(struct session, listener));

	if (session->next_listed == device)
		session->next_listed = TAILQ_NEXT(device, link);
	send_gone(session, device->now.name, 0);
}

/* Where what a search of the processes finds goes to. */
struct finding {
	const struct device *device;
	struct uses *uses;
};

static int on_holder(void *context, const struct holder *holder)
{
	struct finding *finding = context;
	struct use use = { .kind = USE_HOLDER, .severity = SEVERITY_DISRUPTIVE, .pid = holder->pid };

	memcpy(use.device, finding->device->name, sizeof(use.device));
	text_format(use.text, sizeof(use.text), "%s > %s[%d]", finding->device->vfio_node, holder->name, holder->pid);
	return uses_add(finding->uses, &use);
}

/* Processes that have the device open are uses as well. 0, -ENOMEM. */
static int list_holders(struct simulated_device *device, struct uses *uses)
{
	struct finding finding = { .device = &device->now, .uses = uses };

	return kernel_is_within_reach(device) ? holders_find(device, on_holder, &finding) : 0;
}

static void survey(struct session *session, const struct wire_survey *question)
{
	union wire_message message;
	struct uses uses = { .count = 0 };
	uint64_t id = question->header.id;
	int error = 0;

	for (uint32_t i = 0; i < question->count; i++) {
		struct simulated_device *device = machine_find(session->machine, question->device[i]);

		if (!device) {
			send_gone(session, question->device[i], id);
			continue;
		}
		send_device(session, &device->now, id);
		if (machine_list_uses(device, &uses) < 0 || list_holders(device, &uses) < 0)
			error = ENOMEM;
	}
	for (size_t i = 0; i < uses.count; i++) {
		message.use.use = uses.use[i];
		wire_stamp(&message, WIRE_USE, id);
		send_message(session, &message, NULL);
	}
	uses_done(&uses);
	memset(&message.survey_done, 0, sizeof(message.survey_done));
	message.survey_done.error = error;
	wire_stamp(&message, WIRE_SURVEY_DONE, id);
	send_message(session, &message, NULL);
}

/* Reads the policy; the one in force stays if it has errors, which are logged, and told but for the digest. */
static int load_policy(struct session *session, struct wire_refusal *told)
{
	struct diagnostics diagnostics = { .count = 0 };
	struct policy *policy;
	int error =
		policy_files_load((const char *const *)session->folder, session->folder_count, &diagnostics, &policy);

	policy_files_log(&diagnostics);
	wire_refusal_make(told, error, &diagnostics);
	diagnostics_done(&diagnostics);
	if (error < 0)
		return error;
	policy_free(session->policy.policy);
	session->policy.policy = policy;
	return 0;
}

/* A policy with errors is no reason not to start: it gives nobody anything, and can be read again. */
static int load_first_policy(struct session *session)
{
	struct diagnostics diagnostics = { .count = 0 };
	int error = load_policy(session, &session->refusal);

	if (error != -EINVAL)
		return error;
	log_error("the policy is not valid: until a reload finds a valid one, every claim is refused");
	error = policy_parse(NULL, 0, &(const struct name_resolver){ 0 }, &diagnostics, &session->policy.policy);
	diagnostics_done(&diagnostics);
	return error;
}

static void reload(struct session *session, uint64_t id)
{
	union wire_message message;

	memset(&message.policy, 0, sizeof(message.policy));
	message.policy.error = -load_policy(session, &message.policy.refusal);
	message.policy.policy_digest = session->policy.policy->digest;
	wire_stamp(&message, WIRE_POLICY, id);
	send_message(session, &message, NULL);
}

static void on_result(void *context, const union wire_message *result, struct descriptors *fds)
{
	send_message(context, result, fds);
}

static int take_plan(struct session *session, const struct wire_plan *chunk, struct descriptors *fds)
{
	int complete = wire_plan_inbox_add(&session->inbox, chunk, fds);

	if (complete <= 0)
		return complete;
	return plan_runs_start(session->runs, &session->inbox, &session->policy, on_result, session);
}

static void on_finding(void *context, const union wire_message *message)
{
	send_message(context, message, NULL);
}

static void keep_record(struct session *session, const struct wire_record *question)
{
	union wire_message message;

	/* Nobody is to stand in the log for what another user's claim was. */
	message.recorded = (struct wire_recorded){
		.error = given_may_be_of(session->machine->given, question->record.claim, question->record.uid)
				 ? audit_log_write(&session->machine->audit_log, &question->record)
				 : EPERM,
	};
	wire_stamp(&message, WIRE_RECORDED, question->header.id);
	send_message(session, &message, NULL);
}

static void on_stopped(void *context, const union wire_message *answer)
{
	send_message(context, answer, NULL);
}

static int handle(struct session *session, const union wire_message *message, struct descriptors *fds)
{
	switch ((enum wire_type)message->header.type) {
	case WIRE_SURVEY:
		survey(session, &message->survey);
		return 0;
	case WIRE_PLAN:
		return take_plan(session, &message->plan, fds);
	case WIRE_OVERDUE:
		/* There are no workers to be counted: a plan that is late holds up nobody, and its result will come. */
		return 0;
	case WIRE_RELOAD:
		reload(session, message->header.id);
		return 0;
	case WIRE_AUDIT:
		auditing_hear(&session->auditing, session->broker, &message->audit, on_finding, session);
		return 0;
	case WIRE_RECORD:
		keep_record(session, &message->record);
		return 0;
	case WIRE_STOP:
		stops_begin(session->stops, &message->stop, session->policy.policy, session->broker, fds, on_stopped,
			    session);
		return 0;
	case WIRE_HELLO:
	case WIRE_DEVICE:
	case WIRE_DEVICE_GONE:
	case WIRE_KERNEL:
	case WIRE_NODE:
	case WIRE_NODE_STEP:
	case WIRE_TOPOLOGY_DONE:
	case WIRE_USE:
	case WIRE_SURVEY_DONE:
	case WIRE_RESULT:
	case WIRE_POLICY:
	case WIRE_HOLD:
	case WIRE_NODE_ACCESS:
	case WIRE_AUDIT_DONE:
	case WIRE_RECORDED:
	case WIRE_STOPPED:
		break;
	}
	return -EBADMSG;
}

static void receive(struct session *session)
{
	for (int i = 0; i < MESSAGES_AT_ONCE && session->reading && !session->over; i++) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(session->watch.fd, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got == 1)
			got = handle(session, &message, &fds) < 0 ? -EBADMSG : 1;
		if (got == -EBADMSG)
			log_error("the broker sent what is no message of the wire: the connection is closed");
		if (got <= 0)
			end(session, got);
	}
}

static void on_socket(struct watch *watch, uint32_t events)
{
	/* The watch is the first member. */
	struct session *session = (struct session *)watch;

	if (events & EPOLLOUT)
		flush(session);
	/* A broker that reads no more is gone: what it sent before it went is of no use to anybody. */
	if (!session->over && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		session->reading = session->reading || events & (EPOLLHUP | EPOLLERR);
		receive(session);
	}
	if (!session->over)
		machine_publish(session->machine);
}

static void on_retry(struct timer *timer)
{
	flush((struct session *)((char *)timer - offsetof(struct session, retry)));
}

static int copy_folders(struct session *session, const struct session_order *order)
{
	session->folder = calloc(order->folder_count + 1, sizeof(*session->folder));
	if (!session->folder)
		return -ENOMEM;
	for (size_t i = 0; i < order->folder_count; i++) {
		session->folder[i] = strdup(order->folder[i]);
		if (!session->folder[i])
			return -ENOMEM;
		session->folder_count++;
	}
	return 0;
}

static void session_done(struct session *session)
{
	struct queued *queued;

	while ((queued = STAILQ_FIRST(&session->queue))) {
		STAILQ_REMOVE_HEAD(&session->queue, link);
		queued_free(queued);
	}
	wire_plan_inbox_done(&session->inbox);
	stops_free(session->stops);
	auditing_done(&session->auditing);
	for (size_t i = 0; i < session->folder_count; i++)
		free(session->folder[i]);
	free(session->folder);
	policy_free(session->policy.policy);
	free(session);
}

/* The process at the other end of the wire, as the kernel says; 0: it does not. */
static pid_t broker_of(int wire)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	return getsockopt(wire, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 ? credentials.pid : 0;
}

int session_new(struct machine *machine, struct runs *runs, const struct session_order *order, struct session **out)
{
	struct session *session = calloc(1, sizeof(*session));
	int error;

	if (!session)
		return -ENOMEM;
	session->machine = machine;
	session->runs = runs;
	session->order = *order;
	session->watch = (struct watch){ .fd = order->socket, .ready = on_socket };
	session->auditing.machine = machine;
	session->listener = (struct machine_listener){ .changed = on_changed, .gone = on_gone };
	session->retry.expired = on_retry;
	session->reading = true;
	STAILQ_INIT(&session->queue);
	session->broker = broker_of(order->socket);
	error = copy_folders(session, order);
	if (error == 0)
		error = stops_new(machine, &session->stops);
	if (error == 0)
		error = load_first_policy(session);
	if (error == 0 && fcntl(order->socket, F_SETFL, O_NONBLOCK) < 0)
		error = -errno;
	if (error == 0)
		error = loop_add(machine->loop, &session->watch, EPOLLIN | EPOLLOUT);
	if (error < 0) {
		session_done(session);
		return error;
	}
	/* What has changed before is part of what is told now. */
	machine_publish(machine);
	session->next_listed = TAILQ_FIRST(&machine->devices);
	machine_listen(machine, &session->listener);
	send_hello(session);
	*out = session;
	return 0;
}

struct session *session_free(struct session *session)
{
	if (!session)
		return NULL;
	if (!session->over)
		loop_remove(session->machine->loop, &session->watch);
	loop_clear_timer(session->machine->loop, &session->retry);
	machine_unlisten(session->machine, &session->listener);
	runs_forget(session->runs, session);
	close(session->watch.fd);
	session_done(session);
	return NULL;
}
