/*
 * File descriptors that know their owner: closing by scope, and lists that own what is in them.
 */
#pragma once

#include <stddef.h>
#include <unistd.h>

/* Closes *fd if it is one, and sets it to -1. errno stays as it was. */
void descriptor_close(int *fd);
#define autoclose __attribute__((cleanup(descriptor_close)))

/* Gives the FD away: returns it and leaves -1. */
static inline int descriptor_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Most FDs that one message carries: a context, 64 groups, 64 devices, a lease, and one more that shows an overflow. */
enum { DESCRIPTORS_MAX = 132 };

/* A list that owns its FDs. All zero is an empty list. */
struct descriptors {
	int fd[DESCRIPTORS_MAX];
	size_t count;
};

/* Appends; consumes fd on success only. -E2BIG: the list is full. */
int descriptors_add(struct descriptors *list, int fd);
/* Takes the FD at an index out, leaving -1 in its place; -1 if there is none. */
int descriptors_take(struct descriptors *list, size_t index);
/* Closes all that were not taken; the list is empty then. */
void descriptors_close(struct descriptors *list);
#define autoclose_list __attribute__((cleanup(descriptors_close)))
