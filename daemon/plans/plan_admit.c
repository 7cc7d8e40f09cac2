#include "plan_admit.h"

#include "../../policy/check/stop_check.h"
#include "../../policy/util/text.h"

#include <string.h>

bool plan_admit_policy(uint64_t digest, const struct policy *policy, char why[static TEXT_MAX])
{
	if (digest == policy->digest)
		return true;
	text_format(why, TEXT_MAX,
		    "broker and executor have different policies: reload both (systemctl reload ioasidd)");
	return false;
}

/* The plan's ideas of each device against the device: in plainer words than a comparison of steps has. */
static bool is_as_planned(const struct topology *topology, const struct step *step, char why[static TEXT_MAX])
{
	const struct device *device = topology_find(topology, step->device);

	if (!device) {
		text_format(why, TEXT_MAX, "%s is gone", step->device);
		return false;
	}
	if (device->identity != step->identity) {
		text_format(why, TEXT_MAX, "%s is not the device that was planned for", step->device);
		return false;
	}
	if (step->kind == STEP_OVERRIDE && strcmp(device->driver_override, step->before) != 0) {
		text_format(why, TEXT_MAX, "the driver_override of %s is %s now, and was %s when it was planned",
			    step->device, device->driver_override[0] ? device->driver_override : "empty",
			    step->before[0] ? step->before : "empty");
		return false;
	}
	if (step->kind == STEP_UNBIND && strcmp(device->driver, step->before) != 0) {
		text_format(why, TEXT_MAX, "the driver of %s is %s now, and was %s when it was planned", step->device,
			    device->driver[0] ? device->driver : "none", step->before);
		return false;
	}
	return true;
}

bool plan_admit_devices(const struct topology *topology, const struct plan *plan, char why[static TEXT_MAX])
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].device[0] && !is_as_planned(topology, &plan->step[i], why))
			return false;
	return true;
}

bool plan_admit_claim(const struct policy *policy, const struct host_view *host, const struct plan *plan,
		      const struct plan_owner *owner, const struct subject *shown, char why[static TEXT_MAX])
{
	return plan_is_covered(policy, host, plan, owner, why) &&
	       plan_subject_is_shown(policy, plan, owner, shown, why);
}

bool plan_admit_stop(const struct wire_stop *question, const struct ledger *given, bool kept, size_t found,
		     char why[static TEXT_MAX])
{
	if (question->what == REVOKE_STOP_UNIT && !stop_unit_is_possible(question->unit, why))
		return false;
	if (question->what == REVOKE_STOP_PROCESS && kept)
		text_format(why, TEXT_MAX, "the process [%d] may not be stopped", question->pid);
	else if (found == 0)
		text_format(why, TEXT_MAX, "none of the devices exists");
	else if (!given_by_rule(given, question->device, question->count, question->rule))
		text_format(why, TEXT_MAX, "the devices were not given to one claim by the rule \"%s\"",
			    question->rule);
	else
		return true;
	return false;
}

enum given_end plan_admit_end(enum wire_outcome outcome)
{
	if (outcome == WIRE_OUTCOME_DONE)
		return GIVEN_DONE;
	return outcome == WIRE_OUTCOME_REFUSED || outcome == WIRE_OUTCOME_UNDONE ? GIVEN_UNDONE : GIVEN_OPEN;
}
