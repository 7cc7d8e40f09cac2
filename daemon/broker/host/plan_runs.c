#include "plan_runs.h"

#include "../system/turns.h"

#include "../../base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct run {
	struct run *next; /* runs::first */
	struct plan_runs *runs;
	uint64_t id;
	uint64_t begun; /* CLOCK_MONOTONIC microseconds */
	enum wire_plan_kind kind;
	bool overdue;
	sd_event_source *timer;
	const struct run_events *events;
	void *context;
};

struct plan_runs {
	sd_event *event;
	struct executor_link *link;
	uint64_t deadline_usec;
	uint64_t next_id;
	struct run *first;
	struct run_counts counts;
};

int plan_runs_new(sd_event *event, struct executor_link *link, uint64_t deadline_usec, struct plan_runs **out)
{
	struct plan_runs *runs = calloc(1, sizeof(*runs));
	sd_event_source *first = NULL;

	if (!runs)
		return -ENOMEM;
	runs->event = sd_event_ref(event);
	runs->link = link;
	runs->deadline_usec = deadline_usec;
	/* sd-event opens its timerfd with the first timer. Open it now: FD counts at rest are then always the same. */
	if (sd_event_add_time_relative(event, &first, CLOCK_MONOTONIC, deadline_usec, 0, NULL, NULL) >= 0)
		sd_event_source_disable_unref(first);
	*out = runs;
	return 0;
}

static void run_free(struct run *run)
{
	sd_event_source_disable_unref(run->timer);
	free(run);
}

struct plan_runs *plan_runs_free(struct plan_runs *runs)
{
	if (!runs)
		return NULL;
	while (runs->first) {
		struct run *run = runs->first;

		runs->first = run->next;
		run_free(run);
	}
	sd_event_unref(runs->event);
	free(runs);
	return NULL;
}

static int on_deadline(sd_event_source *timer, uint64_t usec, void *context)
{
	struct run *run = context;
	union wire_message message;

	run->overdue = true;
	run->runs->counts.overdue++;
	run->runs->counts.deadlines++;
	wire_stamp(&message, WIRE_OVERDUE, run->id);
	executor_link_send(run->runs->link, &message, NULL, 0);
	run->events->overdue(run->context);
	return 0;
}

static int send_order(struct plan_runs *runs, uint64_t id, const struct run_order *order)
{
	size_t first = 0;
	int error = 0;

	do {
		union wire_message message;
		int fds[2];
		size_t fd_count = first == 0 ? wire_enclosure_fds(&order->enclosure, fds) : 0;
		size_t count = wire_plan_chunk(&message, id, order->kind, order->policy_digest, order->plan, first,
					       &order->enclosure);

		error = executor_link_send(runs->link, &message, fds, fd_count);
		first += count;
	} while (error == 0 && first < order->plan->count);
	return error;
}

int plan_runs_start(struct plan_runs *runs, const struct run_order *order, const struct run_events *events,
		    void *context)
{
	struct run *run = calloc(1, sizeof(*run));
	int error;

	if (!run)
		return -ENOMEM;
	run->runs = runs;
	run->id = ++runs->next_id;
	run->begun = clock_usec(CLOCK_MONOTONIC);
	run->kind = order->kind;
	run->events = events;
	run->context = context;
	error = sd_event_add_time_relative(runs->event, &run->timer, CLOCK_MONOTONIC, runs->deadline_usec, 0,
					   on_deadline, run);
	/* As the wire's: a result that has come is looked at first. */
	if (error >= 0)
		error = sd_event_source_set_priority(run->timer, TURNS_PRIORITY);
	if (error >= 0)
		error = send_order(runs, run->id, order);
	if (error < 0) {
		run_free(run);
		return error;
	}
	run->next = runs->first;
	runs->first = run;
	runs->counts.running++;
	return 0;
}

const struct run_counts *plan_runs_count(const struct plan_runs *runs)
{
	return &runs->counts;
}

static void count_end(struct plan_runs *runs, const struct run *run, const struct wire_result *result)
{
	runs->counts.running--;
	runs->counts.overdue -= run->overdue;
	runs->counts.outcome[result->outcome]++;
	histogram_add(&runs->counts.duration[run->kind], clock_usec(CLOCK_MONOTONIC) - run->begun);
}

void plan_runs_result(struct plan_runs *runs, const struct wire_result *result, struct descriptors *fds)
{
	for (struct run **link = &runs->first; *link; link = &(*link)->next) {
		struct run *run = *link;

		if (run->id != result->header.id)
			continue;
		*link = run->next;
		count_end(runs, run, result);
		run->events->done(run->context, result, fds);
		run_free(run);
		return;
	}
}
