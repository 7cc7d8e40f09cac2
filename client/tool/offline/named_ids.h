/*
 * Numbers for the names of users and groups. A name that this machine does not know gets a number that nobody has:
 * policies are of other machines, too. Knows no policy.
 */
#pragma once

#include "../../../policy/util/name_table.h"
#include "../../../policy/model/subject.h"

struct named_ids {
	struct name_table user; /* names that are not known here, with their numbers */
	struct name_table group;
};

/* The number of a user. *invented: it is none of this machine's. 0, -ENOMEM. */
int named_ids_user(struct named_ids *ids, const char *name, uid_t *uid, bool *invented);
int named_ids_group(struct named_ids *ids, const char *name, gid_t *gid, bool *invented);
/*
 * The subject that a user would be, by name or number, with the groups that this machine's user of that name has.
 * *known: the user is this machine's, or was asked for before. 0, -ENOMEM; -EINVAL: not a number that a user can have.
 */
int named_ids_subject(struct named_ids *ids, const char *user, struct subject *out, bool *known);
/* The subject that the caller is. 0, -errno. */
int named_ids_caller(struct subject *out);
void named_ids_done(struct named_ids *ids);
