#include "admit.h"

#include "deliver.h"
#include "operation.h"
#include "release.h"
#include "../core/rights.h"
#include "unit_asking.h"

#include "../../base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As documented in org.ioasid1.varlink. */
#define PATIENCE_USEC (10 * 1000 * 1000ULL) /* for releases that are in the way, all together */

/* Has the host surveyed for an operation, which goes on with what was found. */
static void ask_host(void *context);

/* The claim that is to grow, if it can grow now; else NULL after an answer. */
static struct claim_runtime *growing_claim(struct operation *operation)
{
	struct claim *claim = ledger_find(operation->registry->ledger, operation->claim);

	if (!claim) {
		requester_answer_kind(operation->requester, ANSWER_NO_CLAIM, NULL, NULL);
		return NULL;
	}
	if (claim->state != CLAIM_HELD || claim_runtime_of(claim)->run != RUNTIME_IDLE ||
	    claim_runtime_of(claim)->offered_to) {
		requester_answer_kind(
			operation->requester, ANSWER_WRONG_STATE, claim,
			"devices can be added only while the claim is held and no other change is under way");
		return NULL;
	}
	return claim_runtime_of(claim);
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
	if (now >= operation->until ||
	    release_wait_add(registry->waits, &operation->waiter, claim, operation->until) < 0)
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
		return release_wait_helps(operation->registry->ledger, request, decision);
	/* A claim that grows has opened the container to its user already. */
	return operation->mode == MODE_NODE && operation->kind == OPERATION_CLAIM
		       ? release_container_of(operation->registry, request->subject->uid)
		       : NULL;
}

/* The host, or this program, does not let be what was asked for; nothing was changed. decision: NULL before there is
 * one. */
static void fail(struct operation *operation, const struct decision *decision, const char *message)
{
	if (operation->kind != OPERATION_PLAN)
		newsroom_tell(&operation->registry->news, &(struct news){ .kind = NEWS_FAILED,
									  .subject = &operation->requester->subject,
									  .decision = decision,
									  .message = message });
	requester_answer_failed(operation->requester, message, NULL);
}

/* Begins what was decided, or says why not. */
static void act(struct operation *operation, struct claim_runtime *growing, const struct decision *decision,
		const struct uses *uses, const struct claim *in_the_way)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;

	if (operation->kind != OPERATION_PLAN && !decision->allowed)
		newsroom_tell(&registry->news, &(struct news){ .kind = NEWS_REFUSED,
							       .subject = &requester->subject,
							       .claim = growing ? growing->claim : NULL,
							       .decision = decision });
	if (operation->kind == OPERATION_PLAN)
		requester_answer(requester, &(struct answer){ .kind = ANSWER_PLAN,
							      .mode = operation->mode,
							      .decision = decision,
							      .uses = uses });
	else if (!decision->allowed)
		requester_answer(requester, &(struct answer){ .kind = ANSWER_REFUSED,
							      .mode = operation->mode,
							      .decision = decision,
							      .uses = uses });
	else if (in_the_way)
		fail(operation, decision,
		     "the access of this user to the VFIO container is still being revoked after the user's last "
		     "claim: try again in a moment");
	else if (registry->policy->digest != host_policy_digest(registry->host))
		fail(operation, decision,
		     "ioasidd and its executor have different policies: reload both (systemctl reload ioasidd)");
	else if (operation->kind == OPERATION_CLAIM)
		deliver_begin_claim(operation, decision);
	else
		deliver_begin_addition(operation, growing, decision);
}

/* True if the operation waits now and is needed on. */
static bool decide_and_act(struct operation *operation, const struct uses *uses)
{
	struct registry *registry = operation->registry;
	struct host_view view = registry_view(registry, uses);
	struct claim_runtime *growing = operation->kind == OPERATION_ADD ? growing_claim(operation) : NULL;
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
	newsroom_tell(&registry->news, &(struct news){ .kind = NEWS_DECIDED,
						       .subject = &operation->subject,
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
		requester_answer_failed(requester,
					error == -E2BIG
						? "the groups of these devices have more members than can be surveyed"
						: "cannot reach the executor; nothing was changed",
					NULL);
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
	if (operation->lease.kind == LEASE_UNIT)
		unit_asking_start(operation, ask_host);
	else
		ask_host(operation);
}

void admit_plan(struct registry *registry, struct requester *requester, const struct question *question,
		const struct subject *subject)
{
	start(OPERATION_PLAN, registry, requester, NULL, question, subject);
}

void admit_new(struct registry *registry, struct requester *requester, const struct question *question)
{
	start(OPERATION_CLAIM, registry, requester, NULL, question, NULL);
}

void admit_add(struct registry *registry, struct requester *requester, struct claim_runtime *runtime,
	       const char *device)
{
	struct question question = { .device = { device }, .count = 1, .mode = runtime->claim->mode, .numa_node = -1 };

	start(OPERATION_ADD, registry, requester, runtime->claim->id, &question, NULL);
}

void admit_abandon(struct registry *registry, struct requester *requester)
{
	if (requester->operation) {
		host_forget_survey(registry->host, requester->operation);
		release_wait_forget(&requester->operation->waiter);
		operation_free(requester->operation);
		requester->operation = NULL;
	}
	if (requester->asking)
		claim_runtime_take_asker(requester->asking);
	if (requester->unacknowledged) {
		if (requester->unacknowledged->claim->state == CLAIM_OFFERED)
			claim_runtime_tell(
				requester->unacknowledged,
				(struct news){
					.kind = NEWS_ENDING,
					.message = "its client disconnected and did not acknowledge its descriptors" });
		deliver_reject(requester->unacknowledged);
	}
}
