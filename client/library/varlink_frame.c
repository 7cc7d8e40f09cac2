#include "varlink_frame.h"

#include "../json_build.h"
#include "../../policy/util/json_text.h"
#include "../../policy/util/text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Deeper than anything in org.ioasid1 by a factor of two. */
enum { REPLY_DEPTH_MAX = 15, ERROR_NAME_MAX = 255, FIRST_BUFFER = 16 * 1024 };

struct json_object *varlink_frame_call(const char *method, struct json_object *parameters, bool more)
{
	struct json_object *call = json_object_new_object();

	if (call == NULL)
		return NULL;
	if (json_build_set(call, "method", json_object_new_string(method)) < 0 ||
	    (parameters != NULL && json_build_set(call, "parameters", json_object_get(parameters)) < 0) ||
	    (more && json_build_set(call, "more", json_object_new_boolean(true)) < 0)) {
		json_object_put(call);
		return NULL;
	}
	return call;
}

/* Makes room for more; the buffer doubles, up to the longest reply there can be. -EPROTO: it is as long as that. */
static int reserve(struct varlink_input *input)
{
	size_t size = input->allocated == 0 ? FIRST_BUFFER : input->allocated * 2;
	char *text;

	if (input->used < input->allocated)
		return 0;
	if (input->allocated >= VARLINK_REPLY_MAX)
		return -EPROTO;
	text = realloc(input->text, size);
	if (text == NULL)
		return -ENOMEM;
	input->text = text;
	input->allocated = size;
	return 0;
}

ssize_t varlink_input_receive(struct varlink_input *input, int socket, int flags, struct received_fds *fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * RECEIVED_FDS_ROOM)];
		struct cmsghdr align;
	} control;
	struct msghdr message = { .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	size_t before = fds->count;
	struct iovec part;
	ssize_t size;
	int result = reserve(input);

	if (result < 0)
		return result;
	part = (struct iovec){ .iov_base = input->text + input->used, .iov_len = input->allocated - input->used };
	message.msg_iov = &part;
	do {
		size = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	result = received_fds_add(fds, &message);
	if (result < 0)
		return result;
	/* Descriptors belong to the reply's first byte: later ones belong to no reply. */
	if (input->used > 0 && (fds->count > before || (message.msg_flags & MSG_CTRUNC)))
		return -EPROTO;
	input->used += (size_t)size;
	return size;
}

size_t varlink_input_whole(struct varlink_input *input)
{
	size_t left = input->used - input->searched;
	const char *end = left > 0 ? memchr(input->text + input->searched, '\0', left) : NULL;

	if (end != NULL)
		return (size_t)(end - input->text) + 1;
	input->searched = input->used;
	return 0;
}

/* The object that a message is; what else it is goes into wrong. */
static int parse(const char *text, size_t length, struct json_object **out, char wrong[static TEXT_MAX])
{
	struct json_problem problem;
	int result = json_text_read(text, length, JSON_MESSAGE, REPLY_DEPTH_MAX, out, &problem);

	if (result != -EINVAL)
		return result;
	text_format(wrong, TEXT_MAX, "not a Varlink reply (line %u, column %u: %s)", problem.line, problem.column,
		    problem.message);
	return -EPROTO;
}

static int refuse(char wrong[static TEXT_MAX], const char *why)
{
	text_format(wrong, TEXT_MAX, "not a Varlink reply (%s)", why);
	return -EPROTO;
}

/* Reads the members of a message; *name is the error's, which the caller frees in every case. */
static int read_members(struct json_object *object, struct varlink_reply *reply, char **name,
			char wrong[static TEXT_MAX])
{
	struct json_object *error, *parameters = NULL, *continues;

	if (json_object_object_get_ex(object, "error", &error)) {
		int size = json_object_get_string_len(error);

		if (!json_object_is_type(error, json_type_string) || size == 0 || size > ERROR_NAME_MAX)
			return refuse(wrong, "\"error\" is not the name of an error");
		*name = strdup(json_object_get_string(error));
		if (*name == NULL)
			return -ENOMEM;
	}
	if (json_object_object_get_ex(object, "continues", &continues)) {
		if (!json_object_is_type(continues, json_type_boolean))
			return refuse(wrong, "\"continues\" is neither true nor false");
		reply->continues = json_object_get_boolean(continues);
	}
	if (!json_object_object_get_ex(object, "parameters", &parameters) || parameters == NULL)
		parameters = json_object_new_object();
	else if (json_object_is_type(parameters, json_type_object))
		json_object_get(parameters);
	else
		return refuse(wrong, "\"parameters\" is not an object");
	if (parameters == NULL)
		return -ENOMEM;
	reply->parameters = parameters;
	return 0;
}

/* Takes a message apart. */
static int read_reply(const char *text, size_t length, struct varlink_reply *reply, char wrong[static TEXT_MAX])
{
	struct json_object *object;
	char *name = NULL;
	int result = parse(text, length, &object, wrong);

	if (result < 0)
		return result;
	reply->continues = false;
	result = read_members(object, reply, &name, wrong);
	json_object_put(object);
	if (result < 0)
		free(name);
	else
		reply->error = name;
	return result;
}

int varlink_input_take(struct varlink_input *input, size_t length, struct varlink_reply *reply)
{
	int result = read_reply(input->text, length - 1, reply, input->wrong);

	input->used -= length;
	input->searched = 0;
	memmove(input->text, input->text + length, input->used);
	return result;
}

void varlink_input_done(struct varlink_input *input)
{
	free(input->text);
	*input = (struct varlink_input){ .text = NULL };
}

void varlink_reply_done(struct varlink_reply *reply)
{
	free(reply->error);
	json_object_put(reply->parameters);
	received_fds_done(&reply->fds);
	reply->error = NULL;
	reply->parameters = NULL;
}
