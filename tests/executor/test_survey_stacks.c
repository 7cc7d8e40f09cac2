/*
 * Block devices on top of others, on a fake machine: from a disk to the end of the chain, by names that a person knows.
 */
#include "surveyed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#define DISK "0000:00:04.0"
#define OTHER "0000:00:05.0"
#define DISK_FOLDER DISK "/nvme/nvme0/nvme0n1"
#define OTHER_FOLDER OTHER "/nvme/nvme1/nvme1n1"

static struct tree tree;

static int begin(void **state)
{
	tree_begin(&tree);
	tree_device(&tree, DISK, "0x1b36", "0x0010", "0x010802");
	tree_device(&tree, OTHER, "0x1b36", "0x0010", "0x010802");
	tree_block(&tree, DISK_FOLDER, "259:0", false);
	tree_block(&tree, DISK_FOLDER "/nvme0n1p2", "259:2", true);
	tree_block(&tree, OTHER_FOLDER, "259:8", false);
	tree_file(&tree, "", "proc/1/mountinfo");
	return 0;
}

static int end(void **state)
{
	surveyed_end();
	tree_end(&tree);
	return 0;
}

/* A block device of no hardware. */
static void make_virtual(const char *name, const char *number)
{
	char target[128], line[32];

	snprintf(line, sizeof(line), "%s\n", number);
	tree_file(&tree, line, "sys/devices/virtual/block/%s/dev", name);
	snprintf(target, sizeof(target), "../../devices/virtual/block/%s", name);
	tree_link(&tree, target, "sys/class/block/%s", name);
}

static void put_on(const char *folder, const char *holder)
{
	tree_link(&tree, "x", "sys/devices/%s/holders/%s", folder, holder);
}

static void mount_on(const char *number, const char *source, const char *point)
{
	char line[512];

	snprintf(line, sizeof(line), "22 1 %s / %s rw - ext4 %s rw\n", number, point, source);
	tree_file(&tree, line, "proc/1/mountinfo");
}

static void volumes_have_their_names(void **state)
{
	static const struct {
		const char *uuid;
		const char *chain;
	} cases[] = {
		{ "LVM-abc", "nvme0n1 > nvme0n1p2 > dm-0 (vg-root, LVM) > mounted on /" },
		{ "CRYPT-LUKS2-abc", "nvme0n1 > nvme0n1p2 > dm-0 (vg-root, encrypted) > mounted on /" },
		{ "mpath-abc", "nvme0n1 > nvme0n1p2 > dm-0 (vg-root, multipath) > mounted on /" },
		{ "", "nvme0n1 > nvme0n1p2 > dm-0 (vg-root) > mounted on /" },
	};

	make_virtual("dm-0", "254:0");
	put_on("pci0000:00/" DISK_FOLDER "/nvme0n1p2", "dm-0");
	tree_file(&tree, "vg-root\n", "sys/devices/virtual/block/dm-0/dm/name");
	mount_on("254:0", "/dev/mapper/vg-root", "/");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tree_file(&tree, cases[i].uuid, "sys/devices/virtual/block/dm-0/dm/uuid");
		assert_int_equal(survey(&tree, DISK), 0);
		assert_int_equal(uses.count, 1);
		assert_use(0, USE_MOUNT, SEVERITY_FATAL, cases[i].chain);
	}
}

/* Each disk of an array leads to the same end. */
static void array_of_two_disks(void **state)
{
	make_virtual("md0", "9:0");
	tree_file(&tree, "raid1\n", "sys/devices/virtual/block/md0/md/level");
	make_virtual("dm-0", "254:0");
	put_on("pci0000:00/" DISK_FOLDER "/nvme0n1p2", "md0");
	put_on("pci0000:00/" OTHER_FOLDER, "md0");
	put_on("virtual/block/md0", "dm-0");
	mount_on("254:0", "/dev/dm-0", "/srv");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_use(0, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p2 > md0 (raid1) > dm-0 > mounted on /srv");
	assert_int_equal(survey(&tree, OTHER), 0);
	assert_use(0, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme1n1 > md0 (raid1) > dm-0 > mounted on /srv");
	assert_int_equal(survey_with_processes(&tree, DISK, OTHER), 0);
	assert_int_equal(uses.count, 2);
}

static void partition_of_an_array(void **state)
{
	make_virtual("md0", "9:0");
	put_on("pci0000:00/" DISK_FOLDER, "md0");
	tree_file(&tree, "259:3\n", "sys/devices/virtual/block/md0/md0p1/dev");
	tree_file(&tree, "1\n", "sys/devices/virtual/block/md0/md0p1/partition");
	tree_link(&tree, "../../devices/virtual/block/md0/md0p1", "sys/class/block/md0p1");
	mount_on("259:3", "/dev/md0p1", "/boot");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > md0 > md0p1 > mounted on /boot");
}

static void backing_and_cache_of_bcache(void **state)
{
	make_virtual("bcache0", "252:0");
	put_on("pci0000:00/" DISK_FOLDER, "bcache0");
	put_on("pci0000:00/" OTHER_FOLDER, "bcache0");
	mount_on("252:0", "/dev/bcache0", "/home");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > bcache0 > mounted on /home");
	assert_int_equal(survey(&tree, OTHER), 0);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme1n1 > bcache0 > mounted on /home");
}

static void members_of_btrfs(void **state)
{
	tree_file(&tree, "x", "sys/fs/btrfs/4711/devices/nvme0n1p2");
	tree_file(&tree, "x", "sys/fs/btrfs/4711/devices/nvme1n1");
	/* Its source can't be found here: then all such file systems may be meant. */
	tree_file(&tree, "22 1 0:40 / / rw - btrfs /dev/root rw\n", "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > nvme0n1p2 > mounted on /");
	assert_int_equal(survey(&tree, OTHER), 0);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme1n1 > mounted on /");
}

/* A file on the disk's file system, not on one that is mounted below it. */
static void loop_over_a_file(void **state)
{
	make_virtual("loop0", "7:0");
	tree_file(&tree, "/srv/images/a.img\n", "sys/devices/virtual/block/loop0/loop/backing_file");
	tree_file(&tree,
		  "22 1 259:8 / / rw - ext4 /dev/nvme1n1 rw\n"
		  "23 22 259:2 / /srv rw - ext4 /dev/nvme0n1p2 rw\n"
		  "24 22 7:0 / /mnt rw - ext4 /dev/loop0 rw\n"
		  "25 22 259:8 / /srv/image rw - ext4 /dev/nvme1n1 rw\n",
		  "proc/1/mountinfo");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 2);
	assert_use(0, USE_MOUNT, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p2 > mounted on /srv");
	assert_use(1, USE_MOUNT, SEVERITY_DISRUPTIVE,
		   "nvme0n1 > nvme0n1p2 > loop0 (/srv/images/a.img) > mounted on /mnt");
	assert_int_equal(survey(&tree, OTHER), 0);
	assert_int_equal(uses.count, 2);
}

/* A loop over a file that lies on the loop itself has no end. */
static void loop_on_itself(void **state)
{
	make_virtual("loop0", "7:0");
	make_virtual("loop1", "7:1");
	tree_file(&tree, "/a/x\n", "sys/devices/virtual/block/loop0/loop/backing_file");
	tree_file(&tree, "/b/x\n", "sys/devices/virtual/block/loop1/loop/backing_file");
	tree_file(&tree, "22 1 7:1 / /a rw - ext4 x rw\n23 1 7:0 / /b rw - ext4 x rw\n", "proc/1/mountinfo");
	put_on("pci0000:00/" DISK_FOLDER, "loop0");
	assert_int_equal(survey(&tree, DISK), -ELOOP);
}

static void hibernation(void **state)
{
	tree_file(&tree, "259:2\n", "sys/power/resume");
	tree_file(&tree, "BOOT_IMAGE=/vmlinuz resume=UUID=../../x resume=UUID=no-such quiet\n", "proc/cmdline");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_HIBERNATION, SEVERITY_DISRUPTIVE, "nvme0n1 > nvme0n1p2 > hibernation");
	tree_file(&tree, "0:0\n", "sys/power/resume");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_int_equal(uses.count, 0);
}

static void disk_behind_usb(void **state)
{
	tree_device(&tree, "0000:00:06.0", "0x1b36", "0x000d", "0x0c0330");
	tree_block(&tree, "0000:00:06.0/usb2/2-1/2-1.4/2-1.4:1.0/host6/target6:0:0/6:0:0:0/block/sda", "8:0", false);
	mount_on("8:0", "/dev/sda", "/media/stick");
	assert_int_equal(survey(&tree, "0000:00:06.0"), 0);
	assert_use(0, USE_MOUNT, SEVERITY_DISRUPTIVE, "USB 2-1.4 > sda > mounted on /media/stick");
}

/* The end of a chain is what counts: it stays, whatever the rest is like. */
static void long_names_leave_the_end(void **state)
{
	char name[128], point[300];

	memset(name, 'n', sizeof(name));
	name[120] = '\0';
	memset(point, 'p', sizeof(point));
	point[0] = '/';
	point[299] = '\0';
	for (int i = 0; i < 3; i++) {
		char dm[8], number[8], folder[40];

		snprintf(dm, sizeof(dm), "dm-%d", i);
		snprintf(number, sizeof(number), "254:%d", i);
		make_virtual(dm, number);
		tree_file(&tree, name, "sys/devices/virtual/block/%s/dm/name", dm);
		snprintf(folder, sizeof(folder), "virtual/block/dm-%d", i - 1);
		put_on(i == 0 ? "pci0000:00/" DISK_FOLDER : folder, dm);
	}
	mount_on("254:2", "/dev/dm-2", "/var");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > ... > mounted on /var");
	mount_on("254:2", "/dev/dm-2", point);
	assert_int_equal(survey(&tree, DISK), 0);
	assert_true(use_is_sane(&uses.use[0]));
	assert_non_null(strstr(uses.use[0].text, "nvme0n1 > ... > mounted on /ppp"));
}

/* A name that is no printable text is left out, and nothing else. */
static void hostile_volume_name(void **state)
{
	make_virtual("dm-0", "254:0");
	put_on("pci0000:00/" DISK_FOLDER, "dm-0");
	tree_file(&tree, "a\033[31m\n", "sys/devices/virtual/block/dm-0/dm/name");
	mount_on("254:0", "/dev/dm-0", "/");
	assert_int_equal(survey(&tree, DISK), 0);
	assert_use(0, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > dm-0 > mounted on /");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(volumes_have_their_names, begin, end),
		cmocka_unit_test_setup_teardown(array_of_two_disks, begin, end),
		cmocka_unit_test_setup_teardown(partition_of_an_array, begin, end),
		cmocka_unit_test_setup_teardown(backing_and_cache_of_bcache, begin, end),
		cmocka_unit_test_setup_teardown(members_of_btrfs, begin, end),
		cmocka_unit_test_setup_teardown(loop_over_a_file, begin, end),
		cmocka_unit_test_setup_teardown(loop_on_itself, begin, end),
		cmocka_unit_test_setup_teardown(hibernation, begin, end),
		cmocka_unit_test_setup_teardown(disk_behind_usb, begin, end),
		cmocka_unit_test_setup_teardown(long_names_leave_the_end, begin, end),
		cmocka_unit_test_setup_teardown(hostile_volume_name, begin, end),
	};

	return cmocka_run_group_tests_name("survey of stacked block devices", tests, NULL, NULL);
}
