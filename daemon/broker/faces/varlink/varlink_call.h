/*
 * Takes the text of one Varlink call apart: method, parameters and flags, or what is wrong with it. Knows no connection
 * and no method.
 */
#pragma once

#include "../../../../include/words.h"

#include <stdbool.h>
#include <stddef.h>

struct json_object;

enum { VARLINK_CALL_DEPTH_MAX = 7 }; /* nesting of its JSON */

struct varlink_call {
	struct json_object *message; /* the whole; owns the others */
	const char *method;
	struct json_object *parameters; /* NULL: it has none */
	bool oneway, more, upgrade;
	char wrong[TEXT_MAX]; /* after -EINVAL: what is wrong and where, as the rest of a sentence */
};

/* 0, and the call, to be freed with varlink_call_done(); -ENOMEM; or -EINVAL with call->wrong filled and nothing to
 * free. */
int varlink_call_parse(const char *text, size_t length, struct varlink_call *call);
void varlink_call_done(struct varlink_call *call);
