#include "verb_plan.h"

#include "../core/device_arguments.h"
#include "../view/plan_text.h"
#include "../core/reply.h"
#include "../core/session.h"

#include <json-c/json.h>

static int print_plan(struct session *session, struct json_object *plan, int status)
{
	struct json_object *reply = json_object_new_object();

	if (reply == NULL || json_object_object_add(reply, "plan", json_object_get(plan)) < 0)
		status = session_fail(session, EXIT_FAILED, "out of memory");
	else
		session_print_json(session, reply);
	json_object_put(reply);
	return status;
}

static int run(struct session *session)
{
	struct device_names names;
	struct json_object *reply, *plan;
	int status = device_arguments_read(session, &names);

	if (status == EXIT_DONE)
		status = session_call(session, "cannot plan", "org.ioasid1.Plan",
				      device_arguments_question(session, &names), &reply);
	if (status != EXIT_DONE)
		return status;
	plan = reply_object(reply, "plan");
	status = plan != NULL ? plan_text_verdict(plan) : -1;
	if (plan == NULL)
		status = session_malformed(session, "missing plan");
	else if (status < 0)
		status = session_malformed(session, "missing verdict in the plan");
	else if (session->line->json)
		status = print_plan(session, plan, status);
	else
		plan_text_write(&session->out, plan, &names, session->line->as);
	json_object_put(reply);
	return status;
}

const struct verb verb_plan = {
	.name = "plan",
	.arguments = "DEVICE...",
	.summary = "show what a claim would cost; change nothing",
	.text = "Shows whether you may claim these devices, what the host would lose, what blocks\n"
		"the claim and how to resolve it, the steps, which of them cannot be undone, and\n"
		"what isolates the devices. Changes nothing.\n"
		"The exit status is the verdict: 0 if the claim would be allowed.\n"
		"Operators can ask for another user with --as and --unit; with --snapshot, any\n"
		"user can.\n",
	.options = OPTION_MODE | OPTION_SNAPSHOT | OPTION_POLICY | OPTION_SUBJECT,
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
