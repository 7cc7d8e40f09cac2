#include "varlink_incoming.h"

#include "../../../base/descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What most messages fit into. */
enum { SIZE_FIRST = 2048 };

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

/* Makes room for more. 0, -EDQUOT, -ENOMEM. */
static int reserve(struct varlink_incoming *incoming)
{
	struct account *account = incoming->account;
	size_t size = incoming->size > 0 ? 2 * incoming->size : SIZE_FIRST;
	char *text;

	if (incoming->length < incoming->size || incoming->size == VARLINK_FRAME_MAX)
		return 0;
	if (account->input - incoming->size + size >
	    account_part(account, VARLINK_INPUT_MAX, VARLINK_INPUT_PER_USER_MAX))
		return -EDQUOT;
	text = realloc(incoming->text, size);
	if (!text)
		return -ENOMEM;
	account->input += size - incoming->size;
	incoming->text = text;
	incoming->size = size;
	return 0;
}

ssize_t varlink_incoming_receive(struct varlink_incoming *incoming, int socket)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part;
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	ssize_t got = reserve(incoming);

	if (got < 0)
		return got;
	part = (struct iovec){ .iov_base = incoming->text + incoming->length,
			       .iov_len = incoming->size - incoming->length };
	do
		got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		got = -errno;
	else if (!carries_nothing(&message))
		got = -EBADMSG;
	if (got > 0)
		incoming->length += (size_t)got;
	if (incoming->length == 0)
		varlink_incoming_drop(incoming);
	return got;
}

size_t varlink_incoming_whole(struct varlink_incoming *incoming)
{
	size_t left = incoming->length - incoming->searched;
	const char *end = left > 0 ? memchr(incoming->text + incoming->searched, '\0', left) : NULL;

	if (end)
		return (size_t)(end - incoming->text) + 1;
	incoming->searched = incoming->length;
	return 0;
}

char *varlink_incoming_take(struct varlink_incoming *incoming, size_t length)
{
	char *text = malloc(length);

	if (!text)
		return NULL;
	memcpy(text, incoming->text, length);
	incoming->length -= length;
	incoming->searched = 0;
	memmove(incoming->text, incoming->text + length, incoming->length);
	if (incoming->length == 0)
		varlink_incoming_drop(incoming);
	return text;
}

void varlink_incoming_drop(struct varlink_incoming *incoming)
{
	incoming->account->input -= incoming->size;
	free(incoming->text);
	*incoming = (struct varlink_incoming){ .account = incoming->account };
}
