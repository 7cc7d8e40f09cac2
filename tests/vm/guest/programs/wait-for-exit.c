/*
 * Waits until all of the named processes have ended; they need not be children of anybody here.
 *
 * usage: wait-for-exit SECONDS PID…
 * status: 0 all have ended; 1 one has not after SECONDS (told on stderr)
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for(const char *name, uint64_t deadline)
{
	struct pollfd wait = { .events = POLLIN };
	uint64_t now;

	wait.fd = (int)syscall(SYS_pidfd_open, number_of("PID", name, INT32_MAX), 0);
	if (wait.fd < 0) {
		/* EINVAL: it is half gone, no process any more but not forgotten yet. */
		if (errno == ESRCH || errno == EINVAL)
			return;
		die_errno("process %s", name);
	}
	for (;;) {
		now = now_us();
		if (now >= deadline)
			die("process %s is still there", name);
		if (poll(&wait, 1, (int)((deadline - now) / 1000) + 1) > 0)
			break;
	}
	close(wait.fd);
}

int main(int argc, char **argv)
{
	uint64_t deadline;
	int i;

	if (argc < 2)
		die("usage: wait-for-exit SECONDS PID…");
	deadline = now_us() + number_of("SECONDS", argv[1], 3600) * 1000000;
	for (i = 2; i < argc; i++)
		wait_for(argv[i], deadline);
	return 0;
}
