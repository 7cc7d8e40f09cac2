#include "claiming.h"

#include "lease.h"
#include "offering.h"
#include "operation.h"
#include "releasing.h"
#include "rights.h"
#include "unit_asking.h"

#include "../base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* As documented in org.ioasid1.varlink. */
#define ACKNOWLEDGE_USEC (10 * 1000 * 1000ULL)
#define PATIENCE_USEC (10 * 1000 * 1000ULL) /* for releases that are in the way, all together */

#define RELEASED_MEANWHILE "the claim was released meanwhile: everything is being put back"
#define CLIENT_GONE "its client has gone: everything is being put back"
#define OUT_OF_DESCRIPTORS "ioasidd is out of file descriptors or memory: everything is being put back"

/* Has the host surveyed for an operation, which goes on with what was found. */
static void ask_host(void *context);

static bool is_growing(const struct claim *claim)
{
	return claim->state == CLAIM_HELD;
}

static int on_unacknowledged(sd_event_source *timer, uint64_t usec, void *context)
{
	struct holding *holding = context;

	holding_tell(holding, (struct news){ .kind = NEWS_ENDING,
					     .message = "its descriptors were not acknowledged in time" });
	claiming_reject(holding);
	return 0;
}

/* device: that was added; NULL: the claim is new. */
static void offer_to(struct holding *holding, struct requester *asker, const char *device, struct offer *offer)
{
	struct answer answer = { .kind = ANSWER_OFFER, .claim = holding->claim, .offer = offer,
				 .mode = holding->claim->mode };

	holding->offered_to = asker;
	asker->unacknowledged = holding;
	holding_tell(holding, (struct news){ .kind = NEWS_OFFERED, .device = device, .subject = &asker->subject,
					     .usec = clock_usec(CLOCK_MONOTONIC) - holding->asked_usec });
	requester_answer(asker, &answer);
	offer_close(offer);
}

/* Begins the lease and the clock for the acknowledgement. 0 with the client's end of it, or -errno. */
static int make_lease(struct holding *holding, const struct requester *asker, int *client)
{
	int error = lease_begin(holding, asker->pidfd, client);

	if (error == 0)
		error = holding_arm(holding, ACKNOWLEDGE_USEC, on_unacknowledged);
	if (error < 0)
		descriptor_close(client);
	return error;
}

/* The host is ready for a new claim: makes its lease and offers it. Whoever asked and is gone gets nothing. */
static void deliver_claim(struct holding *holding, const struct wire_result *result, struct descriptors *fds)
{
	struct requester *asker = holding_take_asker(holding);
	struct offer offer;
	const char *why;
	int lease = -1;

	if (result->contexts > 0)
		holding->context = descriptors_take(fds, 0);
	holding->claim->ioas_id = result->ioas_id;
	holding->run = HOLDING_IDLE;
	holding_step(holding, CLAIM_EVENT_DONE);
	if (asker && !holding->lease_over && make_lease(holding, asker, &lease) == 0) {
		offer_make(holding, result, fds, lease, false, &offer);
		if (offer.context >= 0 || holding->context < 0) {
			offer_to(holding, asker, NULL, &offer);
			return;
		}
		offer_close(&offer);
	}
	/* The device FDs must be gone before the devices can be proven free. */
	descriptors_close(fds);
	why = holding->lease_over ? RELEASED_MEANWHILE : asker ? OUT_OF_DESCRIPTORS : CLIENT_GONE;
	holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .message = why });
	requester_answer_failed(asker, why, NULL);
	releasing_start(holding);
}

/* One sentence for a plan that the host did not let us finish. */
static void explain(const struct wire_result *result, char *text, size_t size)
{
	if (result->text[0])
		snprintf(text, size, "%s", result->text);
	else if (result->kind < STEP_KIND_COUNT)
		snprintf(text, size, "%s of %s failed: %s", step_kind_to_string((enum step_kind)result->kind),
			 result->device[0] ? result->device : "the context", strerror(result->error));
	else
		snprintf(text, size, "the executor could not do it: %s", strerror(result->error));
}

static void on_claim_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;
	bool late = holding->overdue;
	char why[TEXT_MAX], message[2 * TEXT_MAX];

	holding->overdue = false;
	if (result->outcome == WIRE_OUTCOME_DONE && !late) {
		deliver_claim(holding, result, fds);
		return;
	}
	holding->run = HOLDING_IDLE;
	explain(result, why, sizeof(why));
	if (result->outcome == WIRE_OUTCOME_DONE) {
		/* Too late: the asker was told that it failed. */
		descriptors_close(fds);
		holding_step(holding, CLAIM_EVENT_DONE);
		releasing_start(holding);
		return;
	}
	if (result->outcome == WIRE_OUTCOME_REFUSED || result->outcome == WIRE_OUTCOME_UNDONE) {
		snprintf(message, sizeof(message), "%s; everything is as it was", why);
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .message = message, .result = result });
		holding_step(holding, CLAIM_EVENT_UNDONE);
		requester_answer_failed(holding_take_asker(holding), message, result);
		if (late) {
			releasing_start(holding); /* proves that it is */
		} else {
			holding_answer_awaiting(holding);
			holding_end(holding);
		}
		return;
	}
	snprintf(message, sizeof(message), "%s; not everything could be put back: an operator has to look", why);
	snprintf(holding->claim->note, TEXT_MAX, "%s", why);
	holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .message = message, .result = result });
	holding_step(holding, CLAIM_EVENT_BROKEN);
	requester_answer_failed(holding_take_asker(holding), message, result);
	holding_answer_awaiting(holding);
}

static void on_claim_overdue(void *context)
{
	struct holding *holding = context;

	releasing_note_overdue(holding);
	requester_answer_failed(holding_take_asker(holding), holding->claim->note, NULL);
}

static const struct run_events claim_events = { .done = on_claim_done, .overdue = on_claim_overdue };

/* What the claim has to have beyond what it has: asked-for devices and lockouts of the decision. */
static int take_devices(struct registry *registry, struct claim *claim, const struct decision *decision)
{
	const struct topology *topology = host_topology(registry->host);
	int error = 0;

	for (size_t i = 0; i < decision->device_count && error == 0; i++) {
		const struct rule *rule = decision->device[i].rule;
		struct claim_device entry = { .reset = rule->reset, .restore = rule->restore };
		struct claim_device *had = claim_find_device(claim, decision->device[i].device);

		if (had) {
			had->lockout = false;
			had->reset = rule->reset;
			continue;
		}
		entry.before = *topology_find(topology, decision->device[i].device);
		error = ledger_take(registry->ledger, claim, &entry);
	}
	for (size_t i = 0; i < decision->lockout_count && error == 0; i++) {
		struct claim_device entry = { .lockout = true, .reset = RESET_SKIP,
					      .restore = decision->device[0].rule->restore };

		entry.before = *topology_find(topology, decision->lockout[i].device);
		error = ledger_take(registry->ledger, claim, &entry);
	}
	return error;
}

static int start_plan(struct holding *holding, const struct decision *decision, const struct run_events *events,
		      uint64_t memlock)
{
	struct registry *registry = holding->registry;
	struct requester *asker = holding->asker;
	struct run_order order = {
		.kind = WIRE_PLAN_CLAIM,
		.plan = &decision->plan,
		.policy_digest = registry->policy->digest,
		.enclosure = {
			.context = holding->context,
			.peer = memlock > 0 && asker->pidfd >= 0 ? asker->subject.pid : 0,
			.peer_uid = asker->subject.uid,
			.peer_fd = asker->pidfd,
		},
	};

	return host_run(registry->host, &order, events, holding);
}

static void begin_claim(struct operation *operation, const struct decision *decision)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;
	const struct rule *rule = decision->device[0].rule;
	struct holding *holding;
	int error = holding_new(registry, &holding);

	if (error < 0) {
		requester_answer_failed(requester, "ioasidd is out of memory; nothing was changed", NULL);
		return;
	}

	struct claim *claim = holding->claim;

	snprintf(claim->rule, sizeof(claim->rule), "%s", rule->name);
	claim->uid = requester->subject.uid;
	claim->gid = requester->subject.gid;
	claim->pid = requester->subject.pid;
	claim->mode = operation->mode;
	claim->lease = operation->lease;
	memcpy(claim->lease_unit, operation->lease_unit, sizeof(claim->lease_unit));
	memcpy(claim->lease_invocation, operation->lease_invocation, sizeof(claim->lease_invocation));
	snprintf(claim->unit, sizeof(claim->unit), "%s", requester->subject.unit);
	claim->interface = decision->interface;
	claim->memlock = rule->memlock;
	claim->since = clock_usec(CLOCK_REALTIME);
	claim->state = CLAIM_ASKED;
	holding->asked_usec = operation->since;
	holding->subject = requester->subject;
	holding->subject_known = true;
	error = take_devices(registry, claim, decision);
	if (error == 0) {
		holding_step(holding, CLAIM_EVENT_PLANNED);
		/* No intent on record, no step on the host. */
		error = holding_step(holding, CLAIM_EVENT_STARTED);
	}
	if (error == 0) {
		holding->asker = requester;
		requester->asking = holding;
		holding->run = HOLDING_CLAIMS;
		error = start_plan(holding, decision, &claim_events, claim->memlock);
	}
	if (error < 0) {
		char message[TEXT_MAX];

		snprintf(message, sizeof(message), "the claim could not be started: %s; nothing was changed",
			 strerror(-error));
		holding_take_asker(holding);
		holding->run = HOLDING_IDLE;
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .message = message });
		holding_step(holding, CLAIM_EVENT_UNDONE);
		holding_end(holding);
		requester_answer_failed(requester, message, NULL);
	}
}

static void on_addition_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct holding *holding = context;
	struct requester *asker = holding_take_asker(holding);
	bool late = holding->overdue;
	char why[TEXT_MAX], message[2 * TEXT_MAX];
	struct offer offer;

	holding->overdue = false;
	if (result->outcome == WIRE_OUTCOME_DONE && asker && !late && !holding->lease_over &&
	    holding_arm(holding, ACKNOWLEDGE_USEC, on_unacknowledged) == 0) {
		holding_journal(holding);
		holding_tell_devices(holding);
		holding->run = HOLDING_IDLE;
		offer_make(holding, result, fds, -1, true, &offer);
		offer_to(holding, asker, holding->device, &offer);
		return;
	}
	holding->run = HOLDING_IDLE;
	if (result->outcome == WIRE_OUTCOME_DONE) {
		const char *reason = holding->lease_over ? RELEASED_MEANWHILE : asker ? OUT_OF_DESCRIPTORS : CLIENT_GONE;

		descriptors_close(fds);
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .device = holding->device, .message = reason });
		requester_answer_failed(asker, reason, NULL);
		claiming_reject(holding);
		return;
	}
	explain(result, why, sizeof(why));
	if (result->outcome == WIRE_OUTCOME_BROKEN) {
		snprintf(message, sizeof(message), "%s; not everything could be put back: release the claim", why);
	} else {
		holding->claim->changing[0] = '\0';
		holding_give_back(holding, holding->device);
		holding_journal(holding);
		snprintf(message, sizeof(message), "%s; the claim is as it was", why);
	}
	holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .device = holding->device, .message = message,
					     .result = result });
	requester_answer_failed(asker, message, result);
	if (holding->lease_over)
		releasing_start(holding);
}

static void on_addition_overdue(void *context)
{
	struct holding *holding = context;

	releasing_note_overdue(holding);
	requester_answer_failed(holding_take_asker(holding), "the addition passed its deadline; it is undone when the "
							      "kernel lets go", NULL);
}

static const struct run_events addition_events = { .done = on_addition_done, .overdue = on_addition_overdue };

static void begin_addition(struct operation *operation, struct holding *holding, const struct decision *decision)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;
	char message[TEXT_MAX];
	int error;

	memcpy(holding->device, decision->device[0].device, sizeof(holding->device));
	memcpy(holding->claim->changing, holding->device, sizeof(holding->device));
	error = take_devices(registry, holding->claim, decision);
	if (error == 0)
		error = holding_journal(holding);
	if (error == 0) {
		holding->asker = requester;
		requester->asking = holding;
		holding->run = HOLDING_ADDS;
		holding->asked_usec = operation->since;
		holding_tell(holding, (struct news){ .kind = NEWS_GROWS, .device = holding->device });
		error = start_plan(holding, decision, &addition_events, 0);
	}
	if (error < 0) {
		holding_take_asker(holding);
		holding->run = HOLDING_IDLE;
		holding->claim->changing[0] = '\0';
		holding_give_back(holding, holding->device);
		holding_journal(holding);
		snprintf(message, sizeof(message), "the addition could not be started: %s; nothing was changed",
			 strerror(-error));
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .device = holding->device, .message = message });
		requester_answer_failed(requester, message, NULL);
	}
}

/* The claim that is to grow, if it can grow now; else NULL after an answer. */
static struct holding *growing_claim(struct operation *operation)
{
	struct claim *claim = ledger_find(operation->registry->ledger, operation->claim);

	if (!claim) {
		requester_answer_kind(operation->requester, ANSWER_NO_CLAIM, NULL, NULL);
		return NULL;
	}
	if (!is_growing(claim) || holding_of(claim)->run != HOLDING_IDLE || holding_of(claim)->offered_to) {
		requester_answer_kind(operation->requester, ANSWER_WRONG_STATE, claim,
				      "devices can be added only while the claim is held and nothing else is done to it");
		return NULL;
	}
	return holding_of(claim);
}

/* True if the operation goes on when this claim is through. False: no more of its time is left. */
static bool wait_for(struct operation *operation, const struct claim *claim)
{
	struct registry *registry = operation->registry;
	uint64_t now;

	if (sd_event_now(registry->event, CLOCK_MONOTONIC, &now) < 0)
		return false;
	if (operation->until == 0)
		operation->until = now + PATIENCE_USEC;
	if (now >= operation->until || waiting_add(registry->waiting, &operation->waiter, claim, operation->until) < 0)
		return false;
	operation->requester->operation = operation;
	return true;
}

/* The claim that an operation of this outcome has to wait for, or NULL. */
static const struct claim *claim_in_the_way(const struct operation *operation, const struct request *request,
					    const struct decision *decision)
{
	if (operation->kind == OPERATION_PLAN)
		return NULL;
	if (!decision->allowed)
		return waiting_helps(operation->registry->ledger, request, decision);
	/* A claim that grows has opened the container to its user already. */
	return operation->mode == MODE_NODE && operation->kind == OPERATION_CLAIM
		       ? releasing_container_of(operation->registry, request->subject->uid)
		       : NULL;
}

/* The host, or this program, does not let be what was asked for; nothing was changed. decision: NULL before there is one. */
static void fail(struct operation *operation, const struct decision *decision, const char *message)
{
	if (operation->kind != OPERATION_PLAN)
		newsroom_tell(&operation->registry->news,
			      &(struct news){ .kind = NEWS_FAILED, .subject = &operation->requester->subject,
					      .decision = decision, .message = message });
	requester_answer_failed(operation->requester, message, NULL);
}

/* Begins what was decided, or says why not. */
static void act(struct operation *operation, struct holding *growing, const struct decision *decision,
		const struct uses *uses, const struct claim *in_the_way)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;

	if (operation->kind != OPERATION_PLAN && !decision->allowed)
		newsroom_tell(&registry->news, &(struct news){ .kind = NEWS_REFUSED, .subject = &requester->subject,
							       .claim = growing ? growing->claim : NULL,
							       .decision = decision });
	if (operation->kind == OPERATION_PLAN)
		requester_answer(requester, &(struct answer){ .kind = ANSWER_PLAN, .mode = operation->mode,
							      .decision = decision, .uses = uses });
	else if (!decision->allowed)
		requester_answer(requester, &(struct answer){ .kind = ANSWER_REFUSED, .mode = operation->mode,
							      .decision = decision, .uses = uses });
	else if (in_the_way)
		fail(operation, decision, "the VFIO container is just being closed to this user, whose last claim ended, "
					  "and that takes longer than it should: try again in a moment");
	else if (registry->policy->digest != host_policy_digest(registry->host))
		fail(operation, decision, "ioasidd and its executor hold different policies: reload both "
					  "(systemctl reload ioasidd)");
	else if (operation->kind == OPERATION_CLAIM)
		begin_claim(operation, decision);
	else
		begin_addition(operation, growing, decision);
}

/* True if the operation waits now and is needed on. */
static bool decide_and_act(struct operation *operation, const struct uses *uses)
{
	struct registry *registry = operation->registry;
	struct host_view view = registry_view(registry, uses);
	struct holding *growing = operation->kind == OPERATION_ADD ? growing_claim(operation) : NULL;
	const char *text[CLAIM_DEVICES_MAX + GROUP_MEMBERS_MAX];
	struct request request = operation_request(operation, text);
	const struct claim *in_the_way;
	struct decision decision;
	uint64_t begin;
	bool waits;

	if (operation->kind == OPERATION_ADD && !growing)
		return false;
	request.claim = growing ? growing->claim : NULL;
	begin = clock_usec(CLOCK_MONOTONIC);
	if (decide(registry->policy, &view, &request, &decision) < 0) {
		fail(operation, NULL, "ioasidd is out of memory; nothing was changed");
		return false;
	}
	newsroom_tell(&registry->news, &(struct news){ .kind = NEWS_DECIDED, .subject = &operation->subject,
						       .decision = &decision,
						       .usec = clock_usec(CLOCK_MONOTONIC) - begin });
	in_the_way = claim_in_the_way(operation, &request, &decision);
	waits = in_the_way && wait_for(operation, in_the_way);
	if (!waits)
		act(operation, growing, &decision, uses, in_the_way);
	decision_done(&decision);
	return waits;
}

static void on_survey(void *context, int error, const struct uses *uses)
{
	struct operation *operation = context;
	struct requester *requester = operation->requester;
	struct uses redacted = { 0 };
	char message[TEXT_MAX];
	bool waits = false;

	requester->operation = NULL;
	if (error != 0) {
		snprintf(message, sizeof(message), "the host could not be surveyed: %s; nothing was changed",
			 strerror(error));
		fail(operation, NULL, message);
	} else if (rights_is_operator(operation->registry->policy, requester)) {
		waits = decide_and_act(operation, uses);
	} else if (registry_redact_uses(uses, &redacted) == 0) {
		waits = decide_and_act(operation, &redacted);
		uses_done(&redacted);
	} else {
		fail(operation, NULL, "ioasidd is out of memory; nothing was changed");
	}
	if (!waits)
		operation_free(operation);
}

static void ask_host(void *context)
{
	struct operation *operation = context;
	struct requester *requester = operation->requester;
	const char *text[CLAIM_DEVICES_MAX + GROUP_MEMBERS_MAX];
	struct request request = operation_request(operation, text);
	int error;

	requester->operation = operation;
	/* Of a pool the candidates are looked at in its place. */
	error = host_survey(operation->registry->host, text, request.device_count + request.candidate_count,
			    requester->subject.uid, operation->kind != OPERATION_PLAN, on_survey, operation);
	if (error < 0) {
		requester->operation = NULL;
		operation_free(operation);
		requester_answer_failed(requester, error == -E2BIG
						   ? "the groups of these devices have more members than can be surveyed"
						   : "the executor can't be asked; nothing was changed", NULL);
	}
}

static void start(enum operation_kind kind, struct registry *registry, struct requester *requester, const char *claim,
		  const struct question *question, const struct subject *subject)
{
	struct operation *operation = operation_new(kind, registry, requester, question, subject);

	if (!operation) {
		requester_answer_failed(requester, "ioasidd is out of memory; nothing was changed", NULL);
		return;
	}
	operation->waiter.go_on = ask_host;
	operation->waiter.context = operation;
	if (claim)
		snprintf(operation->claim, sizeof(operation->claim), "%s", claim);
	if (operation->lease == LEASE_UNIT)
		unit_asking_start(operation, ask_host);
	else
		ask_host(operation);
}

void claiming_plan(struct registry *registry, struct requester *requester, const struct question *question,
		   const struct subject *subject)
{
	start(OPERATION_PLAN, registry, requester, NULL, question, subject);
}

void claiming_claim(struct registry *registry, struct requester *requester, const struct question *question)
{
	start(OPERATION_CLAIM, registry, requester, NULL, question, NULL);
}

void claiming_add(struct registry *registry, struct requester *requester, struct holding *holding, const char *device)
{
	struct question question = { .device = { device }, .count = 1, .mode = holding->claim->mode,
				     .numa_node = -1 };

	start(OPERATION_ADD, registry, requester, holding->claim->id, &question, NULL);
}

void claiming_acknowledge(struct holding *holding)
{
	holding_end_offer(holding);
	holding->claim->changing[0] = '\0';
	if (holding->claim->state == CLAIM_OFFERED)
		holding_step(holding, CLAIM_EVENT_ACKNOWLEDGED);
	else
		holding_journal(holding);
}

void claiming_reject(struct holding *holding)
{
	holding_end_offer(holding);
	if (holding->claim->state == CLAIM_HELD && !holding->lease_over) {
		holding->rolls_back = true;
		if (releasing_remove(holding, holding->device) == 0)
			return;
		holding->rolls_back = false;
	}
	releasing_start(holding);
}

void claiming_abandon(struct registry *registry, struct requester *requester)
{
	if (requester->operation) {
		host_forget_survey(registry->host, requester->operation);
		waiting_forget(&requester->operation->waiter);
		operation_free(requester->operation);
		requester->operation = NULL;
	}
	if (requester->asking)
		holding_take_asker(requester->asking);
	if (requester->unacknowledged) {
		if (requester->unacknowledged->claim->state == CLAIM_OFFERED)
			holding_tell(requester->unacknowledged,
				     (struct news){ .kind = NEWS_ENDING, .message = "its client went away and did not "
										     "acknowledge its descriptors" });
		claiming_reject(requester->unacknowledged);
	}
}
