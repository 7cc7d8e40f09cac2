/*
 * The filters of system calls that the executor's processes put on themselves, with or without systemd: deny by
 * default. What they refuse fails with EPERM, and the kernel logs it (audit type 1326): it is a fault of ours or worse.
 */
#pragma once

#include <stdbool.h>

/* Whose calls: a bit for each, to be used as a set within this module. */
enum call_filter {
	CALL_FILTER_MAIN = 1 << 0,   /* what it needs itself, and what all of its workers need */
	CALL_FILTER_BINDER = 1 << 1, /* opens nodes and attributes for writing, but makes and removes no file */
	CALL_FILTER_SURVEYOR =
		1 << 2, /* opens for reading only, writes to its socket and the log, and touches no process */
	CALL_FILTER_WATCHER = 1 << 3,  /* the same, and hears the kernel's and udev's events */
	CALL_FILTER_RECORDER = 1 << 4, /* the same, and speaks to the kernel's audit */
	CALL_FILTER_STOPPER = 1 << 5,  /* the same, and signals processes and speaks to the service manager */
};

/*
 * Puts the filter on this process, for good, and on all that it starts. no_new_privs has to be set. mounts: the main
 * process's workers may make mount namespaces of their own. 0; -ENOSYS: this kernel has no filters, and nothing has
 * changed; other -errno.
 */
int call_filter_load(enum call_filter filter, bool mounts);
