/* Groups, containers and who may open nodes, as the simulated host keeps them: what Linux 6.12 does without iommufd. */
#include "../../daemon/simulator/host_file.h"
#include "../../daemon/simulator/simulated_kernel.h"
#include "../../daemon/simulator/node_opener.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <cmocka.h>

static const char host[] =
	"{ \"devices\": ["
	"{ \"name\": \"0000:00:01.0\", \"vendor_id\": \"1b36\", \"device_id\": \"000e\", \"class\": \"060400\","
	"  \"group\": 1, \"driver\": \"pcieport\" },"
	"{ \"name\": \"0000:01:00.0\", \"vendor_id\": \"1234\", \"device_id\": \"11e8\", \"class\": \"00ff00\","
	"  \"group\": 1, \"parent\": \"0000:00:01.0\" },"
	"{ \"name\": \"0000:01:01.0\", \"vendor_id\": \"8086\", \"device_id\": \"100e\", \"class\": \"020000\","
	"  \"group\": 1, \"parent\": \"0000:00:01.0\", \"driver\": \"e1000\" },"
	"{ \"name\": \"0000:00:02.0\", \"vendor_id\": \"1234\", \"device_id\": \"11e8\", \"class\": \"00ff00\","
	"  \"group\": 2 },"
	"{ \"name\": \"0000:00:03.0\", \"vendor_id\": \"1234\", \"device_id\": \"11e8\", \"class\": \"00ff00\" } ] }";

static struct loop *loop;
static struct machine *machine;
static struct simulated_device *card, *sibling, *alone, *no_group;
static struct context *container;
static struct group_file *group;

static void put_on_vfio(struct simulated_device *device)
{
	if (*device->now.driver)
		assert_int_equal(kernel_unbind(device, NULL), 0);
	assert_int_equal(kernel_override(device, "vfio-pci"), 0);
	assert_int_equal(kernel_probe(device), 0);
	assert_string_equal(device->now.driver, "vfio-pci");
}

static int start(void **state)
{
	struct json_problem problem;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(machine_new(loop, &machine), 0);
	assert_int_equal(host_text_load(host, strlen(host), machine, &problem), 0);
	card = machine_find(machine, "0000:01:00.0");
	sibling = machine_find(machine, "0000:01:01.0");
	alone = machine_find(machine, "0000:00:02.0");
	no_group = machine_find(machine, "0000:00:03.0");
	put_on_vfio(card);
	put_on_vfio(alone);
	assert_int_equal(kernel_open_container(machine, &container), 0);
	return 0;
}

static int stop(void **state)
{
	kernel_close_all(machine);
	machine_free(machine);
	loop_free(loop);
	return 0;
}

/* The sibling out of the way, the group in the container. */
static void open_group(void)
{
	if (*sibling->now.driver)
		assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_open_group(card, &group), 0);
	assert_int_equal(kernel_set_container(group, container), 0);
}

static void test_a_group_is_opened_once(void **state)
{
	struct group_file *second;
	struct device_file *file;
	int theirs;

	open_group();
	assert_int_equal(kernel_open_group(card, &second), -EBUSY);
	assert_int_equal(kernel_open_by_group(group, card, &file), 0);
	/* The device keeps its group open. */
	kernel_close_group(group);
	assert_int_equal(kernel_can_open_group(card), -EBUSY);
	/* The client's close is known at once, without the loop. */
	theirs = stand_in_give(&file->stand_in);
	assert_int_equal(kernel_can_open_group(card), -EBUSY);
	close(theirs);
	assert_int_equal(kernel_open_group(card, &second), 0);
	theirs = stand_in_give(&second->stand_in);
	assert_int_equal(kernel_can_open_group(card), -EBUSY);
	close(theirs);
	assert_int_equal(kernel_can_open_group(card), 0);
}

static void test_a_group_with_a_member_on_a_host_driver(void **state)
{
	assert_int_equal(kernel_open_group(card, &group), 0);
	assert_int_equal(kernel_set_container(group, container), -EPERM);
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_set_container(group, container), 0);
	assert_int_equal(kernel_set_container(group, container), -EINVAL);
	/* Whose group it is now the host does not get. */
	assert_int_equal(kernel_bind_driver(sibling, "e1000"), -EBUSY);
	kernel_close_group(group);
	assert_int_equal(kernel_bind_driver(sibling, "e1000"), 0);
}

static void test_devices_are_opened_by_their_group(void **state)
{
	struct device_file *file, *again;

	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_open_group(card, &group), 0);
	assert_int_equal(kernel_open_by_group(group, card, &file), -EINVAL);
	assert_int_equal(kernel_set_container(group, container), 0);
	assert_int_equal(kernel_open_by_group(group, sibling, &file), -ENODEV);
	assert_int_equal(kernel_open_by_group(group, alone, &file), -ENODEV);
	assert_int_equal(kernel_open_by_group(group, card, &file), 0);
	assert_int_equal(kernel_open_by_group(group, card, &again), 0);
	put_on_vfio(sibling);
	assert_int_equal(kernel_open_by_group(group, sibling, &again), 0);
	/* An unbind waits for the files of the device, not for the others of the group. */
	assert_int_equal(kernel_unbind(sibling, NULL), KERNEL_BLOCKED);
	kernel_close_device(again);
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_can_open_group(card), -EBUSY);
}

static void test_a_container_has_many_groups(void **state)
{
	struct group_file *other;
	struct context *iommufd;

	open_group();
	assert_int_equal(kernel_open_group(alone, &other), 0);
	assert_int_equal(kernel_open_iommu(machine, &iommufd), 0);
	assert_int_equal(kernel_set_container(other, iommufd), -EINVAL);
	assert_int_equal(kernel_set_container(other, container), 0);
	assert_int_equal(container->files, 2);
	/* The groups keep it. */
	kernel_close_context(container);
	assert_int_equal(machine->contexts.count, 1);
	kernel_close_group(other);
	assert_int_equal(container->files, 1);
}

/* Whoever has a group open whose last device has left VFIO has nothing, and is in nobody's way. */
static void test_a_group_ends_with_its_last_device(void **state)
{
	struct group_file *again;

	open_group();
	put_on_vfio(sibling);
	assert_int_equal(kernel_unbind(card, NULL), 0);
	assert_int_equal(kernel_can_open_group(sibling), -EBUSY);
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_can_open_group(sibling), -ENOENT);
	assert_int_equal(container->files, 0);
	put_on_vfio(card);
	assert_int_equal(kernel_open_group(card, &again), 0);
	assert_ptr_not_equal(again, group);
	kernel_close_group(group);
	assert_int_equal(kernel_can_open_group(card), -EBUSY);
}

static void test_a_device_of_an_open_group_is_unplugged(void **state)
{
	open_group();
	assert_int_equal(kernel_unplug(card), 0);
	assert_null(group->group);
	kernel_close_group(group);
	assert_int_equal(container->files, 0);
}

/* One way excludes the other. */
static void test_a_group_and_an_iommufd(void **state)
{
	struct context *iommufd;
	struct device_file *file;

	open_group();
	assert_int_equal(kernel_open_iommu(machine, &iommufd), 0);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_bind(file, iommufd), -EBUSY);
	kernel_close_group(group);
	assert_int_equal(kernel_bind(file, iommufd), 0);
	assert_int_equal(kernel_open_group(card, &group), -EBUSY);
	kernel_close_device(file);
	assert_int_equal(kernel_open_group(card, &group), 0);
}

static void test_kernels_and_devices_without_groups(void **state)
{
	put_on_vfio(no_group);
	assert_int_equal(kernel_open_group(no_group, &group), -ENOENT);
	assert_int_equal(kernel_open_group(sibling, &group), 0);
	kernel_close_group(group);
	machine->kernel.vfio_group = 0;
	assert_int_equal(kernel_open_container(machine, &container), -ENOENT);
	assert_int_equal(kernel_open_group(card, &group), -ENOENT);
}

static void test_acls(void **state)
{
	struct acl acl = { .count = 0 };

	assert_true(acl_allows(&acl, 0));
	assert_false(acl_allows(&acl, 1000));
	acl_revoke(&acl, 1000);
	for (uid_t uid = 1000; uid < 1010; uid++)
		assert_int_equal(acl_grant(&acl, uid), 0);
	assert_int_equal(acl_grant(&acl, 1003), 0);
	acl_revoke(&acl, 1003);
	for (uid_t uid = 1000; uid < 1010; uid++)
		assert_int_equal(acl_allows(&acl, uid), uid != 1003);
	acl_clear(&acl);
	assert_false(acl_allows(&acl, 1000));
}

/* The node goes with the binding, and what its ACL says with the node. */
static void test_an_acl_goes_with_its_node(void **state)
{
	assert_int_equal(acl_grant(&card->acl, 1000), 0);
	assert_int_equal(kernel_unbind(card, NULL), 0);
	assert_false(acl_allows(&card->acl, 1000));
}

/* Ends the process, which takes its files with it. */
static void end(pid_t pid)
{
	struct pollfd process = { .fd = pidfd_open(pid, 0), .events = POLLIN };

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(poll(&process, 1, 60000), 1);
	close(process.fd);
}

static void test_nodes_are_opened_by_path(void **state)
{
	size_t contexts;
	pid_t pid;

	assert_int_equal(node_opener_start(alone, 1000, false, &pid), -EACCES);
	assert_int_equal(acl_grant(&alone->acl, 1000), 0);
	assert_int_equal(node_opener_start(alone, 1001, false, &pid), -EACCES);
	assert_int_equal(node_opener_start(alone, 1000, false, &pid), 0);
	assert_true(kernel_is_open(alone));
	end(pid);
	assert_false(kernel_is_within_reach(alone));
	/* By its group it takes the container, too. */
	assert_int_equal(node_opener_start(alone, 1000, true, &pid), -EACCES);
	assert_int_equal(acl_grant(&machine->container_acl, 1000), 0);
	assert_int_equal(node_opener_start(alone, 1000, true, &pid), 0);
	assert_int_equal(kernel_can_open_group(alone), -EBUSY);
	assert_int_equal(node_opener_start(alone, 0, true, &pid), -EBUSY);
	assert_int_equal(kernel_unbind(alone, NULL), KERNEL_BLOCKED);
	end(pid);
	assert_false(kernel_is_within_reach(alone));
	assert_int_equal(kernel_unbind(alone, NULL), 0);
	assert_int_equal(node_opener_start(alone, 0, false, &pid), -ENOENT);
	contexts = machine->contexts.count;
	/* A member on a host driver: nothing stays open of what was tried. */
	assert_int_equal(node_opener_start(card, 0, true, &pid), -EPERM);
	assert_int_equal(kernel_can_open_group(card), 0);
	assert_int_equal(machine->contexts.count, contexts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_group_is_opened_once, start, stop),
		cmocka_unit_test_setup_teardown(test_a_group_with_a_member_on_a_host_driver, start, stop),
		cmocka_unit_test_setup_teardown(test_devices_are_opened_by_their_group, start, stop),
		cmocka_unit_test_setup_teardown(test_a_container_has_many_groups, start, stop),
		cmocka_unit_test_setup_teardown(test_a_group_ends_with_its_last_device, start, stop),
		cmocka_unit_test_setup_teardown(test_a_device_of_an_open_group_is_unplugged, start, stop),
		cmocka_unit_test_setup_teardown(test_a_group_and_an_iommufd, start, stop),
		cmocka_unit_test_setup_teardown(test_kernels_and_devices_without_groups, start, stop),
		cmocka_unit_test(test_acls),
		cmocka_unit_test_setup_teardown(test_an_acl_goes_with_its_node, start, stop),
		cmocka_unit_test_setup_teardown(test_nodes_are_opened_by_path, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
