#include "verb_monitor.h"

#include "../view/event_text.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../escape.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* Prints an event, so that whoever reads this through a pipe has it at once. */
static int print(struct session *session, const char *text)
{
	struct json_object *event = reply_parse(text);

	if (event == NULL)
		return session_malformed(session, "an event is not an object");
	if (session->line->json) {
		escape_write_json(session->out.stream, text);
		fputc('\n', session->out.stream);
	} else {
		event_text_write(&session->out, event);
	}
	json_object_put(event);
	fflush(session->out.stream);
	return ferror(session->out.stream) ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct session *session)
{
	const char *claim = session->line->argument_count > 0 ? session->line->argument[0] : NULL;
	struct ioasid_monitor *monitor;
	int status = session_connect(session), result = 0;
	char *event;

	if (status != EXIT_DONE)
		return status;
	if (ioasid_monitor_open(session->connection, claim, &monitor) < 0)
		return session_report(session, "cannot watch");
	while (status == EXIT_DONE && (result = ioasid_monitor_next(session->connection, monitor, -1, &event)) == 0) {
		status = print(session, event);
		free(event);
	}
	ioasid_monitor_close(monitor);
	/* The claim that was watched is no more, as its last event has said. */
	if (status == EXIT_DONE && result != -ENODATA)
		status = session_report(session, "watching ended");
	return status;
}

const struct verb verb_monitor = {
	.name = "monitor",
	.arguments = "[CLAIM]",
	.summary = "show events as they happen",
	.text = "Prints a line for each event until interrupted: claims that are made, end,\n"
		"linger or are revoked, refusals, devices that are added, changed or removed,\n"
		"policies that are loaded. Shows your own claims or, for operators, all claims;\n"
		"of one claim, until it ends. With --json, each line is an object (Event of\n"
		"org.ioasid1). The first is \"ready\": no event after it is missed.\n",
	.minimum = 0,
	.maximum = 1,
	.run = run,
};
