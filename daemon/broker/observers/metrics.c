#include "metrics.h"

#include "../../base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Somewhere in the future: the timer is there for what is called before each wait. */
#define FAR_USEC (3600 * 1000 * 1000ULL)

struct metrics {
	struct arbiter *arbiter;
	struct news_listener listener;
	sd_event_source *timer;
	struct metrics_counts counts;
};

static void hear_state(struct metrics_counts *counts, const struct news *news)
{
	enum claim_state state = news->claim->state;

	if (state == news->before)
		return;
	counts->entered[state]++;
	if (news->before == CLAIM_RELEASING)
		histogram_add(&counts->release, news->usec);
}

static void hear_offer(struct metrics_counts *counts, const struct news *news)
{
	if (news->device)
		counts->added++;
	else
		counts->granted[news->claim->mode]++;
	histogram_add(&counts->claim, news->usec);
}

static void hear_ending(struct metrics_counts *counts, const struct news *news)
{
	if (!news->subject)
		counts->ended[METRICS_BY_LEASE]++;
	else if (news->subject->uid == news->claim->uid)
		counts->ended[METRICS_BY_OWNER]++;
	else
		counts->ended[METRICS_BY_OPERATOR]++;
}

static void hear_refusal(struct metrics_counts *counts, const struct news *news)
{
	const struct blocker *headline = decision_headline(news->decision);

	if (headline)
		counts->refused[headline->kind]++;
}

static void hear_step(struct metrics_counts *counts, const struct news *news)
{
	if (news->stop == REVOKE_STOP_NOTHING)
		return;
	if (news->success)
		counts->stopped++;
	else
		counts->not_stopped++;
}

static void hear_policy(struct metrics_counts *counts, const struct news *news)
{
	if (news->success) {
		counts->policies_loaded++;
		counts->policy_loaded = clock_usec(CLOCK_REALTIME);
	} else {
		counts->policies_refused++;
	}
}

static void hear_decided(struct metrics_counts *counts, const struct news *news)
{
	histogram_add(&counts->decision, news->usec);
}

#define COUNTED(member) \
	{ \
		.counted = true, .counter = offsetof(struct metrics_counts, member) \
	}

/* What each kind of news does to the counts: one counter goes up, or more is to be said. */
static const struct {
	bool counted;
	size_t counter;
	void (*hear)(struct metrics_counts *counts, const struct news *news);
} kinds[NEWS_KIND_COUNT] = {
	[NEWS_CLAIM] = { .hear = hear_state },          [NEWS_CLAIM_ADOPTED] = COUNTED(adopted),
	[NEWS_OFFERED] = { .hear = hear_offer },        [NEWS_REMOVED] = COUNTED(removed),
	[NEWS_ENDING] = { .hear = hear_ending },        [NEWS_REVOCATION] = COUNTED(revoked),
	[NEWS_REVOCATION_STEP] = { .hear = hear_step }, [NEWS_DECIDED] = { .hear = hear_decided },
	[NEWS_REFUSED] = { .hear = hear_refusal },      [NEWS_FAILED] = COUNTED(failed),
	[NEWS_DEVICE] = COUNTED(devices_changed),       [NEWS_DEVICE_GONE] = COUNTED(devices_gone),
	[NEWS_POLICY] = { .hear = hear_policy },
};

static void hear(void *context, const struct news *news)
{
	struct metrics_counts *counts = &((struct metrics *)context)->counts;

	if (kinds[news->kind].counted)
		++*(uint64_t *)((char *)counts + kinds[news->kind].counter);
	if (kinds[news->kind].hear)
		kinds[news->kind].hear(counts, news);
}

/* Before the loop waits: what it has done since it woke up took so long. */
static int on_prepare(sd_event_source *source, void *context)
{
	struct metrics *metrics = context;
	uint64_t woke;

	if (sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &woke) == 0)
		histogram_add(&metrics->counts.turn, clock_usec(CLOCK_MONOTONIC) - woke);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	sd_event_source_set_time_relative(source, FAR_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int metrics_new(sd_event *event, struct arbiter *arbiter, struct metrics **out)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	int error;

	if (!metrics)
		return -ENOMEM;
	error = sd_event_add_time_relative(event, &metrics->timer, CLOCK_MONOTONIC, FAR_USEC, FAR_USEC, on_timer,
					   metrics);
	if (error >= 0)
		error = sd_event_source_set_prepare(metrics->timer, on_prepare);
	if (error < 0) {
		sd_event_source_disable_unref(metrics->timer);
		free(metrics);
		return error;
	}
	metrics->counts.started = clock_usec(CLOCK_REALTIME);
	metrics->arbiter = arbiter;
	metrics->listener = (struct news_listener){ .hear = hear, .context = metrics };
	arbiter_listen(arbiter, &metrics->listener);
	*out = metrics;
	return 0;
}

struct metrics *metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return NULL;
	arbiter_unlisten(metrics->arbiter, &metrics->listener);
	sd_event_source_disable_unref(metrics->timer);
	free(metrics);
	return NULL;
}

const struct metrics_counts *metrics_count(const struct metrics *metrics)
{
	return &metrics->counts;
}
