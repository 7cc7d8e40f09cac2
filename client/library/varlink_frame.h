/*
 * Messages of the Varlink protocol as they go over the socket: one JSON object and a NUL each. Writes a call, gathers
 * what comes, and takes replies apart; what is sent by the other side is checked. Knows no connection and no method.
 */
#pragma once

#include "received_fds.h"

#include "../../include/words.h"

#include <stdbool.h>
#include <sys/types.h>

struct json_object;

/* A longer reply is refused: a list of 10,000 devices has 8 MiB. */
enum { VARLINK_REPLY_MAX = 64 * 1024 * 1024 };

struct varlink_reply {
	char *error;                    /* the error's full name; NULL: the call succeeded */
	struct json_object *parameters; /* an object, never NULL */
	struct received_fds fds;
	bool continues; /* another reply to the same call follows */
};

/* What has come and was not taken yet. All zero is empty. */
struct varlink_input {
	char *text;
	size_t used;
	size_t searched; /* so many bytes have no NUL */
	size_t allocated;
	char wrong[TEXT_MAX]; /* after -EPROTO: what is wrong with the message, and where */
};

/*
 * A call as an object, which the caller frees. parameters: stays the caller's; NULL: none. more: it takes several
 * replies. NULL: out of memory.
 */
struct json_object *varlink_frame_call(const char *method, struct json_object *parameters, bool more);
/*
 * Receives what there is, with flags of recvmsg(); descriptors go into fds. Returns how many bytes, 0 at the end of the
 * stream, or -errno: -EPROTO: a reply would be too long, or has descriptors that don't come with its first byte.
 */
ssize_t varlink_input_receive(struct varlink_input *input, int socket, int flags, struct received_fds *fds);
/* The length of the first message that is whole, its NUL included; 0: there is none. */
size_t varlink_input_whole(struct varlink_input *input);
/*
 * Takes the first message, of that length, as a reply; sets all of *reply but its fds. -EPROTO: it is not a Varlink
 * reply, and input->wrong says why; -ENOMEM. It is taken all the same.
 */
int varlink_input_take(struct varlink_input *input, size_t length, struct varlink_reply *reply);
void varlink_input_done(struct varlink_input *input);
/* Frees a reply and closes the descriptors that were not taken. */
void varlink_reply_done(struct varlink_reply *reply);
