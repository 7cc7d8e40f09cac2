#include "memlock_limit.h"

#include "../os/process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* True while the process that the pidfd stands for lives, so that its pid can't mean another. */
static bool peer_lives(const struct run *run)
{
	struct pollfd state = { .fd = run->peer_fd, .events = POLLIN };

	return poll(&state, 1, 0) == 0;
}

/* True if all of its uids are the client's: kernels before 6.5 tell the pid of a client only, which may be reused. */
static bool peer_has_uid(const struct run *run)
{
	unsigned real, effective, saved;
	char path[32], text[64];

	snprintf(path, sizeof(path), "%d/status", run->peer);
	return sysfs_find_line(run->host->proc, path, "Uid:\t", text, sizeof(text)) &&
	       sscanf(text, "%u %u %u", &real, &effective, &saved) == 3 && real == run->peer_uid &&
	       effective == run->peer_uid && saved == run->peer_uid;
}

/* Raises the limit; one that is higher already stays. */
int memlock_limit_raise(struct run *run, const struct step *step)
{
	struct rlimit limit;

	if (run->peer <= 0 || run->peer_fd < 0 || process_of(run->host, run->peer_fd) != run->peer)
		return run_fail(run, -ESRCH, "the client whose memlock limit is to be set is not known");
	/* Whatever rule root has: it has no business with devices. */
	if (run->peer == 1)
		return run_fail(run, -EPERM, "the client can't be the service manager");
	if (!peer_lives(run) || prlimit(run->peer, RLIMIT_MEMLOCK, NULL, &run->limit_before) < 0)
		return run_fail(run, -ESRCH, "the client [%d] has ended", run->peer);
	if (!peer_has_uid(run))
		return run_fail(run, -EPERM, "the client [%d] runs as another user", run->peer);
	limit = run->limit_before;
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < step->number)
		limit.rlim_cur = step->number;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (prlimit(run->peer, RLIMIT_MEMLOCK, &limit, NULL) < 0) {
		int error = -errno;

		return run_fail(run, error, "the memlock limit of the client [%d] can't be set: %s", run->peer,
				strerror(-error));
	}
	run->limit_set = true;
	return peer_lives(run) ? 0 : run_fail(run, -ESRCH, "the client [%d] has ended", run->peer);
}

int memlock_limit_put_back(struct run *run, const struct step *step)
{
	if (!run->limit_set || !peer_lives(run))
		return 0;
	if (prlimit(run->peer, RLIMIT_MEMLOCK, &run->limit_before, NULL) < 0 && errno != ESRCH) {
		int error = -errno;

		return run_fail(run, error, "the memlock limit of the client [%d] can't be put back: %s", run->peer,
				strerror(-error));
	}
	run->limit_set = false;
	return 0;
}
