#include "kernel_double.h"

#include "../../daemon/executor/devices/kernel_uapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/acl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { IOAS = 3 };

struct kernel_double kernel;

static const struct {
	const char *name, *driver, *node;
} function[] = { { CARD, "card", "vfio0" }, { SIBLING, "e1000", "vfio1" } };
enum { FUNCTIONS = sizeof(function) / sizeof(*function) };

static const struct {
	const char *path;
	unsigned major, minor;
} nodes[] = { { "iommu", 10, 127 },
	      { "vfio/vfio", 10, 196 },
	      { "vfio/7", 510, 7 },
	      { "vfio/devices/vfio0", 511, 0 },
	      { "vfio/devices/vfio1", 511, 1 } };

/* The wrapped functions; Linux's own declarations differ in their attributes. */
ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);
int __real_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status);
int __real_fstatat64(int folder, const char *path, struct stat *status, int flags);
int __wrap_fstatat64(int folder, const char *path, struct stat *status, int flags);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_acl_set_file(const char *path, acl_type_t type, acl_t acl);
int __wrap_acl_set_file(const char *path, acl_type_t type, acl_t acl);
int __real_prlimit64(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *before);
int __wrap_prlimit64(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *before);

/* True: this is the call that is to fail. */
static bool fails(void)
{
	errno = EIO;
	return ++kernel.calls == kernel.fail_at;
}

/* The path of an open file below the machine's root: "sys/…", "dev/…". "": it is no file of it. */
static const char *path_of(int fd, char out[static PATH_MAX])
{
	size_t root = strlen(kernel.tree.root);
	char link[64];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, out, PATH_MAX - 1);
	out[length > 0 ? length : 0] = '\0';
	if (root == 0 || strncmp(out, kernel.tree.root, root) != 0 || out[root] != '/')
		return "";
	return out + root + 1;
}

static size_t index_of(const char *name)
{
	size_t i = 0;

	while (i < FUNCTIONS && strncmp(function[i].name, name, strlen(function[i].name)) != 0)
		i++;
	return i;
}

/* The driver of a function, "" for none. */
static const char *driver_of(size_t i, char out[static 256])
{
	char path[256];
	ssize_t length;

	snprintf(path, sizeof(path), "bus/pci/devices/%s/driver", function[i].name);
	length = readlinkat(kernel.tree.host.sys, path, out, 255);
	out[length > 0 ? length : 0] = '\0';
	return path_last(out);
}

static bool is_on_host_driver(size_t i)
{
	char text[256];
	const char *driver = driver_of(i, text);

	return *driver && strcmp(driver, "vfio-pci") != 0;
}

static void override_of(size_t i, char out[static 64])
{
	char path[128];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/driver_override", function[i].name);
	assert_int_equal(sysfs_read(kernel.tree.host.sys, path, out, 64), 0);
}

/* The group has a node as long as a function of it is on VFIO. */
static void set_group_node(void)
{
	bool wanted = false;
	char text[256];

	for (size_t i = 0; i < FUNCTIONS; i++)
		wanted = wanted || strcmp(driver_of(i, text), "vfio-pci") == 0;
	if (wanted && !sysfs_has(kernel.tree.host.sys, "class/vfio/7")) {
		tree_file(&kernel.tree, "510:7\n", "sys/class/vfio/7/dev");
		tree_file(&kernel.tree, "", "dev/vfio/7");
	} else if (!wanted && sysfs_has(kernel.tree.host.sys, "class/vfio/7")) {
		tree_remove(&kernel.tree, "sys/class/vfio/7");
		tree_remove(&kernel.tree, "dev/vfio/7");
	}
}

static int bind_driver(size_t i, const char *driver)
{
	char path[256], text[64];

	snprintf(path, sizeof(path), "bus/pci/drivers/%s", driver);
	if (kernel.without_probe || !sysfs_has(kernel.tree.host.sys, path))
		return -ENODEV;
	snprintf(text, sizeof(text), "../../../bus/pci/drivers/%s", driver);
	tree_link(&kernel.tree, text, "sys/devices/pci0000:00/%s/driver", function[i].name);
	if (strcmp(driver, "vfio-pci") == 0) {
		snprintf(text, sizeof(text), "511:%zu\n", i);
		tree_file(&kernel.tree, text, "sys/devices/pci0000:00/%s/vfio-dev/%s/dev", function[i].name,
			  function[i].node);
		tree_file(&kernel.tree, "", "dev/vfio/devices/%s", function[i].node);
	}
	set_group_node();
	return 0;
}

static void unbind_driver(size_t i)
{
	char text[256];

	if (strcmp(driver_of(i, text), "vfio-pci") == 0) {
		tree_remove(&kernel.tree, "sys/devices/pci0000:00/%s/vfio-dev", function[i].name);
		tree_remove(&kernel.tree, "dev/vfio/devices/%s", function[i].node);
	}
	tree_remove(&kernel.tree, "sys/devices/pci0000:00/%s/driver", function[i].name);
	set_group_node();
}

/* drivers_probe: the driver that driver_override names, else the one that knows the function. None is no error. */
static int probe(size_t i)
{
	char override[64], text[256];

	override_of(i, override);
	if (!*driver_of(i, text))
		bind_driver(i, strcmp(override, "(null)") == 0 ? function[i].driver : override);
	return 0;
}

static int write_sysfs(int fd, const char *path, const char *text, size_t length)
{
	char what[256], driver[256], name[32] = "";
	size_t i;

	snprintf(what, sizeof(what), "%s", path_last(path));
	if (strcmp(what, "driver_override") == 0) {
		if (ftruncate(fd, 0) < 0)
			return -errno;
		if (length == 1)
			return __real_write(fd, "(null)\n", 7) == 7 ? 0 : -errno;
		return __real_write(fd, text, length) == (ssize_t)length ? 0 : -errno;
	}
	if (strcmp(what, "reset") == 0) {
		kernel.resets++;
		return 0;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), text);
	i = index_of(name);
	if (i == FUNCTIONS)
		return -ENODEV;
	if (strcmp(what, "drivers_probe") == 0)
		return probe(i);
	snprintf(driver, sizeof(driver), "%.*s", (int)(strlen(path) - strlen(what) - 1), path);
	if (strcmp(what, "bind") == 0)
		return bind_driver(i, path_last(driver));
	if (strcmp(what, "unbind") != 0 || strcmp(path_last(driver), driver_of(i, what)) != 0)
		return -ENODEV;
	unbind_driver(i);
	return 0;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t count)
{
	char room[PATH_MAX];
	const char *path = path_of(fd, room);
	int error;

	if (strncmp(path, "sys/", 4) != 0)
		return __real_write(fd, bytes, count);
	if (fails())
		return -1;
	error = write_sysfs(fd, path, bytes, count);
	errno = -error;
	return error < 0 ? -1 : (ssize_t)count;
}

/* Makes a file below dev a character device, as which it was made. */
static void make_node(const char *path, struct stat *status)
{
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (strcmp(nodes[i].path, path) == 0) {
			status->st_mode = (status->st_mode & 07777) | S_IFCHR;
			status->st_rdev = makedev(nodes[i].major, nodes[i].minor);
		}
}

int __wrap_fstat64(int fd, struct stat *status)
{
	int result = __real_fstat64(fd, status);
	char room[PATH_MAX];
	const char *path = path_of(fd, room);

	if (result == 0 && strncmp(path, "dev/", 4) == 0)
		make_node(path + 4, status);
	return result;
}

int __wrap_fstatat64(int folder, const char *path, struct stat *status, int flags)
{
	int result = __real_fstatat64(folder, path, status, flags);

	if (result == 0 && folder == kernel.tree.host.dev)
		make_node(path, status);
	return result;
}

static bool group_is_viable(void)
{
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (is_on_host_driver(i))
			return false;
	return true;
}

static int ask_device(unsigned long request, void *argument)
{
	switch (request) {
	case VFIO_DEVICE_BIND_IOMMUFD:
		if (!group_is_viable())
			return -EPERM;
		return kernel.held ? -EINVAL : 0;
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		return ((struct vfio_device_attach_iommufd_pt *)argument)->pt_id == IOAS ? 0 : -ENOENT;
	default:
		return -ENOTTY;
	}
}

static int ask_context(unsigned long request, void *argument)
{
	switch (request) {
	case IOMMU_OPTION:
		return 0;
	case IOMMU_IOAS_ALLOC:
		((struct iommu_ioas_alloc *)argument)->out_ioas_id = IOAS;
		return 0;
	case IOMMU_IOAS_UNMAP:
		if (((struct iommu_ioas_unmap *)argument)->ioas_id != IOAS)
			return -ENOENT;
		kernel.unmapped++;
		return 0;
	default:
		return -ENOTTY;
	}
}

static int ask_group(unsigned long request, void *argument)
{
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags = group_is_viable() ? VFIO_GROUP_FLAGS_VIABLE : 0;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		return group_is_viable() ? 0 : -EPERM;
	case VFIO_GROUP_GET_DEVICE_FD: {
		int fd = index_of(argument) < FUNCTIONS ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

		return fd < 0 ? -ENODEV : fd;
	}
	default:
		return -ENOTTY;
	}
}

static int ask_container(unsigned long request)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return 1;
	case VFIO_SET_IOMMU:
		return 0;
	case VFIO_IOMMU_UNMAP_DMA:
		kernel.unmapped++;
		return 0;
	default:
		return -ENOTTY;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	char room[PATH_MAX];
	const char *path = path_of(fd, room);
	va_list arguments;
	void *argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	/* Some thousand numbers are tried. */
	if ((request != IOMMU_IOAS_UNMAP || ((struct iommu_ioas_unmap *)argument)->ioas_id == IOAS) && fails())
		return -1;
	if (strcmp(path, "dev/iommu") == 0)
		result = ask_context(request, argument);
	else if (strcmp(path, "dev/vfio/vfio") == 0)
		result = ask_container(request);
	else if (strncmp(path, "dev/vfio/devices/", 17) == 0)
		result = ask_device(request, argument);
	else
		result = strcmp(path, "dev/vfio/7") == 0 ? ask_group(request, argument) : -ENOTTY;
	errno = -result;
	return result < 0 ? -1 : result;
}

int __wrap_acl_set_file(const char *path, acl_type_t type, acl_t acl)
{
	return fails() ? -1 : __real_acl_set_file(path, type, acl);
}

int __wrap_prlimit64(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *before)
{
	return limit && fails() ? -1 : __real_prlimit64(pid, resource, limit, before);
}

void kernel_set_bus_master(bool on)
{
	uint32_t registers[2] = { 0x8086, on ? 4 : 0 };

	for (size_t i = 0; i < FUNCTIONS; i++) {
		char path[256];
		int fd;

		snprintf(path, sizeof(path), "bus/pci/devices/%s/config", function[i].name);
		fd = openat(kernel.tree.host.sys, path, O_WRONLY | O_CLOEXEC);
		assert_true(__real_write(fd, registers, sizeof(registers)) == sizeof(registers));
		close(fd);
	}
}

void kernel_begin(void)
{
	tree_begin(&kernel.tree);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		tree_device(&kernel.tree, function[i].name, "0x8086", "0x100e", "0x020000");
		tree_driver(&kernel.tree, function[i].name, function[i].driver);
		tree_file(&kernel.tree, "", "sys/devices/pci0000:00/%s/reset", function[i].name);
		tree_file(&kernel.tree, "", "sys/devices/pci0000:00/%s/config", function[i].name);
	}
	kernel_set_bus_master(false);
	tree_file(&kernel.tree, "", "sys/bus/pci/drivers_probe");
	tree_file(&kernel.tree, "", "sys/bus/pci/drivers/vfio-pci/bind");
	tree_file(&kernel.tree, "", "sys/bus/pci/drivers/vfio-pci/unbind");
	tree_file(&kernel.tree, "", "dev/iommu");
	tree_file(&kernel.tree, "", "dev/vfio/vfio");
	/* Processes are the real ones. */
	close(kernel.tree.host.proc);
	kernel.tree.host.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(kernel.tree.host.proc >= 0);
}

void kernel_end(void)
{
	tree_end(&kernel.tree);
	kernel = (struct kernel_double){ .calls = 0 };
}

static void add_acl(char *out, size_t size, const char *node)
{
	char path[512], *text = NULL;
	acl_t acl;

	snprintf(path, sizeof(path), "%s/dev/%s", kernel.tree.root, node);
	acl = acl_get_file(path, ACL_TYPE_ACCESS);
	if (acl)
		text = acl_to_text(acl, NULL);
	snprintf(out + strlen(out), size - strlen(out), "%s: %s\n", node, text ? text : "is not there");
	acl_free(text);
	acl_free(acl);
}

const char *kernel_state_but(const char *node)
{
	static char text[2048];

	text[0] = '\0';
	for (size_t i = 0; i < FUNCTIONS; i++) {
		char driver[256], override[64];

		override_of(i, override);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s: driver '%s', override '%s'\n",
			 function[i].name, driver_of(i, driver), override);
	}
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (strcmp(nodes[i].path, node) != 0)
			add_acl(text, sizeof(text), nodes[i].path);
	return text;
}

const char *kernel_state(void)
{
	return kernel_state_but("");
}
