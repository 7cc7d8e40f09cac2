#include "verb_show.h"

#include "../core/device_names.h"
#include "../core/reply.h"
#include "../core/session.h"
#include "../view/tree.h"

#include "../../../policy/model/device.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LABEL_COLUMNS = 18 };

static void write_row(struct session *session, const char *label, const char *text)
{
	layout_row_of(&session->out, label, LABEL_COLUMNS, "%s", text);
}

static void write_number(struct session *session, const char *label, int64_t number)
{
	layout_row_of(&session->out, label, LABEL_COLUMNS, "%" PRId64, number);
}

/* A row for each text of a list; one with a word for nothing where it is empty. */
static void write_list(struct session *session, const char *label, struct json_object *list, const char *nothing)
{
	size_t count = reply_count(list);

	if (count == 0)
		write_row(session, label, nothing);
	for (size_t i = 0; i < count; i++)
		write_row(session, i == 0 ? label : "", reply_text(list, i));
}

static void write_ids(struct session *session, struct json_object *device)
{
	char text[256];

	snprintf(text, sizeof(text), "%s (%s)", reply_string(device, "class_text", "device"),
		 reply_string(device, "class", "?"));
	write_row(session, "class", text);
	snprintf(text, sizeof(text), "%s:%s, subsystem %s:%s", reply_string(device, "vendor_id", "?"),
		 reply_string(device, "device_id", "?"), reply_string(device, "subsystem_vendor_id", "?"),
		 reply_string(device, "subsystem_device_id", "?"));
	write_row(session, "vendor:device", text);
}

static void write_state(struct session *session, struct json_object *device)
{
	const char *claim = reply_string(device, "claim", NULL), *use = reply_string(device, "use", NULL);
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s%s%s%s", tree_state_words(reply_string(device, "state", "?")),
		 use != NULL ? ": " : "", use != NULL ? use : "", claim != NULL ? " by claim " : "",
		 claim != NULL ? claim : "", reply_flag(device, "locked_out") ? "; locked out, not requested" : "");
	write_row(session, "state", text);
}

static void write_device(struct session *session, struct json_object *device)
{
	int64_t group = reply_number(device, "group", -1);
	int64_t functions = reply_number(device, "virtual_functions_max", 0);
	const char *physical = reply_string(device, "physical_function", NULL);
	char text[64];

	write_row(session, "device", reply_string(device, "name", "?"));
	write_ids(session, device);
	write_state(session, device);
	write_row(session, "driver", reply_string(device, "driver", "none"));
	write_row(session, "driver_override", reply_string(device, "driver_override", "not set"));
	if (group >= 0)
		write_number(session, "IOMMU group", group);
	else
		write_row(session, "IOMMU group", "none: cannot be claimed");
	write_row(session, "behind", reply_string(device, "parent", "a root bus"));
	if (reply_flag(device, "bridge"))
		write_row(session, "bridge", "yes: cannot be claimed, stays on its driver");
	if (reply_number(device, "numa_node", -1) >= 0)
		write_number(session, "NUMA node", reply_number(device, "numa_node", -1));
	if (physical != NULL)
		write_row(session, "virtual function", physical);
	if (functions > 0) {
		snprintf(text, sizeof(text), "%" PRId64 " of %" PRId64 " enabled",
			 reply_number(device, "virtual_functions", 0), functions);
		write_row(session, "virtual functions", text);
	}
	write_list(session, "reset by", reply_list(device, "reset_methods"), "nothing: cannot be reset");
	write_row(session, "VFIO node", reply_string(device, "vfio_node", "none"));
}

/* What keeps a claim alive, and whether it is to end. */
static void write_lease(struct session *session, struct json_object *claim)
{
	const char *lease = reply_string(claim, "lease", NULL), *unit = reply_string(claim, "lease_unit", NULL);
	char text[320];

	if (lease != NULL) {
		snprintf(text, sizeof(text), "%s%s%s", lease, unit != NULL ? " " : "", unit != NULL ? unit : "");
		write_row(session, "lease", text);
	}
	if (reply_flag(claim, "revoked"))
		write_row(session, "revoked", "being revoked, or revoked, by an operator");
	unit = reply_string(claim, "unit", NULL);
	if (unit != NULL)
		write_row(session, "unit", unit);
}

static void write_claim(struct session *session, struct json_object *claim)
{
	time_t since = (time_t)(reply_number(claim, "since", 0) / 1000000);
	const char *note = reply_string(claim, "note", NULL);
	struct tm parts;
	char text[64];

	write_row(session, "claim", reply_string(claim, "id", "?"));
	write_row(session, "state", reply_string(claim, "state", "?"));
	if (note != NULL)
		write_row(session, "note", note);
	write_row(session, "mode", reply_string(claim, "mode", "?"));
	write_row(session, "interface", reply_string(claim, "interface", "?"));
	write_row(session, "rule", reply_string(claim, "rule", "?"));
	write_lease(session, claim);
	write_number(session, "uid", reply_number(claim, "uid", -1));
	if (reply_number(claim, "pid", 0) > 0)
		write_number(session, "process", reply_number(claim, "pid", 0));
	if (since > 0 && localtime_r(&since, &parts) != NULL && strftime(text, sizeof(text), "%F %T %z", &parts) > 0)
		write_row(session, "since", text);
	write_list(session, "devices", reply_list(claim, "devices"), "none");
	write_list(session, "locked out", reply_list(claim, "lockouts"), "nothing");
}

/* Prints {key: object, other_key: other}; consumes nothing. other_key may be NULL. */
static int print_json(struct session *session, const char *key, struct json_object *object, const char *other_key,
		      struct json_object *other)
{
	struct json_object *both = json_object_new_object();
	int result = both == NULL ? -ENOMEM : json_object_object_add(both, key, json_object_get(object));

	if (result == 0 && other_key != NULL)
		result = json_object_object_add(both, other_key, json_object_get(other));
	if (result == 0)
		session_print_json(session, both);
	json_object_put(both);
	return result < 0 ? session_fail(session, EXIT_FAILED, "out of memory") : EXIT_DONE;
}

static int show_device(struct session *session, const char *name)
{
	struct json_object *reply, *device;
	int status = session_call(session, "cannot list devices", "org.ioasid1.ListDevices", NULL, &reply);

	if (status != EXIT_DONE)
		return status;
	device = reply_find(reply_list(reply, "devices"), "name", name);
	if (device == NULL)
		status = session_fail(session, EXIT_UNKNOWN, "no such device %s; see `ioasidctl list`", name);
	else if (session->line->json)
		status = print_json(session, "device", device, NULL, NULL);
	else
		write_device(session, device);
	json_object_put(reply);
	return status;
}

static int show_claim(struct session *session, const char *id)
{
	struct json_object *reply, *claim;
	int status = session_call(session, "cannot list claims", "org.ioasid1.ListClaims", NULL, &reply);

	if (status != EXIT_DONE)
		return status;
	claim = reply_find(reply_list(reply, "claims"), "id", id);
	if (claim == NULL)
		status = session_fail(session, EXIT_UNKNOWN, "no such claim %s, or it belongs to another user", id);
	else if (session->line->json)
		status = print_json(session, "claim", claim, NULL, NULL);
	else
		write_claim(session, claim);
	json_object_put(reply);
	return status;
}

/* Prints a group and the devices that are in it. */
static int print_group(struct session *session, struct json_object *group, struct json_object *devices)
{
	struct json_object *members = json_object_new_array();
	int64_t number = reply_number(group, "number", -1);
	int status;

	for (size_t i = 0; i < reply_count(devices) && members != NULL; i++) {
		struct json_object *device = reply_entry(devices, i);

		if (reply_number(device, "group", -1) == number)
			json_object_array_add(members, json_object_get(device));
	}
	status = print_json(session, "group", group, "devices", members);
	json_object_put(members);
	return status;
}

static int draw_group(struct session *session, int64_t number, struct json_object *devices, struct json_object *groups)
{
	struct tree *tree = tree_new(devices, groups, NULL);

	if (tree == NULL)
		return session_fail(session, EXIT_FAILED, "out of memory");
	tree_draw(tree, &session->out, number);
	tree_free(tree);
	return EXIT_DONE;
}

static struct json_object *find_group(struct json_object *groups, int64_t number)
{
	for (size_t i = 0; i < reply_count(groups); i++)
		if (reply_number(reply_entry(groups, i), "number", -1) == number)
			return reply_entry(groups, i);
	return NULL;
}

static int show_group(struct session *session, int64_t number)
{
	struct json_object *device_reply = NULL, *group_reply = NULL;
	struct json_object *devices, *groups, *group;
	int status = session_call(session, "cannot list groups", "org.ioasid1.ListGroups", NULL, &group_reply);

	if (status == EXIT_DONE)
		status = session_call(session, "cannot list devices", "org.ioasid1.ListDevices", NULL, &device_reply);
	if (status == EXIT_DONE) {
		devices = reply_list(device_reply, "devices");
		groups = reply_list(group_reply, "groups");
		group = find_group(groups, number);
		if (group == NULL)
			status = session_fail(session, EXIT_UNKNOWN,
					      "no such IOMMU group %" PRId64 "; see `ioasidctl list`", number);
		else if (session->line->json)
			status = print_group(session, group, devices);
		else
			status = draw_group(session, number, devices, groups);
	}
	json_object_put(device_reply);
	json_object_put(group_reply);
	return status;
}

/* True if a text is the number of a group: digits alone. */
static bool read_group(const char *text, int64_t *number)
{
	char *end;

	if (strspn(text, "0123456789") != strlen(text) || *text == '\0')
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0;
}

static int run(struct session *session)
{
	const char *const *argument = session->line->argument;
	char name[DEVICE_NAME_MAX];
	int64_t number;

	if (session->line->argument_count == 2) {
		if (strcmp(argument[0], "group") != 0 || !read_group(argument[1], &number))
			return session_fail(session, EXIT_USAGE,
					    "show takes one device, claim or group; a group is named by its number: "
					    "show group 7");
		return show_group(session, number);
	}
	if (read_group(argument[0], &number))
		return show_group(session, number);
	if (device_name_read(argument[0], name) < 0)
		return session_fail(session, EXIT_USAGE, "invalid name of a device, claim or group \"%s\"",
				    argument[0]);
	return device_name_is_valid(name) ? show_device(session, name) : show_claim(session, name);
}

const struct verb verb_show = {
	.name = "show",
	.arguments = "WHAT",
	.summary = "show details of a device, claim or IOMMU group",
	.text = "Shows details of a device (named by its address), a claim (by its id) or an\n"
		"IOMMU group (by its number: show 7, or show group 7).\n",
	.options = OPTION_SNAPSHOT,
	.minimum = 1,
	.maximum = 2,
	.run = run,
};
