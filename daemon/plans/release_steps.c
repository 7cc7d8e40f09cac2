#include "release_steps.h"

#include <errno.h>
#include <string.h>

static bool is_held(int error)
{
	return error == -EINVAL || error == -EPERM || error == -EBUSY;
}

void release_step_fail(struct plan_run *run, const struct step *step, int error, struct release_verdict *verdict)
{
	bool proves = step->kind == STEP_PROVE_UNBOUND || step->kind == STEP_PROVE_GROUP_FREE;
	struct plan_device *device = plan_device_of(run, step);

	if (step->kind == STEP_PROVE_NO_HOLDER || (proves && is_held(error)))
		verdict->outcome = WIRE_OUTCOME_HELD;
	else
		verdict->outcome = step->kind == STEP_RESET ? WIRE_OUTCOME_NO_RESET : WIRE_OUTCOME_BROKEN;
	verdict->error = -error;
	/* An operator has waived this proof. */
	if (verdict->outcome == WIRE_OUTCOME_HELD && step_is_waived(step)) {
		if (device)
			device->doubted = true;
		*verdict = (struct release_verdict){ .outcome = WIRE_OUTCOME_DONE };
		run->why[0] = '\0';
	}
}

static int prove_no_holder(struct plan_run *run, const struct step *step, const struct plan_device *device)
{
	return step->number == 1 ? 0 : run->calls->find_holder(run, device);
}

/* One try to show that nobody has the device. 0; -EINVAL, -EPERM or -EBUSY: somebody has; else no answer. */
static int try_proof(struct plan_run *run, const struct step *step, const struct plan_device *device)
{
	int error;

	if (step->kind == STEP_PROVE_GROUP_FREE)
		return run->calls->try_group(run, device);
	error = run->calls->try_bind(run, device, step->number == 1);
	/* A failed bind shows it all the same where a member of the group has a host's driver: no other owner can be.
	 */
	return error == -EPERM && run->calls->has_host_driver(run, device) ? 0 : error;
}

static int prove_unbound(struct plan_run *run, const struct step *step, const struct plan_device *device)
{
	/* A group that goes on being held can't be opened: the unbind alone shows that nobody has this device of it. */
	if (!run->calls->is_on_vfio(run, device) || (step->kind == STEP_PROVE_GROUP_FREE && step->number == 1))
		return 0;
	for (;;) {
		int error = try_proof(run, step, device), waited;

		if (error == 0)
			run->why[0] = '\0'; /* of the tries before */
		if (!is_held(error))
			return error;
		waited = run->calls->wait_for_close(run, device);
		if (waited == HOST_CALL_NOT_YET)
			return waited;
		if (waited < 0)
			return error;
	}
}

static int prove_bus_master_off(struct plan_run *run, struct plan_device *device, struct release_verdict *verdict)
{
	bool on = false;
	int error;

	if (!run->calls->is_on_vfio(run, device))
		return 0;
	error = run->calls->read_bus_master(run, device, &on);
	if (error != 0 || !on)
		return error;
	if (device->doubted) {
		plan_fail(run, 0, "%s can still do DMA: it is open, but no process was found that has it open",
			  device->name);
		*verdict = (struct release_verdict){ .outcome = WIRE_OUTCOME_HELD, .error = EBUSY };
		return 0;
	}
	/* Switching it off ourselves would hide that somebody still drives the device. */
	plan_fail(run, 0, "%s can still do DMA: bus mastering is on, but no process has it open", device->name);
	verdict->outcome = WIRE_OUTCOME_BROKEN;
	return 0;
}

static int reset(struct plan_run *run, const struct step *step, const struct plan_device *device)
{
	int error;

	if (step->number == RESET_SKIP || !(run->calls->is_on_vfio(run, device) || device->unbound_from_vfio))
		return 0;
	error = run->calls->reset(run, device);
	/* The note of why it could not be had stays. */
	return error < 0 && step->number == RESET_TRY ? 0 : error;
}

/*
 * ioasidd's mark: the override of a device that a claim has, or that a plan was at work on. A release touches nothing
 * without it, so that a broker that was taken over can't use one to move devices that nobody claimed.
 */
static bool bears_mark(const char *override, const struct step *step)
{
	/* VFIO's drivers, vfio-pci and its variants, have it in their names. */
	return strcmp(override, PINNED_OVERRIDE) == 0 || strstr(override, "vfio") ||
	       (override[0] && strcmp(override, step->value) == 0);
}

static int unbind_vfio(struct plan_run *run, const struct step *step, struct plan_device *device)
{
	char driver[DRIVER_NAME_MAX], override[DRIVER_NAME_MAX];
	int error = 0;

	/* An unbind that is under way has taken the node away already, and has the lock that the override is behind. */
	if (run->stage == 0) {
		error = run->calls->read_driver(run, device, driver);
		if (error == 0 && (strcmp(driver, step->before) != 0 || !run->calls->is_on_vfio(run, device)))
			return 0;
		if (error == 0)
			error = run->calls->read_override(run, device, override);
		/* One that was on VFIO without an override gets one, so that a crash after the unbind leaves a mark. */
		if (error == 0 && !override[0])
			error = run->calls->write_override(run, device, driver);
	}
	if (error != 0)
		return error;
	run->stage = 1;
	error = run->calls->unbind(run, device, step->before);
	device->marked = device->unbound_from_vfio = error == 0;
	return error;
}

/* Gives a driver to a device that has none; its override names that driver afterwards. */
static int give_driver(struct plan_run *run, const struct plan_device *device, const char *driver)
{
	int error = run->calls->write_override(run, device, driver);

	return error == 0 ? run->calls->probe(run, device, driver) : error;
}

static int restore(struct plan_run *run, const struct step *step, const struct plan_device *device)
{
	char driver[DRIVER_NAME_MAX], override[DRIVER_NAME_MAX];
	int error = run->calls->read_driver(run, device, driver);
	bool right = error == 0 && strcmp(driver, step->value) == 0;

	if (error == 0)
		error = run->calls->read_override(run, device, override);
	if (error != 0 || (right && strcmp(override, step->before) == 0))
		return error;
	if (!device->marked && !bears_mark(override, step))
		return plan_fail(run, -EPERM,
				 "%s was changed by another program (driver_override is %s): leaving it as it is",
				 device->name, override[0] ? override : "empty");
	if (!right && driver[0])
		return plan_fail(run, -EBUSY, "%s is bound to %s: cannot restore %s", device->name, driver,
				 step->value[0] ? step->value : "its state without a driver");
	if (!right)
		error = give_driver(run, device, step->value);
	return error == 0 ? run->calls->write_override(run, device, step->before) : error;
}

/* Empties the claim's context, so that its devices do no more DMA. Whoever has a copy of it can map again. */
static int unmap(struct plan_run *run, const struct step *step)
{
	if (!run->context_passed)
		return plan_fail(run, -EBADF, "the claim's context was not passed with the plan");
	if (run->calls->is_context(run, true))
		return run->calls->empty_context(run, true, 0);
	if (run->calls->is_context(run, false))
		return run->calls->empty_context(run, false, (uint32_t)step->number);
	return plan_fail(run, -EBADF, "the descriptor passed with the plan is not a context");
}

/* 0, HOST_CALL_NOT_YET, or -errno; 0 with a verdict for what has no errno of its own. */
static int make(struct plan_run *run, const struct step *step, struct plan_device *device,
		struct release_verdict *verdict)
{
	switch ((enum step_kind)step->kind) {
	case STEP_PROVE_NO_HOLDER:
		return prove_no_holder(run, step, device);
	case STEP_REVOKE:
		return run->calls->revoke(run, device, (uid_t)step->number);
	case STEP_PROVE_UNBOUND:
	case STEP_PROVE_GROUP_FREE:
		return prove_unbound(run, step, device);
	case STEP_BUS_MASTER_OFF:
		return prove_bus_master_off(run, device, verdict);
	case STEP_RESET:
		return reset(run, step, device);
	case STEP_UNBIND_VFIO:
		return unbind_vfio(run, step, device);
	case STEP_RESTORE:
		return restore(run, step, device);
	case STEP_UNMAP:
		return unmap(run, step);
	case STEP_OVERRIDE:
	case STEP_UNBIND:
	case STEP_PROBE:
	case STEP_CONTEXT:
	case STEP_CONTAINER:
	case STEP_GROUP:
	case STEP_GROUP_DEVICE:
	case STEP_OPEN:
	case STEP_BIND:
	case STEP_IOAS:
	case STEP_ATTACH:
	case STEP_GRANT:
	case STEP_MEMLOCK:
	case STEP_KIND_COUNT:
	default:
		plan_fail(run, 0, "a release contains a step of a claim");
		verdict->outcome = WIRE_OUTCOME_BROKEN;
		return 0;
	}
}

int release_step_make(struct plan_run *run, const struct step *step, struct release_verdict *verdict)
{
	struct plan_device *device = plan_device_of(run, step);
	bool of_device = step->kind != STEP_UNMAP && (step->kind != STEP_REVOKE || step->device[0]);
	int error;

	if (of_device && (!device || !run->calls->is_there(run, device)))
		return 0;
	error = make(run, step, device, verdict);
	if (error == HOST_CALL_NOT_YET)
		return error;
	if (error < 0)
		release_step_fail(run, step, error, verdict);
	if (verdict->outcome != WIRE_OUTCOME_DONE && of_device && !run->calls->is_there(run, device)) {
		/* Unplugged in the middle of it: then all is said and done. */
		*verdict = (struct release_verdict){ .outcome = WIRE_OUTCOME_DONE };
		run->why[0] = '\0';
	}
	return 0;
}
