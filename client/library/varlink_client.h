/*
 * The Varlink protocol as a client speaks it, over a stream socket: one message each way, file descriptors with the
 * first byte of the reply. Blocks. It never knows what a method means, and has no words for people.
 */
#pragma once

#include "varlink_frame.h"

struct varlink_client {
	int fd;               /* -1: not connected */
	bool answered;        /* a reply has come over this connection */
	char wrong[TEXT_MAX]; /* after -EPROTO: what is wrong with the reply, "" where nothing more is known */
};

/*
 * Connects to the socket at path; if already connected, it reconnects. Returns 0, or -errno of socket() and connect(),
 * or -ENAMETOOLONG; then it is not connected.
 */
int varlink_client_connect(struct varlink_client *client, const char *path);
void varlink_client_disconnect(struct varlink_client *client);
/*
 * Sends a call, as varlink_client_call() does, and receives nothing. more: it takes several replies, and nothing else
 * can be called over this connection then.
 */
int varlink_client_begin(struct varlink_client *client, const char *path, const char *method,
			 struct json_object *parameters, bool more);
/*
 * Calls a method and waits for its reply. parameters: an object, stays the caller's; NULL: none. path is where to
 * connect to if there is no connection, or if it turns out that the other side closed it since the last call (a
 * daemon that was restarted): a call is sent again only if it can't have been received. *reply is undone with
 * varlink_reply_done(). Errors, after each of which there is no connection: -EPROTO: the reply is not a Varlink reply,
 * too long, or carries more descriptors than any could; -ECONNRESET: the other side went away; -ENOMEM; those of
 * varlink_client_connect().
 */
int varlink_client_call(struct varlink_client *client, const char *path, const char *method,
			struct json_object *parameters, struct varlink_reply *reply);
