#include "worker.h"

#include "../../base/clock.h"
#include "../../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* FDs are moved out of the way up here before they get their places. */
enum { FREE_FD = 16, YOUNG_MSEC = 1000 };

/* In the new process: only async-signal-safe calls, and no way back. */
static void become(const char *role, int socket, int program, int policy)
{
	char *arguments[] = { (char *)"ioasid-executor", (char *)role, NULL };
	/* Of the environment only what log lines need. */
	char *claim_files = getenv("JOURNAL_STREAM");
	char *environment[] = { claim_files ? claim_files - sizeof("JOURNAL_STREAM=") + 1 : NULL, NULL };

	socket = fcntl(socket, F_DUPFD, FREE_FD);
	policy = policy >= 0 ? fcntl(policy, F_DUPFD, FREE_FD) : -1;
	program = fcntl(program, F_DUPFD, FREE_FD);
	if (socket < 0 || program < 0 || dup2(socket, WORKER_SOCKET_FD) < 0 ||
	    (policy >= 0 && dup2(policy, WORKER_POLICY_FD) < 0))
		_exit(EXIT_FAILURE);
	close_range(policy >= 0 ? WORKER_POLICY_FD + 1 : WORKER_SOCKET_FD + 1, (unsigned)program - 1, 0);
	close_range((unsigned)program + 1, UINT_MAX, 0);
	fcntl(program, F_SETFD, FD_CLOEXEC);
	execveat(program, "", arguments, environment, AT_EMPTY_PATH);
	_exit(EXIT_FAILURE);
}

int worker_start(struct worker *worker, enum worker_role role, int program, int policy)
{
	char argument[64];
	int pair[2];
	pid_t pid;

	snprintf(argument, sizeof(argument), "--worker=%s", worker_role_to_string(role));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	autoclose int own = pair[0], other = pair[1];

	/* The worker's end blocks: it has nothing else to do. */
	if (fcntl(own, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(argument, other, program, policy);
	*worker = (struct worker){ .socket = descriptor_take(&own), .pid = pid, .started = clock_milliseconds() };
	return 0;
}

void worker_end(struct worker *worker)
{
	descriptor_close(&worker->socket);
	worker->pid = 0;
}

void worker_kill(struct worker *worker)
{
	if (worker->pid > 0)
		kill(worker->pid, SIGKILL);
	worker_end(worker);
}

bool worker_is_young(const struct worker *worker)
{
	return clock_milliseconds() - worker->started < YOUNG_MSEC;
}
