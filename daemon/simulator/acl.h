/*
 * Who may open a node by its path beside root: the entries for users of its POSIX ACL, and nothing else of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* All zero has no entries. */
struct acl {
	uid_t *uid;
	size_t count;
};

/* The user may open the node; who may already goes on to. 0, -ENOMEM. */
int acl_grant(struct acl *acl, uid_t uid);
/* No more; who may not anyway goes on so. */
void acl_revoke(struct acl *acl, uid_t uid);
/* True for root, too. */
bool acl_allows(const struct acl *acl, uid_t uid);
/* Frees the entries; there are none then. */
void acl_clear(struct acl *acl);
