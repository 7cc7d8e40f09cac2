#include "policy_snapshot.h"

#include "../../base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum part_kind { PART_FILE, PART_USER, PART_GROUP };

/* One part: this, then the name (a path, a user, a group) and the text, each with a NUL that is not counted. */
struct part {
	uint32_t kind;   /* enum part_kind */
	uint32_t number; /* uid or gid */
	uint32_t name_length;
	uint32_t text_length;
};

enum { SNAPSHOT_MAX = 64 * 1024 * 1024 };

struct snapshot {
	char *bytes;
	size_t size;
};

static int append_bytes(struct snapshot *snapshot, const void *bytes, size_t size)
{
	char *larger;

	if (snapshot->size + size > SNAPSHOT_MAX)
		return -E2BIG;
	larger = realloc(snapshot->bytes, snapshot->size + size);
	if (!larger)
		return -ENOMEM;
	memcpy(larger + snapshot->size, bytes, size);
	snapshot->bytes = larger;
	snapshot->size += size;
	return 0;
}

static int append(struct snapshot *snapshot, enum part_kind kind, uint32_t number, const char *name, const char *text,
		  size_t text_length)
{
	struct part part = { .kind = kind,
			     .number = number,
			     .name_length = (uint32_t)strlen(name),
			     .text_length = (uint32_t)text_length };
	int error = append_bytes(snapshot, &part, sizeof(part));

	if (error == 0)
		error = append_bytes(snapshot, name, strlen(name) + 1);
	if (error == 0)
		error = append_bytes(snapshot, text, text_length);
	return error == 0 ? append_bytes(snapshot, "", 1) : error;
}

/* The part at *offset, which moves on. False at the end, or where the rest is no part. */
static bool next_part(const struct snapshot *snapshot, size_t *offset, struct part *part, const char **name,
		      const char **text)
{
	size_t left = snapshot->size - *offset;

	if (left < sizeof(*part))
		return false;
	memcpy(part, snapshot->bytes + *offset, sizeof(*part));
	left -= sizeof(*part);
	if (part->name_length >= left || part->text_length >= left - part->name_length - 1)
		return false;
	*name = snapshot->bytes + *offset + sizeof(*part);
	*text = *name + part->name_length + 1;
	if ((*name)[part->name_length] != '\0' || (*text)[part->text_length] != '\0')
		return false;
	*offset += sizeof(*part) + part->name_length + part->text_length + 2;
	return true;
}

/* Names while a snapshot is made: asked of the system, and noted. */
static int ask_user(void *context, const char *name, uid_t *uid)
{
	const struct passwd *entry = getpwnam(name);

	if (!entry)
		return -ENOENT;
	*uid = entry->pw_uid;
	return append(context, PART_USER, *uid, name, "", 0) < 0 ? -ENOENT : 0;
}

static int ask_group(void *context, const char *name, gid_t *gid)
{
	const struct group *entry = getgrnam(name);

	if (!entry)
		return -ENOENT;
	*gid = entry->gr_gid;
	return append(context, PART_GROUP, *gid, name, "", 0) < 0 ? -ENOENT : 0;
}

/* Names while a snapshot is loaded: from its parts. */
static int look_up(const struct snapshot *snapshot, enum part_kind kind, const char *wanted, uint32_t *number)
{
	struct part part;
	const char *name, *text;
	size_t offset = 0;

	while (next_part(snapshot, &offset, &part, &name, &text)) {
		if (part.kind != kind || strcmp(name, wanted) != 0)
			continue;
		*number = part.number;
		return 0;
	}
	return -ENOENT;
}

static int look_up_user(void *context, const char *name, uid_t *uid)
{
	return look_up(context, PART_USER, name, uid);
}

static int look_up_group(void *context, const char *name, gid_t *gid)
{
	return look_up(context, PART_GROUP, name, gid);
}

/* Parses the files of the snapshot. resolver's context is filled in. */
static int parse(const struct snapshot *files, const struct name_resolver *names, struct policy **out)
{
	struct diagnostics diagnostics = { 0 };
	struct policy_source *source = NULL;
	struct part part;
	const char *name, *text;
	size_t offset = 0, count = 0;
	int error = 0;

	while (error == 0 && next_part(files, &offset, &part, &name, &text)) {
		struct policy_source *larger;

		if (part.kind != PART_FILE)
			continue;
		larger = reallocarray(source, count + 1, sizeof(*source));
		if (larger) {
			source = larger;
			source[count++] = (struct policy_source){ name, text, part.text_length };
		} else {
			error = -ENOMEM;
		}
	}
	if (error == 0 && offset != files->size)
		error = -EBADMSG;
	if (error == 0)
		error = policy_parse(source, count, names, &diagnostics, out);
	diagnostics_done(&diagnostics);
	free(source);
	return error == -EINVAL ? -EBADMSG : error;
}

static int read_all(int fd, size_t max, struct snapshot *out)
{
	struct stat status;
	char *bytes;
	size_t size, done = 0;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < 0 || (size_t)status.st_size > max)
		return -EBADMSG;
	size = (size_t)status.st_size;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	while (done < size) {
		ssize_t got = pread(fd, bytes + done, size - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			free(bytes);
			return -EAGAIN;
		}
		done += (size_t)got;
	}
	*out = (struct snapshot){ .bytes = bytes, .size = size };
	return 0;
}

static int append_file(struct snapshot *snapshot, const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct snapshot file = { 0 };
	int error = fd < 0 ? -errno : read_all(fd, POLICY_FILE_MAX, &file);

	if (error == 0)
		error = append(snapshot, PART_FILE, 0, path, file.bytes, file.size);
	free(file.bytes);
	return error == -ENOENT || error == -EBADMSG ? -EAGAIN : error;
}

static int write_sealed(const struct snapshot *snapshot, int *out)
{
	autoclose int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < snapshot->size) {
		ssize_t put = write(fd, snapshot->bytes + done, snapshot->size - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		done += (size_t)put;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	*out = descriptor_take(&fd);
	return 0;
}

int policy_snapshot_make(const struct policy *policy, int *fd)
{
	struct snapshot snapshot = { 0 }, numbers = { 0 };
	const struct name_resolver names = { .user = ask_user, .group = ask_group, .context = &numbers };
	struct policy *same = NULL;
	int error = 0;

	for (size_t i = 0; i < policy->file_count && error == 0; i++)
		error = append_file(&snapshot, policy->file[i]);
	if (error == 0)
		error = parse(&snapshot, &names, &same);
	if (error == -EBADMSG || (error == 0 && same->digest != policy->digest))
		error = -EAGAIN;
	if (error == 0 && numbers.size > 0)
		error = append_bytes(&snapshot, numbers.bytes, numbers.size);
	if (error == 0)
		error = write_sealed(&snapshot, fd);
	policy_free(same);
	free(snapshot.bytes);
	free(numbers.bytes);
	return error;
}

int policy_snapshot_load(int fd, struct policy **out)
{
	struct snapshot snapshot;
	const struct name_resolver names = { .user = look_up_user, .group = look_up_group, .context = &snapshot };
	int error = read_all(fd, SNAPSHOT_MAX, &snapshot);

	if (error < 0)
		return error;
	error = parse(&snapshot, &names, out);
	free(snapshot.bytes);
	return error;
}
