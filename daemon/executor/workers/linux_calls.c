#include "linux_calls.h"

#include "../../base/descriptors.h"
#include "../devices/device_kind.h"
#include "../devices/node_acl.h"
#include "../devices/pci_driver.h"
#include "../devices/vfio.h"
#include "../devices/vfio_group.h"
#include "../survey/survey_block.h"
#include "memlock_limit.h"
#include "plan_context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A last close may be under way in a process that is dying, and the kernel has no event for its end. */
enum { CLOSE_PATIENCE_MSEC = 1000, CLOSE_STEP_MAX_MSEC = 64 };

static struct plan_context *context_of(struct plan_run *run)
{
	return (struct plan_context *)run;
}

static struct context_device *beside(struct plan_run *run, const struct plan_device *device)
{
	return plan_context_device(context_of(run), device);
}

static struct pci_driver_subject subject_of(struct plan_run *run, const struct plan_device *device)
{
	return (struct pci_driver_subject){ .host = context_of(run)->host,
					    .name = device->name,
					    .folder = beside(run, device)->folder };
}

static bool is_there(struct plan_run *run, const struct plan_device *device)
{
	int folder = beside(run, device)->folder;

	return folder >= 0 && !device_is_gone(device->name, folder);
}

static bool is_on_vfio(struct plan_run *run, const struct plan_device *device)
{
	char node[32];

	return vfio_node_of(beside(run, device)->folder, node);
}

static int read_driver(struct plan_run *run, const struct plan_device *device, char out[static DRIVER_NAME_MAX])
{
	struct pci_driver_subject subject = subject_of(run, device);

	return pci_driver_read(&subject, out, run->why);
}

static int read_override(struct plan_run *run, const struct plan_device *device, char out[static DRIVER_NAME_MAX])
{
	struct pci_driver_subject subject = subject_of(run, device);

	return pci_driver_read_override(&subject, out, run->why);
}

static int write_override(struct plan_run *run, const struct plan_device *device, const char *value)
{
	struct pci_driver_subject subject = subject_of(run, device);

	return pci_driver_write_override(&subject, value, run->why);
}

static int unbind(struct plan_run *run, const struct plan_device *device, const char *driver)
{
	struct pci_driver_subject subject = subject_of(run, device);

	return pci_driver_unbind(&subject, driver, run->why);
}

static int unbind_unused(struct plan_run *run, const struct plan_device *device, const char *driver)
{
	char disk[64] = "";
	int *held, error;
	size_t count;

	error = block_hold(context_of(run)->host, device->name, &held, &count, disk);
	if (error == -EBUSY)
		return plan_fail(run, error, "%s: its disk %s is in use", device->name, disk);
	if (error < 0)
		return plan_fail(run, error, "%s: cannot open its disk %s: %s", device->name, disk, strerror(-error));
	error = unbind(run, device, driver);
	for (size_t i = 0; i < count; i++)
		close(held[i]);
	free(held);
	return error;
}

static int probe(struct plan_run *run, const struct plan_device *device, const char *driver)
{
	struct pci_driver_subject subject = subject_of(run, device);

	return pci_driver_probe(&subject, driver, run->why);
}

static bool is_context(struct plan_run *run, bool container)
{
	const struct plan_context *context = context_of(run);

	return container ? vfio_is_container(context->host, context->context)
			 : vfio_is_context(context->host, context->context);
}

static int open_context(struct plan_run *run, bool container)
{
	struct plan_context *context = context_of(run);

	return container ? vfio_open_container(context->host, &context->context, run->why)
			 : vfio_open_context(context->host, &context->context, run->why);
}

static void close_context(struct plan_run *run)
{
	descriptor_close(&context_of(run)->context);
}

static int allocate_ioas(struct plan_run *run, uint32_t *ioas)
{
	return vfio_allocate_ioas(context_of(run)->context, ioas, run->why);
}

static int empty_context(struct plan_run *run, bool container, uint32_t ioas)
{
	return container ? vfio_empty_container(context_of(run)->context, run->why)
			 : vfio_empty_context(context_of(run)->context, ioas, run->why);
}

static int open_device(struct plan_run *run, struct plan_device *device)
{
	struct context_device *files = beside(run, device);

	return vfio_open_device(context_of(run)->host, device->name, files->folder, &files->fd, run->why);
}

static int bind_device(struct plan_run *run, struct plan_device *device)
{
	const struct plan_context *context = context_of(run);

	return vfio_bind(context->host, device->name, beside(run, device)->fd, context->context, run->why);
}

static int attach_device(struct plan_run *run, struct plan_device *device, uint32_t ioas)
{
	return vfio_attach(device->name, beside(run, device)->fd, ioas, run->why);
}

static void close_device(struct plan_run *run, struct plan_device *device)
{
	descriptor_close(&beside(run, device)->fd);
}

static int open_group(struct plan_run *run, struct plan_device *device)
{
	struct context_device *files = beside(run, device);

	return vfio_open_group(context_of(run)->host, device->name, files->folder, &files->group_fd, run->why);
}

static int join_container(struct plan_run *run, struct plan_device *device)
{
	const struct plan_context *context = context_of(run);

	return vfio_join_container(context->host, device->name, beside(run, device)->group_fd, context->context,
				   run->why);
}

static void close_group(struct plan_run *run, struct plan_device *device)
{
	descriptor_close(&beside(run, device)->group_fd);
}

static int open_by_group(struct plan_run *run, struct plan_device *device, const struct plan_device *group)
{
	return vfio_open_by_group(device->name, beside(run, group)->group_fd, &beside(run, device)->fd, run->why);
}

/* The nodes of a device, or the container's, that the user needs an entry of. Returns how many; -ENODEV with why. */
static int nodes_to_grant(struct plan_run *run, const struct plan_device *device,
			  struct vfio_node node[static VFIO_NODES_MAX])
{
	const struct host *host = context_of(run)->host;
	int count;

	if (!device) {
		int error = node_acl_container(host, &node[0]);

		if (error < 0)
			return plan_fail(
				run, error,
				"there is no /dev/vfio/vfio: the module vfio is not loaded (modprobe vfio_pci)");
		/* Its usual mode. An entry would say nothing more. */
		return node_acl_is_open_to_all(host, &node[0]) ? 0 : 1;
	}
	count = (int)node_acl_nodes_of(host, beside(run, device)->folder, node);
	return count > 0 ? count : plan_fail(run, -ENODEV, "%s has no VFIO node", device->name);
}

static int grant_nodes(struct plan_run *run, const struct plan_device *device, uid_t uid)
{
	struct vfio_node node[VFIO_NODES_MAX];
	int count = nodes_to_grant(run, device, node), error = 0;

	for (int i = 0; i < count && uid != 0 && error == 0; i++) {
		node_acl_wait_for_udev(&node[i]);
		error = node_acl_grant(context_of(run)->host, &node[i], uid, run->why);
	}
	return count < 0 ? count : error;
}

static int revoke_nodes(struct plan_run *run, const struct plan_device *device, uid_t uid)
{
	const struct host *host = context_of(run)->host;
	struct vfio_node node[VFIO_NODES_MAX];
	size_t count = 0;
	int error = 0;

	if (device)
		count = node_acl_nodes_of(host, beside(run, device)->folder, node);
	else if (node_acl_container(host, &node[0]) == 0)
		count = 1;
	for (size_t i = 0; i < count; i++) {
		int result = node_acl_revoke(host, &node[i], uid, run->why);

		error = error < 0 ? error : result;
	}
	return error;
}

static int raise_memlock(struct plan_run *run, uint64_t bytes, uint64_t *before)
{
	int error = memlock_limit_raise(context_of(run), bytes);

	if (error == 0)
		*before = context_of(run)->limit_before.rlim_cur;
	return error;
}

static int put_back_memlock(struct plan_run *run)
{
	return memlock_limit_put_back(context_of(run));
}

/*
 * A binder may not look into processes. The surveyor has, of all devices that the plan has this step for, and the main
 * process has passed on that it found nobody; one that was found was the answer, and the plan never came here.
 */
static int find_holder(struct plan_run *run, const struct plan_device *device)
{
	if (context_of(run)->proof == WIRE_PROOF_THERE)
		return 0;
	return plan_fail(run, -EACCES, "the holders of %s were not checked", device->name);
}

/* The context that proofs are made in: the claim's own where it goes on, else a fresh one. */
static int proof_context(struct plan_run *run, bool own, int *fd)
{
	struct plan_context *context = context_of(run);
	int error = 0;

	if (own) {
		*fd = context->context;
		return run->context_passed && vfio_is_context(context->host, context->context)
			       ? 0
			       : plan_fail(run, -EBADF, "the claim's iommufd was not passed with the plan");
	}
	if (context->proof_context < 0)
		error = vfio_open_plain_context(context->host, &context->proof_context, run->why);
	*fd = context->proof_context;
	return error;
}

static int try_bind(struct plan_run *run, const struct plan_device *device, bool own)
{
	const struct host *host = context_of(run)->host;
	autoclose int fd = -1;
	int context, error = proof_context(run, own, &context);

	if (error == 0)
		error = vfio_open_device(host, device->name, beside(run, device)->folder, &fd, run->why);
	return error == 0 ? vfio_bind(host, device->name, fd, context, run->why) : error;
}

static int try_group(struct plan_run *run, const struct plan_device *device)
{
	autoclose int group = -1;
	int error = vfio_open_group(context_of(run)->host, device->name, beside(run, device)->folder, &group, run->why);

	/* A group without a node has no device on VFIO. */
	return error == -ENODEV ? 0 : error;
}

static bool has_host_driver(struct plan_run *run, const struct plan_device *device)
{
	char members[TEXT_MAX];

	return vfio_members_on_host_drivers(context_of(run)->host, device->name, members, sizeof(members)) > 0;
}

static int wait_for_close(struct plan_run *run, const struct plan_device *device)
{
	struct plan_context *context = context_of(run);
	struct timespec time;

	if (context->waited >= CLOSE_PATIENCE_MSEC)
		return -ETIMEDOUT;
	if (context->pause == 0)
		context->pause = 1;
	time = (struct timespec){ .tv_nsec = (long)context->pause * 1000000 };
	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
	context->waited += context->pause;
	context->pause = context->pause * 2 < CLOSE_STEP_MAX_MSEC ? context->pause * 2 : CLOSE_STEP_MAX_MSEC;
	return 0;
}

static void step_ended(struct plan_run *run)
{
	context_of(run)->waited = context_of(run)->pause = 0;
}

static int read_bus_master(struct plan_run *run, const struct plan_device *device, bool *on)
{
	return device_read_bus_master(device->name, beside(run, device)->folder, on, run->why);
}

static int reset(struct plan_run *run, const struct plan_device *device)
{
	return device_reset(device->name, beside(run, device)->folder, run->why);
}

const struct host_calls linux_calls = {
	.step_ended = step_ended,
	.is_there = is_there,
	.is_on_vfio = is_on_vfio,
	.read_driver = read_driver,
	.read_override = read_override,
	.write_override = write_override,
	.unbind = unbind,
	.unbind_unused = unbind_unused,
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
