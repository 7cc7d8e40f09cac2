#include "varlink_call.h"

#include "../../../../policy/util/json_text.h"
#include "../../../../policy/util/text.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool refuse(struct varlink_call *call, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(call->wrong, sizeof(call->wrong), format, arguments);
	va_end(arguments);
	return false;
}

/* A flag is true, false, or not there: whoever means it says so. */
static bool take_flag(struct varlink_call *call, const char *key, struct json_object *value, bool *flag)
{
	if (!json_object_is_type(value, json_type_boolean))
		return refuse(call, "\"%s\" is neither true nor false", key);
	*flag = json_object_get_boolean(value);
	return true;
}

static bool take_member(struct varlink_call *call, const char *key, struct json_object *value)
{
	char shown[64];

	if (strcmp(key, "method") == 0) {
		if (!json_object_is_type(value, json_type_string))
			return refuse(call, "\"method\" is not a string");
		call->method = json_object_get_string(value);
		return strlen(call->method) == (size_t)json_object_get_string_len(value) ||
		       refuse(call, "\"method\" contains \\u0000, which is not allowed in a string");
	}
	if (strcmp(key, "parameters") == 0) {
		call->parameters = value;
		return !value || json_object_is_type(value, json_type_object) ||
		       refuse(call, "\"parameters\" is not an object");
	}
	if (strcmp(key, "oneway") == 0)
		return take_flag(call, key, value, &call->oneway);
	if (strcmp(key, "more") == 0)
		return take_flag(call, key, value, &call->more);
	if (strcmp(key, "upgrade") == 0)
		return take_flag(call, key, value, &call->upgrade);
	/* A mistyped "oneway" must not pass for a call that waits. */
	return refuse(call, "unknown member \"%s\" of a call", text_escape(shown, sizeof(shown), key, strlen(key)));
}

static bool take_members(struct varlink_call *call)
{
	json_object_object_foreach(call->message, key, value)
	{
		if (!take_member(call, key, value))
			return false;
	}
	return call->method || refuse(call, "missing \"method\"");
}

int varlink_call_parse(const char *text, size_t length, struct varlink_call *call)
{
	struct json_problem problem;
	int error;

	*call = (struct varlink_call){ .message = NULL };
	error = json_text_read(text, length, JSON_CALL, VARLINK_CALL_DEPTH_MAX, &call->message, &problem);
	if (error == -EINVAL)
		text_format(call->wrong, sizeof(call->wrong), "line %u, column %u: %s", problem.line, problem.column,
			    problem.message);
	if (error < 0)
		return error;
	if (take_members(call))
		return 0;
	varlink_call_done(call);
	return -EINVAL;
}

void varlink_call_done(struct varlink_call *call)
{
	json_object_put(call->message);
	call->message = NULL;
	call->method = NULL;
	call->parameters = NULL;
}
