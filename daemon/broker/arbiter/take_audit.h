/*
 * Making an audit: has the executor look who holds anything of VFIO, iommufd or vhost-vdpa and which nodes others than
 * root can open, and tells what of it came from a claim. One is made at a time. Changes nothing.
 */
#pragma once

#include "../claims/claim_runtime.h"

struct audit_request;

/* What was found. Valid during the answer only. */
struct audit {
	const struct hold *hold;          /* those of one process stand together */
	const struct hold_origin *origin; /* of each */
	size_t hold_count;
	const struct node_access *access;
	const bool *granted; /* of each: a claim granted it to the user who can open it */
	size_t access_count;
	bool compared; /* the kernel could tell which context is a claim's */
	int error;     /* 0; else a positive errno: not everything could be looked at */
};

struct audit_request *take_audit_new(struct registry *registry); /* NULL: out of memory */
struct audit_request *take_audit_free(
	struct audit_request *audit_request); /* after the host, which answers nobody then */

/* Starts, for an operator. Answers with ANSWER_AUDIT, or ANSWER_FAILED. */
void take_audit_start(struct audit_request *audit_request, struct requester *requester);
/* The requester is gone: so is what is found. */
void take_audit_abandon(struct audit_request *audit_request, const struct requester *requester);
