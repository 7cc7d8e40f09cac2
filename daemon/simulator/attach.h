/*
 * The client of another simulator's control socket: what a broker starts as its executor, to be served by a simulator
 * that outlives it.
 */
#pragma once

#include <stddef.h>

/* Hands the wire (consumed) to the simulator with that control socket, and waits until that is through with it. 0, or
 * -errno: it could not, which was logged. */
int simulator_attach(const char *control_path, int wire, const char *const *folder, size_t folder_count);
