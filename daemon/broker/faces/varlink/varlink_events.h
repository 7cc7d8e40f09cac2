/*
 * News written down as events of org.ioasid1, once as those see it who may see the claim that it is about, and once for
 * all others. Sends nothing.
 */
#pragma once

#include "../../arbiter/arbiter.h"

#include <json-c/json.h>

/* Who may be told an event as it is. */
enum event_audience {
	EVENT_NOBODY,
	EVENT_EVERYBODY,
	EVENT_CLAIM,   /* those who may see the claim */
	EVENT_SUBJECT, /* the user that it happened to, and operators */
};

/* The first event that a watcher gets. */
struct json_object *varlink_event_ready(void);
/* To whom this news is an event; of EVENT_EVERYBODY what only some may see is left out for the others. */
enum event_audience varlink_event_audience(const struct news *news);
/* The event, owned by the caller; of a news that is one. see: for those who may see the claim. */
struct json_object *varlink_event(const struct arbiter *arbiter, const struct news *news, bool see);
/*
 * The event that a device is not what it was, because of what became of the claim that has it (owner; NULL: none has it
 * any more). Owned by the caller; NULL if the device is gone.
 */
struct json_object *varlink_event_device(const struct arbiter *arbiter, const char *name, const struct claim *owner,
					 bool see);
