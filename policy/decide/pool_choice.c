#include "pool_choice.h"

#include "judge_devices.h"
#include "judge_lockouts.h"
#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A device of a pool, and how it stands beside the devices that the request names. */
struct standing {
	const struct pool *pool; /* that it is a candidate of */
	const struct device *device;
	const struct rule *rule; /* an allow rule, or NULL */
	size_t blockers;
};

struct choice {
	struct judgement *judgement;
	struct standing *standing; /* of the candidates of all pools that were come to so far */
	size_t count, allocated;
	const char *wanted; /* the name of the rule that a device should fall under, or NULL */
};

/* Judges one device beside those that the request names, for how it stands only. */
static void judge_beside(struct choice *choice, struct standing *standing)
{
	const struct judgement *judgement = choice->judgement;
	struct judgement scratch = {
		.policy = judgement->policy,
		.host = judgement->host,
		.request = judgement->request,
		.by_operator = judgement->by_operator,
	};
	struct asked *asked;

	for (size_t i = 0; i < judgement->count; i++)
		if (!judgement->asked[i].pool)
			scratch.asked[scratch.count++] = judgement->asked[i];
	asked = &scratch.asked[scratch.count++];
	*asked = (struct asked){ .name = standing->device->name, .device = standing->device };
	judge_device(&scratch, asked);
	judge_limits(&scratch);
	judge_find_lockouts(&scratch);
	judge_lockouts(&scratch);
	standing->rule = asked->eligible ? asked->rule : NULL;
	standing->blockers = scratch.result.blocker_count;
	if (scratch.error < 0)
		choice->judgement->error = scratch.error;
	free(scratch.found);
	decision_done(&scratch.result);
}

static bool is_asked_for(const struct judgement *judgement, const struct device *device)
{
	for (size_t i = 0; i < judgement->count; i++)
		if (judgement->asked[i].device == device)
			return true;
	return false;
}

static void add_standing(struct choice *choice, const struct pool *pool, const struct device *device)
{
	if (choice->count == choice->allocated) {
		size_t allocated = choice->allocated ? choice->allocated * 2 : 32;
		struct standing *larger = reallocarray(choice->standing, allocated, sizeof *larger);

		if (!larger) {
			choice->judgement->error = -ENOMEM;
			return;
		}
		choice->standing = larger;
		choice->allocated = allocated;
	}
	choice->standing[choice->count] = (struct standing){ .pool = pool, .device = device };
	judge_beside(choice, &choice->standing[choice->count++]);
}

/* Judges all devices of a pool that may be chosen. */
static void judge_pool(struct choice *choice, const struct pool *pool)
{
	const struct judgement *judgement = choice->judgement;
	const struct topology *topology = judgement->host->topology;
	const struct request *request = judgement->request;
	const struct device *device;
	size_t cursor = 0;

	for (size_t i = 0; request->candidate && i < request->candidate_count && !judgement->error; i++) {
		device = topology_find(topology, request->candidate[i]);
		if (device && policy_pool_has(judgement->policy, topology, pool, device))
			add_standing(choice, pool, device);
	}
	while (!request->candidate && !judgement->error && (device = topology_each(topology, &cursor)))
		if (policy_pool_has(judgement->policy, topology, pool, device))
			add_standing(choice, pool, device);
}

/* The members that a device would lock out beside all that is asked for or chosen so far. */
static size_t count_lockouts(const struct judgement *judgement, const struct device *device)
{
	const struct device *members[GROUP_MEMBERS_MAX];
	size_t count =
		topology_members(judgement->host->topology, device_claimed_group(device), members, GROUP_MEMBERS_MAX);
	size_t lockouts = 0;

	if (count > GROUP_MEMBERS_MAX)
		return count;
	for (size_t i = 0; i < count; i++) {
		const struct claim_device *entry;
		bool own;

		if (members[i] == device || device_is_bridge(members[i]) || is_asked_for(judgement, members[i]))
			continue;
		judgement_other_owner(judgement, members[i]->name, &own, &entry);
		lockouts += !own;
	}
	return lockouts;
}

/* What a standing is ordered by, the smallest first, in the order of the header's list. */
struct order {
	size_t key[5];
	const char *name;
};

static struct order order_of(const struct choice *choice, const struct standing *standing)
{
	int32_t node = choice->judgement->request->numa_node;
	bool wanted = !choice->wanted || (standing->rule && strcmp(standing->rule->name, choice->wanted) == 0);

	return (struct order){
		.key = { standing->blockers > 0, !wanted, standing->blockers,
			 count_lockouts(choice->judgement, standing->device),
			 node >= 0 && standing->device->numa_node != node },
		.name = standing->device->name,
	};
}

static bool comes_before(const struct order *a, const struct order *b)
{
	for (size_t i = 0; i < sizeof a->key / sizeof *a->key; i++)
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i];
	return strcmp(a->name, b->name) < 0;
}

/* Takes the best for one asked-for pool. */
static void take_best(struct choice *choice, const struct pool *pool, struct asked *asked)
{
	struct decision *result = &choice->judgement->result;
	const struct standing *best = NULL;
	struct order order = { .name = "" };
	struct chosen *chosen;
	int32_t node = choice->judgement->request->numa_node;
	size_t count = 0, available = 0;

	for (size_t i = 0; i < choice->count; i++) {
		const struct standing *standing = &choice->standing[i];
		struct order other;

		if (standing->pool != pool)
			continue;
		count++;
		available += standing->blockers == 0;
		if (is_asked_for(choice->judgement, standing->device))
			continue;
		other = order_of(choice, standing);
		if (!best || comes_before(&other, &order)) {
			best = standing;
			order = other;
		}
	}
	if (!best)
		return;
	asked->device = best->device;
	asked->name = best->device->name;
	if (!choice->wanted && best->rule)
		choice->wanted = best->rule->name;
	chosen = &result->chosen[result->chosen_count++];
	text_format(chosen->pool, sizeof chosen->pool, "%s", asked->pool);
	text_format(chosen->device, sizeof chosen->device, "%s", best->device->name);
	text_format(chosen->why, sizeof chosen->why,
		    "%zu of the pool's %zu devices checked are available; of %s this one has the fewest lockouts, "
		    "%zu%s, and is the first by address",
		    available, count, available > 0 ? "these" : "all", order.key[3],
		    node < 0       ? ""
		    : order.key[4] ? ", is not on the client's NUMA node"
				   : ", is on the client's NUMA node");
}

/* The rule of the claim, or of the first device that the request names which an allow rule stands for. */
static void find_wanted_rule(struct choice *choice)
{
	const struct judgement *judgement = choice->judgement;

	if (judgement->request->claim)
		choice->wanted = judgement->request->claim->rule;
	for (size_t i = 0; i < judgement->count && !choice->wanted; i++) {
		struct choice named = { .judgement = choice->judgement };
		struct standing standing = { .device = judgement->asked[i].device };

		if (judgement->asked[i].pool || !standing.device)
			continue;
		judge_beside(&named, &standing);
		if (standing.rule)
			choice->wanted = standing.rule->name;
	}
}

void pool_choose(struct judgement *judgement)
{
	struct choice choice = { .judgement = judgement };
	size_t pools = 0;

	for (size_t i = 0; i < judgement->count; i++)
		pools += judgement->asked[i].pool != NULL;
	if (pools == 0)
		return;
	judgement->result.chosen = calloc(pools, sizeof *judgement->result.chosen);
	if (!judgement->result.chosen) {
		judgement->error = -ENOMEM;
		return;
	}
	find_wanted_rule(&choice);
	for (size_t i = 0; i < judgement->count && !judgement->error; i++) {
		struct asked *asked = &judgement->asked[i];
		const struct pool *pool = asked->pool ? policy_pool(judgement->policy, asked->pool) : NULL;
		size_t k = 0;

		if (!pool)
			continue;
		/* Once for each pool. */
		while (k < i && (!judgement->asked[k].pool || strcmp(judgement->asked[k].pool, asked->pool) != 0))
			k++;
		if (k == i)
			judge_pool(&choice, pool);
		take_best(&choice, pool, asked);
	}
	free(choice.standing);
}
