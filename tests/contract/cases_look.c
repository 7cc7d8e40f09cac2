#include "cases.h"

#include <stdlib.h>
#include <string.h>

void case_greeting(struct bench *bench)
{
	const struct wire_hello *hello = &bench->side.hello;

	report_note("version %u, iommufd %u, cdev %u, groups %u, unsafe interrupts %u, noiommu %u", hello->version,
		    hello->kernel.iommufd, hello->kernel.vfio_cdev, hello->kernel.vfio_group,
		    hello->kernel.unsafe_interrupts, hello->kernel.noiommu);
	report_check(hello->policy_digest == bench->digest, "the policy's digest is not ours");
	report_check(strlen(hello->boot_id) == 36, "the boot id is '%s'", hello->boot_id);
	report_check(*hello->kernel.release, "the kernel has no release");
}

static int line_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The ids of the other members of a device's group, sorted. */
static void describe_members(const struct bench *bench, const struct device *device, char *out, size_t size)
{
	const struct device *member[GROUP_MEMBERS_MAX];
	size_t count = topology_members(bench->side.topology, device->group, member, GROUP_MEMBERS_MAX), ids = 0;
	char id[16][16];

	for (size_t i = 0; i < count && ids < 16; i++)
		if (member[i] != device)
			snprintf(id[ids++], sizeof(id[0]), "%04x:%04x", device_pci(member[i])->vendor,
				 device_pci(member[i])->device);
	qsort(id, ids, sizeof(id[0]), line_order);
	snprintf(out, size, "%s", ids > 0 ? "" : "none");
	for (size_t i = 0; i < ids; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i > 0 ? " " : "", id[i]);
}

static void describe_resets(const struct device *device, char *out, size_t size)
{
	snprintf(out, size, "%s", device_pci(device)->reset_methods ? "" : "none");
	for (uint32_t method = 1; method <= device_pci(device)->reset_methods; method <<= 1)
		if (device_pci(device)->reset_methods & method)
			snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? " " : "",
				 reset_method_to_string((enum reset_method)method));
}

void case_topology(struct bench *bench)
{
	size_t count;
	const struct device **device = topology_sorted(bench->side.topology, &count);
	char(*line)[768] = calloc(count, sizeof(*line));
	char members[256], resets[64];

	for (size_t i = 0; i < count; i++) {
		const struct device *now = device[i];
		const struct device *parent = topology_find(bench->side.topology, now->parent);

		describe_members(bench, now, members, sizeof(members));
		describe_resets(now, resets, sizeof(resets));
		snprintf(line[i], sizeof(line[i]),
			 "%04x:%04x (%04x:%04x) class %06x%s, behind %04x:%04x, driver %s, override %s, node %s, "
			 "group with: %s, resets: %s, NUMA node %d, VFs %u of %u",
			 device_pci(now)->vendor, device_pci(now)->device, device_pci(now)->subsystem_vendor,
			 device_pci(now)->subsystem_device, device_pci(now)->class_code,
			 device_is_bridge(now) ? " bridge" : "", parent ? device_pci(parent)->vendor : 0,
			 parent ? device_pci(parent)->device : 0, *now->driver ? now->driver : "none",
			 *now->driver_override ? now->driver_override : "none", *now->vfio_node ? "yes" : "no", members,
			 resets, now->numa_node, device_pci(now)->virtual_functions,
			 device_pci(now)->virtual_functions_max);
		report_check(!*now->parent || parent, "%s is behind %s, which was not told", now->name, now->parent);
		report_check(now->identity != 0, "%s has no identity", now->name);
		report_check(!now->driver_fixed, "the driver of %s is fixed", now->name);
	}
	qsort(line, count, sizeof(*line), line_order);
	for (size_t i = 0; i < count; i++)
		report_note("%s", line[i]);
	free(line);
	free(device);
}

void case_survey(struct bench *bench)
{
	const char *names[] = { bench->roles.bridge, "0000:ff:1f.7" };
	int error;

	note_state(bench, "untouched");
	error = side_survey(&bench->side, names, 2);
	report_note("a survey of the bridge and of an unknown device: error %d, %zu uses, gone: %s", error,
		    bench->side.uses.count, *bench->side.unknown ? "the unknown one" : "none");
	report_check(strcmp(bench->side.unknown, names[1]) == 0, "the unknown device is not said to be gone");
	check_untouched(bench);
}
