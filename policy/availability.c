#include "availability.h"

#include "blocker_text.h"
#include "coverage.h"
#include "text.h"

#include <string.h>

const struct use *availability_obstacle(const struct uses *uses, const char *device)
{
	return coverage_blocking_use(uses, device, false);
}

/* What uses a device, as it may be told. */
static void tell(const struct outlook *outlook, const char *member, const struct use *use, struct availability *out)
{
	text_format(out->use, sizeof out->use, "%s%s%s", member, member[0] ? ": " : "", use_told(use, outlook->to_operator));
}

/* What there is against a device by itself, without regard to its group; NULL: nothing. */
static const char *own_obstacle(const struct outlook *outlook, const struct device *device, const struct use **use)
{
	*use = NULL;
	if (device->bridge)
		return "bridge";
	if (device->group < 0 || device->no_iommu)
		return "no-iommu";
	if (!outlook)
		return "unclaimed";
	if (outlook->policy && policy_never(outlook->policy, outlook->topology, device))
		return "never";
	if (!outlook->find(outlook->context, device, use)) {
		*use = NULL;
		return "unclaimed";
	}
	if (!*use)
		return NULL;
	return (*use)->kind == USE_UNKNOWN_DRIVER ? "unknown-use" : "in-use";
}

/* What there is against it because of the other members of its group. */
static const char *group_obstacle(const struct outlook *outlook, const struct device *device, struct availability *out)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(outlook->topology, device->group, member, GROUP_MEMBERS_MAX);
	const char *found = NULL;

	if (count > GROUP_MEMBERS_MAX)
		return "unclaimed";
	for (size_t i = 0; i < count; i++) {
		const struct use *use;
		const char *state = member[i] == device || member[i]->bridge ? NULL : own_obstacle(outlook, member[i], &use);

		if (!state)
			continue;
		if (use) {
			tell(outlook, member[i]->name, use, out);
			return "group-in-use";
		}
		/* Never weighs more than what was not looked at. */
		if (!found || strcmp(state, "never") == 0)
			found = state;
	}
	return found;
}

void availability_of_device(const struct outlook *outlook, const struct device *device, const struct claim *owner,
			    struct availability *out)
{
	const struct use *use;

	out->use[0] = '\0';
	if (owner) {
		out->state = claim_state_to_string(owner->state);
		return;
	}
	out->state = own_obstacle(outlook, device, &use);
	if (use)
		tell(outlook, "", use, out);
	if (!out->state)
		out->state = group_obstacle(outlook, device, out);
	if (!out->state)
		out->state = "free";
}

const char *availability_of_group(const struct outlook *outlook, const struct device *const *member, size_t count,
				  const struct claim *owner)
{
	/* The first of these that one of its devices is in; bridges are no matter, where there is anything else. */
	static const char *const order[] = { "in-use", "unknown-use", "never", "no-iommu", "unclaimed" };
	size_t best = sizeof order / sizeof *order;
	bool bridges = true;

	if (owner)
		return claim_state_to_string(owner->state);
	for (size_t i = 0; i < count; i++) {
		const struct use *use;
		const char *state = own_obstacle(outlook, member[i], &use);

		if (state && strcmp(state, "bridge") == 0)
			continue;
		bridges = false;
		for (size_t k = 0; state && k < best; k++)
			if (strcmp(state, order[k]) == 0)
				best = k;
	}
	if (bridges)
		return "bridge";
	return best < sizeof order / sizeof *order ? order[best] : "free";
}
