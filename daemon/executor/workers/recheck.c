#include "recheck.h"

#include "../../../policy/util/text.h"
#include "../../base/peer_subject.h"
#include "../../plans/plan_admit.h"
#include "../os/host_features.h"
#include "plan_view.h"
#include "../survey/survey.h"

#include <string.h>

static bool check(struct plan_view *view, const struct policy *policy, const struct plan *plan,
		  const struct plan_owner *owner, const struct subject *shown)
{
	struct uses uses = { 0 };
	struct kernel_features kernel;
	struct host_view host = { .topology = view->topology, .uses = &uses, .kernel = &kernel };
	bool covered = false;
	int error;

	if (!plan_view_look(view, plan) || (policy->has_parents && !plan_view_add_bridges(view)))
		return false;
	if (!plan_admit_devices(view->topology, plan, view->why))
		return false;
	host_features_read(view->host, &kernel);
	error = survey_devices(view->host, view->device, view->count, false, NULL, &uses);
	if (error < 0)
		text_format(view->why, TEXT_MAX, "cannot tell what the host uses the devices for: %s",
			    strerror(-error));
	else
		covered = plan_admit_claim(policy, &host, plan, owner, shown, view->why);
	uses_done(&uses);
	return covered;
}

bool recheck_claim(const struct host *host, const struct policy *policy, const struct plan *plan,
		   const struct wire_enclosure *enclosure, char why[static TEXT_MAX])
{
	struct subject shown;
	bool is_shown = peer_subject_read(enclosure->peer_fd, enclosure->peer, &shown);
	struct plan_view view;
	bool covered = plan_view_begin(&view, host, true, why) &&
		       check(&view, policy, plan, &enclosure->owner, is_shown ? &shown : NULL);

	plan_view_done(&view);
	return covered;
}
