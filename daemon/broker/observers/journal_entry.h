/*
 * One entry of the journal in the making: which kind it is, its sentence, and the fields that say what it is about.
 *Sends nothing.
 *
 * Fields, besides MESSAGE, MESSAGE_ID, PRIORITY and SYSLOG_IDENTIFIER; those marked * can be there several times:
 *	IOASID_CLAIM        the claim's id
 *	IOASID_DEVICE *     a device that was asked for, or that the entry is about
 *	IOASID_MEMBER *     a member of its group that is locked out with it
 *	IOASID_GROUP *      the IOMMU group's number: good for this boot only
 *	IOASID_UID, IOASID_PID, IOASID_UNIT   who has the claim, or asked for one
 *	IOASID_ACTOR        the uid that did it: the owner, or an operator
 *	IOASID_RULE         that decided
 *	IOASID_VERDICT      allowed, or the kind of blocker that the refusal's status comes from; IOASID_STATUS: that
 *status IOASID_MODE, IOASID_INTERFACE, IOASID_LEASE, IOASID_STATE   of the claim, as in org.ioasid1 IOASID_NOTE why it
 *lingers, is quarantined or stuck; IOASID_REASON: why it is revoked IOASID_STEP, IOASID_ERRNO   of a plan that failed
 *	IOASID_RULES, IOASID_POLICY_DIGEST, IOASID_FILE *   of a policy
 *	IOASID_LEFT_OUT     entries of this user that were not written before this one, because they were too many
 *	IOASID_LOST         entries that the journal did not take before this one
 */
#pragma once

#include "../../../policy/decide/decide.h"
#include "../../base/journald.h"
#include "../../base/log.h"

struct wire_result;

enum record_message {
	RECORD_MESSAGE_GRANTED, /* the descriptors of a claim went to its client */
	RECORD_MESSAGE_GREW,    /* those of a device that was added to one */
	RECORD_MESSAGE_SHRANK,  /* a device of a claim was given back */
	RECORD_MESSAGE_REFUSED,
	RECORD_MESSAGE_FAILED, /* allowed, and not done */
	RECORD_MESSAGE_ENDING, /* a release begins */
	RECORD_MESSAGE_FREE,   /* proven free and put back */
	RECORD_MESSAGE_LINGERING,
	RECORD_MESSAGE_QUARANTINED,
	RECORD_MESSAGE_STUCK,
	RECORD_MESSAGE_UNPLUGGED,
	RECORD_MESSAGE_ADOPTED, /* an earlier run left a claim */
	RECORD_MESSAGE_REVOKED, /* an operator takes a claim back */
	RECORD_MESSAGE_REVOCATION_STEP,
	RECORD_MESSAGE_NOT_GRANTED, /* a new policy would not grant a claim that goes on */
	RECORD_MESSAGE_NOT_READY,   /* a reserved device */
	RECORD_MESSAGE_POLICY_LOADED,
	RECORD_MESSAGE_POLICY_REFUSED,
	RECORD_MESSAGE_COUNT,
};

struct journal_entry {
	enum log_priority priority;
	char message[1024];
	struct journald_entry journald;
};

/* Begins an entry; the sentence may have anything in it. */
void journal_entry_begin(struct journal_entry *entry, enum record_message kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds all that is known of a claim. device: the entry is about this one alone; NULL: about all. */
void journal_entry_add_claim(struct journal_entry *entry, const struct claim *claim, const char *device);
void journal_entry_add_subject(struct journal_entry *entry, const struct subject *subject);
/* Adds what was asked for, and of a refusal why. */
void journal_entry_add_decision(struct journal_entry *entry, const struct decision *decision);
/* Adds the step at which a plan failed. result: NULL adds nothing. */
void journal_entry_add_result(struct journal_entry *entry, const struct wire_result *result);
void journal_entry_add_policy(struct journal_entry *entry, const struct policy *policy);
