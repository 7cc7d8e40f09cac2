/*
 * What a graph is made of: replies of the daemon, which stay the caller's. Data only.
 */
#pragma once

#include <stdbool.h>

struct json_object;

struct graph_view {
	struct json_object *devices; /* of ListDevices */
	struct json_object *claims;  /* of ListClaims; NULL: not known */
	struct json_object *uses;    /* of a snapshot; NULL: not known */
	struct json_object *plan;    /* what a claim would take; NULL: none is asked about */
	bool all;                    /* fold nothing */
};
