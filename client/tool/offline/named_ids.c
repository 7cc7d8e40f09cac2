#include "named_ids.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above what systems give out, and below what has a meaning of its own (nobody's -2, and -1). */
enum { INVENTED_FIRST = 0x70000000 };

struct invented {
	uint32_t id;
	char name[];
};

/* The number of a name that this machine does not know: always the same. 0, -ENOMEM. */
static int invent(struct name_table *table, const char *name, uint32_t *id)
{
	struct invented *known = name_table_find(table, name);

	if (known == NULL) {
		known = calloc(1, sizeof(*known) + strlen(name) + 1);
		if (known == NULL)
			return -ENOMEM;
		strcpy(known->name, name);
		known->id = (uint32_t)(INVENTED_FIRST + table->count);
		if (name_table_add(table, known->name, known) < 0) {
			free(known);
			return -ENOMEM;
		}
	}
	*id = known->id;
	return 0;
}

int named_ids_user(struct named_ids *ids, const char *name, uid_t *uid, bool *invented)
{
	struct passwd *entry = getpwnam(name);

	*invented = entry == NULL;
	if (entry == NULL)
		return invent(&ids->user, name, uid);
	*uid = entry->pw_uid;
	return 0;
}

int named_ids_group(struct named_ids *ids, const char *name, gid_t *gid, bool *invented)
{
	struct group *entry = getgrnam(name);

	*invented = entry == NULL;
	if (entry == NULL)
		return invent(&ids->group, name, gid);
	*gid = entry->gr_gid;
	return 0;
}

/* A number from 0 to 2^32 - 2. */
static bool read_number(const char *text, uid_t *uid)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	*uid = (uid_t)number;
	return errno == 0 && *end == '\0' && number < UINT32_MAX;
}

static void take_groups(const char *name, struct subject *out)
{
	gid_t group[SUBJECT_GROUPS_MAX];
	int count = SUBJECT_GROUPS_MAX;

	if (getgrouplist(name, out->gid, group, &count) < 0)
		count = SUBJECT_GROUPS_MAX;
	for (int i = 0; i < count; i++)
		out->groups[i] = group[i];
	out->group_count = (size_t)count;
}

int named_ids_subject(struct named_ids *ids, const char *user, struct subject *out, bool *known)
{
	struct subject subject = { .gid = UINT32_MAX };
	bool number = user[strspn(user, "0123456789")] == '\0';
	struct passwd *entry;
	int error = 0;

	*known = true;
	if (number && !read_number(user, &subject.uid))
		return -EINVAL;
	entry = number ? getpwuid(subject.uid) : getpwnam(user);
	if (entry != NULL) {
		subject.uid = entry->pw_uid;
		subject.gid = entry->pw_gid;
		take_groups(entry->pw_name, &subject);
	} else if (!number) {
		*known = name_table_find(&ids->user, user) != NULL;
		error = invent(&ids->user, user, &subject.uid);
	}
	if (error == 0)
		*out = subject;
	return error;
}

int named_ids_caller(struct subject *out)
{
	struct subject subject = { .uid = geteuid(), .gid = getegid() };
	int count = getgroups(SUBJECT_GROUPS_MAX, subject.groups);

	if (count < 0)
		return -errno;
	subject.group_count = (size_t)count;
	*out = subject;
	return 0;
}

static void free_all(struct name_table *table)
{
	for (size_t i = 0; i < table->allocated; i++)
		if (table->slot[i].name != NULL)
			free(table->slot[i].value);
	name_table_done(table);
}

void named_ids_done(struct named_ids *ids)
{
	free_all(&ids->user);
	free_all(&ids->group);
}
