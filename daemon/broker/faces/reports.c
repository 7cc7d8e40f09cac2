#include "reports.h"

#include "../../../policy/util/json_write.h"
#include "../../../policy/report/reply_json.h"
#include "../../../policy/rules/reserve.h"
#include "../../../policy/report/rule_json.h"

#include <stdio.h>
#include <stdlib.h>

static struct json_object *kernel_report(const struct kernel_features *kernel)
{
	struct json_object *object = json_make_object();

	json_set(object, "release", json_make_string(kernel->release));
	json_set(object, "iommufd", json_make_truth(kernel->iommufd != 0));
	json_set(object, "vfio_cdev", json_make_truth(kernel->vfio_cdev != 0));
	json_set(object, "vfio_group", json_make_truth(kernel->vfio_group != 0));
	json_set(object, "unsafe_interrupts", json_make_truth(kernel->unsafe_interrupts != 0));
	json_set(object, "noiommu", json_make_truth(kernel->noiommu != 0));
	return object;
}

enum { WARNINGS_MAX = 16 };

static void add_warning(void *context, const struct device *device, const char *message)
{
	if (json_object_array_length(context) < WARNINGS_MAX)
		json_add(context, json_make_string(message));
}

/* Claims that nobody but an operator gets to an end: others are told that there are any, which keep devices from them.
 */
static void warn_of_lingering(struct json_object *array, const struct arbiter *arbiter, const struct requester *reader)
{
	const struct claim *first = NULL;
	char text[TEXT_MAX];
	size_t count = 0;

	for (const struct claim *claim = ledger_first(arbiter_registry(arbiter)->ledger); claim;
	     claim = ledger_next(claim)) {
		/* It goes on lingering while it is tried again. */
		if (!claim_runtime_of(claim)->holder_unknown ||
		    (claim->state != CLAIM_LINGERING && claim->state != CLAIM_RELEASING))
			continue;
		first = first ? first : claim;
		count++;
	}
	if (count == 0)
		return;
	snprintf(text, sizeof(text),
		 "%zu claim%s but no holder could be found (%s%s): stop the client, or, as an operator, run "
		 "`ioasidctl revoke --unbind CLAIM`",
		 count, count == 1 ? " lingers" : "s linger",
		 reader && arbiter_may_see(arbiter, reader, first) ? first->id : "operators can see which",
		 count > 1 && reader && arbiter_may_see(arbiter, reader, first) ? " is one" : "");
	json_add(array, json_make_string(text));
}

/* What an operator has to put right: the first few, and how many more there are. */
static struct json_object *warnings(const struct arbiter *arbiter, const struct requester *reader)
{
	const struct registry *registry = arbiter_registry(arbiter);
	struct json_object *array = json_make_array();
	size_t count =
		reserve_verify(registry->policy, host_topology(registry->host), registry->ledger, add_warning, array);
	char more[64];

	if (count > WARNINGS_MAX) {
		snprintf(more, sizeof(more), "and %zu more reserved devices are not ready", count - WARNINGS_MAX);
		json_add(array, json_make_string(more));
	}
	warn_of_lingering(array, arbiter, reader);
	return array;
}

struct json_object *varlink_status(const struct arbiter *arbiter, const struct requester *reader)
{
	const struct registry *registry = arbiter_registry(arbiter);
	const struct topology *topology = host_topology(registry->host);
	struct json_object *object = json_make_object();

	json_set(object, "version", json_make_string(VERSION));
	json_set(object, "interface", reply_json_interface(host_kernel(registry->host)));
	json_set(object, "kernel", kernel_report(host_kernel(registry->host)));
	json_set(object, "policy", reply_json_policy(registry->policy));
	json_set(object, "policy_refused",
		 policy_standing_report(&registry->standing, registry_policies_differ(registry),
					reader && arbiter_is_operator(arbiter, reader)));
	json_set(object, "devices", json_make_number((int64_t)topology_count(topology)));
	json_set(object, "groups", json_make_number((int64_t)topology_group_count(topology)));
	json_set(object, "warnings", warnings(arbiter, reader));
	json_set(object, "claims", json_make_number((int64_t)ledger_count(registry->ledger)));
	return object;
}

struct json_object *varlink_group_list(const struct arbiter *arbiter, const struct requester *reader)
{
	const struct registry *registry = arbiter_registry(arbiter);
	struct outlook outlook = device_looks_outlook(arbiter_looking(arbiter), arbiter_is_operator(arbiter, reader));
	struct json_object *object = json_make_object();

	json_set(object, "groups", reply_json_groups(host_topology(registry->host), registry->ledger, &outlook));
	return object;
}

struct json_object *varlink_claim_list(const struct arbiter *arbiter, const struct requester *reader)
{
	const struct registry *registry = arbiter_registry(arbiter);
	struct json_object *object = json_make_object(), *array = json_make_array();

	for (const struct claim *claim = ledger_first(registry->ledger); claim; claim = ledger_next(claim))
		if (arbiter_may_see(arbiter, reader, claim))
			json_add(array, reply_json_claim(claim));
	json_set(object, "claims", array);
	return object;
}

struct json_object *varlink_policy_report(const struct arbiter *arbiter, const struct requester *reader)
{
	const struct policy *policy = arbiter_registry(arbiter)->policy;
	bool all = arbiter_is_operator(arbiter, reader);

	return rule_json_policy(policy, all ? NULL : &reader->subject);
}
