/*
 * How long it takes to look at a machine of ten thousand devices for the first time, and at one device that comes: each
 * read from a simulated sysfs, a tenth of them network interfaces with addresses and a tenth disks with partitions, one
 * of them mounted; and beside that at one of ten. Prints BENCHMARK lines.
 *
 * usage: survey_speed FOLDER     the machines are made below it: a tmpfs is nearest to sysfs
 */
#include "../../daemon/executor/devices/pci_device.h"
#include "../../daemon/executor/workers/known_devices.h"
#include "../../daemon/executor/survey/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 10000, FEW = 10, EVENTS = 2000, ASKED_AT_ONCE = 256, ROUNDS = 5 };

struct machine {
	int root;
	int count;
	struct host host;
	struct device *device;
	struct timed_call *timed_call;
};

static void die(const char *what)
{
	fprintf(stderr, "survey_speed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double least(double one, double other)
{
	return one < other ? one : other;
}

/* Makes the folders above a path. */
static void make_way(const struct machine *machine, char *path)
{
	for (char *c = path + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			if (mkdirat(machine->root, path, 0700) < 0 && errno != EEXIST)
				die(path);
			*c = '/';
		}
}

static void put_file(const struct machine *machine, const char *text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void put_file(const struct machine *machine, const char *text, const char *format, ...)
{
	char path[512];
	va_list arguments;
	int fd;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	make_way(machine, path);
	fd = openat(machine->root, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

static void put_link(const struct machine *machine, const char *target, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void put_link(const struct machine *machine, const char *target, const char *format, ...)
{
	char path[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	make_way(machine, path);
	if (symlinkat(target, machine->root, path) < 0)
		die(path);
}

static const char *address_of(int number, char out[static 16])
{
	snprintf(out, 16, "%04x:%02x:%02x.%x", number >> 16 & 15, number >> 8 & 255, number >> 3 & 31, number & 7);
	return out;
}

static void put_interface(const struct machine *machine, int number)
{
	char address[16], target[128], line[128];

	address_of(number, address);
	put_file(machine, "0x1003\n", "sys/devices/pci0000:00/%s/net/eth%d/flags", address, number);
	snprintf(target, sizeof(target), "../../devices/pci0000:00/%s/net/eth%d", address, number);
	put_link(machine, target, "sys/class/net/eth%d", number);
	snprintf(line, sizeof(line), "eth%d\t%08X\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", number,
		 0x0000000a | (unsigned)(number & 255) << 16 | (unsigned)(number >> 8 & 255) << 8);
	put_file(machine, line, "proc/1/net/route");
	snprintf(line, sizeof(line), "        |-- 10.%d.%d.1\n           /32 host LOCAL\n", number >> 8 & 255,
		 number & 255);
	put_file(machine, line, "proc/1/net/fib_trie");
}

static void put_disk(const struct machine *machine, int number)
{
	char address[16], target[160], line[128];

	address_of(number, address);
	for (int i = 0; i < 3; i++) {
		char name[64], place[96];

		if (i == 0)
			snprintf(name, sizeof(name), "nvme%dn1", number);
		else
			snprintf(name, sizeof(name), "nvme%dn1p%d", number, i);
		snprintf(place, sizeof(place), i == 0 ? "nvme%dn1%.0s" : "nvme%dn1/%s", number, name);
		snprintf(line, sizeof(line), "%d:%d\n", 259, number * 4 + i);
		put_file(machine, line, "sys/devices/pci0000:00/%s/nvme/nvme%d/%s/dev", address, number, place);
		if (i > 0)
			put_file(machine, "1\n", "sys/devices/pci0000:00/%s/nvme/nvme%d/%s/partition", address, number,
				 place);
		snprintf(target, sizeof(target), "../../devices/pci0000:00/%s/nvme/nvme%d/%s", address, number, place);
		put_link(machine, target, "sys/class/block/%s", name);
	}
	snprintf(line, sizeof(line), "22 1 259:%d / /srv/%d rw - ext4 /dev/x rw\n", number * 4 + 1, number);
	put_file(machine, line, "proc/1/mountinfo");
}

static void put_device(const struct machine *machine, int number)
{
	static const char *const attribute[][2] = {
		{ "vendor", "0x8086\n" },           { "device", "0x100e\n" },
		{ "subsystem_vendor", "0x8086\n" }, { "subsystem_device", "0x100e\n" },
		{ "driver_override", "(null)\n" },  { "numa_node", "0\n" },
		{ "reset_method", "flr bus\n" },
	};
	static const char *const classes[] = { "0x020000\n", "0x010802\n", "0x088000\n" };
	int kind = number % 10 == 0 ? 0 : number % 10 == 1 ? 1 : 2;
	char address[16], target[128];

	address_of(number, address);
	for (size_t i = 0; i < sizeof(attribute) / sizeof(*attribute); i++)
		put_file(machine, attribute[i][1], "sys/devices/pci0000:00/%s/%s", address, attribute[i][0]);
	put_file(machine, classes[kind], "sys/devices/pci0000:00/%s/class", address);
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", address);
	put_link(machine, target, "sys/bus/pci/devices/%s", address);
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%d", number);
	put_link(machine, target, "sys/devices/pci0000:00/%s/iommu_group", address);
	put_link(machine, "../../../bus/pci/drivers/card", "sys/devices/pci0000:00/%s/driver", address);
	if (kind == 0)
		put_interface(machine, number);
	else if (kind == 1)
		put_disk(machine, number);
}

static void make_machine(struct machine *machine, const char *folder, int count)
{
	static const char *const trees[] = { "sys", "proc", "dev" };

	machine->count = count;
	if (mkdir(folder, 0700) < 0 || (machine->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die(folder);
	for (size_t i = 0; i < 3; i++)
		if (mkdirat(machine->root, trees[i], 0700) < 0)
			die(trees[i]);
	put_file(machine, "", "sys/bus/pci/drivers/card/bind");
	put_file(machine, "", "sys/bus/pci/drivers/card/unbind");
	put_file(machine, "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "proc/1/mountinfo");
	for (int i = 0; i < count; i++)
		put_device(machine, i);
	machine->device = calloc((size_t)count, sizeof(*machine->device));
	machine->timed_call = timed_call_new();
	if (!machine->device || !machine->timed_call || host_open(&machine->host, folder) < 0)
		die(folder);
}

/* Reads all devices, as the watcher does at its start. */
static void read_devices(struct machine *machine)
{
	char address[16];

	for (int i = 0; i < machine->count; i++)
		if (pci_device_device(&machine->host, address_of(i, address), machine->timed_call,
				      &machine->device[i]) < 0)
			die(address);
}

/* Surveys all of them, so many at once. Returns how many uses there are. */
static size_t survey_all(const struct machine *machine, int at_once)
{
	struct uses uses = { .use = NULL };
	size_t count;

	for (int i = 0; i < machine->count; i += at_once) {
		int left = machine->count - i;

		errno = -survey_devices(&machine->host, machine->device + i, (size_t)(left < at_once ? left : at_once),
					true, machine->timed_call, &uses);
		if (errno)
			die("survey");
	}
	count = uses.count;
	uses_done(&uses);
	return count;
}

/* What the watcher does when a device comes, in microseconds; and a survey of it, as a plan asks for, in milliseconds.
 */
static void measure_event(const struct machine *machine, double *event, double *survey)
{
	struct known_devices known = { .count = 0 };
	struct uses uses = { .use = NULL };
	char address[16];
	double begin;

	for (int i = 0; i < machine->count; i++)
		if (known_devices_see(&known, address_of(i, address), "") < 0)
			die(address);
	begin = milliseconds();
	for (int i = 0; i < EVENTS; i++) {
		struct device device;

		address_of(i % FEW * (machine->count / FEW), address);
		if (pci_device_device(&machine->host, address, machine->timed_call, &device) < 0 ||
		    known_devices_see(&known, device.name, device.pci.physical_function) < 0)
			die(address);
	}
	*event = (milliseconds() - begin) * 1e3 / EVENTS;
	begin = milliseconds();
	errno = -survey_devices(&machine->host, machine->device, 1, true, machine->timed_call, &uses);
	if (errno)
		die("survey");
	*survey = milliseconds() - begin;
	uses_done(&uses);
	known_devices_done(&known);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	static const int counts[2] = { FEW, MANY };
	struct machine machine[2];
	char folder[256], path[2][300];
	double event[2] = { HUGE_VAL, HUGE_VAL }, survey[2] = { HUGE_VAL, HUGE_VAL }, begin, read, all, batches;
	size_t found = 0;

	snprintf(folder, sizeof(folder), "%s/ioasid-survey-speed-XXXXXX", argc == 2 ? argv[1] : "/tmp");
	if (!mkdtemp(folder))
		die(folder);
	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%d", folder, counts[i]);
		make_machine(&machine[i], path[i], counts[i]);
		read = all = batches = HUGE_VAL;
		/* The best of some rounds: a busy machine disturbs any. */
		for (int round = 0; round < ROUNDS; round++) {
			begin = milliseconds();
			read_devices(&machine[i]);
			read = least(read, milliseconds() - begin);
			begin = milliseconds();
			found = survey_all(&machine[i], machine[i].count);
			all = least(all, milliseconds() - begin);
			begin = milliseconds();
			survey_all(&machine[i], ASKED_AT_ONCE);
			batches = least(batches, milliseconds() - begin);
		}
		printf("BENCHMARK survey devices=%d uses=%zu read_ms=%.1f survey_ms=%.1f both_ms=%.1f "
		       "survey_in_batches_ms=%.1f\n",
		       counts[i], found, read, all, read + all, batches);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 2; i++) {
			double one_event, one_survey;

			measure_event(&machine[i], &one_event, &one_survey);
			event[i] = least(event[i], one_event);
			survey[i] = least(survey[i], one_survey);
		}
	for (int i = 0; i < 2; i++) {
		printf("BENCHMARK event devices=%d event_us=%.1f survey_of_one_ms=%.2f\n", counts[i], event[i],
		       survey[i]);
		timed_call_free(machine[i].timed_call);
		host_close(&machine[i].host);
		free(machine[i].device);
		close(machine[i].root);
	}
	printf("BENCHMARK event ratio=%.2f\n", event[1] / event[0]);
	if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die(folder);
	return 0;
}
