/*
 * A process as /proc shows it: its name, for people, its user, its unit, its FDs. What a process calls itself is its
 * own affair and proves nothing.
 */
#pragma once

#include "../../../include/words.h"
#include "sysfs.h"

enum { PROCESS_NAME_MAX = COMMAND_NAME_MAX };

/* The command's name, with what can't be printed escaped; "" where the process is gone. Returns out. */
const char *process_name(const struct host *host, pid_t pid, char out[static PROCESS_NAME_MAX]);
/* "name[123]". Returns out. */
const char *process_label(const struct host *host, pid_t pid, char *out, size_t size);
/* The process's parent, or 0 where it is gone. */
pid_t process_parent(const struct host *host, pid_t pid);
/*
 * The systemd unit that the process belongs to; "" where it is in none, or can't be told. leaf: then the last part of
 * its control group's path, escaped. Returns out.
 */
const char *process_unit(const struct host *host, pid_t pid, bool leaf, char out[static UNIT_NAME_MAX]);
/* Its effective user. False: it is gone. */
bool process_uid(const struct host *host, pid_t pid, uid_t *uid);
/* The process that a pidfd is of; -1: one that has ended and is forgotten; 0: not a pidfd. */
pid_t process_of(const struct host *host, int pidfd);
/* A line of an FD's fdinfo that begins like this, without the beginning; false: there is none. */
bool process_fdinfo(const struct host *host, pid_t pid, const char *fd, const char *beginning, char *out, size_t size);
/* True for an FD that only names its file, as udev has one for a moment: the driver knows nothing of it. */
bool process_only_names(const struct host *host, pid_t pid, const char *fd);
/*
 * True for a process of this executor, seen from a worker: a binder has the FDs of a claim still for a moment after it
 * has sent them, and the main process passes them on.
 */
bool process_is_ours(const struct host *host, pid_t pid);
/* True for what /proc says of a process that this one may not look into. */
bool process_is_out_of_sight(int error);

/* The next process of a stream over /proc, or 0 at the end. */
pid_t process_next(DIR *stream);

struct process_list {
	pid_t *pid;
	size_t count;
};
/* The processes there are, without this one and without the kernel's threads. 0, or -errno with an empty list. */
int process_list(const struct host *host, struct process_list *out);
void process_list_done(struct process_list *list);
