#include "coverage.h"

#include <string.h>

const struct use *coverage_blocking_use(const struct uses *uses, const char *device, bool consent)
{
	const struct use *worst = consent ? NULL : uses_worst(uses, device, SEVERITY_DISRUPTIVE);

	for (size_t i = 0; !worst && i < uses->count; i++)
		if (uses->use[i].kind == USE_HOLDER && strcmp(uses->use[i].device, device) == 0)
			worst = &uses->use[i];
	return worst;
}

bool coverage_consents(const struct rule *rule, const char *device)
{
	return rule->take_in_use && text_list_names(&rule->device.address, device);
}

bool coverage_is_stuck_on_driver(const struct device *device)
{
	return device->driver_fixed && device->driver[0];
}

bool coverage_lacks_reset(const struct rule *rule, const struct device *device)
{
	return rule->reset == RESET_REQUIRE && device->reset_methods == 0;
}

enum cover coverage_of_member(const struct policy *policy, const struct rule *rule, const struct uses *uses,
			      const struct device *member, const struct use **use)
{
	bool named = rule->lockout == LOCKOUT_NAMED && text_list_names(&rule->lockout_named, member->name);

	*use = NULL;
	if (policy_never(policy, member))
		return COVER_NEVER;
	if (rule->lockout != LOCKOUT_UNUSED && !named)
		return COVER_NOT_ALLOWED;
	*use = coverage_blocking_use(uses, member->name, named && rule->take_in_use);
	if (*use)
		return COVER_IN_USE;
	/* A member on a VFIO driver stays there: nothing has to be put back. */
	if (!device_is_on_vfio(member) && coverage_is_stuck_on_driver(member))
		return COVER_NOT_RESTORABLE;
	return COVER_GIVEN;
}

static bool ids_within(const uint32_t *id, size_t count, const uint32_t *all, size_t all_count)
{
	for (size_t i = 0; i < count; i++) {
		size_t k = 0;

		while (k < all_count && all[k] != id[i])
			k++;
		if (k == all_count)
			return false;
	}
	return true;
}

/* True if the first certainly matches every subject that the second matches; false where that is not plain to see. */
static bool takes_all_subjects(const struct subject_selector *first, const struct subject_selector *second)
{
	if (first->any)
		return true;
	if (second->any)
		return false;
	if (first->uid_count > 0 &&
	    (second->uid_count == 0 || !ids_within(second->uid, second->uid_count, first->uid, first->uid_count)))
		return false;
	if (first->gid_count > 0 &&
	    (second->gid_count == 0 || !ids_within(second->gid, second->gid_count, first->gid, first->gid_count)))
		return false;
	if (first->unit.count > 0 && second->unit.count == 0)
		return false;
	for (size_t i = 0; first->unit.count > 0 && i < second->unit.count; i++) {
		size_t k = 0;

		while (k < first->unit.count && strcmp(first->unit.item[k], second->unit.item[i]) != 0)
			k++;
		if (k == first->unit.count)
			return false;
	}
	return first->uid_count + first->gid_count + first->unit.count > 0;
}

bool coverage_rule_reaches(const struct policy *policy, size_t index, const struct device *device)
{
	const struct rule *rule = &policy->rule[index];

	if (rule->effect != RULE_ALLOW || !device_selector_matches(policy, &rule->device, device))
		return false;
	for (size_t i = 0; i < index; i++)
		if (takes_all_subjects(&policy->rule[i].subject, &rule->subject) &&
		    device_selector_matches(policy, &policy->rule[i].device, device))
			return false;
	return true;
}
