/*
 * What ioasidd is measured against: the same steps of a claim and its release, done by root in one process, straight
 * on sysfs, /dev/iommu and the VFIO cdev. With a COMMAND it is the proof that rig and kernel work without ioasidd:
 * the command runs once with the FDs, as another user where wanted. It keeps no journal and undoes nothing at errors.
 *
 * usage: root-claim [--cycles N] [--user USER] ADDRESS [-- COMMAND…]
 *   --cycles N   claim and release N times and print the times, in milliseconds
 *   COMMAND      {fd}, {iommufd} and {ioasid} in its arguments become numbers; its exit status is ours
 *
 * claim:   save driver_override and driver of all members; pin the overrides; unbind all that have to move; probe;
 *          open /dev/iommu; accounting mode; open the cdev; bind; allocate an IOAS; attach
 * release: close; with --cycles see that no process has an FD or a mapping of it; bind anew with an own FD (nobody else
 *          is bound); close; bus mastering is off; reset where there is one; unbind (no FD is left); overrides and
 * drivers as they were
 */
#include "rig.h"
#include "uapi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/pci_regs.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMBERS_MAX = 32, NAME_SIZE = 64, PATH_SIZE = 512, CYCLES_MAX = 10000 };

#define DEVICES "/sys/bus/pci/devices"
#define LOCKED_OUT "root-claim-locked-out"

struct member {
	char address[NAME_SIZE];
	char driver[NAME_SIZE];   /* "" without one */
	char override[NAME_SIZE]; /* "(null)" without one */
};

struct claim {
	struct member members[MEMBERS_MAX]; /* members[0] is the wanted device */
	unsigned n_members;
	int iommufd;
	int device;
	uint32_t ioas;
};

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		die_errno("can't open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		die_errno("can't write '%s' to %s", text, path);
	close(fd);
}

static void write_attribute(const char *address, const char *name, const char *text)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, DEVICES "/%s/%s", address, name);
	write_text(path, text);
}

/* Reads the first line; an attribute that is missing reads as "". */
static void read_attribute(const char *address, const char *name, char *text, size_t size)
{
	char path[PATH_SIZE];
	ssize_t got;
	int fd;

	text[0] = '\0';
	snprintf(path, sizeof path, DEVICES "/%s/%s", address, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	got = fd < 0 ? -1 : read(fd, text, size - 1);
	if (got < 0)
		die_errno("can't read %s", path);
	close(fd);
	text[got] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static void read_driver(const char *address, char *name, size_t size)
{
	char path[PATH_SIZE];
	char target[PATH_SIZE];
	ssize_t length;

	name[0] = '\0';
	snprintf(path, sizeof path, DEVICES "/%s/driver", address);
	length = readlink(path, target, sizeof target - 1);
	if (length < 0)
		return;
	target[length] = '\0';
	snprintf(name, size, "%.*s", (int)size - 1, strrchr(target, '/') + 1);
}

static void save(struct claim *claim, const char *address)
{
	struct member *member;
	char class[NAME_SIZE];

	/* A bridge stays with its driver, which the kernel allows beside a claim. */
	read_attribute(address, "class", class, sizeof class);
	if (strncmp(class, "0x06", 4) == 0)
		return;
	if (claim->n_members == MEMBERS_MAX || strlen(address) >= NAME_SIZE)
		die("too many members in the group of %s", address);
	member = &claim->members[claim->n_members++];
	strcpy(member->address, address);
	read_driver(address, member->driver, sizeof member->driver);
	read_attribute(address, "driver_override", member->override, sizeof member->override);
}

static void save_members(struct claim *claim, const char *address)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	DIR *folder;

	claim->n_members = 0;
	save(claim, address);
	if (claim->n_members == 0)
		die("%s is a bridge", address);
	snprintf(path, sizeof path, DEVICES "/%s/iommu_group/devices", address);
	folder = opendir(path);
	if (!folder)
		die_errno("can't open %s", path);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, address) != 0)
			save(claim, entry->d_name);
	closedir(folder);
}

static void move_drivers(const struct claim *claim)
{
	const struct member *wanted = &claim->members[0];
	char driver[NAME_SIZE];
	unsigned i;

	for (i = 0; i < claim->n_members; i++)
		write_attribute(claim->members[i].address, "driver_override", i == 0 ? "vfio-pci" : LOCKED_OUT);
	for (i = 0; i < claim->n_members; i++)
		if (claim->members[i].driver[0] != '\0')
			write_attribute(claim->members[i].address, "driver/unbind", claim->members[i].address);
	write_text("/sys/bus/pci/drivers_probe", wanted->address);
	read_driver(wanted->address, driver, sizeof driver);
	if (strcmp(driver, "vfio-pci") != 0)
		die("%s is on '%s' after the probe, not on vfio-pci", wanted->address, driver);
}

static int open_context(void)
{
	struct uapi_option mode = {
		.size = sizeof mode,
		.option_id = UAPI_OPTION_RLIMIT_MODE,
		.op = UAPI_OPTION_SET,
		.val64 = 1,
	};
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die_errno("can't open /dev/iommu");
	if (ioctl(fd, UAPI_IOMMU_OPTION, &mode) < 0)
		die_errno("can't set the accounting mode");
	return fd;
}

/* The path of its VFIO cdev. */
static void find_node(const char *address, char *path, size_t size)
{
	struct dirent *entry;
	DIR *folder;

	snprintf(path, size, DEVICES "/%s/vfio-dev", address);
	folder = opendir(path);
	if (!folder)
		die_errno("can't open %s", path);
	do
		entry = readdir(folder);
	while (entry && entry->d_name[0] == '.');
	if (!entry)
		die("%s is empty", path);
	snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
	closedir(folder);
}

static int open_device(const char *address)
{
	char path[PATH_SIZE];
	int fd;

	find_node(address, path, sizeof path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die_errno("can't open %s", path);
	return fd;
}

static void bind_device(int device, int iommufd)
{
	struct uapi_vfio_bind bind = { .argsz = sizeof bind, .iommufd = iommufd };

	if (ioctl(device, UAPI_VFIO_BIND, &bind) < 0)
		die_errno("VFIO_DEVICE_BIND_IOMMUFD");
}

static void claim_device(struct claim *claim, const char *address)
{
	struct uapi_ioas_alloc alloc = { .size = sizeof alloc };
	struct uapi_vfio_attach attach = { .argsz = sizeof attach };

	save_members(claim, address);
	move_drivers(claim);
	claim->iommufd = open_context();
	claim->device = open_device(address);
	bind_device(claim->device, claim->iommufd);
	if (ioctl(claim->iommufd, UAPI_IOMMU_IOAS_ALLOC, &alloc) < 0)
		die_errno("IOMMU_IOAS_ALLOC");
	claim->ioas = alloc.out_ioas_id;
	attach.pt_id = alloc.out_ioas_id;
	if (ioctl(claim->device, UAPI_VFIO_ATTACH, &attach) < 0)
		die_errno("VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

static void check_bus_mastering(const char *address)
{
	char path[PATH_SIZE];
	uint16_t command;
	int fd;

	snprintf(path, sizeof path, DEVICES "/%s/config", address);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &command, sizeof command, PCI_COMMAND) != sizeof command)
		die_errno("can't read %s", path);
	close(fd);
	if (command & PCI_COMMAND_MASTER)
		die("%s can still do DMA after its last close", address);
}

/* A device that lists a way to be reset may still say ENOTTY: a sibling hinders it. */
static void reset(const char *address)
{
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof path, DEVICES "/%s/reset", address);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || (write(fd, "1", 1) < 0 && errno != ENOTTY))
		die_errno("can't reset %s", address);
	close(fd);
}

static void restore(const struct claim *claim)
{
	const struct member *member;
	char driver[NAME_SIZE];
	unsigned i;

	for (i = 0; i < claim->n_members; i++) {
		member = &claim->members[i];
		write_attribute(member->address, "driver_override",
				strcmp(member->override, "(null)") == 0 ? "\n" : member->override);
	}
	for (i = 0; i < claim->n_members; i++) {
		member = &claim->members[i];
		if (member->driver[0] != '\0')
			write_text("/sys/bus/pci/drivers_probe", member->address);
		read_driver(member->address, driver, sizeof driver);
		if (strcmp(driver, member->driver) != 0)
			die("%s is on '%s' now and was on '%s'", member->address, driver, member->driver);
	}
}

/* True for an FD that only names its file, as udev has them for a moment. */
static bool only_names(const char *pid, const char *fd)
{
	char path[PATH_SIZE], line[PATH_SIZE];
	unsigned flags = 0;
	FILE *stream;

	snprintf(path, sizeof path, "/proc/%.20s/fdinfo/%.20s", pid, fd);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof line, stream))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (stream)
		fclose(stream);
	return flags & O_PATH;
}

/* Dies if one of the process's FDs is of that character device. */
static void check_descriptors(const char *pid, dev_t node)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	struct stat status;
	DIR *stream;

	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	stream = opendir(path);
	while (stream && (entry = readdir(stream)))
		if (fstatat(dirfd(stream), entry->d_name, &status, 0) == 0 && S_ISCHR(status.st_mode) &&
		    status.st_rdev == node && !only_names(pid, entry->d_name))
			die("process %s still has the device open", pid);
	if (stream)
		closedir(stream);
}

/* Dies if the process has mapped a VFIO device. */
static void check_mappings(const char *pid)
{
	char path[PATH_SIZE], line[PATH_SIZE];
	FILE *stream;

	snprintf(path, sizeof path, "/proc/%.20s/maps", pid);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof line, stream))
		if (strstr(line, "/dev/vfio/devices/"))
			die("process %s still has a device mapped", pid);
	if (stream)
		fclose(stream);
}

/* True for a kernel thread: it holds nothing. */
static bool has_no_program(const char *pid)
{
	char path[PATH_SIZE], program[1];

	snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
	return readlink(path, program, sizeof program) < 0 && errno == ENOENT;
}

static void check_holders(const char *address)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	struct stat status;
	DIR *stream;

	find_node(address, path, sizeof path);
	if (stat(path, &status) < 0)
		die_errno("%s", path);
	stream = opendir("/proc");
	if (!stream)
		die_errno("/proc");
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || has_no_program(entry->d_name))
			continue;
		check_descriptors(entry->d_name, status.st_rdev);
		check_mappings(entry->d_name);
	}
	closedir(stream);
}

/* looks: as a release by ioasidd does, before the kernel is asked by BIND. */
static void release_device(struct claim *claim, bool looks)
{
	const char *address = claim->members[0].address;
	int iommufd;
	int device;

	close(claim->device);
	close(claim->iommufd);
	if (looks)
		check_holders(address);
	iommufd = open_context();
	device = open_device(address);
	bind_device(device, iommufd);
	close(device);
	close(iommufd);
	check_bus_mastering(address);
	reset(address);
	write_attribute(address, "driver/unbind", address);
	restore(claim);
}

static void become(const char *name)
{
	struct passwd *user = getpwnam(name);
	uid_t uid = user ? user->pw_uid : (uid_t)number_of("USER (no such name)", name, UINT32_MAX - 1);
	gid_t gid = user ? user->pw_gid : uid;

	if ((user ? initgroups(name, gid) : setgroups(0, NULL)) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		die_errno("can't become %s", name);
}

/* Only what COMMAND is told about reaches it: two FDs, and no way to open more of their kind. */
static void exec_command(const struct claim *claim, const char *user, char **command)
{
	static char numbers[3][16];
	unsigned i;

	snprintf(numbers[0], sizeof numbers[0], "%d", claim->device);
	snprintf(numbers[1], sizeof numbers[1], "%d", claim->iommufd);
	snprintf(numbers[2], sizeof numbers[2], "%u", claim->ioas);
	if (fcntl(claim->device, F_SETFD, 0) < 0 || fcntl(claim->iommufd, F_SETFD, 0) < 0)
		die_errno("can't hand on the FDs");
	if (user)
		become(user);
	for (i = 1; command[i]; i++) {
		if (strcmp(command[i], "{fd}") == 0)
			command[i] = numbers[0];
		else if (strcmp(command[i], "{iommufd}") == 0)
			command[i] = numbers[1];
		else if (strcmp(command[i], "{ioasid}") == 0)
			command[i] = numbers[2];
	}
	execvp(command[0], command);
	die_errno("can't run %s", command[0]);
}

static int run_once(const char *address, const char *user, char **command)
{
	struct claim claim;
	pid_t child;
	int status;

	claim_device(&claim, address);
	child = fork();
	if (child < 0)
		die_errno("fork");
	if (child == 0)
		exec_command(&claim, user, command);
	if (waitpid(child, &status, 0) < 0)
		die_errno("waitpid");
	release_device(&claim, false);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *what, uint64_t *times, unsigned n)
{
	qsort(times, n, sizeof *times, compare);
	printf("%-16s n %u  p50 %.2f ms  p90 %.2f ms  min %.2f ms  max %.2f ms\n", what, n, (double)times[n / 2] / 1000,
	       (double)times[n - 1 - n / 10] / 1000, (double)times[0] / 1000, (double)times[n - 1] / 1000);
}

static int run_cycles(const char *address, unsigned cycles)
{
	uint64_t *claims = calloc(cycles, sizeof *claims);
	uint64_t *releases = calloc(cycles, sizeof *releases);
	uint64_t *both = calloc(cycles, sizeof *both);
	struct claim claim;
	uint64_t start;
	uint64_t middle;
	uint64_t end;
	unsigned i;

	if (!claims || !releases || !both)
		die("out of memory");
	for (i = 0; i < cycles; i++) {
		start = now_us();
		claim_device(&claim, address);
		middle = now_us();
		release_device(&claim, true);
		end = now_us();
		claims[i] = middle - start;
		releases[i] = end - middle;
		both[i] = end - start;
	}
	print_times("claim", claims, cycles);
	print_times("release", releases, cycles);
	print_times("claim+release", both, cycles);
	free(claims);
	free(releases);
	free(both);
	return 0;
}

int main(int argc, char **argv)
{
	const char *user = NULL;
	unsigned cycles = 0;
	char **command = NULL;
	int i;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (strcmp(argv[i], "--cycles") == 0)
			cycles = (unsigned)number_of("--cycles", argv[i + 1], CYCLES_MAX);
		else if (strcmp(argv[i], "--user") == 0)
			user = argv[i + 1];
		else
			die("unknown option '%s'", argv[i]);
	}
	if (i + 2 < argc && strcmp(argv[i + 1], "--") == 0)
		command = argv + i + 2;
	if (i >= argc || strlen(argv[i]) >= NAME_SIZE || strchr(argv[i], '/') || (cycles > 0) == (command != NULL) ||
	    (!command && i + 1 != argc))
		die("usage: root-claim --cycles N ADDRESS | root-claim [--user USER] ADDRESS -- COMMAND…");
	return command ? run_once(argv[i], user, command) : run_cycles(argv[i], cycles);
}
