/*
 * The main process's side of the watcher: passes its news on to the broker, and starts another if it is lost, so that the
 * broker never notices.
 */
#pragma once

#include "supervisor.h"
#include "node_grants.h"
#include "../workers/known_devices.h"

struct watching {
	struct crew *crew;
	struct grants *grants;      /* told of udev's work on nodes */
	struct worker worker;
	struct known_devices known; /* what the broker was told of */
	bool listed;                /* all devices were told once */
	bool complete;              /* and the broker knows that */
};

int watching_start(struct watching *watching, struct crew *crew, struct grants *grants); /* 0 or -errno */
/* The watcher's socket is readable. */
void watching_readable(struct watching *watching);
/* Tells the broker that it knows all devices, as soon as it does: when all workers are ready. */
void watching_complete(struct watching *watching);
void watching_end(struct watching *watching);
