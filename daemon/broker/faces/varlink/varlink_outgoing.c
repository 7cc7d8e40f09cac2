#include "varlink_outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct varlink_frame {
	struct varlink_frame *next; /* varlink_outgoing::first */
	struct varlink_text *text;
	size_t sent;
	struct descriptors fds;
};

struct varlink_text *varlink_text_unref(struct varlink_text *text)
{
	if (text && --text->references == 0)
		free(text);
	return NULL;
}

struct varlink_text *varlink_text_copy(const char *plain, size_t length)
{
	struct varlink_text *text = plain ? malloc(sizeof(*text) + length) : NULL;

	if (text) {
		text->references = 1;
		text->length = length;
		memcpy(text->text, plain, length);
	}
	return text;
}

bool varlink_outgoing_add(struct varlink_outgoing *outgoing, struct varlink_text *text, struct descriptors *fds)
{
	struct varlink_frame *frame = text ? calloc(1, sizeof(*frame)) : NULL;

	if (!frame)
		return false;
	frame->text = text;
	text->references++;
	if (fds) {
		frame->fds = *fds;
		fds->count = 0;
	}
	outgoing->backlog += text->length;
	outgoing->account->output += text->length;
	if (outgoing->last)
		outgoing->last->next = frame;
	else
		outgoing->first = frame;
	outgoing->last = frame;
	return true;
}

static void drop_first(struct varlink_outgoing *outgoing)
{
	struct varlink_frame *frame = outgoing->first;

	outgoing->first = frame->next;
	if (!outgoing->first)
		outgoing->last = NULL;
	outgoing->backlog -= frame->text->length;
	outgoing->account->output -= frame->text->length;
	descriptors_close(&frame->fds);
	varlink_text_unref(frame->text);
	free(frame);
}

/* Sends a part of a frame. FDs go with its first byte. Bytes sent, or -errno. */
static ssize_t send_part(int socket, struct varlink_frame *frame)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = frame->text->text + frame->sent,
			      .iov_len = frame->text->length - frame->sent };
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
		sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

int varlink_outgoing_send(struct varlink_outgoing *outgoing, int socket)
{
	while (outgoing->first) {
		struct varlink_frame *frame = outgoing->first;
		ssize_t sent = send_part(socket, frame);

		if (sent < 0)
			return (int)sent;
		descriptors_close(&frame->fds);
		frame->sent += (size_t)sent;
		if (frame->sent == frame->text->length)
			drop_first(outgoing);
	}
	return 0;
}

void varlink_outgoing_drop(struct varlink_outgoing *outgoing)
{
	while (outgoing->first)
		drop_first(outgoing);
}
