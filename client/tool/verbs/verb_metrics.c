#include "verb_metrics.h"

#include "../core/files.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../escape.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

/* Line ends make the text; of anything else that is not printable nothing is left to a terminal. */
static int write_text(FILE *stream, void *context)
{
	const char *text = context;

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);

		if (line == NULL)
			return -ENOMEM;
		escape_write(stream, line, false);
		free(line);
		if (text[length] == '\n')
			fputc('\n', stream);
		text += length + (text[length] == '\n');
	}
	return 0;
}

static int run(struct session *session)
{
	const char *path = session->line->textfile, *text;
	struct json_object *reply;
	int status = session_call(session, "cannot get the metrics", "org.ioasid1.GetMetrics", NULL, &reply);
	int error = 0;

	if (status != EXIT_DONE)
		return status;
	text = reply_string(reply, "text", NULL);
	if (text == NULL)
		status = session_malformed(session, "missing text");
	else if (path != NULL)
		/* Collectors run as users of their own. */
		error = files_write(path, 0644, write_text, (void *)text);
	else if (session->line->json)
		session_print_json(session, reply);
	else
		error = write_text(session->out.stream, (void *)text);
	json_object_put(reply);
	if (error < 0)
		status = session_fail(session, EXIT_FAILED, "cannot write %s: %s", path != NULL ? path : "the text",
				      strerror(-error));
	return status;
}

const struct verb verb_metrics = {
	.name = "metrics",
	.arguments = "",
	.summary = "print metrics for Prometheus",
	.text = "Prints metrics as OpenMetrics text: claims and devices by state, refusals by\n"
		"reason, durations, hung plans, use of the rules' limits (operators only), lost\n"
		"records. With --textfile, replaces a file atomically, for the textfile collector\n"
		"of node_exporter.\n",
	.options = OPTION_TEXTFILE,
	.run = run,
};
