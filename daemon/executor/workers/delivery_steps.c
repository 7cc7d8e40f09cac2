#include "delivery_steps.h"

#include "../devices/node_acl.h"
#include "../devices/vfio.h"
#include "../devices/vfio_group.h"

#include <errno.h>

int deliver_context(struct run *run, const struct step *step)
{
	if (step->number == 1) {
		if (!run->context_passed || !vfio_is_context(run->host, run->context))
			return run_fail(run, -EBADF, "the claim's iommufd did not come with the plan");
		return 0;
	}
	if (run->context_passed)
		return run_fail(run, -EBADF, "an iommufd came with a plan that opens one");
	return vfio_open_context(run->host, &run->context, run->why);
}

int undo_context(struct run *run, const struct step *step)
{
	descriptor_close(&run->context);
	return 0;
}

int deliver_open(struct run *run, const struct step *step)
{
	struct run_device *device = run_present(run, step);

	if (!device)
		return -ENODEV;
	if (device->fd >= 0)
		return run_fail(run, -EBUSY, "%s is opened twice by the plan", step->device);
	return vfio_open_device(run->host, step->device, device->folder, &device->fd, run->why);
}

int undo_open(struct run *run, const struct step *step)
{
	struct run_device *device = run_device_of(run, step);

	descriptor_close(&device->fd);
	return 0;
}

int deliver_bind(struct run *run, const struct step *step)
{
	const struct run_device *device = run_present(run, step);

	if (!device)
		return -ENODEV;
	return vfio_bind(run->host, step->device, device->fd, run->context, run->why);
}

int deliver_ioas(struct run *run, const struct step *step)
{
	if (step->number != 0) {
		run->ioas_id = (uint32_t)step->number;
		return 0;
	}
	return vfio_allocate_ioas(run->context, &run->ioas_id, run->why);
}

int deliver_attach(struct run *run, const struct step *step)
{
	const struct run_device *device = run_present(run, step);

	if (!device)
		return -ENODEV;
	return vfio_attach(step->device, device->fd, run->ioas_id, run->why);
}

int deliver_container(struct run *run, const struct step *step)
{
	if (step->number == 1) {
		if (!run->context_passed || !vfio_is_container(run->host, run->context))
			return run_fail(run, -EBADF, "the claim's container did not come with the plan");
		return 0;
	}
	if (run->context_passed)
		return run_fail(run, -EBADF, "a container came with a plan that opens one");
	return vfio_open_container(run->host, &run->context, run->why);
}

int deliver_group(struct run *run, const struct step *step)
{
	struct run_device *device = run_present(run, step);
	int error;

	if (!device)
		return -ENODEV;
	if (device->group_fd >= 0)
		return run_fail(run, -EBUSY, "the group of %s is opened twice by the plan", step->device);
	error = vfio_open_group(run->host, step->device, device->folder, &device->group_fd, run->why);
	if (error < 0)
		return error;
	return vfio_join_container(run->host, step->device, device->group_fd, run->context, run->why);
}

int undo_group(struct run *run, const struct step *step)
{
	descriptor_close(&run_device_of(run, step)->group_fd);
	return 0;
}

int deliver_group_device(struct run *run, const struct step *step)
{
	struct run_device *device = run_present(run, step);
	int group = -1;

	if (!device)
		return -ENODEV;
	if (step->number == 1)
		return 0;
	for (size_t i = 0; i < run->device_count && group < 0; i++)
		if (run->device[i].group == device->group)
			group = run->device[i].group_fd;
	if (group < 0 || device->fd >= 0)
		return run_fail(run, -EBADF, "the plan does not open the group of %s, or opens the device twice",
				step->device);
	return vfio_open_by_group(step->device, group, &device->fd, run->why);
}

/* The nodes of the step's device, or the container's. Returns how many; -ENODEV with run->why. */
static int nodes_of(struct run *run, const struct step *step, struct vfio_node node[static VFIO_NODES_MAX])
{
	const struct run_device *device;
	int error;

	if (!step->device[0]) {
		error = node_acl_container(run->host, &node[0]);
		if (error < 0)
			return run_fail(
				run, error,
				"there is no /dev/vfio/vfio: the module vfio is not loaded (modprobe vfio_pci)");
		/* Its usual mode. An entry would say nothing more. */
		return node_acl_is_open_to_all(run->host, &node[0]) ? 0 : 1;
	}
	device = run_present(run, step);
	if (!device)
		return -ENODEV;
	error = (int)node_acl_nodes_of(run->host, device->folder, node);
	if (error == 0)
		return run_fail(run, -ENODEV, "%s has no VFIO node", step->device);
	return error;
}

int deliver_grant(struct run *run, const struct step *step)
{
	struct vfio_node node[VFIO_NODES_MAX];
	int count = nodes_of(run, step, node), error = 0;

	for (int i = 0; i < count && step->number != 0 && error == 0; i++) {
		node_acl_wait_for_udev(&node[i]);
		error = node_acl_grant(run->host, &node[i], (uid_t)step->number, run->why);
	}
	return count < 0 ? count : error;
}

int undo_grant(struct run *run, const struct step *step)
{
	struct vfio_node node[VFIO_NODES_MAX];
	const struct run_device *device = step->device[0] ? run_device_of(run, step) : NULL;
	int count, error = 0;

	/* The container's entry may be another claim's, too, and alone it gives nothing: the last release takes it. */
	if (!device || device->folder < 0)
		return 0;
	count = (int)node_acl_nodes_of(run->host, device->folder, node);
	for (int i = 0; i < count; i++) {
		int result = node_acl_revoke(run->host, &node[i], (uid_t)step->number, run->why);

		error = error < 0 ? error : result;
	}
	return error;
}
