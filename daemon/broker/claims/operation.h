/*
 * A question that waits for its survey, or for a release that is in its way and then for a survey once more: what was
 * asked, by whom, and which devices of pools are surveyed for it.
 */
#pragma once

#include "../core/registry.h"
#include "../core/requester.h"
#include "../core/release_wait.h"

enum operation_kind { OPERATION_PLAN, OPERATION_CLAIM, OPERATION_ADD };

struct operation {
	struct waiter waiter; /* set up by the caller that lets it wait */
	uint64_t until;       /* CLOCK_MONOTONIC microseconds; 0: it has not waited yet */
	enum operation_kind kind;
	uint64_t since; /* CLOCK_MONOTONIC microseconds: when it was asked */
	struct registry *registry;
	struct requester *requester;
	enum delivery_mode mode;
	int32_t numa_node;
	struct subject subject;   /* whose claim it is: the requester's, unless an operator asks for another user */
	bool for_operator;        /* an operator asks */
	struct claim_lease lease; /* OPERATION_CLAIM */
	struct unit_watch *unit;  /* it is being asked whether that runs, and then: */
	void (*go_on)(void *operation);
	char claim[CLAIM_ID_MAX]; /* OPERATION_ADD: looked up again afterwards, it may be gone by then */
	size_t count;
	char (*candidate)[DEVICE_NAME_MAX]; /* devices of the pools that are asked for */
	size_t candidate_count;
	char text[][REQUEST_TEXT_MAX]; /* what is asked for: devices and pools */
};

/*
 * Also finds the candidates, if a pool is asked for. subject: whose claim it would be; NULL: the requester's.
 * NULL: out of memory.
 */
struct operation *operation_new(enum operation_kind kind, struct registry *registry, struct requester *requester,
				const struct question *question, const struct subject *subject);
struct operation *operation_free(struct operation *operation);
/*
 * The request as the policy core takes it, but for the claim that is to grow. text has room for CLAIM_DEVICES_MAX +
 * GROUP_MEMBERS_MAX: first what is asked for, then the candidates. Valid as long as the operation and text are.
 */
struct request operation_request(const struct operation *operation, const char **text);
