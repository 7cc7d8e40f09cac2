/*
 * The main process: routes between the broker and the workers, and does nothing to the host itself. Everything that may
 * take time happens in a worker; what main reads is in memory, or on the disk where the policy lies.
 */
#pragma once

#include <stddef.h>

struct executor_options {
	const char *const *policy_folder;
	size_t policy_folder_count;
	const char *runtime_folder; /* where it keeps what it gave */
	int wire;                   /* the broker's socket */
	int program;                /* the executor's own binary, open for execution */
};

/* Serves until the broker closes the wire, or SIGTERM; returns the exit status of the process. Consumes no FD. */
int executor_main(const struct executor_options *options);
