/*
 * A user whom an operator asks about: by name or number, with groups, and a unit. Looks up, decides
 * nothing. The user database can be slow where it is on a network; nobody but operators can have it asked.
 */
#pragma once

#include "../../../include/words.h"
#include "../../../policy/model/subject.h"

/*
 * user: a name or a number; NULL: the user of self. unit: NULL for none that is known. 0 with *out set, or -ENOENT with
 * a sentence in why.
 */
int subject_lookup_find(const struct subject *self, const char *user, const char *unit, struct subject *out,
			char why[static TEXT_MAX]);
