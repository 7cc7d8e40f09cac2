/*
 * One client's connection on the Varlink socket: frames in (JSON text that ends with a NUL byte), frames and FDs out,
 * one call at a time, nothing that blocks, each call in a turn of its user. A call with "more" may get many replies;
 * whoever does not read them is cut off. Knows the protocol's frame, and no method.
 */
#pragma once

#include "../../core/accounts.h"
#include "sockets.h"

#include "../../../base/descriptors.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

enum {
	VARLINK_BACKLOG_MAX =
		256 * 1024, /* bytes of a call's many replies that may wait, beside what the socket holds */
	/* Bytes that wait for all users, and for one, beyond which he is told that he has to read first; uid 0 is not
	   limited. */
	VARLINK_OUTPUT_MAX = 128 * 1024 * 1024,
	VARLINK_OUTPUT_PER_USER_MAX = 16 * 1024 * 1024,
};

struct varlink_connection;

struct varlink_connection_events {
	/*
	 * A call came: its method and parameters (an object, {} where there were none), valid during the call only.
	 * No further call comes before this one was answered. oneway: no reply is wanted; answer all the same, the
	 * connection drops it.
	 */
	void (*call)(void *context, const char *method, struct json_object *parameters);
	/* It is the turn of a reply that awaits it, or of its next part: the client has taken all that waited. */
	void (*drained)(void *context);
	/* The connection is over, at either end: free it, but after this call. */
	void (*closed)(void *context);
};

/*
 * Takes the socket over on success. sockets and account are those of the user at the other end; they stay the caller's,
 * and are there as long as the connection. 0, -ENOMEM, -errno.
 */
int varlink_connection_new(struct sockets *sockets, int socket, struct turns *turns, struct account *account,
			   const struct varlink_connection_events *events, void *context,
			   struct varlink_connection **out);
struct varlink_connection *varlink_connection_free(struct varlink_connection *connection);

/*
 * Answers the call. parameters: owned by this function, NULL for {}. fds: taken over, whatever happens; NULL for none.
 * They go with the reply's first byte.
 */
void varlink_connection_reply(struct varlink_connection *connection, struct json_object *parameters,
			      struct descriptors *fds);
/* Has drained() say when it is the turn of the reply to the call: who writes much does not keep others from theirs. */
void varlink_connection_await_turn(struct varlink_connection *connection);
/* Answers the call with QuotaExceeded where as much waits for the user's programs as may. False: it does not. */
bool varlink_connection_refuse_excess(struct varlink_connection *connection);
/*
 * Sends a part of a frame that is the reply to the call; the others have to follow whenever drained() says so, the last
 * one with the NUL at its end. text stays the caller's; NULL: memory ran out. False: the client is cut off: soon, by
 * closed(), not in this call.
 */
bool varlink_connection_send_part(struct varlink_connection *connection, const char *text, size_t length, bool last);
/* True if the call that waits for its answer takes more replies than one. */
bool varlink_connection_takes_more(const struct varlink_connection *connection);

/* A reply that is followed by others, written down once for all connections that get it. */
struct varlink_text;
/* parameters: consumed. NULL: out of memory. */
struct varlink_text *varlink_text_new(struct json_object *parameters);
/* NULL is allowed. */
struct varlink_text *varlink_text_unref(struct varlink_text *text);
/*
 * One more reply to the call, which goes on; text stays the caller's, too. NULL: it could not be made. False: the
 * client would miss it, because it does not read or there is no memory, so it is cut off: soon, by closed(), not in
 * this call.
 */
bool varlink_connection_continue(struct varlink_connection *connection, struct varlink_text *text);
/* Answers the call with an error, by its full name. */
void varlink_connection_error(struct varlink_connection *connection, const char *error, struct json_object *parameters);
