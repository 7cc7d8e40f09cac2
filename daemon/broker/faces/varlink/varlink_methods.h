/*
 * The methods of org.ioasid1 and org.varlink.service: a table with a row for each, which holds what has to be true
 * before its handler runs: names and types of the parameters, and the act of rights.h, whose right the arbiter says.
 */
#pragma once

#include "socket_client.h"

/* Runs a call; it is answered on the client's connection, now or later. */
void varlink_methods_call(struct varlink_client *client, const char *method, struct json_object *parameters);
