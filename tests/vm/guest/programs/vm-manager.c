/*
 * A VM manager without any privilege: starts QEMU without a device, claims one through ioasidd and plugs it in with the
 * FDs that it gets, adds a second one to the claim and to the running guest, unplugs it and gives it back, then the
 * rest. QEMU is told over QMP: getfd, object-add, device_add, device_del.
 *
 * usage: vm-manager FIRST SECOND -- QEMU ARGUMENT…
 *   FIRST, SECOND   addresses of devices that the guest reports by a line "NESTED-DMA nvme"
 *   QEMU            has to have "-chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control", root ports "hot1" and
 *                   "hot2", its guest's console as stdout, and a guest with rig.stay
 */
#include "rig.h"

#include "../../../../include/ioasid.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QMP_FD = 3, LINE_SIZE = 8192, PATIENCE_MSEC = 400000 };

/* Lines that come from QEMU: its guest's console, or QMP. */
struct lines {
	int fd;
	const char *name;
	char text[LINE_SIZE];
	size_t length;
};

static struct lines console = { .name = "console" }, qmp = { .name = "QMP" };

static void print_failure(struct ioasid *connection, const char *what)
{
	die("%s: %s", what, ioasid_error_message(connection));
}

/* The next whole line, without its end; it is valid until the next call. NULL: there is none yet. */
static char *take_line(struct lines *lines)
{
	static char line[LINE_SIZE];
	char *end = memchr(lines->text, '\n', lines->length);
	size_t taken = end ? (size_t)(end - lines->text) : 0;

	if (!end)
		return NULL;
	memcpy(line, lines->text, taken);
	line[taken] = '\0';
	lines->length -= taken + 1;
	memmove(lines->text, end + 1, lines->length);
	return line;
}

static void read_more(struct lines *lines)
{
	ssize_t got;

	if (lines->length == sizeof(lines->text))
		die("a line of %s is too long", lines->name);
	got = read(lines->fd, lines->text + lines->length, sizeof(lines->text) - lines->length);
	if (got <= 0)
		die("QEMU has ended");
	lines->length += (size_t)got;
}

/* Waits for a line with this text in it; others are printed only. */
static void wait_for(struct lines *lines, const char *text)
{
	for (;;) {
		struct pollfd wait = { .fd = lines->fd, .events = POLLIN };
		char *line;

		while ((line = take_line(lines))) {
			printf("%s: %s\n", lines->name, line);
			fflush(stdout);
			if (strstr(line, text))
				return;
			if (lines == &qmp && strncmp(line, "{\"error\"", 8) == 0)
				die("QEMU refuses: %s", line);
			if (strstr(line, "NESTED-FAILED"))
				die("the guest has failed");
		}
		if (poll(&wait, 1, PATIENCE_MSEC) != 1)
			die("'%s' did not come", text);
		read_more(lines);
	}
}

/* A command of QMP, with an FD if fd is not -1; waits until it is done. */
static void ask_qemu(const char *command, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *)command, .iov_len = strlen(command) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	printf("QMP< %s\n", command);
	fflush(stdout);
	if (sendmsg(qmp.fd, &message, MSG_NOSIGNAL) != (ssize_t)part.iov_len)
		die_errno("QMP");
	wait_for(&qmp, "\"return\"");
}

static void plug(const char *id, int fd, const char *port)
{
	char command[512];

	snprintf(command, sizeof(command), "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"fd-%s\"}}", id);
	ask_qemu(command, fd);
	snprintf(command, sizeof(command),
		 "{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"vfio-pci\",\"id\":\"%s\",\"bus\":\"%s\","
		 "\"iommufd\":\"i\",\"fd\":\"fd-%s\"}}",
		 id, port, id);
	ask_qemu(command, -1);
	wait_for(&console, "NESTED-DMA nvme");
}

static pid_t start_qemu(char **command)
{
	int pair[2], output[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || pipe(output) < 0)
		die_errno("a socket and a pipe for QEMU");
	pid = fork();
	if (pid < 0)
		die_errno("fork");
	if (pid == 0) {
		dup2(output[1], STDOUT_FILENO);
		close(output[0]);
		close(output[1]);
		if (pair[1] != QMP_FD)
			dup2(pair[1], QMP_FD);
		execvp(command[0], command);
		die_errno("%s", command[0]);
	}
	close(output[1]);
	close(pair[1]);
	console.fd = output[0];
	qmp.fd = pair[0];
	return pid;
}

int main(int argc, char **argv)
{
	struct ioasid_claim *claim;
	struct ioasid *connection;
	const char *first, *second;
	int status;
	pid_t qemu;

	if (argc < 5 || strcmp(argv[3], "--") != 0)
		die("usage: vm-manager FIRST SECOND -- QEMU ARGUMENT…");
	first = argv[1];
	second = argv[2];
	if (ioasid_connect(NULL, &connection) < 0)
		print_failure(connection, "ioasidd");
	qemu = start_qemu(argv + 4);
	wait_for(&qmp, "\"QMP\"");
	ask_qemu("{\"execute\":\"qmp_capabilities\"}", -1);
	wait_for(&console, "NESTED-END");

	if (ioasid_claim(connection, &first, 1, "open", &claim) < 0)
		print_failure(connection, first);
	/* The limit that the claim raised is this process's; what QEMU maps counts against QEMU's. */
	ask_qemu("{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"fd-i\"}}", ioasid_claim_iommufd(claim));
	ask_qemu("{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"iommufd\",\"id\":\"i\",\"fd\":\"fd-i\"}}",
		 -1);
	plug("d1", ioasid_claim_device_fd(claim, first), "hot1");

	if (ioasid_claim_add(connection, claim, second) < 0)
		print_failure(connection, second);
	plug("d2", ioasid_claim_device_fd(claim, second), "hot2");

	ask_qemu("{\"execute\":\"device_del\",\"arguments\":{\"id\":\"d2\"}}", -1);
	wait_for(&qmp, "\"DEVICE_DELETED\"");
	if (ioasid_claim_remove(connection, claim, second) < 0)
		print_failure(connection, "RemoveDevice");
	printf("REMOVED %s\n", second);

	ask_qemu("{\"execute\":\"quit\"}", -1);
	if (waitpid(qemu, &status, 0) != qemu || status != 0)
		die("QEMU ended with status %d", status);
	if (ioasid_claim_release(connection, claim) < 0)
		print_failure(connection, "Release");
	ioasid_disconnect(connection);
	return EXIT_SUCCESS;
}
