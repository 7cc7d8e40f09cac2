/*
 * File descriptors that stand in for those of the kernel: the one end of a socketpair goes to the client, the other
 * stays here and tells when the last copy of the first was closed. That is all they can do: no ioctl works on them.
 */
#pragma once

#include "loop.h"

#include <sys/types.h>

struct stand_in {
	struct watch watch; /* our end */
	int theirs;         /* the client's end; -1 once it was given away */
	ino_t inode;        /* of the client's end: tells stand-ins apart, and is what /proc/PID/fd shows */
	struct loop *loop;
	/* The last copy of the client's end was closed. The stand-in may be freed in the call. */
	void (*closed)(struct stand_in *stand_in);
};

/* Fills in a stand-in that lives in its owner. 0, or -errno as of socketpair(), and nothing to be undone. */
int stand_in_open(struct stand_in *stand_in, struct loop *loop, void (*closed)(struct stand_in *stand_in));
/* Closes both ends; closed() is not called. */
void stand_in_close(struct stand_in *stand_in);
/* Gives the client's end away: the caller owns the FD. -1: it was given before. */
int stand_in_give(struct stand_in *stand_in);
/* True as long as there is a copy of the client's end, here or anywhere, at this very moment. */
bool stand_in_is_held(const struct stand_in *stand_in);
/* The inode of a socket that somebody passed, or 0: no socket. */
ino_t stand_in_inode_of(int fd);
