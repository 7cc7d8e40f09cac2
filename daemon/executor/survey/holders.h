/*
 * Which processes have an FD or a mapping of a device. An FD in flight in a socket, one that io_uring keeps, or one in
 * a thread's own table shows nowhere: that nothing was found proves nothing. Looks only; needs CAP_SYS_PTRACE and
 * CAP_DAC_READ_SEARCH.
 */
#pragma once

#include "mappings.h"

/* Called once for each process and target. A negative value ends the search and is returned. */
typedef int (*holder_found)(void *context, const struct holder_target *target, pid_t pid);

/*
 * Looks through all processes. patience limits the waiting for a process that can't be looked at now. 0, what found()
 * returned, -EACCES: processes could not be looked into; or other -errno: incomplete.
 */
int holders_find(const struct host *host, const struct holder_target *target, size_t count,
		 struct timed_call *timed_call, holder_found found, void *context);
