#include "received_fds.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int add_descriptors(struct received_fds *fds, const unsigned char *data, size_t size)
{
	int result = 0;

	for (size_t offset = 0; offset + sizeof(int) <= size; offset += sizeof(int)) {
		int fd;

		memcpy(&fd, data + offset, sizeof(fd));
		if (fds->count >= RECEIVED_FDS_MAX) {
			close(fd);
			result = -EPROTO;
			continue;
		}
		fds->fd[fds->count++] = fd;
		fds->left++;
	}
	return result;
}

int received_fds_add(struct received_fds *fds, const struct msghdr *message)
{
	struct msghdr *header = (struct msghdr *)message; /* CMSG_NXTHDR wants it without const and changes nothing */
	int result = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS || part->cmsg_len < CMSG_LEN(0))
			continue;
		if (add_descriptors(fds, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0)) < 0)
			result = -EPROTO;
	}
	if (message->msg_flags & MSG_CTRUNC)
		fds->truncated = true;
	return result;
}

int received_fds_take(struct received_fds *fds, int64_t index)
{
	int fd;

	if (index < 0 || (uint64_t)index >= fds->count || fds->fd[index] < 0)
		return -EPROTO;
	fd = fds->fd[index];
	fds->fd[index] = -1;
	fds->left--;
	return fd;
}

void received_fds_done(struct received_fds *fds)
{
	for (size_t i = 0; i < fds->count; i++)
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
	memset(fds, 0, sizeof(*fds));
}
