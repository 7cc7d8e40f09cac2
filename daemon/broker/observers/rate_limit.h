/*
 * How often one user's refusals are written down or told: some at once, then one a second, so that nobody floods the
 * records of others out of the journal or the audit log, or a watcher. What is left out is counted. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RATE_LIMIT_BURST = 20, RATE_LIMIT_USERS = 64 };
#define RATE_LIMIT_USEC (1000 * 1000ULL)

/* All zero has seen nobody. */
struct rate_limit {
	struct rate_limit_user {
		uid_t uid;
		uint64_t full; /* when the user may have a whole burst again; 0: the place is free */
		uint64_t left_out;
	} user[RATE_LIMIT_USERS];
};

/*
 * True if a record of this user is to be written at this time (monotonic microseconds); *left_out: how many of the
 * user's were not since the last. More users at a time than there are places share the last one.
 */
bool rate_limit_take(struct rate_limit *rate, uid_t uid, uint64_t now, uint64_t *left_out);
