#include "release_steps.h"

#include "../../../policy/util/text.h"
#include "../devices/pci_device.h"
#include "../devices/node_acl.h"
#include "../devices/vfio.h"
#include "../devices/vfio_group.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* A last close may be under way in a process that is dying, and the kernel has no event for its end. */
enum { CLOSE_PATIENCE_MSEC = 1000, CLOSE_STEP_MAX_MSEC = 64 };

/* Of PCI's config space. */
enum { PCI_COMMAND_OFFSET = 4, PCI_COMMAND_BUS_MASTER = 1 << 2 };

static int broken(int *error, int reason)
{
	*error = -reason;
	return WIRE_OUTCOME_BROKEN;
}

/* True if the device is on VFIO now: only then is there something to prove, to reset or to unbind. */
static bool is_on_vfio(const struct run_device *device)
{
	char node[32];

	return vfio_node_of(device->folder, node);
}

static void sleep_milliseconds(unsigned milliseconds)
{
	struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000 };

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

/* The context that proofs are made in: the claim's own where it goes on, else a fresh one. */
static int proof_context(struct run *run, const struct step *step, int *context)
{
	int error = 0;

	if (step->number == 1) {
		*context = run->context;
		return run->context_passed && vfio_is_context(run->host, run->context)
			       ? 0
			       : run_fail(run, -EBADF, "the claim's iommufd did not come with the plan");
	}
	if (run->proof_context < 0)
		error = vfio_open_plain_context(run->host, &run->proof_context, run->why);
	*context = run->proof_context;
	return error;
}

/* Opens and binds the device once. */
static int try_bind(struct run *run, const struct run_device *device, int context)
{
	autoclose int fd = -1;
	int error = vfio_open_device(run->host, device->name, device->folder, &fd, run->why);

	return error == 0 ? vfio_bind(run->host, device->name, fd, context, run->why) : error;
}

/*
 * True if a failed bind of our own shows all the same that nobody is bound: a group with a member on a host driver has
 * no other owner.
 */
static bool host_owns_group(const struct run *run, const struct run_device *device)
{
	char members[TEXT_MAX];

	return vfio_members_on_host_drivers(run->host, device->name, members, sizeof(members)) > 0;
}

/* One try to show that nobody has the device. 0; -EINVAL, -EPERM or -EBUSY: somebody has; else no answer. */
static int try_proof(struct run *run, const struct step *step, const struct run_device *device)
{
	autoclose int group = -1;
	int context, error;

	if (step->kind == STEP_PROVE_GROUP_FREE) {
		error = vfio_open_group(run->host, device->name, device->folder, &group, run->why);
		/* A group without a node has no device on VFIO. */
		return error == -ENODEV ? 0 : error;
	}
	error = proof_context(run, step, &context);
	if (error == 0)
		error = try_bind(run, device, context);
	return error == -EPERM && host_owns_group(run, device) ? 0 : error;
}

static int prove_unbound(struct run *run, const struct step *step, struct run_device *device, int *error)
{
	unsigned waited = 0, pause = 1;
	int result;

	/* A group that goes on being held can't be opened: the unbind alone shows that nobody has this device of it. */
	if (!is_on_vfio(device) || (step->kind == STEP_PROVE_GROUP_FREE && step->number == 1))
		return 0;
	for (;;) {
		result = try_proof(run, step, device);
		if (result != -EINVAL && result != -EPERM && result != -EBUSY)
			break;
		if (waited >= CLOSE_PATIENCE_MSEC) {
			device->doubted = step_is_waived(step);
			if (device->doubted)
				break;
			*error = -result;
			return WIRE_OUTCOME_HELD;
		}
		sleep_milliseconds(pause);
		waited += pause;
		pause = pause * 2 < CLOSE_STEP_MAX_MSEC ? pause * 2 : CLOSE_STEP_MAX_MSEC;
	}
	device->unbound = result == 0;
	if (result < 0 && !device->doubted)
		return broken(error, result);
	run->why[0] = '\0'; /* of the tries before */
	return 0;
}

/* Command and status of the device; all ones: it does not answer. */
static int read_command(struct run *run, const struct run_device *device, uint32_t *command)
{
	autoclose int fd = openat(device->folder, "config", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || pread(fd, command, sizeof(*command), PCI_COMMAND_OFFSET) != sizeof(*command)) {
		int error = errno ? -errno : -EIO;

		return run_fail(run, error, "the configuration of %s can't be read: %s", device->name,
				strerror(-error));
	}
	/* The vendor id would say so, too, but virtual functions have none of their own. */
	if (*command == UINT32_MAX)
		return run_fail(run, -EIO, "%s does not answer any more", device->name);
	return 0;
}

static int prove_bus_master_off(struct run *run, struct run_device *device, int *error)
{
	uint32_t command;
	int result;

	if (!is_on_vfio(device))
		return 0;
	result = read_command(run, device, &command);
	if (result < 0)
		return broken(error, result);
	if (!(command & PCI_COMMAND_BUS_MASTER))
		return 0;
	if (device->doubted) {
		run_fail(run, 0, "%s can still do DMA: somebody has it open, though no process was found that has",
			 device->name);
		*error = EBUSY;
		return WIRE_OUTCOME_HELD;
	}
	/* Switching it off ourselves would hide that somebody still drives the device. */
	run_fail(run, 0, "%s can still do DMA: bus mastering is on, though nobody has it open", device->name);
	return WIRE_OUTCOME_BROKEN;
}

static int reset(struct run *run, const struct step *step, struct run_device *device, int *error)
{
	uint32_t command;
	int result;

	if (step->number == RESET_SKIP || !(is_on_vfio(device) || device->unbound_from_vfio))
		return 0;
	result = sysfs_write(device->folder, "reset", "1");
	if (result == -ENOENT)
		run_fail(run, result, "%s has no way to be reset", device->name);
	else if (result < 0)
		run_fail(run, result, "%s can't be reset: %s", device->name, strerror(-result));
	else
		result = read_command(run, device, &command);
	if (result == 0 || step->number == RESET_TRY)
		return 0;
	*error = -result;
	return WIRE_OUTCOME_NO_RESET;
}

/*
 * ioasidd's mark: the override of a device that a claim has, or that a plan was at work on. A release touches nothing
 * without it, so that a broker that was taken over can't use one to move devices that nobody claimed.
 */
static bool bears_mark(const char *override, const struct step *step)
{
	return strcmp(override, PINNED_OVERRIDE) == 0 || pci_driver_is_vfio(override) ||
	       (override[0] && strcmp(override, step->value) == 0);
}

static int unbind_vfio(struct run *run, const struct step *step, struct run_device *device, int *error)
{
	struct pci_driver_subject subject = run_subject(run, device);
	char driver[DRIVER_NAME_MAX], override[DRIVER_NAME_MAX];
	int result = pci_driver_read(&subject, driver, run->why);

	if (result == 0 && (strcmp(driver, step->before) != 0 || !is_on_vfio(device)))
		return 0;
	if (result == 0)
		result = pci_driver_read_override(&subject, override, run->why);
	/* One that was on VFIO without an override gets one, so that a crash after the unbind leaves a mark. */
	if (result == 0 && !override[0])
		result = pci_driver_write_override(&subject, driver, run->why);
	if (result == 0)
		result = pci_driver_unbind(&subject, driver, run->why);
	device->marked = device->unbound_from_vfio = result == 0;
	return result == 0 ? 0 : broken(error, result);
}

/* Gives a driver to a device that has none; its override names that driver afterwards. */
static int give_driver(struct run *run, const struct pci_driver_subject *subject, const char *driver)
{
	int error = pci_driver_write_override(subject, driver, run->why);

	return error == 0 ? pci_driver_probe(subject, driver, run->why) : error;
}

static int restore(struct run *run, const struct step *step, struct run_device *device, int *error)
{
	struct pci_driver_subject subject = run_subject(run, device);
	char driver[DRIVER_NAME_MAX], override[DRIVER_NAME_MAX];
	int result = pci_driver_read(&subject, driver, run->why);
	bool right = result == 0 && strcmp(driver, step->value) == 0;

	if (result == 0)
		result = pci_driver_read_override(&subject, override, run->why);
	if (result == 0 && right && strcmp(override, step->before) == 0)
		return 0;
	if (result == 0 && !device->marked && !bears_mark(override, step)) {
		result = run_fail(
			run, -EPERM,
			"%s was changed by somebody else meanwhile (driver_override is %s): it is left as it is",
			device->name, override[0] ? override : "empty");
	} else if (result == 0 && !right && driver[0]) {
		result = run_fail(run, -EBUSY, "%s is bound to %s: it can't get %s back", device->name, driver,
				  step->value[0] ? step->value : "its state without a driver");
	}
	if (result == 0 && !right)
		result = give_driver(run, &subject, step->value);
	if (result == 0)
		result = pci_driver_write_override(&subject, step->before, run->why);
	return result == 0 ? 0 : broken(error, result);
}

/* Nobody can open the nodes by their path any more. */
static int revoke_nodes(struct run *run, const struct step *step, const struct run_device *device, int *error)
{
	struct vfio_node node[VFIO_NODES_MAX];
	size_t count = 0;
	int result = 0;

	if (device)
		count = node_acl_nodes_of(run->host, device->folder, node);
	else if (node_acl_container(run->host, &node[0]) == 0)
		count = 1;
	for (size_t i = 0; i < count; i++) {
		int revoked = node_acl_revoke(run->host, &node[i], (uid_t)step->number, run->why);

		result = result < 0 ? result : revoked;
	}
	return result < 0 ? broken(error, result) : 0;
}

/* Empties the claim's context, so that its devices do no more DMA. Whoever has a copy of it can map again. */
static int unmap(struct run *run, const struct step *step, int *error)
{
	int result;

	if (!run->context_passed)
		result = run_fail(run, -EBADF, "the claim's context did not come with the plan");
	else if (vfio_is_container(run->host, run->context))
		result = vfio_empty_container(run->context, run->why);
	else if (vfio_is_context(run->host, run->context))
		result = vfio_empty_context(run->context, (uint32_t)step->number, run->why);
	else
		result = run_fail(run, -EBADF, "what came with the plan is no context");
	return result < 0 ? broken(error, result) : 0;
}

int release_step_make(struct run *run, const struct step *step, int *error)
{
	struct run_device *device = run_device_of(run, step);
	int outcome;

	*error = 0;
	run->why[0] = '\0';
	if (step->kind == STEP_UNMAP)
		return unmap(run, step, error);
	if (step->kind == STEP_REVOKE && !step->device[0])
		return revoke_nodes(run, step, NULL, error);
	if (!device || device->folder < 0 || pci_device_is_gone(device->folder))
		return 0;
	switch ((enum step_kind)step->kind) {
	case STEP_PROVE_NO_HOLDER:
		return 0; /* proven by the main process with the surveyor, before the plan came here */
	case STEP_REVOKE:
		outcome = revoke_nodes(run, step, device, error);
		break;
	case STEP_PROVE_UNBOUND:
	case STEP_PROVE_GROUP_FREE:
		outcome = prove_unbound(run, step, device, error);
		break;
	case STEP_BUS_MASTER_OFF:
		outcome = prove_bus_master_off(run, device, error);
		break;
	case STEP_RESET:
		outcome = reset(run, step, device, error);
		break;
	case STEP_UNBIND_VFIO:
		outcome = unbind_vfio(run, step, device, error);
		break;
	case STEP_RESTORE:
		outcome = restore(run, step, device, error);
		break;
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
	case STEP_UNMAP:
	case STEP_KIND_COUNT:
	default:
		run_fail(run, 0, "a step of a claim stands in a release");
		outcome = WIRE_OUTCOME_BROKEN;
		break;
	}
	if (outcome == 0 || !pci_device_is_gone(device->folder))
		return outcome;
	/* Unplugged in the middle of it: then all is said and done. */
	run->why[0] = '\0';
	return 0;
}
