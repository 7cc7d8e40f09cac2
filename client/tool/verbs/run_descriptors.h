/*
 * Passing descriptors to a program that this process is about to become, by the convention of sd_listen_fds(3): they
 * start at 3, and LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell of them.
 */
#pragma once

#include "../../../include/words.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	FD_PASSING_FIRST = 3,
	FD_PASSING_MAX = 2 * CLAIM_DEVICES_MAX + 2, /* groups and devices, the iommufd or container, the lease */
	FD_PASSING_NAME_MAX = DEVICE_NAME_MAX + 8,  /* "group-" before the name of a device */
};

struct fd_passing {
	int fd[FD_PASSING_MAX];
	char name[FD_PASSING_MAX][FD_PASSING_NAME_MAX];
	size_t count;
};

/*
 * Adds a descriptor, which stays its owner's, with its name (a ':' becomes a '-', as the convention separates names by
 * it). Returns the number that it will have. There is room for all that a claim can have.
 */
int fd_passing_add(struct fd_passing *passing, int fd, const char *name);
/*
 * Puts copies of all at their numbers, open across exec, over whatever was there, and sets the environment. 0,
 * -EMFILE or -ENOMEM; then no descriptor has changed.
 */
int fd_passing_install(const struct fd_passing *passing);
/* Closes what fd_passing_install() put there. */
void fd_passing_close(const struct fd_passing *passing);
/* True if this process was passed descriptors itself. */
bool fd_passing_was_used(void);
