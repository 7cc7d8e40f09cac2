/*
 * Who asks: what the kernel said of a peer, never what the peer said of itself.
 */
#pragma once

#include "../../include/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	SUBJECT_GROUPS_MAX = 128,
	UNIT_INVOCATION_MAX = 33, /* of the id of one run of a unit: 32 hexadecimal digits and a NUL */
};

struct subject {
	uid_t uid;
	gid_t gid;
	gid_t groups[SUBJECT_GROUPS_MAX]; /* supplementary groups; the primary one need not be among them */
	size_t group_count;
	pid_t pid;                /* 0 where unknown */
	char unit[UNIT_NAME_MAX]; /* systemd unit, "" where unknown */
};

/* True for a name that systemd could give a unit: one of its suffixes, its letters only, below UNIT_NAME_MAX bytes. */
bool unit_name_is_valid(const char *name);
/* True if the counts are in range and the unit is "" or a unit's name: for what comes over the wire. */
bool subject_is_sane(const struct subject *subject);
bool subject_has_group(const struct subject *subject, gid_t gid);
