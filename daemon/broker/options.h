/*
 * The broker's command line. Looks at nothing but its arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_FOLDERS_MAX = 16 };

struct options {
	const char *policy_folder[OPTIONS_FOLDERS_MAX]; /* the default two where none was given */
	size_t policy_folder_count;
	bool policy_folder_given;
	const char *runtime_folder;
	const char *state_folder;
	const char *executor;    /* a command; NULL: the default */
	const char *claim_files; /* the journal's socket; NULL: records go there if standard error does */
	const char *user;        /* to become when started by root */
	bool no_bus;
	bool print_udev_rules; /* write what the policy reserves, and end */
	uint64_t plan_deadline_usec;
};

enum options_verdict { OPTIONS_RUN, OPTIONS_EXIT, OPTIONS_WRONG };
/* Parses; OPTIONS_EXIT after --help and --version; OPTIONS_WRONG after a message on standard error. */
enum options_verdict options_parse(int count, char **argument, struct options *out);
