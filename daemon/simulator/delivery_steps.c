#include "delivery_steps.h"

#include "../../policy/util/text.h"
#include "../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Opens a context, or takes the one that was passed. */
static int take_context(struct run *run, const struct step *step, bool container)
{
	const char *what = container ? "container" : "iommufd";
	struct context *passed;

	if ((step->number == 1) != (run->passed_context >= 0)) {
		run_say(run,
			step->number == 1 ? "the claim's %s did not come with the plan"
					  : "a context (%s) came with a plan that opens one",
			what);
		return -EBADF;
	}
	if (step->number != 1)
		return container ? kernel_open_container(run->machine, &run->context)
				 : kernel_open_iommu(run->machine, &run->context);
	passed = kernel_context_of(run->machine, run->passed_context);
	if (!passed || passed->container != container) {
		run_say(run, "the descriptor that came with the plan is no %s", what);
		return -EBADF;
	}
	run->context = passed;
	return 0;
}

int do_context(struct run *run, const struct step *step)
{
	int error = take_context(run, step, false);

	if (error == -ENOENT)
		run_say(run, "this kernel has no /dev/iommu");
	return error;
}

int do_container(struct run *run, const struct step *step)
{
	int error = take_context(run, step, true);

	if (error == -ENOENT)
		run_say(run, "this kernel has no /dev/vfio/vfio");
	return error;
}

int undo_context(struct run *run, const struct step *step)
{
	if (run->passed_context < 0)
		kernel_close_context(run->context);
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

/* Why a group was refused with EPERM, which the kernel does not tell. what: "be bound to the iommufd". */
static void explain_refusal(struct run *run, const struct simulated_device *device, const char *what)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(run->machine->topology, device->now.group, member, GROUP_MEMBERS_MAX);
	char list[TEXT_MAX] = "";

	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++)
		if (driver_uses_host_dma(machine_find(run->machine, member[i]->name)))
			text_append(list, sizeof(list), "%s%s on %s", *list ? ", " : "", member[i]->name,
				    member[i]->driver);
	if (*list)
		run_say(run, "%s can't %s: its group has %s", device->now.name, what, list);
	else
		run_say(run, "%s can't %s: its group belongs to another one", device->now.name, what);
}

static int put_into_container(struct run *run, struct simulated_device *device, struct group_file *file)
{
	int error = kernel_set_container(file, run->context);

	if (error == -EPERM)
		explain_refusal(run, device, "be put into the container");
	return error;
}

int do_group(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	struct group_file *file;
	int error;

	if (!device)
		return -ENODEV;
	if (!run->context)
		return -EBADF;
	if (run->group_count == CLAIM_DEVICES_MAX)
		return -EMFILE;
	error = kernel_open_group(device, &file);
	if (error == -EBUSY)
		run_say(run, "%s: somebody has its IOMMU group open, or a device of it", step->device);
	if (error == -ENOENT) {
		run_say(run, "%s has no VFIO group any more: somebody has unbound its driver", step->device);
		error = -ENODEV;
	}
	if (error < 0)
		return error;
	error = put_into_container(run, device, file);
	if (error < 0)
		kernel_close_group(file);
	else
		run->group[run->group_count++] = file;
	return error;
}

int undo_group(struct run *run, const struct step *step)
{
	struct group_file *file = run->group[--run->group_count];

	kernel_close_group(file);
	return 0;
}

int do_group_device(struct run *run, const struct step *step)
{
	struct simulated_device *device = run_device(run, step);
	struct group_file *group = NULL;
	int error;

	if (!device)
		return -ENODEV;
	if (step->number == 1)
		return 0;
	for (size_t i = 0; i < run->group_count && !group; i++)
		if (run->group[i]->group == device->group)
			group = run->group[i];
	if (!group) {
		run_say(run, "the plan does not open the group of %s", step->device);
		return -EBADF;
	}
	if (run->file_count == CLAIM_DEVICES_MAX)
		return -EMFILE;
	error = kernel_open_by_group(group, device, &run->file[run->file_count]);
	if (error == 0)
		run->file_count++;
	return error;
}

int undo_group_device(struct run *run, const struct step *step)
{
	return step->number == 1 ? 0 : undo_open(run, step);
}

/* The nodes that the step is about, or NULL with *error: there are none. */
static struct acl *nodes_of(struct run *run, const struct step *step, int *error)
{
	struct simulated_device *device;

	*error = -ENODEV;
	if (!*step->device) {
		if (run->machine->kernel.vfio_group)
			return &run->machine->container_acl;
		run_say(run, "this kernel has no /dev/vfio/vfio");
		return NULL;
	}
	device = run_device(run, step);
	if (device && *device->now.vfio_node)
		return &device->acl;
	if (device)
		run_say(run, "%s has no VFIO node", step->device);
	return NULL;
}

int do_grant(struct run *run, const struct step *step)
{
	int error;
	struct acl *acl = nodes_of(run, step, &error);

	if (!acl)
		return error;
	/* Root opens what it likes. */
	return step->number == 0 ? 0 : acl_grant(acl, (uid_t)step->number);
}

/* The container's entry may be another claim's, too, and alone it gives nothing: the last release takes it. */
int undo_grant(struct run *run, const struct step *step)
{
	struct simulated_device *device = *step->device ? run_device(run, step) : NULL;

	if (device)
		acl_revoke(&device->acl, (uid_t)step->number);
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

int do_bind(struct run *run, const struct step *step)
{
	struct device_file *file = file_of(run, step);
	int error;

	if (!file || !run->context)
		return -EBADF;
	error = kernel_bind(file, run->context);
	if (error == -EPERM)
		explain_refusal(run, file->device, "be bound to the iommufd");
	else if (error == -EINVAL)
		run_say(run, "%s is bound to an iommufd already: somebody holds it", step->device);
	else if (error == -EBUSY)
		run_say(run, "%s: somebody has its IOMMU group open", step->device);
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

/* True if all of the process's uids are this one: the pid may be another's by now. */
static bool has_uid(pid_t pid, uid_t uid)
{
	unsigned real, effective, saved;
	char path[32], text[4096];
	const char *line;
	autoclose int file = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	length = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	line = strstr(text, "\nUid:");
	return line && sscanf(line, "\nUid: %u %u %u", &real, &effective, &saved) == 3 && real == uid &&
	       effective == uid && saved == uid;
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
		return -ESRCH;
	if (run->peer == 1) {
		run_say(run, "the client can't be the service manager");
		return -EPERM;
	}
	if (poll(&peer, 1, 0) != 0 || prlimit(run->peer, RLIMIT_MEMLOCK, NULL, &limit) < 0) {
		/* A process of somebody else's can't be read; one that has ended can't be a client. */
		if (peer.revents || errno != EPERM)
			return -ESRCH;
		getrlimit(RLIMIT_MEMLOCK, &limit);
	}
	if (!has_uid(run->peer, run->owner.subject.uid)) {
		run_say(run, "the client [%d] runs as another user", run->peer);
		return -EPERM;
	}
	run->result.memlock_before = limit.rlim_cur;
	return 0;
}
