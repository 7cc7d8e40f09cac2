#include "memlock_limit.h"

#include "../os/process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* True while the process that the pidfd stands for lives, so that its pid can't mean another. */
static bool peer_lives(const struct plan_context *context)
{
	struct pollfd state = { .fd = context->peer_fd, .events = POLLIN };

	return poll(&state, 1, 0) == 0;
}

/* True if all of its uids are the client's: kernels before 6.5 tell the pid of a client only, which may be reused. */
static bool peer_has_uid(const struct plan_context *context)
{
	unsigned real, effective, saved;
	char path[32], text[64];

	snprintf(path, sizeof(path), "%d/status", context->peer);
	return sysfs_find_line(context->host->proc, path, "Uid:\t", text, sizeof(text)) &&
	       sscanf(text, "%u %u %u", &real, &effective, &saved) == 3 && real == context->peer_uid &&
	       effective == context->peer_uid && saved == context->peer_uid;
}

/* Raises the limit; one that is higher already stays. */
int memlock_limit_raise(struct plan_context *context, uint64_t bytes)
{
	struct rlimit limit;

	if (context->peer <= 0 || context->peer_fd < 0 || process_of(context->host, context->peer_fd) != context->peer)
		return plan_fail(&context->run, -ESRCH, "the client whose memlock limit should be set is unknown");
	/* Whatever rule root has: it has no business with devices. */
	if (context->peer == 1)
		return plan_fail(&context->run, -EPERM, "the client cannot be the service manager");
	if (!peer_lives(context) || prlimit(context->peer, RLIMIT_MEMLOCK, NULL, &context->limit_before) < 0)
		return plan_fail(&context->run, -ESRCH, "the client [%d] has exited", context->peer);
	if (!peer_has_uid(context))
		return plan_fail(&context->run, -EPERM, "the client [%d] runs as another user", context->peer);
	limit = context->limit_before;
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes)
		limit.rlim_cur = bytes;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (prlimit(context->peer, RLIMIT_MEMLOCK, &limit, NULL) < 0) {
		int error = -errno;

		return plan_fail(&context->run, error, "failed to set the memlock limit of the client [%d]: %s",
				 context->peer, strerror(-error));
	}
	context->limit_set = true;
	return peer_lives(context) ? 0 : plan_fail(&context->run, -ESRCH, "the client [%d] has exited", context->peer);
}

int memlock_limit_put_back(struct plan_context *context)
{
	if (!context->limit_set || !peer_lives(context))
		return 0;
	if (prlimit(context->peer, RLIMIT_MEMLOCK, &context->limit_before, NULL) < 0 && errno != ESRCH) {
		int error = -errno;

		return plan_fail(&context->run, error, "failed to restore the memlock limit of the client [%d]: %s",
				 context->peer, strerror(-error));
	}
	context->limit_set = false;
	return 0;
}
