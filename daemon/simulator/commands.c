#include "commands.h"

#include "host_file.h"
#include "simulated_kernel.h"
#include "node_opener.h"

#include "../../policy/util/json_fields.h"
#include "../../policy/util/json_write.h"
#include "../../policy/util/text.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_DEPTH_MAX = 8, FOLDERS_MAX = 16 };

static int refuse_errno(const struct json_value *value, struct json_problem *problem, int error)
{
	return json_fields_refuse(value, false, problem, "the kernel says: %s", strerror(-error));
}

/* The device that a text names. 0, or -EINVAL with *problem filled. */
static int find_device(struct command_call *call, const struct json_value *value, struct simulated_device **out)
{
	struct simulated_device *device = NULL;

	if (json_object_is_type(value->object, json_type_string))
		device = machine_find(call->machine, json_object_get_string(value->object));
	if (!device)
		return json_fields_refuse(value, false, &call->problem,
					  "the address of a device that is there is wanted");
	*out = device;
	return 0;
}

static int command_add(struct command_call *call, const struct json_value *value)
{
	return host_add_device(value, call->machine, &call->problem);
}

static int command_remove(struct command_call *call, const struct json_value *value)
{
	struct simulated_device *device;
	int error = find_device(call, value, &device);

	if (error < 0)
		return error;
	error = kernel_unplug(device);
	return error < 0 ? refuse_errno(value, &call->problem, error) : 0;
}

static int command_use(struct command_call *call, const struct json_value *value)
{
	return host_add_use(value, call->machine, &call->problem);
}

static int command_clear_uses(struct command_call *call, const struct json_value *value)
{
	struct simulated_device *device;
	int error = find_device(call, value, &device);

	if (error == 0)
		machine_clear_uses(device);
	return error;
}

/* {"device", "driver"} */
struct order {
	char device[DEVICE_NAME_MAX];
	char driver[DRIVER_NAME_MAX];
};

static bool is_driver(const char *text)
{
	return driver_name_is_valid(text, false);
}

static int read_order(struct command_call *call, const struct json_value *value, struct order *order,
		      struct simulated_device **device)
{
	static const struct field fields[] = {
		{ .key = "device",
		  .read = read_text,
		  .offset = offsetof(struct order, device),
		  .size = DEVICE_NAME_MAX,
		  .required = true },
		{ .key = "driver",
		  .read = read_text,
		  .offset = offsetof(struct order, driver),
		  .size = DRIVER_NAME_MAX,
		  .valid = is_driver,
		  .wanted = "a driver's name" },
	};
	int error = json_fields_read(value, fields, sizeof(fields) / sizeof(*fields), order, &call->problem);

	if (error < 0)
		return error;
	*device = machine_find(call->machine, order->device);
	if (!*device)
		return json_fields_refuse(value, false, &call->problem, "there is no device %s", order->device);
	return 0;
}

/* The result of a kernel_ function that nobody waits for. */
static int tell(struct command_call *call, const struct json_value *value, int said)
{
	if (said == KERNEL_BLOCKED)
		return json_fields_refuse(value, false, &call->problem,
					  "it would wait for an unbind that is under way");
	return said < 0 ? refuse_errno(value, &call->problem, said) : 0;
}

static int command_bind(struct command_call *call, const struct json_value *value)
{
	struct simulated_device *device;
	struct order order = { .driver = "" };
	int error = read_order(call, value, &order, &device);

	return error < 0 ? error : tell(call, value, kernel_bind_driver(device, order.driver));
}

static int command_unbind(struct command_call *call, const struct json_value *value)
{
	struct simulated_device *device;
	int error = find_device(call, value, &device);

	if (error < 0)
		return error;
	if (device->on_vfio && kernel_is_open(device))
		return json_fields_refuse(value, false, &call->problem,
					  "it would wait until nobody has the device open");
	return tell(call, value, kernel_unbind(device, call->machine));
}

static int command_override(struct command_call *call, const struct json_value *value)
{
	struct simulated_device *device;
	struct order order = { .driver = "" };
	int error = read_order(call, value, &order, &device);

	return error < 0 ? error : tell(call, value, kernel_override(device, order.driver));
}

/* {"device", "uid", "group"} */
struct opening {
	char device[DEVICE_NAME_MAX];
	int32_t uid;
	bool by_group;
};

static int command_open_node(struct command_call *call, const struct json_value *value)
{
	static const struct field fields[] = {
		{ .key = "device",
		  .read = read_text,
		  .offset = offsetof(struct opening, device),
		  .size = DEVICE_NAME_MAX,
		  .required = true },
		{ .key = "uid",
		  .read = read_number32,
		  .offset = offsetof(struct opening, uid),
		  .max = INT32_MAX,
		  .required = true },
		{ .key = "group", .read = read_bool, .offset = offsetof(struct opening, by_group) },
	};
	struct opening opening = { .uid = 0 };
	struct simulated_device *device;
	pid_t pid;
	int error = json_fields_read(value, fields, sizeof(fields) / sizeof(*fields), &opening, &call->problem);

	if (error < 0)
		return error;
	device = machine_find(call->machine, opening.device);
	if (!device)
		return json_fields_refuse(value, false, &call->problem, "there is no device %s", opening.device);
	error = node_opener_start(device, (uid_t)opening.uid, opening.by_group, &pid);
	if (error < 0)
		return refuse_errno(value, &call->problem, error);
	json_set(call->answer, "pid", json_make_number(pid));
	return 0;
}

/* {"pid", "unit"} */
static int command_unit(struct command_call *call, const struct json_value *value)
{
	static const struct field fields[] = {
		{ .key = "pid",
		  .read = read_number32,
		  .offset = offsetof(struct unit_member, pid),
		  .min = 1,
		  .max = INT32_MAX,
		  .required = true },
		{ .key = "unit",
		  .read = read_text,
		  .offset = offsetof(struct unit_member, unit),
		  .size = UNIT_NAME_MAX,
		  .required = true },
	};
	struct unit_member member = { .pid = 0 };
	int error = json_fields_read(value, fields, 2, &member, &call->problem);

	return error < 0 ? error : units_put(&call->machine->units, member.pid, member.unit);
}

static int command_audit_log(struct command_call *call, const struct json_value *value)
{
	static const struct field fields[] = {
		{ .key = "errno", .read = read_number32, .offset = 0, .max = 4095, .required = true },
	};
	int32_t number;

	if (json_object_is_type(value->object, json_type_boolean)) {
		json_set(call->answer, "records", audit_log_to_json(&call->machine->audit_log));
		return 0;
	}
	if (json_fields_read(value, fields, 1, &number, &call->problem) < 0)
		return -EINVAL;
	call->machine->audit_log.error = number;
	return 0;
}

/* A fault as it stands in JSON. */
struct said_fault {
	struct fault fault;
	bool has_step;
	int32_t after;
	int32_t times;
};

static int read_step(const struct field *field, const struct json_value *value, void *out, struct json_problem *problem)
{
	struct said_fault *said = out;
	int step = json_object_is_type(value->object, json_type_string)
			   ? fault_step_from_string(json_object_get_string(value->object))
			   : -EINVAL;

	if (step < 0)
		return json_fields_refuse(value, false, problem,
					  "the name of a step (unbind), or \"result\", is wanted");
	said->fault.step = step;
	said->has_step = true;
	return 0;
}

static int read_errno(const struct field *field, const struct json_value *value, void *out,
		      struct json_problem *problem)
{
	struct said_fault *said = out;

	/* A number reads as its digits. */
	said->fault.error = fault_errno_from_string(json_object_get_string(value->object));
	if (said->fault.error < 0)
		return json_fields_refuse(value, false, problem,
					  "an errno, as a number or a name (\"EIO\"), is wanted");
	return 0;
}

static int add_fault(struct command_call *call, const struct json_value *value, enum fault_effect effect)
{
	static const struct field fields[] = {
		{ .key = "step", .read = read_step },
		{ .key = "device",
		  .read = read_text,
		  .offset = offsetof(struct said_fault, fault.device),
		  .size = DEVICE_NAME_MAX,
		  .valid = device_name_is_valid,
		  .wanted = "a full PCI address" },
		{ .key = "undo", .read = read_bool, .offset = offsetof(struct said_fault, fault.undo) },
		{ .key = "after",
		  .read = read_number32,
		  .offset = offsetof(struct said_fault, after),
		  .max = INT32_MAX },
		{ .key = "times",
		  .read = read_number32,
		  .offset = offsetof(struct said_fault, times),
		  .min = 1,
		  .max = INT32_MAX },
		{ .key = "errno", .read = read_errno },
	};
	bool fails = effect == FAULT_FAIL;
	struct said_fault said = { .fault = { .step = -1, .kill = effect == FAULT_KILL, .error = fails ? EIO : 0 } };
	size_t count = sizeof(fields) / sizeof(*fields);
	int error = json_fields_read(value, fields, fails ? count : count - 1, &said, &call->problem);

	if (error < 0)
		return error;
	said.fault.both = !said.has_step && !said.fault.undo;
	said.fault.after = (uint64_t)said.after;
	said.fault.times = (uint64_t)said.times;
	return faults_add(call->faults, &said.fault);
}

static int command_fail(struct command_call *call, const struct json_value *value)
{
	return add_fault(call, value, FAULT_FAIL);
}

static int command_hang(struct command_call *call, const struct json_value *value)
{
	return add_fault(call, value, FAULT_HANG);
}

static int command_kill(struct command_call *call, const struct json_value *value)
{
	return add_fault(call, value, FAULT_KILL);
}

/* For those that need no more said: only true will do. */
static int want_true(struct command_call *call, const struct json_value *value)
{
	if (json_object_is_type(value->object, json_type_boolean) && json_object_get_boolean(value->object))
		return 0;
	return json_fields_refuse(value, false, &call->problem, "true is wanted");
}

static int command_unhang(struct command_call *call, const struct json_value *value)
{
	int error = want_true(call, value);

	if (error == 0)
		runs_unhang(call->runs);
	return error;
}

static int command_clear_faults(struct command_call *call, const struct json_value *value)
{
	int error = want_true(call, value);

	if (error == 0)
		faults_clear(call->faults, false);
	return error;
}

static int command_stop(struct command_call *call, const struct json_value *value)
{
	int error = want_true(call, value);

	call->stop = error == 0;
	return error;
}

static int command_await(struct command_call *call, const struct json_value *value)
{
	static const struct field fields[] = {
		{ .key = "hung", .read = read_number32, .offset = 0, .max = INT32_MAX },
		{ .key = "plans", .read = read_number32, .offset = sizeof(int32_t), .max = INT32_MAX },
	};
	int32_t number[2] = { 0, -1 };
	int error = json_fields_read(value, fields, 2, number, &call->problem);

	if (error < 0)
		return error;
	call->awaits = true;
	call->hung_at_least = (size_t)number[0];
	call->plans_at_most = number[1] < 0 ? SIZE_MAX : (size_t)number[1];
	return 0;
}

static void put_acl(struct json_object *acls, const char *key, const struct acl *acl)
{
	struct json_object *list;

	if (acl->count == 0)
		return;
	list = json_make_array();
	for (size_t i = 0; i < acl->count; i++)
		json_add(list, json_make_number(acl->uid[i]));
	json_set(acls, key, list);
}

static struct json_object *files_to_json(struct simulated_device *device)
{
	struct json_object *object = json_make_object();
	const struct device_file *file;
	int64_t open = 0, bound = 0;

	TAILQ_FOREACH(file, &device->files, link)
	{
		open++;
		bound += file->context != NULL;
	}
	json_set(object, "open", json_make_number(open));
	json_set(object, "bound", json_make_number(bound));
	return object;
}

/* Who may open which nodes: lists of uids by device, "" for the container. */
static struct json_object *acls_to_json(const struct machine *machine)
{
	struct json_object *acls = json_make_object();
	const struct simulated_device *device;

	put_acl(acls, "", &machine->container_acl);
	TAILQ_FOREACH(device, &machine->devices, link)
	put_acl(acls, device->now.name, &device->acl);
	return acls;
}

/* The groups that somebody has open: how many devices were opened by each. */
static struct json_object *groups_to_json(const struct machine *machine)
{
	struct json_object *groups = json_make_object();
	const struct group_file *group;
	const struct device_file *file;

	TAILQ_FOREACH(group, &machine->group_files, link)
	{
		int64_t devices = 0;

		TAILQ_FOREACH(file, &group->files, by_group_link)
		devices++;
		if (group->group)
			json_set(groups, group->group->key, json_make_number(devices));
	}
	return groups;
}

/* The machine does not change before the answer is sent: its names can be the keys. */
static int command_state(struct command_call *call, const struct json_value *value)
{
	struct json_object *open;
	struct simulated_device *device;

	if (want_true(call, value) < 0)
		return -EINVAL;
	kernel_hear_of_closes(call->machine);
	open = json_make_object();
	TAILQ_FOREACH(device, &call->machine->devices, link)
	if (!TAILQ_EMPTY(&device->files))
		json_set(open, device->now.name, files_to_json(device));
	json_set(call->answer, "open", open);
	json_set(call->answer, "host", host_to_json(call->machine));
	json_set(call->answer, "acls", acls_to_json(call->machine));
	json_set(call->answer, "groups", groups_to_json(call->machine));
	json_set(call->answer, "unmapped", json_make_number((int64_t)call->machine->unmapped));
	json_set(call->answer, "contexts", json_make_number((int64_t)call->machine->contexts.count));
	json_set(call->answer, "plans", json_make_number((int64_t)plan_runs_count(call->runs)));
	json_set(call->answer, "hung", json_make_number((int64_t)runs_hung(call->runs)));
	return 0;
}

static int read_folders(const struct field *field, const struct json_value *value, void *out,
			struct json_problem *problem)
{
	struct command_call *call = out;
	struct json_children children = json_value_children(value);
	struct json_value item;

	if (!json_object_is_type(value->object, json_type_array) ||
	    json_object_array_length(value->object) > FOLDERS_MAX)
		return json_fields_refuse(value, false, problem, "an array of at most %d folders is wanted",
					  FOLDERS_MAX);
	call->folder = calloc(FOLDERS_MAX, sizeof(*call->folder));
	if (!call->folder)
		return -ENOMEM;
	while (json_children_next(&children, &item)) {
		if (!json_object_is_type(item.object, json_type_string))
			return json_fields_refuse(&item, false, problem, "a folder's path is wanted");
		call->folder[call->folder_count] = strdup(json_object_get_string(item.object));
		if (!call->folder[call->folder_count])
			return -ENOMEM;
		call->folder_count++;
	}
	return 0;
}

static int command_attach(struct command_call *call, const struct json_value *value)
{
	static const struct field fields[] = { { .key = "policy_dirs", .read = read_folders } };
	int error = json_fields_read(value, fields, 1, call, &call->problem);

	call->attach = error == 0;
	return error;
}

static const struct command {
	const char *key;
	int (*run)(struct command_call *call, const struct json_value *value);
} commands[] = {
	{ "add", command_add },
	{ "remove", command_remove },
	{ "use", command_use },
	{ "clear_uses", command_clear_uses },
	{ "bind", command_bind },
	{ "unbind", command_unbind },
	{ "override", command_override },
	{ "open_node", command_open_node },
	{ "unit", command_unit },
	{ "audit_log", command_audit_log },
	{ "fail", command_fail },
	{ "hang", command_hang },
	{ "kill", command_kill },
	{ "unhang", command_unhang },
	{ "clear_faults", command_clear_faults },
	{ "await", command_await },
	{ "state", command_state },
	{ "attach", command_attach },
	{ "stop", command_stop },
};

static int command_root(struct command_call *call, const struct json_value *root)
{
	struct json_children children = json_value_children(root);
	struct json_value value, more;

	if (!json_object_is_type(root->object, json_type_object) || !json_children_next(&children, &value) ||
	    json_children_next(&children, &more))
		return json_fields_refuse(root, false, &call->problem, "an object with one command is wanted");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].key, value.key) == 0)
			return commands[i].run(call, &value);
	return json_fields_refuse(&value, true, &call->problem, "there is no such command");
}

int command_run(struct command_call *call, const char *text, size_t length)
{
	struct json_text *json;
	struct json_value root;
	int error = json_text_new(text, length, COMMAND_DEPTH_MAX, &json, &call->problem);

	if (error < 0)
		return error;
	root = json_text_root(json);
	error = command_root(call, &root);
	json_text_free(json);
	machine_publish(call->machine);
	return error;
}
