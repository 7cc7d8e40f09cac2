#include "note_undone.h"

#include "note_losses.h"
#include "../util/text.h"

#include <string.h>

/* Methods that reset one function alone. */
#define FUNCTION_METHODS \
	(RESET_METHOD_DEVICE_SPECIFIC | RESET_METHOD_ACPI | RESET_METHOD_FLR | RESET_METHOD_AF_FLR | RESET_METHOD_PM)

static unsigned base_class(const struct device *device)
{
	return device_pci(device)->class_code >> 16;
}

/* What is gone of the host's own once its driver has left the device; NULL: nothing that is known. */
static const char *gone_with_driver(const struct device *device)
{
	switch (base_class(device)) {
	case 0x01:
		return "file systems and swap on it stay gone until set up again, and its disks may come back under "
		       "other names";
	case 0x02:
		return "its links go down; addresses, routes and bridge ports set by hand are lost, unless the "
		       "host's network service sets them again";
	case 0x03:
		return "sessions on its screens end, and a graphics driver may not take the card back before a reboot";
	case 0x0c:
		return device_pci(device)->class_code >> 8 == 0x0c03
			       ? "the devices plugged into it are unplugged and plugged in again: disks are not "
				 "unmounted before"
			       : NULL;
	default:
		return NULL;
	}
}

/* True if the rule that judges these devices says that drivers are not put back. */
static bool stays_off(const struct asked *asked)
{
	return asked->rule && asked->rule->effect == RULE_ALLOW && !asked->rule->restore;
}

static void note_held_data(struct judgement *judgement, const struct device *device)
{
	const struct uses *uses = judgement->host->uses;

	for (size_t i = 0; i < uses->count; i++) {
		const struct use *use = &uses->use[i];

		if (strcmp(use->device, device->name) != 0 || (use->kind != USE_HOLDER && use->kind != USE_OPEN))
			continue;
		text_format(judgement_add_note(judgement, NOTE_NOT_UNDONE, SEVERITY_DISRUPTIVE, device->name)->text,
			    2 * TEXT_MAX, "%s: a program has it open, and its unsaved data may be lost", device->name);
		return;
	}
}

void note_undone(struct judgement *judgement, const struct device *device, const struct asked *asked)
{
	bool leaves = device_is_on_host_driver(device);
	const char *gone = leaves ? gone_with_driver(device) : NULL;
	enum severity severity = uses_worst(judgement->host->uses, device->name, SEVERITY_DISRUPTIVE)
					 ? SEVERITY_DISRUPTIVE
					 : SEVERITY_IDLE;
	const size_t size = 2 * TEXT_MAX;

	if (gone)
		text_format(judgement_add_note(judgement, NOTE_NOT_UNDONE, severity, device->name)->text, size,
			    "%s: %s", device->name, gone);
	if (leaves && device_pci(device)->virtual_functions)
		text_format(judgement_add_note(judgement, NOTE_NOT_UNDONE, SEVERITY_DISRUPTIVE, device->name)->text,
			    size, "%s: its %u virtual functions vanish with its driver and are not created again",
			    device->name, device_pci(device)->virtual_functions);
	if (leaves && stays_off(asked))
		text_format(
			judgement_add_note(judgement, NOTE_NOT_UNDONE, SEVERITY_DISRUPTIVE, device->name)->text, size,
			"%s: the rule \"%s\" leaves it without its driver (%s) after the claim (\"restore\": false)",
			device->name, asked->rule->name, device->driver);
	if (leaves && device->driver_fixed)
		text_format(judgement_add_note(judgement, NOTE_NOT_UNDONE, SEVERITY_DISRUPTIVE, device->name)->text,
			    size, "%s: its driver %s can be neither unbound nor bound again", device->name,
			    device->driver);
	note_held_data(judgement, device);
}

static void list_methods(uint32_t methods, char *out, size_t size)
{
	out[0] = '\0';
	for (uint32_t bit = 1; bit <= RESET_METHOD_CXL_BUS; bit <<= 1)
		if (methods & bit)
			text_append(out, size, "%s%s", out[0] ? ", " : "",
				    reset_method_to_string((enum reset_method)bit));
}

static void add_name(char *out, size_t size, const char *name, size_t *count)
{
	if (++*count <= 4)
		text_append(out, size, "%s%s", *count > 1 ? ", " : "", name);
}

/*
 * What shares a bus with a device, as far as that can be told without looking at every device: the functions of its
 * slot, and the members of its group on that bus. Returns how many.
 */
static size_t list_bus(const struct judgement *judgement, const struct device *device, char *out, size_t size)
{
	const size_t slot = strlen(device->name) - 1; /* of the function's digit: "0000:01:00." and it */
	const size_t bus = sizeof "0000:01:" - 1;
	const struct device *members[GROUP_MEMBERS_MAX];
	size_t count = 0, group;
	char name[DEVICE_NAME_MAX];

	out[0] = '\0';
	if (!device_is_pci(device))
		return 0;
	memcpy(name, device->name, sizeof name);
	for (char function = '0'; function <= '7'; function++) {
		name[slot] = function;
		if (function != device->name[slot] && topology_find(judgement->host->topology, name))
			add_name(out, size, name, &count);
	}
	group = topology_members(judgement->host->topology, device->group, members, GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < group && i < GROUP_MEMBERS_MAX; i++)
		if (members[i] != device && strncmp(members[i]->name, device->name, bus) == 0 &&
		    strncmp(members[i]->name, device->name, slot) != 0)
			add_name(out, size, members[i]->name, &count);
	if (count > 4)
		text_append(out, size, " and %zu more", count - 4);
	return count;
}

/* What becomes of a device whose reset does not work. */
static const char *without_reset(enum reset_demand demand)
{
	switch (demand) {
	case RESET_REQUIRE:
		return "the rule requires a reset, so the device would be quarantined on release";
	case RESET_TRY:
		return "the rule only asks to try, so the next owner gets it unreset";
	case RESET_SKIP:
	case RESET_DEMAND_COUNT:
		break;
	}
	return "the next owner gets it unreset";
}

/* It can, and then what it had in it is gone. */
static void note_can_reset(struct judgement *judgement, const struct device *device, const char *methods)
{
	text_format(judgement_add_note(judgement, NOTE_RESET, SEVERITY_IDLE, device->name)->text, 2 * TEXT_MAX,
		    "%s can be reset between owners (%s)", device->name, methods);
	text_format(
		judgement_add_note(judgement, NOTE_NOT_UNDONE, SEVERITY_IDLE, device->name)->text, 2 * TEXT_MAX,
		base_class(device) == 0x01
			? "%s: settings and loaded firmware are lost when it is reset; data on its disks stays"
			: "%s: its volatile state (settings, loaded firmware, card memory) is lost when it is reset",
		device->name);
}

void note_reset(struct judgement *judgement, const struct asked *asked)
{
	const struct device *device = asked->device;
	bool allowed = asked->rule && asked->rule->effect == RULE_ALLOW;
	enum reset_demand demand = allowed ? asked->rule->reset : RESET_TRY;
	const size_t size = 2 * TEXT_MAX;
	char methods[TEXT_MAX], others[TEXT_MAX];
	bool alone = device_pci(device)->reset_methods & FUNCTION_METHODS;
	size_t count = list_bus(judgement, device, others, sizeof others);

	list_methods(device_pci(device)->reset_methods, methods, sizeof methods);
	if (demand == RESET_SKIP)
		text_format(judgement_add_note(judgement, NOTE_RESET, SEVERITY_DISRUPTIVE, device->name)->text, size,
			    "%s is not reset between owners (the rule \"%s\" says \"reset\": \"skip\"): the next owner "
			    "gets it unreset, with all state inside",
			    device->name, asked->rule->name);
	else if (!device_can_be_reset(device))
		text_format(judgement_add_note(judgement, NOTE_RESET, SEVERITY_DISRUPTIVE, device->name)->text, size,
			    "%s cannot be reset at all: %s, with all state inside", device->name,
			    demand == RESET_REQUIRE
				    ? "the rule requires a reset, since the next owner would get it unreset"
				    : without_reset(allowed ? demand : RESET_SKIP));
	else if (!alone && count > 0)
		text_format(judgement_add_note(judgement, NOTE_RESET, SEVERITY_DISRUPTIVE, device->name)->text, size,
			    "%s can only be reset with its whole bus (%s), where %s %s, too, and the kernel refuses "
			    "that: %s",
			    device->name, methods, others, count > 1 ? "are" : "is",
			    without_reset(allowed ? demand : RESET_SKIP));
	else
		note_can_reset(judgement, device, methods);
}
