#include "varlink_client.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Deeper than anything in org.ioasid1 by a factor of two. */
enum { REPLY_DEPTH_MAX = 16, ERROR_NAME_MAX = 255, FIRST_BUFFER = 16 * 1024 };

struct frame {
	char *text; /* ends with the NUL that ended the frame */
	size_t used;
	size_t allocated;
};

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

/* Makes room for more; the buffer doubles, up to the longest reply there can be. -EPROTO: it is as long as that. */
static int frame_reserve(struct frame *frame)
{
	size_t size = frame->allocated == 0 ? FIRST_BUFFER : frame->allocated * 2;
	char *text;

	if (frame->used < frame->allocated)
		return 0;
	if (frame->allocated >= VARLINK_REPLY_MAX)
		return -EPROTO;
	text = realloc(frame->text, size);
	if (text == NULL)
		return -ENOMEM;
	frame->text = text;
	frame->allocated = size;
	return 0;
}

/* Receives what there is: its length, 0 at the end of the stream, or -errno. */
static ssize_t receive_some(int fd, struct frame *frame, struct received_fds *fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * RECEIVED_FDS_ROOM)];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = frame->text + frame->used, .iov_len = frame->allocated - frame->used };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	size_t before = fds->count;
	ssize_t size;
	int result;

	do {
		size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	result = received_fds_add(fds, &message);
	if (result < 0)
		return result;
	/* Descriptors belong to the reply's first byte: later ones belong to no reply. */
	if (frame->used > 0 && (fds->count > before || (message.msg_flags & MSG_CTRUNC)))
		return -EPROTO;
	return size;
}

static int receive_frame(int fd, struct frame *frame, struct received_fds *fds)
{
	for (;;) {
		const char *end;
		ssize_t size;
		int result = frame_reserve(frame);

		if (result < 0)
			return result;
		size = receive_some(fd, frame, fds);
		if (size < 0)
			return (int)size;
		if (size == 0)
			return -ECONNRESET;
		end = memchr(frame->text + frame->used, '\0', (size_t)size);
		frame->used += (size_t)size;
		if (end == NULL)
			continue;
		/* One call, one reply: what follows belongs to nothing that was asked. */
		return end == frame->text + frame->used - 1 ? 0 : -EPROTO;
	}
}

static int parse_frame(const struct frame *frame, struct json_object **out)
{
	struct json_tokener *tokener = json_tokener_new_ex(REPLY_DEPTH_MAX);
	struct json_object *object;
	int result = -EPROTO;

	if (tokener == NULL)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, frame->text, (int)(frame->used - 1));
	if (json_tokener_get_error(tokener) == json_tokener_success && json_object_is_type(object, json_type_object) &&
	    json_tokener_get_parse_end(tokener) == frame->used - 1) {
		*out = json_object_get(object);
		result = 0;
	}
	json_object_put(object);
	json_tokener_free(tokener);
	return result;
}

/* Takes a frame apart. Sets only error and parameters of *reply. */
static int read_reply(const struct frame *frame, struct varlink_reply *reply)
{
	struct json_object *object, *error, *parameters, *continues;
	char *name = NULL;
	int result = parse_frame(frame, &object);

	if (result < 0)
		return result;
	result = -EPROTO;
	/* "continues" answers calls with "more" only, which nothing here makes. */
	if (json_object_object_get_ex(object, "continues", &continues) && json_object_get_boolean(continues))
		goto out;
	if (json_object_object_get_ex(object, "error", &error)) {
		size_t length;

		if (!json_object_is_type(error, json_type_string))
			goto out;
		length = (size_t)json_object_get_string_len(error);
		if (length == 0 || length > ERROR_NAME_MAX || strlen(json_object_get_string(error)) != length)
			goto out;
		name = strdup(json_object_get_string(error));
		if (name == NULL) {
			result = -ENOMEM;
			goto out;
		}
	}
	if (!json_object_object_get_ex(object, "parameters", &parameters) || parameters == NULL)
		parameters = json_object_new_object();
	else if (json_object_is_type(parameters, json_type_object))
		json_object_get(parameters);
	else
		goto out;
	if (parameters == NULL) {
		result = -ENOMEM;
		goto out;
	}
	reply->error = name;
	reply->parameters = parameters;
	name = NULL;
	result = 0;
out:
	free(name);
	json_object_put(object);
	return result;
}

static int receive_reply(struct varlink_client *client, struct varlink_reply *reply)
{
	struct varlink_reply received = { 0 };
	struct frame frame = { 0 };
	int result = receive_frame(client->fd, &frame, &received.fds);

	if (result == 0)
		result = read_reply(&frame, &received);
	free(frame.text);
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

int varlink_client_call(struct varlink_client *client, const char *path, const char *method,
			struct json_object *parameters, struct varlink_reply *reply)
{
	struct json_object *call = json_object_new_object();
	const char *text;
	int result = -ENOMEM;

	if (call == NULL || json_build_set(call, "method", json_object_new_string(method)) < 0)
		goto out;
	if (parameters != NULL && json_build_set(call, "parameters", json_object_get(parameters)) < 0)
		goto out;
	text = json_build_text(call);
	if (text == NULL)
		goto out;
	result = send_call(client, path, text, strlen(text) + 1);
	if (result == 0)
		result = receive_reply(client, reply);
out:
	json_object_put(call);
	return result;
}

void varlink_reply_done(struct varlink_reply *reply)
{
	free(reply->error);
	json_object_put(reply->parameters);
	received_fds_done(&reply->fds);
	reply->error = NULL;
	reply->parameters = NULL;
}
