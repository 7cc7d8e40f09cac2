/*
 * A client of ioasidd's socket without any library: says what its arguments tell it to, in their order, and prints each
 * answer as a line. For what no well-behaved client does.
 *
 * usage: speak-varlink [SOCKET=PATH] ACTION…
 *   say TEXT          sends TEXT and a NUL byte; @CLAIM@ in it is the id in the last answer
 *   say-fd TEXT       the same, with a file descriptor that nobody asked for
 *   babble COUNT      sends COUNT bytes "x", without a NUL
 *   hear              waits for an answer and prints it, with how many FDs came, or "closed"
 *   leave-room COUNT  lowers the limit of open FDs so that COUNT more can be opened
 *   drop              closes all FDs that came
 *   drop-but INDEX    closes all but one of them, counted from 0
 *   hide INDEX        leaves one of them, counted from 0, in flight in a socket of its own, where nobody can see it
 *   touch FILE        makes FILE, for whoever waits for it
 *   wait              until the end of its stdin
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024 * 1024, FDS_MAX = 100 };

static int received[FDS_MAX];
static int received_count;
static char answer[ANSWER_MAX];
static char claim[64];

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		die_errno("socket");
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die_errno("%s", path);
	return fd;
}

/* Sends bytes, with one FD if fd is not negative. The other side may close meanwhile: that is not our failure. */
static void send_bytes(int fd, const char *bytes, size_t length, int carried)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { (void *)bytes, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (carried >= 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &carried, sizeof(int));
	}
	while (part.iov_len > 0) {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return;
		part.iov_base = (char *)part.iov_base + sent;
		part.iov_len -= (size_t)sent;
		message.msg_controllen = 0;
	}
}

static void say(int fd, const char *text, int carried)
{
	static const char sign[] = "@CLAIM@";
	const char *at = strstr(text, sign);
	char *line;

	if (asprintf(&line, "%.*s%s%s", at ? (int)(at - text) : (int)strlen(text), text, at ? claim : "",
		     at ? at + strlen(sign) : "") < 0)
		die_errno("asprintf");
	send_bytes(fd, line, strlen(line) + 1, carried);
	free(line);
}

static void babble(int fd, unsigned long count)
{
	char *bytes = malloc(count);

	if (!bytes)
		die_errno("malloc");
	memset(bytes, 'x', count);
	send_bytes(fd, bytes, count, -1);
	free(bytes);
}

static void remember_claim(void)
{
	const char *at = strstr(answer, "\"claim\":\"");

	if (at && sscanf(at, "\"claim\":\"%63[0-9a-f]", claim) != 1)
		claim[0] = '\0';
}

static void hear(int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control;
	size_t length = 0;
	int fds = 0, cut = 0;

	while (length == 0 || answer[length - 1] != '\0') {
		struct iovec part = { answer + length, 1 };
		struct msghdr message = {
			.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
		};
		ssize_t got;

		/* One byte at a time: what follows this answer is left where it is. */
		part.iov_len = 1;
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
		if (got <= 0) {
			printf("closed\n");
			return;
		}
		cut |= (message.msg_flags & MSG_CTRUNC) != 0;
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
			int count = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			memcpy(received + received_count, CMSG_DATA(h), (size_t)count * sizeof(int));
			received_count += count;
			fds += count;
		}
		length += (size_t)got;
		if (length == ANSWER_MAX)
			die("the answer is too long");
	}
	remember_claim();
	printf("%s\nfds=%d%s\n", answer, fds, cut ? " cut" : "");
	fflush(stdout);
}

static void leave_room(unsigned long count)
{
	int first = open("/dev/null", O_RDONLY);
	struct rlimit limit;

	if (first < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die_errno("RLIMIT_NOFILE");
	close(first);
	limit.rlim_cur = (rlim_t)first + count;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die_errno("RLIMIT_NOFILE");
}

static void drop_but(int kept)
{
	for (int i = 0; i < received_count; i++)
		if (i != kept)
			close(received[i]);
	received_count = 0;
}

/* Both ends stay open until this program ends. */
static void hide(int index)
{
	int pair[2];

	if (index >= received_count || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("nothing to hide");
	send_bytes(pair[0], "x", 1, received[index]);
	close(received[index]);
	received[index] = -1;
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		die_errno("%s", path);
	close(fd);
}

static void wait_for_end(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
}

/* Does one action; returns how many arguments it took beyond its name. */
static int act(int fd, const char *action, const char *argument)
{
	if (strcmp(action, "hear") == 0)
		hear(fd);
	else if (strcmp(action, "drop") == 0)
		drop_but(-1);
	else if (strcmp(action, "wait") == 0)
		wait_for_end();
	else if (!argument)
		die("%s wants an argument", action);
	else if (strcmp(action, "say") == 0)
		say(fd, argument, -1);
	else if (strcmp(action, "say-fd") == 0)
		say(fd, argument, 1);
	else if (strcmp(action, "babble") == 0)
		babble(fd, number_of("COUNT", argument, 100000000));
	else if (strcmp(action, "leave-room") == 0)
		leave_room(number_of("COUNT", argument, 1000));
	else if (strcmp(action, "drop-but") == 0)
		drop_but((int)number_of("INDEX", argument, FDS_MAX));
	else if (strcmp(action, "hide") == 0)
		hide((int)number_of("INDEX", argument, FDS_MAX));
	else if (strcmp(action, "touch") == 0)
		touch(argument);
	else
		die("unknown action %s", action);
	return strcmp(action, "hear") != 0 && strcmp(action, "drop") != 0 && strcmp(action, "wait") != 0;
}

int main(int argc, char **argv)
{
	const char *path = "/run/ioasidd/org.ioasid1";
	int first = 1, fd;

	if (argc > 1 && strncmp(argv[1], "SOCKET=", 7) == 0)
		path = argv[first++] + 7;
	fd = connect_to(path);
	for (int i = first; i < argc; i++)
		i += act(fd, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
	return 0;
}
