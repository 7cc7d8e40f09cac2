#include "claim_steps.h"

#include "delivery_steps.h"
#include "memlock_limit.h"
#include "../survey/survey_block.h"
#include "../devices/vfio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_override(struct run *run, const struct step *step)
{
	const struct run_device *device = run_present(run, step);

	if (!device)
		return -ENODEV;
	struct pci_driver_subject subject = run_subject(run, device);

	return pci_driver_write_override(&subject, step->value, run->why);
}

static int undo_override(struct run *run, const struct step *step)
{
	const struct run_device *device = run_present(run, step);
	char now[DRIVER_NAME_MAX];
	int error;

	if (!device)
		return 0; /* there is nothing left to put back */
	struct pci_driver_subject subject = run_subject(run, device);

	error = pci_driver_read_override(&subject, now, run->why);
	if (error < 0 || strcmp(now, step->before) == 0)
		return error;
	return pci_driver_write_override(&subject, step->before, run->why);
}

/* Unbinds with the disks of the device held, so that nobody can begin to use them on the way. */
static int make_unbind(struct run *run, const struct step *step)
{
	const struct run_device *device = run_present(run, step);
	char disk[64] = "";
	int *held, error;
	size_t count;

	if (!device)
		return -ENODEV;
	error = block_hold(run->host, step->device, &held, &count, disk);
	if (error == -EBUSY)
		return run_fail(run, error, "%s: its disk %s is in use", step->device, disk);
	if (error < 0)
		return run_fail(run, error, "%s: its disk %s can't be opened: %s", step->device, disk,
				strerror(-error));
	struct pci_driver_subject subject = run_subject(run, device);

	error = pci_driver_unbind(&subject, step->before, run->why);
	for (size_t i = 0; i < count; i++)
		close(held[i]);
	free(held);
	return error;
}

/*
 * The driver that a device has now, for an undo. NULL: there is nothing to undo, or, with *error set, it can't be read.
 */
static const struct run_device *find_driver(struct run *run, const struct step *step, char now[static DRIVER_NAME_MAX],
					    int *error)
{
	const struct run_device *device = run_present(run, step);

	*error = 0;
	if (!device)
		return NULL; /* there is nothing left to put back */
	struct pci_driver_subject subject = run_subject(run, device);

	*error = pci_driver_read(&subject, now, run->why);
	return *error < 0 ? NULL : device;
}

/* Gives the driver back. Nothing else can bind then: the override that is in force now names another one. */
static int undo_unbind(struct run *run, const struct step *step)
{
	char now[DRIVER_NAME_MAX];
	int error;
	const struct run_device *device = find_driver(run, step, now, &error);

	if (!device || strcmp(now, step->before) == 0)
		return error;
	struct pci_driver_subject subject = run_subject(run, device);

	error = pci_driver_write_override(&subject, step->before, run->why);
	return error == 0 ? pci_driver_probe(&subject, step->before, run->why) : error;
}

static int make_probe(struct run *run, const struct step *step)
{
	const struct run_device *device = run_present(run, step);
	char node[32];
	int error;

	if (!device)
		return -ENODEV;
	struct pci_driver_subject subject = run_subject(run, device);

	error = pci_driver_probe(&subject, step->value, run->why);
	if (error < 0)
		return error;
	if (!vfio_node_of(device->folder, node))
		return run_fail(run, -ENODEV,
				"%s: %s has bound it, but offers no VFIO device: this kernel lacks VFIO cdevs",
				step->device, step->value);
	return 0;
}

static int undo_probe(struct run *run, const struct step *step)
{
	char now[DRIVER_NAME_MAX];
	int error;
	const struct run_device *device = find_driver(run, step, now, &error);

	if (!device || strcmp(now, step->value) != 0)
		return error;
	struct pci_driver_subject subject = run_subject(run, device);

	return pci_driver_unbind(&subject, step->value, run->why);
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
		[STEP_MEMLOCK] = { memlock_limit_raise, memlock_limit_put_back },
	};

	return kind < STEP_KIND_COUNT && steps[kind].make ? &steps[kind] : NULL;
}
