/*
 * One client of the Varlink socket: its connection, and what the arbiter knows it by.
 */
#pragma once

#include "arbiter.h"
#include "varlink_connection.h"

struct varlink_monitors;

struct varlink_client {
	struct arbiter *arbiter;
	struct varlink_connection *connection;
	struct varlink_monitors *monitors; /* of its server */
	struct requester requester; /* its answers go to varlink_answers_write(), with the client as context */
};
