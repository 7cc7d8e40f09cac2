#include "device_looks.h"

#include "../../../policy/util/name_table.h"
#include "../../../policy/util/text.h"
#include "../../base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BATCH = 64, /* devices of one survey: few enough that plans and claims do not wait long behind it */
	REST = 10,  /* after a look at the whole host, this many times what it took */
};

#define LOOK_MAX_USEC (2 * 1000 * 1000ULL) /* that somebody waits */
#define OFTEN_USEC (2 * 1000 * 1000ULL)    /* how old what is told may be for somebody who asks often */
#define SHORT_LOOK_USEC (20 * 1000ULL)     /* one that takes no longer needs no rest */

/* What was seen of a device. */
struct seen {
	char name[DEVICE_NAME_MAX];
	uint64_t usec;   /* when it was asked for; 0: not yet, or it has changed since */
	struct use *use; /* what stands against taking it; NULL: nothing */
};

struct device_looks {
	struct registry *registry;
	struct name_table seen;
	struct looker *first;
	bool busy;                 /* a survey is under way */
	bool running;              /* go_on() is */
	struct seen *batch[BATCH]; /* its devices; NULL: changed meanwhile */
	size_t batch_count;
	uint64_t begun;        /* when the survey was asked for */
	uint64_t look_begun;   /* when the first of this look was; 0: none is under way */
	size_t looked_at;      /* devices of it */
	uint64_t usec_for_all; /* what a look at all devices takes, by the last */
};

struct device_looks *device_looks_new(struct registry *registry)
{
	struct device_looks *looks = calloc(1, sizeof(*looks));

	if (looks)
		looks->registry = registry;
	return looks;
}

struct device_looks *device_looks_free(struct device_looks *looks)
{
	if (!looks)
		return NULL;
	while (looks->first)
		device_looks_forget(looks->first);
	if (looks->registry->host)
		host_forget_survey(looks->registry->host, looks);
	for (size_t i = 0; i < looks->seen.allocated; i++) {
		struct seen *seen = looks->seen.slot[i].name ? looks->seen.slot[i].value : NULL;

		if (seen)
			free(seen->use);
		free(seen);
	}
	name_table_done(&looks->seen);
	free(looks);
	return NULL;
}

void device_looks_forget(struct looker *looker)
{
	struct looker **link;

	if (!looker->looks)
		return;
	for (link = &looker->looks->first; *link != looker;)
		link = &(*link)->next;
	*link = looker->next;
	looker->looks = NULL;
	looker->timer = sd_event_source_disable_unref(looker->timer);
}

static void end_wait(struct looker *looker)
{
	device_looks_forget(looker);
	looker->go_on(looker->context);
}

/* Of one that is new, a place for it. NULL: out of memory. */
static struct seen *seen_of(struct device_looks *looks, const char *name)
{
	struct seen *seen = name_table_find(&looks->seen, name);

	if (seen)
		return seen;
	seen = calloc(1, sizeof(*seen));
	if (!seen)
		return NULL;
	text_format(seen->name, sizeof(seen->name), "%s", name);
	if (name_table_add(&looks->seen, seen->name, seen) == 0)
		return seen;
	free(seen);
	return NULL;
}

/* How old what is told may be, in general. */
static uint64_t rest_of(const struct device_looks *looks)
{
	return looks->usec_for_all > SHORT_LOOK_USEC ? REST * looks->usec_for_all : 0;
}

/* Gathers the next devices that were not seen since then. False: out of memory. */
static bool gather(struct device_looks *looks, uint64_t not_before)
{
	const struct registry *registry = looks->registry;
	const struct device *device;
	size_t cursor = 0;

	looks->batch_count = 0;
	while (looks->batch_count < BATCH && (device = topology_each(host_topology(registry->host), &cursor))) {
		struct seen *seen;

		/* Bridges are never claimed, and what a claim has is told by its state. */
		if (device_is_bridge(device) || ledger_owner(registry->ledger, device->name, NULL))
			continue;
		seen = seen_of(looks, device->name);
		if (!seen)
			return false;
		if (seen->usec < not_before)
			looks->batch[looks->batch_count++] = seen;
	}
	return true;
}

/* Those go on who are content with what was seen since then. error: 0, or -errno of looking. */
static void end_waits(struct device_looks *looks, uint64_t since, int error)
{
	struct looker *looker = looks->first;

	while (looker) {
		if (looker->not_before > since) {
			looker = looker->next;
			continue;
		}
		looker->short_of_memory = error == -ENOMEM;
		end_wait(looker);
		/* Anybody may have come or gone. */
		looker = looks->first;
	}
}

/* The look is over: what one at all devices takes is known. */
static void end_look(struct device_looks *looks)
{
	if (looks->look_begun > 0 && looks->looked_at > 0)
		looks->usec_for_all = (clock_usec(CLOCK_MONOTONIC) - looks->look_begun) *
				      topology_count(host_topology(looks->registry->host)) / looks->looked_at;
	looks->look_begun = 0;
}

static void go_on(struct device_looks *looks);

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
	struct device_looks *looks = context;

	looks->busy = false;
	for (size_t i = 0; i < looks->batch_count && error == 0; i++)
		if (looks->batch[i])
			keep(looks->batch[i], uses, looks->begun);
	looks->looked_at += looks->batch_count;
	if (error != 0)
		end_waits(looks, looks->begun, -error);
	go_on(looks);
}

/* What the longest wait is for. */
static uint64_t first_not_before(const struct device_looks *looks)
{
	uint64_t first = looks->first->not_before;

	for (const struct looker *looker = looks->first; looker; looker = looker->next)
		if (looker->not_before < first)
			first = looker->not_before;
	return first;
}

/* Has the devices of the batch surveyed. 0, -ENOMEM, -EPIPE. */
static int survey(struct device_looks *looks)
{
	const char *name[BATCH];
	int error;

	for (size_t i = 0; i < looks->batch_count; i++)
		name[i] = looks->batch[i]->name;
	looks->begun = clock_usec(CLOCK_MONOTONIC);
	if (looks->look_begun == 0) {
		looks->look_begun = looks->begun;
		looks->looked_at = 0;
	}
	error = host_survey_only(looks->registry->host, name, looks->batch_count, (uid_t)-1, on_survey, looks);
	looks->busy = error == 0;
	return error;
}

/* Surveys the next devices that somebody waits for. */
static void go_on(struct device_looks *looks)
{
	/* Whoever goes on may ask again: he is seen to below. */
	if (looks->running)
		return;
	looks->running = true;
	while (looks->first && !looks->busy) {
		uint64_t not_before = first_not_before(looks);
		int error = gather(looks, not_before) ? 0 : -ENOMEM;

		if (error == 0 && looks->batch_count > 0)
			error = survey(looks);
		if (looks->busy)
			continue;
		end_look(looks);
		/* Who can't be served at all is told what is known. */
		end_waits(looks, error == 0 ? not_before : UINT64_MAX, error);
	}
	if (!looks->busy)
		looks->look_begun = 0;
	looks->running = false;
}

static int on_time(sd_event_source *timer, uint64_t usec, void *context)
{
	end_wait(context);
	return 0;
}

void device_looks_ask(struct device_looks *looks, struct looker *looker, uid_t asker)
{
	uint64_t now = clock_usec(CLOCK_MONOTONIC), rest = rest_of(looks);

	if (host_asks_too_often(looks->registry->host, asker) && rest < OFTEN_USEC)
		rest = OFTEN_USEC;
	looker->not_before = rest < now ? now - rest : 1;
	if (sd_event_add_time_relative(looks->registry->event, &looker->timer, CLOCK_MONOTONIC, LOOK_MAX_USEC, 0,
				       on_time, looker) < 0) {
		looker->short_of_memory = true;
		looker->go_on(looker->context);
		return;
	}
	looker->looks = looks;
	looker->next = looks->first;
	looks->first = looker;
	go_on(looks);
}

void device_looks_outdate(struct device_looks *looks, const char *device)
{
	struct seen *seen = name_table_find(&looks->seen, device);

	if (!seen)
		return;
	seen->usec = 0;
	if (topology_find(host_topology(looks->registry->host), device))
		return;
	/* It has gone: so does what is kept of it. */
	for (size_t i = 0; i < looks->batch_count && looks->busy; i++)
		if (looks->batch[i] == seen)
			looks->batch[i] = NULL;
	name_table_remove(&looks->seen, seen->name);
	free(seen->use);
	free(seen);
}

static bool find(void *context, const struct device *device, const struct use **use)
{
	const struct device_looks *looks = context;
	const struct seen *seen = name_table_find(&looks->seen, device->name);

	*use = seen && seen->usec > 0 ? seen->use : NULL;
	/* What is older than anybody would be told now was seen for a list of long ago. */
	return seen && seen->usec > 0 &&
	       clock_usec(CLOCK_MONOTONIC) - seen->usec <= LOOK_MAX_USEC + OFTEN_USEC + rest_of(looks);
}

struct outlook device_looks_outlook(struct device_looks *looks, bool to_operator)
{
	return (struct outlook){ .find = find,
				 .context = looks,
				 .policy = looks->registry->policy,
				 .topology = host_topology(looks->registry->host),
				 .to_operator = to_operator };
}
