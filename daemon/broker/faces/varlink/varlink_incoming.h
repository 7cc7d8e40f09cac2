/*
 * What has come from a client of the Varlink socket and was not taken yet. Memory is taken for a message that is not
 * whole, as much as it has by now, and given back when nothing waits. Knows of a message that it ends with a NUL byte.
 */
#pragma once

#include "../../core/accounts.h"

#include <sys/types.h>

enum {
	VARLINK_FRAME_MAX = 64 * 1024, /* bytes of a client's message */
	/* Memory for what clients have sent: of all users, and of one; uid 0's is not limited. */
	VARLINK_INPUT_MAX = 16 * 1024 * 1024,
	VARLINK_INPUT_PER_USER_MAX = 1024 * 1024,
};

/* All zero but for the account is empty. */
struct varlink_incoming {
	struct account *account; /* of the client's user, whose memory it is */
	char *text;
	size_t length, size;
	size_t searched; /* so many bytes have no NUL */
};

/*
 * Receives what there is room for, with room for VARLINK_FRAME_MAX at most. Bytes; 0: the client sends nothing more;
 * -EAGAIN; -EBADMSG: it sent descriptors, which were closed; -EDQUOT: the user's memory is used up; -ENOMEM; -errno.
 */
ssize_t varlink_incoming_receive(struct varlink_incoming *incoming, int socket);
/* The length of the first message if it is whole, its NUL included; else 0. */
size_t varlink_incoming_whole(struct varlink_incoming *incoming);
/* Takes the first message, which has this length: a copy that the caller frees. NULL: out of memory. */
char *varlink_incoming_take(struct varlink_incoming *incoming, size_t length);
/* Drops all that waits. */
void varlink_incoming_drop(struct varlink_incoming *incoming);
