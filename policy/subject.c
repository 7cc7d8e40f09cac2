#include "subject.h"

bool subject_has_group(const struct subject *subject, gid_t gid)
{
	if (subject->gid == gid)
		return true;
	for (size_t i = 0; i < subject->group_count && i < SUBJECT_GROUPS_MAX; i++)
		if (subject->groups[i] == gid)
			return true;
	return false;
}
