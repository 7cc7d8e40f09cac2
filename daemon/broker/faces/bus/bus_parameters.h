/*
 * What a method call brought: its arguments by the method's signature, and its options, each checked. Everything comes
 * from outside.
 */
#pragma once

#include "../../core/requester.h"

#include <systemd/sd-bus.h>

/* The options that a method takes, in a{sv}. */
enum bus_option {
	BUS_OPTION_MODE = 1 << 0,       /* "mode" s: attached, open, node */
	BUS_OPTION_NUMA_NODE = 1 << 1,  /* "numa_node": 0 to 65535 */
	BUS_OPTION_USER = 1 << 2,       /* "user" s: a name or a number */
	BUS_OPTION_UNIT = 1 << 3,       /* "unit" s: a systemd unit's name, of somebody */
	BUS_OPTION_LEASE = 1 << 4,      /* "lease" s: what keeps a claim alive */
	BUS_OPTION_LEASE_UNIT = 1 << 5, /* "unit" s: whose end ends a claim */
	BUS_OPTION_GRACE = 1 << 6,      /* "grace": milliseconds, at most a day */
	BUS_OPTION_REASON = 1 << 7,     /* "reason" s: a sentence */
	BUS_OPTION_UNBIND = 1 << 8,     /* "unbind" b */
};

/* Texts live as long as the message. */
struct bus_parameters {
	struct question question; /* devices of "as", and options */
	const char *text[2];      /* of each "s" */
	int32_t number;           /* of "i" */
	bool truth;               /* of "b" */
	uint64_t grace_usec;      /* UINT64_MAX: none was given, as REVOKE_GRACE_OF_RULE */
	const char *reason;
	bool unbind;
	char taken[CLAIM_DEVICES_MAX][REQUEST_TEXT_MAX];
};

/*
 * Reads a message from its start, which must have this signature: of "as", "i", "b" and "a{sv}" (options) at most one
 * each, of "s" two; "v" is skipped. 0; or -EINVAL with a sentence in error, which the caller frees; or -errno.
 */
int bus_parameters_read(sd_bus_message *message, const char *signature, unsigned options, struct bus_parameters *out,
			sd_bus_error *error);
