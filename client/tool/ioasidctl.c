#include "ioasidctl.h"

#include "core/help.h"
#include "offline/offline.h"
#include "core/session.h"
#include "verbs/verb_audit.h"
#include "verbs/verb_claim.h"
#include "verbs/verb_doctor.h"
#include "verbs/verb_graph.h"
#include "verbs/verb_list.h"
#include "verbs/verb_metrics.h"
#include "verbs/verb_monitor.h"
#include "verbs/verb_plan.h"
#include "verbs/verb_policy.h"
#include "verbs/verb_release.h"
#include "verbs/verb_revoke.h"
#include "verbs/verb_run.h"
#include "verbs/verb_show.h"
#include "verbs/verb_snapshot.h"
#include "verbs/verb_status.h"

#include <stdlib.h>

const struct verb *const ioasidctl_verbs[] = {
	&verb_status, &verb_list,    &verb_show,    &verb_plan,   &verb_graph,  &verb_snapshot,
	&verb_run,    &verb_claim,   &verb_release, &verb_revoke, &verb_policy, &verb_monitor,
	&verb_audit,  &verb_metrics, &verb_doctor,  NULL,
};

static int dispatch(struct session *session, int read_status)
{
	const struct command_line *line = session->line;

	if (read_status == EXIT_USAGE)
		return session_fail(session, EXIT_USAGE, "%s", line->error);
	if (read_status != EXIT_DONE)
		return session_fail(session, EXIT_FAILED, "out of memory");
	if (line->version) {
		fputs("ioasidctl " VERSION "\n", session->out.stream);
		return EXIT_DONE;
	}
	if (line->help) {
		if (line->verb != NULL)
			help_write_verb(session->out.stream, line->verb);
		else
			help_write_all(session->out.stream, ioasidctl_verbs);
		return EXIT_DONE;
	}
	if (line->snapshot != NULL) {
		int status = offline_begin(session);

		if (status != EXIT_DONE)
			return status;
	}
	return line->verb->run(session);
}

int ioasidctl(int argc, char **argv)
{
	struct session session = { 0 };
	struct command_line line;
	int status;

	layout_detect(&session.out, stdout);
	layout_detect(&session.err, stderr);
	session.line = &line;
	status = dispatch(&session, command_line_read(&line, ioasidctl_verbs, argc, argv));
	ioasid_disconnect(session.connection);
	offline_free(session.offline);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_DONE) {
		line.json = false; /* standard output is what does not work */
		status = session_fail(&session, EXIT_FAILED, "failed to write the output");
	}
	if (status != EXIT_DONE && line.failure_status != 0 && line.verb != NULL &&
	    (line.verb->options & OPTION_FAILURE_STATUS))
		status = line.failure_status;
	command_line_done(&line);
	return status;
}
