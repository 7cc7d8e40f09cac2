/*
 * What waits to be sent to a client of the Varlink socket: texts, which may be other clients' as well, and the
 * descriptors that go with them.
 */
#pragma once

#include "../../core/accounts.h"

#include "../../../base/descriptors.h"

#include <stdbool.h>

struct varlink_frame;

/* A text that is written down once, however many get it. */
struct varlink_text {
	unsigned references;
	size_t length; /* its NUL included */
	char text[];
};

/* A copy of the text. NULL: out of memory, or plain is NULL. */
struct varlink_text *varlink_text_copy(const char *plain, size_t length);
/* NULL is allowed. Returns NULL. */
struct varlink_text *varlink_text_unref(struct varlink_text *text);

/* All zero but for the account is empty. */
struct varlink_outgoing {
	struct account *account; /* of the client's user, for whom all that is kept */
	struct varlink_frame *first, *last;
	size_t backlog; /* bytes of all that waits */
};

/* Puts a text at the end, with a reference of its own. fds: taken over on success; NULL for none. False: out of memory.
 */
bool varlink_outgoing_add(struct varlink_outgoing *outgoing, struct varlink_text *text, struct descriptors *fds);
/* Sends what the socket takes. 0: all; -EAGAIN: it takes no more; -errno. */
int varlink_outgoing_send(struct varlink_outgoing *outgoing, int socket);
void varlink_outgoing_drop(struct varlink_outgoing *outgoing);
