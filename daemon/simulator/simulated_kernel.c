#include "simulated_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_vfio_driver(const struct simulated_device *device, const char *driver)
{
	return strstr(driver, "vfio") || (*driver && strcmp(driver, device->vendor_vfio) == 0);
}

/* True if the kernel has this driver and it takes the device once they are matched. */
static bool driver_takes(const struct simulated_device *device, const char *driver)
{
	for (size_t i = 0; i < device->driver_count; i++)
		if (strcmp(device->driver[i], driver) == 0)
			return true;
	return device->machine->has_vfio_pci && !device_is_bridge(&device->now) && device_is_moved(&device->now) &&
	       strcmp(driver, device_kind_of(&device->now)->claim_driver) == 0;
}

/*
 * Hears of files that were closed before the loop comes round to tell: whoever closed a file has closed it. The file
 * that is looked at may be freed, but no other.
 */
static bool is_held(struct device_file *file)
{
	if (stand_in_is_held(&file->stand_in))
		return true;
	kernel_close_device(file);
	return false;
}

/* The one file by which somebody has the group open at this very moment, or NULL. */
static const struct group_file *opened_of(const struct simulated_group *group)
{
	struct device_file *file;

	if (group->opened && group->opened->open && !stand_in_is_held(&group->opened->stand_in))
		kernel_close_group(group->opened);
	while (group->opened && !group->opened->open && (file = TAILQ_FIRST(&group->opened->files)))
		if (is_held(file))
			break;
	return group->opened;
}

/* The context that a member of the group is bound to at this very moment, or NULL. */
static const struct context *bound_of(const struct simulated_group *group)
{
	struct device_file *file;

	while ((file = TAILQ_FIRST(&group->bound)))
		if (is_held(file))
			return file->context;
	return NULL;
}

/* The context that owns the group at this very moment, or NULL. */
static const struct context *owner_of(const struct simulated_group *group)
{
	const struct group_file *opened = opened_of(group);

	return opened && opened->container ? opened->container : bound_of(group);
}

/* Tells whether a member, other than one (or NULL), is on VFIO; and wakes who waits for any, if wake says so. */
static bool look_at_members(const struct machine *machine, const struct simulated_group *group,
			    const struct simulated_device *other_than, bool wake)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(machine->topology, group->number, member, GROUP_MEMBERS_MAX);
	bool on_vfio = false;

	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++) {
		struct simulated_device *device = machine_find(machine, member[i]->name);

		on_vfio = on_vfio || (device->on_vfio && device != other_than);
		if (wake)
			machine_wake(device);
	}
	return on_vfio;
}

static void set_text(char *out, size_t size, const char *text)
{
	memset(out, 0, size);
	memcpy(out, text, strnlen(text, size - 1));
}

int kernel_override(struct simulated_device *device, const char *driver)
{
	if (device->locked_by)
		return KERNEL_BLOCKED;
	set_text(device->now.driver_override, sizeof(device->now.driver_override), driver);
	machine_note_change(device);
	return 0;
}

/* What the driver core does once a driver was found. -EBUSY: dma_configure finds the group in other hands. */
static int bind(struct simulated_device *device, const char *driver)
{
	bool on_vfio = is_vfio_driver(device, driver);
	int number = -1;

	if (on_vfio) {
		number = machine_take_vfio_number(device->machine, -1);
		if (number < 0)
			return number;
	}
	set_text(device->now.driver, sizeof(device->now.driver), driver);
	device->on_vfio = on_vfio;
	if (device->group && driver_uses_host_dma(device)) {
		if (owner_of(device->group)) {
			set_text(device->now.driver, sizeof(device->now.driver), "");
			return -EBUSY;
		}
		device->group->host_drivers++;
	}
	if (on_vfio)
		snprintf(device->now.vfio_node, sizeof(device->now.vfio_node), "vfio%d", number);
	machine_note_change(device);
	return 0;
}

int kernel_probe(struct simulated_device *device)
{
	const char *driver = NULL;

	if (device->locked_by)
		return KERNEL_BLOCKED;
	if (*device->now.driver)
		return 0;
	if (*device->now.driver_override) {
		if (driver_takes(device, device->now.driver_override))
			driver = device->now.driver_override;
	} else {
		/* VFIO's drivers know no device by its ids: they bind only where they are told to. */
		for (size_t i = 0; i < device->driver_count && !driver; i++)
			if (!strstr(device->driver[i], "vfio"))
				driver = device->driver[i];
	}
	if (!driver)
		return 0;
	return bind(device, driver) < 0 ? -EINVAL : 0;
}

int kernel_bind_driver(struct simulated_device *device, const char *driver)
{
	if (device->locked_by)
		return KERNEL_BLOCKED;
	if (!driver_takes(device, driver) ||
	    (*device->now.driver_override && strcmp(device->now.driver_override, driver) != 0))
		return -ENODEV;
	if (*device->now.driver)
		return -EBUSY;
	return bind(device, driver);
}

bool kernel_is_open(struct simulated_device *device)
{
	struct device_file *file;

	while ((file = TAILQ_FIRST(&device->files)))
		if (is_held(file))
			return true;
	return false;
}

bool kernel_is_within_reach(struct simulated_device *device)
{
	return kernel_is_open(device) || (*device->now.vfio_node && device->group && opened_of(device->group));
}

/* The node vanishes as soon as the driver begins to let go of the device, long before it is through. */
static void drop_node(struct simulated_device *device)
{
	if (!*device->now.vfio_node)
		return;
	machine_free_vfio_number(device->machine, vfio_node_number(device->now.vfio_node));
	set_text(device->now.vfio_node, sizeof(device->now.vfio_node), "");
	acl_clear(&device->acl);
	machine_note_change(device);
}

static void context_free_unless_needed(struct context *context)
{
	if (context->open || context->files > 0)
		return;
	free(context->ioas);
	free(context);
}

static void leave_container(struct group_file *file)
{
	struct context *container = file->container;

	file->container = NULL;
	if (!container)
		return;
	container->files--;
	context_free_unless_needed(container);
}

/* The last device of a group has left VFIO: whoever has the group open has nothing of it any more. */
static void drop_group(struct simulated_device *device)
{
	struct simulated_group *group = device->group;

	if (!group || !group->opened || look_at_members(device->machine, group, device, false))
		return;
	leave_container(group->opened);
	group->opened->group = NULL;
	group->opened = NULL;
}

int kernel_unbind(struct simulated_device *device, const void *who)
{
	if (device->locked_by && device->locked_by != who)
		return KERNEL_BLOCKED;
	if (!*device->now.driver)
		return -ENODEV;
	if (device->on_vfio) {
		drop_node(device);
		if (kernel_is_open(device)) {
			device->locked_by = who;
			return KERNEL_BLOCKED;
		}
	}
	device->locked_by = NULL;
	if (device->group && driver_uses_host_dma(device))
		device->group->host_drivers--;
	set_text(device->now.driver, sizeof(device->now.driver), "");
	device->on_vfio = false;
	drop_group(device);
	machine_note_change(device);
	machine_wake(device);
	return 0;
}

int kernel_reset(struct simulated_device *device)
{
	const uint32_t of_the_bus = RESET_METHOD_BUS | RESET_METHOD_CXL_BUS;

	if (device->locked_by)
		return KERNEL_BLOCKED;
	if (device_pci(&device->now)->reset_methods == 0)
		return -ENOENT;
	if (device_pci(&device->now)->reset_methods & ~of_the_bus)
		return 0;
	return device->bus->devices == 1 && *device->now.parent ? 0 : -ENOTTY;
}

/* Not at once: those who close its last file look at the device still. */
static void depart(struct simulated_device *device)
{
	TAILQ_INSERT_TAIL(&device->machine->leaving, device, leaving_link);
	loop_set_timer(device->machine->loop, &device->machine->departure, 0);
}

int kernel_unplug(struct simulated_device *device)
{
	struct simulated_device *other;

	if (device->leaving)
		return KERNEL_BLOCKED;
	TAILQ_FOREACH(other, &device->machine->devices, link)
	if (strcmp(other->now.parent, device->now.name) == 0)
		return -ENOTEMPTY;
	if (device->on_vfio)
		drop_node(device);
	if (kernel_is_open(device)) {
		/* Whoever waits in an unbind of it goes on waiting; the lock is the port's from now on. */
		device->locked_by = device->machine;
		device->leaving = true;
		return KERNEL_BLOCKED;
	}
	drop_group(device);
	machine_remove(device);
	return 0;
}

void kernel_close_context(struct context *context)
{
	if (!context->open)
		return;
	name_table_remove(&context->machine->contexts, context->key);
	stand_in_close(&context->stand_in);
	context->open = false;
	context_free_unless_needed(context);
}

static void on_context_closed(struct stand_in *stand_in)
{
	/* The stand-in is the first member. */
	kernel_close_context((struct context *)stand_in);
}

static int open_context(struct machine *machine, bool container, struct context **out)
{
	struct context *context;
	int error;

	if (container ? !machine->kernel.vfio_group : !machine->kernel.iommufd)
		return -ENOENT;
	context = calloc(1, sizeof(*context));
	if (!context)
		return -ENOMEM;
	error = stand_in_open(&context->stand_in, machine->loop, on_context_closed);
	if (error < 0) {
		free(context);
		return error;
	}
	context->machine = machine;
	context->container = container;
	context->open = true;
	snprintf(context->key, sizeof(context->key), "%llu", (unsigned long long)context->stand_in.inode);
	if (name_table_add(&machine->contexts, context->key, context) < 0) {
		stand_in_close(&context->stand_in);
		free(context);
		return -ENOMEM;
	}
	*out = context;
	return 0;
}

int kernel_open_iommu(struct machine *machine, struct context **out)
{
	return open_context(machine, false, out);
}

int kernel_open_container(struct machine *machine, struct context **out)
{
	return open_context(machine, true, out);
}

void kernel_unmap(struct context *context)
{
	context->machine->unmapped++;
}

struct context *kernel_context_of(const struct machine *machine, int fd)
{
	char key[24];

	snprintf(key, sizeof(key), "%llu", (unsigned long long)stand_in_inode_of(fd));
	return name_table_find(&machine->contexts, key);
}

int kernel_alloc_ioas(struct context *context, uint32_t *ioas)
{
	uint32_t *larger = realloc(context->ioas, (context->ioas_count + 1) * sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	context->ioas = larger;
	context->ioas[context->ioas_count++] = ++context->last_object;
	*ioas = context->last_object;
	return 0;
}

static void on_device_closed(struct stand_in *stand_in)
{
	kernel_close_device((struct device_file *)stand_in);
}

static int open_device(struct simulated_device *device, struct device_file **out)
{
	struct device_file *file;
	int error;

	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	error = stand_in_open(&file->stand_in, device->machine->loop, on_device_closed);
	if (error < 0) {
		free(file);
		return error;
	}
	file->device = device;
	TAILQ_INSERT_TAIL(&device->files, file, link);
	*out = file;
	return 0;
}

int kernel_open_device(struct simulated_device *device, struct device_file **out)
{
	return device->machine->kernel.vfio_cdev && *device->now.vfio_node ? open_device(device, out) : -ENOENT;
}

int kernel_can_bind(const struct simulated_device *device, const struct context *context)
{
	const struct context *owner;
	struct device_file *file, *next;

	if (device->group && opened_of(device->group))
		return -EBUSY;
	for (file = TAILQ_FIRST(&device->files); file; file = next) {
		next = TAILQ_NEXT(file, link);
		if (file->context && is_held(file))
			return -EINVAL;
	}
	if (!device->group)
		return device_lacks_group(&device->now) ? -ENODEV : 0;
	if (device->group->host_drivers > 0)
		return -EPERM;
	owner = owner_of(device->group);
	return owner && owner != context ? -EPERM : 0;
}

int kernel_bind(struct device_file *file, struct context *context)
{
	int error = kernel_can_bind(file->device, context);

	if (error < 0)
		return error;
	file->context = context;
	context->files++;
	context->last_object++;
	if (file->device->group)
		TAILQ_INSERT_TAIL(&file->device->group->bound, file, bound_link);
	return 0;
}

int kernel_attach(struct device_file *file, uint32_t ioas)
{
	if (!file->context)
		return -EINVAL;
	for (size_t i = 0; i < file->context->ioas_count; i++) {
		if (file->context->ioas[i] != ioas)
			continue;
		file->ioas = ioas;
		return 0;
	}
	return -ENOENT;
}

int kernel_can_open_group(struct simulated_device *device)
{
	if (!device->machine->kernel.vfio_group || !device->group ||
	    !look_at_members(device->machine, device->group, NULL, false))
		return -ENOENT;
	return opened_of(device->group) || bound_of(device->group) ? -EBUSY : 0;
}

static void on_group_closed(struct stand_in *stand_in)
{
	kernel_close_group((struct group_file *)stand_in);
}

int kernel_open_group(struct simulated_device *device, struct group_file **out)
{
	int error = kernel_can_open_group(device);
	struct group_file *file;

	if (error < 0)
		return error;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	error = stand_in_open(&file->stand_in, device->machine->loop, on_group_closed);
	if (error < 0) {
		free(file);
		return error;
	}
	TAILQ_INIT(&file->files);
	TAILQ_INSERT_TAIL(&device->machine->group_files, file, link);
	file->machine = device->machine;
	file->group = device->group;
	file->group->opened = file;
	file->open = true;
	*out = file;
	return 0;
}

int kernel_set_container(struct group_file *file, struct context *container)
{
	if (file->container || !container->container || !file->group)
		return -EINVAL;
	if (file->group->host_drivers > 0)
		return -EPERM;
	file->container = container;
	container->files++;
	return 0;
}

int kernel_open_by_group(struct group_file *group, struct simulated_device *device, struct device_file **out)
{
	int error;

	if (!group->container)
		return -EINVAL;
	if (device->group != group->group || !*device->now.vfio_node)
		return -ENODEV;
	error = open_device(device, out);
	if (error < 0)
		return error;
	(*out)->by_group = group;
	TAILQ_INSERT_TAIL(&group->files, *out, by_group_link);
	return 0;
}

static void group_free_unless_needed(struct group_file *file)
{
	struct simulated_group *group = file->group;

	if (file->open || !TAILQ_EMPTY(&file->files))
		return;
	leave_container(file);
	TAILQ_REMOVE(&file->machine->group_files, file, link);
	if (group) {
		group->opened = NULL;
		look_at_members(file->machine, group, NULL, true);
	}
	free(file);
}

void kernel_close_group(struct group_file *file)
{
	if (!file->open)
		return;
	stand_in_close(&file->stand_in);
	file->open = false;
	group_free_unless_needed(file);
}

void kernel_close_device(struct device_file *file)
{
	struct simulated_device *device = file->device;
	struct context *context = file->context;
	struct group_file *by_group = file->by_group;

	TAILQ_REMOVE(&device->files, file, link);
	stand_in_close(&file->stand_in);
	if (context) {
		if (device->group)
			TAILQ_REMOVE(&device->group->bound, file, bound_link);
		context->files--;
		context_free_unless_needed(context);
	}
	if (by_group) {
		TAILQ_REMOVE(&by_group->files, file, by_group_link);
		group_free_unless_needed(by_group);
	}
	free(file);
	machine_wake(device);
	if (device->leaving && TAILQ_EMPTY(&device->files)) {
		drop_group(device);
		depart(device);
	}
}

void kernel_hear_of_closes(struct machine *machine)
{
	struct simulated_device *device;

	TAILQ_FOREACH(device, &machine->devices, link)
	kernel_is_within_reach(device);
	for (size_t i = 0; i < machine->contexts.allocated; i++) {
		struct context *context;

		/* Another may move into the place of one that goes. */
		while (machine->contexts.slot[i].name && (context = machine->contexts.slot[i].value) &&
		       !stand_in_is_held(&context->stand_in))
			kernel_close_context(context);
	}
}

void kernel_close_all(struct machine *machine)
{
	struct simulated_device *device;
	struct group_file *group;
	struct device_file *file;

	TAILQ_FOREACH(device, &machine->devices, link)
	while ((file = TAILQ_FIRST(&device->files)))
		kernel_close_device(file);
	while ((group = TAILQ_FIRST(&machine->group_files)))
		kernel_close_group(group);
	for (size_t i = 0; i < machine->contexts.allocated; i++)
		while (machine->contexts.slot[i].name)
			kernel_close_context(machine->contexts.slot[i].value);
}
