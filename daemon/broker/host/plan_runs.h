/*
 * Plans that the executor is running: sends them, keeps their deadlines, and hands each result to its caller.
 * A plan that passes its deadline is reported once as overdue; its result may still come, hours later.
 */
#pragma once

#include "executor_link.h"
#include "../../base/histogram.h"

struct plan_runs;

struct run_events {
	/* The result. FDs that the callee does not take are closed. */
	void (*done)(void *context, const struct wire_result *result, struct descriptors *fds);
	/* The deadline passed; done() may still follow. */
	void (*overdue)(void *context);
};

/* What is to be run. FDs stay the caller's. */
struct run_order {
	enum wire_plan_kind kind;
	const struct plan *plan;
	uint64_t policy_digest;
	struct wire_enclosure enclosure;
};

/* What became of plans since the start, and how many are under way. */
struct run_counts {
	uint64_t outcome[WIRE_OUTCOME_COUNT];
	uint64_t deadlines; /* that passed */
	uint64_t running;
	uint64_t overdue;             /* of those that run */
	struct histogram duration[2]; /* by enum wire_plan_kind, of those that came to an end */
};

int plan_runs_new(sd_event *event, struct executor_link *link, uint64_t deadline_usec, struct plan_runs **out);
struct plan_runs *plan_runs_free(struct plan_runs *runs); /* nobody is told any more */
/* 0; -ENOMEM, -EPIPE: nothing was started, no callback will come. context lives until done(). */
int plan_runs_start(struct plan_runs *runs, const struct run_order *order, const struct run_events *events,
		    void *context);
const struct run_counts *plan_runs_count(const struct plan_runs *runs);
/* A message from the executor. */
void plan_runs_result(struct plan_runs *runs, const struct wire_result *result, struct descriptors *fds);
