#include "decide.h"

#include "judge_devices.h"
#include "judge_kernel.h"
#include "judge_lockouts.h"
#include "notes.h"
#include "pool_choice.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The groups that the client has open already, where devices are opened by their groups. */
static void tell_open_groups(const struct claim *claim, struct delivery *delivery)
{
	for (size_t i = 0; claim && i < claim->device_count; i++) {
		const struct claim_device *device = &claim->device[i];
		bool told = false;

		for (size_t k = 0; k < delivery->group_count; k++)
			told = told || delivery->group[k] == device->before.group;
		if (!device->lockout && !told && delivery->group_count < CLAIM_DEVICES_MAX)
			delivery->group[delivery->group_count++] = device->before.group;
	}
}

/* The steps of a claim that nothing stands against. */
static void make_plan(struct judgement *judgement)
{
	const struct claim *claim = judgement->request->claim;
	const struct rule *rule = judgement->asked[0].rule;
	struct claim_device *device = calloc(judgement->count + judgement->found_count, sizeof *device);
	size_t count = 0;
	int error;

	if (!device) {
		judgement->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < judgement->count; i++)
		device[count++] = (struct claim_device){ .before = *judgement->asked[i].device };
	for (size_t i = 0; i < judgement->found_count; i++)
		device[count++] = (struct claim_device){ .before = *judgement->found[i].member, .lockout = true };
	/* A claim that grows had its memory granted when it was made. */
	struct delivery delivery = {
		.mode = judgement->request->mode,
		.interface = judgement->result.interface,
		.groups = judgement->host->kernel->vfio_group,
		.uid = judgement->request->subject->uid,
		.grows = claim != NULL,
		.ioas_id = claim ? claim->ioas_id : 0,
		.memlock = claim ? 0 : rule->memlock,
	};

	if (delivery.interface == INTERFACE_GROUP && delivery.mode == MODE_ATTACHED)
		tell_open_groups(claim, &delivery);
	error = plan_for_claim(&judgement->result.plan, device, count, &delivery);
	free(device);
	if (error == -E2BIG)
		say_plan_too_long(judgement_words(judgement_add_blocker(judgement, BLOCKER_GROUP_TOO_LARGE, NULL)),
				  judgement->count, judgement->found_count);
	else if (error < 0)
		judgement->error = error;
}

/* Of all blockers the one that counts most: unknown, then policy, then busy, then what can't be. */
static enum exit_status worst_status(const struct decision *decision)
{
	static const enum exit_status order[] = { EXIT_UNKNOWN, EXIT_REFUSED, EXIT_BUSY };

	if (decision->blocker_count == 0)
		return EXIT_DONE;
	for (size_t k = 0; k < sizeof order / sizeof *order; k++)
		for (size_t i = 0; i < decision->blocker_count; i++)
			if (blocker_kind_to_exit_status(decision->blocker[i].kind) == order[k])
				return order[k];
	return EXIT_UNSUPPORTED;
}

/* Takes over what the request names: each device once, a pool as often as it is named. */
static void gather(struct judgement *judgement)
{
	const struct request *request = judgement->request;

	for (size_t i = 0; i < request->device_count; i++) {
		struct asked asked = { .name = request->device[i], .pool = request_pool(request->device[i]) };
		size_t k = 0;

		if (!asked.pool)
			asked.device = topology_find(judgement->host->topology, asked.name);
		while (k < judgement->count && (asked.pool || strcmp(judgement->asked[k].name, asked.name) != 0))
			k++;
		if (k == judgement->count)
			judgement->asked[judgement->count++] = asked;
	}
}

/* Who is refused by a policy that is not the one on the disk is told so: the rule he looks for may stand there. */
static void tell_of_policy_files(struct judgement *judgement)
{
	const struct host_view *host = judgement->host;
	struct decision *result = &judgement->result;

	if (host->policies_differ)
		say_policies_differ(judgement_words(judgement_add_blocker(judgement, BLOCKER_POLICY, NULL)));
	for (size_t i = 0; host->policy_fault && i < result->blocker_count; i++)
		if (blocker_kind_to_exit_status(result->blocker[i].kind) == EXIT_REFUSED)
			say_policy_refused(judgement_words(&result->blocker[i]),
					   judgement->by_operator ? host->policy_fault : NULL);
}

static void judge_all(struct judgement *judgement)
{
	struct decision *result = &judgement->result;

	result->device = calloc(judgement->count, sizeof *result->device);
	if (!result->device) {
		judgement->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < judgement->count; i++) {
		struct asked *asked = &judgement->asked[i];
		struct decided_device *device = &result->device[result->device_count++];

		judge_device(judgement, asked);
		text_escape(device->device, sizeof device->device, asked->name,
			    strnlen(asked->name, sizeof device->device));
		device->rule = asked->rule;
	}
	judge_one_rule(judgement);
	judge_limits(judgement);
	judge_find_lockouts(judgement);
	judge_lockouts(judgement);
	judge_kernel(judgement);
	tell_of_policy_files(judgement);
	if (result->blocker_count == 0 && judgement->error == 0)
		make_plan(judgement);
	notes_add(judgement);
	result->allowed = result->blocker_count == 0;
	result->status = worst_status(result);
}

int decide(const struct policy *policy, const struct host_view *host, const struct request *request,
	   struct decision *out)
{
	struct judgement judgement = { .policy = policy, .host = host, .request = request };

	if (request->device_count < 1 || request->device_count > CLAIM_DEVICES_MAX ||
	    (unsigned)request->mode >= DELIVERY_MODE_COUNT)
		return -EINVAL;
	judgement.result.uid = request->subject->uid;
	text_format(judgement.result.unit, sizeof judgement.result.unit, "%s", request->subject->unit);
	judgement.by_operator = request->for_operator || policy_is_operator(policy, request->subject);
	gather(&judgement);
	pool_choose(&judgement);
	judge_all(&judgement);
	free(judgement.found);
	if (judgement.error < 0) {
		decision_done(&judgement.result);
		return judgement.error;
	}
	*out = judgement.result;
	return 0;
}
