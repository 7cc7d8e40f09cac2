/*
 * Finds the process that holds a stand-in, by looking through /proc as the surveyor does on a real host. Reads only;
 * sees no more than this process may see.
 */
#pragma once

#include "machine.h"

struct holder {
	pid_t pid;
	char name[64]; /* of its command, printable */
};

/* The first process, other than this one, with an open file of the device; false: none that can be seen. */
bool holder_find(const struct simulated_device *device, struct holder *out);
