/*
 * What the kernel says of a process that is there now: its user, its groups, and its unit. For whoever does not believe
 * what he was told of a client.
 */
#pragma once

#include "../../policy/model/subject.h"

/* The process that a pidfd is of; -1: it has ended and is forgotten; 0: not a pidfd, or the kernel does not tell. */
pid_t peer_process_of(int pidfd);
/*
 * Reads the process that a pidfd means, whose number is pid. False: it is gone or another one, out of sight, runs as
 * several users at a time, or is in more groups than a subject has place for.
 */
bool peer_subject_read(int pidfd, pid_t pid, struct subject *out);
