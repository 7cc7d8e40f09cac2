/*
 * Which process runs in which systemd unit of the simulated host: there is no service manager here, so tests say it.
 */
#pragma once

#include "../../include/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct unit_member {
	pid_t pid;
	char unit[UNIT_NAME_MAX];
};

/* All zero: there is no service manager. */
struct units {
	struct unit_member *member;
	size_t count;
};

/* The process is in this unit from now on. 0, -ENOMEM. */
int units_put(struct units *units, pid_t pid, const char *unit);
/* The unit of a process, as was said, or else as its control group says; leaf: else that group's last part. Returns
 * out. */
const char *units_find(const struct units *units, pid_t pid, bool leaf, char out[static UNIT_NAME_MAX]);
void units_done(struct units *units);
