#include "delivery_steps.h"

#include <errno.h>

/* Opens a context, or sees to it that the one that came with the plan is one. */
static int take_context(struct plan_run *run, const struct step *step, bool container)
{
	if (step->number == 1) {
		if (!run->context_passed || !run->calls->is_context(run, container))
			return plan_fail(run, -EBADF, "the claim's %s was not passed with the plan",
					 container ? "container" : "iommufd");
		return 0;
	}
	if (run->context_passed)
		return plan_fail(run, -EBADF, "%s was passed with a plan that opens one",
				 container ? "a container" : "an iommufd");
	return run->calls->open_context(run, container);
}

int deliver_context(struct plan_run *run, const struct step *step)
{
	return take_context(run, step, false);
}

int deliver_container(struct plan_run *run, const struct step *step)
{
	return take_context(run, step, true);
}

int undo_context(struct plan_run *run, const struct step *step)
{
	run->calls->close_context(run);
	return 0;
}

int deliver_open(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_present(run, step);
	int error;

	if (!device)
		return -ENODEV;
	if (device->opened)
		return plan_fail(run, -EBUSY, "the plan opens %s twice", step->device);
	error = run->calls->open_device(run, device);
	device->opened = error == 0;
	return error;
}

int undo_open(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_of(run, step);

	run->calls->close_device(run, device);
	device->opened = false;
	return 0;
}

int deliver_bind(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_present(run, step);

	return device ? run->calls->bind_device(run, device) : -ENODEV;
}

int deliver_ioas(struct plan_run *run, const struct step *step)
{
	if (step->number != 0) {
		run->ioas_id = (uint32_t)step->number;
		return 0;
	}
	return run->calls->allocate_ioas(run, &run->ioas_id);
}

int deliver_attach(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_present(run, step);

	return device ? run->calls->attach_device(run, device, run->ioas_id) : -ENODEV;
}

int deliver_group(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_present(run, step);
	int error = 0;

	if (!device)
		return -ENODEV;
	if (run->stage == 0 && device->group_opened)
		return plan_fail(run, -EBUSY, "the plan opens the group of %s twice", step->device);
	if (run->stage == 0)
		error = run->calls->open_group(run, device);
	if (error != 0)
		return error;
	device->group_opened = true;
	run->stage = 1;
	return run->calls->join_container(run, device);
}

int undo_group(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_of(run, step);

	run->calls->close_group(run, device);
	device->group_opened = false;
	return 0;
}

int deliver_group_device(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_present(run, step);
	const struct plan_device *group = NULL;
	int error;

	if (!device)
		return -ENODEV;
	if (step->number == 1)
		return 0;
	for (size_t i = 0; i < run->device_count && !group; i++)
		if (run->device[i].group == device->group && run->device[i].group_opened)
			group = &run->device[i];
	if (!group || device->opened)
		return plan_fail(run, -EBADF, "the plan does not open the group of %s, or opens the device twice",
				 step->device);
	error = run->calls->open_by_group(run, device, group);
	device->opened = error == 0;
	return error;
}

int deliver_grant(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = step->device[0] ? plan_device_present(run, step) : NULL;

	if (step->device[0] && !device)
		return -ENODEV;
	return run->calls->grant(run, device, (uid_t)step->number);
}

int undo_grant(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = plan_device_of(run, step);

	/* The container's entry may be another claim's, too, and alone it gives nothing: the last release takes it. */
	if (!device || !run->calls->is_there(run, device))
		return 0;
	return run->calls->revoke(run, device, (uid_t)step->number);
}

int deliver_memlock(struct plan_run *run, const struct step *step)
{
	return run->calls->raise_memlock(run, step->number, &run->memlock_before);
}

int undo_memlock(struct plan_run *run, const struct step *step)
{
	return run->calls->put_back_memlock(run);
}
