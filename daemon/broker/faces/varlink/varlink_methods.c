#include "varlink_methods.h"

#include "varlink_answers.h"
#include "varlink_listing.h"
#include "varlink_monitors.h"
#include "../reports.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/report/reply_json.h"
#include "../../../../policy/util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The interface's text, made from org.ioasid1.varlink when the program is built. */
extern const char org_ioasid1_varlink[];

/* As documented in org.ioasid1.varlink: a day. */
enum { GRACE_MSEC_MAX = 24 * 3600 * 1000 };

/* What a call brought, checked against its row. Strings live as long as the call. */
struct parameters {
	struct question question;
	char text[CLAIM_DEVICES_MAX][REQUEST_TEXT_MAX];
	char device[DEVICE_NAME_MAX];
	const char *claim;
	const char *interface;
	bool details;
	uint64_t grace_usec;
	const char *reason;
	bool unbind;
};

enum parameter {
	PARAMETER_DEVICES = 1 << 0, /* "devices": array of 1 to CLAIM_DEVICES_MAX addresses, or pools as "pool:NAME" */
	PARAMETER_DEVICE = 1 << 1,  /* "device": an address */
	PARAMETER_CLAIM = 1 << 2,   /* "claim": a claim's id */
	PARAMETER_MODE = 1 << 3,    /* "mode": optional */
	PARAMETER_INTERFACE = 1 << 4,   /* "interface": a name */
	PARAMETER_NODE = 1 << 5,        /* "numa_node": a number, optional */
	PARAMETER_DETAILS = 1 << 6,     /* "details": true or false, optional */
	PARAMETER_USER = 1 << 7,        /* "user": a name or a number, optional */
	PARAMETER_UNIT = 1 << 8,        /* "unit": a systemd unit's name, optional */
	PARAMETER_LEASE = 1 << 9,       /* "lease": what keeps a claim alive, optional */
	PARAMETER_GRACE = 1 << 11,      /* "grace": milliseconds, optional */
	PARAMETER_REASON = 1 << 12,     /* "reason": a sentence, optional */
	PARAMETER_LEASE_UNIT = 1 << 10, /* "unit": whose end ends a claim, optional */
	PARAMETER_UNBIND = 1 << 14,     /* "unbind": true or false, optional */
	PARAMETER_ONE_CLAIM = 1 << 13,  /* "claim": a claim's id, optional */
};

static const struct {
	enum parameter parameter;
	const char *name;
	bool optional;
} parameter_names[] = {
	{ PARAMETER_DEVICES, "devices", false },
	{ PARAMETER_DEVICE, "device", false },
	{ PARAMETER_CLAIM, "claim", false },
	{ PARAMETER_MODE, "mode", true },
	{ PARAMETER_INTERFACE, "interface", false },
	{ PARAMETER_NODE, "numa_node", true },
	{ PARAMETER_DETAILS, "details", true },
	{ PARAMETER_USER, "user", true },
	{ PARAMETER_UNIT, "unit", true },
	{ PARAMETER_LEASE, "lease", true },
	{ PARAMETER_LEASE_UNIT, "unit", true },
	{ PARAMETER_GRACE, "grace", true },
	{ PARAMETER_REASON, "reason", true },
	{ PARAMETER_ONE_CLAIM, "claim", true },
	{ PARAMETER_UNBIND, "unbind", true },
};

struct row {
	const char *method;
	unsigned parameters; /* OR of enum parameter, of each name at most one */
	enum act act;
	/* Where the act depends on what is asked; NULL: it is act. */
	enum act (*act_of)(const struct varlink_client *client, const struct parameters *parameters);
	void (*handler)(struct varlink_client *client, const struct parameters *parameters);
};

static void reply_invalid_parameter(struct varlink_client *client, const char *parameter)
{
	struct json_object *object = json_make_object();

	json_set(object, "parameter", json_make_string(parameter));
	varlink_connection_error(client->connection, "org.varlink.service.InvalidParameter", object);
}

static void get_info(struct varlink_client *client, const struct parameters *parameters)
{
	struct json_object *object = json_make_object(), *interfaces = json_make_array();

	json_set(object, "vendor", json_make_string("ioasidd"));
	json_set(object, "product", json_make_string("ioasidd"));
	json_set(object, "version", json_make_string(VERSION));
	json_set(object, "url", json_make_string("man:ioasidctl(8)"));
	json_add(interfaces, json_make_string("org.ioasid1"));
	json_add(interfaces, json_make_string("org.varlink.service"));
	json_set(object, "interfaces", interfaces);
	varlink_connection_reply(client->connection, object, NULL);
}

/* As published at varlink.org. */
static const char org_varlink_service[] =
	"# The Varlink Service Interface is provided by every varlink service.\n"
	"interface org.varlink.service\n\n"
	"method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)\n\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
	"error InterfaceNotFound (interface: string)\n\n"
	"error MethodNotFound (method: string)\n\n"
	"error MethodNotImplemented (method: string)\n\n"
	"error InvalidParameter (parameter: string)\n\n"
	"error ExpectedMore ()\n";

static void get_interface_description(struct varlink_client *client, const struct parameters *parameters)
{
	struct json_object *object = json_make_object();
	const char *text = NULL;

	if (strcmp(parameters->interface, "org.ioasid1") == 0)
		text = org_ioasid1_varlink;
	else if (strcmp(parameters->interface, "org.varlink.service") == 0)
		text = org_varlink_service;
	if (text) {
		json_set(object, "description", json_make_string(text));
		varlink_connection_reply(client->connection, object, NULL);
	} else {
		json_set(object, "interface", json_make_string(parameters->interface));
		varlink_connection_error(client->connection, "org.varlink.service.InterfaceNotFound", object);
	}
}

static void get_status(struct varlink_client *client, const struct parameters *parameters)
{
	varlink_connection_reply(client->connection, varlink_status(client->arbiter, &client->requester), NULL);
}

static void list_devices(struct varlink_client *client, const struct parameters *parameters)
{
	varlink_listing_start(client, false);
}

static void list_groups(struct varlink_client *client, const struct parameters *parameters)
{
	varlink_listing_start(client, true);
}

static void list_claims(struct varlink_client *client, const struct parameters *parameters)
{
	varlink_connection_reply(client->connection, varlink_claim_list(client->arbiter, &client->requester), NULL);
}

static void get_policy(struct varlink_client *client, const struct parameters *parameters)
{
	varlink_connection_reply(client->connection, varlink_policy_report(client->arbiter, &client->requester), NULL);
}

static void plan(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_plan(client->arbiter, &client->requester, &parameters->question);
}

static void claim(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_claim(client->arbiter, &client->requester, &parameters->question);
}

static void acknowledge(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_acknowledge(client->arbiter, &client->requester, parameters->claim);
}

static void add_device(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_add_device(client->arbiter, &client->requester, parameters->claim, parameters->device);
}

static void remove_device(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_remove_device(client->arbiter, &client->requester, parameters->claim, parameters->device);
}

static void release(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_release(client->arbiter, &client->requester, parameters->claim);
}

static void resume(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_resume(client->arbiter, &client->requester, parameters->claim);
}

static void revoke_claim(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_revoke(client->arbiter, &client->requester, parameters->claim, parameters->grace_usec,
		       parameters->reason, parameters->unbind);
}

static void reload_policy(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_reload_policy(client->arbiter, &client->requester);
}

static void snapshot(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_snapshot(client->arbiter, &client->requester, parameters->details);
}

static void audit(struct varlink_client *client, const struct parameters *parameters)
{
	arbiter_audit(client->arbiter, &client->requester);
}

static void get_metrics(struct varlink_client *client, const struct parameters *parameters)
{
	char *text = metrics_report(client->metrics, client->socket,
				    arbiter_is_operator(client->arbiter, &client->requester));
	struct json_object *object;

	if (!text) {
		varlink_answers_write(client,
				      &(struct answer){ .kind = ANSWER_FAILED, .message = "ioasidd is out of memory" });
		return;
	}
	object = json_make_object();
	json_set(object, "text", json_make_string(text));
	varlink_connection_reply(client->connection, object, NULL);
	free(text);
}

static void watch(struct varlink_client *client, const struct parameters *parameters)
{
	if (!varlink_connection_takes_more(client->connection)) {
		varlink_connection_error(client->connection, "org.varlink.service.ExpectedMore", NULL);
	} else if (!varlink_monitors_add(client->monitors, client, parameters->claim)) {
		struct json_object *object = json_make_object();

		json_set(object, "message",
			 json_make_string("too many monitors of this user, or of all users together: close some"));
		varlink_connection_error(client->connection, "org.ioasid1.QuotaExceeded", object);
	}
}

static enum act act_of_plan(const struct varlink_client *client, const struct parameters *parameters)
{
	return parameters->question.user || parameters->question.unit ? ACT_PLAN_FOR : ACT_PLAN;
}

/* Leases by another's unit, or by nobody's, are for operators. */
static enum act act_of_claim(const struct varlink_client *client, const struct parameters *parameters)
{
	const struct question *question = &parameters->question;
	bool others = question->lease_unit && strcmp(question->lease_unit, client->requester.subject.unit) != 0;

	return question->lease == LEASE_OPERATOR || (question->lease == LEASE_UNIT && others) ? ACT_CLAIM_FOR
											      : ACT_CLAIM;
}

static enum act act_of_watch(const struct varlink_client *client, const struct parameters *parameters)
{
	return parameters->claim ? ACT_SEE_CLAIM : ACT_WATCH;
}

static const struct row rows[] = {
	{ "org.varlink.service.GetInfo", 0, ACT_LOOK, NULL, get_info },
	{ "org.varlink.service.GetInterfaceDescription", PARAMETER_INTERFACE, ACT_LOOK, NULL,
	  get_interface_description },
	{ "org.ioasid1.GetStatus", 0, ACT_LOOK, NULL, get_status },
	{ "org.ioasid1.ListDevices", 0, ACT_LOOK, NULL, list_devices },
	{ "org.ioasid1.ListGroups", 0, ACT_LOOK, NULL, list_groups },
	{ "org.ioasid1.ListClaims", 0, ACT_LOOK, NULL, list_claims },
	{ "org.ioasid1.GetPolicy", 0, ACT_LOOK, NULL, get_policy },
	{ "org.ioasid1.Plan", PARAMETER_DEVICES | PARAMETER_MODE | PARAMETER_NODE | PARAMETER_USER | PARAMETER_UNIT,
	  ACT_PLAN, act_of_plan, plan },
	{ "org.ioasid1.Claim",
	  PARAMETER_DEVICES | PARAMETER_MODE | PARAMETER_NODE | PARAMETER_LEASE | PARAMETER_LEASE_UNIT, ACT_CLAIM,
	  act_of_claim, claim },
	{ "org.ioasid1.Acknowledge", PARAMETER_CLAIM, ACT_TAKE, NULL, acknowledge },
	{ "org.ioasid1.AddDevice", PARAMETER_CLAIM | PARAMETER_DEVICE, ACT_ADD, NULL, add_device },
	{ "org.ioasid1.RemoveDevice", PARAMETER_CLAIM | PARAMETER_DEVICE, ACT_REMOVE, NULL, remove_device },
	{ "org.ioasid1.Release", PARAMETER_CLAIM, ACT_RELEASE, NULL, release },
	{ "org.ioasid1.Resume", PARAMETER_CLAIM, ACT_RESUME, NULL, resume },
	{ "org.ioasid1.Revoke", PARAMETER_CLAIM | PARAMETER_GRACE | PARAMETER_REASON | PARAMETER_UNBIND, ACT_REVOKE,
	  NULL, revoke_claim },
	{ "org.ioasid1.ReloadPolicy", 0, ACT_RELOAD, NULL, reload_policy },
	{ "org.ioasid1.Snapshot", PARAMETER_DETAILS, ACT_SNAPSHOT, NULL, snapshot },
	{ "org.ioasid1.Audit", 0, ACT_AUDIT, NULL, audit },
	{ "org.ioasid1.GetMetrics", 0, ACT_LOOK, NULL, get_metrics },
	{ "org.ioasid1.Monitor", PARAMETER_ONE_CLAIM, ACT_WATCH, act_of_watch, watch },
};

/* The text of a string that has no NUL in it; NULL for anything else. */
static const char *text_of(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_string) ||
	    strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return NULL;
	return json_object_get_string(value);
}

static bool take_devices(struct json_object *value, struct parameters *out)
{
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return false;
	count = json_object_array_length(value);
	if (count < 1 || count > CLAIM_DEVICES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *text = text_of(json_object_array_get_idx(value, i));

		if (!text || !question_take_device(text, out->text[i]))
			return false;
		out->question.device[i] = out->text[i];
	}
	out->question.count = count;
	return true;
}

static bool take_parameter(enum parameter parameter, struct json_object *value, struct parameters *out)
{
	const char *text = text_of(value);
	int mode;

	switch (parameter) {
	case PARAMETER_DEVICES:
		return take_devices(value, out);
	case PARAMETER_DEVICE:
		return text && device_name_complete(text, out->device) == 0;
	case PARAMETER_CLAIM:
	case PARAMETER_ONE_CLAIM:
		out->claim = text;
		return text && strlen(text) < CLAIM_ID_MAX;
	case PARAMETER_MODE:
		mode = text ? delivery_mode_from_string(text) : -1;
		if (mode >= 0)
			out->question.mode = (enum delivery_mode)mode;
		return mode >= 0;
	case PARAMETER_USER:
		out->question.user = text;
		return text && text[0] && text_is_printable(text, 256);
	case PARAMETER_UNIT:
		out->question.unit = text;
		return text && text[0] && text_is_printable(text, UNIT_NAME_MAX);
	case PARAMETER_LEASE:
		mode = text ? lease_kind_from_string(text) : -1;
		if (mode >= 0)
			out->question.lease = (enum lease_kind)mode;
		return mode >= 0;
	case PARAMETER_LEASE_UNIT:
		out->question.lease_unit = text;
		return text && unit_name_is_valid(text);
	case PARAMETER_INTERFACE:
		out->interface = text;
		return text && strlen(text) < 256;
	case PARAMETER_DETAILS:
		out->details = json_object_get_boolean(value);
		return json_object_is_type(value, json_type_boolean);
	case PARAMETER_GRACE:
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
		    json_object_get_int64(value) > GRACE_MSEC_MAX)
			return false;
		out->grace_usec = (uint64_t)json_object_get_int64(value) * 1000;
		return true;
	case PARAMETER_UNBIND:
		out->unbind = json_object_get_boolean(value);
		return json_object_is_type(value, json_type_boolean);
	case PARAMETER_REASON:
		out->reason = text;
		return text && text_is_printable(text, TEXT_MAX);
	case PARAMETER_NODE:
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
		    json_object_get_int64(value) > UINT16_MAX)
			return false;
		out->question.numa_node = (int32_t)json_object_get_int64(value);
		return true;
	}
	return false;
}

/* The name of the first parameter that is missing, wrong, or not the method's; NULL if all is well. */
static const char *take_parameters(const struct row *row, struct json_object *object, struct parameters *out)
{
	size_t known = 0;

	for (size_t i = 0; i < sizeof(parameter_names) / sizeof(parameter_names[0]); i++) {
		struct json_object *value = NULL;

		if (!(row->parameters & parameter_names[i].parameter))
			continue;
		if (json_object_object_get_ex(object, parameter_names[i].name, &value))
			known++;
		/* null stands for a parameter that is not given. */
		if (!value && parameter_names[i].optional)
			continue;
		if (!value || !take_parameter(parameter_names[i].parameter, value, out))
			return parameter_names[i].name;
	}
	if ((size_t)json_object_object_length(object) > known) {
		json_object_object_foreach(object, key, ignored)
		{
			bool taken = false;

			(void)ignored;
			for (size_t i = 0; i < sizeof(parameter_names) / sizeof(parameter_names[0]); i++)
				taken |= (row->parameters & parameter_names[i].parameter) &&
					 strcmp(key, parameter_names[i].name) == 0;
			if (!taken)
				return key;
		}
	}
	return NULL;
}

static void reply_not_found(struct varlink_client *client, const char *error, const char *field, const char *value)
{
	struct json_object *object = json_make_object();

	json_set(object, field, json_make_string(value));
	varlink_connection_error(client->connection, error, object);
}

void varlink_methods_call(struct varlink_client *client, const char *method, struct json_object *object)
{
	struct parameters parameters = { .question = { .mode = MODE_ATTACHED, .numa_node = -1 },
					 .grace_usec = REVOKE_GRACE_OF_RULE };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum act act = rows[i].act;
		const char *wrong;

		if (strcmp(rows[i].method, method) != 0)
			continue;
		wrong = take_parameters(&rows[i], object, &parameters);
		if (wrong) {
			reply_invalid_parameter(client, wrong);
			return;
		}
		if (rows[i].act_of)
			act = rows[i].act_of(client, &parameters);
		if (arbiter_allow(client->arbiter, &client->requester, act, parameters.claim, &parameters.question))
			rows[i].handler(client, &parameters);
		return;
	}
	if (strncmp(method, "org.ioasid1.", 12) == 0 || strncmp(method, "org.varlink.service.", 20) == 0)
		reply_not_found(client, "org.varlink.service.MethodNotFound", "method", method);
	else
		reply_not_found(client, "org.varlink.service.InterfaceNotFound", "interface", method);
}
