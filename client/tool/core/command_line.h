/*
 * Reads the command line: the verb, its arguments, options before or after the verb, and what follows "--". Checks what
 * can be checked without asking anybody; prints nothing.
 */
#pragma once

#include "verb.h"

#include <stddef.h>
#include <stdint.h>

enum { POLICY_PATHS_MAX = 16 };

struct command_line {
	const struct verb *verb; /* NULL: none was named, which only --help and --version allow */
	bool json;
	bool help;
	bool version;
	const char *socket;                   /* NULL: where ioasidd listens unless it was told otherwise */
	const char *mode;                     /* NULL: not given; else one that the daemon can know */
	int failure_status;                   /* 0: not given; else 1 to 255 */
	const char *snapshot;                 /* a file that is asked instead of a daemon; NULL: not given */
	const char *policy[POLICY_PATHS_MAX]; /* files and folders with the policy that holds there */
	size_t policy_count;
	const char *as;   /* the user whose claim it would be; NULL: the caller */
	const char *unit; /* the systemd unit of the claiming client; NULL: not given */
	bool all;
	bool details;
	const char *lease;  /* NULL: not given; else one that the daemon can know */
	int64_t grace;      /* milliseconds; -1: not given */
	const char *reason; /* NULL: not given */
	bool unbind;
	bool wait;
	const char *textfile; /* NULL: not given */
	const char *const *argument;
	size_t argument_count;
	char *const *command; /* what follows "--", ends with NULL; NULL where the verb takes none */
	char error[256];      /* what is wrong, "" if nothing is; strings from the command line as they are */
	const char **storage; /* freed by command_line_done() */
};

/* One row of the options that there are, for the help. */
struct option_row {
	const char *name;  /* "--mode" */
	char letter;       /* 'j' for -j; 0: none */
	const char *value; /* "MODE"; NULL: it takes none */
	unsigned int bit;  /* OR of enum option_bit, any of which lets a verb take it; 0: every verb does */
	const char *text;
};

/* All options; ends with a row without a name. */
extern const struct option_row command_line_options[];

/*
 * Reads argc arguments of argv, of which the first is the program's name. The result refers to argv. Returns
 * EXIT_DONE, EXIT_USAGE with line->error set (the options read until then hold), or EXIT_FAILED: out of memory.
 */
int command_line_read(struct command_line *line, const struct verb *const *verbs, int argc, char **argv);
void command_line_done(struct command_line *line);
