#include "doctor_checks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KERNELS_WITH_IOMMUFD \
	"Fedora's, RHEL's since 9.4 and Ubuntu's since 24.04 have CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV, " \
	"Debian's do not; needs Linux 6.6"

const char *doctor_interface(const struct host_facts *host)
{
	if (host->iommufd && host->vfio_cdev)
		return "iommufd";
	return host->vfio_group ? "group" : NULL;
}

/* How a module is loaded, now and at each boot. Returns out. */
static const char *load_text(const char *module, char out[static 160])
{
	snprintf(out, 160, "as root: modprobe %s; to load it at each boot: echo %s >> /etc/modules-load.d/ioasidd.conf",
		 module, module);
	return out;
}

static void check_kernel(const struct host_facts *host, struct findings *findings)
{
	if (*host->release != '\0')
		findings_add(findings, "kernel", FINDING_OK, "Linux %s", host->release);
	else
		finding_remedy(findings_add(findings, "kernel", FINDING_WARNING, "cannot read the kernel release"),
			       "Mount /proc: most checks below read it and /sys");
}

/* What keeps this host from iommufd, in words: the config where it can be read, else what is to be seen. */
static const char *why_no_iommufd(const struct host_facts *host)
{
	if (host->config_iommufd == OPTION_NO)
		return "this kernel lacks CONFIG_IOMMUFD";
	if (host->config_cdev == OPTION_NO)
		return "this kernel lacks CONFIG_VFIO_DEVICE_CDEV";
	if (!host->iommufd)
		return "there is no /dev/iommu";
	return "VFIO has no device nodes";
}

static void check_interface(const struct host_facts *host, struct findings *findings)
{
	const char *interface = doctor_interface(host);
	bool loadable = host->config_iommufd != OPTION_NO && host->config_cdev != OPTION_NO &&
			host->iommufd_module == MODULE_AVAILABLE;
	struct finding *finding;
	char load[160];

	if (interface != NULL && strcmp(interface, "iommufd") == 0) {
		findings_add(findings, "interface", FINDING_OK,
			     "iommufd and VFIO device nodes: modes attached, open, "
			     "node");
		return;
	}
	if (interface != NULL)
		finding = findings_add(findings, "interface", FINDING_WARNING,
				       "VFIO groups and containers: modes attached and node; mode open needs iommufd, "
				       "and %s",
				       why_no_iommufd(host));
	else
		finding =
			findings_add(findings, "interface", FINDING_MISSING,
				     "neither iommufd (%s) nor VFIO groups (there is no /dev/vfio/vfio) are available",
				     why_no_iommufd(host));
	if (loadable)
		finding_remedy(finding, "%s; then restart ioasidd", load_text("iommufd", load));
	else if (interface == NULL && host->vfio_pci == MODULE_AVAILABLE)
		finding_remedy(finding, "%s", load_text("vfio_pci", load));
	else
		finding_remedy(finding, "%s a kernel with iommufd: %s",
			       interface != NULL ? "For mode open, boot" : "Boot", KERNELS_WITH_IOMMUFD);
}

static void check_module(const char *check, const char *name, enum module_state state, bool needed,
			 struct findings *findings)
{
	struct finding *finding;
	char load[160];

	if (state == MODULE_PRESENT) {
		findings_add(findings, check, FINDING_OK, "%s is loaded or built in", name);
	} else if (state == MODULE_AVAILABLE && needed) {
		finding = findings_add(findings, check, FINDING_MISSING, "%s is not loaded", name);
		finding_remedy(finding, "%s; then restart ioasidd", load_text(name, load));
	} else if (needed) {
		finding = findings_add(findings, check, FINDING_MISSING, "this kernel has no %s", name);
		finding_remedy(finding,
			       "Boot a kernel that has it: all server distributions' kernels do, some for clouds and "
			       "containers do not");
	}
}

static void check_modules(const struct host_facts *host, struct findings *findings)
{
	const char *interface = doctor_interface(host);
	bool iommufd = interface != NULL && strcmp(interface, "iommufd") == 0;

	check_module("module-vfio-pci", "vfio_pci", host->vfio_pci_driver ? MODULE_PRESENT : host->vfio_pci, true,
		     findings);
	check_module("module-vfio-iommu-type1", "vfio_iommu_type1", host->vfio_iommu_type1, !iommufd, findings);
}

/* Where no IOMMU group is: what is to be switched on. */
static void explain_iommu(const struct host_facts *host, struct finding *finding)
{
	if (host->iommu_off)
		finding_remedy(
			finding,
			"Remove intel_iommu=off, amd_iommu=off or iommu=off from the kernel command line, and reboot");
	else if (host->iommu_hardware && host->cpu == CPU_INTEL)
		finding_remedy(finding, "Add intel_iommu=on to the kernel command line (GRUB: GRUB_CMDLINE_LINUX in "
					"/etc/default/grub, then update-grub or grub2-mkconfig), and reboot");
	else if (host->iommu_hardware)
		finding_remedy(
			finding,
			"The firmware reports an IOMMU: boot a kernel with its driver, and check `dmesg | grep -i "
			"iommu`");
	else if (host->virtual_machine)
		finding_remedy(finding, "This is a virtual machine: give it an IOMMU (QEMU: -device "
					"intel-iommu,intremap=on with -machine q35,kernel-irqchip=split)");
	else if (host->cpu == CPU_INTEL)
		finding_remedy(finding,
			       "Enable VT-d in the firmware setup, and add intel_iommu=on to the kernel command line");
	else if (host->cpu == CPU_AMD)
		finding_remedy(finding, "Enable IOMMU (AMD-Vi) in the firmware setup; the kernel needs no option");
	else
		finding_remedy(finding, "Enable the IOMMU (SMMU) in the firmware setup");
}

static void check_iommu(const struct host_facts *host, struct findings *findings)
{
	if (host->iommu_groups)
		findings_add(findings, "iommu", FINDING_OK, "the IOMMU is enabled: there are IOMMU groups");
	else
		explain_iommu(host, findings_add(findings, "iommu", FINDING_MISSING,
						 "there are no IOMMU groups: the IOMMU is disabled or missing"));
}

static void check_interrupts(const struct host_facts *host, struct findings *findings)
{
	struct finding *finding;

	if (host->unsafe_interrupts) {
		finding = findings_add(findings, "interrupts", FINDING_WARNING,
				       "allow_unsafe_interrupts is on: devices can forge host interrupts");
		finding_remedy(
			finding,
			"Remove allow_unsafe_interrupts=1 from /etc/modprobe.d/ and the kernel command line; claims "
			"are refused unless the policy allows it");
	} else if (host->cpu == CPU_OTHER) {
		findings_add(findings, "interrupts", FINDING_OK, "this processor isolates device interrupts itself");
	} else if (host->interrupts_remapped) {
		findings_add(findings, "interrupts", FINDING_OK, "interrupt remapping is on");
	} else {
		finding = findings_add(
			findings, "interrupts", FINDING_WARNING,
			host->interrupts_known
				? "/proc/interrupts shows no interrupt remapping: the kernel may refuse to attach "
				  "devices (EPERM)"
				: "interrupt remapping is unknown: cannot read /proc/interrupts");
		finding_remedy(
			finding,
			"Enable VT-d with interrupt remapping, or AMD-Vi, in the firmware setup; don't boot with "
			"intremap=off");
	}
}

static void check_noiommu(const struct host_facts *host, struct findings *findings)
{
	if (host->noiommu)
		finding_remedy(
			findings_add(findings, "no-iommu", FINDING_WARNING,
				     "enable_unsafe_noiommu_mode is on: root can give a device access to all memory; "
				     "ioasidd refuses such devices"),
			"As root: echo N > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, and remove it "
			"from /etc/modprobe.d/");
	else if (host->noiommu_groups > 0)
		finding_remedy(
			findings_add(findings, "no-iommu", FINDING_WARNING,
				     "unsafe no-IOMMU mode is off, but %u group%s that it created %s still there: "
				     "ioasidd refuses their devices",
				     host->noiommu_groups, host->noiommu_groups == 1 ? "" : "s",
				     host->noiommu_groups == 1 ? "is" : "are"),
			"Unbind them from their driver, or reboot: grep -l vfio-noiommu "
			"/sys/kernel/iommu_groups/*/name says which groups; their devices are in devices/ there");
	else
		findings_add(findings, "no-iommu", FINDING_OK, "unsafe no-IOMMU mode is off");
}

static void check_nodes(const struct host_facts *host, struct findings *findings)
{
	char list[OPEN_NODES_MAX * (OPEN_NODE_PATH_MAX + 2)] = "";
	size_t used = 0;

	if (host->open_nodes == 0) {
		findings_add(findings, "nodes", FINDING_OK,
			     "no mode lets others than root open /dev/iommu and "
			     "/dev/vfio");
		return;
	}
	for (size_t i = 0; i < host->open_nodes && i < OPEN_NODES_MAX; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "",
					 host->open_node[i]);
	finding_remedy(findings_add(findings, "nodes", FINDING_WARNING,
				    "others than root can open %.200s%s: they can "
				    "go "
				    "round ioasidd and its policy",
				    list, host->open_nodes > OPEN_NODES_MAX ? ", ..." : ""),
		       "Take the rule that sets their mode or group out of /etc/udev/rules.d/ (grep -r vfio), then: "
		       "udevadm control --reload && udevadm trigger");
}

bool doctor_check_host(const struct host_facts *host, struct findings *findings)
{
	check_kernel(host, findings);
	check_interface(host, findings);
	check_modules(host, findings);
	check_iommu(host, findings);
	check_interrupts(host, findings);
	check_noiommu(host, findings);
	check_nodes(host, findings);
	return doctor_interface(host) != NULL && host->iommu_groups && host->vfio_pci_driver;
}

/* ioasidd looks at the kernel when it starts: modules that were loaded later are not its own. */
static void check_agreement(const struct daemon_facts *daemon, const struct host_facts *host, struct findings *findings)
{
	const char *seen = doctor_interface(host);
	struct finding *finding;

	if (daemon->release != NULL && strcmp(daemon->release, host->release) != 0) {
		findings_add(findings, "daemon-kernel", FINDING_WARNING,
			     "ioasidd uses another kernel, %s: a simulated host's, or another machine's",
			     daemon->release);
		return;
	}
	if (daemon->interface != NULL && seen != NULL && strcmp(daemon->interface, seen) == 0) {
		findings_add(findings, "daemon-kernel", FINDING_OK, "ioasidd delivers by %s",
			     strcmp(seen, "group") == 0 ? "VFIO groups" : seen);
		return;
	}
	finding = findings_add(findings, "daemon-kernel", daemon->interface != NULL ? FINDING_WARNING : FINDING_MISSING,
			       "ioasidd delivers by %s, but this host has %s",
			       daemon->interface != NULL ? daemon->interface : "nothing",
			       seen != NULL ? seen : "nothing");
	finding_remedy(finding, "Restart it, as it checks the kernel at startup: systemctl restart ioasidd");
}

static void check_versions(const struct daemon_facts *daemon, struct findings *findings)
{
	if (daemon->unreachable != NULL)
		findings_add(findings, "versions", FINDING_OK, "ioasidctl %s", VERSION);
	else if (daemon->version != NULL && strcmp(daemon->version, VERSION) == 0)
		findings_add(findings, "versions", FINDING_OK, "ioasidctl and ioasidd %s", VERSION);
	else
		finding_remedy(findings_add(findings, "versions", FINDING_WARNING, "ioasidctl %s, ioasidd %s", VERSION,
					    daemon->version != NULL ? daemon->version : "(unknown version)"),
			       "Install the same version of both, then: systemctl restart ioasidd");
}

/* What is on the disk is not what decides. */
static void check_refused_policy(const struct daemon_facts *daemon, struct findings *findings)
{
	bool nothing = daemon->policy_denies_all || daemon->rules == 0;
	struct finding *finding =
		findings_add(findings, "policy", nothing ? FINDING_MISSING : FINDING_WARNING, "%s%s%s",
			     daemon->policy_refused, daemon->policy_error != NULL ? ": " : "",
			     daemon->policy_error != NULL ? daemon->policy_error : "");

	finding_remedy(finding,
		       "As an operator: run ioasidctl policy check, fix the errors, then: ioasidctl policy reload");
}

bool doctor_check_daemon(const struct daemon_facts *daemon, const struct host_facts *host, struct findings *findings)
{
	check_versions(daemon, findings);
	if (daemon->unreachable != NULL) {
		findings_add(findings, "daemon", FINDING_MISSING, "%s", daemon->unreachable);
		return false;
	}
	findings_add(findings, "daemon", FINDING_OK, "ioasidd answers at %s", daemon->socket);
	check_agreement(daemon, host, findings);
	if (daemon->policy_refused != NULL) {
		check_refused_policy(daemon, findings);
	} else if (daemon->rules > 0) {
		findings_add(findings, "policy", FINDING_OK, "%" PRId64 " rule%s", daemon->rules,
			     daemon->rules == 1 ? "" : "s");
	} else {
		finding_remedy(
			findings_add(findings, "policy", FINDING_MISSING,
				     "the policy has no rules: every claim is denied"),
			"Put a file with an allow rule into /etc/ioasidd/policy.d/, then: systemctl reload ioasidd");
	}
	return daemon->rules > 0 && !daemon->policy_denies_all && daemon->interface != NULL;
}

void doctor_check_caller(const struct memlock *memlock, const struct host_facts *host, struct findings *findings)
{
	const struct huge_pages *pages = &host->huge_pages;
	char soft[32], all[32], free_text[32];

	if (memlock->free || memlock->soft > MEMLOCK_DEFAULT)
		findings_add(findings, "memlock", FINDING_OK, "this user's programs may lock %s of memory",
			     memlock->free ? "any amount" : memlock_text(memlock->soft, soft));
	else
		finding_remedy(
			findings_add(
				findings, "memlock", FINDING_WARNING,
				"this user's programs may lock only %s of memory, which limits what devices can access",
				memlock_text(memlock->soft, soft)),
			"Set limits.memlock in the policy rule, so that ioasidd raises the program's limit; or set "
			"memlock in /etc/security/limits.conf, or LimitMEMLOCK= in its unit");
	if (pages->free > 0)
		findings_add(findings, "huge-pages", FINDING_OK, "%s of huge pages, %s free",
			     memlock_text(pages->bytes, all), memlock_text(pages->free, free_text));
	else
		finding_remedy(
			findings_add(findings, "huge-pages", FINDING_WARNING,
				     pages->bytes > 0 ? "no huge page is free" : "no huge pages are reserved"),
			"Only for programs that use them, such as DPDK and SPDK: sysctl vm.nr_hugepages=512 as root "
			"(1 GiB), and in /etc/sysctl.d/ for each boot; DPDK runs without any with --no-huge");
}
