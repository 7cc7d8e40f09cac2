/*
 * Finds the processes that hold a stand-in, by looking through /proc as the surveyor does on a real host. Reads only;
 * sees no more than this process may see.
 */
#pragma once

#include "machine.h"

struct holder {
	pid_t pid;
	char name[64]; /* of its command, printable */
};

/* Called for each; not 0 ends the search, which returns that. */
typedef int (*holder_found)(void *context, const struct holder *holder);

/* Every process, other than this one, that is seen to have the device's cdev or its group open. 0, or what found()
 * said. */
int holders_find(const struct simulated_device *device, holder_found found, void *context);
