/* What doctor makes of hosts, each a folder with the files that it looks at. */
#include "../../client/tool/machine/doctor_checks.h"
#include "../../client/tool/machine/host_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELEASE "6.12.0-test"

struct host {
	char folder[64];
	int root;
	struct host_facts facts;
	struct findings findings;
	bool able;
};

static void put_mode(struct host *host, const char *path, const char *text, mode_t mode)
{
	char parent[256];
	int fd;

	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		mkdirat(host->root, parent, 0755);
	}
	fd = openat(host->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void put(struct host *host, const char *path, const char *text)
{
	put_mode(host, path, text, 0600);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int set_up(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	if (host == NULL)
		return -1;
	snprintf(host->folder, sizeof(host->folder), "/tmp/test-checks-XXXXXX");
	if (mkdtemp(host->folder) == NULL)
		return -1;
	host->root = open(host->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = host;
	return host->root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct host *host = *state;

	close(host->root);
	nftw(host->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(host);
	return 0;
}

/* A server of Debian's: groups and containers, everything in order. */
static void make_debian(struct host *host)
{
	put(host, "proc/sys/kernel/osrelease", RELEASE "\n");
	put(host, "proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n");
	put(host, "proc/cmdline", "quiet intel_iommu=on\n");
	put(host, "proc/interrupts", "  8:  0  IR-IO-APIC    8-edge      rtc0\n");
	put(host, "boot/config-" RELEASE, "CONFIG_VFIO=m\n# CONFIG_IOMMUFD is not set\n");
	put(host, "lib/modules/" RELEASE "/modules.dep",
	    "kernel/drivers/vfio/pci/vfio-pci.ko.xz: a\n"
	    "kernel/drivers/vfio/vfio_iommu_type1.ko.xz: b\n");
	put(host, "sys/module/vfio_pci/refcnt", "0\n");
	put(host, "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N\n");
	put(host, "sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
	put(host, "sys/bus/pci/drivers/vfio-pci/new_id", "");
	put(host, "sys/class/vfio-dev/x", "");
	put(host, "sys/kernel/iommu_groups/0/type", "DMA\n");
	put(host, "sys/class/iommu/dmar0", "");
	put(host, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "4\n");
	put(host, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
	put_mode(host, "dev/vfio/vfio", "", 0666);
	put(host, "dev/vfio/12", "");
}

static void look(struct host *host)
{
	host_facts_read(host->root, &host->facts);
	host->findings.count = 0;
	host->able = doctor_check_host(&host->facts, &host->findings);
}

/* The finding of a check has that state, and these words in its text or its remedy. */
static void found(const struct host *host, const char *check, enum finding_state state, const char *words)
{
	const struct finding *finding = findings_find(&host->findings, check);

	assert_non_null(finding);
	if (finding->state != state || (strstr(finding->text, words) == NULL && strstr(finding->remedy, words) == NULL))
		fail_msg("%s is %s: \"%s\" / \"%s\", without \"%s\"", check, finding_state_text(finding->state),
			 finding->text, finding->remedy, words);
	assert_true(finding->state == FINDING_OK || finding->remedy[0] != '\0');
}

static void remove_file(struct host *host, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", host->folder, path);
	assert_int_equal(nftw(whole, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void test_debian(void **state)
{
	struct host *host = *state;

	make_debian(host);
	look(host);
	assert_true(host->able);
	assert_string_equal(doctor_interface(&host->facts), "group");
	found(host, "kernel", FINDING_OK, RELEASE);
	found(host, "interface", FINDING_WARNING, "this kernel lacks CONFIG_IOMMUFD");
	found(host, "interface", FINDING_WARNING, "For mode open, boot a kernel with iommufd: Fedora's");
	found(host, "module-vfio-pci", FINDING_OK, "");
	found(host, "module-vfio-iommu-type1", FINDING_OK, "");
	found(host, "iommu", FINDING_OK, "");
	found(host, "interrupts", FINDING_OK, "remapping is on");
	found(host, "no-iommu", FINDING_OK, "");
	found(host, "nodes", FINDING_OK, "");
	assert_int_equal(host->facts.huge_pages.bytes, 8 << 20);
	assert_int_equal(host->facts.huge_pages.free, 6 << 20);
}

static void test_a_kernel_with_iommufd(void **state)
{
	struct host *host = *state;

	make_debian(host);
	put(host, "dev/iommu", "");
	put(host, "boot/config-" RELEASE, "CONFIG_IOMMUFD=m\nCONFIG_VFIO_DEVICE_CDEV=y\n");
	remove_file(host, "sys/module/vfio_iommu_type1");
	look(host);
	assert_true(host->able);
	assert_string_equal(doctor_interface(&host->facts), "iommufd");
	assert_int_equal(host->facts.config_iommufd, OPTION_MODULE);
	assert_int_equal(host->facts.config_cdev, OPTION_BUILT_IN);
	found(host, "interface", FINDING_OK, "open");
	assert_null(findings_find(&host->findings, "module-vfio-iommu-type1"));
}

static void test_iommufd_that_is_not_loaded(void **state)
{
	struct host *host = *state;

	make_debian(host);
	remove_file(host, "boot/config-" RELEASE);
	put(host, "lib/modules/" RELEASE "/config", "CONFIG_IOMMUFD=m\nCONFIG_VFIO_DEVICE_CDEV=y\n");
	put(host, "lib/modules/" RELEASE "/modules.dep", "kernel/drivers/iommu/iommufd/iommufd.ko.zst:\n");
	look(host);
	assert_true(host->able);
	found(host, "interface", FINDING_WARNING, "there is no /dev/iommu");
	found(host, "interface", FINDING_WARNING, "modprobe iommufd");
	found(host, "interface", FINDING_WARNING, "/etc/modules-load.d/");
}

static void test_an_old_kernel_without_device_nodes(void **state)
{
	struct host *host = *state;

	make_debian(host);
	put(host, "dev/iommu", "");
	remove_file(host, "sys/class/vfio-dev");
	remove_file(host, "boot");
	look(host);
	assert_string_equal(doctor_interface(&host->facts), "group");
	found(host, "interface", FINDING_WARNING, "VFIO has no device nodes");
}

static void test_modules_that_are_not_loaded(void **state)
{
	struct host *host = *state;

	make_debian(host);
	remove_file(host, "sys/module");
	remove_file(host, "sys/bus");
	remove_file(host, "sys/class/vfio-dev");
	remove_file(host, "dev");
	look(host);
	assert_false(host->able);
	assert_null(doctor_interface(&host->facts));
	found(host, "interface", FINDING_MISSING, "modprobe vfio_pci");
	found(host, "module-vfio-pci", FINDING_MISSING, "modprobe vfio_pci");
	found(host, "module-vfio-iommu-type1", FINDING_MISSING, "modprobe vfio_iommu_type1");
	put(host, "lib/modules/" RELEASE "/modules.builtin", "kernel/drivers/vfio/vfio_iommu_type1.ko\n");
	look(host);
	found(host, "module-vfio-iommu-type1", FINDING_OK, "built in");
}

static void test_static_nodes_are_no_driver(void **state)
{
	struct host *host = *state;

	make_debian(host);
	remove_file(host, "sys/module");
	remove_file(host, "sys/bus");
	look(host);
	assert_string_equal(doctor_interface(&host->facts), "group");
	assert_false(host->able);
	found(host, "module-vfio-pci", FINDING_MISSING, "not loaded");
}

static void test_a_kernel_without_vfio(void **state)
{
	struct host *host = *state;

	look(host);
	assert_false(host->able);
	found(host, "interface", FINDING_MISSING, "Boot a kernel with iommufd");
	found(host, "module-vfio-pci", FINDING_MISSING, "this kernel has no vfio_pci");
	found(host, "kernel", FINDING_WARNING, "Mount /proc");
}

static void test_an_iommu_that_is_off(void **state)
{
	struct host *host = *state;
	static const struct {
		const char *cpuinfo, *cmdline, *table, *words;
	} hosts[] = {
		{ "GenuineIntel", "quiet", "sys/firmware/acpi/tables/DMAR", "Add intel_iommu=on" },
		{ "GenuineIntel", "quiet", NULL, "VT-d" },
		{ "GenuineIntel", "quiet intel_iommu=off", "sys/firmware/acpi/tables/DMAR", "Remove intel_iommu=off" },
		{ "AuthenticAMD", "quiet", NULL, "AMD-Vi" },
		{ "AuthenticAMD", "quiet amd_iommu=off", "sys/firmware/acpi/tables/IVRS", "Remove" },
		{ "AuthenticAMD", "quiet", "sys/firmware/acpi/tables/IVRS", "dmesg" },
		{ "GenuineIntel\nflags : fpu hypervisor lahf", "quiet", NULL, "intel-iommu,intremap=on" },
		{ "ARM", "quiet", NULL, "SMMU" },
	};

	make_debian(host);
	remove_file(host, "sys/kernel/iommu_groups");
	remove_file(host, "sys/class/iommu");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		put(host, "proc/cpuinfo", hosts[i].cpuinfo);
		put(host, "proc/cmdline", hosts[i].cmdline);
		if (hosts[i].table != NULL)
			put(host, hosts[i].table, "");
		look(host);
		assert_false(host->able);
		found(host, "iommu", FINDING_MISSING, hosts[i].words);
		if (hosts[i].table != NULL)
			remove_file(host, hosts[i].table);
	}
}

static void test_interrupts(void **state)
{
	struct host *host = *state;

	make_debian(host);
	put(host, "proc/interrupts", "  8:  0  IO-APIC    8-edge      rtc0\n");
	look(host);
	assert_true(host->able);
	found(host, "interrupts", FINDING_WARNING, "shows no interrupt remapping");
	remove_file(host, "proc/interrupts");
	look(host);
	found(host, "interrupts", FINDING_WARNING, "cannot read /proc/interrupts");
	put(host, "proc/cpuinfo", "CPU implementer : 0x41\n");
	look(host);
	found(host, "interrupts", FINDING_OK, "");
	put(host, "sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	look(host);
	found(host, "interrupts", FINDING_WARNING, "allow_unsafe_interrupts is on");
	put(host, "sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	look(host);
	found(host, "no-iommu", FINDING_WARNING, "echo N");
}

/* The groups of no-IOMMU mode outlive it, and are no IOMMU's; an mdev's has the same name and is in order. */
static void test_groups_of_no_iommu_mode(void **state)
{
	struct host *host = *state;

	make_debian(host);
	put(host, "sys/kernel/iommu_groups/1/name", "vfio-noiommu\n");
	put(host, "sys/kernel/iommu_groups/1/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "");
	look(host);
	found(host, "no-iommu", FINDING_OK, "");
	put(host, "sys/kernel/iommu_groups/2/name", "vfio-noiommu\n");
	put(host, "sys/kernel/iommu_groups/2/devices/0000:01:00.0", "");
	look(host);
	assert_true(host->able);
	found(host, "no-iommu", FINDING_WARNING, "1 group that it created is still there");
	remove_file(host, "sys/kernel/iommu_groups/0");
	look(host);
	assert_false(host->able);
	found(host, "iommu", FINDING_MISSING, "no IOMMU groups");
}

static void test_nodes_that_others_can_open(void **state)
{
	struct host *host = *state;

	make_debian(host);
	put_mode(host, "dev/iommu", "", 0666);
	put_mode(host, "dev/vfio/12", "", 0602);
	put_mode(host, "dev/vfio/devices/vfio0", "", 0604);
	look(host);
	assert_int_equal(host->facts.open_nodes, 3);
	found(host, "nodes", FINDING_WARNING, "/dev/iommu, /dev/vfio/12, /dev/vfio/devices/vfio0");
	found(host, "nodes", FINDING_WARNING, "udev");
	for (int i = 20; i < 40; i++) {
		char path[32];

		snprintf(path, sizeof(path), "dev/vfio/%d", i);
		put_mode(host, path, "", 0606);
	}
	look(host);
	found(host, "nodes", FINDING_WARNING, ", ...");
	put_mode(host, "dev/iommu", "", 0600);
	put_mode(host, "dev/vfio/12", "", 0600);
	remove_file(host, "dev/vfio");
	look(host);
	found(host, "nodes", FINDING_OK, "");
}

static void test_odd_files(void **state)
{
	struct host *host = *state;

	make_debian(host);
	put(host, "proc/sys/kernel/osrelease", "../../etc\n");
	put(host, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "99999999999999999999999\n");
	put(host, "sys/kernel/mm/hugepages/hugepages-x/nr_hugepages", "1\n");
	put(host, "sys/kernel/mm/hugepages/hugepages-4kB/nr_hugepages", "-1\n");
	look(host);
	found(host, "kernel", FINDING_WARNING, "cannot read the kernel release");
	assert_int_equal(host->facts.huge_pages.bytes, 0);
}

static void test_the_daemon(void **state)
{
	struct host *host = *state;
	struct daemon_facts daemon = {
		.socket = "/s", .version = VERSION, .interface = "group", .release = RELEASE, .rules = 1
	};

	make_debian(host);
	look(host);
	assert_true(doctor_check_daemon(&daemon, &host->facts, &host->findings));
	found(host, "versions", FINDING_OK, VERSION);
	found(host, "policy", FINDING_OK, "1 rule");
	found(host, "daemon-kernel", FINDING_OK, "VFIO groups");
	daemon.rules = 0;
	daemon.version = "0.0.9";
	daemon.interface = NULL;
	look(host);
	assert_false(doctor_check_daemon(&daemon, &host->facts, &host->findings));
	found(host, "policy", FINDING_MISSING, "/etc/ioasidd/policy.d/");
	found(host, "versions", FINDING_WARNING, "0.0.9");
	found(host, "daemon-kernel", FINDING_MISSING, "systemctl restart ioasidd");
	daemon.interface = "iommufd";
	look(host);
	doctor_check_daemon(&daemon, &host->facts, &host->findings);
	found(host, "daemon-kernel", FINDING_WARNING, "systemctl restart ioasidd");
}

static void test_what_the_caller_may_lock(void **state)
{
	struct host *host = *state;
	struct memlock memlock = { .soft = MEMLOCK_DEFAULT, .hard = MEMLOCK_DEFAULT };

	make_debian(host);
	look(host);
	doctor_check_caller(&memlock, &host->facts, &host->findings);
	found(host, "memlock", FINDING_WARNING, "may lock only 8 MiB of memory");
	found(host, "memlock", FINDING_WARNING, "limits.memlock");
	found(host, "huge-pages", FINDING_OK, "6 MiB free");
	memlock.soft++;
	put(host, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
	look(host);
	doctor_check_caller(&memlock, &host->facts, &host->findings);
	found(host, "memlock", FINDING_OK, "");
	found(host, "huge-pages", FINDING_WARNING, "vm.nr_hugepages");
	memlock = (struct memlock){ .free = true };
	look(host);
	doctor_check_caller(&memlock, &host->facts, &host->findings);
	found(host, "memlock", FINDING_OK, "any amount");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_debian, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_kernel_with_iommufd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_iommufd_that_is_not_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_old_kernel_without_device_nodes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules_that_are_not_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_static_nodes_are_no_driver, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_kernel_without_vfio, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_iommu_that_is_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_interrupts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_groups_of_no_iommu_mode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nodes_that_others_can_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_odd_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_daemon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_the_caller_may_lock, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
