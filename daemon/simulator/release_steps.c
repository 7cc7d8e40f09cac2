#include "release_steps.h"

#include "stand_in_holders.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>

/* As long as the kernel may take to close what an ending process had open. */
enum { PATIENCE_MILLISECONDS = 1000 };

int do_revoke(struct run *run, const struct step *step)
{
	struct simulated_device *device = *step->device ? run_device(run, step) : NULL;

	if (!*step->device)
		acl_revoke(&run->machine->container_acl, (uid_t)step->number);
	else if (device)
		acl_revoke(&device->acl, (uid_t)step->number);
	return 0;
}

int do_unmap(struct run *run, const struct step *step)
{
	struct context *context = run->passed_context < 0 ? NULL : kernel_context_of(run->machine, run->passed_context);

	if (context)
		kernel_unmap(context);
	else
		run_say(run, run->passed_context < 0 ? "the claim's context did not come with the plan"
						     : "what came with the plan is no context");
	return context ? 0 : -EBADF;
}

static int on_holder(void *context, const struct holder *holder)
{
	*(struct holder *)context = *holder;
	return 1;
}

int do_prove_no_holder(struct run *run, const struct step *step)
{
	struct wire_result *result = &run->result;
	struct simulated_device *device = run_device(run, step);
	struct holder holder;

	/* A file that is open, and that no process is seen to have, is in flight, or its process is ending just now. */
	if (!device || step->number == 1 || !kernel_is_within_reach(device) ||
	    holders_find(device, on_holder, &holder) == 0)
		return 0;
	result->pid = holder.pid;
	memcpy(result->holder, holder.name, sizeof(result->holder));
	run->pidfd = pidfd_open(holder.pid, 0);
	run_say(run, "%s is held by %s[%d]", step->device, holder.name, holder.pid);
	return -EBUSY;
}

/* True if there is something to prove, to reset or to unbind. */
static bool is_on_vfio(const struct simulated_device *device)
{
	return device && *device->now.vfio_node;
}

int do_prove_unbound(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	const struct context *context = NULL;
	int error;

	if (!is_on_vfio(device))
		return 0;
	if (!run->machine->kernel.iommufd || !run->machine->kernel.vfio_cdev)
		return -ENOENT;
	if (step->number == 1)
		context = kernel_context_of(run->machine, run->passed_context);
	error = kernel_can_bind(device, context);
	/* A group with a member on a host driver has no other owner: that shows the same. */
	if (error == -EPERM && device->group->host_drivers > 0)
		error = 0;
	if (error != -EINVAL && error != -EPERM && error != -EBUSY)
		return error;
	if (!run->patience_over)
		return run_wait(run, device, PATIENCE_MILLISECONDS);
	run_say(run,
		error == -EINVAL  ? "%s is bound already, by somebody who has an FD of it"
		: error == -EBUSY ? "%s: somebody has its IOMMU group open"
				  : "%s: its IOMMU group belongs to another context",
		step->device);
	return error;
}

int do_prove_group_free(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error;

	/* A group that goes on being held can't be opened: the unbind alone shows that nobody has this device of it. */
	if (!is_on_vfio(device) || step->number == 1)
		return 0;
	error = kernel_can_open_group(device);
	if (error != -EBUSY)
		return error;
	if (!run->patience_over)
		return run_wait(run, device, PATIENCE_MILLISECONDS);
	run_say(run, "%s: somebody has its IOMMU group open, or a device of it", step->device);
	return error;
}

/* The kernel switches it off with the last close, which the step before has seen. */
int do_bus_master_off(struct run *run, const struct step *step)
{
	return 0;
}

/* True if the plan has unbound the device itself. */
static bool was_unbound(const struct run *run, const char *device)
{
	for (size_t i = 0; i < run->plan.count; i++)
		if (run->plan.step[i].kind == STEP_RESTORE && strcmp(run->plan.step[i].device, device) == 0 &&
		    run->marked[i])
			return true;
	return false;
}

int do_reset(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error;

	if (step->number == RESET_SKIP || !(is_on_vfio(device) || (device && was_unbound(run, step->device))))
		return 0;
	error = kernel_reset(device);
	if (error >= 0)
		return run_outcome(run, device, error);
	run_say(run, "%s can't be reset: %s", step->device,
		error == -ENOENT ? "it has no way to" : "none of its ways works, for it is not alone on its bus");
	return step->number == RESET_REQUIRE ? error : 0;
}

/* The mark of a device that this plan has unbound: its restore need not ask whose it is. */
static void mark(struct run *run, const struct step *unbound)
{
	for (const struct step *step = unbound; step < run->plan.step + run->plan.count; step++)
		if (step->kind == STEP_RESTORE && strcmp(step->device, unbound->device) == 0)
			run->marked[step - run->plan.step] = true;
}

int do_unbind_vfio(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error = 0;

	if (!device ||
	    (device->locked_by != run && (strcmp(device->now.driver, step->before) != 0 || !is_on_vfio(device))))
		return 0;
	/* One that was on VFIO without an override gets one, so that a crash after the unbind leaves a mark. */
	if (!*device->now.driver_override)
		error = kernel_override(device, device->now.driver);
	if (error == 0)
		error = kernel_unbind(device, run);
	if (error == 0)
		mark(run, step);
	return run_outcome(run, device, error);
}

/*
 * ioasidd's mark: the override of a device that a claim has, or that a plan was at work on. What does not bear it was
 * changed by somebody else, and is left alone.
 */
static bool bears_mark(const char *override, const struct step *step)
{
	return strcmp(override, PINNED_OVERRIDE) == 0 || strstr(override, "vfio") ||
	       (*override && strcmp(override, step->value) == 0);
}

/* Gives the device its driver: it has none now. */
static int give_driver(struct simulated_device *device, const char *driver)
{
	int error = kernel_override(device, driver);

	if (error == 0)
		error = kernel_probe(device);
	if (error == 0 && strcmp(device->now.driver, driver) != 0)
		error = -ENODEV;
	return error;
}

int do_restore(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	bool right;
	int error = 0;

	if (!device)
		return 0;
	/* Reading driver_override takes the device's lock, which whoever unbinds or unplugs it has. */
	if (device->locked_by)
		return run_wait(run, device, 0);
	right = strcmp(device->now.driver, step->value) == 0;
	if (right && strcmp(device->now.driver_override, step->before) == 0)
		return 0;
	if (!run->marked[step - run->plan.step] && !bears_mark(device->now.driver_override, step)) {
		run_say(run, "%s was changed by somebody else meanwhile (driver_override is %s): it is left as it is",
			step->device, *device->now.driver_override ? device->now.driver_override : "empty");
		return -EPERM;
	}
	if (!right && *device->now.driver) {
		run_say(run, "%s is bound to %s: it can't get %s back", step->device, device->now.driver,
			*step->value ? step->value : "its state without a driver");
		return -EBUSY;
	}
	if (!right)
		error = give_driver(device, step->value);
	if (error == 0)
		error = kernel_override(device, step->before);
	if (error < 0)
		run_say(run, "%s: the driver %s does not take it: %s", step->device, step->value, strerror(-error));
	return run_outcome(run, device, error);
}
