#include "offline.h"

#include "policy_sources.h"
#include "../core/reply.h"
#include "../core/session.h"
#include "../core/files.h"

#include "../../json_build.h"

#include "../../../policy/decide/decide.h"
#include "../../../policy/decide/pool_shortlist.h"
#include "../../../policy/report/reply_json.h"
#include "../../../policy/report/snapshot.h"
#include "../../../policy/decide/survey_scope.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct offline {
	struct snapshot snapshot;
	struct topology *topology;
	struct named_ids ids;
	struct policy *policy; /* NULL: not read yet */
};

/* What a plan is asked for, and what is found for it. */
struct asking {
	struct subject subject;
	const char *text[CLAIM_DEVICES_MAX + GROUP_MEMBERS_MAX]; /* the devices, then the candidates of pools */
	struct request request;
	struct host_view view;
	struct uses uses;
};

const struct topology *offline_topology(const struct offline *offline)
{
	return offline->topology;
}

/* Everything that is wrong or doubtful, to standard error. */
static void tell(struct session *session, const struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->item[i];
		const char *kind = item->error ? "" : "warning: ";

		if (item->line > 0)
			session_warn(session, "%s:%u:%u: %s%s", item->file, item->line, item->column, kind,
				     item->message);
		else
			session_warn(session, "%s: %s%s", item->file, kind, item->message);
	}
}

/* The daemon's own folders, those that are there. Returns how many. */
static size_t find_usual(const char *out[static 2])
{
	static const char *const usual[] = { POLICY_SOURCES_ETC, POLICY_SOURCES_USR };
	size_t count = 0;

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (access(usual[i], F_OK) == 0)
			out[count++] = usual[i];
	return count;
}

int offline_policy(struct session *session, const struct policy **out)
{
	const struct command_line *line = session->line;
	struct offline *offline = session->offline;
	struct diagnostics diagnostics = { .item = NULL };
	const char *usual[2];
	size_t count = find_usual(usual);
	int error = 0;

	if (offline->policy == NULL && line->policy_count == 0)
		session_warn(session, "no --policy given: using this machine's policy: %s over %s", POLICY_SOURCES_ETC,
			     POLICY_SOURCES_USR);
	if (offline->policy == NULL)
		error = policy_sources_load(line->policy_count > 0 ? line->policy : usual,
					    line->policy_count > 0 ? line->policy_count : count, &offline->ids,
					    &diagnostics, &offline->policy);
	tell(session, &diagnostics);
	diagnostics_done(&diagnostics);
	if (error < 0)
		return session_fail(session, EXIT_FAILED,
				    error == -ENOMEM ? "out of memory" : "the policy has errors and cannot be used");
	*out = offline->policy;
	return EXIT_DONE;
}

static int reply_with(struct json_object **reply, const char *key, struct json_object *value)
{
	struct json_object *object = json_object_new_object();

	if (object == NULL) {
		json_object_put(value);
		return -ENOMEM;
	}
	if (json_build_set(object, key, value) < 0) {
		json_object_put(object);
		return -ENOMEM;
	}
	*reply = object;
	return 0;
}

/* Looks up what a snapshot tells of a device's use. */
struct looking {
	const struct offline *offline;
	struct uses uses; /* of the device that was looked at last */
	bool failed;      /* out of memory */
};

static bool find_use(void *context, const struct device *device, const struct use **use)
{
	struct looking *looking = context;

	uses_done(&looking->uses);
	if (snapshot_uses_of(&looking->offline->snapshot, device, &looking->uses) < 0)
		looking->failed = true;
	*use = availability_obstacle(&looking->uses, device->name);
	return !looking->failed;
}

/* Who has the file can read all of it. */
static struct outlook outlook_of(struct looking *looking)
{
	return (struct outlook){ .find = find_use,
				 .context = looking,
				 .policy = looking->offline->policy,
				 .topology = looking->offline->topology,
				 .to_operator = true };
}

static struct json_object *list_groups(const struct offline *offline)
{
	struct looking looking = { .offline = offline };
	struct outlook outlook = outlook_of(&looking);
	struct json_object *array = reply_json_groups(offline->topology, NULL, &outlook);

	uses_done(&looking.uses);
	if (looking.failed) {
		json_object_put(array);
		return NULL;
	}
	return array;
}

static struct json_object *list_devices(const struct offline *offline)
{
	struct json_object *array = json_object_new_array();
	struct looking looking = { .offline = offline };
	struct outlook outlook = outlook_of(&looking);
	size_t count = 0;
	const struct device **device = topology_sorted(offline->topology, &count);

	for (size_t i = 0; device != NULL && i < count; i++)
		if (json_build_append(array, reply_json_device(device[i], NULL, NULL, false, &outlook)) < 0)
			break;
	uses_done(&looking.uses);
	if (device == NULL || looking.failed || json_object_array_length(array) < count) {
		json_object_put(array);
		array = NULL;
	}
	free(device);
	return array;
}

/* EXIT_DONE, or a status that was told. */
static int find_subject(struct session *session, struct subject *out)
{
	const struct command_line *line = session->line;
	bool known = true;
	int error = line->as != NULL ? named_ids_subject(&session->offline->ids, line->as, out, &known)
				     : named_ids_caller(out);

	if (error == -EINVAL)
		return session_fail(session, EXIT_USAGE, "invalid uid %s", line->as);
	if (error < 0)
		return session_fail(session, EXIT_FAILED, "cannot determine who asks: %s", strerror(-error));
	if (!known)
		session_warn(session, "unknown user %s, also to the policy: its groups are unknown", line->as);
	if (line->unit != NULL) {
		if (strlen(line->unit) >= sizeof(out->unit))
			return session_fail(session, EXIT_USAGE, "unit name too long");
		strcpy(out->unit, line->unit);
	}
	return EXIT_DONE;
}

/* Finds the candidates of pools, and the uses of all that is looked at. 0, -ENOMEM, -E2BIG. */
static int survey(const struct offline *offline, const struct policy *policy, struct asking *asking)
{
	const char *candidate[GROUP_MEMBERS_MAX], *name[GROUP_MEMBERS_MAX];
	struct request *request = &asking->request;
	bool pools = false;
	int count = 0, error = 0;

	for (size_t i = 0; i < request->device_count; i++)
		pools = pools || request_pool(request->device[i]) != NULL;
	if (pools)
		count = pool_shortlist(policy, &asking->view, request, candidate);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		asking->text[request->device_count + (size_t)i] = candidate[i];
	request->candidate = asking->text + request->device_count;
	request->candidate_count = (size_t)count;
	count = survey_scope(offline->topology, asking->text, request->device_count + request->candidate_count, name);
	for (int i = 0; i < count && error == 0; i++)
		error = snapshot_uses_of(&offline->snapshot, topology_find(offline->topology, name[i]), &asking->uses);
	return count < 0 ? count : error;
}

/* Decides what *asking asks, and makes the plan of it. 0, -ENOMEM, -E2BIG. */
static int decide_plan(const struct offline *offline, const struct policy *policy, struct asking *asking,
		       struct json_object **reply)
{
	struct decision decision;
	int error;

	asking->view = (struct host_view){ .topology = offline->topology, .kernel = &offline->snapshot.kernel };
	error = survey(offline, policy, asking);
	asking->view.uses = &asking->uses;
	if (error == 0)
		error = decide(policy, &asking->view, &asking->request, &decision);
	if (error == 0) {
		error = reply_with(reply, "plan",
				   reply_json_plan(&decision, &asking->uses, offline->topology,
						   &offline->snapshot.kernel, asking->request.mode));
		decision_done(&decision);
	}
	uses_done(&asking->uses);
	return error;
}

static int plan(struct session *session, struct json_object *parameters, struct json_object **reply)
{
	struct json_object *devices = reply_list(parameters, "devices");
	int mode = delivery_mode_from_string(reply_string(parameters, "mode", "attached"));
	struct asking asking = { .request = { .numa_node = -1 } };
	const struct policy *policy;
	int status = offline_policy(session, &policy), error;

	if (status == EXIT_DONE)
		status = find_subject(session, &asking.subject);
	if (status != EXIT_DONE)
		return status;
	for (size_t i = 0; i < reply_count(devices) && i < CLAIM_DEVICES_MAX; i++)
		asking.text[i] = reply_text(devices, i);
	asking.request.subject = &asking.subject;
	asking.request.for_operator = true; /* who has the file can read all of it */
	asking.request.device = asking.text;
	asking.request.device_count = reply_count(devices);
	asking.request.mode = (enum delivery_mode)mode;
	error = decide_plan(session->offline, policy, &asking, reply);
	if (error == -E2BIG)
		return session_fail(session, EXIT_FAILED,
				    "cannot plan: the groups of these devices have more members "
				    "than can be surveyed");
	if (error < 0)
		return session_fail(session, EXIT_FAILED, "cannot plan: %s", strerror(-error));
	return EXIT_DONE;
}

static int answer(struct session *session, const char *method, struct json_object *parameters,
		  struct json_object **reply)
{
	const struct offline *offline = session->offline;
	int error;

	if (strcmp(method, "org.ioasid1.Plan") == 0)
		return plan(session, parameters, reply);
	if (strcmp(method, "org.ioasid1.ListDevices") == 0)
		error = reply_with(reply, "devices", list_devices(offline));
	else if (strcmp(method, "org.ioasid1.ListGroups") == 0)
		error = reply_with(reply, "groups", list_groups(offline));
	else if (strcmp(method, "org.ioasid1.ListClaims") == 0)
		error = reply_with(reply, "claims", json_object_new_array());
	else if (strcmp(method, "org.ioasid1.Snapshot") == 0)
		error = reply_with(reply, "snapshot", snapshot_to_json(&offline->snapshot));
	else
		return session_fail(session, EXIT_USAGE, "%s does not work with --snapshot", method);
	return error < 0 ? session_fail(session, EXIT_FAILED, "out of memory") : EXIT_DONE;
}

/* EXIT_DONE, or EXIT_FAILED, which was told. */
static int load(struct session *session, const char *path, struct offline *offline)
{
	struct json_problem problem = { .line = 0 };
	char why[TEXT_MAX], *text = NULL;
	size_t length = 0;
	int error = files_read(path, SNAPSHOT_TEXT_MAX, &text, &length, why, sizeof(why));

	if (error < 0 && error != -ENOMEM)
		return session_fail(session, EXIT_FAILED, "cannot read %s: %s", path, why);
	if (error == 0)
		error = snapshot_read(text, length, &offline->snapshot, &problem);
	free(text);
	if (error == -EINVAL && problem.line > 0)
		return session_fail(session, EXIT_FAILED, "%s:%u:%u: %s", path, problem.line, problem.column,
				    problem.message);
	if (error == -EINVAL)
		return session_fail(session, EXIT_FAILED, "%s: %s", path, problem.message);
	if (error == 0)
		offline->topology = snapshot_topology(&offline->snapshot);
	return error < 0 || offline->topology == NULL ? session_fail(session, EXIT_FAILED, "out of memory") : EXIT_DONE;
}

int offline_begin(struct session *session)
{
	struct offline *offline = calloc(1, sizeof(*offline));
	int status;

	if (offline == NULL)
		return session_fail(session, EXIT_FAILED, "out of memory");
	status = load(session, session->line->snapshot, offline);
	if (status != EXIT_DONE) {
		offline_free(offline);
		return status;
	}
	session->offline = offline;
	session->answer = answer;
	return EXIT_DONE;
}

struct offline *offline_free(struct offline *offline)
{
	if (offline == NULL)
		return NULL;
	snapshot_done(&offline->snapshot);
	topology_free(offline->topology);
	policy_free(offline->policy);
	named_ids_done(&offline->ids);
	free(offline);
	return NULL;
}
