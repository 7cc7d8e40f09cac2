/*
 * One broker on the wire: greets it, tells it of the devices and of what changes, answers its surveys, and hands its
 * plans to be run. A message that is none of the wire ends the session.
 */
#pragma once

#include "run.h"

struct session;

struct session_order {
	int socket;                /* consumed on success */
	const char *const *folder; /* of the policy; copied */
	size_t folder_count;
	/* The broker is gone (0), or broke the wire (-errno). The session is to be freed, but not in the call. */
	void (*ended)(void *context, struct session *session, int error);
	void *context;
};

/*
 * Reads the policy and begins. machine and runs have to outlive the session. A policy with errors is logged, and
 * refuses every claim. 0, -ENOMEM, other -errno.
 */
int session_new(struct machine *machine, struct runs *runs, const struct session_order *order, struct session **out);
/* Its plans go on, without it. */
struct session *session_free(struct session *session);
