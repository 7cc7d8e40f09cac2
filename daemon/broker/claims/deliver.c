#include "deliver.h"

#include "lease.h"
#include "offering.h"
#include "release.h"
#include "remove_device.h"

#include "../../base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As documented in org.ioasid1.varlink. */
#define ACKNOWLEDGE_USEC (10 * 1000 * 1000ULL)

#define RELEASED_MEANWHILE "the claim was released meanwhile: everything is being put back"
#define CLIENT_GONE "its client has gone: everything is being put back"
#define OUT_OF_DESCRIPTORS "ioasidd is out of file descriptors or memory: everything is being put back"

static int on_unacknowledged(sd_event_source *timer, uint64_t usec, void *context)
{
	struct holding *holding = context;

	holding_tell(holding, (struct news){ .kind = NEWS_ENDING,
					     .message = "its descriptors were not acknowledged in time" });
	delivering_reject(holding);
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
	if (result->outcome == WIRE_OUTCOME_INTERRUPTED) {
		/* Nobody can undo it any more, but a release puts back whatever it left. */
		snprintf(message, sizeof(message), "%s; everything is being put back", why);
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .message = message, .result = result });
		holding_step(holding, CLAIM_EVENT_INTERRUPTED);
		requester_answer_failed(holding_take_asker(holding), message, result);
		releasing_start(holding);
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

static int start_plan(struct holding *holding, const struct decision *decision, const struct run_events *events)
{
	struct registry *registry = holding->registry;
	struct requester *asker = holding->asker;
	struct run_order order = {
		.kind = WIRE_PLAN_CLAIM,
		.plan = &decision->plan,
		.policy_digest = registry->policy->digest,
		.enclosure = {
			.context = holding->context,
			.peer = asker->pidfd >= 0 ? asker->subject.pid : 0,
			.peer_fd = asker->pidfd,
			.owner = { .subject = asker->subject },
		},
	};

	memcpy(order.enclosure.owner.claim, holding->claim->id, sizeof(order.enclosure.owner.claim));
	snprintf(order.enclosure.owner.rule, sizeof(order.enclosure.owner.rule), "%s", decision->device[0].rule->name);
	return host_run(registry->host, &order, events, holding);
}

void delivering_begin_claim(struct operation *operation, const struct decision *decision)
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
		error = start_plan(holding, decision, &claim_events);
	}
	if (error < 0) {
		char message[TEXT_MAX];

		snprintf(message, sizeof(message), "the claim could not be started: %s; nothing was changed",
			 strerror(-error));
		holding_take_asker(holding);
		holding->run = HOLDING_IDLE;
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .message = message });
		/* Where it had no place in the ledger yet, there is nothing to undo. */
		if (claim->state == CLAIM_PREPARING)
			holding_step(holding, CLAIM_EVENT_UNDONE);
		holding_end(holding);
		requester_answer_failed(requester, message, NULL);
	}
}

/* What is in the claim now stays in it. */
static void end_addition(struct holding *holding)
{
	holding->claim->changing[0] = '\0';
	holding->claim->adding = false;
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
		delivering_reject(holding);
		return;
	}
	explain(result, why, sizeof(why));
	if (result->outcome == WIRE_OUTCOME_INTERRUPTED) {
		snprintf(message, sizeof(message), "%s; the device is being taken back", why);
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .device = holding->device, .message = message,
						     .result = result });
		requester_answer_failed(asker, message, result);
		delivering_reject(holding);
		return;
	}
	if (result->outcome == WIRE_OUTCOME_BROKEN) {
		snprintf(message, sizeof(message), "%s; not everything could be put back: release the claim", why);
	} else {
		end_addition(holding);
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

void delivering_begin_addition(struct operation *operation, struct holding *holding, const struct decision *decision)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;
	char message[TEXT_MAX];
	int error;

	memcpy(holding->device, decision->device[0].device, sizeof(holding->device));
	memcpy(holding->claim->changing, holding->device, sizeof(holding->device));
	holding->claim->adding = true;
	error = take_devices(registry, holding->claim, decision);
	if (error == 0)
		error = holding_journal(holding);
	if (error == 0) {
		holding->asker = requester;
		requester->asking = holding;
		holding->run = HOLDING_ADDS;
		holding->asked_usec = operation->since;
		holding_tell(holding, (struct news){ .kind = NEWS_GROWS, .device = holding->device });
		error = start_plan(holding, decision, &addition_events);
	}
	if (error < 0) {
		holding_take_asker(holding);
		holding->run = HOLDING_IDLE;
		end_addition(holding);
		holding_give_back(holding, holding->device);
		holding_journal(holding);
		snprintf(message, sizeof(message), "the addition could not be started: %s; nothing was changed",
			 strerror(-error));
		holding_tell(holding, (struct news){ .kind = NEWS_FAILED, .device = holding->device, .message = message });
		requester_answer_failed(requester, message, NULL);
	}
}

void delivering_acknowledge(struct holding *holding)
{
	holding_end_offer(holding);
	end_addition(holding);
	if (holding->claim->state == CLAIM_OFFERED)
		holding_step(holding, CLAIM_EVENT_ACKNOWLEDGED);
	else
		holding_journal(holding);
}

void delivering_reject(struct holding *holding)
{
	holding_end_offer(holding);
	/* Nobody has refused anything: this program leaves its clients, not they it. */
	if (holding->registry->ending)
		return;
	if (holding->claim->state == CLAIM_HELD && !holding->lease_over) {
		holding->rolls_back = true;
		if (removing_start(holding, holding->device) == 0)
			return;
		holding->rolls_back = false;
	}
	releasing_start(holding);
}
