/*
 * Shell globs for policy files: * for any text, ? for one byte, [a-z] for one of a set, [!a-z] for one that is not of
 * it. Everything else stands for itself, the backslash too, since names of systemd units have some. Matching takes at
 * most pattern times text steps and looks at no locale, which fnmatch() promises neither of.
 */
#pragma once

#include <stdbool.h>

/* True if the pattern has a character that does not stand for itself. */
bool glob_has_wildcard(const char *pattern);
/* NULL if the pattern is well formed, else what is wrong with it: a phrase that follows the pattern in a sentence. */
const char *glob_fault(const char *pattern);
/* True if the whole text matches. A pattern that is not well formed matches nothing. */
bool glob_matches(const char *pattern, const char *text);
