/*
 * The program ioasidctl but for its main(): reads the command line, runs the verb, and answers with the exit status.
 */
#pragma once

/* All verbs that there are, in the order of the help; ends with NULL. */
extern const struct verb *const ioasidctl_verbs[];

/* Returns the exit status. The locale has to be set. */
int ioasidctl(int argc, char **argv);
