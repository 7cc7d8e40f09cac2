#include "stopper.h"

#include "../../../policy/util/text.h"
#include "../../base/log.h"
#include "../os/process.h"
#include "stop_unit.h"
#include "../../base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

/* True if the process ends within the time. */
static bool ends_within(int pidfd, unsigned milliseconds)
{
	uint64_t begun = clock_milliseconds(), passed = 0;

	while (passed < milliseconds) {
		struct pollfd state = { .fd = pidfd, .events = POLLIN };

		if (poll(&state, 1, (int)(milliseconds - passed)) > 0)
			return true;
		passed = clock_milliseconds() - begun;
	}
	return false;
}

/* 0: it has ended; 1: it stays; -errno: it can't be signalled. */
static int end_process(int pidfd)
{
	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0)
		return errno == ESRCH ? 0 : -errno;
	/* One that is stopped has to run to end. */
	pidfd_send_signal(pidfd, SIGCONT, NULL, 0);
	if (ends_within(pidfd, WIRE_STOP_END_MSEC))
		return 0;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return -errno;
	return ends_within(pidfd, WIRE_STOP_KILL_MSEC) ? 0 : 1;
}

static void stop_process(const struct wire_stop *stop, int pidfd, struct wire_stopped *out)
{
	int left = end_process(pidfd);

	out->outcome = left == 0 ? WIRE_STOP_GONE : left > 0 ? WIRE_STOP_STAYS : WIRE_STOP_FAILED;
	if (left > 0)
		text_format(out->text, sizeof(out->text),
			    "the process [%d] was killed but still exists: it hangs in the kernel", stop->pid);
	if (left < 0) {
		out->error = -left;
		text_format(out->text, sizeof(out->text), "failed to stop the process [%d]: %s", stop->pid,
			    strerror(-left));
	}
}

static int serve(int socket)
{
	autoclose_list struct descriptors fds = { .count = 0 };
	union wire_message question, answer;
	int error = wire_receive(socket, &question, &fds);

	if (error <= 0)
		return error;
	if (question.header.type != WIRE_STOP)
		return -EBADMSG;
	memset(&answer.stopped, 0, sizeof(answer.stopped));
	if (question.stop.what == REVOKE_STOP_PROCESS && fds.count == 1)
		stop_process(&question.stop, fds.fd[0], &answer.stopped);
	else if (question.stop.what == REVOKE_STOP_UNIT)
		stop_unit(question.stop.unit, &answer.stopped);
	else
		return -EBADMSG;
	wire_stamp(&answer, WIRE_STOPPED, question.header.id);
	return wire_send(socket, &answer, NULL, 0);
}

int stopper_main(int socket)
{
	int error = serve(socket);

	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return EXIT_SUCCESS;
	log_error("the stopper ends: %s", strerror(-error));
	return EXIT_FAILURE;
}
