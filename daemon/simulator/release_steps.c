#include "release_steps.h"

#include "holders.h"

#include "../../policy/text.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>

/* As long as the kernel may take to close what an ending process had open. */
enum { PATIENCE_MILLISECONDS = 1000 };

int do_prove_no_holder(struct run *run, const struct step *step)
{
	struct wire_result *result = &run->result;
	struct simulated_device *device = run_device(run, step);
	struct holder holder;

	/* A file that is open, and that no process is seen to have, is in flight, or its process is ending just now. */
	if (!device || !kernel_is_open(device) || !holder_find(device, &holder))
		return 0;
	if (*result->holder)
		return -EBUSY;
	result->pid = holder.pid;
	memcpy(result->holder, holder.name, sizeof(result->holder));
	run->pidfd = pidfd_open(holder.pid, 0);
	run_say(run, "%s is held by process %d (%s)", step->device, holder.pid, holder.name);
	return -EBUSY;
}

int do_prove_unbound(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	const struct context *context = NULL;
	int error;

	if (!device || !*device->now.vfio_node)
		return 0;
	if (step->number == 1)
		context = run->passed_context < 0 ? NULL : kernel_context_of(run->machine, run->passed_context);
	error = kernel_can_bind(device, context);
	if (error != -EINVAL)
		return error;
	if (!run->patience_over)
		return run_wait(run, device, PATIENCE_MILLISECONDS);
	run_say(run, "%s is bound to an iommufd: somebody holds it", step->device);
	return error;
}

/* The kernel switches it off with the last close, which the step before has seen. */
int do_bus_master_off(struct run *run, const struct step *step)
{
	return 0;
}

int do_reset(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error;

	if (!device || step->number == RESET_SKIP)
		return 0;
	error = kernel_reset(device);
	if (error >= 0)
		return run_outcome(run, device, error);
	text_format(run->note, sizeof(run->note), "%s could not be reset: %s", step->device,
		    error == -ENOENT ? "it has no way to" : "none of its ways works, for it is not alone on its bus");
	if (step->number != RESET_REQUIRE)
		return 0;
	run_say(run, "%s", run->note);
	return error;
}

int do_unbind_vfio(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);

	if (!device || strcmp(device->now.driver, step->before) != 0)
		return 0;
	return run_outcome(run, device, kernel_unbind(device, run));
}

int do_restore(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error = 0;

	if (!device)
		return 0;
	if (*step->value && strcmp(device->now.driver, step->value) != 0) {
		error = kernel_override(device, step->value);
		if (error == 0)
			error = kernel_probe(device);
	}
	if (error == 0)
		error = kernel_override(device, step->before);
	if (error == KERNEL_BLOCKED)
		return run_outcome(run, device, error);
	if (error == 0 && strcmp(device->now.driver, step->value) != 0)
		error = -ENODEV;
	if (error < 0)
		run_say(run, "%s did not get %s%s back: %s", step->device, *step->value ? "its driver " : "no driver",
			step->value, strerror(-error));
	return error;
}
