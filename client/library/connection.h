/*
 * A connection of libioasid: calls with their failures put into words. It reconnects by itself, because claims
 * outlive a restart of the daemon; what a method means is known in claim.c alone.
 */
#pragma once

#include "../../include/ioasid.h"
#include "failure.h"
#include "varlink_client.h"

struct ioasid {
	struct varlink_client client;
	char *path;
	struct failure failure;
};

/*
 * Calls a method; *reply may carry descriptors. parameters: stays the caller's; NULL: none. Errors, each with its
 * failure set: -EREMOTEIO: the daemon answered with an error; those of varlink_client_call(). *reply is undone with
 * varlink_reply_done().
 */
int connection_call(struct ioasid *connection, const char *method, struct json_object *parameters,
		    struct varlink_reply *reply);
/* The same for a method that hands out no descriptors: with any, the reply is -EPROTO and the connection closed. */
int connection_call_plain(struct ioasid *connection, const char *method, struct json_object *parameters,
			  struct varlink_reply *reply);
/*
 * Sets the failure to why a call got no reply, an error of varlink_client_call(), which it returns. wrong: for -EPROTO
 * what is wrong with the reply; "": nothing more is known.
 */
int connection_fail_call(struct ioasid *connection, const char *method, int result, const char *wrong);
/* Sets the failure to an answer that makes no sense, and returns -EPROTO. why: "it names no lease". */
int connection_fail_sense(struct ioasid *connection, const char *method, const char *why);
/* Sets the failure to a malformed reply, closes the connection, and returns -EPROTO. why: "it names no lease". */
int connection_fail_reply(struct ioasid *connection, const char *method, const char *why);
/* Sets the failure to what an argument is that the daemon would not even be asked about; returns -EINVAL. */
int connection_fail_argument(struct ioasid *connection, const char *why);
/* Sets the failure to being out of memory; returns -ENOMEM. */
int connection_fail_memory(struct ioasid *connection);
