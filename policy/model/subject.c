#include "subject.h"

#include <string.h>

bool subject_has_group(const struct subject *subject, gid_t gid)
{
	if (subject->gid == gid)
		return true;
	for (size_t i = 0; i < subject->group_count && i < SUBJECT_GROUPS_MAX; i++)
		if (subject->groups[i] == gid)
			return true;
	return false;
}

bool unit_name_is_valid(const char *name)
{
	static const char *const suffixes[] = { ".service",   ".scope", ".slice",  ".target", ".socket", ".mount",
						".automount", ".swap",  ".device", ".timer",  ".path" };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
	size_t length = strlen(name);

	if (length >= UNIT_NAME_MAX || strspn(name, letters) != length)
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && strcmp(name + length - suffix, suffixes[i]) == 0)
			return true;
	}
	return false;
}

bool subject_is_sane(const struct subject *subject)
{
	return subject->group_count <= SUBJECT_GROUPS_MAX && subject->pid >= 0 &&
	       memchr(subject->unit, '\0', sizeof(subject->unit)) &&
	       (!subject->unit[0] || unit_name_is_valid(subject->unit));
}
