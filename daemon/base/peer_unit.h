/*
 * The systemd unit that a process belongs to, by its control group. Root puts processes into units; a process that has
 * no privilege can't leave its own but into one below, which does not count: user@1000.service is the unit of all that
 * a user's own service manager starts.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Finds the unit in the text of a process's /proc/PID/cgroup: the first part of its path that is not a slice. Writes
 * its name into out, or "" where the process is in no unit or the text makes no sense.
 */
void peer_unit_parse(const char *text, char *out, size_t size);
/*
 * The unit of the process that a pidfd means, whose number is pid. "" where it can't be known for certain: without a
 * pidfd, when the process is gone by the time its file was read (the number could be another's), or out of sight.
 */
void peer_unit_read(int pidfd, pid_t pid, char *out, size_t size);
