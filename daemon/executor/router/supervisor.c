#include "supervisor.h"

#include "../../base/log.h"

#include <string.h>

enum { EARLY_DEATHS_MAX = 5 };

void crew_answer_plan(struct crew *crew, union wire_message *result, struct descriptors *fds)
{
	given_claims_settle(&crew->given, &result->result, fds);
	outbox_send(&crew->outbox, result, fds);
}

int crew_start(struct crew *crew, struct worker *worker, enum worker_role role)
{
	int error = worker_start(worker, role, crew->program, role == WORKER_BINDER ? crew->policy : -1);

	if (error < 0)
		log_error("no %s can be started: %s", worker_role_to_string(role), strerror(-error));
	return error;
}

void crew_lost(struct crew *crew, struct worker *worker, enum worker_role role)
{
	log_error("the %s [%d] has ended unexpectedly", worker_role_to_string(role), worker->pid);
	if (worker_is_young(worker))
		crew->early_deaths++;
	if (crew->early_deaths >= EARLY_DEATHS_MAX && !crew->hopeless) {
		log_error("workers end as soon as they are started: giving up");
		crew->hopeless = true;
	}
	worker_kill(worker);
}

void crew_worked(struct crew *crew)
{
	crew->early_deaths = 0;
}
