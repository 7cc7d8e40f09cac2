/*
 * Gives devices to a Cloud Hypervisor that runs, as its API wants them: an HTTP request over its socket with the
 * device's descriptor attached (SCM_RIGHTS). Shows, too, how a program of libioasid does it: it knows no ioasidctl.
 *
 *	send-device API ID FD                            sends a descriptor that was inherited
 *	hotplug IOASIDD API ID FIRST SECOND COMMAND...   claims FIRST, starts COMMAND with it, adds SECOND when a line
 *	                                                 comes in on standard input, and removes it at the next
 *
 * In COMMAND's arguments the iommufd is 3 and FIRST is 4.
 */
#include "../../include/ioasid.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "%s is too long", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", path);
	return fd;
}

/* One PUT with a JSON body, and with a descriptor unless fd is -1. Returns the answer's HTTP status. */
static int put(const char *api, const char *method, const char *body, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .room = { 0 } };
	char request[1024], answer[1024];
	struct iovec part = { .iov_base = request };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int socket = connect_to(api), status = 0;
	ssize_t length;

	part.iov_len = (size_t)snprintf(request, sizeof(request),
					"PUT /api/v1/%s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
					"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
					method, strlen(body), body);
	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
							     .cmsg_type = SCM_RIGHTS,
							     .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(fd));
	}
	if (sendmsg(socket, &message, MSG_NOSIGNAL) != (ssize_t)part.iov_len)
		err(1, "sendmsg");
	length = recv(socket, answer, sizeof(answer) - 1, 0);
	if (length <= 0)
		errx(1, "%s did not answer", api);
	answer[length] = '\0';
	close(socket);
	if (sscanf(answer, "HTTP/1.1 %d", &status) != 1)
		errx(1, "that is no HTTP: %s", answer);
	return status;
}

static int send_device(const char *api, const char *id, int fd)
{
	char body[256];
	int status;

	snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
	status = put(api, "vm.add-device", body, fd);
	if (status != 200 && status != 204)
		errx(1, "%s answered vm.add-device with %d", api, status);
	return 0;
}

static pid_t start(char **command, int iommufd, int device)
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int copy[2] = { fcntl(iommufd, F_DUPFD_CLOEXEC, 10), fcntl(device, F_DUPFD_CLOEXEC, 10) };

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, copy[0], 3);
	posix_spawn_file_actions_adddup2(&actions, copy[1], 4);
	errno = posix_spawnp(&child, command[0], &actions, NULL, command, environ);
	if (errno != 0)
		err(1, "%s", command[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(copy[0]);
	close(copy[1]);
	return child;
}

static int hotplug(const char *daemon, const char *api, const char *id, const char *first, const char *second,
		   char **command)
{
	struct ioasid *connection;
	struct ioasid_claim *claim;
	char line[16], body[256];
	pid_t child;
	int status;

	if (ioasid_connect(daemon, &connection) < 0 || ioasid_claim(connection, &first, 1, "open", &claim) < 0)
		errx(1, "%s", ioasid_error_message(connection));
	child = start(command, ioasid_claim_iommufd(claim), ioasid_claim_device_fd(claim, first));
	if (fgets(line, sizeof(line), stdin) == NULL)
		errx(1, "nobody says go on");
	if (ioasid_claim_add(connection, claim, second) < 0)
		errx(1, "%s", ioasid_error_message(connection));
	send_device(api, id, ioasid_claim_device_fd(claim, second));
	puts("added");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		errx(1, "nobody says go on");
	snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
	status = put(api, "vm.remove-device", body, -1);
	if (status != 204)
		errx(1, "%s answered vm.remove-device with %d", api, status);
	if (ioasid_claim_remove(connection, claim, second) < 0)
		errx(1, "%s", ioasid_error_message(connection));
	puts("removed");
	fflush(stdout);
	put(api, "vmm.shutdown", "", -1);
	if (waitpid(child, &status, 0) < 0 || status != 0)
		errx(1, "%s ended with status %d", command[0], status);
	if (ioasid_claim_release(connection, claim) < 0)
		errx(1, "%s", ioasid_error_message(connection));
	ioasid_disconnect(connection);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "send-device") == 0)
		return send_device(argv[2], argv[3], atoi(argv[4]));
	if (argc > 7 && strcmp(argv[1], "hotplug") == 0)
		return hotplug(argv[2], argv[3], argv[4], argv[5], argv[6], argv + 7);
	errx(2, "see the head of its source");
}
