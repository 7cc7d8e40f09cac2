#include "host.h"

#include "../../../policy/decide/survey_scope.h"
#include "../../base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct host {
	struct executor_link *link;
	struct surveys *surveys;
	struct plan_runs *runs;
	struct requests *requests;
	struct topology *topology;
	struct kernel_features kernel;
	char boot_id[40];
	uint64_t policy_digest;
	struct wire_refusal policy_refusal;
	bool greeted;
	bool ready;
	bool lost;
	const struct host_events *events;
	void *context;
};

static void lose(struct host *host, int error)
{
	if (host->lost)
		return;
	host->lost = true;
	host->events->lost(host->context, error);
}

static void greet(struct host *host, const struct wire_hello *hello)
{
	if (hello->version != WIRE_VERSION) {
		log_error("the executor speaks version %u of the wire, this broker %d: install both from one build",
			  hello->version, WIRE_VERSION);
		lose(host, -EPROTO);
		return;
	}
	host->greeted = true;
	host->kernel = hello->kernel;
	host->policy_digest = hello->policy_digest;
	host->policy_refusal = hello->refusal;
	memcpy(host->boot_id, hello->boot_id, sizeof(host->boot_id));
}

static void put_device(struct host *host, const struct device *device)
{
	const struct device *known = topology_find(host->topology, device->name);
	bool changed = !known || memcmp(known, device, sizeof(*device)) != 0;

	if (topology_put(host->topology, device) < 0) {
		log_error("out of memory: %s is not shown", device->name);
		lose(host, -ENOMEM);
	} else if (host->ready && changed) {
		host->events->changed(host->context, device->name);
	}
}

static void drop_device(struct host *host, const struct wire_device_gone *gone)
{
	if (topology_remove(host->topology, gone->name) && host->ready)
		host->events->gone(host->context, gone->name);
}

static void on_message(void *context, const union wire_message *message, struct descriptors *fds)
{
	struct host *host = context;

	/* It is about to end, and may have missed something: nobody is told that it is ready. */
	if (host->lost)
		return;
	if (!host->greeted && message->header.type != WIRE_HELLO) {
		lose(host, -EPROTO);
		return;
	}
	switch ((enum wire_type)message->header.type) {
	case WIRE_HELLO:
		greet(host, &message->hello);
		break;
	case WIRE_DEVICE:
		if (message->header.id == 0)
			surveys_outdate(host->surveys);
		put_device(host, &message->device.device);
		break;
	case WIRE_DEVICE_GONE:
		surveys_outdate(host->surveys);
		drop_device(host, &message->device_gone);
		break;
	case WIRE_TOPOLOGY_DONE:
		if (!host->ready) {
			host->ready = true;
			host->events->ready(host->context);
		}
		break;
	case WIRE_USE:
		surveys_found(host->surveys, &message->use);
		break;
	case WIRE_SURVEY_DONE:
		surveys_done(host->surveys, &message->survey_done);
		break;
	case WIRE_RESULT:
		surveys_outdate(host->surveys);
		plan_runs_result(host->runs, &message->result, fds);
		break;
	case WIRE_POLICY:
		host->policy_digest = message->policy.policy_digest;
		host->events->policy(host->context, &message->policy);
		break;
	case WIRE_KERNEL:
		host->kernel = message->kernel.kernel;
		break;
	case WIRE_HOLD:
	case WIRE_NODE_ACCESS:
	case WIRE_AUDIT_DONE:
	case WIRE_RECORDED:
	case WIRE_STOPPED:
		requests_hear(host->requests, message);
		break;
	case WIRE_NODE:
	case WIRE_NODE_STEP:
	case WIRE_SURVEY:
	case WIRE_PLAN:
	case WIRE_OVERDUE:
	case WIRE_RELOAD:
	case WIRE_AUDIT:
	case WIRE_RECORD:
	case WIRE_STOP:
	default:
		/* What only a broker says. */
		lose(host, -EPROTO);
		break;
	}
}

static void on_lost(void *context, int error)
{
	lose(context, error);
}

static const struct executor_link_events link_events = { .message = on_message, .lost = on_lost };

int host_new(sd_event *event, int socket, struct turns *turns, uint64_t plan_deadline_usec,
	     const struct host_events *events, void *context, struct host **out)
{
	struct host *host = calloc(1, sizeof(*host));
	int error;

	if (!host)
		return -ENOMEM;
	host->events = events;
	host->context = context;
	host->topology = topology_new();
	error = host->topology ? executor_link_new(event, socket, &link_events, host, &host->link) : -ENOMEM;
	if (error == 0)
		error = surveys_new(event, host->link, turns, &host->surveys);
	if (error == 0)
		error = plan_runs_new(event, host->link, plan_deadline_usec, &host->runs);
	if (error == 0)
		error = requests_new(host->link, &host->requests);
	if (error < 0) {
		host_free(host);
		return error;
	}
	*out = host;
	return 0;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	requests_free(host->requests);
	plan_runs_free(host->runs);
	surveys_free(host->surveys);
	executor_link_free(host->link);
	topology_free(host->topology);
	free(host);
	return NULL;
}

void host_end(struct host *host)
{
	host->lost = true;
}

bool host_is_ready(const struct host *host)
{
	return host->ready;
}

const struct topology *host_topology(const struct host *host)
{
	return host->topology;
}

const struct kernel_features *host_kernel(const struct host *host)
{
	return &host->kernel;
}

const char *host_boot_id(const struct host *host)
{
	return host->boot_id;
}

uint64_t host_policy_digest(const struct host *host)
{
	return host->policy_digest;
}

const struct wire_refusal *host_policy_refusal(const struct host *host)
{
	return &host->policy_refusal;
}

int host_reload_policy(struct host *host)
{
	union wire_message message;

	wire_stamp(&message, WIRE_RELOAD, 0);
	return executor_link_send(host->link, &message, NULL, 0);
}

int host_survey(struct host *host, const char *const *device, size_t count, uid_t asker, bool fresh,
		survey_answer answer, void *context)
{
	const char *name[GROUP_MEMBERS_MAX];
	const struct uses nothing = { 0 };
	int names = survey_scope(host->topology, device, count, name);

	if (names < 0)
		return names;
	if (names == 0) {
		answer(context, 0, &nothing);
		return 0;
	}
	return surveys_ask(host->surveys, name, (size_t)names, asker, fresh, answer, context);
}

int host_survey_only(struct host *host, const char *const *device, size_t count, uid_t asker, survey_answer answer,
		     void *context)
{
	return surveys_ask(host->surveys, device, count, asker, true, answer, context);
}

bool host_asks_too_often(struct host *host, uid_t asker)
{
	return surveys_asks_too_often(host->surveys, asker);
}

void host_forget_survey(struct host *host, const void *context)
{
	surveys_forget(host->surveys, context);
}

const struct histogram *host_survey_duration(const struct host *host)
{
	return surveys_duration(host->surveys);
}

const struct run_counts *host_run_count(const struct host *host)
{
	return plan_runs_count(host->runs);
}

int host_run(struct host *host, const struct run_order *order, const struct run_events *events, void *context)
{
	return host->lost ? -EPIPE : plan_runs_start(host->runs, order, events, context);
}

int host_audit(struct host *host, const struct audit_context *contexts, size_t count, audit_answer answer,
	       void *context)
{
	return requests_audit(host->requests, contexts, count, answer, context);
}

int host_record(struct host *host, const struct audit_record *record, record_answer answer, void *context)
{
	return requests_record(host->requests, record, answer, context);
}

int host_stop(struct host *host, const struct stop_order *order, stop_answer answer, void *context)
{
	return host->lost ? -EPIPE : requests_stop(host->requests, order, answer, context);
}

void host_forget_questions(struct host *host, const void *context)
{
	requests_forget(host->requests, context);
}
