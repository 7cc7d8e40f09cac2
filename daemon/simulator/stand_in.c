#include "stand_in.h"

#include "../base/descriptors.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void on_hang_up(struct watch *watch, uint32_t events)
{
	/* The watch is the first member. */
	struct stand_in *stand_in = (struct stand_in *)watch;

	if (!stand_in_is_held(stand_in))
		stand_in->closed(stand_in);
}

int stand_in_open(struct stand_in *stand_in, struct loop *loop, void (*closed)(struct stand_in *stand_in))
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	*stand_in = (struct stand_in){
		.watch = { .fd = pair[0], .ready = on_hang_up },
		.theirs = pair[1],
		.inode = stand_in_inode_of(pair[1]),
		.loop = loop,
		.closed = closed,
	};
	/* No event is asked for: what clients write into it is nobody's, and the end of their side is told always. */
	error = loop_add(loop, &stand_in->watch, 0);
	if (error < 0) {
		descriptor_close(&stand_in->theirs);
		descriptor_close(&stand_in->watch.fd);
	}
	return error;
}

void stand_in_close(struct stand_in *stand_in)
{
	loop_forget(stand_in->loop, &stand_in->watch);
	descriptor_close(&stand_in->watch.fd);
	descriptor_close(&stand_in->theirs);
}

int stand_in_give(struct stand_in *stand_in)
{
	return descriptor_take(&stand_in->theirs);
}

bool stand_in_is_held(const struct stand_in *stand_in)
{
	struct pollfd end = { .fd = stand_in->watch.fd };

	return poll(&end, 1, 0) < 0 || !(end.revents & POLLHUP);
}

ino_t stand_in_inode_of(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
		return 0;
	return status.st_ino;
}
