/*
 * What the last failed call was about: the exit status that stands for it, and the words for people. Composes text, in
 * memory only.
 */
#pragma once

struct json_object;

struct failure {
	int status;       /* enum ioasid_status */
	char *name;       /* the Varlink error's name; NULL where the failure was not the daemon's */
	char *message;    /* lines for people, every string from outside escaped; NULL: there was no memory for it */
	char *parameters; /* the Varlink error's parameters as JSON text; NULL: none */
};

/* Replaces what was there by a failure of this side. status: enum ioasid_status. */
void failure_set(struct failure *failure, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * Replaces what was there by an error that the daemon answered method with. parameters is an object, of which nothing
 * else is taken for granted.
 */
void failure_set_reply(struct failure *failure, const char *method, const char *error, struct json_object *parameters);
/* Frees the strings; it is then IOASID_DONE. */
void failure_done(struct failure *failure);
