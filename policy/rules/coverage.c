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
	return rule->take_in_use && device_selector_names(&rule->device, device);
}

bool coverage_is_stuck_on_driver(const struct device *device)
{
	return device_is_moved(device) ? device->driver_fixed && device->driver[0] : !device_is_on_vfio(device);
}

bool coverage_lacks_reset(const struct rule *rule, const struct device *device)
{
	return rule->reset == RESET_REQUIRE && !device_can_be_reset(device);
}

enum cover coverage_of_member(const struct policy *policy, const struct topology *topology, const struct rule *rule,
			      const struct uses *uses, const struct device *member, const struct use **use)
{
	bool named = rule->lockout == LOCKOUT_NAMED && text_list_names(&rule->lockout_named, member->name);

	*use = NULL;
	if (policy_never(policy, topology, member))
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

/* The narrowest subject that a selector speaks of: one of each list that it has. NULL: it has none of these. */
struct someone {
	const uid_t *uid;
	const gid_t *gid;
	const char *unit;
};

static bool has_id(const uint32_t *ids, size_t count, const uint32_t *id)
{
	for (size_t i = 0; id && i < count; i++)
		if (ids[i] == *id)
			return true;
	return count == 0;
}

/* True if the selector certainly matches everybody who is meant; false where that is not plain to see. */
static bool takes(const struct subject_selector *selector, const struct someone *someone)
{
	bool unit = selector->unit.count == 0;

	if (selector->any)
		return true;
	for (size_t i = 0; someone->unit && i < selector->unit.count; i++)
		unit = unit || strcmp(selector->unit.item[i], someone->unit) == 0;
	return unit && has_id(selector->uid, selector->uid_count, someone->uid) &&
	       has_id(selector->gid, selector->gid_count, someone->gid);
}

/* True if a rule before this one decides over the device for everybody who is meant. */
static bool is_decided_before(const struct policy *policy, const struct topology *topology, size_t index,
			      const struct device *device, const struct someone *someone)
{
	for (size_t i = 0; i < index; i++)
		if (takes(&policy->rule[i].subject, someone) &&
		    device_selector_matches(policy, topology, &policy->rule[i].device, device))
			return true;
	return false;
}

bool coverage_rule_reaches(const struct policy *policy, const struct topology *topology, size_t index,
			   const struct device *device)
{
	const struct rule *rule = &policy->rule[index];
	const struct subject_selector *subject = &rule->subject;
	struct someone someone;

	if (rule->effect != RULE_ALLOW || !device_selector_matches(policy, topology, &rule->device, device))
		return false;
	/* Each list counts once where it is empty: then the rule says nothing about that. */
	for (size_t u = 0; u == 0 || u < subject->uid_count; u++) {
		someone.uid = subject->uid_count > 0 ? &subject->uid[u] : NULL;
		for (size_t g = 0; g == 0 || g < subject->gid_count; g++) {
			someone.gid = subject->gid_count > 0 ? &subject->gid[g] : NULL;
			for (size_t n = 0; n == 0 || n < subject->unit.count; n++) {
				someone.unit = subject->unit.count > 0 ? subject->unit.item[n] : NULL;
				if (!is_decided_before(policy, topology, index, device, &someone))
					return true;
			}
		}
	}
	return false;
}
