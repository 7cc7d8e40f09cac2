/*
 * Counts what happens, and how long it takes, since this run of the broker began. Listens to the news and to the loop;
 * writes nothing down (metrics_report.h does).
 */
#pragma once

#include "../arbiter/arbiter.h"
#include "../../base/histogram.h"

/* How a claim ends. */
enum metrics_ending { METRICS_BY_LEASE, METRICS_BY_OWNER, METRICS_BY_OPERATOR, METRICS_ENDING_COUNT };

struct metrics_counts {
	uint64_t started;                      /* CLOCK_REALTIME microseconds */
	uint64_t granted[DELIVERY_MODE_COUNT]; /* claims that were delivered */
	uint64_t added, removed;               /* devices of claims that go on */
	uint64_t refused[BLOCKER_KIND_COUNT];  /* by what the status came from */
	uint64_t failed;                       /* allowed, and not done */
	uint64_t ended[METRICS_ENDING_COUNT];
	uint64_t entered[CLAIM_STATE_COUNT]; /* how often claims came to that state */
	uint64_t adopted;                    /* of an earlier run */
	uint64_t revoked;
	uint64_t stopped, not_stopped; /* what held a claim that was revoked */
	uint64_t policies_loaded, policies_refused;
	uint64_t policy_loaded; /* when the last was: CLOCK_REALTIME microseconds */
	uint64_t devices_changed, devices_gone;
	struct histogram decision;
	struct histogram claim;   /* from the question until its descriptors went out */
	struct histogram release; /* from the end of the lease until it was free or something stood against it */
	struct histogram turn;    /* of the loop */
};

struct metrics;

int metrics_new(sd_event *event, struct arbiter *arbiter, struct metrics **out); /* 0, -ENOMEM, -errno */
struct metrics *metrics_free(struct metrics *metrics);
const struct metrics_counts *metrics_count(const struct metrics *metrics);
