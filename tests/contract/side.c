#include "side.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Far above what anything here takes, on a machine that is busy with other things too. */
enum { PATIENCE_MILLISECONDS = 60000 };

void bail_out(const char *format, ...)
{
	va_list arguments;

	fputs("Bail out! ", stdout);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	fputs("\n", stdout);
	fflush(stdout);
	exit(1);
}

/* What comes next. 1: a message; 0: the other side has closed. */
static int receive(struct side *side, union wire_message *message, struct descriptors *fds)
{
	struct pollfd wire = { .fd = side->wire, .events = POLLIN };
	int got;

	if (poll(&wire, 1, PATIENCE_MILLISECONDS) <= 0)
		bail_out("the other side says nothing for %d s", PATIENCE_MILLISECONDS / 1000);
	got = wire_receive(side->wire, message, fds);
	/* A peer that ended with messages unread shows as a reset. */
	if (got == -ECONNRESET)
		return 0;
	if (got < 0)
		bail_out("the other side sent what is no message of the wire: %s", strerror(-got));
	return got;
}

/* What comes next that is no event. Events go to the topology. */
static void receive_answer(struct side *side, union wire_message *message, struct descriptors *fds)
{
	for (;;) {
		if (receive(side, message, fds) == 0)
			bail_out("the other side has closed the wire");
		if (message->header.type == WIRE_DEVICE && message->header.id == 0) {
			if (topology_put(side->topology, &message->device.device) < 0)
				bail_out("out of memory");
		} else if (message->header.type == WIRE_DEVICE_GONE && message->header.id == 0) {
			topology_remove(side->topology, message->device_gone.name);
		} else {
			return;
		}
	}
}

static void start_program(struct side *side, const char *command, const char *policy_folder)
{
	char line[4096];
	int pair[2];

	snprintf(line, sizeof(line), "exec %s --policy-dir %s", command, policy_folder);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bail_out("socketpair: %s", strerror(errno));
	fflush(stdout);
	side->pid = fork();
	if (side->pid < 0)
		bail_out("fork: %s", strerror(errno));
	if (side->pid == 0) {
		/* dup2() of an FD to itself would leave it closed on exec. */
		int wire = fcntl(pair[1], F_DUPFD, WIRE_FD + 1);

		if (dup2(wire, WIRE_FD) == WIRE_FD) {
			close(wire);
			/* Standard output is the TAP stream. */
			dup2(STDERR_FILENO, STDOUT_FILENO);
			execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		}
		_exit(127);
	}
	close(pair[1]);
	side->wire = pair[0];
}

void side_start(struct side *side, const char *command, const char *policy_folder)
{
	union wire_message message;
	struct descriptors fds = { .count = 0 };

	memset(side, 0, sizeof(*side));
	side->topology = topology_new();
	side->surveyed = topology_new();
	if (!side->topology || !side->surveyed)
		bail_out("out of memory");
	start_program(side, command, policy_folder);
	if (receive(side, &message, &fds) == 0)
		bail_out("the other side has closed the wire without a word");
	if (message.header.type != WIRE_HELLO)
		bail_out("the other side does not begin with WIRE_HELLO but with %u", message.header.type);
	side->hello = message.hello;
	receive_answer(side, &message, &fds);
	if (message.header.type != WIRE_TOPOLOGY_DONE)
		bail_out("the topology is interrupted by a message of type %u", message.header.type);
}

static int wait_for_program(struct side *side)
{
	struct pollfd program = { .fd = pidfd_open(side->pid, 0), .events = POLLIN };
	int status;

	if (poll(&program, 1, PATIENCE_MILLISECONDS) <= 0) {
		kill(side->pid, SIGKILL);
		bail_out("the wire is closed, and the program goes on for %d s", PATIENCE_MILLISECONDS / 1000);
	}
	close(program.fd);
	if (waitpid(side->pid, &status, 0) != side->pid)
		bail_out("waitpid: %s", strerror(errno));
	topology_free(side->topology);
	topology_free(side->surveyed);
	uses_done(&side->uses);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int side_stop(struct side *side)
{
	close(side->wire);
	return wait_for_program(side);
}

bool side_has_closed(struct side *side)
{
	union wire_message message;
	struct descriptors fds = { .count = 0 };
	int got;

	/* Events that were under way may come before the end. */
	do {
		got = receive(side, &message, &fds);
	} while (got > 0 && (message.header.type == WIRE_DEVICE || message.header.type == WIRE_DEVICE_GONE));
	descriptors_close(&fds);
	close(side->wire);
	wait_for_program(side);
	return got == 0;
}

int side_survey(struct side *side, const char *const *device, size_t count)
{
	union wire_message message;
	struct descriptors fds = { .count = 0 };
	uint64_t id = ++side->last_id;
	size_t answered = 0;

	memset(&message.survey, 0, sizeof(message.survey));
	message.survey.count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		snprintf(message.survey.device[i], DEVICE_NAME_MAX, "%s", device[i]);
	wire_stamp(&message, WIRE_SURVEY, id);
	if (wire_send(side->wire, &message, NULL, 0) < 0)
		bail_out("a survey can't be sent");
	uses_done(&side->uses);
	topology_clear(side->surveyed);
	side->unknown[0] = '\0';
	for (;;) {
		receive_answer(side, &message, &fds);
		if (message.header.id != id)
			bail_out("an answer to %llu while %llu is asked", (unsigned long long)message.header.id,
				 (unsigned long long)id);
		if (message.header.type == WIRE_SURVEY_DONE)
			break;
		if (message.header.type == WIRE_DEVICE) {
			topology_put(side->topology, &message.device.device);
			topology_put(side->surveyed, &message.device.device);
			answered++;
		} else if (message.header.type == WIRE_DEVICE_GONE) {
			topology_remove(side->topology, message.device_gone.name);
			memcpy(side->unknown, message.device_gone.name, sizeof(side->unknown));
			answered++;
		} else if (message.header.type == WIRE_USE) {
			uses_add(&side->uses, &message.use.use);
		} else {
			bail_out("a message of type %u in the middle of a survey", message.header.type);
		}
	}
	if (answered != count)
		bail_out("a survey of %zu devices was answered for %zu", count, answered);
	return message.survey_done.error;
}

uint64_t side_send_plan(struct side *side, enum wire_plan_kind kind, uint64_t digest, const struct plan *plan,
			const struct wire_enclosure *enclosure)
{
	uint64_t id = ++side->last_id;
	int error = wire_send_plan(side->wire, id, kind, digest, plan, enclosure);

	if (error < 0)
		bail_out("a plan can't be sent: %s", strerror(-error));
	return id;
}

struct result side_await_result(struct side *side, uint64_t id)
{
	struct result result = { .fds.count = 0 };
	union wire_message message;

	receive_answer(side, &message, &result.fds);
	if (message.header.type != WIRE_RESULT || message.header.id != id)
		bail_out("a message of type %u for %llu instead of the result of %llu", message.header.type,
			 (unsigned long long)message.header.id, (unsigned long long)id);
	result.wire = message.result;
	return result;
}

bool side_await_node_gone(struct side *side, const char *device)
{
	union wire_message message;
	struct descriptors fds = { .count = 0 };

	while (receive(side, &message, &fds) > 0 && message.header.type == WIRE_DEVICE && message.header.id == 0) {
		const struct device *told = &message.device.device;

		topology_put(side->topology, told);
		if (strcmp(told->name, device) == 0 && !*told->vfio_node)
			return true;
	}
	descriptors_close(&fds);
	return false;
}

struct wire_policy side_reload(struct side *side)
{
	union wire_message message;
	struct descriptors fds = { .count = 0 };
	uint64_t id = ++side->last_id;

	wire_stamp(&message, WIRE_RELOAD, id);
	if (wire_send(side->wire, &message, NULL, 0) < 0)
		bail_out("WIRE_RELOAD can't be sent");
	receive_answer(side, &message, &fds);
	if (message.header.type != WIRE_POLICY || message.header.id != id)
		bail_out("WIRE_RELOAD is answered with a message of type %u", message.header.type);
	return message.policy;
}

/* Sends a question of one message. Returns its id. */
static uint64_t ask(struct side *side, union wire_message *message, enum wire_type type, int fd)
{
	wire_stamp(message, type, ++side->last_id);
	if (wire_send(side->wire, message, &fd, fd >= 0 ? 1 : 0) < 0)
		bail_out("a message of type %d can't be sent", type);
	return side->last_id;
}

static void receive_for(struct side *side, uint64_t id, union wire_message *message)
{
	struct descriptors fds = { .count = 0 };

	receive_answer(side, message, &fds);
	if (message->header.id != id || fds.count > 0)
		bail_out("an answer to %llu, with %zu FDs, while %llu is asked", (unsigned long long)message->header.id,
			 fds.count, (unsigned long long)id);
}

void side_audit(struct side *side, int context, struct audited *out)
{
	union wire_message message;
	uint64_t id;

	memset(&message.audit, 0, sizeof(message.audit));
	memset(out, 0, sizeof(*out));
	if (context >= 0) {
		message.audit.count = 1;
		message.audit.context[0].fd = context;
		strcpy(message.audit.context[0].claim, "one");
	}
	id = ask(side, &message, WIRE_AUDIT, -1);
	for (;;) {
		receive_for(side, id, &message);
		if (message.header.type == WIRE_AUDIT_DONE)
			break;
		if (message.header.type == WIRE_HOLD && out->hold_count < 64)
			out->hold[out->hold_count++] = message.hold.hold;
		else if (message.header.type == WIRE_NODE_ACCESS && out->access_count < 64)
			out->access[out->access_count++] = message.node_access.access;
		else
			bail_out("a message of type %u in the middle of an audit", message.header.type);
	}
	out->done = message.audit_done;
}

int side_record(struct side *side, const struct audit_record *record)
{
	union wire_message message;
	uint64_t id;

	memset(&message.record, 0, sizeof(message.record));
	message.record.record = *record;
	id = ask(side, &message, WIRE_RECORD, -1);
	receive_for(side, id, &message);
	if (message.header.type != WIRE_RECORDED)
		bail_out("a record is answered with a message of type %u", message.header.type);
	return message.recorded.error;
}

struct wire_stopped side_stop_other(struct side *side, const struct wire_stop *question, int pidfd)
{
	union wire_message message;
	uint64_t id;

	message.stop = *question;
	id = ask(side, &message, WIRE_STOP, pidfd);
	receive_for(side, id, &message);
	if (message.header.type != WIRE_STOPPED)
		bail_out("a stop is answered with a message of type %u", message.header.type);
	return message.stopped;
}

void side_send_bytes(struct side *side, const void *bytes, size_t size, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .room = { 0 } };
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		packet.msg_control = control.room;
		packet.msg_controllen = sizeof(control.room);
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
	}
	if (sendmsg(side->wire, &packet, MSG_NOSIGNAL) < 0)
		bail_out("%zu bytes can't be sent: %s", size, strerror(errno));
}
