#include "run_delivery.h"

#include <stdio.h>
#include <string.h>

enum { NEVER = 0, WITH_IOMMUFD = 1 << 0, WITH_GROUP = 1 << 1, ALWAYS = WITH_IOMMUFD | WITH_GROUP };

/* With which interfaces a mode gives a placeholder; {lease} is given always. */
struct delivery_row {
	const char *mode;
	unsigned int given[PLACEHOLDER_KINDS];
};

static const struct delivery_row delivery_rows[] = {
	{ "attached",
	  { [PLACEHOLDER_IOMMUFD] = WITH_IOMMUFD,
	    [PLACEHOLDER_IOAS_ID] = WITH_IOMMUFD,
	    [PLACEHOLDER_CONTAINER] = WITH_GROUP,
	    [PLACEHOLDER_GROUP] = WITH_GROUP,
	    [PLACEHOLDER_DEVICE] = ALWAYS,
	    [PLACEHOLDER_LEASE] = ALWAYS } },
	{ "open", { [PLACEHOLDER_IOMMUFD] = ALWAYS, [PLACEHOLDER_DEVICE] = ALWAYS, [PLACEHOLDER_LEASE] = ALWAYS } },
	{ "node", { [PLACEHOLDER_IOMMUFD] = WITH_IOMMUFD, [PLACEHOLDER_LEASE] = ALWAYS } },
};

static const char *const spelling[PLACEHOLDER_KINDS] = {
	[PLACEHOLDER_NONE] = "",
	[PLACEHOLDER_IOMMUFD] = "{iommufd}",
	[PLACEHOLDER_IOAS_ID] = "{ioasid}",
	[PLACEHOLDER_CONTAINER] = "{container}",
	[PLACEHOLDER_GROUP] = "{group:DEVICE}",
	[PLACEHOLDER_DEVICE] = "{fd:DEVICE}",
	[PLACEHOLDER_LEASE] = "{lease}",
};

static const struct delivery_row *find_row(const char *mode)
{
	for (size_t i = 0; i < sizeof(delivery_rows) / sizeof(*delivery_rows); i++)
		if (strcmp(delivery_rows[i].mode, mode) == 0)
			return &delivery_rows[i];
	return NULL;
}

/* Which interfaces it can be; a word that is none stands for both. */
static unsigned int interfaces(const char *interface)
{
	if (interface != NULL && strcmp(interface, "iommufd") == 0)
		return WITH_IOMMUFD;
	if (interface != NULL && strcmp(interface, "group") == 0)
		return WITH_GROUP;
	return ALWAYS;
}

/* In a mode that gives a placeholder nowhere: what to do. */
static const char *other_mode(const char *mode, enum placeholder_kind kind)
{
	if (strcmp(mode, "node") == 0)
		return "in that mode the command opens devices by path: name them by their addresses (QEMU: -device "
		       "vfio-pci,host=ADDRESS; DPDK: -a ADDRESS), or use mode attached or open, which pass file "
		       "descriptors";
	if (kind == PLACEHOLDER_IOAS_ID)
		return "in that mode the command attaches the devices to an IOAS itself; or use mode attached";
	return "use {iommufd} instead; a container and groups are for mode attached on kernels without iommufd";
}

static void write_unsupported(const char *mode, enum placeholder_kind kind, unsigned int interface, char *out,
			      size_t size)
{
	if (interface == WITH_IOMMUFD)
		snprintf(out, size,
			 "the command contains %s, but this host delivers mode %s by iommufd: use %s instead",
			 spelling[kind], mode,
			 kind == PLACEHOLDER_CONTAINER ? "{iommufd} and {ioasid}" : "{fd:DEVICE}");
	else if (strcmp(mode, "node") == 0)
		snprintf(out, size,
			 "the command contains %s, but this host's kernel has no iommufd (see `ioasidctl doctor`), "
			 "and mode node has no replacement: write the command for VFIO groups, which it opens by path",
			 spelling[kind]);
	else
		snprintf(out, size,
			 "the command contains %s, but this host delivers mode %s by VFIO groups, as its kernel has "
			 "no iommufd (see `ioasidctl doctor`): use {container} and {group:DEVICE} instead, or --mode "
			 "node for programs that open groups themselves",
			 spelling[kind], mode);
}

enum exit_status delivery_check(const struct placeholder_needs *needs, const char *mode, const char *interface,
				char *out, size_t size)
{
	const struct delivery_row *row = find_row(mode);
	unsigned int possible = interfaces(interface);

	for (enum placeholder_kind kind = PLACEHOLDER_NONE; row != NULL && kind < PLACEHOLDER_KINDS; kind++) {
		if (!needs->kind[kind] || (row->given[kind] & possible) != 0)
			continue;
		if (row->given[kind] == NEVER) {
			snprintf(out, size, "the command contains %s, but mode %s has none: %s", spelling[kind], mode,
				 other_mode(mode, kind));
			return EXIT_USAGE;
		}
		write_unsupported(mode, kind, possible, out, size);
		return EXIT_UNSUPPORTED;
	}
	return EXIT_DONE;
}

bool delivery_depends(const struct placeholder_needs *needs, const char *mode)
{
	const struct delivery_row *row = find_row(mode);

	for (enum placeholder_kind kind = PLACEHOLDER_NONE; row != NULL && kind < PLACEHOLDER_KINDS; kind++)
		if (needs->kind[kind] && row->given[kind] != ALWAYS)
			return true;
	return false;
}
