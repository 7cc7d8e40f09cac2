#include "claim_steps.h"

#include <errno.h>
#include <string.h>

int do_override(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);

	return device ? run_outcome(run, device, kernel_override(device, step->value)) : -ENODEV;
}

int undo_override(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);

	return device ? run_outcome(run, device, kernel_override(device, step->before)) : 0;
}

int do_unbind(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);

	if (!device)
		return -ENODEV;
	return run_outcome(run, device, kernel_unbind(device, run));
}

/* driver_override is what the plan wants still, and would keep the driver off: it leads to the driver meanwhile. */
int undo_unbind(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error;

	if (!device || strcmp(device->now.driver, step->before) == 0)
		return 0;
	error = kernel_override(device, step->before);
	if (error == 0)
		error = kernel_probe(device);
	if (error == 0 && strcmp(device->now.driver, step->before) != 0)
		error = -ENODEV;
	return run_outcome(run, device, error);
}

int do_probe(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error;

	if (!device)
		return -ENODEV;
	error = kernel_probe(device);
	if (error == KERNEL_BLOCKED)
		return run_outcome(run, device, error);
	if (error == 0 && (strcmp(device->now.driver, step->value) != 0 || !*device->now.vfio_node))
		error = -ENODEV;
	if (error < 0)
		run_say(run, "the kernel has no driver %s that takes %s", step->value, step->device);
	return error;
}

int undo_probe(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);

	if (!device || strcmp(device->now.driver, step->value) != 0)
		return 0;
	return run_outcome(run, device, kernel_unbind(device, run));
}
