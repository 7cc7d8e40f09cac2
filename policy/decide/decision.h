/*
 * What a decision is asked and what it answers: plain data, for those who decide and those who are told.
 */
#pragma once

#include "../model/host_view.h"
#include "../plan/plan.h"
#include "../rules/policy.h"

/* What a request writes for "any one of" a pool. */
#define REQUEST_POOL "pool:"
enum {
	REQUEST_TEXT_MAX = RULE_NAME_MAX + sizeof REQUEST_POOL - 1
}; /* bytes of what a request names, its NUL included */

/* The pool that such a text names, or NULL where it names a device. */
const char *request_pool(const char *text);

struct request {
	const struct subject *subject;
	/* Full names; duplicates are taken as one. Or "pool:NAME" for any one of a pool, as often as devices are
	 * wanted. */
	const char *const *device;
	size_t device_count; /* 1 to CLAIM_DEVICES_MAX */
	/* The devices of pools that uses speaks of; no other is chosen. NULL: uses speaks of all. */
	const char *const *candidate;
	size_t candidate_count;
	int32_t numa_node; /* where the client runs; -1: unknown, or of no matter */
	bool for_operator; /* an operator asks what the subject would get, and is told what operators are told */
	enum delivery_mode mode;
	const struct claim *claim; /* NULL for a new claim; else the claim that is to grow */
};

/* A member of a group that the claim would take from the host though nobody asked for it. */
struct lockout {
	char device[DEVICE_NAME_MAX];
	char for_device[DEVICE_NAME_MAX]; /* the asked-for device that shares its group */
	char driver[DRIVER_NAME_MAX];     /* the host loses this driver; "" where none is bound */
	enum severity severity;           /* of its worst use */
	char use[TEXT_MAX];               /* its worst use; "" where none was found */
	bool covered;                     /* the rule allows it */
};

struct blocker {
	enum blocker_kind kind;
	char device[DEVICE_NAME_MAX]; /* the asked-for device */
	char member[DEVICE_NAME_MAX]; /* the member that blocks; "" where it is the device itself */
	char use[TEXT_MAX];           /* what uses it; "" where that is not the matter */
	char claim[CLAIM_ID_MAX];     /* the claim in the way; "" where none */
	char rule[RULE_NAME_MAX];     /* the rule that decided; "" for deny by default */
	char message[2 * TEXT_MAX];   /* one sentence: what blocks, naming member, use or owner, and rule */
	char remedy[2 * TEXT_MAX];    /* one sentence: what would resolve it */
};

/* What each asked-for device falls under. */
struct decided_device {
	char device[DEVICE_NAME_MAX];
	const struct rule *rule; /* of the policy; NULL where none matched. Valid as long as the policy */
};

/* What "any one of" a pool came to. */
struct chosen {
	char pool[RULE_NAME_MAX];
	char device[DEVICE_NAME_MAX];
	char why[TEXT_MAX]; /* one sentence */
};

/* What an operator should know about it besides: plain data that forbids nothing. */
struct note {
	enum note_kind kind;
	enum severity severity; /* NOTE_LOSS: what losing the device costs; else idle: to know, disruptive: to weigh */
	char device[DEVICE_NAME_MAX]; /* "" where it is about the kernel */
	char text[2 * TEXT_MAX];      /* one sentence, without a full stop */
};

struct decision {
	uid_t uid;      /* whose claim it would be */
	char unit[256]; /* from which systemd unit; "" where unknown */
	bool allowed;
	enum exit_status status;       /* EXIT_DONE, or of the blocker that counts most: 5, then 3, then 4, then 6 */
	struct decided_device *device; /* in the order asked, without duplicates */
	size_t device_count;
	struct chosen *chosen; /* in the order asked */
	size_t chosen_count;
	struct lockout *lockout; /* sorted by name */
	size_t lockout_count;
	struct blocker *blocker; /* all of them */
	size_t blocker_count;
	struct note *note; /* losses first, those from the worst to the least; then by kind */
	size_t note_count;
	enum vfio_interface interface; /* that the devices come through, if allowed */
	struct plan plan;              /* the steps; empty unless allowed */
};
void decision_done(struct decision *decision);
/* Of a refusal the blocker that its status comes from, or NULL. */
const struct blocker *decision_headline(const struct decision *decision);
