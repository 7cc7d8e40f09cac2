#include "claim_steps.h"

#include "../../policy/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

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

int do_context(struct run *run, const struct step *step)
{
	int error;

	if ((step->number == 1) != (run->passed_context >= 0)) {
		run_say(run, step->number == 1 ? "the claim's iommufd did not come with the plan"
					       : "an iommufd came with a plan that opens one");
		return -EBADF;
	}
	if (step->number == 1) {
		run->context = kernel_context_of(run->machine, run->passed_context);
		if (!run->context)
			run_say(run, "the descriptor that came with the plan is no iommufd");
		return run->context ? 0 : -EBADF;
	}
	error = kernel_open_iommu(run->machine, &run->context);
	if (error == -ENOENT)
		run_say(run, "this kernel has no /dev/iommu");
	return error;
}

int undo_context(struct run *run, const struct step *step)
{
	if (run->passed_context < 0)
		kernel_close_iommu(run->context);
	run->context = NULL;
	return 0;
}

int do_open(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	int error;

	if (!device)
		return -ENODEV;
	if (run->file_count == CLAIM_DEVICES_MAX)
		return -EMFILE;
	if (!*device->now.vfio_node) {
		run_say(run, "%s has no VFIO device any more: somebody has unbound its driver", step->device);
		return -ENODEV;
	}
	error = kernel_open_device(device, &run->file[run->file_count]);
	if (error < 0)
		return error;
	run->file_count++;
	return 0;
}

int undo_open(struct run *run, const struct step *step)
{
	struct device_file *file = run->file[--run->file_count];

	kernel_close_device(file);
	return 0;
}

/* The file that the plan has opened of a device, or NULL. */
static struct device_file *file_of(const struct run *run, const struct step *step)
{
	for (size_t i = 0; i < run->file_count; i++)
		if (strcmp(run->file[i]->device->now.name, step->device) == 0)
			return run->file[i];
	return NULL;
}

/* Why a BIND was refused with EPERM, which the kernel does not tell. */
static void explain_refusal(struct run *run, const struct simulated_device *device)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(run->machine->topology, device->now.group, member, GROUP_MEMBERS_MAX);
	char list[TEXT_MAX] = "";

	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++)
		if (driver_uses_host_dma(machine_find(run->machine, member[i]->name)))
			text_append(list, sizeof(list), "%s%s on %s", *list ? ", " : "", member[i]->name,
				    member[i]->driver);
	if (*list)
		run_say(run, "%s can't be bound to the iommufd: its group has %s", device->now.name, list);
	else
		run_say(run, "%s can't be bound to the iommufd: its group belongs to another one", device->now.name);
}

int do_bind(struct run *run, const struct step *step)
{
	struct device_file *file = file_of(run, step);
	int error;

	if (!file || !run->context)
		return -EBADF;
	error = kernel_bind(file, run->context);
	if (error == -EPERM)
		explain_refusal(run, file->device);
	else if (error == -EINVAL)
		run_say(run, "%s is bound to an iommufd already: somebody holds it", step->device);
	return error;
}

int do_ioas(struct run *run, const struct step *step)
{
	if (!run->context)
		return -EBADF;
	if (step->number != 0) {
		run->ioas = (uint32_t)step->number;
		return 0;
	}
	return kernel_alloc_ioas(run->context, &run->ioas);
}

int do_attach(struct run *run, const struct step *step)
{
	struct device_file *file = file_of(run, step);

	return file ? kernel_attach(file, run->ioas) : -EBADF;
}

/*
 * The peer is a real process, which a simulated host has no business to change: its limit is read, and that it lives is
 * seen to, but nothing is set.
 */
int do_memlock(struct run *run, const struct step *step)
{
	struct pollfd peer = { .fd = run->peer_fd, .events = POLLIN };
	struct rlimit limit;

	if (run->peer <= 0)
		return -EBADF;
	if (poll(&peer, 1, 0) != 0 || prlimit(run->peer, RLIMIT_MEMLOCK, NULL, &limit) < 0) {
		/* A process of somebody else's can't be read; one that has ended can't be a client. */
		if (peer.revents || errno != EPERM)
			return -ESRCH;
		getrlimit(RLIMIT_MEMLOCK, &limit);
	}
	run->result.memlock_before = limit.rlim_cur;
	return 0;
}
