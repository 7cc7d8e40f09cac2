#include "varlink_connection.h"

#include "varlink_call.h"

#include "../../policy/json_make.h"
#include "../../policy/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct varlink_text {
	unsigned references;
	size_t length; /* its NUL included */
	char text[];
};

struct frame {
	struct frame *next; /* varlink_connection::first */
	struct varlink_text *text;
	size_t sent;
	struct descriptors fds;
};

struct varlink_connection {
	int socket;
	sd_event_source *source;
	sd_event_source *deferred; /* takes up what is left in the buffer after an answer */
	const struct varlink_connection_events *events;
	void *context;
	char *input;      /* VARLINK_FRAME_MAX bytes */
	size_t input_length;
	struct frame *first;
	struct frame **end;
	size_t backlog;   /* bytes of all frames that wait */
	bool busy;        /* a call waits for its answer */
	bool more;        /* it takes several replies */
	bool streaming;   /* it has got one of several */
	bool oneway;
	bool in_parts;    /* the answer is being sent in parts, and there are more to come */
	bool closing;     /* everything that waits is still sent, then it is over */
	bool closed;
};

static void frame_free(struct frame *frame)
{
	descriptors_close(&frame->fds);
	varlink_text_unref(frame->text);
	free(frame);
}

static void close_now(struct varlink_connection *connection)
{
	if (connection->closed)
		return;
	connection->closed = true;
	sd_event_source_set_enabled(connection->source, SD_EVENT_OFF);
	sd_event_source_set_enabled(connection->deferred, SD_EVENT_OFF);
	connection->events->closed(connection->context);
}

/* What the loop is to wake us for. */
static void update_interest(struct varlink_connection *connection)
{
	uint32_t events = 0;

	if (!connection->busy && !connection->closing && !connection->first)
		events |= EPOLLIN;
	/* Nothing may come, but a client that sent itself a copy of its socket and left is gone only once that is read. */
	if (connection->streaming && !connection->closing)
		events |= EPOLLIN;
	if (connection->first)
		events |= EPOLLOUT;
	sd_event_source_set_io_events(connection->source, events);
}

/* Sends a part of a frame. FDs go with its first byte. Bytes sent, or -errno. */
static ssize_t send_part(struct varlink_connection *connection, struct frame *frame)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = frame->text->text + frame->sent, .iov_len = frame->text->length - frame->sent };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (frame->sent == 0 && frame->fds.count > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * frame->fds.count);

		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * frame->fds.count);
		memcpy(CMSG_DATA(header), frame->fds.fd, sizeof(int) * frame->fds.count);
	}
	do
		sent = sendmsg(connection->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

static void flush(struct varlink_connection *connection)
{
	while (connection->first) {
		struct frame *frame = connection->first;
		ssize_t sent = send_part(connection, frame);

		if (sent == -EAGAIN)
			break;
		if (sent < 0) {
			close_now(connection);
			return;
		}
		descriptors_close(&frame->fds);
		frame->sent += (size_t)sent;
		if (frame->sent < frame->text->length)
			continue;
		connection->backlog -= frame->text->length;
		connection->first = frame->next;
		if (!connection->first)
			connection->end = &connection->first;
		frame_free(frame);
	}
	if (!connection->first && connection->closing)
		close_now(connection);
	else
		update_interest(connection);
	if (!connection->first && connection->in_parts && !connection->closed)
		connection->events->drained(connection->context);
}

struct varlink_text *varlink_text_unref(struct varlink_text *text)
{
	if (text && --text->references == 0)
		free(text);
	return NULL;
}

/* NULL: out of memory. */
static struct varlink_text *copy_text(const char *plain, size_t length)
{
	struct varlink_text *text = plain ? malloc(sizeof(*text) + length) : NULL;

	if (text) {
		text->references = 1;
		text->length = length;
		memcpy(text->text, plain, length);
	}
	return text;
}

/* The text of a message, which is consumed. NULL: out of memory. */
static struct varlink_text *write_text(struct json_object *object)
{
	const char *plain = json_text(object);
	struct varlink_text *text = copy_text(plain, plain ? strlen(plain) + 1 : 0);

	json_object_put(object);
	return text;
}

/* Puts a text at the end of what waits, with a reference of its own. False: out of memory. */
static bool enqueue(struct varlink_connection *connection, struct varlink_text *text, struct descriptors *fds)
{
	struct frame *frame = text ? calloc(1, sizeof(*frame)) : NULL;

	if (!frame)
		return false;
	frame->text = text;
	text->references++;
	if (fds) {
		frame->fds = *fds;
		fds->count = 0;
	}
	connection->backlog += text->length;
	*connection->end = frame;
	connection->end = &frame->next;
	return true;
}

/* Sent from the loop: whoever answers may hold things that a closed connection would take from under him. */
static void send_from_loop(struct varlink_connection *connection)
{
	sd_event_source_set_io_events(connection->source, EPOLLOUT);
	sd_event_source_set_enabled(connection->deferred, SD_EVENT_ONESHOT);
}

/* Sends a reply that is the last of its call; text is given up. */
static void send_text(struct varlink_connection *connection, struct varlink_text *text, struct descriptors *fds)
{
	bool queued = enqueue(connection, text, fds);

	varlink_text_unref(text);
	if (!queued) {
		/* A client that can't be answered must not wait for ever. */
		if (fds)
			descriptors_close(fds);
		shutdown(connection->socket, SHUT_RDWR);
		return;
	}
	connection->busy = connection->streaming = false;
	send_from_loop(connection);
}

bool varlink_connection_takes_more(const struct varlink_connection *connection)
{
	return connection->more && !connection->oneway;
}

struct varlink_text *varlink_text_new(struct json_object *parameters)
{
	struct json_object *object = json_make_object();

	json_set(object, "parameters", parameters);
	json_set(object, "continues", json_make_truth(true));
	return write_text(object);
}

bool varlink_connection_continue(struct varlink_connection *connection, struct varlink_text *text)
{
	if (connection->closed || connection->closing)
		return true;
	connection->streaming = true;
	if (!text || connection->backlog + text->length > VARLINK_BACKLOG_MAX || !enqueue(connection, text, NULL)) {
		connection->closing = true;
		shutdown(connection->socket, SHUT_RDWR);
		return false;
	}
	send_from_loop(connection);
	return true;
}

/* True for a call that wants no reply: it is over then. */
static bool drop_reply(struct varlink_connection *connection)
{
	if (!connection->oneway)
		return false;
	connection->busy = false;
	sd_event_source_set_enabled(connection->deferred, SD_EVENT_ONESHOT);
	return true;
}

void varlink_connection_reply(struct varlink_connection *connection, struct json_object *parameters,
			      struct descriptors *fds)
{
	struct json_object *object;

	if (drop_reply(connection)) {
		json_object_put(parameters);
		if (fds)
			descriptors_close(fds);
		return;
	}
	object = json_make_object();
	json_set(object, "parameters", parameters ? parameters : json_make_object());
	send_text(connection, write_text(object), fds);
}

bool varlink_connection_send_part(struct varlink_connection *connection, const char *text, size_t length, bool last)
{
	struct varlink_text *part;
	bool queued;

	connection->in_parts = false;
	if (connection->oneway) {
		drop_reply(connection);
		return false;
	}
	part = copy_text(text, length);
	if (last || !part) {
		send_text(connection, part, NULL);
		return part;
	}
	queued = enqueue(connection, part, NULL);
	varlink_text_unref(part);
	connection->in_parts = queued;
	if (queued)
		update_interest(connection);
	else
		shutdown(connection->socket, SHUT_RDWR);
	return queued;
}

void varlink_connection_error(struct varlink_connection *connection, const char *error, struct json_object *parameters)
{
	struct json_object *object;

	if (drop_reply(connection)) {
		json_object_put(parameters);
		return;
	}
	object = json_make_object();
	json_set(object, "error", json_make_string(error));
	json_set(object, "parameters", parameters ? parameters : json_make_object());
	send_text(connection, write_text(object), NULL);
}

/* The last words to a client that broke the protocol. */
static void refuse(struct varlink_connection *connection, const char *error, const char *message)
{
	struct json_object *parameters = json_make_object();

	json_set(parameters, "message", json_make_string(message));
	connection->oneway = connection->streaming = false;
	connection->closing = true;
	connection->input_length = 0;
	varlink_connection_error(connection, error, parameters);
}

/* Acts on one whole frame. */
static void take_frame(struct varlink_connection *connection, const char *text, size_t length)
{
	struct varlink_call call;
	int error = varlink_call_parse(text, length, &call);
	char message[TEXT_MAX];

	if (error == -ENOMEM) {
		close_now(connection);
	} else if (error < 0) {
		text_format(message, sizeof(message), "the message is no Varlink call: %s; the connection is closed",
			    call.wrong);
		refuse(connection, "org.ioasid1.ProtocolError", message);
	} else if (call.upgrade) {
		refuse(connection, "org.ioasid1.ProtocolError",
		       "no method upgrades the connection; the connection is closed");
	} else {
		struct json_object *empty = call.parameters ? NULL : json_make_object();

		connection->busy = true;
		connection->oneway = call.oneway;
		connection->more = call.more;
		connection->events->call(connection->context, call.method, call.parameters ? call.parameters : empty);
		json_object_put(empty);
	}
	if (error == 0)
		varlink_call_done(&call);
}

/* Takes the next frame out of the buffer, if it is whole and nothing is being answered. */
static void take_input(struct varlink_connection *connection)
{
	char *end = connection->input_length ? memchr(connection->input, '\0', connection->input_length) : NULL;

	if (connection->streaming && connection->input_length > 0 && !connection->closing && !connection->closed)
		refuse(connection, "org.ioasid1.ProtocolError",
		       "another message came while replies go on: use another connection; this one is closed");
	if (connection->busy || connection->closing || connection->closed || connection->first)
		return;
	if (end) {
		size_t length = (size_t)(end - connection->input);
		char *text = malloc(length + 1);

		if (!text) {
			close_now(connection);
			return;
		}
		memcpy(text, connection->input, length + 1);
		connection->input_length -= length + 1;
		memmove(connection->input, end + 1, connection->input_length);
		take_frame(connection, text, length);
		free(text);
	} else if (connection->input_length == VARLINK_FRAME_MAX) {
		refuse(connection, "org.ioasid1.ProtocolError",
		       "the message is longer than 65536 bytes; the connection is closed");
	}
	if (!connection->closed)
		update_interest(connection);
}

/* Closes every FD of a message; false if there was any, or anything else that nobody asked for. */
static bool carries_nothing(struct msghdr *message)
{
	bool clean = !(message->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		clean = false;
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
	}
	return clean;
}

static void receive(struct varlink_connection *connection)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = connection->input + connection->input_length,
			      .iov_len = VARLINK_FRAME_MAX - connection->input_length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t got = recvmsg(connection->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		close_now(connection);
		return;
	}
	if (!carries_nothing(&message)) {
		refuse(connection, "org.ioasid1.UnexpectedDescriptors",
		       "the message carried file descriptors, which no method takes; the connection is closed");
		return;
	}
	if (got == 0) {
		close_now(connection);
		return;
	}
	connection->input_length += (size_t)got;
	take_input(connection);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct varlink_connection *connection = context;

	if (revents & EPOLLERR) {
		close_now(connection);
		return 0;
	}
	if (revents & EPOLLOUT)
		flush(connection);
	if (!connection->closed && (revents & EPOLLIN))
		receive(connection);
	else if (!connection->closed && (revents & EPOLLHUP))
		close_now(connection);
	return 0;
}

static int on_deferred(sd_event_source *source, void *context)
{
	struct varlink_connection *connection = context;

	if (connection->first)
		flush(connection);
	if (!connection->closed && (!connection->first || connection->streaming))
		take_input(connection);
	return 0;
}

int varlink_connection_new(sd_event *event, int socket, const struct varlink_connection_events *events, void *context,
			   struct varlink_connection **out)
{
	struct varlink_connection *connection = calloc(1, sizeof(*connection));
	int error;

	if (!connection)
		return -ENOMEM;
	connection->socket = -1;
	connection->events = events;
	connection->context = context;
	connection->end = &connection->first;
	connection->input = malloc(VARLINK_FRAME_MAX);
	error = connection->input ? 0 : -ENOMEM;
	if (error == 0)
		error = sd_event_add_io(event, &connection->source, socket, EPOLLIN, on_socket, connection);
	if (error >= 0)
		error = sd_event_add_defer(event, &connection->deferred, on_deferred, connection);
	if (error >= 0)
		error = sd_event_source_set_enabled(connection->deferred, SD_EVENT_OFF);
	if (error < 0) {
		varlink_connection_free(connection);
		return error;
	}
	connection->socket = socket;
	*out = connection;
	return 0;
}

struct varlink_connection *varlink_connection_free(struct varlink_connection *connection)
{
	if (!connection)
		return NULL;
	while (connection->first) {
		struct frame *frame = connection->first;

		connection->first = frame->next;
		frame_free(frame);
	}
	sd_event_source_disable_unref(connection->source);
	sd_event_source_disable_unref(connection->deferred);
	descriptor_close(&connection->socket);
	free(connection->input);
	free(connection);
	return NULL;
}
