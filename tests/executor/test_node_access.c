/* Who can open VFIO's nodes, by their modes and ACLs: everybody but root is told. Needs root, to make nodes. */
#include "../../daemon/executor/survey/node_access.h"
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/acl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { FOUND_MAX = 8 };

static struct tree tree;
static struct vfio_nodes nodes;

struct found {
	struct node_access access[FOUND_MAX];
	size_t count;
};

static int begin(void **state)
{
	tree_begin(&tree);
	tree_file(&tree, "1:3\n", "sys/class/misc/iommu/dev");
	tree_file(&tree, "1:7\n", "sys/class/vfio/7/dev");
	tree_device(&tree, "0000:01:00.0", "0x1234", "0x11e8", "0x00ff00");
	tree_file(&tree, "1:9\n", "sys/class/vfio-dev/vfio3/dev");
	tree_link(&tree, "../../../devices/pci0000:00/0000:01:00.0", "sys/class/vfio-dev/vfio3/device");
	tree_file(&tree, "no node\n", "dev/vfio/devices/readme");
	return vfio_nodes_read(&tree.host, &nodes);
}

static int end(void **state)
{
	vfio_nodes_done(&nodes);
	tree_end(&tree);
	return 0;
}

/* Skips the test where nodes can't be made. Returns the path, valid until the next call. */
static const char *make_node(const char *name, unsigned minor_number, mode_t mode, uid_t uid, gid_t gid)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/dev/%s", tree.root, name);
	if (mknod(path, S_IFCHR | 0600, makedev(1, minor_number)) < 0 || chown(path, uid, gid) < 0)
		skip();
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void set_acl(const char *path, const char *text)
{
	acl_t acl = acl_from_text(text);
	int error;

	assert_non_null(acl);
	error = acl_set_file(path, ACL_TYPE_ACCESS, acl) < 0 ? errno : 0;
	acl_free(acl);
	if (error == EOPNOTSUPP)
		skip();
	assert_int_equal(error, 0);
}

static int on_access(void *context, const struct node_access *access)
{
	struct found *found = context;

	assert_true(node_access_is_sane(access));
	assert_true(found->count < FOUND_MAX);
	found->access[found->count++] = *access;
	return 0;
}

static struct found find(void)
{
	struct found found = { .count = 0 };

	assert_int_equal(node_access_find(&tree.host, &nodes, on_access, &found), 0);
	return found;
}

static void roots_alone(void **state)
{
	make_node("iommu", 3, 0600, 0, 0);
	make_node("vfio/7", 7, 0660, 0, 0);
	make_node("vfio/devices/vfio3", 9, 0600, 0, 100);
	assert_int_equal(find().count, 0);
}

static void by_mode(void **state)
{
	struct found found;

	make_node("iommu", 3, 0666, 0, 0);
	make_node("vfio/7", 7, 0660, 0, 36);
	make_node("vfio/devices/vfio3", 9, 0600, 1000, 0);
	make_node("vhost-vdpa-0", 11, 0604, 0, 0);
	found = find();
	assert_int_equal(found.count, 4);
	assert_string_equal(found.access[0].node, "iommu");
	assert_true(found.access[0].everybody && !found.access[0].groups);
	assert_string_equal(found.access[1].node, "vfio/7");
	assert_true(!found.access[1].everybody && found.access[1].groups);
	assert_int_equal(found.access[1].gid, 36);
	assert_int_equal(found.access[1].group, 7);
	assert_int_equal(found.access[1].mode, 0660);
	assert_string_equal(found.access[2].node, "vfio/devices/vfio3");
	assert_string_equal(found.access[2].device, "0000:01:00.0");
	assert_int_equal(found.access[2].user_count, 1);
	assert_int_equal(found.access[2].user[0], 1000);
	assert_string_equal(found.access[3].node, "vhost-vdpa-0");
	assert_true(found.access[3].everybody);
}

/* It gives nobody a device: whom the host lets open it is no finding, but an entry by which a claim let a user is one.
 */
static void containers(void **state)
{
	static const mode_t modes[] = { 0666, 0660, 0606, 0600 };
	struct found found;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		const char *path = make_node("vfio/vfio", 3, modes[i], 0, 36);

		assert_int_equal(find().count, 0);
		assert_int_equal(unlink(path), 0);
	}
	set_acl(make_node("vfio/vfio", 3, 0600, 0, 36), "u::rw-,u:1000:rw-,g::rw-,m::rw-,o::---");
	found = find();
	assert_int_equal(found.count, 1);
	assert_int_equal(found.access[0].user[0], 1000);
	assert_false(found.access[0].groups || found.access[0].everybody);
}

static void by_acl(void **state)
{
	struct found found;

	set_acl(make_node("iommu", 3, 0600, 0, 0), "u::rw-,u:1000:rw-,u:1001:r--,g::---,m::rw-,o::---");
	found = find();
	assert_int_equal(found.count, 1);
	assert_int_equal(found.access[0].user_count, 2);
	assert_int_equal(found.access[0].user[0], 1000);
	assert_int_equal(found.access[0].user[1], 1001);
	assert_false(found.access[0].groups);
	assert_string_equal(found.access[0].acl, "user:1000:rw-,user:1001:r--");
}

static void by_acl_for_groups(void **state)
{
	struct found found;

	set_acl(make_node("iommu", 3, 0600, 0, 0), "u::rw-,g::---,g:104:rw-,m::rw-,o::---");
	found = find();
	assert_int_equal(found.count, 1);
	assert_true(found.access[0].groups);
	assert_string_equal(found.access[0].acl, "group:104:rw-");
}

/* What the mask takes away, and what is given to root, is no matter: but it is shown where there is more to show. */
static void masked(void **state)
{
	set_acl(make_node("iommu", 3, 0600, 0, 0), "u::rw-,u:1000:rw-,g::rw-,m::---,o::---");
	set_acl(make_node("vfio/7", 7, 0600, 0, 36), "u::rw-,u:0:rw-,g::rw-,m::---,o::---");
	assert_int_equal(find().count, 0);
}

/* A link is no node, however many lead to it. */
static void links(void **state)
{
	make_node("vhost-vdpa-1", 3, 0600, 0, 0);
	tree_link(&tree, "/dev/null", "dev/iommu");
	tree_link(&tree, "/dev/null", "dev/vfio/9");
	assert_int_equal(find().count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(roots_alone, begin, end),
		cmocka_unit_test_setup_teardown(by_mode, begin, end),
		cmocka_unit_test_setup_teardown(containers, begin, end),
		cmocka_unit_test_setup_teardown(by_acl, begin, end),
		cmocka_unit_test_setup_teardown(by_acl_for_groups, begin, end),
		cmocka_unit_test_setup_teardown(masked, begin, end),
		cmocka_unit_test_setup_teardown(links, begin, end),
	};

	return cmocka_run_group_tests_name("node access", tests, NULL, NULL);
}
