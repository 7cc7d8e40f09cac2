#include "reply_json.h"

#include "../util/json_write.h"
#include "../util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_set(object, key, json_make_string(text));
}

static void add_optional(struct json_object *object, const char *key, const char *text)
{
	json_set(object, key, json_make_string_or_null(text));
}

static void add_number(struct json_object *object, const char *key, int64_t number)
{
	json_set(object, key, json_make_number(number));
}

static void add_truth(struct json_object *object, const char *key, bool truth)
{
	json_set(object, key, json_make_truth(truth));
}

static void add_hex(struct json_object *object, const char *key, unsigned number, int digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%0*x", digits, number);
	add_text(object, key, text);
}

static struct json_object *reset_methods(uint32_t methods)
{
	struct json_object *array = json_make_array();

	for (uint32_t bit = 1; bit <= RESET_METHOD_CXL_BUS; bit <<= 1)
		if (methods & bit)
			json_add(array, json_make_string(reset_method_to_string((enum reset_method)bit)));
	return array;
}

struct json_object *reply_json_device(const struct device *device, const struct claim *owner,
				      const struct claim_device *entry, bool see, const struct outlook *outlook)
{
	struct availability availability;
	struct json_object *object = json_make_object();

	add_text(object, "name", device->name);
	add_text(object, "kind", device_kind_to_string((enum device_kind)device->kind));
	add_hex(object, "vendor_id", device_pci(device)->vendor, 4);
	add_hex(object, "device_id", device_pci(device)->device, 4);
	add_hex(object, "subsystem_vendor_id", device_pci(device)->subsystem_vendor, 4);
	add_hex(object, "subsystem_device_id", device_pci(device)->subsystem_device, 4);
	add_hex(object, "class", device_pci(device)->class_code, 6);
	add_text(object, "class_text", device_class_to_text(device_pci(device)->class_code));
	add_optional(object, "driver", device->driver);
	add_optional(object, "driver_override", device->driver_override);
	json_set(object, "group", device->group >= 0 ? json_make_number(device->group) : NULL);
	json_set(object, "numa_node", device->numa_node >= 0 ? json_make_number(device->numa_node) : NULL);
	add_optional(object, "parent", device->parent);
	add_optional(object, "physical_function", device_pci(device)->physical_function);
	add_number(object, "virtual_functions", device_pci(device)->virtual_functions);
	add_number(object, "virtual_functions_max", device_pci(device)->virtual_functions_max);
	add_truth(object, "bridge", device_is_bridge(device));
	json_set(object, "reset_methods", reset_methods(device_pci(device)->reset_methods));
	add_optional(object, "vfio_node", device->vfio_node);
	availability_of_device(outlook, device, owner, &availability);
	add_text(object, "state", availability.state);
	add_optional(object, "use", availability.use);
	add_optional(object, "claim", owner && see ? owner->id : "");
	add_truth(object, "locked_out", entry && entry->lockout);
	return object;
}

struct json_object *reply_json_group(int32_t number, const struct device *const *member, size_t count,
				     const struct claim *owner, const struct outlook *outlook)
{
	struct json_object *object = json_make_object();
	struct json_object *members = json_make_array();

	for (size_t i = 0; i < count; i++)
		json_add(members, json_make_string(member[i]->name));
	add_number(object, "number", number);
	json_set(object, "members", members);
	add_text(object, "state", availability_of_group(outlook, member, count, owner));
	return object;
}

/* The claim that has any of these members: a group has one owner. */
static const struct claim *group_owner(const struct ledger *ledger, const struct device *const *member, size_t count)
{
	const struct claim *owner = NULL;

	for (size_t i = 0; ledger && i < count && !owner; i++)
		owner = ledger_owner(ledger, member[i]->name, NULL);
	return owner;
}

struct json_object *reply_json_groups(const struct topology *topology, const struct ledger *ledger,
				      const struct outlook *outlook)
{
	struct json_object *array = json_make_array();
	size_t count = 0;
	const struct device **device = topology_sorted_by_group(topology, &count);

	for (size_t first = 0, end; device && first < count; first = end) {
		for (end = first + 1; end < count && device[end]->group == device[first]->group;)
			end++;
		json_add(array, reply_json_group(device[first]->group, device + first, end - first,
						 group_owner(ledger, device + first, end - first), outlook));
	}
	if (!device)
		json_lacks_memory();
	free(device);
	return array;
}

static struct json_object *claim_devices(const struct claim *claim, bool lockouts)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < claim->device_count; i++)
		if (claim->device[i].lockout == lockouts)
			json_add(array, json_make_string(claim->device[i].before.name));
	return array;
}

struct json_object *reply_json_interface(const struct kernel_features *kernel)
{
	int interface = kernel_interface(kernel);

	return interface < 0 ? NULL : json_make_string(vfio_interface_to_string((enum vfio_interface)interface));
}

struct json_object *reply_json_claim(const struct claim *claim)
{
	struct json_object *object = json_make_object();

	add_text(object, "id", claim->id);
	add_text(object, "state", claim_state_to_string(claim->state));
	add_text(object, "mode", delivery_mode_to_string(claim->mode));
	add_text(object, "interface", vfio_interface_to_string(claim->interface));
	add_text(object, "rule", claim->rule);
	add_number(object, "uid", claim->uid);
	add_number(object, "pid", claim->pid);
	add_number(object, "since", (int64_t)claim->since);
	json_set(object, "devices", claim_devices(claim, false));
	json_set(object, "lockouts", claim_devices(claim, true));
	add_text(object, "lease", lease_kind_to_string(claim->lease.kind));
	add_optional(object, "lease_unit", claim->lease.unit);
	add_optional(object, "unit", claim->unit);
	add_truth(object, "revoked", claim->revoked);
	add_optional(object, "note", claim->note);
	return object;
}

struct json_object *reply_json_lockouts(const struct decision *decision)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < decision->lockout_count; i++) {
		const struct lockout *lockout = &decision->lockout[i];
		struct json_object *object = json_make_object();

		add_text(object, "device", lockout->device);
		add_text(object, "for", lockout->for_device);
		add_optional(object, "driver", lockout->driver);
		add_text(object, "severity", severity_to_string(lockout->severity));
		add_optional(object, "use", lockout->use);
		add_truth(object, "covered", lockout->covered);
		json_add(array, object);
	}
	return array;
}

struct json_object *reply_json_blockers(const struct decision *decision)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < decision->blocker_count; i++) {
		const struct blocker *blocker = &decision->blocker[i];
		struct json_object *object = json_make_object();

		add_text(object, "kind", blocker_kind_to_string(blocker->kind));
		add_number(object, "status", blocker_kind_to_exit_status(blocker->kind));
		add_optional(object, "device", blocker->device);
		add_optional(object, "member", blocker->member);
		add_optional(object, "use", blocker->use);
		add_optional(object, "claim", blocker->claim);
		add_optional(object, "rule", blocker->rule);
		add_text(object, "message", blocker->message);
		add_text(object, "remedy", blocker->remedy);
		json_add(array, object);
	}
	return array;
}

static struct json_object *plan_devices(const struct decision *decision, const struct topology *topology)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < decision->device_count; i++) {
		const struct decided_device *decided = &decision->device[i];
		const struct device *device = topology_find(topology, decided->device);
		struct json_object *object = json_make_object();

		add_text(object, "name", decided->device);
		json_set(object, "group", device && device->group >= 0 ? json_make_number(device->group) : NULL);
		add_optional(object, "rule", decided->rule ? decided->rule->name : "");
		add_optional(object, "rule_file", decided->rule ? decided->rule->file : "");
		json_set(object, "rule_line", decided->rule ? json_make_number((int)decided->rule->line) : NULL);
		json_add(array, object);
	}
	return array;
}

static struct json_object *plan_uses(const struct uses *uses)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < uses->count; i++) {
		struct json_object *object = json_make_object();

		add_text(object, "device", uses->use[i].device);
		add_text(object, "kind", use_kind_to_string((enum use_kind)uses->use[i].kind));
		add_text(object, "severity", severity_to_string((enum severity)uses->use[i].severity));
		add_text(object, "text", uses->use[i].text);
		json_add(array, object);
	}
	return array;
}

static struct json_object *plan_steps(const struct plan *plan)
{
	struct json_object *array = json_make_array();
	char text[TEXT_MAX];

	for (size_t i = 0; i < plan->count; i++) {
		struct json_object *object = json_make_object();

		add_text(object, "kind", step_kind_to_string((enum step_kind)plan->step[i].kind));
		add_optional(object, "device", plan->step[i].device);
		add_text(object, "text", step_describe(&plan->step[i], text, sizeof(text)));
		json_add(array, object);
	}
	return array;
}

static struct json_object *plan_chosen(const struct decision *decision)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < decision->chosen_count; i++) {
		struct json_object *object = json_make_object();

		add_text(object, "pool", decision->chosen[i].pool);
		add_text(object, "device", decision->chosen[i].device);
		add_text(object, "why", decision->chosen[i].why);
		json_add(array, object);
	}
	return array;
}

static struct json_object *plan_notes(const struct decision *decision)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < decision->note_count; i++) {
		const struct note *note = &decision->note[i];
		struct json_object *object = json_make_object();

		add_text(object, "kind", note_kind_to_string(note->kind));
		add_text(object, "severity", severity_to_string(note->severity));
		add_optional(object, "device", note->device);
		add_text(object, "text", note->text);
		json_add(array, object);
	}
	return array;
}

struct json_object *reply_json_plan(const struct decision *decision, const struct uses *uses,
				    const struct topology *topology, const struct kernel_features *kernel,
				    enum delivery_mode mode)
{
	struct json_object *object = json_make_object();

	add_truth(object, "allowed", decision->allowed);
	add_number(object, "status", decision->status);
	add_number(object, "uid", decision->uid);
	add_optional(object, "unit", decision->unit);
	add_text(object, "mode", delivery_mode_to_string(mode));
	json_set(object, "interface", reply_json_interface(kernel));
	json_set(object, "devices", plan_devices(decision, topology));
	json_set(object, "chosen", plan_chosen(decision));
	json_set(object, "lockouts", reply_json_lockouts(decision));
	json_set(object, "blockers", reply_json_blockers(decision));
	json_set(object, "notes", plan_notes(decision));
	json_set(object, "uses", plan_uses(uses));
	json_set(object, "steps", plan_steps(&decision->plan));
	return object;
}

struct json_object *reply_json_policy(const struct policy *policy)
{
	struct json_object *object = json_make_object(), *files = json_make_array();
	char digest[24];

	for (size_t i = 0; i < policy->file_count; i++)
		json_add(files, json_make_string(policy->file[i]));
	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)policy->digest);
	json_set(object, "files", files);
	json_set(object, "rules", json_make_number((int64_t)policy->rule_count));
	json_set(object, "digest", json_make_string(digest));
	return object;
}

struct json_object *reply_json_diagnostics(const struct diagnostics *diagnostics)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->item[i];
		struct json_object *object = json_make_object();

		add_text(object, "file", item->file);
		json_set(object, "line", item->line ? json_make_number(item->line) : NULL);
		json_set(object, "column", item->column ? json_make_number(item->column) : NULL);
		add_truth(object, "error", item->error);
		add_text(object, "message", item->message);
		json_add(array, object);
	}
	return array;
}

struct json_object *reply_json_regrants(const struct regrants *regrants)
{
	struct json_object *array = json_make_array();

	for (size_t i = 0; i < regrants->count; i++) {
		struct json_object *object = json_make_object();

		add_text(object, "claim", regrants->item[i].claim);
		add_text(object, "device", regrants->item[i].device);
		add_text(object, "reason", regrants->item[i].reason);
		json_add(array, object);
	}
	return array;
}

/* What to do about a process that holds something, and that did not get it by a claim as far as can be told. */
static void advise_on_hold(const struct hold *hold, const struct hold_origin *origin, char out[static 2 * TEXT_MAX])
{
	char end[TEXT_MAX];

	out[0] = '\0';
	if (origin->verdict == HOLD_OF_CLAIM || origin->verdict == HOLD_OF_SERVICE)
		return;
	/* A scope or a session is not for systemctl to be stopped by name without a look. */
	if (hold->unit[0] && strstr(hold->unit, ".service"))
		text_format(end, sizeof end, "end it (systemctl stop %s)", hold->unit);
	else
		text_format(end, sizeof end, "end process %d", hold->pid);
	if (origin->verdict == HOLD_UNKNOWN && origin->claim[0])
		text_format(out, 2 * TEXT_MAX, "%s, unless it should have it through claim %s", end, origin->claim);
	else if (origin->verdict == HOLD_UNKNOWN)
		text_format(out, 2 * TEXT_MAX, "%s, unless it should have it through a claim", end);
	else if (hold->kind == HOLD_IOMMUFD || hold->kind == HOLD_CONTAINER)
		text_format(out, 2 * TEXT_MAX, "by itself it reaches no device; %s if it has no use for devices", end);
	else
		text_format(out, 2 * TEXT_MAX, "%s, and start it with a claim on what it uses (ioasidctl run)", end);
}

struct json_object *reply_json_hold(const struct hold *hold, const struct hold_origin *origin)
{
	struct json_object *object = json_make_object();
	char remedy[2 * TEXT_MAX];

	advise_on_hold(hold, origin, remedy);
	add_number(object, "pid", hold->pid);
	add_number(object, "uid", hold->uid);
	add_text(object, "command", hold->command);
	add_optional(object, "unit", hold->unit);
	add_text(object, "kind", hold_kind_to_string((enum hold_kind)hold->kind));
	add_number(object, "count", hold->count);
	add_optional(object, "device", hold->device);
	json_set(object, "group", hold->group >= 0 ? json_make_number(hold->group) : NULL);
	add_optional(object, "node", hold->node);
	add_text(object, "verdict", hold_verdict_to_string(origin->verdict));
	add_optional(object, "claim", origin->claim);
	add_optional(object, "remedy", remedy);
	return object;
}

/* What to do about a node that somebody can open whom no claim gave it. */
static void advise_on_node(const struct node_access *access, bool granted, char out[static 2 * TEXT_MAX])
{
	out[0] = '\0';
	if (granted)
		return;
	if (access->acl[0])
		text_format(out, 2 * TEXT_MAX, "setfacl -b /dev/%s, ", access->node);
	if (access->uid != 0 || access->gid != 0)
		text_append(out, 2 * TEXT_MAX, "chown root:root /dev/%s, ", access->node);
	text_append(out, 2 * TEXT_MAX,
		    "chmod 0600 /dev/%s; find the udev rule or program that grants access (ioasidd's rules set 0600)",
		    access->node);
}

struct json_object *reply_json_open_node(const struct node_access *access, bool granted)
{
	struct json_object *object = json_make_object(), *users = json_make_array();
	char mode[8], remedy[2 * TEXT_MAX];

	advise_on_node(access, granted, remedy);
	snprintf(mode, sizeof(mode), "%04o", access->mode & 07777u);
	for (uint32_t i = 0; i < access->user_count; i++)
		json_add(users, json_make_number(access->user[i]));
	add_text(object, "node", access->node);
	add_optional(object, "device", access->device);
	json_set(object, "group", access->group >= 0 ? json_make_number(access->group) : NULL);
	add_text(object, "mode", mode);
	add_number(object, "uid", access->uid);
	add_number(object, "gid", access->gid);
	add_truth(object, "everybody", access->everybody);
	add_truth(object, "groups", access->groups);
	json_set(object, "users", users);
	add_number(object, "users_left_out", access->users_left_out);
	add_optional(object, "acl", access->acl);
	add_truth(object, "granted", granted);
	add_optional(object, "remedy", remedy);
	return object;
}
