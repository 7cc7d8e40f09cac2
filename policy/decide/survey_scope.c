#include "survey_scope.h"

#include <errno.h>
#include <string.h>

/* Adds a name if it is not there yet. False: no room. */
static bool add_name(const char **name, size_t *count, const char *wanted)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(name[i], wanted) == 0)
			return true;
	if (*count >= GROUP_MEMBERS_MAX)
		return false;
	name[(*count)++] = wanted;
	return true;
}

int survey_scope(const struct topology *topology, const char *const *device, size_t count, const char **out)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t names = 0;

	for (size_t i = 0; i < count; i++) {
		const struct device *found = topology_find(topology, device[i]);

		if (!found)
			continue;
		if (!add_name(out, &names, found->name))
			return -E2BIG;

		size_t members = topology_members(topology, device_claimed_group(found), member, GROUP_MEMBERS_MAX);

		if (members > GROUP_MEMBERS_MAX)
			return -E2BIG;
		for (size_t k = 0; k < members; k++)
			if (!add_name(out, &names, member[k]->name))
				return -E2BIG;
	}
	return (int)names;
}
