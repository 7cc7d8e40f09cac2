/*
 * Making an audit: has the executor look who holds anything of VFIO, iommufd or vhost-vdpa and which nodes others than root
 * can open, and tells what of it came from a claim. One is made at a time. Changes nothing.
 */
#pragma once

#include "../claims/claim_runtime.h"

struct auditing;

/* What was found. Valid during the answer only. */
struct audit {
	const struct hold *hold;           /* those of one process stand together */
	const struct hold_origin *origin;  /* of each */
	size_t hold_count;
	const struct node_access *access;
	const bool *granted;               /* of each: a claim gave it to whoever can open it */
	size_t access_count;
	bool compared;                     /* the kernel could tell which context is a claim's */
	int error;                         /* 0; else a positive errno: not everything could be looked at */
};

struct auditing *auditing_new(struct registry *registry); /* NULL: out of memory */
struct auditing *auditing_free(struct auditing *auditing); /* after the host, which answers nobody then */

/* Starts, for an operator. Answers with ANSWER_AUDIT, or ANSWER_FAILED. */
void auditing_start(struct auditing *auditing, struct requester *requester);
/* The requester is gone: so is what is found. */
void auditing_abandon(struct auditing *auditing, const struct requester *requester);
