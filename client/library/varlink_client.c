#include "varlink_client.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int varlink_client_connect(struct varlink_client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd, result;

	varlink_client_disconnect(client);
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	do {
		result = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	} while (result < 0 && errno == EINTR);
	if (result < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	client->fd = fd;
	client->answered = false;
	return 0;
}

void varlink_client_disconnect(struct varlink_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0) {
			if (errno == EINTR)
				continue;
			return errno == EPIPE || errno == ENOTCONN ? -ECONNRESET : -errno;
		}
		data += sent;
		size -= (size_t)sent;
	}
	return 0;
}

/* Receives the one reply that a call gets. */
static int receive(int fd, struct varlink_input *input, struct varlink_reply *reply)
{
	size_t length;
	int result;

	while ((length = varlink_input_whole(input)) == 0) {
		ssize_t size = varlink_input_receive(input, fd, 0, &reply->fds);

		if (size <= 0)
			return size < 0 ? (int)size : -ECONNRESET;
	}
	/* One call, one reply: what follows belongs to nothing that was asked. */
	if (length != input->used)
		return -EPROTO;
	result = varlink_input_take(input, length, reply);
	/* "continues" answers calls with "more" only. */
	return result == 0 && reply->continues ? -EPROTO : result;
}

static int receive_reply(struct varlink_client *client, struct varlink_reply *reply)
{
	struct varlink_reply received = { 0 };
	struct varlink_input input = { 0 };
	int result = receive(client->fd, &input, &received);

	memcpy(client->wrong, input.wrong, sizeof(client->wrong));
	varlink_input_done(&input);
	if (result < 0) {
		varlink_reply_done(&received);
		varlink_client_disconnect(client);
		return result;
	}
	client->answered = true;
	*reply = received;
	return 0;
}

static int send_call(struct varlink_client *client, const char *path, const char *text, size_t size)
{
	int result;

	if (client->fd < 0) {
		result = varlink_client_connect(client, path);
		if (result < 0)
			return result;
	}
	result = send_all(client->fd, text, size);
	if (result == -ECONNRESET && client->answered) {
		/*
		 * Closed since the last reply: the call was not received, or not with its NUL. A new daemon may be
		 * there.
		 */
		result = varlink_client_connect(client, path);
		if (result < 0)
			return result;
		result = send_all(client->fd, text, size);
	}
	/* A daemon that turns a new connection away answers before it closes: that answer is worth more than EPIPE. */
	if (result == -ECONNRESET)
		return 0;
	if (result < 0)
		varlink_client_disconnect(client);
	return result;
}

int varlink_client_begin(struct varlink_client *client, const char *path, const char *method,
			 struct json_object *parameters, bool more)
{
	struct json_object *call = varlink_frame_call(method, parameters, more);
	const char *text = call != NULL ? json_build_text(call) : NULL;
	int result = text != NULL ? send_call(client, path, text, strlen(text) + 1) : -ENOMEM;

	json_object_put(call);
	return result;
}

int varlink_client_call(struct varlink_client *client, const char *path, const char *method,
			struct json_object *parameters, struct varlink_reply *reply)
{
	int result = varlink_client_begin(client, path, method, parameters, false);

	return result == 0 ? receive_reply(client, reply) : result;
}
