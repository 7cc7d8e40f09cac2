/*
 * The Varlink socket: listens, finds out who connects, keeps the quotas, and joins each connection with a requester.
 */
#pragma once

#include "../../observers/metrics_report.h"
#include "varlink_connection.h"

enum {
	/* Connections in all, or a quarter of the descriptors that this process may have; uid 0's are not counted. */
	VARLINK_CLIENTS_MAX = 1024,
	VARLINK_CLIENTS_RESERVED = 128,    /* of them, for operators */
	VARLINK_CLIENTS_PER_USER_MAX = 64, /* of one uid; fewer as they get short: accounts.h */
};

struct varlink_server;

/*
 * Listens on path, which is replaced when it is a socket that nobody listens on. metrics: who counts, which has to be
 * there as long. 0, or -errno after a log line.
 */
int varlink_server_new(sd_event *event, const char *path, struct arbiter *arbiter,
		       const struct metrics_sources *metrics, struct varlink_server **out);
/* Takes over a socket that listens already (systemd's). */
int varlink_server_new_from_fd(sd_event *event, int socket, struct arbiter *arbiter,
			       const struct metrics_sources *metrics, struct varlink_server **out);
/* Ends all connections. The arbiter must still be there. */
struct varlink_server *varlink_server_free(struct varlink_server *server);
