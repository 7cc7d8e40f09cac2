#include "policy_check.h"

#include "../../json_build.h"
#include "../offline/offline.h"
#include "../offline/policy_sources.h"
#include "../core/session.h"

#include "../../../policy/report/reply_json.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <unistd.h>

/* A rule that matches nothing on the machine of a snapshot is doubtful there, whatever it is elsewhere. */
static void check_against(const struct policy *policy, const struct topology *topology, struct diagnostics *diagnostics)
{
	size_t count = 0;
	const struct device **device = topology_sorted(topology, &count);

	for (size_t i = 0; device != NULL && i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rule[i];
		bool matches = false;

		for (size_t k = 0; k < count && !matches; k++)
			matches = !device_is_bridge(device[k]) &&
				  device_selector_matches(policy, topology, &rule->device, device[k]);
		if (!matches)
			diagnostics_add(diagnostics, false, rule->file, rule->line, rule->column,
					"the rule \"%s\" matches no device of the snapshot", rule->name);
	}
	free(device);
}

static int load(struct session *session, struct diagnostics *diagnostics, struct policy **out)
{
	static const char *const usual[] = { POLICY_SOURCES_ETC, POLICY_SOURCES_USR };
	const char *const *path = session->line->argument + 1;
	size_t count = session->line->argument_count - 1;
	struct named_ids ids = { 0 };
	const char *found[2];
	int error;

	if (count == 0) {
		for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
			if (access(usual[i], F_OK) == 0)
				found[count++] = usual[i];
		path = found;
	}
	error = policy_sources_load(path, count, session->offline != NULL ? &ids : NULL, diagnostics, out);
	named_ids_done(&ids);
	return error;
}

static void write_text(struct session *session, const struct diagnostics *diagnostics, const struct policy *policy)
{
	const struct layout *out = &session->out;
	size_t warnings = diagnostics->count - diagnostics->errors;

	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->item[i];
		const char *kind = item->error ? "error" : "warning";

		layout_colour(out, item->error ? COLOUR_BAD : COLOUR_WARN);
		if (item->line > 0)
			layout_sentence_of(out, "", 2, "%s:%u:%u: %s: %s", item->file, item->line, item->column, kind,
					   item->message);
		else
			layout_sentence_of(out, "", 2, "%s: %s: %s", item->file, kind, item->message);
		layout_colour(out, COLOUR_NONE);
	}
	if (policy == NULL)
		layout_sentence_of(out, "", 2,
				   "The policy has %zu error%s and %zu warning%s: ioasidd rejects all of it.",
				   diagnostics->errors, diagnostics->errors == 1 ? "" : "s", warnings,
				   warnings == 1 ? "" : "s");
	else if (policy->rule_count == 0)
		layout_sentence_of(out, "", 2, "The policy is valid but has no rules: every claim is denied.");
	else
		layout_sentence_of(out, "", 2, "The policy is valid: %zu rule%s in %zu file%s, %zu warning%s.",
				   policy->rule_count, policy->rule_count == 1 ? "" : "s", policy->file_count,
				   policy->file_count == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static int write_json(struct session *session, const struct diagnostics *diagnostics, const struct policy *policy)
{
	struct json_object *object = json_object_new_object();
	int error = object == NULL ? -ENOMEM : 0;

	if (error == 0)
		error = json_build_set(object, "valid", json_object_new_boolean(policy != NULL));
	if (error == 0)
		error = json_build_set(object, "diagnostics", reply_json_diagnostics(diagnostics));
	if (error == 0)
		error = json_object_object_add(object, "policy", policy != NULL ? reply_json_policy(policy) : NULL);
	if (error == 0)
		session_print_json(session, object);
	json_object_put(object);
	return error;
}

int policy_check_run(struct session *session)
{
	struct diagnostics diagnostics = { .item = NULL };
	struct policy *policy = NULL;
	int error = load(session, &diagnostics, &policy), status;

	if (policy != NULL && session->offline != NULL)
		check_against(policy, offline_topology(session->offline), &diagnostics);
	if (error == -ENOMEM || (session->line->json && write_json(session, &diagnostics, policy) < 0))
		status = session_fail(session, EXIT_FAILED, "out of memory");
	else
		status = policy != NULL ? EXIT_DONE : EXIT_FAILED;
	if (!session->line->json && error != -ENOMEM)
		write_text(session, &diagnostics, policy);
	policy_free(policy);
	diagnostics_done(&diagnostics);
	return status;
}
