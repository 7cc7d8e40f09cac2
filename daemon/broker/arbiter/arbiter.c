#include "arbiter.h"

#include "take_audit.h"
#include "../claims/deliver.h"
#include "../claims/recover.h"
#include "../claims/release.h"
#include "../claims/remove_device.h"
#include "reload.h"
#include "../claims/resume.h"
#include "../core/rights.h"
#include "take_snapshot.h"
#include "../core/subject_lookup.h"

#include "../../../policy/rules/reserve.h"
#include "../../base/claim_files.h"
#include "../../base/log.h"
#include "../../base/policy_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arbiter {
	struct registry registry;
	struct arbiter_settings settings;
	const struct arbiter_events *events;
	void *context;
	struct reload *reload;
	struct snapshot_request *snapshot_request;
	struct audit_request *audit_request;
	struct device_looks *looks;
};

const struct registry *arbiter_registry(const struct arbiter *arbiter)
{
	return &arbiter->registry;
}

struct device_looks *arbiter_looking(const struct arbiter *arbiter)
{
	return arbiter->looks;
}

bool arbiter_may_see(const struct arbiter *arbiter, const struct requester *requester, const struct claim *claim)
{
	return rights_allow(arbiter->registry.policy, requester, ACT_SEE_CLAIM, claim);
}

bool arbiter_is_operator(const struct arbiter *arbiter, const struct requester *requester)
{
	return rights_is_operator(arbiter->registry.policy, requester);
}

void arbiter_listen(struct arbiter *arbiter, struct news_listener *listener)
{
	newsroom_add(&arbiter->registry.news, listener);
}

void arbiter_unlisten(struct arbiter *arbiter, struct news_listener *listener)
{
	newsroom_remove(&arbiter->registry.news, listener);
}

/* A claim that the requester may do this to, or NULL after an answer that does not tell unknown from foreign. */
static struct claim_runtime *claim_of(struct arbiter *arbiter, struct requester *requester, const char *claim_id,
				      enum act act)
{
	struct claim *claim = ledger_find(arbiter->registry.ledger, claim_id);

	if (claim && rights_allow(arbiter->registry.policy, requester, act, claim))
		return claim_runtime_of(claim);
	requester_answer_kind(requester, ANSWER_NO_CLAIM, NULL, NULL);
	return NULL;
}

/* Why somebody who is no operator may not do this. question: what is asked for, where the act is about that. */
static const char *refusal_of(enum act act, const struct question *question)
{
	switch (act) {
	case ACT_PLAN_FOR:
		return "permission denied: only operators (root, and those named in the policy) may plan for "
		       "another user";
	case ACT_CLAIM_FOR:
		return question->lease == LEASE_UNIT
			       ? "permission denied: only operators (root, and those named in the policy) may bind "
				 "a claim to a unit other than their own"
			       : "permission denied: only operators (root, and those named in the policy) may make "
				 "claims that last until an operator ends them";
	case ACT_REVOKE:
		return "permission denied: only operators (root, and those named in the policy) may revoke claims";
	case ACT_RELOAD:
		return "permission denied: only operators (root, and those named in the policy) may reload the policy";
	case ACT_AUDIT:
		return "permission denied: only operators (root, and those named in the policy) may audit";
	case ACT_SNAPSHOT:
		return "permission denied: only operators (root, and those named in the policy) may take snapshots";
	/* Not for operators alone, or answered by what becomes of a claim. */
	case ACT_LOOK:
	case ACT_WATCH:
	case ACT_PLAN:
	case ACT_CLAIM:
	case ACT_TAKE:
	case ACT_RESUME:
	case ACT_ADD:
	case ACT_REMOVE:
	case ACT_RELEASE:
	case ACT_SEE_CLAIM:
	case ACT_OPEN_QUARANTINE:
	case ACT_COUNT:
		break;
	}
	return NULL;
}

/* True if the requester may do this, which is about no claim; else false after an answer. */
static bool is_allowed(struct arbiter *arbiter, struct requester *requester, enum act act,
		       const struct question *question)
{
	if (rights_allow(arbiter->registry.policy, requester, act, NULL))
		return true;
	requester_answer_kind(requester, ANSWER_NO_OPERATOR, NULL, refusal_of(act, question));
	return false;
}

bool arbiter_allow(struct arbiter *arbiter, struct requester *requester, enum act act, const char *claim_id,
		   const struct question *question)
{
	switch (rights_of(act)) {
	case RIGHT_OWNER:
	case RIGHT_OWNER_OR_OPERATOR:
		return claim_of(arbiter, requester, claim_id, act) != NULL;
	case RIGHT_EVERYBODY:
	case RIGHT_OPERATOR:
		break;
	}
	return is_allowed(arbiter, requester, act, question);
}

/* Only one message of FDs is under way to a client at a time. */
static bool may_be_offered_more(struct requester *requester)
{
	if (!requester->unacknowledged)
		return true;
	requester_answer_kind(requester, ANSWER_UNACKNOWLEDGED, requester->unacknowledged->claim,
			      "acknowledge the descriptors of this claim first (method Acknowledge), or release it");
	return false;
}

void arbiter_plan(struct arbiter *arbiter, struct requester *requester, const struct question *question)
{
	struct subject subject;
	char why[TEXT_MAX];

	if (!question->user && !question->unit) {
		admit_plan(&arbiter->registry, requester, question, NULL);
		return;
	}
	if (!is_allowed(arbiter, requester, ACT_PLAN_FOR, question))
		return;
	if (subject_lookup_find(&requester->subject, question->user, question->unit, &subject, why) < 0)
		requester_answer_failed(requester, why, NULL);
	else
		admit_plan(&arbiter->registry, requester, question, &subject);
}

/* True if the requester may have a claim that lives by this; else false after an answer. */
static bool is_lease_allowed(struct arbiter *arbiter, struct requester *requester, const struct question *question)
{
	const char *unit = requester->subject.unit;

	switch (question->lease) {
	case LEASE_PROCESS:
		if (requester->pidfd >= 0 && requester->pidfd_is_certain)
			return true;
		requester_answer_kind(
			requester, ANSWER_UNSUPPORTED, NULL,
			"the calling process cannot be identified reliably (needs Linux 6.5, and on the bus a bus "
			"that passes it on): use a lease by descriptor or by unit");
		return false;
	case LEASE_UNIT:
		if (question->lease_unit && strcmp(question->lease_unit, unit) != 0)
			return is_allowed(arbiter, requester, ACT_CLAIM_FOR, question);
		if (unit[0])
			return true;
		requester_answer_kind(
			requester, ANSWER_UNSUPPORTED, NULL,
			"the systemd unit of the caller cannot be identified reliably (needs Linux 6.5): name a "
			"unit, or use another lease");
		return false;
	case LEASE_OPERATOR:
		return is_allowed(arbiter, requester, ACT_CLAIM_FOR, question);
	case LEASE_DESCRIPTOR:
	case LEASE_KIND_COUNT:
		break;
	}
	return true;
}

void arbiter_claim(struct arbiter *arbiter, struct requester *requester, const struct question *question)
{
	if (may_be_offered_more(requester) && is_lease_allowed(arbiter, requester, question))
		admit_new(&arbiter->registry, requester, question);
}

void arbiter_acknowledge(struct arbiter *arbiter, struct requester *requester, const char *claim_id)
{
	struct claim_runtime *runtime = claim_of(arbiter, requester, claim_id, ACT_TAKE);

	if (!runtime)
		return;
	if (requester->unacknowledged != runtime) {
		requester_answer_kind(requester, ANSWER_WRONG_STATE, runtime->claim,
				      "this claim has nothing to acknowledge on this connection");
		return;
	}
	deliver_acknowledge(runtime);
	requester_answer_kind(requester, ANSWER_DONE, runtime->claim, NULL);
}

/* True if the claim is held and nothing is done to it; else false after an answer. */
static bool is_quiet(struct requester *requester, struct claim_runtime *runtime)
{
	if (runtime->claim->state == CLAIM_HELD && runtime->run == RUNTIME_IDLE && !runtime->offered_to)
		return true;
	requester_answer_kind(
		requester, ANSWER_WRONG_STATE, runtime->claim,
		runtime->persists
			? "a device that was not acknowledged before a restart is being removed: close every FD of "
			  "it, and remove it"
			: "this works only while the claim is held and no other change is under way");
	return false;
}

void arbiter_add_device(struct arbiter *arbiter, struct requester *requester, const char *claim_id, const char *device)
{
	struct claim_runtime *runtime = claim_of(arbiter, requester, claim_id, ACT_ADD);

	if (!runtime || !may_be_offered_more(requester) || !is_quiet(requester, runtime))
		return;

	const struct claim_device *entry = claim_find_device(runtime->claim, device);

	if (entry && !entry->lockout) {
		requester_answer_kind(requester, ANSWER_WRONG_STATE, runtime->claim,
				      "the claim already has this device");
		return;
	}
	admit_add(&arbiter->registry, requester, runtime, device);
}

void arbiter_remove_device(struct arbiter *arbiter, struct requester *requester, const char *claim_id,
			   const char *device)
{
	struct claim_runtime *runtime = claim_of(arbiter, requester, claim_id, ACT_REMOVE);
	const struct claim_device *entry;
	size_t asked_for = 0;
	int error;

	if (!runtime || remove_device_hasten(runtime, device, requester) || !is_quiet(requester, runtime))
		return;
	entry = claim_find_device(runtime->claim, device);
	for (size_t i = 0; i < runtime->claim->device_count; i++)
		asked_for += !runtime->claim->device[i].lockout;
	if (!entry || entry->lockout || asked_for < 2) {
		requester_answer_kind(requester, ANSWER_WRONG_STATE, runtime->claim,
				      entry && !entry->lockout
					      ? "this is the last device of the claim: release the claim instead"
					      : "the claim does not have this device");
		return;
	}
	runtime->asker = requester;
	requester->asking = runtime;
	error = remove_device_start(runtime, device);
	if (error < 0) {
		claim_runtime_take_asker(runtime);
		requester_answer_failed(requester, "the removal could not be started; nothing was changed", NULL);
	}
}

/* Only the operator opens it: the release is tried once more. False: not this one, after an answer. */
static bool open_quarantine(struct arbiter *arbiter, struct requester *requester, struct claim_runtime *runtime)
{
	if (!rights_allow(arbiter->registry.policy, requester, ACT_OPEN_QUARANTINE, runtime->claim)) {
		requester_answer_kind(requester, ANSWER_WRONG_STATE, runtime->claim, runtime->claim->note);
		return false;
	}
	claim_runtime_step(runtime, CLAIM_EVENT_OPENED);
	return true;
}

void arbiter_release(struct arbiter *arbiter, struct requester *requester, const char *claim_id)
{
	struct claim_runtime *runtime = claim_of(arbiter, requester, claim_id, ACT_RELEASE);

	if (!runtime)
		return;
	if (runtime->claim->state == CLAIM_QUARANTINED) {
		if (!open_quarantine(arbiter, requester, runtime))
			return;
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_ENDING,
							   .subject = &requester->subject,
							   .message = "its quarantine was released" });
	} else if (release_is_overdue(runtime)) {
		requester_answer(requester, &(struct answer){ .kind = ANSWER_RELEASED,
							      .state = runtime->claim->state,
							      .note = runtime->claim->note });
		return;
	}
	requester->awaiting = runtime;
	requester->next_awaiting = runtime->awaiting;
	runtime->awaiting = requester;
	if (!runtime->lease_over)
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_ENDING,
							   .subject = &requester->subject,
							   .message = "its release was requested" });
	if (runtime->claim->state != CLAIM_RELEASING || runtime->run == RUNTIME_IDLE)
		release_start(runtime);
}

void arbiter_resume(struct arbiter *arbiter, struct requester *requester, const char *claim_id)
{
	struct claim_runtime *runtime = claim_of(arbiter, requester, claim_id, ACT_RESUME);

	if (runtime)
		resume_start(runtime, requester);
}

void arbiter_revoke(struct arbiter *arbiter, struct requester *requester, const char *claim_id, uint64_t grace_usec,
		    const char *reason, bool unbind)
{
	struct claim_runtime *runtime;

	if (!is_allowed(arbiter, requester, ACT_REVOKE, NULL))
		return;
	runtime = claim_of(arbiter, requester, claim_id, ACT_REVOKE);
	if (!runtime || (runtime->claim->state == CLAIM_QUARANTINED && !open_quarantine(arbiter, requester, runtime)))
		return;
	if (unbind)
		release_waive_proof(runtime);
	if (revoke_start(runtime, grace_usec, reason, &requester->subject) < 0)
		requester_answer_failed(requester, "the revocation could not be recorded; nothing was changed", NULL);
	else
		requester_answer_kind(requester, ANSWER_DONE, NULL, NULL);
}

void arbiter_leave(struct arbiter *arbiter, struct requester *requester)
{
	if (requester->awaiting) {
		struct requester **link = &requester->awaiting->awaiting;

		while (*link != requester)
			link = &(*link)->next_awaiting;
		*link = requester->next_awaiting;
		requester->awaiting = NULL;
	}
	reload_abandon(arbiter->reload, requester);
	take_snapshot_abandon(arbiter->snapshot_request, requester);
	take_audit_abandon(arbiter->audit_request, requester);
	admit_abandon(&arbiter->registry, requester);
}

static void warn_of_reserved(void *context, const struct device *device, const char *message)
{
	struct arbiter *arbiter = context;

	newsroom_tell(&arbiter->registry.news,
		      &(struct news){ .kind = NEWS_NOT_READY, .device = device->name, .message = message });
}

static void on_ready(void *context)
{
	struct arbiter *arbiter = context;
	bool refused = arbiter->registry.standing.broker.usec > 0;
	int error;

	if (host_policy_refusal(arbiter->registry.host)->error != 0)
		policy_standing_refuse_executor(&arbiter->registry.standing, true,
						host_policy_refusal(arbiter->registry.host));
	newsroom_tell(&arbiter->registry.news,
		      &(struct news){ .kind = NEWS_POLICY,
				      .success = !refused,
				      .message = refused ? "the policy files have errors" : NULL,
				      .policy = arbiter->registry.policy });
	error = recover_run(&arbiter->registry);
	if (registry_policies_differ(&arbiter->registry))
		log_error(
			"ioasidd and its executor have different policies: claims are refused until both are reloaded");
	reserve_verify(arbiter->registry.policy, host_topology(arbiter->registry.host), arbiter->registry.ledger,
		       warn_of_reserved, arbiter);
	/* It was lost meanwhile: nobody is told to come. */
	if (!arbiter->registry.ending)
		arbiter->events->ready(arbiter->context, error);
}

static void on_changed(void *context, const char *device)
{
	struct arbiter *arbiter = context;

	device_looks_outdate(arbiter->looks, device);
	newsroom_tell(&arbiter->registry.news, &(struct news){ .kind = NEWS_DEVICE, .device = device });
}

static void on_gone(void *context, const char *device)
{
	struct arbiter *arbiter = context;
	struct claim *claim = ledger_owner(arbiter->registry.ledger, device, NULL);

	device_looks_outdate(arbiter->looks, device);
	newsroom_tell(&arbiter->registry.news,
		      &(struct news){ .kind = NEWS_DEVICE_GONE, .device = device, .claim = claim });
	if (!claim)
		return;
	if (claim->state == CLAIM_HELD || claim->state == CLAIM_OFFERED) {
		snprintf(claim->note, sizeof(claim->note), "%s was unplugged", device);
		claim_runtime_step(claim_runtime_of(claim), CLAIM_EVENT_UNPLUGGED);
	}
}

static void on_lost(void *context, int error)
{
	struct arbiter *arbiter = context;

	registry_end(&arbiter->registry);
	arbiter->events->lost(arbiter->context, error);
}

static void on_policy(void *context, const struct wire_policy *message)
{
	struct arbiter *arbiter = context;

	reload_answered(arbiter->reload, message);
}

static const struct host_events host_events = {
	.ready = on_ready, .changed = on_changed, .gone = on_gone, .policy = on_policy, .lost = on_lost
};

static int load_policy(struct arbiter *arbiter, struct policy **out)
{
	struct diagnostics diagnostics = { 0 };
	int error = policy_files_load(arbiter->settings.policy_folder, arbiter->settings.policy_folder_count,
				      &diagnostics, out);

	policy_files_log(&diagnostics);
	if (error == -EINVAL)
		policy_standing_refuse(&arbiter->registry.standing, true, &diagnostics);
	diagnostics_done(&diagnostics);
	return error;
}

/*
 * The policy to begin with: one that denies everything, if the files have errors, as the executor begins. Claims that
 * are held must find their broker again after a restart, whatever somebody has written meanwhile.
 */
static int load_first_policy(struct arbiter *arbiter, struct policy **out)
{
	struct diagnostics diagnostics = { 0 };
	int error = load_policy(arbiter, out);

	if (error != -EINVAL)
		return error;
	log_error("the policy is not valid: until a reload finds a valid one, every claim is refused");
	error = policy_parse(NULL, 0, &(const struct name_resolver){ 0 }, &diagnostics, out);
	diagnostics_done(&diagnostics);
	return error;
}

void arbiter_reload(struct arbiter *arbiter)
{
	reload_start(arbiter->reload, NULL);
}

void arbiter_reload_policy(struct arbiter *arbiter, struct requester *requester)
{
	if (is_allowed(arbiter, requester, ACT_RELOAD, NULL))
		reload_start(arbiter->reload, requester);
}

void arbiter_audit(struct arbiter *arbiter, struct requester *requester)
{
	if (is_allowed(arbiter, requester, ACT_AUDIT, NULL))
		take_audit_start(arbiter->audit_request, requester);
}

void arbiter_snapshot(struct arbiter *arbiter, struct requester *requester, bool details)
{
	if (is_allowed(arbiter, requester, ACT_SNAPSHOT, NULL))
		take_snapshot_start(arbiter->snapshot_request, requester, details);
}

int arbiter_new(sd_event *event, int executor, const struct arbiter_settings *settings,
		const struct arbiter_events *events, void *context, struct arbiter **out)
{
	struct arbiter *arbiter = calloc(1, sizeof(*arbiter));
	int error;

	if (!arbiter)
		return -ENOMEM;
	arbiter->settings = *settings;
	arbiter->events = events;
	arbiter->context = context;
	arbiter->registry.event = sd_event_ref(event);
	arbiter->registry.store = settings->store;
	fdstore_set_event(settings->store, event);
	arbiter->registry.claim_files = claim_files_open(settings->runtime_folder);
	arbiter->registry.ledger = ledger_new();
	arbiter->reload = reload_new(&arbiter->registry, settings->policy_folder, settings->policy_folder_count);
	arbiter->snapshot_request = take_snapshot_new(&arbiter->registry);
	arbiter->audit_request = take_audit_new(&arbiter->registry);
	arbiter->looks = device_looks_new(&arbiter->registry);
	error = arbiter->registry.ledger && arbiter->reload && arbiter->snapshot_request && arbiter->audit_request &&
				arbiter->looks
			? 0
			: -ENOMEM;
	if (error == 0 && arbiter->registry.claim_files < 0) {
		error = arbiter->registry.claim_files;
		log_error(error == -EADDRINUSE
				  ? "another ioasidd uses %s/claims: stop it, or use another --runtime-dir: %s"
				  : "cannot open %s/claims: %s",
			  settings->runtime_folder, strerror(-error));
	}
	if (error == 0)
		error = turns_new(event, &arbiter->registry.turns);
	if (error == 0)
		error = release_wait_new(event, arbiter->registry.turns, &arbiter->registry.waits);
	if (error == 0)
		error = units_new(settings->bus, &arbiter->registry.units);
	if (error == 0)
		error = load_first_policy(arbiter, &arbiter->registry.policy);
	if (error == 0)
		error = host_new(event, executor, arbiter->registry.turns, settings->plan_deadline_usec, &host_events,
				 arbiter, &arbiter->registry.host);
	if (error < 0) {
		arbiter_free(arbiter);
		return error;
	}
	*out = arbiter;
	return 0;
}

void arbiter_end(struct arbiter *arbiter)
{
	if (arbiter)
		registry_end(&arbiter->registry);
}

struct arbiter *arbiter_free(struct arbiter *arbiter)
{
	struct claim *claim;

	if (!arbiter)
		return NULL;
	registry_end(&arbiter->registry);
	/* The host first: no plan may report to a holding that is no more. The journal keeps what they hold. */
	arbiter->looks = device_looks_free(arbiter->looks);
	arbiter->registry.host = host_free(arbiter->registry.host);
	while (arbiter->registry.ledger && (claim = ledger_first(arbiter->registry.ledger)))
		claim_runtime_end(claim_runtime_of(claim));
	ledger_free(arbiter->registry.ledger);
	reload_free(arbiter->reload);
	release_wait_free(arbiter->registry.waits);
	turns_free(arbiter->registry.turns);
	units_free(arbiter->registry.units);
	take_snapshot_free(arbiter->snapshot_request);
	take_audit_free(arbiter->audit_request);
	policy_free(arbiter->registry.policy);
	policy_standing_accept(&arbiter->registry.standing);
	descriptor_close(&arbiter->registry.claim_files);
	sd_event_unref(arbiter->registry.event);
	free(arbiter);
	return NULL;
}
