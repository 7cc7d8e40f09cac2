/*
 * Who is at the other end of a socket, as the kernel says: SO_PEERCRED and SO_PEERGROUPS (as they were when it
 * connected) and, from Linux 6.5 on, SO_PEERPIDFD, which shows that the systemd unit found for it is its own: before
 * that no client has one. Nothing that the peer says of itself.
 */
#pragma once

#include "../../../../policy/model/subject.h"

/*
 * Fills in who connected. *pidfd: a pidfd of subject->pid that the caller owns, or -1 where this kernel gives none or
 * the process is gone already; *certain: it is the very process that connected, whatever became of its pid. 0; -errno
 * of the socket option; -E2BIG: more supplementary groups than are looked at, so that a deny rule could be missed.
 */
int peer_identify(int socket, struct subject *subject, int *pidfd, bool *certain);
