#include "subject_lookup.h"

#include "../../../policy/util/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* A number that can be a uid: all digits, and not the one that means none. */
static bool read_number(const char *text, uid_t *uid)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number >= UINT32_MAX)
		return false;
	*uid = (uid_t)number;
	return true;
}

static int find_user(const char *user, struct subject *out, char why[static TEXT_MAX])
{
	int room = SUBJECT_GROUPS_MAX;
	char buffer[16384], shown[64];
	struct passwd entry, *found = NULL;

	if (getpwnam_r(user, &entry, buffer, sizeof(buffer), &found) != 0)
		found = NULL;
	if (!found && read_number(user, &out->uid)) {
		if (getpwuid_r(out->uid, &entry, buffer, sizeof(buffer), &found) != 0)
			found = NULL;
		/* A number without an entry is a user all the same, who has no group that is known. */
		out->gid = (gid_t)-1;
		if (!found)
			return 0;
	}
	text_escape(shown, sizeof(shown), user, strlen(user));
	if (!found) {
		text_format(why, TEXT_MAX, "unknown user %s: give a name that 'getent passwd' lists, or a uid", shown);
		return -ENOENT;
	}
	out->uid = found->pw_uid;
	out->gid = found->pw_gid;
	if (getgrouplist(found->pw_name, found->pw_gid, out->groups, &room) < 0) {
		text_format(why, TEXT_MAX, "user %s is in more than %d groups, which is not supported", shown,
			    SUBJECT_GROUPS_MAX);
		return -ENOENT;
	}
	out->group_count = (size_t)room;
	return 0;
}

int subject_lookup_find(const struct subject *self, const char *user, const char *unit, struct subject *out,
			char why[static TEXT_MAX])
{
	struct subject found = { .group_count = 0 };
	int error = 0;

	if (user) {
		error = find_user(user, &found, why);
	} else {
		found = *self;
		found.pid = 0;
		found.unit[0] = '\0';
	}
	if (error < 0)
		return error;
	if (unit)
		text_format(found.unit, sizeof(found.unit), "%s", unit);
	*out = found;
	return 0;
}
