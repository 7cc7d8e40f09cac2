#include "unit_asking.h"

#include "../../../policy/util/text.h"

#include <stdio.h>
#include <string.h>

static void give_up(struct operation *operation, enum answer_kind kind, const char *message)
{
	struct requester *requester = operation->requester;

	requester->operation = NULL;
	operation_free(operation);
	requester_answer_kind(requester, kind, NULL, message);
}

static void on_runs(void *context, const char *invocation)
{
	struct operation *operation = context;

	operation->requester->operation = NULL;
	operation->unit = unit_watch_free(operation->unit);
	snprintf(operation->lease.invocation, sizeof(operation->lease.invocation), "%s", invocation);
	operation->go_on(operation);
}

static void on_ended(void *context)
{
	struct operation *operation = context;
	char message[UNIT_NAME_MAX + TEXT_MAX];

	snprintf(message, sizeof(message),
		 "the unit %s does not run: start it first, or use another lease; nothing was changed",
		 operation->lease.unit);
	give_up(operation, ANSWER_FAILED, message);
}

static void on_unknown(void *context, const char *why)
{
	char message[2 * TEXT_MAX], shown[TEXT_MAX];

	text_escape(shown, sizeof(shown), why, strlen(why));
	snprintf(message, sizeof(message), "cannot tell from systemd whether the unit runs: %s; nothing was changed",
		 shown);
	give_up(context, ANSWER_FAILED, message);
}

static const struct unit_watch_events events = { .runs = on_runs, .ended = on_ended, .unknown = on_unknown };

void unit_asking_start(struct operation *operation, void (*go_on)(void *operation))
{
	struct units *units = operation->registry->units;

	operation->requester->operation = operation;
	operation->go_on = go_on;
	if (!units_can_be_asked(units))
		give_up(operation, ANSWER_UNSUPPORTED,
			"a lease by unit needs systemd on the system bus, which cannot be reached now");
	else if (units_watch(units, operation->lease.unit, NULL, &events, operation, &operation->unit) < 0)
		give_up(operation, ANSWER_FAILED, "ioasidd is out of memory; nothing was changed");
}
