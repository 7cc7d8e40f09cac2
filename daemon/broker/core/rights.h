/*
 * The one table of rights: what each act of org.ioasid1 requires of the caller, for the socket and the bus alike, and
 * the polkit action by which the bus finds out. A face and the arbiter ask here; nobody else decides who may do what.
 */
#pragma once

#include "requester.h"

enum act {
	ACT_LOOK,      /* status, devices, groups, the policy as far as it concerns the reader, metrics, own claims */
	ACT_WATCH,     /* events: of everything that ACT_LOOK shows */
	ACT_PLAN,      /* for himself */
	ACT_CLAIM,     /* the policy decides what the caller gets; by lease descriptor, own process or own unit */
	ACT_TAKE,      /* take and acknowledge the descriptors of a claim */
	ACT_RESUME,    /* take a claim up again whose lease a restart lost */
	ACT_ADD,       /* let a claim grow */
	ACT_REMOVE,    /* let it shrink */
	ACT_RELEASE,   /* end a claim */
	ACT_SEE_CLAIM, /* its owner, processes, rule and unit */
	ACT_PLAN_FOR,  /* plan for another user or unit */
	ACT_CLAIM_FOR, /* claim with another's unit, or the operator, for a lease */
	ACT_OPEN_QUARANTINE, /* try a quarantined claim's release again */
	ACT_REVOKE,          /* take a claim back */
	ACT_RELOAD,          /* have the policy read again */
	ACT_SNAPSHOT,        /* the whole host, with what it is used for */
	ACT_AUDIT,           /* who holds nodes past ioasidd */
	ACT_COUNT,
};

enum right {
	RIGHT_EVERYBODY,
	RIGHT_OWNER, /* the uid that made the claim */
	RIGHT_OWNER_OR_OPERATOR,
	RIGHT_OPERATOR, /* uid 0; on the socket the policy's operators; on the bus whom polkit lets */
};

/* What an act needs. */
enum right rights_of(enum act act);
/* The polkit action that makes its caller an operator for this act; NULL for acts that no operator is needed for. */
const char *rights_action(enum act act);
/* True if the requester counts as an operator for the call that it makes now. */
bool rights_is_operator(const struct policy *policy, const struct requester *requester);
/* True if the requester may do this. claim: the one it is about; NULL for acts that are about none. */
bool rights_allow(const struct policy *policy, const struct requester *requester, enum act act,
		  const struct claim *claim);
