#include "stop_holders.h"

#include "../../base/peer_unit.h"

#include <stdio.h>

/* Each that is stopped may show another that holds the claim, too; somebody who is always started anew is not fought. */
enum { STOPS_MAX = 16 };

/* The rule that granted the claim, as it stands in the policy now; NULL: it is there no more. */
static const struct rule *rule_of(const struct holding *holding)
{
	return policy_find_rule(holding->registry->policy, holding->claim->rule);
}

static void tell(struct holding *holding, bool success, const char *message)
{
	const struct rule *rule = rule_of(holding);

	holding_tell(holding, (struct news){ .kind = NEWS_REVOCATION_STEP, .success = success, .message = message,
					     .stop = rule ? rule->revoke_stop : REVOKE_STOP_PROCESS });
}

static void on_stopped(void *context, const struct wire_stopped *stopped)
{
	struct holding *holding = context;
	char message[2 * TEXT_MAX];

	holding->stops++;
	holding->run = HOLDING_IDLE;
	if (stopped->outcome == WIRE_STOP_GONE) {
		snprintf(message, sizeof(message), "what kept it was stopped");
	} else {
		snprintf(message, sizeof(message), "what keeps it could not be stopped: %s", stopped->text);
		holding->stops = STOPS_MAX;
	}
	tell(holding, stopped->outcome == WIRE_STOP_GONE, message);
	holding->stopped(holding);
}

bool forcing_start(struct holding *holding, void (*done)(struct holding *holding))
{
	const struct claim *claim = holding->claim;
	const struct rule *rule = claim->revoked ? rule_of(holding) : NULL;
	const char *device[CLAIM_DEVICES_MAX];
	char unit[UNIT_NAME_MAX] = "";
	struct stop_order order = { .pid = holding->holder_pid, .pidfd = holding->holder, .unit = unit,
				    .rule = claim->rule, .device = device };

	if (!rule || rule->revoke_stop == REVOKE_STOP_NOTHING || holding->holder < 0 || holding->stops >= STOPS_MAX)
		return false;
	order.what = rule->revoke_stop;
	if (order.what == REVOKE_STOP_UNIT)
		peer_unit_read(holding->holder, holding->holder_pid, unit, sizeof(unit));
	for (size_t i = 0; i < claim->device_count && order.device_count < CLAIM_DEVICES_MAX; i++)
		if (!claim->device[i].lockout)
			device[order.device_count++] = claim->device[i].before.name;
	if (host_stop(holding->registry->host, &order, on_stopped, holding) < 0) {
		tell(holding, false, "what keeps it could not be stopped: it is in no unit, or the executor can't be asked");
		holding->stops = STOPS_MAX;
		return false;
	}
	holding->run = HOLDING_STOPS;
	holding->stopped = done;
	return true;
}
