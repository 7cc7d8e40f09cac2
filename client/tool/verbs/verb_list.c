#include "verb_list.h"

#include "../core/reply.h"
#include "../core/session.h"
#include "../view/tree.h"

#include <json-c/json.h>

static int print_both(struct session *session, struct json_object *devices, struct json_object *groups)
{
	struct json_object *both = json_object_new_object();

	if (both == NULL || json_object_object_add(both, "groups", json_object_get(groups)) < 0 ||
	    json_object_object_add(both, "devices", json_object_get(devices)) < 0) {
		json_object_put(both);
		return session_fail(session, EXIT_FAILED, "out of memory");
	}
	session_print_json(session, both);
	json_object_put(both);
	return EXIT_DONE;
}

static int draw(struct session *session, struct json_object *devices, struct json_object *groups)
{
	/* The claims that this user is told of, for their modes. Where they can't be had the tree is drawn without. */
	struct json_object *claims = session_ask(session, "org.ioasid1.ListClaims");
	struct tree *tree = tree_new(devices, groups, reply_list(claims, "claims"));

	if (tree == NULL) {
		json_object_put(claims);
		return session_fail(session, EXIT_FAILED, "out of memory");
	}
	if (tree_draw(tree, &session->out, TREE_ALL_GROUPS) == 0)
		fputs("No devices.\n", session->out.stream);
	tree_free(tree);
	json_object_put(claims);
	return EXIT_DONE;
}

static int run(struct session *session)
{
	struct json_object *device_reply = NULL, *group_reply = NULL;
	struct json_object *devices, *groups;
	int status = session_call(session, "cannot list devices", "org.ioasid1.ListDevices", NULL, &device_reply);

	if (status == EXIT_DONE)
		status = session_call(session, "cannot list groups", "org.ioasid1.ListGroups", NULL, &group_reply);
	if (status == EXIT_DONE) {
		devices = reply_list(device_reply, "devices");
		groups = reply_list(group_reply, "groups");
		if (devices == NULL || groups == NULL)
			status = session_malformed(session, "missing list of devices or groups");
		else if (session->line->json)
			status = print_both(session, devices, groups);
		else
			status = draw(session, devices, groups);
	}
	json_object_put(device_reply);
	json_object_put(group_reply);
	return status;
}

const struct verb verb_list = {
	.name = "list",
	.arguments = "",
	.summary = "list IOMMU groups, their devices and owners",
	.text = "Lists each IOMMU group with its members: a claim of one of them locks out the\n"
		"others. Your own claims are shown with their mode and interface. A row has the\n"
		"address, [vendor:device], class, driver (- for none) and state: free, if no\n"
		"claim has the device and the host uses neither it nor another device of its\n"
		"group; in use, with the use; group in use, if another device of the group is;\n"
		"use unknown; never, set by the policy; no IOMMU; or the claim.\n",
	.options = OPTION_SNAPSHOT,
	.run = run,
};
