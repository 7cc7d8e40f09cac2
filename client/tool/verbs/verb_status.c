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
		text = "groups: containers (type1v2) and groups, as this kernel has no iommufd; mode open is not to "
		       "be had";
	else
		text = "none: this kernel has neither iommufd with VFIO device nodes nor VFIO groups; "
		       "`ioasidctl doctor` says what to do";
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
		      reply_string(refusal, "message", "the policy files that are there are not in force"), text);
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
		layout_row_of(out, "", LABEL_COLUMNS, "operators are told what is wrong with them");
	layout_row_of(out, "", LABEL_COLUMNS,
		      "to resolve: `ioasidctl policy check`, correct the files, then `ioasidctl policy "
		      "reload`");
}

static void write_status(struct session *session, struct json_object *reply)
{
	struct json_object *refusal = reply_object(reply, "policy_refused");
	struct json_object *kernel = reply_object(reply, "kernel");
	struct json_object *policy = reply_object(reply, "policy");
	struct json_object *files = reply_list(policy, "files");
	struct json_object *warnings = reply_list(reply, "warnings");
	const struct layout *out = &session->out;

	layout_row_of(out, "ioasidd", LABEL_COLUMNS, "%s at %s",
		      reply_string(reply, "version", "of an unknown version"),
		      session->line->socket != NULL ? session->line->socket : IOASID_SOCKET_PATH);
	layout_row_of(out, "kernel", LABEL_COLUMNS, "%s: iommufd %s, VFIO device nodes %s, VFIO groups %s",
		      reply_string(kernel, "release", "of an unknown release"), yes_no(kernel, "iommufd"),
		      yes_no(kernel, "vfio_cdev"), yes_no(kernel, "vfio_group"));
	write_interface(session, reply, kernel);
	if (reply_flag(kernel, "unsafe_interrupts"))
		layout_row_of(out, "", LABEL_COLUMNS,
			      "unsafe interrupts are allowed: a device can forge interrupts of the host");
	if (reply_flag(kernel, "noiommu"))
		layout_row_of(out, "", LABEL_COLUMNS,
			      "unsafe no-IOMMU mode is on: nothing keeps a device from any memory");
	layout_row_of(out, "policy", LABEL_COLUMNS, "%" PRId64 " rules, digest %s", reply_number(policy, "rules", 0),
		      reply_string(policy, "digest", "unknown"));
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
	int status = session_call(session, "cannot ask for the status", "org.ioasid1.GetStatus", NULL, &reply);

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
	.summary = "which ioasidd, on what kernel, with what policy",
	.text = "Says which ioasidd runs, what this kernel offers and by which interface claims\n"
		"are delivered therefore, which policy is in force, and how many devices, IOMMU\n"
		"groups and claims there are; whether the policy files that are there were\n"
		"refused, and for what; and warnings, such as of devices that the policy reserves\n"
		"and that are not ready, and of claims that linger for nobody knows whom.\n",
	.run = run,
};
