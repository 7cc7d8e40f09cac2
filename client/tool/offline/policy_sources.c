#include "policy_sources.h"

#include "../core/files.h"

#include "../../../daemon/base/policy_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct source {
	char *path;
	const char *name; /* the last part of path */
	char *text;
	size_t length;
	size_t folder; /* which argument it came by */
	bool maskable; /* by a file of the same name in an earlier folder */
};

struct collection {
	struct source *source;
	size_t count;
	struct diagnostics *diagnostics;
	struct named_ids *ids;
};

static bool is_policy_name(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".json") == 0;
}

static bool is_null_device(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

/* True if an earlier folder has a file of that name. */
static bool is_masked(const struct collection *collection, const char *name, size_t folder)
{
	for (size_t i = 0; i < collection->count; i++) {
		const struct source *source = &collection->source[i];

		if (source->maskable && source->folder < folder && strcmp(source->name, name) == 0)
			return true;
	}
	return false;
}

/* Reads a file and appends it; path is consumed. What can't be read is a diagnostic. 0, -ENOMEM. */
static int collect_file(struct collection *collection, char *path, size_t folder, bool maskable)
{
	struct source *larger = reallocarray(collection->source, collection->count + 1, sizeof(*larger));
	struct source source = { .path = path, .folder = folder, .maskable = maskable };
	char why[TEXT_MAX];
	int error = 0;

	if (larger == NULL) {
		free(path);
		return -ENOMEM;
	}
	collection->source = larger;
	source.name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	if (!is_null_device(path))
		error = files_read(path, POLICY_FILE_MAX, &source.text, &source.length, why, sizeof(why));
	if (error < 0 && error != -ENOMEM) {
		diagnostics_add(collection->diagnostics, true, path, 0, 0, "can't be read: %s", why);
		error = 0;
	}
	collection->source[collection->count++] = source;
	return error;
}

static int collect_folder(struct collection *collection, const char *path, size_t folder)
{
	DIR *stream = opendir(path);
	const struct dirent *entry;
	int error = 0;

	if (stream == NULL) {
		diagnostics_add(collection->diagnostics, true, path, 0, 0, "can't be opened: %s", strerror(errno));
		return 0;
	}
	while (error == 0 && (entry = readdir(stream)) != NULL) {
		char *file;

		if (!is_policy_name(entry->d_name) || is_masked(collection, entry->d_name, folder))
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			error = -ENOMEM;
		else
			error = collect_file(collection, file, folder, true);
	}
	closedir(stream);
	return error;
}

static int collect(struct collection *collection, const char *path, size_t folder)
{
	struct stat status;
	char *copy;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return collect_folder(collection, path, folder);
	copy = strdup(path);
	return copy != NULL ? collect_file(collection, copy, folder, false) : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	const struct source *first = a, *second = b;
	int order = strcmp(first->name, second->name);

	if (order == 0)
		order = (first->folder > second->folder) - (first->folder < second->folder);
	return order;
}

static int resolve_user(void *context, const char *name, uid_t *uid)
{
	struct collection *collection = context;
	bool invented, told;
	int error;

	told = name_table_find(&collection->ids->user, name) != NULL;
	error = named_ids_user(collection->ids, name, uid, &invented);

	if (error == 0 && invented && !told)
		diagnostics_add(collection->diagnostics, false, "policy", 0, 0,
				"there is no user %s on this machine: taken as one that is only there", name);
	return error;
}

static int resolve_group(void *context, const char *name, gid_t *gid)
{
	struct collection *collection = context;
	bool invented, told;
	int error;

	told = name_table_find(&collection->ids->group, name) != NULL;
	error = named_ids_group(collection->ids, name, gid, &invented);

	if (error == 0 && invented && !told)
		diagnostics_add(collection->diagnostics, false, "policy", 0, 0,
				"there is no group %s on this machine: nobody here is taken as a member", name);
	return error;
}

static int parse(struct collection *collection, struct policy **out)
{
	const struct name_resolver names = { .user = resolve_user, .group = resolve_group, .context = collection };
	struct policy_source *source = calloc(collection->count + 1, sizeof(*source));
	size_t count = 0;
	int error;

	if (source == NULL)
		return -ENOMEM;
	if (collection->count > 0)
		qsort(collection->source, collection->count, sizeof(*collection->source), by_name);
	for (size_t i = 0; i < collection->count; i++)
		if (collection->source[i].length > 0) /* an empty file only masks */
			source[count++] =
				(struct policy_source){ collection->source[i].path, collection->source[i].text,
							collection->source[i].length };
	error = policy_parse(source, count, &names, collection->diagnostics, out);
	free(source);
	return error;
}

int policy_sources_load(const char *const *path, size_t count, struct named_ids *ids, struct diagnostics *diagnostics,
			struct policy **out)
{
	struct collection collection = { .diagnostics = diagnostics, .ids = ids };
	int error = 0;

	if (ids == NULL)
		return policy_files_check(path, count, diagnostics, out);
	for (size_t i = 0; i < count && error == 0; i++)
		error = collect(&collection, path[i], i);
	if (error == 0)
		error = diagnostics->errors > 0 ? -EINVAL : parse(&collection, out);
	for (size_t i = 0; i < collection.count; i++) {
		free(collection.source[i].path);
		free(collection.source[i].text);
	}
	free(collection.source);
	return error;
}
