/*
 * What a machine has at the end of its other functions, on a fake one: displays, keyboards, USB devices, sound, the
 * machine's own controllers, virtual functions, and drivers that nobody knows.
 */
#include "surveyed.h"

#include "../../policy/decide/refusal_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CARD "0000:00:02.0"
#define FUNCTION "0000:00:02.1"
#define USB "0000:00:14.0"

static struct tree tree;

static int begin(void **state)
{
	tree_begin(&tree);
	tree_device(&tree, CARD, "0x1234", "0x1111", "0x030000");
	tree_device(&tree, USB, "0x1b36", "0x000d", "0x0c0330");
	tree_file(&tree, "", "proc/1/mountinfo");
	return 0;
}

static int end(void **state)
{
	surveyed_end();
	tree_end(&tree);
	return 0;
}

/* A device of the kernel's below a function: in a class, and with a node if it has a number. */
static void make_node(const char *path, const char *class, const char *number)
{
	char target[256];

	tree_file(&tree, "", "sys/devices/pci0000:00/%s/uevent", path);
	snprintf(target, sizeof(target), "../../devices/pci0000:00/%s", path);
	tree_link(&tree, target, "sys/class/%s/%s", class, path_last(path));
	if (number)
		tree_link(&tree, target, "sys/dev/char/%s", number);
}

/* A process that has this file of the machine's own open. */
static void make_process(int pid, const char *name, const char *file)
{
	tree_file(&tree, name, "proc/%d/comm", pid);
	tree_link(&tree, "/bin/true", "proc/%d/exe", pid);
	tree_link(&tree, file, "proc/%d/fd/3", pid);
	tree_file(&tree, "flags:\t02\n", "proc/%d/fdinfo/3", pid);
}

static void make_console(const char *name)
{
	tree_file(&tree, "1\n", "sys/class/vtconsole/vtcon0/bind");
	tree_file(&tree, name, "sys/class/vtconsole/vtcon0/name");
}

static void console_on_frame_buffer(void **state)
{
	make_console("(M) frame buffer device\n");
	make_node(CARD "/graphics/fb0", "graphics", NULL);
	make_node(USB "/graphics/fb1", "graphics", NULL);
	tree_file(&tree, "1\n", "sys/devices/pci0000:00/" CARD "/boot_vga");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_DISPLAY, SEVERITY_DISRUPTIVE, "fb0 > console of the host");
	tree_file(&tree, "0\n", "sys/class/vtconsole/vtcon0/bind");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_use(0, USE_DISPLAY, SEVERITY_IDLE, "boot display, without a console");
}

/* The firmware's frame buffer hangs on no function: it is on the boot display. */
static void console_of_the_firmware(void **state)
{
	make_console("(M) frame buffer device\n");
	tree_link(&tree, "../../devices/platform/efi-framebuffer.0/graphics/fb0", "sys/class/graphics/fb0");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 0);
	tree_file(&tree, "1\n", "sys/devices/pci0000:00/" CARD "/boot_vga");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_use(0, USE_DISPLAY, SEVERITY_DISRUPTIVE, "boot display > fb0 > console of the host");
	make_console("(S) VGA+\n");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_use(0, USE_DISPLAY, SEVERITY_DISRUPTIVE, "boot display > VGA text > console of the host");
}

/* Who has nodes of a function open; a program that has several is told once of each kind. */
static void programs_with_nodes(void **state)
{
	tree_driver(&tree, CARD, "i915");
	make_node(CARD "/drm/card0", "drm", "1:3");
	make_node(CARD "/drm/renderD128", "drm", "1:5");
	make_process(42, "Xorg\n", "/dev/null");
	tree_link(&tree, "/dev/zero", "proc/42/fd/4");
	make_process(43, "other\n", "/dev/full");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 1);
	assert_int_equal(survey_with_processes(&tree, CARD, NULL), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_DISPLAY, SEVERITY_DISRUPTIVE, "card0 > open in Xorg[42]");
	assert_string_equal(use_told(&uses.use[1], false), "it is a host display");
}

static void strange_process_name(void **state)
{
	make_node(CARD "/foo/foo0", "foo", "1:3");
	make_process(42, "a\033[31m\n", "/dev/null");
	assert_int_equal(survey_with_processes(&tree, CARD, NULL), 0);
	assert_use(0, USE_OPEN, SEVERITY_DISRUPTIVE, "foo0 > open in a\\x1b[31m[42]");
}

static void sound_card(void **state)
{
	tree_device(&tree, FUNCTION, "0x8086", "0x0001", "0x040300");
	make_node(FUNCTION "/sound/card0", "sound", NULL);
	make_node(FUNCTION "/sound/card0/controlC0", "sound", "1:3");
	tree_file(&tree, "PCH\n", "sys/devices/pci0000:00/" FUNCTION "/sound/card0/id");
	make_process(42, "pipewire\n", "/dev/null");
	assert_int_equal(survey_with_processes(&tree, FUNCTION, NULL), 0);
	assert_int_equal(uses.count, 2);
	assert_use(0, USE_SOUND, SEVERITY_IDLE, "card0 > sound card PCH");
	assert_use(1, USE_SOUND, SEVERITY_DISRUPTIVE, "controlC0 > open in pipewire[42]");
}

#define INPUT(name, path, handlers, events) \
	"I: Bus=0003 Vendor=0627 Product=0001 Version=0111\nN: Name=\"" name "\"\nP: Phys=x\n" \
	"S: Sysfs=/devices/pci0000:00/" path "\nU: Uniq=\nH: Handlers=" handlers "\nB: EV=" events "\n\n"

static void keyboards_and_mice(void **state)
{
	tree_file(&tree,
		  INPUT("QEMU USB \\\"Keyboard", USB "/usb1/1-2/1-2:1.0/0003:0627:0001.0001/input/input3",
			"sysrq kbd event3 leds ",
			"120013") INPUT("QEMU Mouse", USB "/usb1/1-3/1-3:1.0/x/input/input4", "mouse0 event4 ", "17")
			  INPUT("Buttons of a headset", USB "/usb1/1-4/1-4:1.0/x/input/input5", "kbd event5 ", "3")
				  INPUT("Keyboard elsewhere", "0000:00:1f.0/input/input6", "kbd event6 ", "120013"),
		  "proc/bus/input/devices");
	assert_int_equal(survey(&tree, USB), 0);
	assert_int_equal(uses.count, 2);
	assert_use(0, USE_INPUT, SEVERITY_DISRUPTIVE, "USB 1-2 > keyboard (QEMU USB \\\"Keyboard)");
	assert_use(1, USE_INPUT, SEVERITY_DISRUPTIVE, "USB 1-3 > mouse (QEMU Mouse)");
}

static void make_usb_device(const char *name, const char *class_code, const char *product)
{
	char target[256];

	tree_file(&tree, class_code, "sys/devices/pci0000:00/" USB "/usb1/%s/bDeviceClass", name);
	if (product)
		tree_file(&tree, product, "sys/devices/pci0000:00/" USB "/usb1/%s/product", name);
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/" USB "/usb1/%s", name);
	tree_link(&tree, target, "sys/bus/usb/devices/%s", name);
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/" USB "/usb1/%s/%s:1.0", name, name);
	tree_link(&tree, target, "sys/bus/usb/devices/%s:1.0", name);
}

/* Hubs are nothing by themselves, and what is a disk or a network adapter is told as such. */
static void other_usb_devices(void **state)
{
	make_usb_device("1-1", "09\n", "Hub\n");
	make_usb_device("1-2", "00\n", "Webcam\n");
	make_usb_device("1-3", "00\n", NULL);
	make_usb_device("1-4", "00\n", "Adapter\n");
	tree_interface(&tree, USB "/usb1/1-4/1-4:1.0", "usb0", "0x1003");
	assert_int_equal(survey(&tree, USB), 0);
	assert_int_equal(uses.count, 3);
	assert_some_use(USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "USB 1-4 > usb0 is up");
	assert_some_use(USE_USB, SEVERITY_IDLE, "USB 1-2 > device (Webcam)");
	assert_some_use(USE_USB, SEVERITY_IDLE, "USB 1-3 > device (without a name)");
}

static void controllers_of_the_machine(void **state)
{
	tree_driver(&tree, CARD, "ipmi_si");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_use(1, USE_MANAGEMENT, SEVERITY_DISRUPTIVE, "management controller of the host (IPMI)");
	make_node(CARD "/ipmi/ipmi0", "ipmi", NULL);
	make_node(CARD "/tpm/tpm0", "tpm", NULL);
	make_node(CARD "/watchdog/watchdog1", "watchdog", NULL);
	tree_file(&tree, "inactive\n", "sys/devices/pci0000:00/" CARD "/watchdog/watchdog1/state");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 4);
	assert_some_use(USE_MANAGEMENT, SEVERITY_DISRUPTIVE, "ipmi0 > management controller of the host (IPMI)");
	assert_some_use(USE_MANAGEMENT, SEVERITY_DISRUPTIVE, "tpm0 > trusted platform module of the host");
	assert_some_use(USE_MANAGEMENT, SEVERITY_IDLE, "watchdog1 > watchdog, not running");
	tree_file(&tree, "active\n", "sys/devices/pci0000:00/" CARD "/watchdog/watchdog1/state");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_some_use(USE_MANAGEMENT, SEVERITY_FATAL, "watchdog1 > running: it may reset the host");
}

static void serial_console(void **state)
{
	make_node(CARD "/tty/ttyS1", "tty", NULL);
	make_node(CARD "/tty/ttyS11", "tty", NULL);
	tree_file(&tree, "tty0 ttyS11\n", "sys/class/tty/console/active");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_CONSOLE, SEVERITY_DISRUPTIVE, "ttyS11 > console of the host");
}

static void memory(void **state)
{
	tree_link(&tree, "../../../devices/pci0000:00/" CARD "/dax0.0", "sys/bus/dax/devices/dax0.0");
	tree_link(&tree, "../../../../bus/dax/drivers/device_dax", "sys/devices/pci0000:00/" CARD "/dax0.0/driver");
	tree_link(&tree, "../../../devices/pci0000:00/" CARD "/ndbus0/region0", "sys/bus/nd/devices/region0");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 2);
	assert_some_use(USE_MEMORY, SEVERITY_DISRUPTIVE, "dax0.0 > memory for programs (DAX)");
	assert_some_use(USE_MEMORY, SEVERITY_IDLE, "region0 > persistent memory");
	tree_link(&tree, "../../../../bus/dax/drivers/kmem", "sys/devices/pci0000:00/" CARD "/dax0.0/driver");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_some_use(USE_MEMORY, SEVERITY_FATAL, "dax0.0 > main memory of the host");
}

/* What a virtual function does is a use of the physical one, too, and of itself if it is asked about. */
static void virtual_functions(void **state)
{
	tree_device(&tree, CARD, "0x8086", "0x10c9", "0x020000");
	tree_driver(&tree, CARD, "pci-stub");
	tree_device(&tree, FUNCTION, "0x8086", "0x10ca", "0x020000");
	tree_file(&tree, "4\n", "sys/devices/pci0000:00/" CARD "/sriov_totalvfs");
	tree_link(&tree, "../" FUNCTION, "sys/devices/pci0000:00/" CARD "/virtfn0");
	tree_link(&tree, "../0000:00:02.2", "sys/devices/pci0000:00/" CARD "/virtfn1");
	tree_link(&tree, "../" CARD, "sys/devices/pci0000:00/" FUNCTION "/physfn");
	tree_driver(&tree, FUNCTION, "igbvf");
	tree_interface(&tree, FUNCTION, "eth7", "0x1003");
	assert_int_equal(survey(&tree, CARD), 0);
	assert_int_equal(uses.count, 4);
	for (size_t i = 0; i < uses.count; i++)
		assert_string_equal(uses.use[i].device, CARD);
	assert_use(1, USE_VIRTUAL_FUNCTION, SEVERITY_DISRUPTIVE, "2 virtual functions are enabled");
	assert_some_use(USE_VIRTUAL_FUNCTION, SEVERITY_IDLE, "virtual function " FUNCTION " > igbvf is bound");
	assert_some_use(USE_VIRTUAL_FUNCTION, SEVERITY_DISRUPTIVE, "virtual function " FUNCTION " > eth7 is up");
	assert_int_equal(survey_with_processes(&tree, CARD, FUNCTION), 0);
	assert_int_equal(uses.count, 6);
	assert_int_equal(survey(&tree, FUNCTION), 0);
	assert_int_equal(uses.count, 2);
	assert_use(1, USE_NETWORK_LINK, SEVERITY_DISRUPTIVE, "eth7 is up");
}

/* That nothing was found says that a disk is idle, and of an accelerator nothing. */
static void unknown_driver(void **state)
{
	tree_device(&tree, FUNCTION, "0x8086", "0x0b25", "0x088000");
	tree_driver(&tree, FUNCTION, "idxd");
	assert_int_equal(survey(&tree, FUNCTION), 0);
	assert_int_equal(uses.count, 1);
	assert_use(0, USE_UNKNOWN_DRIVER, SEVERITY_IDLE,
		   "driver idxd is bound; ioasidd does not know what it is used for");
	make_node(FUNCTION "/dsa/wq0.1", "dsa", "1:3");
	make_process(42, "dpdk\n", "/dev/null");
	assert_int_equal(survey_with_processes(&tree, FUNCTION, NULL), 0);
	assert_int_equal(uses.count, 2);
	assert_use(0, USE_DRIVER, SEVERITY_IDLE, "idxd is bound");
	assert_use(1, USE_OPEN, SEVERITY_DISRUPTIVE, "wq0.1 > open in dpdk[42]");
	tree_driver(&tree, FUNCTION, "pci-stub");
	assert_int_equal(survey(&tree, FUNCTION), 0);
	assert_use(0, USE_DRIVER, SEVERITY_IDLE, "pci-stub is bound");
}

static void driver_behind_virtio(void **state)
{
	tree_device(&tree, FUNCTION, "0x1af4", "0x1044", "0x00ff00");
	tree_driver(&tree, FUNCTION, "virtio-pci");
	tree_link(&tree, "../../../../bus/virtio/drivers/virtio_rng",
		  "sys/devices/pci0000:00/" FUNCTION "/virtio0/driver");
	assert_int_equal(survey(&tree, FUNCTION), 0);
	assert_use(0, USE_DRIVER, SEVERITY_IDLE, "virtio-pci > virtio_rng is bound");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(console_on_frame_buffer, begin, end),
		cmocka_unit_test_setup_teardown(console_of_the_firmware, begin, end),
		cmocka_unit_test_setup_teardown(programs_with_nodes, begin, end),
		cmocka_unit_test_setup_teardown(strange_process_name, begin, end),
		cmocka_unit_test_setup_teardown(sound_card, begin, end),
		cmocka_unit_test_setup_teardown(keyboards_and_mice, begin, end),
		cmocka_unit_test_setup_teardown(other_usb_devices, begin, end),
		cmocka_unit_test_setup_teardown(controllers_of_the_machine, begin, end),
		cmocka_unit_test_setup_teardown(serial_console, begin, end),
		cmocka_unit_test_setup_teardown(memory, begin, end),
		cmocka_unit_test_setup_teardown(virtual_functions, begin, end),
		cmocka_unit_test_setup_teardown(unknown_driver, begin, end),
		cmocka_unit_test_setup_teardown(driver_behind_virtio, begin, end),
	};

	return cmocka_run_group_tests_name("survey of what else a machine has", tests, NULL, NULL);
}
