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
static void make_plan(struct deciding *deciding)
{
	const struct claim *claim = deciding->request->claim;
	const struct rule *rule = deciding->asked[0].rule;
	struct claim_device *device = calloc(deciding->count + deciding->found_count, sizeof *device);
	size_t count = 0;
	int error;

	if (!device) {
		deciding->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < deciding->count; i++)
		device[count++] = (struct claim_device){ .before = *deciding->asked[i].device };
	for (size_t i = 0; i < deciding->found_count; i++)
		device[count++] = (struct claim_device){ .before = *deciding->found[i].member, .lockout = true };
	/* A claim that grows had its memory granted when it was made. */
	struct delivery delivery = {
		.mode = deciding->request->mode,
		.interface = deciding->result.interface,
		.groups = deciding->host->kernel->vfio_group,
		.uid = deciding->request->subject->uid,
		.grows = claim != NULL,
		.ioas_id = claim ? claim->ioas_id : 0,
		.memlock = claim ? 0 : rule->memlock,
	};

	if (delivery.interface == INTERFACE_GROUP && delivery.mode == MODE_ATTACHED)
		tell_open_groups(claim, &delivery);
	error = plan_for_claim(&deciding->result.plan, device, count, &delivery);
	free(device);
	if (error == -E2BIG)
		say_plan_too_long(deciding_words(deciding_add_blocker(deciding, BLOCKER_GROUP_TOO_LARGE, NULL)), deciding->count,
				  deciding->found_count);
	else if (error < 0)
		deciding->error = error;
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
static void gather(struct deciding *deciding)
{
	const struct request *request = deciding->request;

	for (size_t i = 0; i < request->device_count; i++) {
		struct asked asked = { .name = request->device[i], .pool = request_pool(request->device[i]) };
		size_t k = 0;

		if (!asked.pool)
			asked.device = topology_find(deciding->host->topology, asked.name);
		while (k < deciding->count && (asked.pool || strcmp(deciding->asked[k].name, asked.name) != 0))
			k++;
		if (k == deciding->count)
			deciding->asked[deciding->count++] = asked;
	}
}

/* Who is refused by a policy that is not the one on the disk is told so: the rule he looks for may stand there. */
static void tell_of_policy_files(struct deciding *deciding)
{
	const struct host_view *host = deciding->host;
	struct decision *result = &deciding->result;

	if (host->policies_differ)
		say_policies_differ(deciding_words(deciding_add_blocker(deciding, BLOCKER_POLICY, NULL)));
	for (size_t i = 0; host->policy_fault && i < result->blocker_count; i++)
		if (blocker_kind_to_exit_status(result->blocker[i].kind) == EXIT_REFUSED)
			say_policy_refused(deciding_words(&result->blocker[i]), deciding->by_operator ? host->policy_fault : NULL);
}

static void judge_all(struct deciding *deciding)
{
	struct decision *result = &deciding->result;

	result->device = calloc(deciding->count, sizeof *result->device);
	if (!result->device) {
		deciding->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < deciding->count; i++) {
		struct asked *asked = &deciding->asked[i];
		struct decided_device *device = &result->device[result->device_count++];

		judge_device(deciding, asked);
		text_escape(device->device, sizeof device->device, asked->name,
			    strnlen(asked->name, sizeof device->device));
		device->rule = asked->rule;
	}
	judge_one_rule(deciding);
	judge_limits(deciding);
	judge_find_lockouts(deciding);
	judge_lockouts(deciding);
	judge_kernel(deciding);
	tell_of_policy_files(deciding);
	if (result->blocker_count == 0 && deciding->error == 0)
		make_plan(deciding);
	notes_add(deciding);
	result->allowed = result->blocker_count == 0;
	result->status = worst_status(result);
}

int decide(const struct policy *policy, const struct host_view *host, const struct request *request,
	   struct decision *out)
{
	struct deciding deciding = { .policy = policy, .host = host, .request = request };

	if (request->device_count < 1 || request->device_count > CLAIM_DEVICES_MAX ||
	    (unsigned)request->mode >= DELIVERY_MODE_COUNT)
		return -EINVAL;
	deciding.result.uid = request->subject->uid;
	text_format(deciding.result.unit, sizeof deciding.result.unit, "%s", request->subject->unit);
	deciding.by_operator = request->for_operator || policy_is_operator(policy, request->subject);
	gather(&deciding);
	pool_choose(&deciding);
	judge_all(&deciding);
	free(deciding.found);
	if (deciding.error < 0) {
		decision_done(&deciding.result);
		return deciding.error;
	}
	*out = deciding.result;
	return 0;
}
