/*
 * An audit of the simulated host: which real processes hold its stand-ins, and whom the ACLs of its nodes let in. As
 * the surveyor does it on a real host; sees no more than this process may see.
 */
#pragma once

#include "machine.h"

#include "../../policy/model/held_nodes.h"

/* A context that the broker has a copy of, by its number in that process. */
struct inquiry_context {
	int fd;
	char claim[CLAIM_ID_MAX];
};

struct inquiry {
	struct machine *machine;
	pid_t broker; /* 0 unknown */
	const struct inquiry_context *context;
	size_t context_count;
	void (*hold)(void *to, const struct hold *hold); /* those of one process come one after the other */
	void (*access)(void *to, const struct node_access *access);
	void *to;
};

/* 0; -EACCES: processes could not be looked into; -ENOMEM: incomplete. */
int inquiry_run(const struct inquiry *inquiry);
