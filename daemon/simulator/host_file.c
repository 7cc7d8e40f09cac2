#include "host_file.h"

#include "device_text.h"
#include "json_build.h"

#include "../../policy/text.h"
#include "../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { HOST_DEPTH_MAX = 8 };

#define KERNEL_BOOL(member) .read = read_bool32, .offset = offsetof(struct machine, kernel.member)

static bool is_boot_id(const char *text)
{
	return strlen(text) == 36 && strspn(text, "0123456789abcdef-") == 36;
}

static const struct field kernel_fields[] = {
	{ .key = "release", .read = read_text, .offset = offsetof(struct machine, kernel.release),
	  .size = sizeof(((struct kernel_features *)0)->release) },
	{ .key = "iommufd", KERNEL_BOOL(iommufd) },
	{ .key = "vfio_cdev", KERNEL_BOOL(vfio_cdev) },
	{ .key = "vfio_group", KERNEL_BOOL(vfio_group) },
	{ .key = "unsafe_interrupts", KERNEL_BOOL(unsafe_interrupts) },
	{ .key = "noiommu", KERNEL_BOOL(noiommu) },
	{ .key = "vfio_pci", .read = read_bool, .offset = offsetof(struct machine, has_vfio_pci) },
};

static int read_kernel(const struct field *field, const struct json_value *value, void *out,
		       struct json_problem *problem)
{
	return fields_read(value, kernel_fields, sizeof(kernel_fields) / sizeof(*kernel_fields), out, problem);
}

static int refuse_missing(const struct json_value *device, const char *key, struct json_problem *problem)
{
	struct json_value value;

	if (!json_value_member(device, key, &value))
		value = *device;
	return fields_refuse(&value, false, problem, "there is no such device");
}

/* Everything that a device refers to has to be there. */
static int check_references(const struct json_value *value, const struct machine *machine, const struct device *device,
			    struct json_problem *problem)
{
	if (*device->parent) {
		const struct simulated_device *parent = machine_find(machine, device->parent);

		if (!parent)
			return refuse_missing(value, "parent", problem);
		if (!parent->now.bridge)
			return fields_refuse(value, false, problem, "its parent %s is no bridge", device->parent);
	}
	if (*device->physical_function && !machine_find(machine, device->physical_function))
		return refuse_missing(value, "physical_function", problem);
	return 0;
}

static int add(const struct json_value *value, struct machine *machine, const struct device_description *description,
	       struct json_problem *problem)
{
	int error = machine_add(machine, description);

	if (error == -EEXIST)
		return fields_refuse(value, false, problem, "there is a device %s already", description->device.name);
	if (error == -EADDRINUSE)
		return fields_refuse(value, false, problem, "another device has the node %s",
				     description->device.vfio_node);
	return error;
}

int host_add_device(const struct json_value *value, struct machine *machine, struct json_problem *problem)
{
	struct device_description description;
	int error = device_from_json(value, &description, problem);

	if (error < 0)
		return error;
	error = check_references(value, machine, &description.device, problem);
	if (error == 0)
		error = add(value, machine, &description, problem);
	description_done(&description);
	return error;
}

static int read_devices(const struct field *field, const struct json_value *value, void *out,
			struct json_problem *problem)
{
	struct machine *machine = out;
	struct json_children children = json_value_children(value);
	const struct simulated_device *device;
	struct json_value item;

	if (!json_object_is_type(value->object, json_type_array))
		return fields_refuse(value, false, problem, "an array of devices is wanted");
	while (json_children_next(&children, &item)) {
		struct device_description description;
		int error = device_from_json(&item, &description, problem);

		if (error < 0)
			return error;
		error = add(&item, machine, &description, problem);
		description_done(&description);
		if (error < 0)
			return error;
	}
	/* In any order: a parent may come after its children. */
	children = json_value_children(value);
	TAILQ_FOREACH(device, &machine->devices, link) {
		json_children_next(&children, &item);
		if (check_references(&item, machine, &device->now, problem) < 0)
			return -EINVAL;
	}
	return 0;
}

int host_add_use(const struct json_value *value, struct machine *machine, struct json_problem *problem)
{
	struct simulated_device *device;
	struct use use;
	int error = use_from_json(value, &use, problem);

	if (error < 0)
		return error;
	device = machine_find(machine, use.device);
	return device ? machine_add_use(device, &use) : refuse_missing(value, "device", problem);
}

static int check_array(const struct field *field, const struct json_value *value, void *out,
		       struct json_problem *problem)
{
	return json_object_is_type(value->object, json_type_array)
		       ? 0
		       : fields_refuse(value, false, problem, "an array is wanted");
}

/* Uses are read by read_uses(), when all devices are there. */
static const struct field host_fields[] = {
	{ .key = "kernel", .read = read_kernel },
	{ .key = "boot_id", .read = read_text, .offset = offsetof(struct machine, boot_id),
	  .size = sizeof(((struct machine *)0)->boot_id), .valid = is_boot_id,
	  .wanted = "a boot id (01234567-89ab-4cde-8f01-23456789abcd)" },
	{ .key = "devices", .read = read_devices, .required = true, .wanted = "an array of devices" },
	{ .key = "uses", .read = check_array },
};

static int read_uses(const struct json_value *root, struct machine *machine, struct json_problem *problem)
{
	struct json_value uses, item;
	struct json_children children;

	if (!json_value_member(root, "uses", &uses))
		return 0;
	children = json_value_children(&uses);
	while (json_children_next(&children, &item)) {
		int error = host_add_use(&item, machine, problem);

		if (error < 0)
			return error;
	}
	return 0;
}

/* Every start is a boot of its own. */
static int make_boot_id(char out[static 40])
{
	uint8_t byte[16];
	size_t length = 0;

	if (getrandom(byte, sizeof(byte), 0) != sizeof(byte))
		return -EIO;
	byte[6] = (uint8_t)(0x40 | (byte[6] & 0x0f));
	byte[8] = (uint8_t)(0x80 | (byte[8] & 0x3f));
	for (size_t i = 0; i < sizeof(byte); i++)
		length += (size_t)snprintf(out + length, 40 - length, "%s%02x",
					   i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", byte[i]);
	return 0;
}

int host_text_load(const char *text, size_t length, struct machine *machine, struct json_problem *problem)
{
	static const struct kernel_features usual = {
		.iommufd = 1, .vfio_cdev = 1, .vfio_group = 1, .release = "6.12.0-simulated",
	};
	struct json_text *json;
	struct json_value root;
	int error = json_text_new(text, length, HOST_DEPTH_MAX, &json, problem);

	if (error < 0)
		return error;
	machine->kernel = usual;
	machine->has_vfio_pci = true;
	root = json_text_root(json);
	error = make_boot_id(machine->boot_id);
	if (error == 0)
		error = fields_read(&root, host_fields, sizeof(host_fields) / sizeof(*host_fields), machine, problem);
	if (error == 0)
		error = read_uses(&root, machine, problem);
	json_text_free(json);
	return error;
}

static int refuse_file(struct json_problem *problem, const char *why)
{
	*problem = (struct json_problem){ .line = 0 };
	text_format(problem->message, sizeof(problem->message), "can't be read: %s", why);
	return -EINVAL;
}

int host_file_load(const char *path, struct machine *machine, struct json_problem *problem)
{
	/* Opening a FIFO must not wait for a writer. */
	autoclose int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	size_t length = 0;
	char *text;
	int error;

	if (file < 0 || fstat(file, &status) < 0)
		return refuse_file(problem, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return refuse_file(problem, "it is no regular file");
	if (status.st_size > HOST_FILE_MAX)
		return refuse_file(problem, "it is larger than 16 MiB");
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (length < (size_t)status.st_size) {
		ssize_t got = read(file, text + length, (size_t)status.st_size - length);

		if (got < 0 && errno != EINTR) {
			error = refuse_file(problem, strerror(errno));
			free(text);
			return error;
		}
		if (got == 0)
			break;
		length += got > 0 ? (size_t)got : 0;
	}
	error = host_text_load(text, length, machine, problem);
	free(text);
	return error;
}

static struct json_object *kernel_to_json(const struct machine *machine)
{
	const struct kernel_features *kernel = &machine->kernel;
	struct json_object *object = json_object_new_object();

	if (object && json_put_text(object, "release", kernel->release) &&
	    json_put_bool(object, "iommufd", kernel->iommufd) &&
	    json_put_bool(object, "vfio_cdev", kernel->vfio_cdev) &&
	    json_put_bool(object, "vfio_group", kernel->vfio_group) &&
	    json_put_bool(object, "unsafe_interrupts", kernel->unsafe_interrupts) &&
	    json_put_bool(object, "noiommu", kernel->noiommu) &&
	    json_put_bool(object, "vfio_pci", machine->has_vfio_pci))
		return object;
	json_object_put(object);
	return NULL;
}

static bool add_device(struct json_object *devices, struct json_object *uses, const struct simulated_device *device)
{
	if (!json_append(devices, device_to_json(device)))
		return false;
	for (size_t i = 0; i < device->use_count; i++)
		if (!json_append(uses, use_to_json(&device->use[i].use)))
			return false;
	return true;
}

struct json_object *host_to_json(const struct machine *machine)
{
	struct json_object *host = json_object_new_object();
	struct json_object *devices = json_object_new_array(), *uses = json_object_new_array();
	const struct simulated_device *device;
	bool whole = host && devices && uses;

	TAILQ_FOREACH(device, &machine->devices, link)
		whole = whole && add_device(devices, uses, device);
	whole = whole && json_put(host, "kernel", kernel_to_json(machine)) &&
		json_put_text(host, "boot_id", machine->boot_id);
	whole = whole && json_put(host, "devices", json_object_get(devices)) &&
		json_put(host, "uses", json_object_get(uses));
	if (whole) {
		json_object_put(devices);
		json_object_put(uses);
		return host;
	}
	json_object_put(devices);
	json_object_put(uses);
	json_object_put(host);
	return NULL;
}
