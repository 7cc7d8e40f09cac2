#include "policy_sources.h"

/* Where the names of another machine's policy are looked up. */
struct foreign {
	struct named_ids *ids;
	struct diagnostics *diagnostics;
};

static int resolve_user(void *context, const char *name, uid_t *uid)
{
	struct foreign *foreign = context;
	bool invented, told;
	int error;

	told = name_table_find(&foreign->ids->user, name) != NULL;
	error = named_ids_user(foreign->ids, name, uid, &invented);

	if (error == 0 && invented && !told)
		diagnostics_add(foreign->diagnostics, false, "policy", 0, 0,
				"there is no user %s on this machine: assuming that it exists only there", name);
	return error;
}

static int resolve_group(void *context, const char *name, gid_t *gid)
{
	struct foreign *foreign = context;
	bool invented, told;
	int error;

	told = name_table_find(&foreign->ids->group, name) != NULL;
	error = named_ids_group(foreign->ids, name, gid, &invented);

	if (error == 0 && invented && !told)
		diagnostics_add(foreign->diagnostics, false, "policy", 0, 0,
				"there is no group %s on this machine: assuming that it has no members here", name);
	return error;
}

int policy_sources_load(const char *const *path, size_t count, struct named_ids *ids, struct diagnostics *diagnostics,
			struct policy **out)
{
	struct foreign foreign = { .ids = ids, .diagnostics = diagnostics };
	const struct name_resolver names = { .user = resolve_user, .group = resolve_group, .context = &foreign };

	return ids == NULL ? policy_files_check(path, count, diagnostics, out)
			   : policy_files_read_foreign(path, count, &names, diagnostics, out);
}
