#include "supervisor.h"

#include "../../base/log.h"

#include <string.h>

enum { EARLY_DEATHS_MAX = 5 };

void supervisor_answer_plan(struct supervisor *supervisor, union wire_message *result, struct descriptors *fds)
{
	given_claims_settle(&supervisor->given, &result->result, fds);
	outbox_send(&supervisor->outbox, result, fds);
}

int supervisor_start(struct supervisor *supervisor, struct worker *worker, enum worker_role role)
{
	int error = worker_start(worker, role, supervisor->program, role == WORKER_BINDER ? supervisor->policy : -1);

	if (error < 0)
		log_error("failed to start a %s: %s", worker_role_to_string(role), strerror(-error));
	return error;
}

void supervisor_lost(struct supervisor *supervisor, struct worker *worker, enum worker_role role)
{
	log_error("the %s [%d] exited unexpectedly", worker_role_to_string(role), worker->pid);
	if (worker_is_young(worker))
		supervisor->early_deaths++;
	if (supervisor->early_deaths >= EARLY_DEATHS_MAX && !supervisor->hopeless) {
		log_error("workers end as soon as they are started: giving up");
		supervisor->hopeless = true;
	}
	worker_kill(worker);
}

void supervisor_worked(struct supervisor *supervisor)
{
	supervisor->early_deaths = 0;
}
