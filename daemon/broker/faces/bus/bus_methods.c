#include "bus_methods.h"

#include "bus_answers.h"
#include "bus_authority.h"
#include "bus_introspection.h"
#include "bus_parameters.h"
#include "bus_property.h"
#include "bus_text.h"
#include "bus_variant.h"
#include "../reports.h"

#include "../../../../policy/report/reply_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"

struct bus_method {
	enum bus_node node;    /* BUS_NODE_COUNT: every object; BUS_NODE_FOLDER: these, and folders */
	const char *interface; /* NULL: the object's own */
	const char *member;
	const char *signature;
	unsigned options; /* OR of enum bus_option */
	enum act act;
	/* Where the act depends on what is asked; NULL: it is act. */
	enum act (*act_of)(const struct bus_call *call, const struct bus_parameters *parameters,
			   const struct claim *claim);
	/* claim: of a claim's object, else NULL; it is there. */
	void (*handle)(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim);
};

static const struct registry *registry_of(const struct bus_call *call)
{
	return arbiter_registry(call->books->arbiter);
}

static void abandon(struct bus_call *call)
{
	arbiter_leave(call->books->arbiter, &call->requester);
}

/* The arbiter has the call from now on; it may answer at once. */
static struct requester *hand_over(struct bus_call *call)
{
	call->requester.answer = bus_answers_write;
	call->abandon = abandon;
	return &call->requester;
}

static void plan(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	arbiter_plan(call->books->arbiter, hand_over(call), &parameters->question);
}

static enum act act_of_plan(const struct bus_call *call, const struct bus_parameters *parameters,
			    const struct claim *claim)
{
	return parameters->question.user || parameters->question.unit ? ACT_PLAN_FOR : ACT_PLAN;
}

static void claim_devices(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	if (!bus_call_may_be_offered(call))
		return;
	bus_call_find_process(call);
	arbiter_claim(call->books->arbiter, hand_over(call), &parameters->question);
}

/* Leases by another's unit, or by nobody's, are for operators. */
static enum act act_of_claim(const struct bus_call *call, const struct bus_parameters *parameters,
			     const struct claim *claim)
{
	const struct question *question = &parameters->question;
	bool others = question->lease_unit && strcmp(question->lease_unit, call->requester.subject.unit) != 0;

	return question->lease == LEASE_OPERATOR || (question->lease == LEASE_UNIT && others) ? ACT_CLAIM_FOR
											      : ACT_CLAIM;
}

static void reload(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	arbiter_reload_policy(call->books->arbiter, hand_over(call));
}

static void snapshot(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	arbiter_snapshot(call->books->arbiter, hand_over(call), parameters->truth);
}

static void audit(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	arbiter_audit(call->books->arbiter, hand_over(call));
}

/* Answers with one dictionary. object: owned by this function. */
static void reply_object(struct bus_call *call, struct json_object *object, const char *const *texts)
{
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply);

	if (error >= 0)
		error = bus_variant_append(reply, object, NULL, texts);
	json_object_put(object);
	bus_call_reply(call, reply, error);
}

static void get_policy(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	reply_object(call, varlink_policy_report(call->books->arbiter, &call->requester), NULL);
}

static void describe(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	static const char *const texts[] = { "devices", "lockouts", NULL };

	reply_object(call, reply_json_claim(claim), texts);
}

static void list_pools(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	const struct policy *policy = registry_of(call)->policy;
	sd_bus_message *reply = NULL;
	int error = bus_call_reply_new(call, &reply);

	if (error >= 0)
		error = sd_bus_message_open_container(reply, 'a', "s");
	for (size_t i = 0; i < policy->pool_count && error >= 0; i++)
		error = bus_text_append(reply, policy->pool[i].name);
	if (error >= 0)
		error = sd_bus_message_close_container(reply);
	bus_call_reply(call, reply, error);
}

static void get_pool(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	const struct registry *registry = registry_of(call);
	const struct topology *topology = host_topology(registry->host);
	const struct pool *pool = policy_pool(registry->policy, parameters->text[0]);
	const struct device **device;
	sd_bus_message *reply = NULL;
	size_t count = 0;
	int error;

	if (!pool) {
		bus_call_fail(call, "NotFound", "the policy has no pool of this name: see ListPools");
		return;
	}
	device = topology_sorted(topology, &count);
	error = device ? bus_call_reply_new(call, &reply) : -ENOMEM;
	if (error >= 0)
		error = sd_bus_message_open_container(reply, 'a', "s");
	for (size_t i = 0; i < count && error >= 0; i++)
		if (policy_pool_has(registry->policy, topology, pool, device[i]))
			error = bus_text_append(reply, device[i]->name);
	if (error >= 0)
		error = sd_bus_message_close_container(reply);
	free(device);
	bus_call_reply(call, reply, error);
}

static void reply_path(struct bus_call *call, const struct bus_object_name *object, const char *path)
{
	sd_bus_message *reply = NULL;
	int error;

	if (!bus_object_exists(call->books->arbiter, object)) {
		bus_call_fail(call, "NotFound", "no such object");
		return;
	}
	error = bus_call_reply_new(call, &reply);
	if (error >= 0)
		error = sd_bus_message_append(reply, "o", path);
	bus_call_reply(call, reply, error);
}

static void get_device(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	struct bus_object_name object = { .node = BUS_NODE_DEVICE };
	char path[BUS_PATH_MAX];

	if (device_name_complete(parameters->text[0], object.name) < 0)
		bus_call_fail(call, "NotFound", "not a device address (0000:01:00.0)");
	else
		reply_path(call, &object, bus_path_of_device(object.name, path));
}

static void get_group(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	const struct bus_object_name object = { .node = BUS_NODE_GROUP, .group = parameters->number };
	char path[BUS_PATH_MAX];

	reply_path(call, &object, bus_path_of_group(object.group, path));
}

static void get_claim(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	const struct claim *found = ledger_find(registry_of(call)->ledger, parameters->text[0]);
	struct bus_object_name object = { .node = BUS_NODE_CLAIM };
	char path[BUS_PATH_MAX];

	if (found)
		memcpy(object.name, found->id, sizeof(found->id));
	reply_path(call, &object, bus_path_of_claim(object.name, path));
}

static void open_device(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	struct bus_call *offering = bus_offer_find(call->books, claim->id);
	struct claim_device *device = NULL;
	char name[DEVICE_NAME_MAX];
	bool offered = false;

	if (device_name_complete(parameters->text[0], name) == 0)
		device = claim_find_device((struct claim *)claim, name);
	if (!device || device->lockout) {
		bus_call_fail(call, "NotFound", "the claim does not have this device");
		return;
	}
	for (size_t i = 0; offering && i < offering->offer->device_count; i++)
		offered = offered || strcmp(offering->offer->device[i].name, name) == 0;
	if (offered)
		bus_answers_open(call, offering->offer, claim, device);
	else
		bus_call_fail(call, "WrongState",
			      "this device has no descriptors to take: they are available after Claim and Add, until "
			      "Acknowledge");
}

static void acknowledge(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	struct bus_call *offering = bus_offer_find(call->books, claim->id);
	struct requester *requester = hand_over(call);

	if (offering) {
		offering->acknowledgement = call;
		requester = &offering->requester;
	}
	arbiter_acknowledge(call->books->arbiter, requester, claim->id);
}

static void add(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	char device[DEVICE_NAME_MAX];

	if (device_name_complete(parameters->text[0], device) < 0)
		bus_call_fail(call, SD_BUS_ERROR_INVALID_ARGS, "device: not a device address (0000:01:00.0)");
	else if (bus_offer_find(call->books, claim->id))
		bus_call_fail(call, "UnacknowledgedDescriptors",
			      "acknowledge the descriptors of this claim first (Acknowledge)");
	else if (bus_call_may_be_offered(call))
		arbiter_add_device(call->books->arbiter, hand_over(call), claim->id, device);
}

static void remove_device(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	char device[DEVICE_NAME_MAX];

	if (device_name_complete(parameters->text[0], device) < 0)
		bus_call_fail(call, SD_BUS_ERROR_INVALID_ARGS, "device: not a device address (0000:01:00.0)");
	else
		arbiter_remove_device(call->books->arbiter, hand_over(call), claim->id, device);
}

static enum act act_of_release(const struct bus_call *call, const struct bus_parameters *parameters,
			       const struct claim *claim)
{
	return claim->state == CLAIM_QUARANTINED ? ACT_OPEN_QUARANTINE : ACT_RELEASE;
}

static enum act act_of_revocation(const struct bus_call *call, const struct bus_parameters *parameters,
				  const struct claim *claim)
{
	return claim->state == CLAIM_QUARANTINED ? ACT_OPEN_QUARANTINE : ACT_REVOKE;
}

static void release(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	arbiter_release(call->books->arbiter, hand_over(call), claim->id);
}

static void resume(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	/* A lease that nobody would get ends at once. */
	if (sd_bus_message_get_expect_reply(call->message) > 0)
		arbiter_resume(call->books->arbiter, hand_over(call), claim->id);
	else
		bus_call_end(call);
}

static void revoke_claim(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	arbiter_revoke(call->books->arbiter, hand_over(call), claim->id, parameters->grace_usec, parameters->reason,
		       parameters->unbind);
}

static void introspect(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	char *text = bus_introspection_text(call->books->arbiter, &call->object);
	sd_bus_message *reply = NULL;
	int error = text ? bus_call_reply_new(call, &reply) : -ENOMEM;

	if (error >= 0)
		error = sd_bus_message_append(reply, "s", text);
	free(text);
	bus_call_reply(call, reply, error);
}

/* True if the interface is the object's own; false after an answer, unless it is one that has no properties. */
static bool has_properties(struct bus_call *call, const char *interface)
{
	if (strcmp(interface, bus_interface_of(call->object.node)) == 0)
		return true;
	bus_call_fail(call, SD_BUS_ERROR_UNKNOWN_INTERFACE, "this object has no properties on this interface");
	return false;
}

static void get(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	sd_bus_message *reply = NULL;
	int error;

	if (!has_properties(call, parameters->text[0]))
		return;
	if (!bus_property_exists(call->object.node, parameters->text[1])) {
		bus_call_fail(call, SD_BUS_ERROR_UNKNOWN_PROPERTY, "this object has no property of this name");
		return;
	}
	error = bus_call_reply_new(call, &reply);
	if (error >= 0)
		error = bus_property_append(reply, call->books->arbiter, &call->object, parameters->text[1],
					    &call->requester);
	bus_call_reply(call, reply, error);
}

static void get_all(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	static const char standard[] = "org.freedesktop.DBus.";
	bool empty = strncmp(parameters->text[0], standard, sizeof(standard) - 1) == 0;
	sd_bus_message *reply = NULL;
	int error;

	/* No interface stands for all of them. */
	if (!empty && parameters->text[0][0] && !has_properties(call, parameters->text[0]))
		return;
	error = bus_call_reply_new(call, &reply);
	if (error >= 0)
		error = empty ? sd_bus_message_append(reply, "a{sv}", 0)
			      : bus_property_append_all(reply, call->books->arbiter, &call->object, &call->requester);
	bus_call_reply(call, reply, error);
}

static void set(struct bus_call *call, const struct bus_parameters *parameters, const struct claim *claim)
{
	if (!has_properties(call, parameters->text[0]))
		return;
	if (bus_property_exists(call->object.node, parameters->text[1]))
		bus_call_fail(call, SD_BUS_ERROR_PROPERTY_READ_ONLY, "all properties are read-only");
	else
		bus_call_fail(call, SD_BUS_ERROR_UNKNOWN_PROPERTY, "this object has no property of this name");
}

static void get_managed_objects(struct bus_call *call, const struct bus_parameters *parameters,
				const struct claim *claim)
{
	bus_listings_start(call->books->listings, call);
}

#define OF_PLAN (BUS_OPTION_MODE | BUS_OPTION_NUMA_NODE | BUS_OPTION_USER | BUS_OPTION_UNIT)
#define OF_CLAIM (BUS_OPTION_MODE | BUS_OPTION_NUMA_NODE | BUS_OPTION_LEASE | BUS_OPTION_LEASE_UNIT)
#define OF_REVOCATION (BUS_OPTION_GRACE | BUS_OPTION_REASON | BUS_OPTION_UNBIND)

static const struct bus_method methods[] = {
	{ BUS_NODE_MANAGER, NULL, "Plan", "asa{sv}", OF_PLAN, ACT_PLAN, act_of_plan, plan },
	{ BUS_NODE_MANAGER, NULL, "Claim", "asa{sv}", OF_CLAIM, ACT_CLAIM, act_of_claim, claim_devices },
	{ BUS_NODE_MANAGER, NULL, "Reload", "", 0, ACT_RELOAD, NULL, reload },
	{ BUS_NODE_MANAGER, NULL, "GetPolicy", "", 0, ACT_LOOK, NULL, get_policy },
	{ BUS_NODE_MANAGER, NULL, "ListPools", "", 0, ACT_LOOK, NULL, list_pools },
	{ BUS_NODE_MANAGER, NULL, "GetPool", "s", 0, ACT_LOOK, NULL, get_pool },
	{ BUS_NODE_MANAGER, NULL, "Snapshot", "b", 0, ACT_SNAPSHOT, NULL, snapshot },
	{ BUS_NODE_MANAGER, NULL, "Audit", "", 0, ACT_AUDIT, NULL, audit },
	{ BUS_NODE_MANAGER, NULL, "GetDevice", "s", 0, ACT_LOOK, NULL, get_device },
	{ BUS_NODE_MANAGER, NULL, "GetGroup", "i", 0, ACT_LOOK, NULL, get_group },
	{ BUS_NODE_MANAGER, NULL, "GetClaim", "s", 0, ACT_LOOK, NULL, get_claim },
	{ BUS_NODE_CLAIM, NULL, "OpenDevice", "s", 0, ACT_TAKE, NULL, open_device },
	{ BUS_NODE_CLAIM, NULL, "Acknowledge", "", 0, ACT_TAKE, NULL, acknowledge },
	{ BUS_NODE_CLAIM, NULL, "Add", "s", 0, ACT_ADD, NULL, add },
	{ BUS_NODE_CLAIM, NULL, "Remove", "s", 0, ACT_REMOVE, NULL, remove_device },
	{ BUS_NODE_CLAIM, NULL, "Release", "", 0, ACT_RELEASE, act_of_release, release },
	{ BUS_NODE_CLAIM, NULL, "Resume", "", 0, ACT_RESUME, NULL, resume },
	{ BUS_NODE_CLAIM, NULL, "Revoke", "a{sv}", OF_REVOCATION, ACT_REVOKE, act_of_revocation, revoke_claim },
	{ BUS_NODE_CLAIM, NULL, "Describe", "", 0, ACT_SEE_CLAIM, NULL, describe },
	{ BUS_NODE_MANAGER, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", 0, ACT_LOOK, NULL,
	  get_managed_objects },
	{ BUS_NODE_FOLDER, "org.freedesktop.DBus.Introspectable", "Introspect", "", 0, ACT_LOOK, NULL, introspect },
	{ BUS_NODE_COUNT, PROPERTIES, "Get", "ss", 0, ACT_LOOK, NULL, get },
	{ BUS_NODE_COUNT, PROPERTIES, "GetAll", "s", 0, ACT_LOOK, NULL, get_all },
	{ BUS_NODE_COUNT, PROPERTIES, "Set", "ssv", 0, ACT_LOOK, NULL, set },
};

static bool is_for(const struct bus_method *method, enum bus_node node)
{
	return method->node == node || method->node == BUS_NODE_FOLDER ||
	       (method->node == BUS_NODE_COUNT && node != BUS_NODE_FOLDER);
}

const struct bus_method *bus_methods_find(const struct arbiter *arbiter, const struct bus_object_name *object,
					  const char *interface, const char *member, const char **error,
					  const char **message)
{
	bool known = !interface;

	/* A claim that is no more, or never was, is answered like one of somebody else. */
	if (object->node != BUS_NODE_FOLDER && object->node != BUS_NODE_CLAIM && !bus_object_exists(arbiter, object)) {
		*error = SD_BUS_ERROR_UNKNOWN_OBJECT;
		*message = "no such object";
		return NULL;
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const char *own = methods[i].interface ? methods[i].interface : bus_interface_of(object->node);

		if (!is_for(&methods[i], object->node) || (interface && strcmp(interface, own) != 0))
			continue;
		known = true;
		if (strcmp(methods[i].member, member) == 0)
			return &methods[i];
	}
	*error = known ? SD_BUS_ERROR_UNKNOWN_METHOD : SD_BUS_ERROR_UNKNOWN_INTERFACE;
	*message = known ? "this object has no such method" : "this object has no such interface";
	return NULL;
}

void bus_methods_run(struct bus_call *call)
{
	const struct bus_method *method = call->method;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct bus_parameters parameters;
	const struct claim *claim = NULL;
	enum act act = method->act;
	int result;

	if (call->object.node != BUS_NODE_FOLDER && call->object.node != BUS_NODE_CLAIM &&
	    !bus_object_exists(call->books->arbiter, &call->object)) {
		bus_call_fail(call, SD_BUS_ERROR_UNKNOWN_OBJECT, "this object is gone");
		return;
	}
	if (call->object.node == BUS_NODE_CLAIM) {
		claim = ledger_find(registry_of(call)->ledger, call->object.name);
		if (!claim) {
			const struct answer answer = { .kind = ANSWER_NO_CLAIM };

			bus_answers_write(call, &answer);
			return;
		}
	}
	result = bus_parameters_read(call->message, method->signature, method->options, &parameters, &error);
	if (result < 0) {
		bus_call_fail(call, SD_BUS_ERROR_INVALID_ARGS,
			      error.message ? error.message : "cannot read the arguments");
		sd_bus_error_free(&error);
		return;
	}
	if (parameters.question.lease_unit && parameters.question.lease != LEASE_UNIT) {
		bus_call_fail(call, SD_BUS_ERROR_INVALID_ARGS, "option 'unit' needs 'lease' 'unit'");
		return;
	}
	if (method->act_of)
		act = method->act_of(call, &parameters, claim);
	if (bus_authority_allow(call, act, claim, &parameters.question, bus_methods_run))
		method->handle(call, &parameters, claim);
}
