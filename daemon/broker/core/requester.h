/*
 * Who asks over a face (one connection of a socket, one caller on a bus), and the one answer that each question gets.
 * A requester asks one thing at a time. Knows nothing of how a face writes things down.
 */
#pragma once

#include "../../../policy/decide/regrant.h"
#include "../../../policy/decide/decision.h"
#include "../../base/wire.h"

struct audit;
struct claim_runtime;
struct operation;
struct requester;
struct snapshot;

/* What is asked for in a plan or a claim. */
struct question {
	const char *device[CLAIM_DEVICES_MAX]; /* valid addresses, or "pool:NAME" below REQUEST_TEXT_MAX bytes */
	size_t count;
	enum delivery_mode mode;
	int32_t numa_node;      /* where the client runs; -1: it did not say */
	const char *user;       /* an operator asks for this user, name or number; NULL: for himself */
	const char *unit;       /* and for this unit; NULL: for none, or the caller's own */
	enum lease_kind lease;  /* of a claim */
	const char *lease_unit; /* LEASE_UNIT: which; NULL: the asker's own */
};

enum answer_kind {
	ANSWER_PLAN,           /* decision, uses, mode */
	ANSWER_OFFER,          /* claim, offer: FDs that have to be acknowledged */
	ANSWER_DONE,           /* nothing more to say */
	ANSWER_RESUMED,        /* claim, offer: a lease, where it needed a new one */
	ANSWER_RELEASED,       /* state, note: what became of a release */
	ANSWER_REFUSED,        /* decision */
	ANSWER_FAILED,         /* message; result, if the executor said it */
	ANSWER_NO_CLAIM,       /* no such claim, or not the asker's: the two can't be told apart */
	ANSWER_WRONG_STATE,    /* claim, message */
	ANSWER_POLICY,         /* policy, diagnostics, regrants: what came of a reload */
	ANSWER_POLICY_INVALID, /* message, diagnostics */
	ANSWER_SNAPSHOT,       /* snapshot */
	ANSWER_AUDIT,          /* audit: who holds nodes past ioasidd */
	ANSWER_NO_OPERATOR,    /* only operators may do this */
	ANSWER_UNSUPPORTED,    /* message: this kernel or host can't do it */
	ANSWER_UNACKNOWLEDGED, /* claim: its FDs have to be acknowledged first */
};

/* FDs for the client. The face takes them out; what it leaves is closed by the caller that answers. */
struct offer {
	bool grows;  /* what a claim gets beyond what it has: no lease and no context */
	int lease;   /* -1: none, or the claim has one already */
	int context; /* an iommufd or a container, or -1 */
	struct offered_group {
		int32_t number;
		int fd;
	} group[CLAIM_DEVICES_MAX];
	size_t group_count;
	struct offered_device {
		const struct claim_device *device;
		int fd; /* -1: it has nodes, or the client opens it by its group */
	} device[CLAIM_DEVICES_MAX];
	size_t device_count;
	const char *lockout[GROUP_MEMBERS_MAX];
	size_t lockout_count;
};

/* Valid during the call only, all of it. */
struct answer {
	enum answer_kind kind;
	enum delivery_mode mode;
	enum claim_state state;
	const struct decision *decision;
	const struct uses *uses;
	const struct claim *claim;
	const struct wire_result *result;
	struct offer *offer;
	const char *note;
	const char *message;
	const struct policy *policy;
	const struct diagnostics *diagnostics;
	const struct regrants *regrants;
	const struct snapshot *snapshot;
	const struct audit *audit;
};

/* What makes a user other than root an operator. */
enum authority {
	AUTHORITY_OF_POLICY, /* the policy's "operators": on the socket */
	AUTHORITY_NONE,      /* nothing: on the bus */
	AUTHORITY_GRANTED,   /* polkit has let this very call */
};

struct requester {
	struct subject subject;
	enum authority authority;
	int pidfd;             /* of subject.pid, owned; -1 where the kernel gives none */
	bool pidfd_is_certain; /* the kernel gave it with the connection: it is the very process that asked */
	void (*answer)(void *context, const struct answer *answer);
	void *context;
	struct operation *operation;          /* a survey that it waits for */
	struct claim_runtime *asking;         /* a claim whose plan it waits for */
	struct claim_runtime *unacknowledged; /* a claim whose FDs it has not acknowledged */
	struct claim_runtime *awaiting;       /* a claim whose release it waits for */
	bool resumes;                         /* it waits to resume that claim, if it is still held */
	struct requester *next_awaiting;      /* holding::awaiting */
};

/* Takes the name of a device as a client writes it: its address, in full or short, or "pool:NAME". False if it is none.
 */
bool question_take_device(const char *text, char out[static REQUEST_TEXT_MAX]);

void requester_answer(struct requester *requester, const struct answer *answer);
/* Shorthands for answers without more. message may be NULL with ANSWER_DONE. */
void requester_answer_failed(struct requester *requester, const char *message, const struct wire_result *result);
void requester_answer_kind(struct requester *requester, enum answer_kind kind, const struct claim *claim,
			   const char *message);
