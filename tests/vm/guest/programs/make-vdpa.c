/*
 * Makes a vDPA device of one of the kernel's simulators, as `vdpa dev add name NAME mgmtdev MANAGER` does, or takes it
 * away.
 *
 * usage: make-vdpa NAME MANAGER | make-vdpa --delete NAME
 */
#include "rig.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vdpa.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	struct genlmsghdr generic;
	char attributes[256];
};

struct answer {
	struct nlmsghdr header;
	char rest[4096];
};

static void add_text(struct request *request, uint16_t type, const char *text)
{
	size_t used = request->header.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), length = strlen(text) + 1;
	struct nlattr attribute = { .nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type };

	if (used + NLA_ALIGN(attribute.nla_len) > sizeof(request->attributes))
		die("%s is too long", text);
	memcpy(request->attributes + used, &attribute, sizeof(attribute));
	memcpy(request->attributes + used + NLA_HDRLEN, text, length);
	request->header.nlmsg_len += NLA_ALIGN(attribute.nla_len);
}

static struct request request_of(uint16_t family, uint16_t flags, uint8_t command)
{
	return (struct request){ .header = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
					     .nlmsg_type = family,
					     .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
				 .generic = { .cmd = command, .version = 1 } };
}

/* Sends, and receives one message: an error, which a success is as well, ends here if it is none. */
static void ask(int fd, const struct request *request, struct answer *answer, const char *what)
{
	ssize_t size;

	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		die_errno("can't ask the kernel for %s", what);
	size = recv(fd, answer, sizeof(*answer), 0);
	if (size < (ssize_t)NLMSG_LENGTH(sizeof(int)))
		die_errno("the kernel's answer about %s", what);
	if (answer->header.nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(&answer->header);

		errno = -error->error;
		if (errno != 0)
			die_errno("%s", what);
	}
}

static uint16_t family_of(int fd)
{
	struct request request = request_of(GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY);
	struct answer answer;
	size_t at = GENL_HDRLEN, length;
	const char *data = NLMSG_DATA(&answer.header);

	add_text(&request, CTRL_ATTR_FAMILY_NAME, VDPA_GENL_NAME);
	ask(fd, &request, &answer, "vDPA's netlink family (is this kernel without vDPA?)");
	length = NLMSG_PAYLOAD(&answer.header, 0);
	while (at + NLA_HDRLEN <= length) {
		struct nlattr attribute;
		uint16_t family;

		memcpy(&attribute, data + at, sizeof(attribute));
		if (attribute.nla_len < NLA_HDRLEN)
			break;
		if (attribute.nla_type == CTRL_ATTR_FAMILY_ID) {
			memcpy(&family, data + at + NLA_HDRLEN, sizeof(family));
			return family;
		}
		at += NLA_ALIGN(attribute.nla_len);
	}
	die("the kernel's answer has no family");
}

int main(int argc, char **argv)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	bool removes = argc == 3 && strcmp(argv[1], "--delete") == 0;
	struct request request;
	struct answer answer;

	if (argc != 3)
		die("usage: make-vdpa NAME MANAGER | make-vdpa --delete NAME");
	if (fd < 0)
		die_errno("netlink");
	request = request_of(family_of(fd), NLM_F_ACK, removes ? VDPA_CMD_DEV_DEL : VDPA_CMD_DEV_NEW);
	add_text(&request, VDPA_ATTR_DEV_NAME, argv[removes ? 2 : 1]);
	if (!removes)
		add_text(&request, VDPA_ATTR_MGMTDEV_DEV_NAME, argv[2]);
	ask(fd, &request, &answer, argv[removes ? 2 : 1]);
	close(fd);
	return 0;
}
