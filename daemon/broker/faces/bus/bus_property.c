#include "bus_property.h"

#include "bus_text.h"
#include "bus_variant.h"
#include "../../core/rights.h"
#include "../reports.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/report/reply_json.h"

#include <errno.h>
#include <string.h>

/* How a value is written; each has one that says nothing. */
enum kind {
	KIND_TEXT,       /* s, "" */
	KIND_NUMBER,     /* i, -1 */
	KIND_COUNT,      /* u, 0 */
	KIND_UID,        /* u, 4294967295 */
	KIND_TIME,       /* t, 0 */
	KIND_TRUTH,      /* b, false */
	KIND_TEXTS,      /* as, [] */
	KIND_DEVICES,    /* ao, [] of addresses */
	KIND_GROUP,      /* o, "/", of a number */
	KIND_CLAIM,      /* o, "/", of an id */
	KIND_DICTIONARY, /* a{sv}, {} */
};

static const char *const signatures[] = {
	[KIND_TEXT] = "s",  [KIND_NUMBER] = "i", [KIND_COUNT] = "u",          [KIND_UID] = "u",
	[KIND_TIME] = "t",  [KIND_TRUTH] = "b",  [KIND_TEXTS] = "as",         [KIND_DEVICES] = "ao",
	[KIND_GROUP] = "o", [KIND_CLAIM] = "o",  [KIND_DICTIONARY] = "a{sv}",
};

enum {
	CHANGES = 1 << 0,     /* is told with its value when the object has changed */
	INVALIDATES = 1 << 1, /* is told to have changed, without its value */
	PRIVATE = 1 << 2,     /* for the claim's owner and for operators */
};

struct property {
	const char *name;
	enum kind kind;
	const char *key; /* in the report */
	unsigned flags;
};

static const struct property manager_properties[] = {
	{ "Version", KIND_TEXT, "version", 0 },
	{ "Interface", KIND_TEXT, "interface", 0 },
	{ "Kernel", KIND_DICTIONARY, "kernel", 0 },
	{ "Policy", KIND_DICTIONARY, "policy", CHANGES },
	{ "PolicyRefused", KIND_DICTIONARY, "policy_refused", INVALIDATES },
	{ "DeviceCount", KIND_COUNT, "devices", 0 },
	{ "GroupCount", KIND_COUNT, "groups", 0 },
	{ "ClaimCount", KIND_COUNT, "claims", 0 },
	{ "Warnings", KIND_TEXTS, "warnings", 0 },
	{ NULL, KIND_TEXT, NULL, 0 },
};

static const struct property device_properties[] = {
	{ "Name", KIND_TEXT, "name", 0 },
	{ "Kind", KIND_TEXT, "kind", 0 },
	{ "VendorId", KIND_TEXT, "vendor_id", 0 },
	{ "DeviceId", KIND_TEXT, "device_id", 0 },
	{ "SubsystemVendorId", KIND_TEXT, "subsystem_vendor_id", 0 },
	{ "SubsystemDeviceId", KIND_TEXT, "subsystem_device_id", 0 },
	{ "Class", KIND_TEXT, "class", 0 },
	{ "ClassText", KIND_TEXT, "class_text", 0 },
	{ "Driver", KIND_TEXT, "driver", CHANGES },
	{ "DriverOverride", KIND_TEXT, "driver_override", CHANGES },
	{ "Group", KIND_GROUP, "group", CHANGES },
	{ "NumaNode", KIND_NUMBER, "numa_node", CHANGES },
	{ "Parent", KIND_TEXT, "parent", CHANGES },
	{ "PhysicalFunction", KIND_TEXT, "physical_function", CHANGES },
	{ "VirtualFunctions", KIND_COUNT, "virtual_functions", CHANGES },
	{ "VirtualFunctionsMax", KIND_COUNT, "virtual_functions_max", CHANGES },
	{ "Bridge", KIND_TRUTH, "bridge", CHANGES },
	{ "ResetMethods", KIND_TEXTS, "reset_methods", CHANGES },
	{ "VfioNode", KIND_TEXT, "vfio_node", CHANGES },
	{ "State", KIND_TEXT, "state", CHANGES },
	{ "Claim", KIND_CLAIM, "claim", INVALIDATES },
	{ "LockedOut", KIND_TRUTH, "locked_out", CHANGES },
	{ NULL, KIND_TEXT, NULL, 0 },
};

static const struct property group_properties[] = {
	{ "Number", KIND_NUMBER, "number", 0 },
	{ "Members", KIND_DEVICES, "members", CHANGES },
	{ "State", KIND_TEXT, "state", CHANGES },
	{ NULL, KIND_TEXT, NULL, 0 },
};

static const struct property claim_properties[] = {
	{ "Id", KIND_TEXT, "id", 0 },
	{ "State", KIND_TEXT, "state", CHANGES },
	{ "Mode", KIND_TEXT, "mode", 0 },
	{ "Interface", KIND_TEXT, "interface", 0 },
	{ "Since", KIND_TIME, "since", 0 },
	{ "Devices", KIND_DEVICES, "devices", CHANGES },
	{ "Lockouts", KIND_DEVICES, "lockouts", CHANGES },
	{ "Owner", KIND_UID, "uid", PRIVATE },
	{ "Pid", KIND_COUNT, "pid", PRIVATE },
	{ "Rule", KIND_TEXT, "rule", PRIVATE },
	{ "Unit", KIND_TEXT, "unit", PRIVATE },
	{ "Lease", KIND_TEXT, "lease", PRIVATE },
	{ "LeaseUnit", KIND_TEXT, "lease_unit", PRIVATE },
	{ "Revoked", KIND_TRUTH, "revoked", CHANGES },
	{ "Note", KIND_TEXT, "note", PRIVATE | INVALIDATES },
	{ NULL, KIND_TEXT, NULL, 0 },
};

static const struct property *properties_of(enum bus_node node)
{
	static const struct property none[] = { { NULL, KIND_TEXT, NULL, 0 } };

	switch (node) {
	case BUS_NODE_MANAGER:
		return manager_properties;
	case BUS_NODE_DEVICE:
		return device_properties;
	case BUS_NODE_GROUP:
		return group_properties;
	case BUS_NODE_CLAIM:
		return claim_properties;
	case BUS_NODE_NONE:
	case BUS_NODE_FOLDER:
	case BUS_NODE_COUNT:
		break;
	}
	return none;
}

/* What the reader may know of a claim. */
static bool may_see(const struct arbiter *arbiter, const struct requester *reader, const struct claim *claim)
{
	return reader && claim && arbiter_may_see(arbiter, reader, claim);
}

static struct json_object *report_device(const struct arbiter *arbiter, const char *name,
					 const struct requester *reader)
{
	const struct registry *registry = arbiter_registry(arbiter);
	const struct device *device = topology_find(host_topology(registry->host), name);
	const struct claim_device *entry = NULL;
	const struct claim *owner = ledger_owner(registry->ledger, name, &entry);

	return device ? reply_json_device(device, owner, entry, may_see(arbiter, reader, owner), NULL) : NULL;
}

static struct json_object *report_group(const struct arbiter *arbiter, int32_t number)
{
	const struct registry *registry = arbiter_registry(arbiter);
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(host_topology(registry->host), number, member, GROUP_MEMBERS_MAX);
	const struct claim *owner = NULL;

	if (count > GROUP_MEMBERS_MAX)
		count = GROUP_MEMBERS_MAX;
	for (size_t i = 0; i < count && !owner; i++)
		owner = ledger_owner(registry->ledger, member[i]->name, NULL);
	return count > 0 ? reply_json_group(number, member, count, owner, NULL) : NULL;
}

/* The report of an object, owned by the caller; NULL: there is none. *see: the reader may see what is private. */
static struct json_object *report(const struct arbiter *arbiter, const struct bus_object_name *object,
				  const struct requester *reader, bool *see)
{
	const struct claim *claim;

	*see = false;
	switch (object->node) {
	case BUS_NODE_MANAGER:
		return varlink_status(arbiter, reader);
	case BUS_NODE_DEVICE:
		return report_device(arbiter, object->name, reader);
	case BUS_NODE_GROUP:
		return report_group(arbiter, object->group);
	case BUS_NODE_CLAIM:
		claim = ledger_find(arbiter_registry(arbiter)->ledger, object->name);
		*see = may_see(arbiter, reader, claim);
		return claim ? reply_json_claim(claim) : NULL;
	case BUS_NODE_NONE:
	case BUS_NODE_FOLDER:
	case BUS_NODE_COUNT:
		break;
	}
	return NULL;
}

static int append_list(sd_bus_message *message, enum kind kind, struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;
	int result = sd_bus_message_open_container(message, 'a', signatures[kind] + 1);
	char path[BUS_PATH_MAX];

	for (size_t i = 0; i < count && result >= 0; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));

		result = kind == KIND_TEXTS ? bus_text_append(message, text)
					    : sd_bus_message_append(message, "o", bus_path_of_device(text, path));
	}
	return result < 0 ? result : sd_bus_message_close_container(message);
}

/* value: NULL for the one that says nothing. */
static int append_value(sd_bus_message *message, enum kind kind, struct json_object *value)
{
	static const char *const texts[] = { "files", NULL };
	char path[BUS_PATH_MAX] = "/";

	switch (kind) {
	case KIND_TEXT:
		return bus_text_append(message, value ? json_object_get_string(value) : "");
	case KIND_NUMBER:
		return sd_bus_message_append(message, "i", value ? json_object_get_int(value) : -1);
	case KIND_COUNT:
		return sd_bus_message_append(message, "u", (uint32_t)json_object_get_int64(value));
	case KIND_UID:
		return sd_bus_message_append(message, "u", value ? (uint32_t)json_object_get_int64(value) : UINT32_MAX);
	case KIND_TIME:
		return sd_bus_message_append(message, "t", (uint64_t)json_object_get_int64(value));
	case KIND_TRUTH:
		return sd_bus_message_append(message, "b", value && json_object_get_boolean(value));
	case KIND_TEXTS:
	case KIND_DEVICES:
		return append_list(message, kind, value);
	case KIND_GROUP:
		if (value)
			bus_path_of_group(json_object_get_int(value), path);
		return sd_bus_message_append(message, "o", path);
	case KIND_CLAIM:
		if (value)
			bus_path_of_claim(json_object_get_string(value), path);
		return sd_bus_message_append(message, "o", path);
	case KIND_DICTIONARY:
		return value ? bus_variant_append(message, value, NULL, texts)
			     : sd_bus_message_append(message, "a{sv}", 0);
	}
	return -EINVAL;
}

static int append_variant(sd_bus_message *message, const struct property *property, struct json_object *report,
			  bool see)
{
	struct json_object *value = NULL;
	int result = sd_bus_message_open_container(message, 'v', signatures[property->kind]);

	if (see || !(property->flags & PRIVATE))
		value = json_object_object_get(report, property->key);
	if (result >= 0)
		result = append_value(message, property->kind, value);
	return result < 0 ? result : sd_bus_message_close_container(message);
}

/* Appends those with any of these flags (0: all) as a{sv}. */
static int append_some(sd_bus_message *message, const struct property *property, unsigned flags,
		       struct json_object *report, bool see)
{
	int result = sd_bus_message_open_container(message, 'a', "{sv}");

	for (; property->name && result >= 0; property++) {
		if (flags && !(property->flags & flags))
			continue;
		result = sd_bus_message_open_container(message, 'e', "sv");
		if (result >= 0)
			result = sd_bus_message_append_basic(message, 's', property->name);
		if (result >= 0)
			result = append_variant(message, property, report, see);
		if (result >= 0)
			result = sd_bus_message_close_container(message);
	}
	return result < 0 ? result : sd_bus_message_close_container(message);
}

/* The report of the object, whole. 0; -ENOENT, -ENOMEM with *of NULL. */
static int make_report(const struct arbiter *arbiter, const struct bus_object_name *object,
		       const struct requester *reader, struct json_object **of, bool *see)
{
	*of = report(arbiter, object, reader, see);
	if (!json_is_whole()) {
		json_object_put(*of);
		*of = NULL;
		return -ENOMEM;
	}
	return *of ? 0 : -ENOENT;
}

bool bus_object_exists(const struct arbiter *arbiter, const struct bus_object_name *object)
{
	const struct registry *registry = arbiter_registry(arbiter);
	const struct device *member;

	switch (object->node) {
	case BUS_NODE_MANAGER:
		return true;
	case BUS_NODE_DEVICE:
		return topology_find(host_topology(registry->host), object->name);
	case BUS_NODE_GROUP:
		return topology_members(host_topology(registry->host), object->group, &member, 1) > 0;
	case BUS_NODE_CLAIM:
		return ledger_find(registry->ledger, object->name);
	case BUS_NODE_FOLDER:
	case BUS_NODE_NONE:
	case BUS_NODE_COUNT:
		break;
	}
	return false;
}

int bus_property_append_all(sd_bus_message *message, const struct arbiter *arbiter,
			    const struct bus_object_name *object, const struct requester *reader)
{
	bool see;
	struct json_object *of;
	int result = make_report(arbiter, object, reader, &of, &see);

	if (result >= 0)
		result = append_some(message, properties_of(object->node), 0, of, see);
	json_object_put(of);
	return result;
}

int bus_property_append(sd_bus_message *message, const struct arbiter *arbiter, const struct bus_object_name *object,
			const char *name, const struct requester *reader)
{
	for (const struct property *property = properties_of(object->node); property->name; property++) {
		struct json_object *of;
		bool see;
		int result;

		if (strcmp(property->name, name) != 0)
			continue;
		result = make_report(arbiter, object, reader, &of, &see);
		if (result >= 0)
			result = append_variant(message, property, of, see);
		json_object_put(of);
		return result < 0 ? result : 1;
	}
	return 0;
}

bool bus_property_exists(enum bus_node node, const char *name)
{
	for (const struct property *property = properties_of(node); property->name; property++)
		if (strcmp(property->name, name) == 0)
			return true;
	return false;
}

int bus_property_append_changes(sd_bus_message *message, const struct arbiter *arbiter,
				const struct bus_object_name *object)
{
	const struct property *properties = properties_of(object->node);
	bool see;
	struct json_object *of;
	int result = make_report(arbiter, object, NULL, &of, &see);

	if (result >= 0)
		result = append_some(message, properties, CHANGES, of, see);
	json_object_put(of);
	if (result >= 0)
		result = sd_bus_message_open_container(message, 'a', "s");
	for (const struct property *property = properties; property->name && result >= 0; property++)
		if (property->flags & INVALIDATES)
			result = sd_bus_message_append_basic(message, 's', property->name);
	return result < 0 ? result : sd_bus_message_close_container(message);
}
