#include "recheck.h"

#include "../../policy/release_check.h"
#include "../../policy/text.h"
#include "bridges.h"
#include "host_features.h"
#include "inspect.h"
#include "survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The devices of the plan and all members of their groups, as they are now. */
struct view {
	const struct host *host;
	struct topology *topology;
	struct device *device;
	size_t count;
	size_t allocated;
	char *why;
};

static bool refuse(struct view *view, const char *what, const char *name, int error)
{
	text_format(view->why, TEXT_MAX, "%s %s: %s", name, what, strerror(-error));
	return false;
}

static bool add_device(struct view *view, const char *name)
{
	struct device device;
	int error;

	if (topology_find(view->topology, name))
		return true;
	error = inspect_device(view->host, name, NULL, &device);
	if (error == -ENOENT) {
		text_format(view->why, TEXT_MAX, "%s is not there any more", name);
		return false;
	}
	if (error < 0)
		return refuse(view, "can't be read from sysfs", name, error);
	if (view->count == view->allocated) {
		size_t allocated = view->allocated ? view->allocated * 2 : 16;
		struct device *larger = reallocarray(view->device, allocated, sizeof(*larger));

		if (!larger)
			return refuse(view, "can't be looked at", name, -ENOMEM);
		view->device = larger;
		view->allocated = allocated;
	}
	view->device[view->count] = device;
	error = topology_put(view->topology, &device);
	if (error < 0)
		return refuse(view, "can't be looked at", name, error);
	view->count++;
	return true;
}

/* Adds the members of a group. They are taken from the group's own list, so that none can be missed. */
static bool add_group(struct view *view, int32_t group)
{
	char(*name)[DEVICE_NAME_MAX] = calloc(GROUP_MEMBERS_MAX, sizeof(*name));
	int count = name ? inspect_members(view->host, group, name, GROUP_MEMBERS_MAX) : -ENOMEM;
	bool added = count >= 0;

	if (count < 0)
		text_format(view->why, TEXT_MAX, "the members of the IOMMU group %d can't be listed: %s", group,
			    strerror(-count));
	for (int i = 0; i < count && added; i++)
		added = add_device(view, name[i]);
	free(name);
	return added;
}

static bool look(struct view *view, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].device[0] && !add_device(view, plan->step[i].device))
			return false;
	/* The list grows in the loop: a member of a group that is added belongs to the same group. */
	for (size_t i = 0; i < view->count; i++) {
		int32_t group = view->device[i].group;
		bool known = group < 0;

		for (size_t k = 0; k < i && !known; k++)
			known = view->device[k].group == group;
		if (!known && !add_group(view, group))
			return false;
	}
	return true;
}

/* Adds the bridges above all devices, without their groups: for policies that speak of them. */
static bool add_bridges(struct view *view)
{
	for (size_t i = 0; i < view->count; i++) {
		char name[DEVICE_NAME_MAX];
		int error = bridges_put(view->host, view->topology, &view->device[i], name);

		if (error < 0)
			return refuse(view, "can't be read from sysfs", name, error);
	}
	return true;
}

/* The plan's ideas of each device against the device: in plainer words than a comparison of steps has. */
static bool is_as_planned(struct view *view, const struct step *step)
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

static bool check(struct view *view, const struct policy *policy, const struct plan *plan)
{
	struct uses uses = { 0 };
	struct kernel_features kernel;
	struct host_view host = { .topology = view->topology, .uses = &uses, .kernel = &kernel };
	bool covered = false;
	int error;

	if (!look(view, plan) || (policy->has_parents && !add_bridges(view)))
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
		covered = plan_is_covered(policy, &host, plan, view->why);
	uses_done(&uses);
	return covered;
}

bool recheck_claim(const struct host *host, const struct policy *policy, const struct plan *plan,
		   char why[static TEXT_MAX])
{
	struct view view = { .host = host, .why = why, .topology = topology_new() };
	bool covered;

	if (!view.topology) {
		text_format(why, TEXT_MAX, "the executor is out of memory");
		return false;
	}
	covered = check(&view, policy, plan);
	topology_free(view.topology);
	free(view.device);
	return covered;
}

bool recheck_release(const struct host *host, const struct plan *plan, bool context_passed, char why[static TEXT_MAX])
{
	struct kernel_features kernel;

	host_features_read(host, &kernel);
	return release_is_sound(plan, &kernel, context_passed, why);
}
