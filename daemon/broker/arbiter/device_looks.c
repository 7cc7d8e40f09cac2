#include "device_looks.h"

#include "../../../policy/util/name_table.h"
#include "../../../policy/util/text.h"
#include "../../base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BATCH = 64,   /* devices of one survey: few enough that plans and claims do not wait long behind it */
	REST = 10,    /* after a look at the whole host, this many times what it took */
};

#define LOOK_MAX_USEC (2 * 1000 * 1000ULL)   /* that somebody waits */
#define OFTEN_USEC (2 * 1000 * 1000ULL)      /* how old what is told may be for somebody who asks often */
#define SHORT_LOOK_USEC (20 * 1000ULL)       /* one that takes no longer needs no rest */

/* What was seen of a device. */
struct seen {
	char name[DEVICE_NAME_MAX];
	uint64_t usec;   /* when it was asked for; 0: not yet, or it has changed since */
	struct use *use; /* what stands against taking it; NULL: nothing */
};

struct looking {
	struct registry *registry;
	struct name_table seen;
	struct looker *first;
	bool busy;                   /* a survey is under way */
	bool running;                /* go_on() is */
	struct seen *batch[BATCH];   /* its devices; NULL: changed meanwhile */
	size_t batch_count;
	uint64_t begun;              /* when the survey was asked for */
	uint64_t look_begun;         /* when the first of this look was; 0: none is under way */
	size_t looked_at;            /* devices of it */
	uint64_t usec_for_all;       /* what a look at all devices takes, by the last */
};

struct looking *looking_new(struct registry *registry)
{
	struct looking *looking = calloc(1, sizeof(*looking));

	if (looking)
		looking->registry = registry;
	return looking;
}

struct looking *looking_free(struct looking *looking)
{
	if (!looking)
		return NULL;
	while (looking->first)
		looking_forget(looking->first);
	if (looking->registry->host)
		host_forget_survey(looking->registry->host, looking);
	for (size_t i = 0; i < looking->seen.allocated; i++) {
		struct seen *seen = looking->seen.slot[i].name ? looking->seen.slot[i].value : NULL;

		if (seen)
			free(seen->use);
		free(seen);
	}
	name_table_done(&looking->seen);
	free(looking);
	return NULL;
}

void looking_forget(struct looker *looker)
{
	struct looker **link;

	if (!looker->looking)
		return;
	for (link = &looker->looking->first; *link != looker;)
		link = &(*link)->next;
	*link = looker->next;
	looker->looking = NULL;
	looker->timer = sd_event_source_disable_unref(looker->timer);
}

static void end_wait(struct looker *looker)
{
	looking_forget(looker);
	looker->go_on(looker->context);
}

/* Of one that is new, a place for it. NULL: out of memory. */
static struct seen *seen_of(struct looking *looking, const char *name)
{
	struct seen *seen = name_table_find(&looking->seen, name);

	if (seen)
		return seen;
	seen = calloc(1, sizeof(*seen));
	if (!seen)
		return NULL;
	text_format(seen->name, sizeof(seen->name), "%s", name);
	if (name_table_add(&looking->seen, seen->name, seen) == 0)
		return seen;
	free(seen);
	return NULL;
}

/* How old what is told may be, in general. */
static uint64_t rest_of(const struct looking *looking)
{
	return looking->usec_for_all > SHORT_LOOK_USEC ? REST * looking->usec_for_all : 0;
}

/* Gathers the next devices that were not seen since then. False: out of memory. */
static bool gather(struct looking *looking, uint64_t not_before)
{
	const struct registry *registry = looking->registry;
	const struct device *device;
	size_t cursor = 0;

	looking->batch_count = 0;
	while (looking->batch_count < BATCH && (device = topology_each(host_topology(registry->host), &cursor))) {
		struct seen *seen;

		/* Bridges are never claimed, and what a claim has is told by its state. */
		if (device->bridge || ledger_owner(registry->ledger, device->name, NULL))
			continue;
		seen = seen_of(looking, device->name);
		if (!seen)
			return false;
		if (seen->usec < not_before)
			looking->batch[looking->batch_count++] = seen;
	}
	return true;
}

/* Those go on who are content with what was seen since then. error: 0, or -errno of looking. */
static void end_waits(struct looking *looking, uint64_t since, int error)
{
	struct looker *looker = looking->first;

	while (looker) {
		if (looker->not_before > since) {
			looker = looker->next;
			continue;
		}
		looker->short_of_memory = error == -ENOMEM;
		end_wait(looker);
		/* Anybody may have come or gone. */
		looker = looking->first;
	}
}

/* The look is over: what one at all devices takes is known. */
static void end_look(struct looking *looking)
{
	if (looking->look_begun > 0 && looking->looked_at > 0)
		looking->usec_for_all = (clock_usec(CLOCK_MONOTONIC) - looking->look_begun) *
					topology_count(host_topology(looking->registry->host)) / looking->looked_at;
	looking->look_begun = 0;
}

static void go_on(struct looking *looking);

static void keep(struct seen *seen, const struct uses *uses, uint64_t usec)
{
	const struct use *use = availability_obstacle(uses, seen->name);

	free(seen->use);
	seen->use = NULL;
	seen->usec = usec;
	if (!use)
		return;
	seen->use = malloc(sizeof(*seen->use));
	if (seen->use)
		*seen->use = *use;
	else
		seen->usec = 0;
}

static void on_survey(void *context, int error, const struct uses *uses)
{
	struct looking *looking = context;

	looking->busy = false;
	for (size_t i = 0; i < looking->batch_count && error == 0; i++)
		if (looking->batch[i])
			keep(looking->batch[i], uses, looking->begun);
	looking->looked_at += looking->batch_count;
	if (error != 0)
		end_waits(looking, looking->begun, -error);
	go_on(looking);
}

/* What the longest wait is for. */
static uint64_t first_not_before(const struct looking *looking)
{
	uint64_t first = looking->first->not_before;

	for (const struct looker *looker = looking->first; looker; looker = looker->next)
		if (looker->not_before < first)
			first = looker->not_before;
	return first;
}

/* Has the devices of the batch surveyed. 0, -ENOMEM, -EPIPE. */
static int survey(struct looking *looking)
{
	const char *name[BATCH];
	int error;

	for (size_t i = 0; i < looking->batch_count; i++)
		name[i] = looking->batch[i]->name;
	looking->begun = clock_usec(CLOCK_MONOTONIC);
	if (looking->look_begun == 0) {
		looking->look_begun = looking->begun;
		looking->looked_at = 0;
	}
	error = host_survey_only(looking->registry->host, name, looking->batch_count, (uid_t)-1, on_survey, looking);
	looking->busy = error == 0;
	return error;
}

/* Surveys the next devices that somebody waits for. */
static void go_on(struct looking *looking)
{
	/* Whoever goes on may ask again: he is seen to below. */
	if (looking->running)
		return;
	looking->running = true;
	while (looking->first && !looking->busy) {
		uint64_t not_before = first_not_before(looking);
		int error = gather(looking, not_before) ? 0 : -ENOMEM;

		if (error == 0 && looking->batch_count > 0)
			error = survey(looking);
		if (looking->busy)
			continue;
		end_look(looking);
		/* Who can't be served at all is told what is known. */
		end_waits(looking, error == 0 ? not_before : UINT64_MAX, error);
	}
	if (!looking->busy)
		looking->look_begun = 0;
	looking->running = false;
}

static int on_time(sd_event_source *timer, uint64_t usec, void *context)
{
	end_wait(context);
	return 0;
}

void looking_ask(struct looking *looking, struct looker *looker, uid_t asker)
{
	uint64_t now = clock_usec(CLOCK_MONOTONIC), rest = rest_of(looking);

	if (host_asks_too_often(looking->registry->host, asker) && rest < OFTEN_USEC)
		rest = OFTEN_USEC;
	looker->not_before = rest < now ? now - rest : 1;
	if (sd_event_add_time_relative(looking->registry->event, &looker->timer, CLOCK_MONOTONIC, LOOK_MAX_USEC, 0, on_time,
				       looker) < 0) {
		looker->short_of_memory = true;
		looker->go_on(looker->context);
		return;
	}
	looker->looking = looking;
	looker->next = looking->first;
	looking->first = looker;
	go_on(looking);
}

void looking_outdate(struct looking *looking, const char *device)
{
	struct seen *seen = name_table_find(&looking->seen, device);

	if (!seen)
		return;
	seen->usec = 0;
	if (topology_find(host_topology(looking->registry->host), device))
		return;
	/* It has gone: so does what is kept of it. */
	for (size_t i = 0; i < looking->batch_count && looking->busy; i++)
		if (looking->batch[i] == seen)
			looking->batch[i] = NULL;
	name_table_remove(&looking->seen, seen->name);
	free(seen->use);
	free(seen);
}

static bool find(void *context, const struct device *device, const struct use **use)
{
	const struct looking *looking = context;
	const struct seen *seen = name_table_find(&looking->seen, device->name);

	*use = seen && seen->usec > 0 ? seen->use : NULL;
	/* What is older than anybody would be told now was seen for a list of long ago. */
	return seen && seen->usec > 0 && clock_usec(CLOCK_MONOTONIC) - seen->usec <= LOOK_MAX_USEC + OFTEN_USEC + rest_of(looking);
}

struct outlook looking_outlook(struct looking *looking, bool to_operator)
{
	return (struct outlook){ .find = find, .context = looking, .policy = looking->registry->policy,
				 .topology = host_topology(looking->registry->host), .to_operator = to_operator };
}
