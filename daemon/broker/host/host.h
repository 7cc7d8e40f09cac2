/*
 * The host as the broker sees it, all of it through the wire: its devices, its kernel, surveys of its uses, and plans
 * that are run on it. Decides nothing and talks to no client.
 */
#pragma once

#include "requests.h"
#include "plan_runs.h"
#include "surveys.h"

struct host;

struct host_events {
	void (*ready)(void *context);                       /* the first whole topology is there */
	void (*changed)(void *context, const char *device); /* it came, or is not what it was */
	void (*gone)(void *context, const char *device); /* a device was unplugged; it is no longer in the topology */
	void (*policy)(void *context, const struct wire_policy *policy); /* the executor read its policy again */
	void (*lost)(void *context, int error); /* the executor is gone, and nothing can be done any more */
};

/* Takes the socket over on success. 0, -ENOMEM, -errno. */
int host_new(sd_event *event, int socket, struct turns *turns, uint64_t plan_deadline_usec,
	     const struct host_events *events, void *context, struct host **out);
struct host *host_free(struct host *host);
/* From now on nothing is done on the host: host_run() and host_stop() say -EPIPE, and nothing is heard of it any more.
 */
void host_end(struct host *host);

bool host_is_ready(const struct host *host);
const struct topology *host_topology(const struct host *host);
const struct kernel_features *host_kernel(const struct host *host);
const char *host_boot_id(const struct host *host);
/* The digest of the policy that the executor holds. */
uint64_t host_policy_digest(const struct host *host);
/* What the executor refused its policy files for when it started; its error is 0 where it did not. */
const struct wire_refusal *host_policy_refusal(const struct host *host);
/* Asks the executor to read its policy again: host_events.policy tells what came of it. 0, -EPIPE, -ENOMEM. */
int host_reload_policy(struct host *host);

/*
 * Surveys the members of the groups of these devices, those known at least; as surveys_ask(). Devices that are unknown
 * are left out; if none is left the answer comes at once, and is empty. -E2BIG: too many members.
 */
int host_survey(struct host *host, const char *const *device, size_t count, uid_t asker, bool fresh,
		survey_answer answer, void *context);
/* Surveys these devices and no others, at most GROUP_MEMBERS_MAX, never by an older answer; as surveys_ask(). */
int host_survey_only(struct host *host, const char *const *device, size_t count, uid_t asker, survey_answer answer,
		     void *context);
/* As surveys_asks_too_often(). */
bool host_asks_too_often(struct host *host, uid_t asker);
void host_forget_survey(struct host *host, const void *context);
const struct histogram *host_survey_duration(const struct host *host);
const struct run_counts *host_run_count(const struct host *host);
/* As plan_runs_start(). */
int host_run(struct host *host, const struct run_order *order, const struct run_events *events, void *context);

/* As requests_audit(), requests_record() and requests_stop(). */
int host_audit(struct host *host, const struct audit_context *contexts, size_t count, audit_answer answer,
	       void *context);
int host_record(struct host *host, const struct audit_record *record, record_answer answer, void *context);
int host_stop(struct host *host, const struct stop_order *order, stop_answer answer, void *context);
/* Requests made with this context are not answered. */
void host_forget_questions(struct host *host, const void *context);
