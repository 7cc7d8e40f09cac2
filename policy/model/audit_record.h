/*
 * What is written down of one act of the daemon's: a grant, a refusal, a revocation. A record says failure until it is
 * committed as a success, which is the last thing that whoever acts does. Plain data; where it is written is others'
 * work.
 */
#pragma once

#include "../../include/words.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { AUDIT_RECORD_DEVICES_MAX = 128 };

struct audit_record {
	uint32_t kind;            /* enum record_kind */
	uint32_t success;         /* 1: it was done. What is all zero failed */
	uint32_t uid;             /* whose claim it is, or who asked for one; of a policy load who wanted it */
	uint32_t actor;           /* who did it: the operator's uid where one acts on another's claim, else as uid */
	int32_t pid;              /* of the client, or of the process that was stopped; 0 unknown */
	uint32_t device_count;    /* devices that were asked for: the first in device */
	uint32_t lockout_count;   /* members that are locked out: those after them */
	uint32_t left_out;        /* how many more there were */
	uint64_t policy_digest;   /* of the policy that it was decided under; 0: none */
	char claim[CLAIM_ID_MAX]; /* "" none */
	char rule[RULE_NAME_MAX]; /* that decided; "" none */
	char unit[UNIT_NAME_MAX]; /* the client's, or the one that was stopped; "" unknown */
	char text[TEXT_MAX];      /* one sentence for people: why it was refused, what failed; "" nothing to say */
	char device[AUDIT_RECORD_DEVICES_MAX][DEVICE_NAME_MAX];
};

/* Begins a record, as a failure. unit: NULL or "" unknown. */
void audit_record_begin(struct audit_record *record, enum record_kind kind, uid_t uid, pid_t pid, const char *unit);
/* Adds a device, lockouts or not in any order; one beyond AUDIT_RECORD_DEVICES_MAX is counted in left_out. */
void audit_record_add_device(struct audit_record *record, const char *device, bool lockout);
/* It was done. */
void audit_record_commit(struct audit_record *record);
/* True if the strings end within their arrays, are printable UTF-8 and the numbers are in range. */
bool audit_record_is_sane(const struct audit_record *record);
