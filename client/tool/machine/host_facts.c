#include "host_facts.h"

#include "root_file.h"

#include "../../../policy/model/device.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool is_yes(int root, const char *path)
{
	char text[8];

	return root_file_read(root, path, text, sizeof(text)) > 0 && (text[0] == 'Y' || text[0] == '1');
}

/* False: no such file. */
static bool read_option_in(int root, const char *path, const char *option, enum kernel_option *out)
{
	char yes[64], module[64];
	bool readable;

	snprintf(yes, sizeof(yes), "%s=y", option);
	snprintf(module, sizeof(module), "%s=m", option);
	if (root_file_has_line_with(root, path, yes, &readable))
		*out = OPTION_BUILT_IN;
	else if (readable)
		*out = root_file_has_line_with(root, path, module, NULL) ? OPTION_MODULE : OPTION_NO;
	return readable;
}

/* Distributions put the kernel's configuration into one of two places. */
static enum kernel_option read_option(int root, const char *release, const char *option)
{
	enum kernel_option found = OPTION_UNKNOWN;
	char path[128];

	snprintf(path, sizeof(path), "boot/config-%s", release);
	if (read_option_in(root, path, option, &found))
		return found;
	snprintf(path, sizeof(path), "lib/modules/%s/config", release);
	read_option_in(root, path, option, &found);
	return found;
}

/* file: as it is called in modules.dep, "/vfio-pci.ko"; name: as it is called once it is loaded, "vfio_pci". */
static enum module_state read_module(int root, const char *release, const char *name, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "sys/module/%s", name);
	if (root_file_exists(root, path))
		return MODULE_PRESENT;
	snprintf(path, sizeof(path), "lib/modules/%s/modules.builtin", release);
	if (root_file_has_line_with(root, path, file, NULL))
		return MODULE_PRESENT;
	snprintf(path, sizeof(path), "lib/modules/%s/modules.dep", release);
	return root_file_has_line_with(root, path, file, NULL) ? MODULE_AVAILABLE : MODULE_ABSENT;
}

static void read_kernel(int root, struct host_facts *out)
{
	if (root_file_read(root, "proc/sys/kernel/osrelease", out->release, sizeof(out->release)) < 0 ||
	    strchr(out->release, '/') != NULL)
		out->release[0] = '\0';
	out->iommufd = root_file_exists(root, "dev/iommu");
	out->vfio_cdev = root_file_exists(root, "sys/class/vfio-dev");
	out->vfio_group = root_file_exists(root, "dev/vfio/vfio");
	out->vfio_pci_driver = root_file_exists(root, "sys/bus/pci/drivers/vfio-pci");
	out->config_iommufd = read_option(root, out->release, "CONFIG_IOMMUFD");
	out->config_cdev = read_option(root, out->release, "CONFIG_VFIO_DEVICE_CDEV");
	out->vfio_pci = read_module(root, out->release, "vfio_pci", "/vfio-pci.ko");
	out->vfio_iommu_type1 = read_module(root, out->release, "vfio_iommu_type1", "/vfio_iommu_type1.ko");
	out->iommufd_module = read_module(root, out->release, "iommufd", "/iommufd.ko");
}

/* True if a PCI function is in the group: an mdev's group has the same name, and is as it should be. */
static bool has_pci_function(int root, const char *group)
{
	char path[300];
	int fd;
	DIR *folder;
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%s/devices", group);
	fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (folder == NULL && fd >= 0)
		close(fd);
	while (folder != NULL && !found && (entry = readdir(folder)) != NULL)
		found = pci_address_is_valid(entry->d_name);
	if (folder != NULL)
		closedir(folder);
	return found;
}

/* Tells the groups of an IOMMU from those that VFIO makes for devices without one, which have a name of their own. */
static void read_groups(int root, struct host_facts *out)
{
	int fd = openat(root, "sys/kernel/iommu_groups", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	char path[300], name[32];

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%s/name", entry->d_name);
		if (root_file_read(root, path, name, sizeof(name)) <= 0 || strcmp(name, "vfio-noiommu") != 0)
			out->iommu_groups = true;
		else if (has_pci_function(root, entry->d_name))
			out->noiommu_groups++;
	}
	closedir(folder);
}

static void read_iommu(int root, struct host_facts *out)
{
	static const char *const off[] = { "intel_iommu=off", "amd_iommu=off", " iommu=off" };

	if (root_file_has_line_with(root, "proc/cpuinfo", "GenuineIntel", NULL))
		out->cpu = CPU_INTEL;
	else if (root_file_has_line_with(root, "proc/cpuinfo", "AuthenticAMD", NULL))
		out->cpu = CPU_AMD;
	out->virtual_machine = root_file_has_line_with(root, "proc/cpuinfo", " hypervisor", NULL);
	read_groups(root, out);
	out->iommu_hardware = root_file_has_entries(root, "sys/class/iommu") ||
			      root_file_exists(root, "sys/firmware/acpi/tables/DMAR") ||
			      root_file_exists(root, "sys/firmware/acpi/tables/IVRS");
	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
		out->iommu_off |= root_file_has_line_with(root, "proc/cmdline", off[i], NULL);
	out->interrupts_remapped = root_file_has_line_with(root, "proc/interrupts", " IR-", &out->interrupts_known);
	out->unsafe_interrupts = is_yes(root, "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts") ||
				 is_yes(root, "sys/module/iommufd/parameters/allow_unsafe_interrupts");
	out->noiommu = is_yes(root, "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
}

/* An ACL says for itself whom it lets in: then the group's bits of the mode are but its mask. */
static bool has_acl(int root, const char *path)
{
	char link[64];
	int fd = openat(root, path, O_PATH | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = getxattr(link, "system.posix_acl_access", NULL, 0);
	close(fd);
	return size > 0;
}

static void look_at_node(int root, const char *path, struct host_facts *out)
{
	struct stat status;

	if (fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode))
		return;
	if ((status.st_mode & 0006) == 0 && ((status.st_mode & 0060) == 0 || status.st_gid == 0 || has_acl(root, path)))
		return;
	if (out->open_nodes < OPEN_NODES_MAX)
		snprintf(out->open_node[out->open_nodes], OPEN_NODE_PATH_MAX, "/%s", path);
	out->open_nodes++;
}

static void look_at_folder(int root, const char *path, struct host_facts *out)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		char node[OPEN_NODE_PATH_MAX + 256];

		/* The container's own node gives nothing: the kernel lets everybody open it. */
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "vfio") == 0)
			continue;
		snprintf(node, sizeof(node), "%s/%s", path, entry->d_name);
		look_at_node(root, node, out);
	}
	closedir(folder);
}

void host_facts_read(int root, struct host_facts *out)
{
	memset(out, 0, sizeof(*out));
	read_kernel(root, out);
	read_iommu(root, out);
	look_at_node(root, "dev/iommu", out);
	look_at_folder(root, "dev/vfio", out);
	look_at_folder(root, "dev/vfio/devices", out);
	out->huge_pages = huge_pages_read(root);
}
