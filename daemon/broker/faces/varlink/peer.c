#include "peer.h"

#include "../../../base/peer_unit.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, include/uapi/asm-generic/socket.h */
#endif

int peer_identify(int socket, struct subject *subject, int *pidfd, bool *certain)
{
	struct ucred credentials;
	struct subject found = { .group_count = 0 };
	socklen_t size = sizeof(credentials);
	int fd = -1;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	size = sizeof(found.groups);
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, found.groups, &size) < 0)
		return errno == ERANGE ? -E2BIG : -errno;
	found.group_count = size / sizeof(gid_t);
	found.uid = credentials.uid;
	found.gid = credentials.gid;
	found.pid = credentials.pid;
	size = sizeof(fd);
	/*
	 * Kernels before 6.5 tell the pid only, which may be another process's by now: good enough for a memlock limit,
	 * which the executor gives to no process of another user; not for anything that a process is trusted with, such
	 * as its unit.
	 */
	*certain = getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0;
	if (!*certain)
		fd = pidfd_open(credentials.pid, 0);
	else
		peer_unit_read(fd, found.pid, found.unit, sizeof(found.unit));
	*subject = found;
	*pidfd = fd;
	return 0;
}
