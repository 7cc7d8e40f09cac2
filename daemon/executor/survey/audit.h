/*
 * An audit: what all processes hold of VFIO, iommufd and vhost-vdpa, and who can open the nodes. What shows nowhere
 * can't be found: an FD in flight in a socket, one that io_uring keeps, one in a thread's own table. Looks only; needs
 * CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
 */
#pragma once

#include "node_access.h"

/* A context that the broker has a copy of. */
struct audit_context {
	int fd; /* in the broker's process: only ever compared */
	char claim[CLAIM_ID_MAX];
};

struct audit {
	const struct host *host;
	struct timed_call *timed_call;
	pid_t broker; /* 0: not known, and nothing can be compared */
	const struct audit_context *context;
	size_t context_count;
	/* A negative value of these ends the audit and is returned. Those of one process come one after the other. */
	int (*hold)(void *to, const struct hold *hold);
	node_access_found access;
	void *to;
	bool compared; /* set: FDs could be compared */
};

/* 0, what a callback returned, -EACCES: processes could not be looked into; or other -errno: incomplete. */
int audit_run(struct audit *audit);
