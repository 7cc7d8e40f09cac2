#include "acl.h"

#include <errno.h>
#include <stdlib.h>

/* The entry's place, or count. */
static size_t find(const struct acl *acl, uid_t uid)
{
	size_t place = 0;

	while (place < acl->count && acl->uid[place] != uid)
		place++;
	return place;
}

int acl_grant(struct acl *acl, uid_t uid)
{
	uid_t *larger;

	if (find(acl, uid) < acl->count)
		return 0;
	larger = realloc(acl->uid, (acl->count + 1) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	acl->uid = larger;
	acl->uid[acl->count++] = uid;
	return 0;
}

void acl_revoke(struct acl *acl, uid_t uid)
{
	size_t place = find(acl, uid);

	if (place < acl->count)
		acl->uid[place] = acl->uid[--acl->count];
}

bool acl_allows(const struct acl *acl, uid_t uid)
{
	return uid == 0 || find(acl, uid) < acl->count;
}

void acl_clear(struct acl *acl)
{
	free(acl->uid);
	*acl = (struct acl){ .uid = NULL };
}
