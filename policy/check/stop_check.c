#include "stop_check.h"

#include "../util/text.h"

#include <string.h>

bool stop_is_covered(const struct policy *policy, const struct topology *topology, const char *rule,
		     enum revoke_stop what, const struct device *device, size_t count, char why[static TEXT_MAX])
{
	const struct rule *found = policy_find_rule(policy, rule);

	if (!found || found->effect != RULE_ALLOW) {
		text_format(why, TEXT_MAX, "the policy has no allow rule \"%s\"", rule);
		return false;
	}
	if (what == REVOKE_STOP_NOTHING || what > found->revoke_stop) {
		text_format(why, TEXT_MAX,
			    "the rule \"%s\" does not allow stopping a %s: its \"revoke\" says \"stop\": \"%s\"", rule,
			    what == REVOKE_STOP_UNIT ? "unit" : "process", revoke_stop_to_string(found->revoke_stop));
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (device_selector_matched_before(policy, topology, &found->device, &device[i]))
			continue;
		text_format(why, TEXT_MAX, "%s is not a device of the rule \"%s\"", device[i].name, rule);
		return false;
	}
	return count > 0;
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length > wanted && strcmp(text + length - wanted, end) == 0;
}

bool stop_unit_is_possible(const char *unit, char why[static TEXT_MAX])
{
	/* Without these there is nobody who could stop anything, or the host is no longer of use. */
	static const char *const kept[] = { "init.scope",
					    "dbus.service",
					    "dbus-broker.service",
					    "systemd-journald.service",
					    "systemd-logind.service",
					    "systemd-udevd.service" };
	bool possible = (ends_in(unit, ".service") || ends_in(unit, ".scope")) && !strchr(unit, '/') &&
			strncmp(unit, "ioasidd", 7) != 0 && strncmp(unit, "ioasid-executor", 15) != 0;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		possible = possible && strcmp(unit, kept[i]) != 0;
	if (!possible)
		text_format(why, TEXT_MAX, "%s is not a service or scope that may be stopped", unit);
	return possible;
}
