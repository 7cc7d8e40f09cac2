/*
 * The simulator as a whole: a host out of a file, brokers on wires, and a control socket. Everything but the command
 * line, so that tests can step it.
 */
#pragma once

#include "faults.h"

#include <stdbool.h>
#include <stddef.h>

struct simulator_order {
	const char *host_file;
	const char *const *folder; /* of the policy, for the broker at wire */
	size_t folder_count;
	const struct fault *fault; /* in force from the start */
	size_t fault_count;
	const char *control_path; /* NULL: no control socket */
	int wire;                 /* a broker's wire, consumed: its end is the simulator's; -1: none, brokers attach */
	void (*ready)(void);      /* called once everything is there; may be NULL */
};

/*
 * Runs until the broker is gone and its plans are through (those that a fault has made hang are not waited for), or
 * until the control socket says stop. 0: all went well; -errno: it could not start, or the broker broke the wire; what
 * there is to say about it was logged.
 */
int simulator_run(const struct simulator_order *order);
