#include "attach.h"

#include "../../policy/util/json_write.h"
#include "../base/descriptors.h"
#include "../base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return descriptor_take(&fd);
}

/* {"attach": {"policy_dirs": […]}}; whole as json_write.h says. */
static struct json_object *make_command(const char *const *folder, size_t folder_count)
{
	struct json_object *command = json_make_object(), *arguments = json_make_object();
	struct json_object *folders = json_make_array();

	for (size_t i = 0; i < folder_count; i++)
		json_add(folders, json_make_string(folder[i]));
	json_set(arguments, "policy_dirs", folders);
	json_set(command, "attach", arguments);
	return command;
}

static int send_line(int control, const char *text, int wire)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} buffer = { .bytes = { 0 } };
	struct iovec part[] = {
		{ .iov_base = (void *)text, .iov_len = strlen(text) },
		{ .iov_base = (void *)"\n", .iov_len = 1 },
	};
	struct msghdr packet = {
		.msg_iov = part,
		.msg_iovlen = 2,
		.msg_control = buffer.bytes,
		.msg_controllen = sizeof(buffer.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &wire, sizeof(int));
	return sendmsg(control, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Reads the answer's line, then waits for the end of the connection. */
static int wait_for_end(int control)
{
	static const char good[] = "{\"ok\":true}\n";
	char answer[1024];
	size_t length = 0;
	ssize_t got;

	do {
		got = recv(control, answer + length, sizeof(answer) - 1 - length, 0);
		length += got > 0 ? (size_t)got : 0;
	} while ((got < 0 && errno == EINTR) || (got > 0 && !memchr(answer, '\n', length)));
	answer[length] = '\0';
	if (strcmp(answer, good) != 0) {
		log_error("the simulator does not take the wire: %s", *answer ? answer : "it has ended");
		return -EPROTO;
	}
	do
		got = recv(control, answer, sizeof(answer), 0);
	while (got > 0 || (got < 0 && errno == EINTR));
	return 0;
}

int simulator_attach(const char *control_path, int wire, const char *const *folder, size_t folder_count)
{
	autoclose int control = connect_to(control_path);
	struct json_object *command;
	int error = control < 0 ? control : 0;
	const char *text;

	if (error < 0) {
		log_error("no simulator can be reached at %s: %s", control_path, strerror(-error));
		return error;
	}
	command = make_command(folder, folder_count);
	text = json_text(command);
	error = text ? send_line(control, text, wire) : -ENOMEM;
	json_object_put(command);
	/* The copy here would keep the wire open after the simulator has closed its own. */
	descriptor_close(&wire);
	if (error < 0) {
		log_error("the wire could not be handed to %s: %s", control_path, strerror(-error));
		return error;
	}
	return wait_for_end(control);
}
