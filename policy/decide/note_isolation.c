#include "note_isolation.h"

#include "../util/text.h"

#include <string.h>

enum { NAMES_MAX = 4 };

static void note_group(struct judgement *judgement, const struct asked *asked)
{
	const struct device *members[GROUP_MEMBERS_MAX];
	size_t total = topology_members(judgement->host->topology, device_claimed_group(asked->device), members,
					GROUP_MEMBERS_MAX);
	size_t count = 0;
	char names[TEXT_MAX] = "";
	struct note *note;

	for (size_t i = 0; i < total && i < GROUP_MEMBERS_MAX; i++)
		if (!device_is_bridge(members[i]) && ++count <= NAMES_MAX)
			text_append(names, sizeof names, "%s%s", count > 1 ? ", " : "", members[i]->name);
	if (count < 2)
		return;
	if (count > NAMES_MAX)
		text_append(names, sizeof names, " and %zu more", count - NAMES_MAX);
	note = judgement_add_note(judgement, NOTE_PEERS, SEVERITY_IDLE, asked->device->name);
	text_format(
		note->text, sizeof note->text,
		"%s: no hardware (ACS) isolates these from each other, so each can reach the others by peer-to-peer "
		"DMA, whatever the IOMMU maps",
		names);
}

void note_peers(struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->count; i++) {
		const struct asked *asked = &judgement->asked[i];
		bool again = false;

		if (!asked->device || device_is_bridge(asked->device) || device_claimed_group(asked->device) < 0)
			continue;
		for (size_t k = 0; k < i; k++)
			again = again || (judgement->asked[k].device && !device_is_bridge(judgement->asked[k].device) &&
					  device_shares_group(judgement->asked[k].device, asked->device));
		if (!again)
			note_group(judgement, asked);
	}
}

void note_kernel(struct judgement *judgement)
{
	const struct kernel_features *kernel = judgement->host->kernel;
	struct note *note;

	if (kernel->unsafe_interrupts) {
		note = judgement_add_note(judgement, NOTE_INTERRUPTS, SEVERITY_DISRUPTIVE, "");
		text_format(
			note->text, sizeof note->text,
			"Interrupt remapping is not enforced (allow_unsafe_interrupts is on): the owner of a device "
			"can raise any host interrupt with it");
	}
	if (kernel->noiommu) {
		note = judgement_add_note(judgement, NOTE_NO_IOMMU, SEVERITY_DISRUPTIVE, "");
		text_format(note->text, sizeof note->text,
			    "VFIO delivers devices without an IOMMU here (enable_unsafe_noiommu_mode is on): such a "
			    "device can read and write all host memory");
	}
}

/* Who has a device, as far as it may be told: "claim c1 of uid 1000", or "another claim". Returns out. */
static const char *who(const struct judgement *judgement, const struct claim *claim, char *out, size_t size)
{
	struct other_claim other = judgement_other_claim(judgement, claim);

	if (other.own)
		return text_format(out, size, "your claim %s", claim->id);
	if (other.disclosed)
		return text_format(out, size, "claim %s of uid %u", claim->id, claim->uid);
	return text_format(out, size, "a claim of another user");
}

static void note_virtual(struct judgement *judgement, const struct device *device)
{
	const struct device *physical = topology_find(judgement->host->topology, device_pci(device)->physical_function);
	const struct claim *owner = NULL;
	struct note *note;
	char text[TEXT_MAX];

	if (judgement->host->ledger)
		owner = ledger_owner(judgement->host->ledger, device_pci(device)->physical_function, NULL);
	if (owner && owner->uid == judgement->request->subject->uid)
		return;
	if (!owner && !(physical && device_is_on_vfio(physical)))
		return;
	if (owner)
		who(judgement, owner, text, sizeof text);
	else
		text_format(text, sizeof text, "no host driver but %s", physical->driver);
	note = judgement_add_note(judgement, NOTE_FUNCTIONS, SEVERITY_DISRUPTIVE, device->name);
	text_format(note->text, sizeof note->text,
		    "%s is a virtual function of %s, which %s has: the driver of the physical function can stop %s, "
		    "reconfigure it and see its traffic",
		    device->name, device_pci(device)->physical_function, text, device->name);
}

static void note_physical(struct judgement *judgement, const struct device *device)
{
	const struct ledger *ledger = judgement->host->ledger;
	char text[TEXT_MAX], owner[TEXT_MAX];
	size_t claims = 0;
	struct note *note;

	text[0] = '\0';
	for (const struct claim *claim = ledger ? ledger_first(ledger) : NULL; claim; claim = ledger_next(claim)) {
		for (size_t i = 0; i < claim->device_count; i++) {
			if (strcmp(device_pci(&claim->device[i].before)->physical_function, device->name) != 0)
				continue;
			if (++claims <= 2)
				text_append(text, sizeof text, "; %s has %s",
					    who(judgement, claim, owner, sizeof owner), claim->device[i].before.name);
		}
	}
	if (claims > 2)
		text_append(text, sizeof text, "; %zu more are claimed", claims - 2);
	note = judgement_add_note(judgement, NOTE_FUNCTIONS, SEVERITY_DISRUPTIVE, device->name);
	text_format(
		note->text, sizeof note->text,
		"%s is a physical function with %u virtual functions: its owner controls them, and they vanish when "
		"it leaves its driver%s",
		device->name, device_pci(device)->virtual_functions, text);
}

void note_functions(struct judgement *judgement, const struct asked *asked)
{
	if (device_pci(asked->device)->physical_function[0])
		note_virtual(judgement, asked->device);
	else if (device_pci(asked->device)->virtual_functions)
		note_physical(judgement, asked->device);
}

static bool is_asked_for(const struct judgement *judgement, const struct device *device)
{
	for (size_t i = 0; i < judgement->count; i++)
		if (judgement->asked[i].device == device)
			return true;
	return false;
}

void note_slot(struct judgement *judgement, const struct asked *asked)
{
	const struct device *device = asked->device, *other;
	const size_t digit = strlen(device->name) - 1;
	char name[DEVICE_NAME_MAX], names[TEXT_MAX] = "";
	struct note *note;
	size_t count = 0;

	if (!device_is_pci(device) || device_pci(device)->physical_function[0] || !device->parent[0])
		return;
	memcpy(name, device->name, sizeof name);
	for (char function = '0'; function <= '7'; function++) {
		name[digit] = function;
		other = topology_find(judgement->host->topology, name);
		if (other && other->group != device->group && !device_is_bridge(other) &&
		    !device_pci(other)->physical_function[0] && !is_asked_for(judgement, other))
			text_append(names, sizeof names, "%s%s", count++ ? ", " : "", name);
	}
	if (count == 0)
		return;
	note = judgement_add_note(judgement, NOTE_SLOT, SEVERITY_IDLE, device->name);
	text_format(note->text, sizeof note->text,
		    "%s is on one card with %s, which %s not taken: a reset or failure of the whole card affects %s",
		    device->name, names, count > 1 ? "are" : "is", count > 1 ? "all" : "both");
}
