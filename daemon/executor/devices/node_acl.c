#include "node_acl.h"

#include "../../../policy/util/text.h"
#include "../../base/descriptors.h"
#include "vfio.h"
#include "vfio_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { UDEV_PATIENCE_MSEC = 1000, UDEV_PAUSE_MSEC = 5 };

size_t node_acl_nodes_of(const struct host *host, int folder, struct vfio_node node[static VFIO_NODES_MAX])
{
	char name[32], path[64];
	size_t count = 0;

	if (vfio_node_of(folder, name)) {
		snprintf(path, sizeof(path), "vfio-dev/%s/dev", name);
		/* Without CONFIG_VFIO_DEVICE_CDEV the folder is there all the same, without a device number. */
		if (sysfs_read_device_number(folder, path, &node[count].number) == 0) {
			snprintf(node[count].name, sizeof(node[count].name), "vfio/devices/%s", name);
			count++;
		}
	}
	if (vfio_group_node(host, folder, node[count].name, &node[count].number) == 0)
		count++;
	return count;
}

int node_acl_container(const struct host *host, struct vfio_node *node)
{
	struct stat status;

	if (fstatat(host->dev, "vfio/vfio", &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(status.st_mode))
		return -ENODEV;
	text_format(node->name, sizeof(node->name), "vfio/vfio");
	node->number = status.st_rdev;
	return 0;
}

bool node_acl_is_open_to_all(const struct host *host, const struct vfio_node *node)
{
	struct stat status;

	return fstatat(host->dev, node->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (status.st_mode & (S_IROTH | S_IWOTH)) == (S_IROTH | S_IWOTH);
}

void node_acl_wait_for_udev(const struct vfio_node *node)
{
	struct timespec pause = { .tv_nsec = UDEV_PAUSE_MSEC * 1000000 };
	char record[64];

	/* udev writes its record of a device when it is through with it. There is no event that came before it. */
	snprintf(record, sizeof(record), "/run/udev/data/c%u:%u", major(node->number), minor(node->number));
	if (access("/run/udev/control", F_OK) < 0)
		return;
	for (int waited = 0; waited < UDEV_PATIENCE_MSEC && access(record, F_OK) < 0; waited += UDEV_PAUSE_MSEC)
		nanosleep(&pause, NULL);
}

static void free_acl(acl_t *acl)
{
	if (*acl)
		acl_free(*acl);
}

/* The entry of a user; NULL: it has none. Counts the other entries that a mask is needed for. */
static acl_entry_t find_entry(acl_t acl, uid_t uid, unsigned *others)
{
	acl_entry_t entry, found = NULL;

	*others = 0;
	for (int more = acl_get_entry(acl, ACL_FIRST_ENTRY, &entry); more == 1;
	     more = acl_get_entry(acl, ACL_NEXT_ENTRY, &entry)) {
		acl_tag_t tag;

		if (acl_get_tag_type(entry, &tag) < 0 || (tag != ACL_USER && tag != ACL_GROUP))
			continue;
		const uid_t *qualifier = tag == ACL_USER ? acl_get_qualifier(entry) : NULL;

		if (qualifier && *qualifier == uid)
			found = entry;
		else
			++*others;
		acl_free((void *)qualifier);
	}
	return found;
}

static int add_entry(acl_t *acl, uid_t uid)
{
	acl_permset_t permissions;
	acl_entry_t entry;
	unsigned others;

	entry = find_entry(*acl, uid, &others);
	if (!entry && (acl_create_entry(acl, &entry) < 0 || acl_set_tag_type(entry, ACL_USER) < 0 ||
		       acl_set_qualifier(entry, &uid) < 0))
		return -errno;
	if (acl_get_permset(entry, &permissions) < 0 || acl_clear_perms(permissions) < 0 ||
	    acl_add_perm(permissions, ACL_READ) < 0 || acl_add_perm(permissions, ACL_WRITE) < 0 ||
	    acl_calc_mask(acl) < 0)
		return -errno;
	return 0;
}

/* The last entry for somebody takes the mask with it: then the mode's group bits are the group's again. */
static int drop_mask(acl_t acl)
{
	acl_entry_t entry;

	for (int more = acl_get_entry(acl, ACL_FIRST_ENTRY, &entry); more == 1;
	     more = acl_get_entry(acl, ACL_NEXT_ENTRY, &entry)) {
		acl_tag_t tag;

		if (acl_get_tag_type(entry, &tag) == 0 && tag == ACL_MASK)
			return acl_delete_entry(acl, entry) < 0 ? -errno : 0;
	}
	return 0;
}

/* 1: nothing is to be changed. */
static int remove_entry(acl_t *acl, uid_t uid)
{
	unsigned others;
	acl_entry_t entry = find_entry(*acl, uid, &others);

	if (!entry)
		return 1;
	if (acl_delete_entry(*acl, entry) < 0)
		return -errno;
	if (others == 0)
		return drop_mask(*acl);
	return acl_calc_mask(acl) < 0 ? -errno : 0;
}

/* Has change() change the node's ACL. */
static int rewrite(const struct host *host, const struct vfio_node *node, uid_t uid,
		   int (*change)(acl_t *acl, uid_t uid))
{
	autoclose int fd = openat(host->dev, node->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	acl_t acl __attribute__((cleanup(free_acl))) = NULL;
	struct stat status;
	char path[48];
	int error;

	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	if (fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != node->number)
		return -ENODEV;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	acl = acl_get_file(path, ACL_TYPE_ACCESS);
	if (!acl)
		return -errno;
	error = change(&acl, uid);
	if (error == 0 && acl_set_file(path, ACL_TYPE_ACCESS, acl) < 0)
		error = -errno;
	return error < 0 ? error : 0;
}

static void explain(const struct vfio_node *node, int error, char why[static TEXT_MAX])
{
	if (error == -ENODEV)
		text_format(why, TEXT_MAX, "/dev/%s was replaced or removed", node->name);
	else if (error == -EOPNOTSUPP)
		text_format(why, TEXT_MAX,
			    "/dev/%s cannot have an ACL: this kernel's devtmpfs lacks support (CONFIG_TMPFS_POSIX_ACL)",
			    node->name);
	else
		text_format(why, TEXT_MAX, "failed to change the ACL of /dev/%s: %s", node->name, strerror(-error));
}

int node_acl_grant(const struct host *host, const struct vfio_node *node, uid_t uid, char why[static TEXT_MAX])
{
	int error = rewrite(host, node, uid, add_entry);

	if (error < 0)
		explain(node, error, why);
	return error;
}

int node_acl_revoke(const struct host *host, const struct vfio_node *node, uid_t uid, char why[static TEXT_MAX])
{
	int error = rewrite(host, node, uid, remove_entry);

	/* A node that is gone took its ACL along. */
	if (error < 0 && error != -ENODEV)
		explain(node, error, why);
	return error == -ENODEV ? 0 : error;
}
