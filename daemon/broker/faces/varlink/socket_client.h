/*
 * One client of the Varlink socket: its connection, and what the arbiter knows it by.
 */
#pragma once

#include "../../observers/metrics_report.h"
#include "varlink_connection.h"

struct varlink_listing;
struct varlink_monitors;

struct varlink_client {
	struct arbiter *arbiter;
	struct varlink_connection *connection; /* NULL until it is known who it is */
	struct varlink_monitors *monitors;     /* of its server */
	const struct metrics_sources *metrics; /* the same */
	struct varlink_listing *listing;       /* that is being written for it, or NULL */
	const struct metrics_socket *socket;   /* what its server counts, brought up to date before each call */
	struct requester requester; /* its answers go to varlink_answers_write(), with the client as context */
};
