#include "simulated_calls.h"

#include "../../policy/util/text.h"
#include "../base/descriptors.h"
#include "plan_run.h"
#include "stand_in_holders.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>

/* As long as the kernel may take to close what an ending process had open. */
enum { PATIENCE_MILLISECONDS = 1000 };

static struct run *run_of(struct plan_run *engine)
{
	return (struct run *)engine;
}

static struct run_files *files_of(struct plan_run *engine, const struct plan_device *device)
{
	return &run_of(engine)->files[device - engine->device];
}

/* The device as it was planned, or NULL: gone, or another one under its name. */
static struct simulated_device *find(struct plan_run *engine, const struct plan_device *planned)
{
	struct simulated_device *device = machine_find(run_of(engine)->machine, planned->name);

	return device && device->now.identity == planned->identity ? device : NULL;
}

static bool is_there(struct plan_run *engine, const struct plan_device *device)
{
	return find(engine, device) != NULL;
}

static bool is_on_vfio(struct plan_run *engine, const struct plan_device *device)
{
	return *find(engine, device)->now.vfio_node != '\0';
}

static int read_driver(struct plan_run *engine, const struct plan_device *device, char out[static DRIVER_NAME_MAX])
{
	memcpy(out, find(engine, device)->now.driver, DRIVER_NAME_MAX);
	return 0;
}

/* Reading driver_override takes the device's lock, which whoever unbinds or unplugs it has. */
static int read_override(struct plan_run *engine, const struct plan_device *device, char out[static DRIVER_NAME_MAX])
{
	struct simulated_device *found = find(engine, device);

	if (found->locked_by)
		return run_wait(run_of(engine), found, 0);
	memcpy(out, found->now.driver_override, DRIVER_NAME_MAX);
	return 0;
}

static int write_override(struct plan_run *engine, const struct plan_device *device, const char *value)
{
	struct simulated_device *found = find(engine, device);

	return run_outcome(run_of(engine), found, kernel_override(found, value));
}

static int unbind(struct plan_run *engine, const struct plan_device *device, const char *driver)
{
	struct simulated_device *found = find(engine, device);

	if (!*found->now.driver)
		return 0;
	if (strcmp(found->now.driver, driver) != 0)
		return plan_fail(engine, -EBUSY, "%s is bound to %s, not to %s as planned", device->name,
				 found->now.driver, driver);
	return run_outcome(run_of(engine), found, kernel_unbind(found, run_of(engine)));
}

static int probe(struct plan_run *engine, const struct plan_device *device, const char *driver)
{
	struct simulated_device *found = find(engine, device);
	int error;

	if (strcmp(found->now.driver, driver) == 0)
		return 0;
	if (*found->now.driver)
		return plan_fail(engine, -EBUSY, "%s is bound to %s, not to %s", device->name, found->now.driver,
				 driver);
	error = kernel_probe(found);
	if (error == KERNEL_BLOCKED)
		return run_outcome(run_of(engine), found, error);
	if (error == 0 && strcmp(found->now.driver, driver) == 0)
		return 0;
	if (error == 0)
		return plan_fail(engine, -ENODEV, "the kernel has no driver %s that takes %s", driver, device->name);
	return plan_fail(engine, error, "%s: the driver %s does not take it: %s", device->name, driver,
			 strerror(-error));
}

/* The plan's context, whether it was passed in or opened here. */
static struct context *context_of(struct plan_run *engine)
{
	const struct run *run = run_of(engine);

	return run->passed_context >= 0 ? kernel_context_of(run->machine, run->passed_context) : run->context;
}

static bool is_context(struct plan_run *engine, bool container)
{
	const struct context *context = context_of(engine);

	return context && context->container == container;
}

static int open_context(struct plan_run *engine, bool container)
{
	struct run *run = run_of(engine);
	int error = container ? kernel_open_container(run->machine, &run->context)
			      : kernel_open_iommu(run->machine, &run->context);

	if (error == -ENOENT)
		plan_fail(engine, error, "this kernel has no %s", container ? "/dev/vfio/vfio" : "/dev/iommu");
	return error;
}

static void close_context(struct plan_run *engine)
{
	struct run *run = run_of(engine);

	if (run->context)
		kernel_close_context(run->context);
	run->context = NULL;
}

static int allocate_ioas(struct plan_run *engine, uint32_t *ioas)
{
	struct context *context = context_of(engine);

	return context ? kernel_alloc_ioas(context, ioas) : -EBADF;
}

static int empty_context(struct plan_run *engine, bool container, uint32_t ioas)
{
	kernel_unmap(context_of(engine));
	return 0;
}

static int open_device(struct plan_run *engine, struct plan_device *device)
{
	struct simulated_device *found = find(engine, device);

	if (!*found->now.vfio_node)
		return plan_fail(engine, -ENODEV, "%s no longer has a VFIO device: its driver was unbound",
				 device->name);
	return kernel_open_device(found, &files_of(engine, device)->device);
}

static void close_device(struct plan_run *engine, struct plan_device *device)
{
	struct run_files *files = files_of(engine, device);

	if (files->device)
		kernel_close_device(files->device);
	files->device = NULL;
}

/* Why a group was refused with EPERM, which the kernel does not tell. what: "be bound to the iommufd". */
static void explain_refusal(struct plan_run *engine, const struct simulated_device *device, const char *what)
{
	const struct machine *machine = run_of(engine)->machine;
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(machine->topology, device->now.group, member, GROUP_MEMBERS_MAX);
	char list[TEXT_MAX] = "";

	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++)
		if (driver_uses_host_dma(machine_find(machine, member[i]->name)))
			text_append(list, sizeof(list), "%s%s on %s", *list ? ", " : "", member[i]->name,
				    member[i]->driver);
	if (*list)
		plan_fail(engine, 0, "%s can't %s: its group has %s", device->now.name, what, list);
	else
		plan_fail(engine, 0, "%s can't %s: its group belongs to another one", device->now.name, what);
}

static int bind_device(struct plan_run *engine, struct plan_device *device)
{
	struct device_file *file = files_of(engine, device)->device;
	struct context *context = context_of(engine);
	int error = file && context ? kernel_bind(file, context) : -EBADF;

	if (error == -EPERM)
		explain_refusal(engine, file->device, "be bound to the iommufd");
	else if (error == -EINVAL)
		plan_fail(engine, error, "%s is already bound to an iommufd: a process holds it", device->name);
	else if (error == -EBUSY)
		plan_fail(engine, error, "%s: a process has its IOMMU group open", device->name);
	return error;
}

static int attach_device(struct plan_run *engine, struct plan_device *device, uint32_t ioas)
{
	struct device_file *file = files_of(engine, device)->device;

	return file ? kernel_attach(file, ioas) : -EBADF;
}

static int open_group(struct plan_run *engine, struct plan_device *device)
{
	int error = kernel_open_group(find(engine, device), &files_of(engine, device)->group);

	if (error == -EBUSY)
		return plan_fail(engine, error, "%s: a process has its IOMMU group open, or a device of it",
				 device->name);
	if (error == -ENOENT)
		return plan_fail(engine, -ENODEV, "%s no longer has a VFIO group: its driver was unbound",
				 device->name);
	return error;
}

static int join_container(struct plan_run *engine, struct plan_device *device)
{
	struct context *context = context_of(engine);
	int error = context ? kernel_set_container(files_of(engine, device)->group, context) : -EBADF;

	if (error == -EPERM)
		explain_refusal(engine, find(engine, device), "be put into the container");
	return error;
}

static void close_group(struct plan_run *engine, struct plan_device *device)
{
	struct run_files *files = files_of(engine, device);

	if (files->group)
		kernel_close_group(files->group);
	files->group = NULL;
}

static int open_by_group(struct plan_run *engine, struct plan_device *device, const struct plan_device *group)
{
	return kernel_open_by_group(files_of(engine, group)->group, find(engine, device),
				    &files_of(engine, device)->device);
}

static int grant_nodes(struct plan_run *engine, const struct plan_device *device, uid_t uid)
{
	struct machine *machine = run_of(engine)->machine;
	struct simulated_device *found = device ? find(engine, device) : NULL;

	if (!device && !machine->kernel.vfio_group)
		return plan_fail(engine, -ENODEV, "this kernel has no /dev/vfio/vfio");
	if (found && !*found->now.vfio_node)
		return plan_fail(engine, -ENODEV, "%s has no VFIO node", device->name);
	/* Root opens what it likes. */
	return uid == 0 ? 0 : acl_grant(found ? &found->acl : &machine->container_acl, uid);
}

static int revoke_nodes(struct plan_run *engine, const struct plan_device *device, uid_t uid)
{
	acl_revoke(device ? &find(engine, device)->acl : &run_of(engine)->machine->container_acl, uid);
	return 0;
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
static int raise_memlock(struct plan_run *engine, uint64_t bytes, uint64_t *before)
{
	const struct run *run = run_of(engine);
	struct pollfd peer = { .fd = run->peer_fd, .events = POLLIN };
	struct rlimit limit;

	if (run->peer <= 0)
		return -ESRCH;
	if (run->peer == 1)
		return plan_fail(engine, -EPERM, "the client cannot be the service manager");
	if (poll(&peer, 1, 0) != 0 || prlimit(run->peer, RLIMIT_MEMLOCK, NULL, &limit) < 0) {
		/* A process of somebody else's can't be read; one that has ended can't be a client. */
		if (peer.revents || errno != EPERM)
			return -ESRCH;
		getrlimit(RLIMIT_MEMLOCK, &limit);
	}
	if (!has_uid(run->peer, run->owner.subject.uid))
		return plan_fail(engine, -EPERM, "the client [%d] runs as another user", run->peer);
	*before = limit.rlim_cur;
	return 0;
}

static int put_back_memlock(struct plan_run *engine)
{
	return 0;
}

static int on_holder(void *context, const struct holder *holder)
{
	*(struct holder *)context = *holder;
	return 1;
}

static int find_holder(struct plan_run *engine, const struct plan_device *device)
{
	struct run *run = run_of(engine);
	struct simulated_device *found = find(engine, device);
	struct holder holder;

	/* A file that is open, and that no process is seen to have, is in flight, or its process is ending just now. */
	if (!kernel_is_within_reach(found) || holders_find(found, on_holder, &holder) == 0)
		return 0;
	run->result.pid = holder.pid;
	memcpy(run->result.holder, holder.name, sizeof(run->result.holder));
	run->pidfd = pidfd_open(holder.pid, 0);
	return plan_fail(engine, -EBUSY, "%s is held by %s[%d]", device->name, holder.name, holder.pid);
}

static int try_bind(struct plan_run *engine, const struct plan_device *device, bool own)
{
	const struct run *run = run_of(engine);
	int error;

	if (!run->machine->kernel.iommufd || !run->machine->kernel.vfio_cdev)
		return -ENOENT;
	if (own && !is_context(engine, false))
		return plan_fail(engine, -EBADF, "the claim's iommufd was not passed with the plan");
	error = kernel_can_bind(find(engine, device), own ? context_of(engine) : NULL);
	if (error == -EINVAL)
		plan_fail(engine, error, "%s is already bound, by a process that has an FD of it", device->name);
	else if (error == -EBUSY)
		plan_fail(engine, error, "%s: a process has its IOMMU group open", device->name);
	else if (error == -EPERM)
		plan_fail(engine, error, "%s: its IOMMU group belongs to another context", device->name);
	return error;
}

static int try_group(struct plan_run *engine, const struct plan_device *device)
{
	int error = kernel_can_open_group(find(engine, device));

	if (error == -EBUSY)
		plan_fail(engine, error, "%s: a process has its IOMMU group open, or a device of it", device->name);
	return error == -ENOENT ? 0 : error;
}

static bool has_host_driver(struct plan_run *engine, const struct plan_device *device)
{
	const struct simulated_group *group = find(engine, device)->group;

	return group && group->host_drivers > 0;
}

static int wait_for_close(struct plan_run *engine, const struct plan_device *device)
{
	struct run *run = run_of(engine);

	return run->patience_over ? -ETIMEDOUT : run_wait(run, find(engine, device), PATIENCE_MILLISECONDS);
}

/* The kernel switches it off with the last close, and no client of the simulator can switch it on. */
static int read_bus_master(struct plan_run *engine, const struct plan_device *device, bool *on)
{
	*on = false;
	return 0;
}

static int reset(struct plan_run *engine, const struct plan_device *device)
{
	struct simulated_device *found = find(engine, device);
	int error = kernel_reset(found);

	if (error == -ENOENT)
		return plan_fail(engine, error, "%s does not support a reset", device->name);
	if (error < 0)
		return plan_fail(engine, error, "failed to reset %s: no method works, as it is not alone on its bus",
				 device->name);
	return run_outcome(run_of(engine), found, error);
}

const struct host_calls simulated_calls = {
	.is_there = is_there,
	.is_on_vfio = is_on_vfio,
	.read_driver = read_driver,
	.read_override = read_override,
	.write_override = write_override,
	.unbind = unbind,
	.unbind_unused = unbind,
	.probe = probe,
	.is_context = is_context,
	.open_context = open_context,
	.close_context = close_context,
	.allocate_ioas = allocate_ioas,
	.empty_context = empty_context,
	.open_device = open_device,
	.bind_device = bind_device,
	.attach_device = attach_device,
	.close_device = close_device,
	.open_group = open_group,
	.join_container = join_container,
	.close_group = close_group,
	.open_by_group = open_by_group,
	.grant = grant_nodes,
	.revoke = revoke_nodes,
	.raise_memlock = raise_memlock,
	.put_back_memlock = put_back_memlock,
	.find_holder = find_holder,
	.try_bind = try_bind,
	.try_group = try_group,
	.has_host_driver = has_host_driver,
	.wait_for_close = wait_for_close,
	.read_bus_master = read_bus_master,
	.reset = reset,
};
