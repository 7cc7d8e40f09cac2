/*
 * A binder: runs one plan after the other, each checked first. Nothing that it does can block anybody but itself.
 */
#pragma once

#include "../../../policy/rules/policy.h"

/* Serves on the socket to the main process until that closes it. Returns the exit status of the process. */
int binder_main(int socket, const struct policy *policy);
