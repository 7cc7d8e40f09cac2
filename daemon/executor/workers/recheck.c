#include "recheck.h"

#include "../../../policy/check/plan_check.h"
#include "../../../policy/util/text.h"
#include "../../base/peer_subject.h"
#include "../os/host_features.h"
#include "plan_view.h"
#include "../survey/survey.h"

#include <string.h>

/* The plan's ideas of each device against the device: in plainer words than a comparison of steps has. */
static bool is_as_planned(struct plan_view *view, const struct step *step)
{
	const struct device *device = topology_find(view->topology, step->device);

	if (!device)
		return true;
	if (device->identity != step->identity) {
		text_format(view->why, TEXT_MAX, "%s is another device than the one that was planned for",
			    step->device);
		return false;
	}
	if (step->kind == STEP_OVERRIDE && strcmp(device->driver_override, step->before) != 0) {
		text_format(view->why, TEXT_MAX, "the driver_override of %s is %s now, and was %s when it was planned",
			    step->device, device->driver_override[0] ? device->driver_override : "empty",
			    step->before[0] ? step->before : "empty");
		return false;
	}
	if (step->kind == STEP_UNBIND && strcmp(device->driver, step->before) != 0) {
		text_format(view->why, TEXT_MAX, "the driver of %s is %s now, and was %s when it was planned",
			    step->device, device->driver[0] ? device->driver : "none", step->before);
		return false;
	}
	return true;
}

static bool check(struct plan_view *view, const struct policy *policy, const struct plan *plan,
		  const struct plan_owner *owner)
{
	struct uses uses = { 0 };
	struct kernel_features kernel;
	struct host_view host = { .topology = view->topology, .uses = &uses, .kernel = &kernel };
	bool covered = false;
	int error;

	if (!plan_view_look(view, plan) || (policy->has_parents && !plan_view_add_bridges(view)))
		return false;
	for (size_t i = 0; i < plan->count; i++)
		if (!is_as_planned(view, &plan->step[i]))
			return false;
	host_features_read(view->host, &kernel);
	error = survey_devices(view->host, view->device, view->count, false, NULL, &uses);
	if (error < 0)
		text_format(view->why, TEXT_MAX, "what the host does with the devices can't be seen: %s",
			    strerror(-error));
	else
		covered = plan_is_covered(policy, &host, plan, owner, view->why);
	uses_done(&uses);
	return covered;
}

bool recheck_policy(const struct wire_plan_inbox *plan, const struct policy *policy, char why[static TEXT_MAX])
{
	if (plan->policy_digest == policy->digest)
		return true;
	text_format(why, TEXT_MAX,
		    "broker and executor hold different policies: reload both (systemctl reload ioasidd)");
	return false;
}

bool recheck_claim(const struct host *host, const struct policy *policy, const struct plan *plan,
		   const struct wire_enclosure *enclosure, char why[static TEXT_MAX])
{
	struct subject shown;
	bool is_shown = peer_subject_read(enclosure->peer_fd, enclosure->peer, &shown);
	struct plan_view view;
	bool covered = plan_view_begin(&view, host, true, why) && check(&view, policy, plan, &enclosure->owner) &&
		       plan_subject_is_shown(policy, plan, &enclosure->owner, is_shown ? &shown : NULL, why);

	plan_view_done(&view);
	return covered;
}
