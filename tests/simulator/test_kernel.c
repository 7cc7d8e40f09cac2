/* The kernel's rules that the simulated host keeps, one by one: as measured on Linux 6.12. */
#include "../../daemon/simulator/host_file.h"
#include "../../daemon/simulator/simulated_kernel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char host[] =
	"{ \"devices\": ["
	"{ \"name\": \"0000:00:01.0\", \"vendor_id\": \"1b36\", \"device_id\": \"000e\", \"class\": \"060400\","
	"  \"group\": 1, \"driver\": \"pcieport\" },"
	"{ \"name\": \"0000:01:00.0\", \"vendor_id\": \"1234\", \"device_id\": \"11e8\", \"class\": \"00ff00\","
	"  \"group\": 1, \"parent\": \"0000:00:01.0\", \"reset_methods\": [\"bus\"] },"
	"{ \"name\": \"0000:01:01.0\", \"vendor_id\": \"8086\", \"device_id\": \"100e\", \"class\": \"020000\","
	"  \"group\": 1, \"parent\": \"0000:00:01.0\", \"driver\": \"e1000\" },"
	"{ \"name\": \"0000:00:02.0\", \"vendor_id\": \"1234\", \"device_id\": \"11e8\", \"class\": \"00ff00\" },"
	"{ \"name\": \"0000:00:03.0\", \"vendor_id\": \"10de\", \"device_id\": \"2235\", \"class\": \"030200\","
	"  \"group\": 3, \"driver\": \"nvidia\", \"vfio_node\": \"vfio7\", \"reset_methods\": [\"flr\"] } ] }";

static struct loop *loop;
static struct machine *machine;
static struct simulated_device *card, *sibling, *bridge, *no_group, *vendors;

static int start(void **state)
{
	struct json_problem problem;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(machine_new(loop, &machine), 0);
	assert_int_equal(host_text_load(host, strlen(host), machine, &problem), 0);
	bridge = machine_find(machine, "0000:00:01.0");
	card = machine_find(machine, "0000:01:00.0");
	sibling = machine_find(machine, "0000:01:01.0");
	no_group = machine_find(machine, "0000:00:02.0");
	vendors = machine_find(machine, "0000:00:03.0");
	return 0;
}

static int stop(void **state)
{
	kernel_close_all(machine);
	machine_free(machine);
	loop_free(loop);
	return 0;
}

static void put_on_vfio(struct simulated_device *device)
{
	if (*device->now.driver)
		assert_int_equal(kernel_unbind(device, NULL), 0);
	assert_int_equal(kernel_override(device, "vfio-pci"), 0);
	assert_int_equal(kernel_probe(device), 0);
	assert_string_equal(device->now.driver, "vfio-pci");
}

static void test_drivers_probe_says_nothing_of_a_missing_driver(void **state)
{
	assert_int_equal(kernel_probe(card), 0);
	assert_string_equal(card->now.driver, "");
	assert_int_equal(kernel_override(card, "no-such-driver"), 0);
	assert_int_equal(kernel_probe(card), 0);
	assert_string_equal(card->now.driver, "");
	/* A VFIO driver binds only where it is told to. */
	assert_int_equal(kernel_override(card, ""), 0);
	assert_int_equal(kernel_probe(card), 0);
	assert_string_equal(card->now.driver, "");
}

static void test_an_override_keeps_the_own_driver_off(void **state)
{
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_unbind(sibling, NULL), -ENODEV);
	assert_int_equal(kernel_override(sibling, PINNED_OVERRIDE), 0);
	assert_int_equal(kernel_probe(sibling), 0);
	assert_string_equal(sibling->now.driver, "");
	assert_int_equal(kernel_bind_driver(sibling, "e1000"), -ENODEV);
	assert_int_equal(kernel_override(sibling, ""), 0);
	assert_int_equal(kernel_bind_driver(sibling, "nvme"), -ENODEV);
	assert_int_equal(kernel_bind_driver(sibling, "e1000"), 0);
	assert_int_equal(kernel_bind_driver(sibling, "e1000"), -EBUSY);
}

static void test_a_kernel_without_vfio_pci(void **state)
{
	machine->has_vfio_pci = false;
	assert_int_equal(kernel_override(card, "vfio-pci"), 0);
	assert_int_equal(kernel_probe(card), 0);
	assert_string_equal(card->now.driver, "");
}

static void test_nodes_take_the_lowest_number(void **state)
{
	put_on_vfio(card);
	put_on_vfio(sibling);
	assert_string_equal(card->now.vfio_node, "vfio0");
	assert_string_equal(sibling->now.vfio_node, "vfio1");
	assert_int_equal(kernel_unbind(card, NULL), 0);
	assert_string_equal(card->now.vfio_node, "");
	put_on_vfio(card);
	assert_string_equal(card->now.vfio_node, "vfio0");
}

static void test_bind_is_refused_with_a_member_on_a_host_driver(void **state)
{
	struct context *context;
	struct device_file *file;

	put_on_vfio(card);
	assert_int_equal(kernel_open_iommu(machine, &context), 0);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_bind(file, context), -EPERM);
	/* The bridge's driver is no hindrance: it does no DMA in the host's name. */
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_string_equal(bridge->now.driver, "pcieport");
	assert_int_equal(kernel_bind(file, context), 0);
}

static void test_members_share_one_context(void **state)
{
	struct context *first, *second;
	struct device_file *file, *other;

	put_on_vfio(card);
	put_on_vfio(sibling);
	assert_int_equal(kernel_open_iommu(machine, &first), 0);
	assert_int_equal(kernel_open_iommu(machine, &second), 0);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_open_device(sibling, &other), 0);
	assert_int_equal(kernel_bind(file, first), 0);
	assert_int_equal(kernel_bind(other, second), -EPERM);
	assert_int_equal(kernel_bind(other, first), 0);
	kernel_close_device(file);
	kernel_close_device(other);
	assert_int_equal(kernel_open_device(sibling, &other), 0);
	assert_int_equal(kernel_bind(other, second), 0);
}

static void test_a_second_bind_fails_until_the_first_file_is_closed(void **state)
{
	struct context *first, *second;
	struct device_file *file, *other;
	int theirs;

	put_on_vfio(card);
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_open_iommu(machine, &first), 0);
	assert_int_equal(kernel_open_iommu(machine, &second), 0);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_bind(file, first), 0);
	assert_int_equal(kernel_bind(file, first), -EINVAL);
	/* A second open works. */
	assert_int_equal(kernel_open_device(card, &other), 0);
	assert_int_equal(kernel_bind(other, second), -EINVAL);
	/* The client's close is known at once, without the loop. */
	theirs = stand_in_give(&file->stand_in);
	assert_int_equal(kernel_bind(other, second), -EINVAL);
	close(theirs);
	assert_int_equal(kernel_bind(other, second), 0);
}

static void test_the_host_gets_nothing_of_a_claimed_group(void **state)
{
	struct context *context;
	struct device_file *file;

	put_on_vfio(card);
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_open_iommu(machine, &context), 0);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_bind(file, context), 0);
	assert_int_equal(kernel_bind_driver(sibling, "e1000"), -EBUSY);
	assert_int_equal(kernel_probe(sibling), -EINVAL);
	assert_string_equal(sibling->now.driver, "");
	kernel_close_device(file);
	assert_int_equal(kernel_probe(sibling), 0);
	assert_string_equal(sibling->now.driver, "e1000");
}

static void test_attach_wants_an_ioas_of_the_context(void **state)
{
	struct context *context;
	struct device_file *file;
	uint32_t ioas;

	put_on_vfio(card);
	assert_int_equal(kernel_unbind(sibling, NULL), 0);
	assert_int_equal(kernel_open_iommu(machine, &context), 0);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_alloc_ioas(context, &ioas), 0);
	assert_true(ioas >= 1);
	assert_int_equal(kernel_attach(file, ioas), -EINVAL);
	assert_int_equal(kernel_bind(file, context), 0);
	assert_int_equal(kernel_attach(file, ioas + 10), -ENOENT);
	assert_int_equal(kernel_attach(file, ioas), 0);
}

static void note_wake(struct waiter *waiter)
{
	waiter->wake = NULL;
}

static void test_unbind_of_vfio_waits_for_every_file(void **state)
{
	struct waiter waiter = { .wake = note_wake };
	struct device_file *file, *other;
	int me, another;

	put_on_vfio(card);
	assert_int_equal(kernel_open_device(card, &file), 0);
	assert_int_equal(kernel_unbind(card, &me), KERNEL_BLOCKED);
	/* The node is gone already, and the writer has the device's lock. */
	assert_string_equal(card->now.vfio_node, "");
	assert_string_equal(card->now.driver, "vfio-pci");
	assert_int_equal(kernel_open_device(card, &other), -ENOENT);
	assert_int_equal(kernel_override(card, ""), KERNEL_BLOCKED);
	assert_int_equal(kernel_unbind(card, &another), KERNEL_BLOCKED);
	waiter_wait(&waiter, card);
	kernel_close_device(file);
	assert_null(waiter.wake);
	assert_int_equal(kernel_unbind(card, &another), KERNEL_BLOCKED);
	assert_int_equal(kernel_unbind(card, &me), 0);
	assert_string_equal(card->now.driver, "");
	assert_int_equal(kernel_override(card, ""), 0);
}

static void test_resets(void **state)
{
	/* Its bus can't be reset, for it is not alone there. */
	assert_int_equal(kernel_reset(card), -ENOTTY);
	assert_int_equal(kernel_reset(sibling), -ENOENT);
	assert_int_equal(kernel_reset(vendors), 0);
	assert_int_equal(kernel_unplug(sibling), 0);
	assert_int_equal(kernel_reset(card), 0);
}

static void test_a_device_without_a_group_is_bound_to_nothing(void **state)
{
	struct context *context;
	struct device_file *file;

	put_on_vfio(no_group);
	assert_int_equal(kernel_open_iommu(machine, &context), 0);
	assert_int_equal(kernel_open_device(no_group, &file), 0);
	assert_int_equal(kernel_bind(file, context), -ENODEV);
}

/* Newer vGPUs stay on their vendor's driver, which offers VFIO for them. */
static void test_a_vendors_driver_can_be_a_vfio_driver(void **state)
{
	struct context *context;
	struct device_file *file;

	assert_int_equal(kernel_open_iommu(machine, &context), 0);
	assert_int_equal(kernel_open_device(vendors, &file), 0);
	assert_int_equal(kernel_bind(file, context), 0);
	kernel_close_device(file);
	assert_int_equal(kernel_unbind(vendors, NULL), 0);
	assert_string_equal(vendors->now.vfio_node, "");
	assert_int_equal(kernel_bind_driver(vendors, "nvidia"), 0);
	assert_string_equal(vendors->now.vfio_node, "vfio0");
}

static void test_old_kernels(void **state)
{
	struct context *context;
	struct device_file *file;

	machine->kernel.iommufd = machine->kernel.vfio_cdev = 0;
	put_on_vfio(card);
	assert_int_equal(kernel_open_iommu(machine, &context), -ENOENT);
	assert_int_equal(kernel_open_device(card, &file), -ENOENT);
}

static void test_a_context_is_known_by_any_copy(void **state)
{
	struct context *context;
	int theirs, copy;

	assert_int_equal(kernel_open_iommu(machine, &context), 0);
	theirs = stand_in_give(&context->stand_in);
	copy = dup(theirs);
	close(theirs);
	assert_ptr_equal(kernel_context_of(machine, copy), context);
	assert_null(kernel_context_of(machine, STDERR_FILENO));
	close(copy);
}

/* Ten thousand devices cost no more for each than ten, and every number is used once. */
static void test_ten_thousand_devices(void **state)
{
	for (int i = 0; i < 10000; i++) {
		struct device_description description = {
			.device = { .group = 100 + i, .numa_node = -1, .pci = { .vendor = 0x1234, .device = 0x11e8 } },
		};

		snprintf(description.device.name, DEVICE_NAME_MAX, "0001:%02x:%02x.%x", i >> 8, i >> 3 & 31, i & 7);
		assert_int_equal(machine_add(machine, &description), 0);
		put_on_vfio(machine_find(machine, description.device.name));
	}
	assert_string_equal(machine_find(machine, "0001:00:00.0")->now.vfio_node, "vfio0");
	/* The vendor's has the number 7. */
	assert_string_equal(machine_find(machine, "0001:00:00.7")->now.vfio_node, "vfio8");
	assert_string_equal(machine_find(machine, "0001:27:01.7")->now.vfio_node, "vfio10000");
	assert_int_equal(topology_count(machine->topology), 10005);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_drivers_probe_says_nothing_of_a_missing_driver, start, stop),
		cmocka_unit_test_setup_teardown(test_an_override_keeps_the_own_driver_off, start, stop),
		cmocka_unit_test_setup_teardown(test_a_kernel_without_vfio_pci, start, stop),
		cmocka_unit_test_setup_teardown(test_nodes_take_the_lowest_number, start, stop),
		cmocka_unit_test_setup_teardown(test_bind_is_refused_with_a_member_on_a_host_driver, start, stop),
		cmocka_unit_test_setup_teardown(test_members_share_one_context, start, stop),
		cmocka_unit_test_setup_teardown(test_a_second_bind_fails_until_the_first_file_is_closed, start, stop),
		cmocka_unit_test_setup_teardown(test_the_host_gets_nothing_of_a_claimed_group, start, stop),
		cmocka_unit_test_setup_teardown(test_attach_wants_an_ioas_of_the_context, start, stop),
		cmocka_unit_test_setup_teardown(test_unbind_of_vfio_waits_for_every_file, start, stop),
		cmocka_unit_test_setup_teardown(test_resets, start, stop),
		cmocka_unit_test_setup_teardown(test_a_device_without_a_group_is_bound_to_nothing, start, stop),
		cmocka_unit_test_setup_teardown(test_a_vendors_driver_can_be_a_vfio_driver, start, stop),
		cmocka_unit_test_setup_teardown(test_old_kernels, start, stop),
		cmocka_unit_test_setup_teardown(test_a_context_is_known_by_any_copy, start, stop),
		cmocka_unit_test_setup_teardown(test_ten_thousand_devices, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
