/*
 * What a verb of ioasidctl is: everything that the command line's reader, the help and the dispatcher need to know of
 * it, in one row. Declares data only.
 */
#pragma once

#include <stdbool.h>

struct session;

/* Options that only some verbs take. Every verb takes --json, --socket, --help and --version. */
enum option_bit {
	OPTION_MODE = 1 << 0,           /* --mode MODE */
	OPTION_FAILURE_STATUS = 1 << 1, /* --failure-status N */
	OPTION_SNAPSHOT = 1 << 2,       /* --snapshot FILE */
	OPTION_POLICY = 1 << 3,         /* --policy PATH, as often as wanted */
	OPTION_SUBJECT = 1 << 4,        /* --as USER, --unit UNIT */
	OPTION_ALL = 1 << 5,            /* --all */
	OPTION_DETAILS = 1 << 6,        /* --with-details */
	OPTION_LEASE = 1 << 7,          /* --lease LEASE, --unit UNIT */
	OPTION_REVOCATION = 1 << 8,     /* --grace SECONDS, --reason TEXT, --wait */
	OPTION_TEXTFILE = 1 << 9,       /* --textfile FILE */
};

enum { ARGUMENTS_UNLIMITED = -1 };

struct verb {
	const char *name;
	const char *arguments;               /* as the usage line shows them: "DEVICE..." */
	const char *summary;                 /* one line */
	const char *text;                    /* what its own help says below the usage line; ends with a line end */
	unsigned int options;                /* OR of enum option_bit */
	int minimum;                         /* number of arguments */
	int maximum;                         /* ARGUMENTS_UNLIMITED, or the most that it takes */
	bool command;                        /* takes "-- COMMAND ..." after its arguments */
	int (*run)(struct session *session); /* returns an exit status */
};

/* The row with this name, or NULL. verbs ends with NULL. */
const struct verb *verb_find(const struct verb *const *verbs, const char *name);
