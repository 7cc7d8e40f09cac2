#include "claim_steps.h"

#include "delivery_steps.h"

#include <errno.h>
#include <string.h>

static int make_override(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = plan_device_present(run, step);

	return device ? run->calls->write_override(run, device, step->value) : -ENODEV;
}

/* The step's device, if there is anything left to put back on it; else NULL. */
static const struct plan_device *find_left(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = plan_device_of(run, step);

	return device && run->calls->is_there(run, device) ? device : NULL;
}

static int undo_override(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = find_left(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0;
	error = run->calls->read_override(run, device, now);
	if (error != 0 || strcmp(now, step->before) == 0)
		return error;
	return run->calls->write_override(run, device, step->before);
}

static int make_unbind(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = plan_device_present(run, step);

	return device ? run->calls->unbind_unused(run, device, step->before) : -ENODEV;
}

/* Gives the driver back. Nothing else can bind then: the override that is in force now names another one. */
static int undo_unbind(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = find_left(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0;
	error = run->calls->read_driver(run, device, now);
	if (error != 0 || strcmp(now, step->before) == 0)
		return error;
	error = run->calls->write_override(run, device, step->before);
	return error == 0 ? run->calls->probe(run, device, step->before) : error;
}

static int make_probe(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = plan_device_present(run, step);
	int error;

	if (!device)
		return -ENODEV;
	error = run->calls->probe(run, device, step->value);
	if (error != 0)
		return error;
	if (!run->calls->is_on_vfio(run, device))
		return plan_fail(run, -ENODEV,
				 "%s: %s is bound, but offers no VFIO device: this kernel lacks VFIO cdevs",
				 step->device, step->value);
	return 0;
}

static int undo_probe(struct plan_run *run, const struct step *step)
{
	const struct plan_device *device = find_left(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0;
	error = run->calls->read_driver(run, device, now);
	if (error != 0 || strcmp(now, step->value) != 0)
		return error;
	return run->calls->unbind(run, device, step->value);
}

const struct claim_step *claim_step_of(enum step_kind kind)
{
	/* A device is unbound and detached, and an IOAS freed, by closing: those have no undo of their own. */
	static const struct claim_step steps[STEP_KIND_COUNT] = {
		[STEP_OVERRIDE] = { make_override, undo_override },
		[STEP_UNBIND] = { make_unbind, undo_unbind },
		[STEP_PROBE] = { make_probe, undo_probe },
		[STEP_CONTEXT] = { deliver_context, undo_context },
		[STEP_CONTAINER] = { deliver_container, undo_context },
		[STEP_GROUP] = { deliver_group, undo_group },
		[STEP_GROUP_DEVICE] = { deliver_group_device, undo_open },
		[STEP_OPEN] = { deliver_open, undo_open },
		[STEP_BIND] = { deliver_bind, NULL },
		[STEP_IOAS] = { deliver_ioas, NULL },
		[STEP_ATTACH] = { deliver_attach, NULL },
		[STEP_GRANT] = { deliver_grant, undo_grant },
		[STEP_MEMLOCK] = { deliver_memlock, undo_memlock },
	};

	return kind < STEP_KIND_COUNT && steps[kind].make ? &steps[kind] : NULL;
}
