#include "bus_authority.h"

#include "../answer_error.h"
#include "bus_polkit.h"

#include "../../../../policy/util/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What polkit's rules can look at. */
struct facts {
	char device[2048];
	char group[1024];
	char members[8192];
	char owner[16];
	char unit[256];
};

static void add_word(char *list, size_t size, const char *word)
{
	text_append(list, size, "%s%s", list[0] ? " " : "", word);
}

/* A device, its group, and all that is in that. */
static void add_device(struct facts *facts, const struct topology *topology, const char *name)
{
	const struct device *device = topology_find(topology, name), *member[GROUP_MEMBERS_MAX];
	char number[16], words[sizeof(facts->group) + 2];
	size_t count;

	add_word(facts->device, sizeof(facts->device), name);
	if (!device || device->group < 0)
		return;
	/* Several devices of one group: it is named once. */
	snprintf(words, sizeof(words), " %s ", facts->group);
	snprintf(number, sizeof(number), " %d ", device->group);
	if (strstr(words, number))
		return;
	snprintf(number, sizeof(number), "%d", device->group);
	add_word(facts->group, sizeof(facts->group), number);
	count = topology_members(topology, device->group, member, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++)
		add_word(facts->members, sizeof(facts->members), member[i]->name);
}

static void find_facts(const struct arbiter *arbiter, const struct claim *claim, const struct question *question,
		       struct facts *facts)
{
	const struct topology *topology = host_topology(arbiter_registry(arbiter)->host);

	*facts = (struct facts){ .device = "" };
	for (size_t i = 0; claim && i < claim->device_count; i++)
		if (!claim->device[i].lockout)
			add_device(facts, topology, claim->device[i].before.name);
	for (size_t i = 0; !claim && question && i < question->count; i++)
		add_device(facts, topology, question->device[i]);
	if (claim)
		snprintf(facts->owner, sizeof(facts->owner), "%u", claim->uid);
	else if (question && question->user)
		snprintf(facts->owner, sizeof(facts->owner), "%s", question->user);
	if (question && (question->unit || question->lease_unit))
		snprintf(facts->unit, sizeof(facts->unit), "%s",
			 question->unit ? question->unit : question->lease_unit);
}

static void add_detail(struct bus_polkit_question *question, const char *key, const char *value)
{
	if (value[0])
		question->detail[question->detail_count++] = (struct bus_polkit_detail){ key, value };
}

static void on_verdict(void *context, enum bus_polkit_verdict verdict)
{
	struct bus_call *call = context;
	const char *action = rights_action(call->act);

	call->abandon = NULL;
	call->work = NULL;
	switch (verdict) {
	case BUS_POLKIT_YES:
		call->granted = true;
		call->go_on(call);
		return;
	case BUS_POLKIT_CHALLENGE:
		if (sd_bus_message_get_allow_interactive_authorization(call->message) > 0) {
			bus_call_fail_with(
				call, "OperatorsOnly",
				"permission denied: %s needs a password, and no polkit agent is there to ask for it",
				action);
			return;
		}
		bus_call_fail_with(
			call, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
			"permission denied: %s needs a password, but the call does not allow interactive authorization",
			action);
		return;
	case BUS_POLKIT_ABSENT:
		bus_call_fail_with(call, "OperatorsOnly", "permission denied: without polkit only root has %s", action);
		return;
	case BUS_POLKIT_NO:
		break;
	}
	bus_call_fail_with(call, "OperatorsOnly", "permission denied: %s is not granted by polkit", action);
}

static void abandon(struct bus_call *call)
{
	call->work = bus_polkit_cancel(call->work);
}

static void ask(struct bus_call *call, const struct claim *claim, const struct question *about)
{
	struct bus_polkit_question question = {
		.caller = call->caller->name,
		.action = rights_action(call->act),
		.interactive = sd_bus_message_get_allow_interactive_authorization(call->message) > 0,
	};
	struct bus_polkit *polkit = NULL;
	struct facts facts;
	int error;

	find_facts(call->books->arbiter, claim, about, &facts);
	add_detail(&question, "device", facts.device);
	add_detail(&question, "group", facts.group);
	add_detail(&question, "members", facts.members);
	add_detail(&question, "owner", facts.owner);
	add_detail(&question, "unit", facts.unit);
	if (claim) {
		add_detail(&question, "claim", claim->id);
		add_detail(&question, "rule", claim->rule);
	}
	call->asked = true;
	error = bus_polkit_ask(call->books->bus, &question, on_verdict, call, &polkit);
	if (error < 0) {
		bus_call_fail_with(call, "OperatorsOnly",
				   "permission denied: cannot ask polkit (%s), so only root may do this",
				   strerror(-error));
		return;
	}
	call->abandon = abandon;
	call->work = polkit;
}

bool bus_authority_allow(struct bus_call *call, enum act act, const struct claim *claim,
			 const struct question *question, void (*go_on)(struct bus_call *call))
{
	const struct policy *policy = arbiter_registry(call->books->arbiter)->policy;

	/* polkit's yes is one for this very act: another one may have come of the same call meanwhile. */
	call->requester.authority = call->granted && call->act == act ? AUTHORITY_GRANTED : AUTHORITY_NONE;
	if (rights_allow(policy, &call->requester, act, claim))
		return true;
	if (!rights_action(act)) {
		const struct answer answer = { .kind = ANSWER_NO_CLAIM };

		bus_call_fail(call, answer_error_name(&answer), answer_error_message(&answer));
		return false;
	}
	if (call->asked) {
		bus_call_fail(call, "WrongState",
			      "the object changed while polkit was asked: check it, and call again");
		return false;
	}
	call->act = act;
	call->go_on = go_on;
	ask(call, claim, question);
	return false;
}
