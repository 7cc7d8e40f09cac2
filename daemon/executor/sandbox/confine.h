/*
 * The trades of the executor's processes: what each is called, and what it may do.
 */
#pragma once

enum worker_role {
	WORKER_BINDER,   /* runs plans */
	WORKER_SURVEYOR, /* looks at uses and holders */
	WORKER_WATCHER,  /* reports devices */
	WORKER_RECORDER, /* writes audit records */
	WORKER_STOPPER,  /* ends a process or a unit */
	WORKER_ROLE_COUNT,
};

/* "binder", or NULL. */
const char *worker_role_to_string(enum worker_role role);
/* The role, or -EINVAL. */
int worker_role_from_string(const char *text);

/*
 * Reduces this process to what its role needs, for good: no_new_privs, capabilities, a filter of system calls and,
 * without systemd, the surveyor's view of the file systems; it is deaf to the signals that end the executor, which
 * tells it by closing the socket. 0, or -errno after a logged line: then it must not go on.
 */
int confine_worker(enum worker_role role);
/*
 * The same for the main process: it uses no capability, but keeps those of all its workers permitted, for them to have
 * after the exec. 0, or -errno after a logged line.
 */
int confine_main(void);
