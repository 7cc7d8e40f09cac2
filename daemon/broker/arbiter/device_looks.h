/*
 * What the host does with the devices that no claim has, as lists tell it: asks the executor for surveys of all of
 * them, some at a time, for as many as ask at once together, and keeps what stands against each. Decides nothing: a
 * plan asks anew.
 */
#pragma once

#include "../core/registry.h"

#include "../../../policy/decide/availability.h"

struct device_looks;

/* Who waits for a look: all zero waits for none. */
struct looker {
	struct device_looks *looks; /* NULL: it does not wait */
	struct looker *next;
	uint64_t not_before; /* what was seen before is too old for it; CLOCK_MONOTONIC microseconds */
	sd_event_source *timer;
	bool short_of_memory; /* told with go_on: what there is to be told is not whole */
	void (*go_on)(void *context);
	void *context;
};

/* NULL: out of memory. registry lives as long. */
struct device_looks *device_looks_new(struct registry *registry);
struct device_looks *device_looks_free(struct device_looks *looks); /* nobody goes on any more */

/*
 * Has all devices looked at that were not lately, then go_on is called: perhaps before this returns, and at the latest
 * after two seconds, with what is known by then. Who asks often gets what was seen a moment ago, as with plans; and on
 * a host that takes long to be looked at nobody has it done all the time. asker: whose question it is.
 */
void device_looks_ask(struct device_looks *looks, struct looker *looker, uid_t asker);
/* It does not wait any more. */
void device_looks_forget(struct looker *looker);
/* The device came, went or changed: what was seen of it is not said any more. */
void device_looks_outdate(struct device_looks *looks, const char *device);
/* What lists may say, until the loop goes on. */
struct outlook device_looks_outlook(struct device_looks *looks, bool to_operator);
