#include "stop_holders.h"

#include "../../base/peer_unit.h"

#include <stdio.h>

/* Each that is stopped may show another that holds the claim, too; somebody who is always started anew is not fought.
 */
enum { STOPS_MAX = 16 };

/* The rule that granted the claim, as it stands in the policy now; NULL: it is there no more. */
static const struct rule *rule_of(const struct claim_runtime *runtime)
{
	return policy_find_rule(runtime->registry->policy, runtime->claim->rule);
}

static void tell(struct claim_runtime *runtime, bool success, const char *message)
{
	const struct rule *rule = rule_of(runtime);

	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_REVOCATION_STEP,
						   .success = success,
						   .message = message,
						   .stop = rule ? rule->revoke_stop : REVOKE_STOP_PROCESS });
}

static void on_stopped(void *context, const struct wire_stopped *stopped)
{
	struct claim_runtime *runtime = context;
	char message[2 * TEXT_MAX];

	runtime->stops++;
	runtime->run = RUNTIME_IDLE;
	if (stopped->outcome == WIRE_STOP_GONE) {
		snprintf(message, sizeof(message), "its holder was stopped");
	} else {
		snprintf(message, sizeof(message), "its holder could not be stopped: %s", stopped->text);
		runtime->stops = STOPS_MAX;
	}
	tell(runtime, stopped->outcome == WIRE_STOP_GONE, message);
	runtime->stopped(runtime);
}

bool stop_holders_start(struct claim_runtime *runtime, void (*done)(struct claim_runtime *runtime))
{
	const struct claim *claim = runtime->claim;
	const struct rule *rule = claim->revoked ? rule_of(runtime) : NULL;
	const char *device[CLAIM_DEVICES_MAX];
	char unit[UNIT_NAME_MAX] = "";
	struct stop_order order = { .pid = runtime->holder_pid,
				    .pidfd = runtime->holder,
				    .unit = unit,
				    .rule = claim->rule,
				    .device = device };

	if (!rule || rule->revoke_stop == REVOKE_STOP_NOTHING || runtime->holder < 0 || runtime->stops >= STOPS_MAX)
		return false;
	order.what = rule->revoke_stop;
	if (order.what == REVOKE_STOP_UNIT)
		peer_unit_read(runtime->holder, runtime->holder_pid, unit, sizeof(unit));
	for (size_t i = 0; i < claim->device_count && order.device_count < CLAIM_DEVICES_MAX; i++)
		if (!claim->device[i].lockout)
			device[order.device_count++] = claim->device[i].before.name;
	if (host_stop(runtime->registry->host, &order, on_stopped, runtime) < 0) {
		tell(runtime, false,
		     "its holder could not be stopped: it is in no unit, or the executor cannot be reached");
		runtime->stops = STOPS_MAX;
		return false;
	}
	runtime->run = RUNTIME_STOPS;
	runtime->stopped = done;
	return true;
}
