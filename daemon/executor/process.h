/*
 * A process as /proc shows it: its name, for people. What a process calls itself is its own affair and proves nothing.
 */
#pragma once

#include "sysfs.h"

enum { PROCESS_NAME_MAX = 64 };

/* The command's name, with what can't be printed escaped; "" where the process is gone. Returns out. */
const char *process_name(const struct host *host, pid_t pid, char out[static PROCESS_NAME_MAX]);
/* "name[123]". Returns out. */
const char *process_label(const struct host *host, pid_t pid, char *out, size_t size);
/* The process's parent, or 0 where it is gone. */
pid_t process_parent(const struct host *host, pid_t pid);
/* The next process of a stream over /proc, or 0 at the end. */
pid_t process_next(DIR *stream);
