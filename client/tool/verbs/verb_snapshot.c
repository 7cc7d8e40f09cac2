#include "verb_snapshot.h"

#include "../core/files.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../escape.h"
#include "../../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static int write_json(FILE *stream, void *object)
{
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
									  JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text == NULL)
		return -ENOMEM;
	escape_write_json(stream, text);
	fputc('\n', stream);
	return 0;
}

static struct json_object *question(const struct session *session)
{
	struct json_object *object = json_object_new_object();

	if (object != NULL && json_build_set(object, "details", json_object_new_boolean(session->line->details)) == 0)
		return object;
	json_object_put(object);
	return NULL;
}

static int run(struct session *session)
{
	const char *path = session->line->argument_count > 0 ? session->line->argument[0] : NULL;
	struct json_object *reply, *snapshot;
	int status = session_call(session, "cannot take a snapshot", "org.ioasid1.Snapshot", question(session), &reply);
	int error = 0;

	if (status != EXIT_DONE)
		return status;
	snapshot = reply_object(reply, "snapshot");
	if (snapshot == NULL)
		status = session_malformed(session, "missing snapshot");
	else if (path == NULL)
		error = write_json(session->out.stream, snapshot);
	else
		error = files_write(path, 0600, write_json, snapshot);
	json_object_put(reply);
	if (error < 0)
		status = session_fail(session, EXIT_FAILED, "cannot write %s: %s", path != NULL ? path : "the snapshot",
				      strerror(-error));
	return status;
}

const struct verb verb_snapshot = {
	.name = "snapshot",
	.arguments = "[FILE]",
	.summary = "save a snapshot of the host to a file",
	.text = "Writes the kernel features, the devices and their uses to FILE or to standard\n"
		"output, for --snapshot and ioasid-simulator. For operators only. Contains no\n"
		"serial numbers and no hardware addresses; contains mount points, network\n"
		"addresses and processes only with --with-details.\n",
	.options = OPTION_DETAILS,
	.minimum = 0,
	.maximum = 1,
	.run = run,
};
