/*
 * The main process's side of the watcher: passes its news on to the broker, and starts another if it is lost, so that
 * the broker never notices.
 */
#pragma once

#include "supervisor.h"
#include "binder_pool.h"
#include "../workers/known_devices.h"

struct watcher_link {
	struct supervisor *supervisor;
	struct binder_pool *pool; /* told of udev's work on nodes */
	struct worker worker;
	struct known_devices known; /* what the broker was told of */
	bool listed;                /* all devices were told once */
	bool complete;              /* and the broker knows that */
};

int watcher_link_start(struct watcher_link *link, struct supervisor *supervisor,
		       struct binder_pool *pool); /* 0 or -errno */
/* The watcher's socket is readable. */
void watcher_link_readable(struct watcher_link *link);
/* Tells the broker that it knows all devices, as soon as it does: when all workers are ready. */
void watcher_link_complete(struct watcher_link *link);
void watcher_link_end(struct watcher_link *link);
