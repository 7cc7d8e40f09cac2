#include "plan_view.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "../devices/pci_bridges.h"
#include "../devices/device_kind.h"
#include "../devices/pci_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool plan_view_begin(struct plan_view *view, const struct host *host, bool waits, char why[static TEXT_MAX])
{
	*view = (struct plan_view){ .host = host, .waits = waits, .topology = topology_new(), .why = why };
	if (!view->topology)
		text_format(why, TEXT_MAX, "the executor is out of memory");
	return view->topology != NULL;
}

void plan_view_done(struct plan_view *view)
{
	topology_free(view->topology);
	free(view->device);
	*view = (struct plan_view){ .topology = NULL };
}

static bool refuse(struct plan_view *view, const char *what, const char *name, int error)
{
	text_format(view->why, TEXT_MAX, "%s %s: %s", name, what, strerror(-error));
	return false;
}

static bool add_device(struct plan_view *view, const char *name)
{
	struct device device;
	int error;

	if (topology_find(view->topology, name))
		return true;
	error = view->waits ? device_read(view->host, name, NULL, &device) : device_summary(view->host, name, &device);
	if (error == -ENOENT) {
		text_format(view->why, TEXT_MAX, "%s is gone", name);
		return false;
	}
	if (error < 0)
		return refuse(view, "can't be read from sysfs", name, error);
	if (view->count == view->allocated) {
		size_t allocated = view->allocated ? view->allocated * 2 : 16;
		struct device *larger = reallocarray(view->device, allocated, sizeof(*larger));

		if (!larger)
			return refuse(view, "can't be examined", name, -ENOMEM);
		view->device = larger;
		view->allocated = allocated;
	}
	view->device[view->count] = device;
	error = topology_put(view->topology, &device);
	if (error < 0)
		return refuse(view, "can't be examined", name, error);
	view->count++;
	return true;
}

/* Adds the members of a group. They are taken from the group's own list, so that none can be missed. */
static bool add_group(struct plan_view *view, int32_t group)
{
	char(*name)[DEVICE_NAME_MAX] = calloc(GROUP_MEMBERS_MAX, sizeof(*name));
	int count = name ? pci_device_members(view->host, group, name, GROUP_MEMBERS_MAX) : -ENOMEM;
	bool added = count >= 0;

	if (count < 0)
		text_format(view->why, TEXT_MAX, "cannot list the members of the IOMMU group %d: %s", group,
			    strerror(-count));
	for (int i = 0; i < count && added; i++)
		added = add_device(view, name[i]);
	free(name);
	return added;
}

bool plan_view_look(struct plan_view *view, const struct plan *plan)
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

bool plan_view_look_at_devices(struct plan_view *view, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		autoclose int folder = plan->step[i].device[0] ? device_open(view->host, plan->step[i].device) : -1;

		if (folder >= 0 && !add_device(view, plan->step[i].device))
			return false;
	}
	return true;
}

bool plan_view_add_bridges(struct plan_view *view)
{
	for (size_t i = 0; i < view->count; i++) {
		char name[DEVICE_NAME_MAX];
		int error = pci_bridges_put(view->host, view->topology, &view->device[i], name);

		if (error < 0)
			return refuse(view, "can't be read from sysfs", name, error);
	}
	return true;
}
