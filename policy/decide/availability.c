#include "availability.h"

#include "refusal_text.h"
#include "../rules/coverage.h"
#include "../util/text.h"

const struct use *availability_obstacle(const struct uses *uses, const char *device)
{
	return coverage_blocking_use(uses, device, false);
}

/* What uses a device, as it may be told. */
static void tell(const struct outlook *outlook, const char *member, const struct use *use, struct availability *out)
{
	text_format(out->use, sizeof out->use, "%s%s%s", member, member[0] ? ": " : "",
		    use_told(use, outlook->to_operator));
}

/* Of a device by itself, without regard to its group; in use, if *use is something. */
static enum device_availability own_state(const struct outlook *outlook, const struct device *device,
					  const struct use **use)
{
	*use = NULL;
	if (device_is_bridge(device))
		return AVAILABILITY_BRIDGE;
	if (!device_is_isolated(device))
		return AVAILABILITY_NO_IOMMU;
	if (!outlook)
		return AVAILABILITY_UNCLAIMED;
	if (outlook->policy && policy_never(outlook->policy, outlook->topology, device))
		return AVAILABILITY_NEVER;
	if (!outlook->find(outlook->context, device, use)) {
		*use = NULL;
		return AVAILABILITY_UNCLAIMED;
	}
	if (!*use)
		return AVAILABILITY_FREE;
	return (*use)->kind == USE_UNKNOWN_DRIVER ? AVAILABILITY_UNKNOWN_USE : AVAILABILITY_IN_USE;
}

/* Of a device that is free by itself, because of the other members of its group. */
static enum device_availability group_state(const struct outlook *outlook, const struct device *device,
					    struct availability *out)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(outlook->topology, device_claimed_group(device), member, GROUP_MEMBERS_MAX);
	enum device_availability found = AVAILABILITY_FREE;

	if (count > GROUP_MEMBERS_MAX)
		return AVAILABILITY_UNCLAIMED;
	for (size_t i = 0; i < count; i++) {
		const struct use *use;
		enum device_availability state;

		if (member[i] == device || device_is_bridge(member[i]))
			continue;
		state = own_state(outlook, member[i], &use);
		if (use) {
			tell(outlook, member[i]->name, use, out);
			return AVAILABILITY_GROUP_IN_USE;
		}
		/* Never weighs more than what was not looked at. */
		if (found == AVAILABILITY_FREE || state == AVAILABILITY_NEVER)
			found = state;
	}
	return found;
}

void availability_of_device(const struct outlook *outlook, const struct device *device, const struct claim *owner,
			    struct availability *out)
{
	enum device_availability state;
	const struct use *use;

	out->use[0] = '\0';
	if (owner) {
		out->state = claim_state_to_string(owner->state);
		return;
	}
	state = own_state(outlook, device, &use);
	if (use)
		tell(outlook, "", use, out);
	if (state == AVAILABILITY_FREE)
		state = group_state(outlook, device, out);
	out->state = device_availability_to_string(state);
}

const char *availability_of_group(const struct outlook *outlook, const struct device *const *member, size_t count,
				  const struct claim *owner)
{
	enum device_availability first = AVAILABILITY_FREE;
	bool bridges = true;

	if (owner)
		return claim_state_to_string(owner->state);
	for (size_t i = 0; i < count; i++) {
		const struct use *use;
		enum device_availability state = own_state(outlook, member[i], &use);

		/* They are no matter, where there is anything else. */
		if (state == AVAILABILITY_BRIDGE)
			continue;
		bridges = false;
		if (state < first)
			first = state;
	}
	return device_availability_to_string(bridges ? AVAILABILITY_BRIDGE : first);
}
