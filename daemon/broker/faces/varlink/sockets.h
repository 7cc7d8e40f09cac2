/*
 * The sockets of one user's clients, or the one that listens. However many of them are ready the loop is woken for them
 * once, and what follows is a turn of their owner's: so nobody waits until it was noticed what another's thousand
 * sockets have to say.
 */
#pragma once

#include "../../system/turns.h"

struct sockets;

/* Lies in the owner of the socket, who sets the first two; the rest belongs to the sockets. All zero: not watched. */
struct socket_watch {
	/* Something is ready that was asked for, or EPOLLHUP or EPOLLERR. In a turn of the owner; it may do one piece
	 * of work. */
	void (*ready)(void *context, uint32_t events);
	void *context;
	struct sockets *sockets;
	int fd;
	uint32_t events; /* that are asked for */
};

int sockets_new(sd_event *event, struct turns *turns, turn_owner owner, struct sockets **out); /* 0, -ENOMEM, -errno */
/* NULL is allowed. No socket is watched any more. */
struct sockets *sockets_free(struct sockets *sockets);
/* Watches a socket, which stays the caller's. 0, -ENOMEM, -ENOSPC. */
int sockets_watch(struct sockets *sockets, struct socket_watch *watch, int fd, uint32_t events);
/* What is asked for from now on. Nothing where it is not watched. */
void socket_watch_change(struct socket_watch *watch, uint32_t events);
/* It is watched no more, before it is closed. Nothing where it is not watched. */
void socket_watch_end(struct socket_watch *watch);
