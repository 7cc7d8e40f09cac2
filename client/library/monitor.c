/*
 * Watching with libioasid: a connection of its own, over which the daemon tells what happens. Says nothing itself.
 */
#include "connection.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define METHOD "org.ioasid1.Monitor"

struct ioasid_monitor {
	struct varlink_client client;
	struct varlink_input input;
	struct json_object *ready; /* the first event, until it is asked for */
	bool over;                 /* the last reply has come */
};

static int64_t now_msec(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Waits until something can be received. 0, -EAGAIN: nothing within the time, -errno. */
static int wait_for_input(int fd, int timeout, int64_t until)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int result;

	do {
		int64_t left = timeout > 0 ? until - now_msec() : timeout;

		result = poll(&wait, 1, timeout > 0 && left < 0 ? 0 : (int)left);
	} while (result < 0 && errno == EINTR);
	if (result < 0)
		return -errno;
	return result == 0 ? -EAGAIN : 0;
}

/* Receives until a message is whole. timeout: milliseconds, negative for ever. Its length, or -errno. */
static ssize_t receive_message(struct ioasid_monitor *monitor, int timeout)
{
	int64_t until = timeout > 0 ? now_msec() + timeout : 0;
	size_t length;

	while ((length = varlink_input_whole(&monitor->input)) == 0) {
		struct received_fds fds = { 0 };
		int result = wait_for_input(monitor->client.fd, timeout, until);
		ssize_t size;

		if (result < 0)
			return result;
		size = varlink_input_receive(&monitor->input, monitor->client.fd, MSG_DONTWAIT, &fds);
		/* No event carries descriptors. */
		if (fds.count > 0 || fds.truncated)
			size = -EPROTO;
		received_fds_done(&fds);
		if (size == -EAGAIN)
			continue;
		if (size <= 0)
			return size < 0 ? size : -ECONNRESET;
	}
	return (ssize_t)length;
}

/* The event of the next reply, which the caller frees; its failure is told. */
static int next_event(struct ioasid *connection, struct ioasid_monitor *monitor, int timeout,
		      struct json_object **event)
{
	struct varlink_reply reply = { 0 };
	struct json_object *value;
	ssize_t length;
	int result;

	if (monitor->over)
		return -ENODATA;
	length = receive_message(monitor, timeout);
	if (length == -EAGAIN)
		return -EAGAIN;
	result = length < 0 ? (int)length : varlink_input_take(&monitor->input, (size_t)length, &reply);
	monitor->over = result < 0 || !reply.continues;
	if (result < 0)
		return connection_fail_call(connection, METHOD, result, monitor->input.wrong);
	if (reply.error != NULL) {
		failure_set_reply(&connection->failure, METHOD, reply.error, reply.parameters);
		result = -EREMOTEIO;
	} else if (!json_object_object_get_ex(reply.parameters, "event", &value) ||
		   !json_object_is_type(value, json_type_object)) {
		monitor->over = true;
		result = connection_fail_sense(connection, METHOD, "missing event");
	} else {
		*event = json_object_get(value);
	}
	varlink_reply_done(&reply);
	return result;
}

int ioasid_monitor_open(struct ioasid *connection, const char *claim, struct ioasid_monitor **out)
{
	struct ioasid_monitor *monitor = calloc(1, sizeof(*monitor));
	struct json_object *parameters = json_object_new_object();
	int result = -ENOMEM;

	if (monitor != NULL && parameters != NULL &&
	    (claim == NULL || json_build_set(parameters, "claim", json_object_new_string(claim)) == 0)) {
		monitor->client.fd = -1;
		result = varlink_client_begin(&monitor->client, connection->path, METHOD, parameters, true);
	}
	json_object_put(parameters);
	if (monitor == NULL || result < 0) {
		free(monitor);
		return connection_fail_call(connection, METHOD, result, "");
	}
	/* The first event says that all that follow are told. */
	result = next_event(connection, monitor, -1, &monitor->ready);
	if (result < 0) {
		ioasid_monitor_close(monitor);
		return result;
	}
	*out = monitor;
	return 0;
}

int ioasid_monitor_fd(const struct ioasid_monitor *monitor)
{
	return monitor->client.fd;
}

int ioasid_monitor_next(struct ioasid *connection, struct ioasid_monitor *monitor, int timeout, char **event)
{
	struct json_object *object = monitor->ready;
	const char *text;
	char *copy;
	int result = object != NULL ? 0 : next_event(connection, monitor, timeout, &object);

	monitor->ready = NULL;
	if (result < 0)
		return result;
	text = json_build_text(object);
	copy = text != NULL ? strdup(text) : NULL;
	json_object_put(object);
	if (copy == NULL)
		return connection_fail_memory(connection);
	*event = copy;
	return 0;
}

struct ioasid_monitor *ioasid_monitor_close(struct ioasid_monitor *monitor)
{
	if (monitor == NULL)
		return NULL;
	varlink_client_disconnect(&monitor->client);
	varlink_input_done(&monitor->input);
	json_object_put(monitor->ready);
	free(monitor);
	return NULL;
}
