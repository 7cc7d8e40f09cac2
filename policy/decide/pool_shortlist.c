#include "pool_shortlist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Comparisons of one candidate with one rule that a whole shortlist may take: some milliseconds. */
enum { RULES_LOOKED_AT_MAX = 100000 };

/* A device of a pool with what it is ordered by. */
struct candidate {
	const struct device *device;
	bool taken, far;
	size_t lockouts;
};

struct shortlist {
	const struct policy *policy;
	const struct host_view *host;
	const struct request *request;
	int32_t group[GROUP_MEMBERS_MAX]; /* that are counted already */
	size_t group_count, members;
	const char **out;
	size_t count;
	size_t rules_left;
};

static bool group_is_counted(const struct shortlist *list, int32_t group)
{
	for (size_t i = 0; i < list->group_count; i++)
		if (list->group[i] == group)
			return true;
	return false;
}

/* Counts a group's members; false where they would be more than max in all. */
static bool count_group(struct shortlist *list, int32_t group, size_t max)
{
	size_t members = topology_members(list->host->topology, group, NULL, 0);

	if (group < 0)
		members = 1;
	else if (group_is_counted(list, group))
		return true;
	if (list->members + members > max || list->group_count == GROUP_MEMBERS_MAX)
		return false;
	list->members += members;
	if (group >= 0)
		list->group[list->group_count++] = group;
	return true;
}

static bool is_claimed(const struct shortlist *list, const struct device *device)
{
	const struct claim *claim = list->request->claim, *owner = NULL;

	if (list->host->ledger)
		owner = ledger_owner(list->host->ledger, device->name, NULL);
	return owner && (!claim || strcmp(owner->id, claim->id) != 0);
}

static int candidate_order(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->taken != right->taken)
		return left->taken ? 1 : -1;
	if (left->lockouts != right->lockouts)
		return left->lockouts < right->lockouts ? -1 : 1;
	if (left->far != right->far)
		return left->far ? 1 : -1;
	return strcmp(left->device->name, right->device->name);
}

/* All devices of a pool in their order, as an array for free(); NULL: out of memory. */
static struct candidate *list_pool(const struct shortlist *list, const struct pool *pool, size_t *count)
{
	const struct topology *topology = list->host->topology;
	int32_t node = list->request->numa_node;
	struct candidate *candidates = malloc((topology_count(topology) + 1) * sizeof *candidates);
	const struct device *device;
	size_t cursor = 0;

	*count = 0;
	while (candidates && (device = topology_each(topology, &cursor))) {
		bool unfit = device_is_bridge(device) || device_lacks_group(device);

		if (!policy_pool_has(list->policy, topology, pool, device))
			continue;
		candidates[(*count)++] = (struct candidate){
			.device = device,
			.taken = unfit || is_claimed(list, device),
			.lockouts = topology_members(topology, device_claimed_group(device), NULL, 0),
			.far = node >= 0 && device->numa_node != node,
		};
	}
	if (candidates)
		qsort(candidates, *count, sizeof *candidates, candidate_order);
	return candidates;
}

/* True if a rule allows it, as far as there is time to see. */
static bool is_allowed(struct shortlist *list, const struct device *device)
{
	const struct rule *rule;

	if (list->rules_left < list->policy->rule_count)
		return false;
	list->rules_left -= list->policy->rule_count;
	rule = policy_rule_for(list->policy, list->host->topology, list->request->subject, device);
	return rule && rule->effect == RULE_ALLOW && !policy_never(list->policy, list->host->topology, device);
}

static void take(struct shortlist *list, struct candidate *candidate, size_t max)
{
	if (list->count == GROUP_MEMBERS_MAX || !count_group(list, device_claimed_group(candidate->device), max))
		return;
	list->out[list->count++] = candidate->device->name;
	candidate->device = NULL;
}

/* Takes candidates of one pool: those that a rule allows, and if they are too few others, for what to say of them. */
static int take_pool(struct shortlist *list, const struct pool *pool, size_t wanted, size_t max)
{
	size_t count, first = list->count, looked_at = 0;
	struct candidate *candidates = list_pool(list, pool, &count);

	if (!candidates)
		return -ENOMEM;
	for (; looked_at < count && list->count - first < wanted + POOL_CANDIDATES_SPARE; looked_at++)
		if (is_allowed(list, candidates[looked_at].device))
			take(list, &candidates[looked_at], max);
	for (size_t i = 0; i < count && list->count - first < wanted; i++)
		if (candidates[i].device)
			take(list, &candidates[i], max);
	free(candidates);
	return 0;
}

/* How often the request names the pool of its entry i; 0 if that is not the first time. */
static size_t count_wanted(const struct request *request, size_t index)
{
	size_t count = 0;

	for (size_t i = 0; i < request->device_count; i++) {
		if (strcmp(request->device[i], request->device[index]) != 0)
			continue;
		if (i < index)
			return 0;
		count++;
	}
	return count;
}

int pool_shortlist(const struct policy *policy, const struct host_view *host, const struct request *request,
		   const char **out)
{
	struct shortlist list = {
		.policy = policy, .host = host, .request = request, .out = out, .rules_left = RULES_LOOKED_AT_MAX
	};
	size_t pools = 0;

	for (size_t i = 0; i < request->device_count; i++) {
		const struct device *device = topology_find(host->topology, request->device[i]);

		if (request_pool(request->device[i]))
			pools += count_wanted(request, i) > 0;
		else if (device)
			count_group(&list, device_claimed_group(device), SIZE_MAX);
	}
	for (size_t i = 0; i < request->device_count; i++) {
		const char *name = request_pool(request->device[i]);
		const struct pool *pool = name ? policy_pool(policy, name) : NULL;
		size_t wanted = name ? count_wanted(request, i) : 0, left;

		if (wanted == 0)
			continue;
		/* Each pool gets its share of what can be surveyed. */
		left = list.members < GROUP_MEMBERS_MAX ? GROUP_MEMBERS_MAX - list.members : 0;
		if (pool && take_pool(&list, pool, wanted, list.members + left / pools) < 0)
			return -ENOMEM;
		pools--;
	}
	return (int)list.count;
}
