#include "node_access.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"

#include <acl/libacl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/stat.h>

enum { READ_WRITE = S_IROTH | S_IWOTH };

struct look {
	const struct host *host;
	const struct vfio_nodes *nodes;
	node_access_found found;
	void *context;
};

static void free_acl(acl_t *acl)
{
	if (*acl)
		acl_free(*acl);
}

static void add_user(struct node_access *access, uid_t uid)
{
	for (uint32_t i = 0; i < access->user_count; i++)
		if (access->user[i] == uid)
			return;
	if (access->user_count < NODE_USERS_MAX)
		access->user[access->user_count++] = uid;
	else
		access->users_left_out++;
}

/* What an entry lets do: bits of READ_WRITE. */
static unsigned permissions_of(acl_entry_t entry)
{
	acl_permset_t permissions;

	if (acl_get_permset(entry, &permissions) < 0)
		return READ_WRITE;
	return (acl_get_perm(permissions, ACL_READ) == 1 ? S_IROTH : 0) |
	       (acl_get_perm(permissions, ACL_WRITE) == 1 ? S_IWOTH : 0);
}

static acl_entry_t next_entry(acl_t acl, bool first, acl_tag_t *tag)
{
	acl_entry_t entry;

	if (acl_get_entry(acl, first ? ACL_FIRST_ENTRY : ACL_NEXT_ENTRY, &entry) != 1 ||
	    acl_get_tag_type(entry, tag) < 0)
		return NULL;
	return entry;
}

/* The mask, which what is given to groups and by name is limited to; everything where there is none. */
static unsigned mask_of(acl_t acl)
{
	acl_tag_t tag;

	for (acl_entry_t entry = next_entry(acl, true, &tag); entry; entry = next_entry(acl, false, &tag))
		if (tag == ACL_MASK)
			return permissions_of(entry);
	return READ_WRITE;
}

static void append_entry(struct node_access *access, const char *what, unsigned id, unsigned permissions)
{
	text_append(access->acl, sizeof(access->acl), "%s%s:%u:%c%c-", access->acl[0] ? "," : "", what, id,
		    permissions & S_IROTH ? 'r' : '-', permissions & S_IWOTH ? 'w' : '-');
}

/* An entry for a user or a group by number. */
static void read_named(acl_entry_t entry, bool group, unsigned mask, struct node_access *access)
{
	unsigned permissions = permissions_of(entry), *id = acl_get_qualifier(entry);

	if (!id)
		return;
	append_entry(access, group ? "group" : "user", *id, permissions);
	if (permissions & mask && *id != 0) {
		if (group)
			access->groups = 1;
		else
			add_user(access, *id);
	}
	acl_free(id);
}

static void read_acl(acl_t acl, struct node_access *access)
{
	unsigned mask = mask_of(acl);
	acl_tag_t tag;

	for (acl_entry_t entry = next_entry(acl, true, &tag); entry; entry = next_entry(acl, false, &tag)) {
		if (tag == ACL_USER || tag == ACL_GROUP)
			read_named(entry, tag == ACL_GROUP, mask, access);
		else if (tag == ACL_GROUP_OBJ && permissions_of(entry) & mask && access->gid != 0)
			access->groups = 1;
	}
}

/* Fills in who can open the node that the FD names. 0 or -errno. */
static int read_access(int fd, const struct stat *status, struct node_access *access)
{
	acl_t acl __attribute__((cleanup(free_acl))) = NULL;
	char path[48];

	access->mode = status->st_mode & 07777;
	access->uid = status->st_uid;
	access->gid = status->st_gid;
	if (status->st_uid != 0 && status->st_mode & (S_IRUSR | S_IWUSR))
		add_user(access, status->st_uid);
	access->everybody = (status->st_mode & READ_WRITE) != 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	acl = acl_get_file(path, ACL_TYPE_ACCESS);
	if (acl)
		read_acl(acl, access);
	else if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	else if (status->st_gid != 0 && status->st_mode & (S_IRGRP | S_IWGRP))
		access->groups = 1;
	return 0;
}

static int look_at(const struct look *look, const char *name)
{
	autoclose int fd = openat(look->host->dev, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct node_access access = { .group = -1 };
	const struct audited_node *node;
	struct stat status;
	int error;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISCHR(status.st_mode))
		return 0;
	text_format(access.node, sizeof(access.node), "%s", name);
	node = vfio_nodes_find(look->nodes, status.st_rdev);
	if (node) {
		access.group = node->group;
		memcpy(access.device, node->device, sizeof(access.device));
	}
	error = read_access(fd, &status, &access);
	if (error < 0)
		return error;
	/* The container gives nobody a device. Its mode is the host's; only the entries for users are claims'. */
	if (strcmp(name, "vfio/vfio") == 0) {
		if (access.everybody)
			return 0;
		access.groups = 0;
	}
	return access.everybody || access.groups || access.user_count > 0 ? look->found(look->context, &access) : 0;
}

/* What is in a folder of /dev, or only what begins like this. prefix: the folder's name with its "/", or "". */
static int look_into(const struct look *look, const char *folder, const char *prefix, const char *beginning)
{
	DIR *stream = sysfs_list(look->host->dev, folder);
	const struct dirent *entry;
	int error = 0;

	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (error == 0 && (entry = sysfs_next(stream))) {
		char name[DEVICE_NAME_MAX];

		if (strncmp(entry->d_name, beginning, strlen(beginning)) != 0)
			continue;
		if ((size_t)snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name) < sizeof(name))
			error = look_at(look, name);
	}
	closedir(stream);
	return error;
}

int node_access_find(const struct host *host, const struct vfio_nodes *nodes, node_access_found found, void *context)
{
	const struct look look = { .host = host, .nodes = nodes, .found = found, .context = context };
	int error = look_at(&look, "iommu");

	if (error == 0)
		error = look_into(&look, "vfio", "vfio/", "");
	if (error == 0)
		error = look_into(&look, "vfio/devices", "vfio/devices/", "");
	return error == 0 ? look_into(&look, ".", "", "vhost-vdpa-") : error;
}
