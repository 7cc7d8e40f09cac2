/*
 * The arbiter's answers, written down as replies and errors of org.ioasid1: the one place where outcomes become Varlink
 * errors.
 */
#pragma once

#include "socket_client.h"

/* The requester's answer function: context is the varlink_client. */
void varlink_answers_write(void *context, const struct answer *answer);
