/*
 * A survey of a fake machine's functions, and what it has to say. The uses of the last one stay until surveyed_end().
 */
#pragma once

#include "tree.h"

#include "../../policy/model/use.h"

extern struct uses uses;

/* Surveys one function, or two (second: NULL: one), without and with a look into the processes. Returns its result. */
int survey(const struct tree *tree, const char *name);
int survey_with_processes(const struct tree *tree, const char *name, const char *second);
void surveyed_end(void);

/* The test fails unless the use at that place is this one. */
void assert_use(size_t index, enum use_kind kind, enum severity severity, const char *text);
/* The same, wherever it stands. */
void assert_some_use(enum use_kind kind, enum severity severity, const char *text);
