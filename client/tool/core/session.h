/*
 * One run of ioasidctl: its command line, where it prints, and its connection. Every failure is told here, in words or
 * in JSON, so that all verbs fail alike. Knows no verb.
 */
#pragma once

#include "../../../include/ioasid.h"
#include "../../../include/words.h"
#include "command_line.h"
#include "layout.h"

struct json_object;
struct offline;

struct session {
	const struct command_line *line;
	struct layout out;
	struct layout err;
	struct ioasid *connection; /* NULL: none yet */
	/*
	 * What answers methods instead of a daemon; NULL: nothing does. parameters stay the caller's, *reply becomes
	 * it. Returns EXIT_DONE, or the exit status of a failure that was told.
	 */
	int (*answer)(struct session *session, const char *method, struct json_object *parameters,
		      struct json_object **reply);
	struct offline *offline; /* what answer() looks at */
};

/* Connects if it is not connected. EXIT_DONE, or EXIT_UNREACHABLE or EXIT_FAILED, which was told. */
int session_connect(struct session *session);
/*
 * Connects and calls a method. parameters: an object, which is consumed; NULL: none. what: what can't be done if this
 * fails, "cannot list devices". *reply: the caller's. Returns EXIT_DONE, or the exit status of a failure that was told.
 */
int session_call(struct session *session, const char *what, const char *method, struct json_object *parameters,
		 struct json_object **reply);
/* The reply to a method without parameters, or NULL where there is none, of which nothing is told. The caller's. */
struct json_object *session_ask(struct session *session, const char *method);
/* Tells the last failure of the connection; returns its exit status. */
int session_report(struct session *session, const char *what);
/* Makes {"status", "name", "message", "blockers"} of the last failure of the connection. NULL: out of memory. */
struct json_object *session_error(struct session *session);
/* Tells a failure of this program: one sentence. Returns status, the exit status. */
int session_fail(struct session *session, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Tells that an answer lacks what it must have; returns EXIT_FAILED. what: "the plan has no verdict". */
int session_malformed(struct session *session, const char *what);
/* Tells, in words on standard error and whatever the options are, what the caller should know though nothing failed. */
void session_warn(struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints an object as JSON on standard output. */
void session_print_json(struct session *session, struct json_object *object);
