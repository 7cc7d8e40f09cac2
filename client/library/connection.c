#include "connection.h"

#include "../json_build.h"
#include "../../policy/util/json_text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_DEPTH_MAX = 32 }; /* nesting of a call's JSON: the daemon says what it does not take */

/* Puts into words why there is no connection. */
static void explain_connect(struct ioasid *connection, int result)
{
	struct failure *failure = &connection->failure;
	const char *path = connection->path;

	switch (-result) {
	case ENOENT:
		failure_set(failure, IOASID_UNREACHABLE,
			    "cannot connect to ioasidd: there is no socket %s; start it with `systemctl start ioasidd`",
			    path);
		break;
	case ECONNREFUSED:
		failure_set(failure, IOASID_UNREACHABLE,
			    "cannot connect to ioasidd: nothing listens on %s; start it with `systemctl start ioasidd`",
			    path);
		break;
	case EACCES:
	case EPERM:
		failure_set(failure, IOASID_UNREACHABLE,
			    "cannot connect to ioasidd: permission denied for %s; ask the operator of this host", path);
		break;
	case ENAMETOOLONG:
		failure_set(failure, IOASID_UNREACHABLE,
			    "cannot connect to ioasidd: socket path too long (at most 107 bytes): %s", path);
		break;
	default:
		failure_set(failure, IOASID_UNREACHABLE,
			    "cannot connect to ioasidd: failed to connect to %s (%s); is it ioasidd's socket?", path,
			    strerror(-result));
	}
}

int connection_fail_call(struct ioasid *connection, const char *method, int result, const char *wrong)
{
	struct failure *failure = &connection->failure;

	switch (-result) {
	case ECONNRESET:
		failure_set(failure, IOASID_UNREACHABLE,
			    "ioasidd closed the connection at %s without answering %s; see `systemctl status ioasidd`",
			    connection->path, method);
		break;
	case EPROTO:
		connection_fail_sense(
			connection, method,
			*wrong != '\0' ? wrong
				       : "it is too long, has too many file descriptors, or more data follows it");
		break;
	case ENOMEM:
		connection_fail_memory(connection);
		break;
	default:
		explain_connect(connection, result);
	}
	return result;
}

int connection_fail_reply(struct ioasid *connection, const char *method, const char *why)
{
	varlink_client_disconnect(&connection->client);
	return connection_fail_sense(connection, method, why);
}

int connection_fail_sense(struct ioasid *connection, const char *method, const char *why)
{
	failure_set(&connection->failure, IOASID_FAILED,
		    "invalid reply from %s to %s: %s; is it ioasidd, and of the same version?", connection->path,
		    method, why);
	return -EPROTO;
}

int connection_fail_argument(struct ioasid *connection, const char *why)
{
	failure_set(&connection->failure, IOASID_FAILED, "%s", why);
	return -EINVAL;
}

int connection_fail_memory(struct ioasid *connection)
{
	failure_set(&connection->failure, IOASID_FAILED, "out of memory");
	return -ENOMEM;
}

int connection_call(struct ioasid *connection, const char *method, struct json_object *parameters,
		    struct varlink_reply *reply)
{
	struct varlink_reply received;
	int result = varlink_client_call(&connection->client, connection->path, method, parameters, &received);

	if (result < 0)
		return connection_fail_call(connection, method, result, connection->client.wrong);
	if (received.error == NULL) {
		*reply = received;
		return 0;
	}
	if (received.fds.count > 0 || received.fds.truncated) {
		result = connection_fail_reply(connection, method, "an error carries file descriptors");
	} else {
		failure_set_reply(&connection->failure, method, received.error, received.parameters);
		result = -EREMOTEIO;
	}
	varlink_reply_done(&received);
	return result;
}

int connection_call_plain(struct ioasid *connection, const char *method, struct json_object *parameters,
			  struct varlink_reply *reply)
{
	struct varlink_reply received;
	int result = connection_call(connection, method, parameters, &received);

	if (result < 0)
		return result;
	if (received.fds.count > 0 || received.fds.truncated) {
		varlink_reply_done(&received);
		return connection_fail_reply(connection, method, "unexpected file descriptors");
	}
	*reply = received;
	return 0;
}

int ioasid_connect(const char *path, struct ioasid **out)
{
	struct ioasid *connection = calloc(1, sizeof(*connection));
	int result;

	if (connection == NULL)
		return -ENOMEM;
	connection->client.fd = -1;
	connection->path = strdup(path != NULL ? path : IOASID_SOCKET_PATH);
	if (connection->path == NULL) {
		free(connection);
		return -ENOMEM;
	}
	*out = connection;
	result = varlink_client_connect(&connection->client, connection->path);
	if (result < 0)
		explain_connect(connection, result);
	return result;
}

struct ioasid *ioasid_disconnect(struct ioasid *connection)
{
	if (connection == NULL)
		return NULL;
	varlink_client_disconnect(&connection->client);
	failure_done(&connection->failure);
	free(connection->path);
	free(connection);
	return NULL;
}

int ioasid_error_status(const struct ioasid *connection)
{
	return connection->failure.status;
}

const char *ioasid_error_message(const struct ioasid *connection)
{
	if (connection->failure.message != NULL)
		return connection->failure.message;
	return connection->failure.status == IOASID_DONE ? "no error" : "out of memory";
}

const char *ioasid_error_name(const struct ioasid *connection)
{
	return connection->failure.name != NULL ? connection->failure.name : "";
}

const char *ioasid_error_parameters(const struct ioasid *connection)
{
	return connection->failure.parameters != NULL ? connection->failure.parameters : "{}";
}

int ioasid_call(struct ioasid *connection, const char *method, const char *parameters, char **reply)
{
	struct json_object *object = NULL;
	struct varlink_reply received;
	struct json_problem problem;
	char wrong[TEXT_MAX + 128];
	const char *text;
	char *copy;
	int result;

	if (method == NULL)
		return connection_fail_argument(connection, "missing method");
	if (parameters != NULL) {
		result = json_text_read(parameters, strlen(parameters), JSON_MESSAGE, PARAMETERS_DEPTH_MAX, &object,
					&problem);
		if (result == -ENOMEM)
			return connection_fail_memory(connection);
		if (result < 0) {
			snprintf(wrong, sizeof(wrong),
				 "the parameters of the call are not a JSON object: line %u, column %u: %s",
				 problem.line, problem.column, problem.message);
			return connection_fail_argument(connection, wrong);
		}
	}
	result = connection_call_plain(connection, method, object, &received);
	json_object_put(object);
	if (result < 0 || reply == NULL) {
		if (result == 0)
			varlink_reply_done(&received);
		return result;
	}
	text = json_build_text(received.parameters);
	copy = text != NULL ? strdup(text) : NULL;
	varlink_reply_done(&received);
	if (copy == NULL)
		return connection_fail_memory(connection);
	*reply = copy;
	return 0;
}
