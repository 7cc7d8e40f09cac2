/*
 * The file descriptors that came with one message, until each was taken by what names it. Those that nothing names are
 * closed: a descriptor that nobody asked for never stays open in this process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct msghdr;

enum {
	/*
	 * The kernel's SCM_MAX_FD: no message carries more, so that with this much room only a process's own limit
	 * cuts.
	 */
	RECEIVED_FDS_ROOM = 253,
	/* What a message of org.ioasid1 can carry: the lease, a container, and the groups and devices of a claim. */
	RECEIVED_FDS_MAX = 130,
};

struct received_fds {
	int fd[RECEIVED_FDS_MAX]; /* -1 where it was taken */
	size_t count;             /* that came */
	size_t left;              /* that were not taken */
	bool truncated;           /* some were lost: this process is at its limit, or may not have them */
};

/*
 * Takes all descriptors out of what recvmsg() returned, and notes MSG_CTRUNC. They belong to fds from here on.
 * -EPROTO: there were more than RECEIVED_FDS_MAX in all (those that fit are kept for received_fds_done()).
 */
int received_fds_add(struct received_fds *fds, const struct msghdr *message);
/*
 * Hands the descriptor of an index to the caller, who closes it. -EPROTO if the index is out of range or was taken
 * before.
 */
int received_fds_take(struct received_fds *fds, int64_t index);
/* Closes what was not taken. An all-zero struct is allowed, and is what it leaves. */
void received_fds_done(struct received_fds *fds);
