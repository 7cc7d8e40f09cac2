/*
 * The Varlink protocol as a client speaks it, over a stream socket: one JSON object and a NUL each way, file
 * descriptors with the first byte of the reply. Blocks. Whatever the other side sends is checked; it never knows what
 * a method means, and has no words for people.
 */
#pragma once

#include "received_fds.h"

#include <stdbool.h>

struct json_object;

/* A longer reply is refused: a list of 10,000 devices has 8 MiB. */
enum { VARLINK_REPLY_MAX = 64 * 1024 * 1024 };

struct varlink_client {
	int fd;        /* -1: not connected */
	bool answered; /* a reply has come over this connection */
};

struct varlink_reply {
	char *error;                    /* the error's full name; NULL: the call succeeded */
	struct json_object *parameters; /* an object, never NULL */
	struct received_fds fds;
};

/*
 * Connects to the socket at path; connected before, it starts anew. Returns 0, or -errno of socket() and connect(), or
 * -ENAMETOOLONG; then it is not connected.
 */
int varlink_client_connect(struct varlink_client *client, const char *path);
void varlink_client_disconnect(struct varlink_client *client);
/*
 * Calls a method and waits for its reply. parameters: an object, stays the caller's; NULL: none. path is where to
 * connect to if there is no connection, or if it turns out that the other side closed it since the last call (a
 * daemon that was started anew): a call is sent again only if it can't have been received. *reply is undone with
 * varlink_reply_done(). Errors, after each of which there is no connection: -EPROTO: the reply is no Varlink reply,
 * too long, or carries more descriptors than any could; -ECONNRESET: the other side went away; -ENOMEM; those of
 * varlink_client_connect().
 */
int varlink_client_call(struct varlink_client *client, const char *path, const char *method,
			struct json_object *parameters, struct varlink_reply *reply);
/* Frees a reply and closes the descriptors that were not taken. */
void varlink_reply_done(struct varlink_reply *reply);
