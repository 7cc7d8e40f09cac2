#include "snapshot_json.h"

#include "../util/json_fields.h"
#include "../util/json_write.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE(member) offsetof(struct device_description, device.member)
#define DEVICE_TEXT(member) \
	.read = read_text, .write = write_text, .offset = DEVICE(member), .size = sizeof(((struct device *)0)->member)
#define DEVICE_NUMBER(member) .read = read_number32, .write = write_number32, .offset = DEVICE(member)
#define DEVICE_BOOL(member) .read = read_bool8, .write = write_bool8, .offset = DEVICE(member)
#define WANTED_ADDRESS .valid = device_name_is_valid, .wanted = "a full PCI address in lower case (0000:01:00.0)"
#define WANTED_DRIVER .valid = is_driver, .wanted = "a driver name, or null"

/* json_fields_read() can tell 64 fields apart. */
enum { KIND_FIELDS_MAX = 32 };

int vfio_node_number(const char *node)
{
	unsigned number;
	char again[32];

	if (sscanf(node, "vfio%7u", &number) != 1)
		return -EINVAL;
	snprintf(again, sizeof(again), "vfio%u", number);
	return strcmp(node, again) == 0 ? (int)number : -EINVAL;
}

void description_done(struct device_description *description)
{
	free(description->driver);
	description->driver = NULL;
	description->driver_count = 0;
}

static bool is_driver(const char *text)
{
	return driver_name_is_valid(text, false);
}

static bool is_kind(const char *text)
{
	return device_kind_from_string(text) >= 0;
}

static bool is_vfio_node(const char *text)
{
	return vfio_node_number(text) >= 0 && vfio_node_number(text) < VFIO_NODES_MAX;
}

static int read_kind(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	const char *text = json_object_get_string(value->object);
	char kinds[TEXT_MAX];

	if (!json_object_is_type(value->object, json_type_string) || !is_kind(text))
		return json_fields_refuse(value, false, problem, "expected %s",
					  device_kinds_list(kinds, sizeof(kinds)));
	((struct device_description *)out)->device.kind = (uint32_t)device_kind_from_string(text);
	return 0;
}

static int read_drivers(const struct field *field, const struct json_value *value, void *out,
			struct json_problem *problem)
{
	static const struct field name = { .size = DRIVER_NAME_MAX, WANTED_DRIVER };
	struct device_description *description = out;
	struct json_children children = json_value_children(value);
	struct json_value item;

	if (!json_object_is_type(value->object, json_type_array))
		return json_fields_refuse(value, false, problem, "expected an array of driver names");
	free(description->driver);
	description->driver_count = 0;
	description->driver = calloc(json_object_array_length(value->object) + 1, sizeof(*description->driver));
	if (!description->driver)
		return -ENOMEM;
	while (json_children_next(&children, &item)) {
		int error = read_text(&name, &item, description->driver[description->driver_count], problem);

		if (error < 0)
			return error;
		description->driver_count++;
	}
	return 0;
}

static struct json_object *write_kind(const struct field *field, const void *in)
{
	const struct device_description *description = in;

	return json_make_string_or_null(device_kind_to_string((enum device_kind)description->device.kind));
}

static struct json_object *write_drivers(const struct field *field, const void *in)
{
	const struct device_description *description = in;
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < description->driver_count; i++)
		json_add(array, json_make_string(description->driver[i]));
	return array;
}

/* The fields that a device of any kind has. Those of its kind come after them. The first was "address" in version 1. */
static const struct field device_fields[] = {
	{ .key = "name", DEVICE_TEXT(name), .required = true, WANTED_ADDRESS },
	{ .key = "kind", .read = read_kind, .write = write_kind },
	{ .key = "driver", DEVICE_TEXT(driver), WANTED_DRIVER },
	{ .key = "driver_override", DEVICE_TEXT(driver_override), WANTED_DRIVER },
	{ .key = "driver_fixed", DEVICE_BOOL(driver_fixed) },
	{ .key = "group", DEVICE_NUMBER(group), .min = 0, .max = INT32_MAX },
	{ .key = "no_iommu", .read = read_bool8, .write = write_true8, .offset = DEVICE(no_iommu), .sparse = true },
	{ .key = "numa_node", DEVICE_NUMBER(numa_node), .min = 0, .max = UINT16_MAX },
	{ .key = "parent", DEVICE_TEXT(parent), WANTED_ADDRESS },
	{ .key = "vfio_node",
	  DEVICE_TEXT(vfio_node),
	  .valid = is_vfio_node,
	  .wanted = "a name such as vfio0, or null" },
	{ .key = "drivers", .read = read_drivers, .write = write_drivers },
};

/* What the fields say together. */
static int check_device(const struct json_value *value, struct device_description *description,
			struct json_problem *problem)
{
	struct device *device = &description->device;
	const struct device_kind_row *kind = device_kind_of(device);

	if (*device->vfio_node && !*device->driver)
		return json_fields_refuse(value, false, problem, "a vfio_node without a driver");
	if (device->no_iommu && device->group < 0)
		return json_fields_refuse(value, false, problem, "no_iommu, which describes a group, without a group");
	if (kind->details_fault && kind->details_fault(device->details))
		return json_fields_refuse(value, false, problem, "%s", kind->details_fault(device->details));
	if (device_is_bridge(device) && *device->vfio_node)
		return json_fields_refuse(value, false, problem, "a bridge with a vfio_node");
	if (!description->driver && *device->driver && !strstr(device->driver, "vfio")) {
		description->driver = calloc(1, sizeof(*description->driver));
		if (!description->driver)
			return -ENOMEM;
		memcpy(description->driver[0], device->driver, DRIVER_NAME_MAX);
		description->driver_count = 1;
	}
	if (!device_is_sane(device))
		return json_fields_refuse(value, false, problem, "not a device that a host can have");
	return 0;
}

/* The kind that the key says; without it a PCI function. What is no kind is refused when it is read. */
static uint32_t find_kind(const struct json_value *value)
{
	struct json_value said;
	int kind = -EINVAL;

	if (json_object_is_type(value->object, json_type_object) && json_value_member(value, "kind", &said) &&
	    json_object_is_type(said.object, json_type_string))
		kind = device_kind_from_string(json_object_get_string(said.object));
	return kind < 0 ? DEVICE_PCI : (uint32_t)kind;
}

enum { DEVICE_FIELDS = sizeof(device_fields) / sizeof(*device_fields) };

/* All fields of a device of that kind. Returns how many. */
static size_t list_fields(const struct device_kind_row *kind, struct field out[static DEVICE_FIELDS + KIND_FIELDS_MAX])
{
	size_t count = DEVICE_FIELDS;

	memcpy(out, device_fields, sizeof(device_fields));
	for (size_t i = 0; i < kind->field_count && i < KIND_FIELDS_MAX; i++, count++) {
		out[count] = kind->fields[i];
		out[count].offset += DEVICE(details);
	}
	return count;
}

int device_from_json(const struct json_value *value, int version, struct device_description *out,
		     struct json_problem *problem)
{
	struct device_description description = { .device = { .group = -1, .numa_node = -1 } };
	const struct device_kind_row *kind = device_kind_row(find_kind(value));
	struct field field[DEVICE_FIELDS + KIND_FIELDS_MAX];
	size_t count = list_fields(kind, field);
	int error;

	if (version == 1)
		field[0].key = "address";
	error = json_fields_read(value, field, count, &description, problem);
	if (error == 0 && kind->fill_in)
		kind->fill_in(value, description.device.details);
	if (error == 0)
		error = check_device(value, &description, problem);
	if (error < 0)
		description_done(&description);
	else
		*out = description;
	return error;
}

static int read_use_kind(const struct field *field, const struct json_value *value, void *out,
			 struct json_problem *problem)
{
	int kind = json_object_is_type(value->object, json_type_string)
			   ? use_kind_from_string(json_object_get_string(value->object))
			   : -EINVAL;

	if (kind < 0)
		return json_fields_refuse(
			value, false, problem,
			"expected a kind of use, as in a plan's uses: mount, swap, network-link, display or another");
	if (kind == USE_DRIVER)
		return json_fields_refuse(value, false, problem, "omit this: a bound driver is itself a use");
	((struct use *)out)->kind = (uint32_t)kind;
	return 0;
}

static int read_severity(const struct field *field, const struct json_value *value, void *out,
			 struct json_problem *problem)
{
	int severity = json_object_is_type(value->object, json_type_string)
			       ? severity_from_string(json_object_get_string(value->object))
			       : -EINVAL;

	if (severity < 0)
		return json_fields_refuse(value, false, problem, "expected one of idle, disruptive, fatal");
	((struct use *)out)->severity = (uint32_t)severity;
	return 0;
}

static const struct field use_fields[] = {
	{ .key = "device",
	  .read = read_text,
	  .offset = offsetof(struct use, device),
	  .size = DEVICE_NAME_MAX,
	  .required = true,
	  WANTED_ADDRESS },
	{ .key = "kind", .read = read_use_kind, .required = true },
	{ .key = "severity", .read = read_severity, .required = true },
	{ .key = "text", .read = read_text, .offset = offsetof(struct use, text), .size = TEXT_MAX, .required = true },
	{ .key = "pid", .read = read_number32, .offset = offsetof(struct use, pid), .min = 0, .max = INT32_MAX },
};

int use_from_json(const struct json_value *value, struct use *out, struct json_problem *problem)
{
	struct use use = { .kind = USE_KIND_COUNT };
	int error = json_fields_read(value, use_fields, sizeof(use_fields) / sizeof(*use_fields), &use, problem);

	if (error < 0)
		return error;
	if (use.pid != 0 && use.kind != USE_HOLDER)
		return json_fields_refuse(value, false, problem, "only a holder has a pid");
	*out = use;
	return 0;
}

struct json_object *device_to_json(const struct device_description *device)
{
	struct field field[DEVICE_FIELDS + KIND_FIELDS_MAX];

	return json_fields_write(field, list_fields(device_kind_of(&device->device), field), device);
}

struct json_object *use_to_json(const struct use *use)
{
	struct json_object *object = json_make_object();

	json_set(object, "device", json_make_string_or_null(use->device));
	json_set(object, "kind", json_make_string_or_null(use_kind_to_string((enum use_kind)use->kind)));
	json_set(object, "severity", json_make_string_or_null(severity_to_string((enum severity)use->severity)));
	json_set(object, "text", json_make_string(use->text));
	json_set(object, "pid", json_make_number_or_null(use->pid));
	return object;
}
