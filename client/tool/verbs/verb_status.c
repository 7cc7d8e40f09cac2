#include "verb_status.h"

#include "../core/reply.h"
#include "../core/session.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

enum { LABEL_COLUMNS = 9 };

static const char *yes_no(struct json_object *object, const char *key)
{
	return reply_flag(object, key) ? "yes" : "no";
}

/* How claims are delivered, and why that way. */
static void write_interface(struct session *session, struct json_object *reply, struct json_object *kernel)
{
	const char *interface = reply_string(reply, "interface", "");
	const char *text;

	if (strcmp(interface, "iommufd") == 0)
		text = "iommufd: this kernel has iommufd and VFIO device nodes";
	else if (strcmp(interface, "group") == 0 && reply_flag(kernel, "iommufd"))
		text = "groups: containers (type1v2) and groups, as this kernel has iommufd but no VFIO device nodes";
	else if (strcmp(interface, "group") == 0)
		text = "groups: containers (type1v2) and groups, as this kernel has no iommufd; mode \"open\" is "
		       "unavailable";
	else
		text = "none: this kernel has neither iommufd with VFIO device nodes nor VFIO groups; see "
		       "`ioasidctl doctor`";
	layout_row_of(&session->out, "interface", LABEL_COLUMNS, "%s", text);
}

/* That the files on the disk are not what decides, and what is wrong with them. */
static void write_refusal(const struct layout *out, struct json_object *refusal)
{
	struct json_object *errors = reply_list(refusal, "errors");
	int64_t since = reply_number(refusal, "since", 0), more = reply_number(refusal, "more", 0);
	time_t seconds = (time_t)(since / 1000000);
	struct tm when;
	char text[64] = "";

	if (since > 0 && localtime_r(&seconds, &when) != NULL)
		strftime(text, sizeof(text), " (%Y-%m-%d %H:%M:%S)", &when);
	layout_colour(out, COLOUR_BAD);
	layout_row_of(out, "NOT USED", LABEL_COLUMNS, "%s%s",
		      reply_string(refusal, "message", "the current policy files are not in force"), text);
	layout_colour(out, COLOUR_NONE);
	for (size_t i = 0; i < reply_count(errors); i++) {
		struct json_object *item = reply_entry(errors, i);
		int64_t line = reply_number(item, "line", 0);
		const char *by = reply_string(item, "by", "");

		if (line > 0)
			layout_row_of(out, "", LABEL_COLUMNS, "%s:%" PRId64 ":%" PRId64 ": %s%s",
				      reply_string(item, "file", "?"), line, reply_number(item, "column", 0),
				      reply_string(item, "message", "?"),
				      strcmp(by, "executor") == 0 ? " (the executor)" : "");
		else
			layout_row_of(out, "", LABEL_COLUMNS, "%s: %s%s", reply_string(item, "file", "?"),
				      reply_string(item, "message", "?"),
				      strcmp(by, "executor") == 0 ? " (the executor)" : "");
	}
	if (more > 0)
		layout_row_of(out, "", LABEL_COLUMNS, "and %" PRId64 " more errors", more);
	if (reply_count(errors) == 0)
		layout_row_of(out, "", LABEL_COLUMNS, "operators can see their errors");
	layout_row_of(out, "", LABEL_COLUMNS,
		      "to resolve: run `ioasidctl policy check`, fix the files, then run `ioasidctl policy reload`");
}

static void write_status(struct session *session, struct json_object *reply)
{
	struct json_object *refusal = reply_object(reply, "policy_refused");
	struct json_object *kernel = reply_object(reply, "kernel");
	struct json_object *policy = reply_object(reply, "policy");
	struct json_object *files = reply_list(policy, "files");
	struct json_object *warnings = reply_list(reply, "warnings");
	const struct layout *out = &session->out;

	layout_row_of(out, "ioasidd", LABEL_COLUMNS, "%s at %s", reply_string(reply, "version", "(unknown version)"),
		      session->line->socket != NULL ? session->line->socket : IOASID_SOCKET_PATH);
	layout_row_of(out, "kernel", LABEL_COLUMNS, "%s: iommufd %s, VFIO device nodes %s, VFIO groups %s",
		      reply_string(kernel, "release", "(unknown release)"), yes_no(kernel, "iommufd"),
		      yes_no(kernel, "vfio_cdev"), yes_no(kernel, "vfio_group"));
	write_interface(session, reply, kernel);
	if (reply_flag(kernel, "unsafe_interrupts"))
		layout_row_of(out, "", LABEL_COLUMNS,
			      "unsafe interrupts are allowed: devices can forge host interrupts");
	if (reply_flag(kernel, "noiommu"))
		layout_row_of(out, "", LABEL_COLUMNS, "unsafe no-IOMMU mode is on: devices can access all memory");
	layout_row_of(out, "policy", LABEL_COLUMNS, "%" PRId64 " rule%s, digest %s", reply_number(policy, "rules", 0),
		      reply_number(policy, "rules", 0) == 1 ? "" : "s", reply_string(policy, "digest", "unknown"));
	for (size_t i = 0; i < reply_count(files); i++)
		layout_row_of(out, "", LABEL_COLUMNS, "%s", reply_text(files, i));
	if (refusal != NULL)
		write_refusal(out, refusal);
	layout_row_of(out, "devices", LABEL_COLUMNS, "%" PRId64 " in %" PRId64 " IOMMU groups",
		      reply_number(reply, "devices", 0), reply_number(reply, "groups", 0));
	layout_row_of(out, "claims", LABEL_COLUMNS, "%" PRId64, reply_number(reply, "claims", 0));
	for (size_t i = 0; i < reply_count(warnings); i++)
		layout_row_of(out, i == 0 ? "warnings" : "", LABEL_COLUMNS, "%s", reply_text(warnings, i));
}

static int run(struct session *session)
{
	struct json_object *reply;
	int status = session_call(session, "cannot get the status", "org.ioasid1.GetStatus", NULL, &reply);

	if (status != EXIT_DONE)
		return status;
	if (session->line->json)
		session_print_json(session, reply);
	else
		write_status(session, reply);
	json_object_put(reply);
	return EXIT_DONE;
}

const struct verb verb_status = {
	.name = "status",
	.arguments = "",
	.summary = "show ioasidd's version, kernel and policy",
	.text = "Shows the version of ioasidd, the features of this kernel and the interface that\n"
		"claims use, the policy in force, and the number of devices, IOMMU groups and\n"
		"claims; whether the current policy files were rejected, and why; and warnings,\n"
		"such as reserved devices that are not ready, and claims that linger although no\n"
		"holder can be found.\n",
	.run = run,
};
