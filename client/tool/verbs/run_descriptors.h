/*
 * Passing descriptors to a program that this process is about to become, by the convention of sd_listen_fds(3): they
 * start at 3, and LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell of them. Also whether that program is there, so that
 * nothing is claimed for one that is not. Executes nothing.
 */
#pragma once

#include "../../../include/words.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	RUN_DESCRIPTORS_FIRST = 3,
	RUN_DESCRIPTORS_MAX = 2 * CLAIM_DEVICES_MAX + 2, /* groups and devices, the iommufd or container, the lease */
	RUN_DESCRIPTORS_NAME_MAX = DEVICE_NAME_MAX + 8,  /* "group-" before the name of a device */
};

struct run_descriptors {
	int fd[RUN_DESCRIPTORS_MAX];
	char name[RUN_DESCRIPTORS_MAX][RUN_DESCRIPTORS_NAME_MAX];
	size_t count;
};

/*
 * Adds a descriptor, which stays its owner's, with its name (a ':' becomes a '-', as the convention separates names by
 * it). Returns the number that it will have. There is room for all that a claim can have.
 */
int run_descriptors_add(struct run_descriptors *passing, int fd, const char *name);
/*
 * Puts copies of all at their numbers, open across exec, over whatever was there, and sets the environment. 0,
 * -EMFILE or -ENOMEM; then no descriptor has changed.
 */
int run_descriptors_install(const struct run_descriptors *passing);
/* Closes what run_descriptors_install() put there. */
void run_descriptors_close(const struct run_descriptors *passing);
/* True if this process was passed descriptors itself. */
bool run_descriptors_was_used(void);

/* What a shell exits with where it can't execute a command. */
enum { COMMAND_NOT_EXECUTABLE = 126, COMMAND_NOT_FOUND = 127 };

/* Searches for a command as execvp() does. Returns 0, or one of the above. */
int run_command_search(const char *name);
