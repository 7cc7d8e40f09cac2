#include "decision.h"

#include <stdlib.h>
#include <string.h>

const char *request_pool(const char *text)
{
	return strncmp(text, REQUEST_POOL, sizeof REQUEST_POOL - 1) == 0 ? text + sizeof REQUEST_POOL - 1 : NULL;
}

void decision_done(struct decision *decision)
{
	free(decision->device);
	free(decision->chosen);
	free(decision->lockout);
	free(decision->blocker);
	free(decision->note);
	plan_done(&decision->plan);
	*decision = (struct decision){ .allowed = false };
}

const struct blocker *decision_headline(const struct decision *decision)
{
	for (size_t i = 0; i < decision->blocker_count; i++)
		if (blocker_kind_to_exit_status(decision->blocker[i].kind) == decision->status)
			return &decision->blocker[i];
	return NULL;
}
