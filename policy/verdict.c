#include "verdict.h"

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
