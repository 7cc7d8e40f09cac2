#include "snapshot.h"

#include "../util/json_fields.h"
#include "../util/json_write.h"
#include "../util/text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_DEPTH_MAX = 8 };

#define KERNEL_BOOL(member) .read = read_bool32, .offset = offsetof(struct snapshot, kernel.member)

/* A snapshot while it is read: its devices are found by name. */
struct reading {
	struct snapshot snapshot;           /* first: fields are read into it */
	int version;                        /* of the text */
	struct name_table by_name;          /* struct device_description; made when all of them are there */
	uint64_t node[VFIO_NODES_MAX / 64]; /* bit N: vfioN is taken */
};

static bool is_boot_id(const char *text)
{
	return strlen(text) == 36 && strspn(text, "0123456789abcdef-") == 36;
}

static const struct field kernel_fields[] = {
	{ .key = "release",
	  .read = read_text,
	  .offset = offsetof(struct snapshot, kernel.release),
	  .size = sizeof(((struct kernel_features *)0)->release) },
	{ .key = "iommufd", KERNEL_BOOL(iommufd) },
	{ .key = "vfio_cdev", KERNEL_BOOL(vfio_cdev) },
	{ .key = "vfio_group", KERNEL_BOOL(vfio_group) },
	{ .key = "unsafe_interrupts", KERNEL_BOOL(unsafe_interrupts) },
	{ .key = "noiommu", KERNEL_BOOL(noiommu) },
	{ .key = "vfio_pci", .read = read_bool, .offset = offsetof(struct snapshot, has_vfio_pci) },
};

static int read_kernel(const struct field *field, const struct json_value *value, void *out,
		       struct json_problem *problem)
{
	return json_fields_read(value, kernel_fields, sizeof(kernel_fields) / sizeof(*kernel_fields), out, problem);
}

/* Before all else, wherever it stands: how devices are read depends on it. */
static int find_version(const struct json_value *root, int *version, struct json_problem *problem)
{
	struct json_value value, devices, first, address;
	struct json_children children;

	*version = SNAPSHOT_VERSION;
	if (json_value_member(root, "version", &value) && value.object) {
		*version = json_object_is_type(value.object, json_type_int) ? json_object_get_int(value.object) : 0;
		if (*version < 1 || *version > SNAPSHOT_VERSION)
			return json_fields_refuse(&value, false, problem,
						  "expected 1 or %d: this ioasidd cannot read other versions",
						  SNAPSHOT_VERSION);
	} else if (json_value_member(root, "devices", &devices) &&
		   json_object_is_type(devices.object, json_type_array)) {
		children = json_value_children(&devices);
		if (json_children_next(&children, &first) && json_value_member(&first, "address", &address))
			*version = 1;
	}
	return 0;
}

/* find_version() has read it. */
static int skip_version(const struct field *field, const struct json_value *value, void *out,
			struct json_problem *problem)
{
	return 0;
}

int snapshot_refuse_missing(const struct json_value *value, const char *key, struct json_problem *problem)
{
	struct json_value at;

	if (!json_value_member(value, key, &at))
		at = *value;
	return json_fields_refuse(&at, false, problem, "there is no such device");
}

int snapshot_check_references(const struct json_value *value, const struct device *device, const struct device *parent,
			      const struct device *physical_function, struct json_problem *problem)
{
	if (*device->parent) {
		if (!parent)
			return snapshot_refuse_missing(value, "parent", problem);
		if (device_is_pci(device) && !device_is_bridge(parent))
			return json_fields_refuse(value, false, problem, "its parent %s is not a bridge",
						  device->parent);
	}
	if (*device_pci(device)->physical_function) {
		if (!physical_function)
			return snapshot_refuse_missing(value, "physical_function", problem);
		if (*device_pci(physical_function)->physical_function)
			return json_fields_refuse(value, false, problem,
						  "its physical_function %s is itself a virtual function",
						  device_pci(device)->physical_function);
	}
	return 0;
}

/* No device is there twice, and no node. */
static int check_unique(const struct json_value *value, struct reading *reading,
			const struct device_description *description, struct json_problem *problem)
{
	const struct device *device = &description->device;
	int number = vfio_node_number(device->vfio_node);

	if (name_table_find(&reading->by_name, device->name))
		return json_fields_refuse(value, false, problem, "duplicate device %s", device->name);
	if (number < 0)
		return 0;
	if (reading->node[number / 64] >> number % 64 & 1)
		return json_fields_refuse(value, false, problem, "another device has the node %s", device->vfio_node);
	reading->node[number / 64] |= UINT64_C(1) << number % 64;
	return 0;
}

static const struct device_description *find(const struct reading *reading, const char *name)
{
	return *name ? name_table_find(&reading->by_name, name) : NULL;
}

/* True if the way up from a device ends at a root bus. */
static bool ends_above(const struct reading *reading, const struct device_description *device)
{
	for (size_t steps = 0; device && steps <= 256; steps++)
		device = find(reading, device->device.parent);
	return !device;
}

/* In any order: a parent may come after its children. */
static int check_all_references(const struct json_value *array, const struct reading *reading,
				struct json_problem *problem)
{
	const struct snapshot *snapshot = &reading->snapshot;
	struct json_children children = json_value_children(array);
	struct json_value item;

	for (size_t i = 0; i < snapshot->count && json_children_next(&children, &item); i++) {
		const struct device *device = &snapshot->device[i].device;
		const struct device_description *parent = find(reading, device->parent);
		const struct device_description *function = find(reading, device_pci(device)->physical_function);
		int error = snapshot_check_references(&item, device, parent ? &parent->device : NULL,
						      function ? &function->device : NULL, problem);

		if (error < 0)
			return error;
		if (!ends_above(reading, parent))
			return json_fields_refuse(&item, false, problem, "its parents form a loop");
	}
	return 0;
}

static int read_devices(const struct field *field, const struct json_value *value, void *out,
			struct json_problem *problem)
{
	struct reading *reading = out;
	struct snapshot *snapshot = &reading->snapshot;
	struct json_children children = json_value_children(value);
	struct json_value item;
	size_t count;

	if (!json_object_is_type(value->object, json_type_array))
		return json_fields_refuse(value, false, problem, "expected an array of devices");
	count = json_object_array_length(value->object);
	if (count > SNAPSHOT_DEVICES_MAX)
		return json_fields_refuse(value, false, problem, "more than %d devices", SNAPSHOT_DEVICES_MAX);
	/* All at once: the table of names points into it. */
	snapshot->device = calloc(count + 1, sizeof(*snapshot->device));
	if (!snapshot->device)
		return -ENOMEM;
	snapshot->allocated = count + 1;
	while (json_children_next(&children, &item)) {
		struct device_description *description = &snapshot->device[snapshot->count];
		int error = device_from_json(&item, reading->version, description, problem);

		if (error < 0)
			return error;
		snapshot->count++;
		error = check_unique(&item, reading, description, problem);
		if (error == 0)
			error = name_table_add(&reading->by_name, description->device.name, description);
		if (error < 0)
			return error;
	}
	return check_all_references(value, reading, problem);
}

static int check_uses(const struct field *field, const struct json_value *value, void *out,
		      struct json_problem *problem)
{
	if (!json_object_is_type(value->object, json_type_array))
		return json_fields_refuse(value, false, problem, "expected an array");
	if (json_object_array_length(value->object) > SNAPSHOT_USES_MAX)
		return json_fields_refuse(value, false, problem, "more than %d uses", SNAPSHOT_USES_MAX);
	return 0;
}

/* Uses are read by read_uses(), when all devices are there. */
static const struct field snapshot_fields[] = {
	{ .key = "version", .read = skip_version },
	{ .key = "kernel", .read = read_kernel },
	{ .key = "boot_id",
	  .read = read_text,
	  .offset = offsetof(struct snapshot, boot_id),
	  .size = sizeof(((struct snapshot *)0)->boot_id),
	  .valid = is_boot_id,
	  .wanted = "a boot id (01234567-89ab-4cde-8f01-23456789abcd)" },
	{ .key = "devices", .read = read_devices, .required = true, .wanted = "an array of devices" },
	{ .key = "uses", .read = check_uses },
};

static int read_uses(const struct json_value *root, struct reading *reading, struct json_problem *problem)
{
	struct json_value uses, item;
	struct json_children children;

	if (!json_value_member(root, "uses", &uses))
		return 0;
	children = json_value_children(&uses);
	while (json_children_next(&children, &item)) {
		struct use use;
		int error = use_from_json(&item, &use, problem);

		if (error < 0)
			return error;
		if (!find(reading, use.device))
			return snapshot_refuse_missing(&item, "device", problem);
		error = uses_add(&reading->snapshot.uses, &use);
		if (error < 0)
			return error;
	}
	return 0;
}

static int read_root(const struct json_text *json, struct snapshot *out, struct json_problem *problem)
{
	static const struct kernel_features usual = {
		.iommufd = 1,
		.vfio_cdev = 1,
		.vfio_group = 1,
		.release = "6.12.0-simulated",
	};
	struct reading *reading = calloc(1, sizeof(*reading));
	struct json_value root = json_text_root(json);
	int error;

	if (!reading)
		return -ENOMEM;
	reading->snapshot.kernel = usual;
	reading->snapshot.has_vfio_pci = true;
	error = find_version(&root, &reading->version, problem);
	if (error == 0)
		error = json_fields_read(&root, snapshot_fields, sizeof(snapshot_fields) / sizeof(*snapshot_fields),
					 reading, problem);
	if (error == 0)
		error = read_uses(&root, reading, problem);
	name_table_done(&reading->by_name);
	if (error < 0)
		snapshot_done(&reading->snapshot);
	else
		*out = reading->snapshot;
	free(reading);
	return error;
}

int snapshot_read(const char *text, size_t length, struct snapshot *out, struct json_problem *problem)
{
	struct json_text *json;
	int error = json_text_new(text, length, SNAPSHOT_DEPTH_MAX, &json, problem);

	if (error < 0)
		return error;
	error = read_root(json, out, problem);
	json_text_free(json);
	return error;
}

void snapshot_done(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++)
		description_done(&snapshot->device[i]);
	free(snapshot->device);
	uses_done(&snapshot->uses);
	*snapshot = (struct snapshot){ .count = 0 };
}

int snapshot_own_uses(const struct device *device, struct uses *uses)
{
	struct use use = { .kind = USE_DRIVER, .severity = SEVERITY_IDLE };

	memcpy(use.device, device->name, sizeof(use.device));
	text_format(use.text, sizeof(use.text), "%s is bound", device->driver);
	if (*device->driver && uses_add(uses, &use) < 0)
		return -ENOMEM;
	if (device_pci(device)->virtual_functions == 0)
		return 0;
	/* They end with the driver of the physical function, whoever has them. */
	use.kind = USE_VIRTUAL_FUNCTION;
	use.severity = SEVERITY_DISRUPTIVE;
	text_format(use.text, sizeof(use.text), "%u virtual function%s enabled", device_pci(device)->virtual_functions,
		    device_pci(device)->virtual_functions == 1 ? " is" : "s are");
	return uses_add(uses, &use);
}

int snapshot_uses_of(const struct snapshot *snapshot, const struct device *device, struct uses *uses)
{
	int error = snapshot_own_uses(device, uses);

	for (size_t i = 0; error == 0 && i < snapshot->uses.count; i++)
		if (strcmp(snapshot->uses.use[i].device, device->name) == 0)
			error = uses_add(uses, &snapshot->uses.use[i]);
	return error;
}

struct topology *snapshot_topology(const struct snapshot *snapshot)
{
	struct topology *topology = topology_new();
	int error = topology ? 0 : -ENOMEM;

	for (size_t i = 0; error == 0 && i < snapshot->count; i++)
		error = topology_put(topology, &snapshot->device[i].device);
	return error == 0 ? topology : topology_free(topology);
}

struct json_object *snapshot_kernel_to_json(const struct kernel_features *kernel, bool has_vfio_pci)
{
	struct json_object *object = json_make_object();

	json_set(object, "release", json_make_string_or_null(kernel->release));
	json_set(object, "iommufd", json_make_truth(kernel->iommufd));
	json_set(object, "vfio_cdev", json_make_truth(kernel->vfio_cdev));
	json_set(object, "vfio_group", json_make_truth(kernel->vfio_group));
	json_set(object, "unsafe_interrupts", json_make_truth(kernel->unsafe_interrupts));
	json_set(object, "noiommu", json_make_truth(kernel->noiommu));
	json_set(object, "vfio_pci", json_make_truth(has_vfio_pci));
	return object;
}

struct json_object *snapshot_to_json(const struct snapshot *snapshot)
{
	struct json_object *host = json_make_object(), *devices = json_make_array(), *uses = json_make_array();

	for (size_t i = 0; i < snapshot->count; i++)
		json_add(devices, device_to_json(&snapshot->device[i]));
	for (size_t i = 0; i < snapshot->uses.count; i++)
		json_add(uses, use_to_json(&snapshot->uses.use[i]));
	json_set(host, "version", json_make_number(SNAPSHOT_VERSION));
	json_set(host, "kernel", snapshot_kernel_to_json(&snapshot->kernel, snapshot->has_vfio_pci));
	json_set(host, "boot_id", json_make_string_or_null(snapshot->boot_id));
	json_set(host, "devices", devices);
	json_set(host, "uses", uses);
	return json_whole(host);
}
