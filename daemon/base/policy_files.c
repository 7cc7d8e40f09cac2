#include "policy_files.h"

#include "descriptors.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Whom the broker runs as, as its unit and its option --user have it. */
#define DAEMON_USER "ioasidd"

/* The files found so far, and their texts. Names are sorted at the end; the first folder that has a name wins. */
struct found {
	char *name;
	char *path;
	char *text;
	size_t length;
	size_t order; /* in which it was found */
	bool draft;   /* it was named itself, and masks nothing */
};

/* For whom policy files are read. */
enum reading {
	READING_TO_OBEY,  /* the daemon's own */
	READING_TO_CHECK, /* see policy_files_check() */
	READING_FOREIGN,  /* see policy_files_read_foreign() */
};

struct collection {
	struct found *item;
	size_t count;
	const char *const *folder; /* all that are looked at; unless READING_TO_OBEY files, too */
	size_t folder_count;
	enum reading reading;
	bool roots; /* READING_TO_CHECK: the folder at hand has to be root's alone */
	bool draft; /* the file at hand is in no folder */
};

static void collection_done(struct collection *collection)
{
	for (size_t i = 0; i < collection->count; i++) {
		free(collection->item[i].name);
		free(collection->item[i].path);
		free(collection->item[i].text);
	}
	free(collection->item);
}

static bool collection_has(const struct collection *collection, const char *name)
{
	for (size_t i = 0; i < collection->count; i++)
		if (!collection->item[i].draft && strcmp(collection->item[i].name, name) == 0)
			return true;
	return false;
}

static int found_by_name(const void *a, const void *b)
{
	const struct found *first = a, *second = b;
	int order = strcmp(first->name, second->name);

	return order != 0 ? order : (first->order > second->order) - (first->order < second->order);
}

/* True if a user may read a file, or look into a folder, by its mode. */
static bool is_readable_by(const struct stat *status, const struct passwd *user)
{
	unsigned wanted = S_ISDIR(status->st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
	unsigned bits = status->st_mode;
	gid_t group[64];
	int count = sizeof(group) / sizeof(group[0]);

	if (!user)
		return (bits & wanted) == wanted;
	if (status->st_uid == user->pw_uid)
		return (bits >> 6 & wanted) == wanted;
	if (getgrouplist(user->pw_name, user->pw_gid, group, &count) >= 0)
		for (int i = 0; i < count; i++)
			if (group[i] == status->st_gid)
				return (bits >> 3 & wanted) == wanted;
	return (bits & wanted) == wanted;
}

/* Root reads everything, and the broker runs as a user of its own. */
static bool daemon_can_read(const struct collection *collection, const struct stat *status, const char *path,
			    struct diagnostics *diagnostics)
{
	const struct passwd *user;

	if (collection->reading != READING_TO_CHECK || geteuid() != 0 || collection->draft)
		return true;
	user = getpwnam(DAEMON_USER);
	if (is_readable_by(status, user))
		return true;
	diagnostics_add(diagnostics, true, path, 0, 0,
			"can't be read by the user %s that ioasidd runs as (mode %04o): chmod go+%s it", DAEMON_USER,
			status->st_mode & 07777u, S_ISDIR(status->st_mode) ? "rx" : "r");
	return false;
}

/* Only root, or whoever runs this, may be able to write what decides over hardware. */
static bool owner_is_trusted(const struct collection *collection, const struct stat *status, const char *path,
			     struct diagnostics *diagnostics)
{
	bool error = !collection->draft;

	if (collection->reading == READING_FOREIGN)
		return true;
	if (status->st_uid != 0 && (collection->roots || status->st_uid != geteuid())) {
		diagnostics_add(diagnostics, error, path, 0, 0,
				"belongs to uid %u: a policy must belong to root (chown root)", status->st_uid);
		if (error)
			return false;
	}
	if (status->st_mode & (S_IWGRP | S_IWOTH)) {
		diagnostics_add(diagnostics, error, path, 0, 0, "can be written by others (mode %04o): chmod go-w it%s",
				status->st_mode & 07777u,
				error ? "" : ", as ioasidd rejects such files in its folders");
		if (error)
			return false;
	}
	return daemon_can_read(collection, status, path, diagnostics);
}

/* Reads a whole regular file. NULL after a diagnostic. *length is 0 for an empty file. */
static char *read_text(int fd, const struct stat *status, const char *path, size_t *length,
		       struct diagnostics *diagnostics)
{
	size_t size = (size_t)status->st_size, done = 0;
	char *text = malloc(size + 1);

	while (text && done < size) {
		ssize_t got = read(fd, text + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	if (!text || done < size) {
		diagnostics_add(diagnostics, true, path, 0, 0, "can't be read: %s",
				text ? "the file shrank, or the disk failed" : strerror(ENOMEM));
		free(text);
		return NULL;
	}
	text[done] = '\0';
	*length = done;
	return text;
}

/* True if the open FD is /dev/null, the sign that masks a drop-in. */
static bool is_null_device(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* True if the folder that is open as fd is one of those that are looked at. */
static bool is_policy_folder(const struct collection *collection, int fd)
{
	struct stat status, other;

	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	for (size_t i = 0; i < collection->folder_count; i++)
		if (stat(collection->folder[i], &other) == 0 && other.st_dev == status.st_dev &&
		    other.st_ino == status.st_ino)
			return true;
	return false;
}

/*
 * Opens what a link in a policy folder leads to: /dev/null, or a file of a policy folder. Anything else would hand the
 * policy to whoever owns the way there. An FD, or -1 after a diagnostic.
 */
static int open_target(const struct collection *collection, int folder_fd, const char *name, const char *path,
		       struct diagnostics *diagnostics)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
	char target[PATH_MAX];
	ssize_t length = readlinkat(folder_fd, name, target, sizeof(target) - 1);
	char *slash;
	int fd = -1;

	if (length <= 0) {
		diagnostics_add(diagnostics, true, path, 0, 0, "is a link that can't be read: %s", strerror(errno));
		return -1;
	}
	target[length] = '\0';
	if (strcmp(target, "/dev/null") == 0)
		return open(target, flags);
	slash = strrchr(target, '/');
	if (slash) {
		autoclose int parent = -1;

		*slash = '\0';
		parent = openat(folder_fd, slash == target ? "/" : target, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (is_policy_folder(collection, parent))
			fd = openat(parent, slash + 1, flags);
		else
			errno = EXDEV;
		*slash = '/';
	} else {
		fd = openat(folder_fd, target, flags);
	}
	if (fd < 0 && errno == EXDEV)
		diagnostics_add(diagnostics, true, path, 0, 0,
				"is a link out of the policy folders, to %s: copy that file here instead", target);
	else if (fd < 0)
		diagnostics_add(diagnostics, true, path, 0, 0, "is a link to %s, which can't be opened: %s", target,
				errno == ELOOP ? "it is a link itself" : strerror(errno));
	return fd;
}

/* Opens a file of a folder without following links anywhere else. An FD, or -1 after a diagnostic. */
static int open_file(const struct collection *collection, int folder_fd, const char *name, const char *path,
		     struct diagnostics *diagnostics)
{
	/* O_NONBLOCK: a FIFO must not hold up the start. */
	int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);

	if (fd < 0 && errno == ELOOP)
		return open_target(collection, folder_fd, name, path, diagnostics);
	if (fd < 0)
		diagnostics_add(diagnostics, true, path, 0, 0, "can't be opened: %s", strerror(errno));
	return fd;
}

/* Opens a file wherever a link leads: that is its user's own matter. An FD, or -1 after a diagnostic. */
static int open_anywhere(const char *path, struct diagnostics *diagnostics)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		diagnostics_add(diagnostics, true, path, 0, 0, "can't be opened: %s", strerror(errno));
	return fd;
}

static int collect_file(struct collection *collection, int folder_fd, const char *folder, const char *name,
			struct diagnostics *diagnostics)
{
	autoclose int fd = -1;
	struct found found = { 0 };
	struct stat status;

	if (asprintf(&found.path, "%s%s%s", folder, collection->draft ? "" : "/", collection->draft ? "" : name) < 0)
		return -ENOMEM;
	if (collection->draft || collection->reading == READING_FOREIGN)
		fd = open_anywhere(found.path, diagnostics);
	else
		fd = open_file(collection, folder_fd, name, found.path, diagnostics);
	if (fd >= 0 && fstat(fd, &status) < 0) {
		diagnostics_add(diagnostics, true, found.path, 0, 0, "can't be examined: %s", strerror(errno));
		descriptor_close(&fd);
	}
	if (fd < 0) {
		/* Said already. */
	} else if (is_null_device(&status)) {
		found.text = strdup("");
	} else if (!S_ISREG(status.st_mode)) {
		diagnostics_add(diagnostics, true, found.path, 0, 0, "is not a regular file: remove it");
	} else if (status.st_size > POLICY_FILE_MAX) {
		diagnostics_add(diagnostics, true, found.path, 0, 0, "is larger than %d bytes: split it",
				POLICY_FILE_MAX);
	} else if (owner_is_trusted(collection, &status, found.path, diagnostics)) {
		found.text = read_text(fd, &status, found.path, &found.length, diagnostics);
	}
	found.order = collection->count;
	found.draft = collection->draft;
	found.name = found.text ? strdup(name) : NULL;
	if (found.name) {
		struct found *grown = realloc(collection->item, (collection->count + 1) * sizeof(*collection->item));

		if (grown) {
			collection->item = grown;
			collection->item[collection->count++] = found;
			return 0;
		}
	}
	free(found.name);
	free(found.path);
	free(found.text);
	return diagnostics->errors > 0 ? 0 : -ENOMEM;
}

static bool is_policy_name(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".json") == 0;
}

static int collect_folder(struct collection *collection, const char *folder, struct diagnostics *diagnostics)
{
	autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;
	struct dirent *entry;
	size_t before = collection->count;
	int error = 0;

	if (fd < 0 || fstat(fd, &status) < 0) {
		if (errno != ENOENT || collection->reading != READING_TO_OBEY)
			diagnostics_add(diagnostics, true, folder, 0, 0, "can't be opened: %s", strerror(errno));
		return 0;
	}
	if (!owner_is_trusted(collection, &status, folder, diagnostics))
		return 0;

	int stream_fd = dup(fd);
	DIR *stream = stream_fd < 0 ? NULL : fdopendir(stream_fd);

	if (!stream) {
		descriptor_close(&stream_fd);
		return -ENOMEM;
	}
	fcntl(stream_fd, F_SETFD, FD_CLOEXEC);
	while (error == 0 && (entry = readdir(stream))) {
		if (!is_policy_name(entry->d_name))
			continue;
		/* Masked by the same name in an earlier folder. */
		struct collection earlier = { .item = collection->item, .count = before };

		if (!collection_has(&earlier, entry->d_name))
			error = collect_file(collection, fd, folder, entry->d_name, diagnostics);
	}
	closedir(stream);
	return error;
}

/* True if the path leads to one of the daemon's own folders. */
static bool is_usual(const struct stat *status)
{
	static const char *const usual[] = { POLICY_FOLDER_ETC, POLICY_FOLDER_USR };
	struct stat other;

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (stat(usual[i], &other) == 0 && other.st_dev == status->st_dev && other.st_ino == status->st_ino)
			return true;
	return false;
}

/* Unless READING_TO_OBEY: a folder or a file. */
static int collect_path(struct collection *collection, const char *path, struct diagnostics *diagnostics)
{
	const char *slash = strrchr(path, '/');
	struct stat status;
	bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);

	collection->roots = is_folder && is_usual(&status);
	collection->draft = !is_folder;
	if (is_folder)
		return collect_folder(collection, path, diagnostics);
	return collect_file(collection, AT_FDCWD, path, slash ? slash + 1 : path, diagnostics);
}

static int resolve_user(void *context, const char *name, uid_t *uid)
{
	struct passwd *entry = getpwnam(name);

	if (!entry)
		return -ENOENT;
	*uid = entry->pw_uid;
	return 0;
}

static int resolve_group(void *context, const char *name, gid_t *gid)
{
	struct group *entry = getgrnam(name);

	if (!entry)
		return -ENOENT;
	*gid = entry->gr_gid;
	return 0;
}

static int count_name(void *context, const char *name, uint32_t *id)
{
	*id = (*(uint32_t *)context)++;
	return 0;
}

static int load(const char *const *folder, size_t count, enum reading reading, const struct name_resolver *names,
		struct diagnostics *diagnostics, struct policy **out)
{
	struct collection collection = { .folder = folder, .folder_count = count, .reading = reading };
	struct policy_source *source = NULL;
	size_t sources = 0;
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++)
		error = reading == READING_TO_OBEY ? collect_folder(&collection, folder[i], diagnostics)
						   : collect_path(&collection, folder[i], diagnostics);
	if (error == 0 && diagnostics->errors > 0)
		error = -EINVAL;
	if (error == 0) {
		source = calloc(collection.count + 1, sizeof(*source));
		error = source ? 0 : -ENOMEM;
	}
	if (error == 0) {
		if (collection.count > 0)
			qsort(collection.item, collection.count, sizeof(*collection.item), found_by_name);
		for (size_t i = 0; i < collection.count; i++)
			if (collection.item[i].length > 0) /* an empty file only masks */
				source[sources++] =
					(struct policy_source){ collection.item[i].path, collection.item[i].text,
								collection.item[i].length };
		error = policy_parse(source, sources, names, diagnostics, out);
	}
	free(source);
	collection_done(&collection);
	return error;
}

int policy_files_load(const char *const *folder, size_t count, struct diagnostics *diagnostics, struct policy **out)
{
	const struct name_resolver names = { .user = resolve_user, .group = resolve_group };

	return load(folder, count, READING_TO_OBEY, &names, diagnostics, out);
}

int policy_files_check(const char *const *path, size_t count, struct diagnostics *diagnostics, struct policy **out)
{
	const struct name_resolver names = { .user = resolve_user, .group = resolve_group };

	return load(path, count, READING_TO_CHECK, &names, diagnostics, out);
}

int policy_files_read_foreign(const char *const *path, size_t count, const struct name_resolver *names,
			      struct diagnostics *diagnostics, struct policy **out)
{
	return load(path, count, READING_FOREIGN, names, diagnostics, out);
}

int policy_files_load_unnamed(const char *const *folder, size_t count, struct diagnostics *diagnostics,
			      struct policy **out)
{
	uint32_t next = 0;
	const struct name_resolver names = { .user = count_name, .group = count_name, .context = &next };

	return load(folder, count, READING_TO_OBEY, &names, diagnostics, out);
}

void policy_files_log(const struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *item = &diagnostics->item[i];
		enum log_priority priority = item->error ? LOG_PRIORITY_ERROR : LOG_PRIORITY_WARNING;

		if (item->line > 0)
			log_line(priority, "%s:%u:%u: %s", item->file, item->line, item->column, item->message);
		else
			log_line(priority, "%s: %s", item->file, item->message);
	}
}
