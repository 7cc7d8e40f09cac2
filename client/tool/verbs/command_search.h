/*
 * Whether a command is there to be executed, so that nothing is claimed for one that is not. Executes nothing.
 */
#pragma once

/* What a shell exits with where it can't execute a command. */
enum { COMMAND_NOT_EXECUTABLE = 126, COMMAND_NOT_FOUND = 127 };

/* Searches as execvp() does. Returns 0, or one of the above. */
int command_search(const char *name);
