/*
 * Questions to the executor beside surveys and plans: audits, records, and stops. Sends them, gathers what is found,
 * and answers each asker once. Never decides anything.
 */
#pragma once

#include "executor_link.h"

struct requests;

/* What an audit found, and only during the call. */
struct audit_report {
	const struct hold *hold;
	size_t hold_count;
	const struct node_access *access;
	size_t access_count;
	bool compared; /* the kernel can tell which context is a claim's; else no hold has a claim */
};

/* error: 0, or a positive errno: not everything could be looked at (EACCES: into all processes), and report may miss
 * something. */
typedef void (*audit_answer)(void *context, int error, const struct audit_report *report);
/* error: 0: the kernel's audit log has it; EPROTONOSUPPORT: this kernel has no audit log, which is not a failure; other
 * errno.
 */
typedef void (*record_answer)(void *context, int error);
typedef void (*stop_answer)(void *context, const struct wire_stopped *stopped);

/* A context that the broker has a copy of; fd stays the caller's. */
struct audit_context {
	int fd;
	const char *claim;
};

/* What is to be ended, because it holds what was revoked. pidfd stays the caller's. */
struct stop_order {
	enum revoke_stop what; /* not REVOKE_STOP_NOTHING */
	pid_t pid;             /* REVOKE_STOP_PROCESS */
	int pidfd;
	const char *unit;          /* REVOKE_STOP_UNIT: a service or a scope */
	const char *rule;          /* of the claim */
	const char *const *device; /* of the claim, asked for: the process or unit has to hold one of them */
	size_t device_count;
};

int requests_new(struct executor_link *link, struct requests **out); /* 0, -ENOMEM */
struct requests *requests_free(struct requests *requests);           /* nobody is answered any more */

/*
 * Each calls answer once, later, unless it fails: 0; -EINVAL: something is missing, or too long; -ENOMEM, -EPIPE.
 * answer may be NULL for a record. A stop takes some 15 s for a process, up to two minutes for a unit.
 */
int requests_audit(struct requests *requests, const struct audit_context *contexts, size_t count, audit_answer answer,
		   void *context);
int requests_record(struct requests *requests, const struct audit_record *record, record_answer answer, void *context);
int requests_stop(struct requests *requests, const struct stop_order *order, stop_answer answer, void *context);
/* Forgets requests made with this context: they are carried out but not answered. */
void requests_forget(struct requests *requests, const void *context);

/* A message from the executor that answers one of these. False: it is none of that. */
bool requests_hear(struct requests *requests, const union wire_message *message);
