#include "verb_graph.h"

#include "../core/device_arguments.h"
#include "../view/graph.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../json_build.h"

#include <json-c/json.h>

static int print_json(struct session *session, const struct graph_view *view)
{
	struct json_object *object = json_object_new_object();
	int error = object != NULL ? json_build_set(object, "devices", json_object_get(view->devices)) : -1;

	if (error == 0)
		error = json_object_object_add(object, "claims", json_object_get(view->claims));
	if (error == 0)
		error = json_object_object_add(object, "uses", json_object_get(view->uses));
	if (error == 0)
		error = json_object_object_add(object, "plan", json_object_get(view->plan));
	if (error == 0)
		session_print_json(session, object);
	json_object_put(object);
	return error == 0 ? EXIT_DONE : session_fail(session, EXIT_FAILED, "out of memory");
}

static int draw(struct session *session, struct json_object *device_reply, struct json_object *plan_reply)
{
	/* Both add to the picture, and neither is told to everybody. */
	struct json_object *claims = session_ask(session, "org.ioasid1.ListClaims");
	struct json_object *snapshot = session_ask(session, "org.ioasid1.Snapshot");
	const struct graph_view view = {
		.devices = reply_list(device_reply, "devices"),
		.claims = reply_list(claims, "claims"),
		.uses = reply_list(reply_object(snapshot, "snapshot"), "uses"),
		.plan = reply_object(plan_reply, "plan"),
		.all = session->line->all,
	};
	int status = EXIT_DONE;

	if (view.devices == NULL)
		status = session_malformed(session, "missing list of devices");
	else if (session->line->json)
		status = print_json(session, &view);
	else if (graph_write(&view, session->out.stream) < 0)
		status = session_fail(session, EXIT_FAILED, "out of memory");
	json_object_put(claims);
	json_object_put(snapshot);
	return status;
}

static int run(struct session *session)
{
	struct json_object *devices = NULL, *plan = NULL;
	struct device_names names = { .count = 0 };
	int status = device_arguments_read(session, &names);

	if (status == EXIT_DONE)
		status = session_call(session, "cannot list devices", "org.ioasid1.ListDevices", NULL, &devices);
	if (status == EXIT_DONE && names.count > 0)
		status = session_call(session, "cannot plan", "org.ioasid1.Plan",
				      device_arguments_question(session, &names), &plan);
	if (status == EXIT_DONE)
		status = draw(session, devices, plan);
	json_object_put(devices);
	json_object_put(plan);
	return status;
}

const struct verb verb_graph = {
	.name = "graph",
	.arguments = "[DEVICE...]",
	.summary = "draw groups and devices for graphviz",
	.text = "Writes the IOMMU groups, their members and owners in the DOT language. If\n"
		"devices are named, also shows what a claim of them would take, or what blocks\n"
		"it:\n"
		"    ioasidctl graph 01:00.0 | dot -Tsvg > host.svg\n"
		"Groups with only bridges, and free virtual functions, are drawn as one; --all\n"
		"draws each of them. Changes nothing.\n",
	.options = OPTION_MODE | OPTION_SNAPSHOT | OPTION_POLICY | OPTION_SUBJECT | OPTION_ALL,
	.minimum = 0,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
