#include "verb.h"

#include <stddef.h>
#include <string.h>

const struct verb *verb_find(const struct verb *const *verbs, const char *name)
{
	for (; *verbs != NULL; verbs++)
		if (strcmp((*verbs)->name, name) == 0)
			return *verbs;
	return NULL;
}
