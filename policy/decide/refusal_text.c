#include "refusal_text.h"

#include "../util/text.h"

#include <string.h>

#define MESSAGE(out, ...) text_format((out).message, SENTENCE_MAX, __VA_ARGS__)
#define REMEDY(out, ...) text_format((out).remedy, SENTENCE_MAX, __VA_ARGS__)

/*
 * What a use is to somebody who is no operator. NULL: its text says nothing that all users of the host can't see
 * anyway. Mount points, processes, addresses, other users' devices and the names that people gave are told to operators
 * only.
 */
static const char *use_in_general(enum use_kind kind)
{
	switch (kind) {
	case USE_HOLDER:
	case USE_OPEN:
		return "a process has it open";
	case USE_MOUNT:
		return "a file system on it is mounted";
	case USE_SWAP:
		return "the host swaps to it";
	case USE_BLOCK:
		return "a block device of it is in use";
	case USE_HIBERNATION:
		return "the host hibernates to it";
	case USE_NAMESPACE:
		return "its network interface is in another network namespace";
	case USE_ADDRESS:
		return "a network interface of it has an address";
	case USE_DISPLAY:
		return "it is a host display";
	case USE_CONSOLE:
		return "a host console is on it";
	case USE_INPUT:
		return "a host keyboard or mouse is on it";
	case USE_USB:
		return "host USB devices are on it";
	case USE_SOUND:
		return "it is a host sound card";
	case USE_MEMORY:
		return "host memory is on it";
	case USE_VIRTUAL_FUNCTION:
		return "its virtual functions are enabled";
	case USE_DRIVER:
	case USE_UNKNOWN_DRIVER:
	case USE_NETWORK_LINK:
	case USE_MANAGEMENT:
	case USE_KIND_COUNT:
		break;
	}
	return NULL;
}

const char *use_told(const struct use *use, bool to_operator)
{
	const char *general = to_operator ? NULL : use_in_general((enum use_kind)use->kind);

	if (general)
		return general;
	return use->text[0] ? use->text : use_kind_to_string((enum use_kind)use->kind);
}

/* What ends a use: the beginning of a remedy. */
static const char *how_to_end(const struct use *use)
{
	switch ((enum use_kind)use->kind) {
	case USE_MOUNT:
		return "unmount its file systems";
	case USE_SWAP:
		return "disable swap on it (swapoff)";
	case USE_HIBERNATION:
		return "have the host hibernate to another disk (/sys/power/resume, and resume= on the kernel "
		       "command line)";
	case USE_BLOCK:
		return "stop what uses its block device (LVM, RAID, a loop device, a program)";
	case USE_NETWORK_LINK:
		return "take its network link down";
	case USE_ADDRESS:
		return "remove the address, and take its network link down";
	case USE_NAMESPACE:
		return "move its network interface back from the other network namespace and take it down";
	case USE_DISPLAY:
		return "end the programs that draw on it, and move the console to another display";
	case USE_CONSOLE:
		return "boot with a different console= on the kernel command line";
	case USE_INPUT:
	case USE_USB:
		return "plug its devices into another USB controller";
	case USE_SOUND:
	case USE_OPEN:
		return "end the program that has it open, or make it close the device";
	case USE_VIRTUAL_FUNCTION:
		return "end the uses of its virtual functions, and write 0 to its sriov_numvfs";
	case USE_HOLDER:
		return "end that process, or make it close the device; 'ioasidctl audit' lists everything held "
		       "outside ioasidd";
	case USE_MANAGEMENT:
	case USE_MEMORY:
	case USE_DRIVER:
	case USE_UNKNOWN_DRIVER:
	case USE_KIND_COUNT:
		break;
	}
	return "end its use";
}

void say_unknown_device(struct sentences out, const char *device)
{
	char shown[DEVICE_NAME_MAX], form[DEVICE_NAME_MAX];

	text_escape(shown, sizeof shown, device, strnlen(device, sizeof shown));
	MESSAGE(out, "no such device: %s", shown[0] ? shown : "\"\"");
	if (!device_name_is_valid(device) && device_name_complete(device, form) == 0)
		REMEDY(out, "write its address in full: %s", form);
	else
		REMEDY(out, "see 'ioasidctl list' for the addresses of this host's devices");
}

void say_pool(struct sentences out, const char *pool, bool known)
{
	char shown[RULE_NAME_MAX];

	text_escape(shown, sizeof shown, pool, strnlen(pool, sizeof shown));
	if (known) {
		MESSAGE(out, "pool:%s has no further device on this host", shown);
		REMEDY(out,
		       "request fewer devices of this pool, or have an operator check which devices the policy puts "
		       "into it");
	} else {
		MESSAGE(out, "there is no pool:%s in the policy", shown);
		REMEDY(out, "correct the name, or have an operator define the pool in the policy's pools");
	}
}

void say_kernel_lacks(struct sentences out, const char *release, bool iommufd, bool cdev)
{
	char shown[64];

	text_escape(shown, sizeof shown, release, strnlen(release, 64));
	MESSAGE(out, "this kernel (%s) has no %s%s%s, and no VFIO groups (/dev/vfio/vfio)", shown,
		iommufd ? "" : "iommufd (/dev/iommu)", !iommufd && !cdev ? ", no " : "",
		cdev ? "" : "VFIO device nodes (/dev/vfio/devices)");
	REMEDY(out, "load the modules vfio_pci and, if the kernel has it, iommufd ('modprobe -a vfio_pci iommufd'); "
		    "'ioasidctl doctor' shows what else is missing");
}

void say_mode_needs_iommufd(struct sentences out, const char *release, enum delivery_mode mode)
{
	char shown[64];

	text_escape(shown, sizeof shown, release, strnlen(release, 64));
	MESSAGE(out,
		"the mode %s needs iommufd (/dev/iommu and /dev/vfio/devices), which this kernel (%s) does not have",
		delivery_mode_to_string(mode), shown);
	REMEDY(out, "request the mode node, in which QEMU and others open the device by path, or boot a kernel with "
		    "CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV (Fedora, RHEL 9.4 and newer, Ubuntu 24.04 and newer)");
}

void say_interface_changed(struct sentences out, enum vfio_interface had)
{
	MESSAGE(out, "the claim was delivered through the interface %s, which the kernel no longer offers",
		vfio_interface_to_string(had));
	REMEDY(out, "claim the device separately, or release the claim and make a new one");
}

void say_mode_not_served(struct sentences out, enum delivery_mode mode)
{
	MESSAGE(out, "the mode %s is not supported by this version", delivery_mode_to_string(mode));
	REMEDY(out, "request the mode attached, open or node");
}

void say_unsafe_interrupts(struct sentences out, const struct rule *rule)
{
	MESSAGE(out, "allow_unsafe_interrupts is on in this kernel, so a device could raise any host interrupt");
	REMEDY(out, "turn off the parameter allow_unsafe_interrupts of the modules iommufd and vfio_iommu_type1, and "
		    "enable interrupt remapping in the firmware");
	if (rule)
		text_append(out.remedy, SENTENCE_MAX,
			    ", or have an operator write \"unsafe_interrupts\": \"accept\" in the "
			    "rule \"%s\"",
			    rule->name);
}

void say_noiommu(struct sentences out)
{
	MESSAGE(out,
		"enable_unsafe_noiommu_mode is on in this kernel, so devices could be delivered without any isolation");
	REMEDY(out, "turn off the parameter enable_unsafe_noiommu_mode of the module vfio");
}

void say_policies_differ(struct sentences out)
{
	MESSAGE(out, "ioasidd and its executor have different policies, so all claims are denied");
	REMEDY(out, "have an operator fix the policy files ('ioasidctl status' and 'ioasidctl policy check' show the "
		    "errors) and run 'ioasidctl policy reload'");
}

void say_policy_refused(struct sentences out, const char *fault)
{
	text_append(out.message, SENTENCE_MAX, "; the current policy files have errors and are not in force");
	if (fault)
		text_append(out.message, SENTENCE_MAX, " (%s)", fault);
	REMEDY(out, "have an operator run 'ioasidctl policy check', fix the files, and run 'ioasidctl policy reload'");
}

void say_bridge(struct sentences out, const char *device)
{
	MESSAGE(out, "%s is a PCI bridge: bridges cannot be claimed", device);
	REMEDY(out, "claim a device behind it");
}

void say_no_group(struct sentences out, const char *device)
{
	MESSAGE(out, "%s has no IOMMU group, so nothing would restrict its DMA", device);
	REMEDY(out, "enable the IOMMU in the firmware (VT-d, AMD-Vi, SMMU) and on the kernel command line "
		    "(intel_iommu=on for Intel)");
}

void say_noiommu_group(struct sentences out, const struct device *device)
{
	MESSAGE(out,
		"the IOMMU group of %s was created by VFIO's no-IOMMU mode, and stays until its driver is unbound, "
		"even if that mode is now off: nothing would restrict its DMA",
		device->name);
	REMEDY(out,
	       "turn off enable_unsafe_noiommu_mode of the module vfio and unbind %s from %s (echo %s > "
	       "/sys/bus/pci/devices/%s/driver/unbind); then enable the IOMMU in the firmware and on the kernel "
	       "command line",
	       device->name, device->driver[0] ? device->driver : "its driver", device->name, device->name);
}

void say_group_too_large(struct sentences out, const char *device, size_t members)
{
	MESSAGE(out, "the IOMMU group of %s has %zu members, and a claim supports at most %d", device, members,
		GROUP_MEMBERS_MAX);
	REMEDY(out, "move it to a slot whose ports isolate their devices (ACS), so that its group gets smaller");
}

void say_plan_too_long(struct sentences out, size_t devices, size_t lockouts)
{
	MESSAGE(out, "a claim of these %zu devices with %zu lockouts needs more steps than a plan can have", devices,
		lockouts);
	REMEDY(out, "claim fewer devices at once");
}

void say_never(struct sentences out, const char *device, const char *member, const struct never_entry *entry)
{
	if (member)
		MESSAGE(out, "%s would lock out %s, which never denies to everyone (%s:%u)", device, member,
			entry->file, entry->line);
	else
		MESSAGE(out, "never denies %s to everyone (%s:%u)", device, entry->file, entry->line);
	if (entry->why[0])
		text_append(out.message, SENTENCE_MAX, ": %s", entry->why);
	if (member)
		REMEDY(out, "move %s to a slot that does not share an IOMMU group with %s, or claim another device",
		       device, member);
	else
		REMEDY(out, "claim another device; only an operator can change that entry");
}

void say_no_rule(struct sentences out, const char *device, uid_t uid)
{
	MESSAGE(out, "permission denied by policy: no rule allows uid %u to have %s", uid, device);
	REMEDY(out, "have an operator add an allow rule for this user and %s to the policy", device);
}

void say_denied(struct sentences out, const char *device, const struct rule *rule)
{
	MESSAGE(out, "the rule \"%s\" (%s:%u) denies %s", rule->name, rule->file, rule->line, device);
	REMEDY(out, "have an operator change that rule, or put a rule that allows it before");
}

void say_mode(struct sentences out, const char *device, const struct rule *rule, enum delivery_mode mode)
{
	bool first = true;

	MESSAGE(out, "the rule \"%s\" (%s:%u) does not allow %s in the mode %s", rule->name, rule->file, rule->line,
		device, delivery_mode_to_string(mode));
	REMEDY(out, "request a mode that it allows (");
	for (unsigned i = 0; i < DELIVERY_MODE_COUNT; i++) {
		if (!(rule->modes & 1u << i))
			continue;
		text_append(out.remedy, SENTENCE_MAX, "%s%s", first ? "" : ", ",
			    delivery_mode_to_string((enum delivery_mode)i));
		first = false;
	}
	text_append(out.remedy, SENTENCE_MAX, "), or have an operator add \"%s\" to the rule's modes",
		    delivery_mode_to_string(mode));
}

void say_not_delivered(struct sentences out, const struct device *device, enum delivery_mode mode,
		       enum vfio_interface interface)
{
	const struct device_kind_row *kind = device_kind_of(device);
	bool first = true;

	MESSAGE(out, "%s is a device of the kind %s, which cannot be delivered in the mode %s", device->name,
		kind->text, delivery_mode_to_string(mode));
	REMEDY(out, "ask for another mode");
	for (unsigned i = 0; i < DELIVERY_MODE_COUNT; i++) {
		if (!device_is_delivered(device, (enum delivery_mode)i, interface))
			continue;
		text_append(out.remedy, SENTENCE_MAX, "%s%s", first ? " (" : ", ",
			    delivery_mode_to_string((enum delivery_mode)i));
		first = false;
	}
	text_append(out.remedy, SENTENCE_MAX, "%s", first ? "" : ")");
}

void say_claim_mode(struct sentences out, const char *device, const struct claim *claim, enum delivery_mode mode)
{
	MESSAGE(out, "%s cannot be added in the mode %s: the claim %s is delivered in the mode %s", device,
		delivery_mode_to_string(mode), claim->id, delivery_mode_to_string(claim->mode));
	REMEDY(out, "add it in the claim's mode, or make a new claim");
}

void say_limit(struct sentences out, const char *device, const struct rule *rule, size_t had)
{
	MESSAGE(out,
		"%s would exceed a limit: the rule \"%s\" (%s:%u) allows %u at a time per user, and this user has %zu",
		device, rule->name, rule->file, rule->line, rule->device_limit, had);
	REMEDY(out, "%s, or have an operator raise \"devices\" in the rule's limits",
	       had > 0 ? "release a device claimed under this rule" : "request fewer devices");
}

void say_total_limit(struct sentences out, const char *device, const struct rule *rule, size_t had)
{
	MESSAGE(out,
		"%s would exceed a limit: the rule \"%s\" (%s:%u) allows %u at a time for all users together, and "
		"%zu are taken",
		device, rule->name, rule->file, rule->line, rule->device_total_limit, had);
	REMEDY(out, "%s, or have an operator raise \"devices_total\" in the rule's limits",
	       had > 0 ? "wait until a device claimed under this rule is released" : "request fewer devices");
}

void say_user_limit(struct sentences out, const char *device, uint32_t limit, size_t had)
{
	MESSAGE(out,
		"%s would exceed a limit: the policy allows %u at a time per user under all rules, and this user "
		"has %zu",
		device, limit, had);
	REMEDY(out, "%s, or have an operator raise \"devices\" in the policy's user_limits",
	       had > 0 ? "release a device claimed before" : "request fewer devices");
}

void say_claim_full(struct sentences out, const char *device, const struct claim *claim)
{
	MESSAGE(out, "%s cannot be added: the claim %s would exceed the maximum of %d devices", device, claim->id,
		CLAIM_DEVICES_MAX);
	REMEDY(out, "remove a device from the claim first, or make a new claim");
}

void say_different_rules(struct sentences out, const char *device, const struct rule *rule, const char *other_rule,
			 const char *other_device)
{
	if (other_device)
		MESSAGE(out,
			"%s falls under the rule \"%s\" (%s:%u) and %s under the rule \"%s\", but a claim has one rule",
			device, rule->name, rule->file, rule->line, other_device, other_rule);
	else
		MESSAGE(out, "%s falls under the rule \"%s\" (%s:%u), but the claim was made under the rule \"%s\"",
			device, rule->name, rule->file, rule->line, other_rule);
	REMEDY(out, "claim it separately, or have an operator put both devices under one rule");
}

void say_no_reset(struct sentences out, const char *device, const struct rule *rule)
{
	MESSAGE(out, "%s cannot be reset, and the rule \"%s\" (%s:%u) requires a reset between owners", device,
		rule->name, rule->file, rule->line);
	REMEDY(out,
	       "have an operator write \"reset\": \"try\" in that rule, if the next owner may see what the last one "
	       "left in the device");
}

void say_not_restorable(struct sentences out, const char *device, const char *member, const char *driver)
{
	if (member)
		MESSAGE(out, "%s would lock out %s, whose driver %s can be neither unbound nor bound again", device,
			member, driver);
	else if (driver[0])
		MESSAGE(out, "the driver %s of %s can be neither unbound nor bound again", driver, device);
	else
		MESSAGE(out, "%s has no driver that gives it to programs, and its kind is never moved to one", device);
	REMEDY(out, "boot with a driver_override on %s (or without the driver %s), so that the driver never binds",
	       member ? member : device, driver);
}

/* Which process it is, where that may be told. */
static const char *details(const struct use *use, const char *told)
{
	return told == use->text ? told : "";
}

static const char *between(const struct use *use, const char *told)
{
	return details(use, told)[0] ? ": " : "";
}

void say_in_use(struct sentences out, const char *device, const struct use *use, const char *told,
		const struct rule *rule)
{
	REMEDY(out, "%s", how_to_end(use));
	if (use->kind == USE_HOLDER) {
		MESSAGE(out, "%s is held by a process that did not get it from ioasidd%s%s", device, between(use, told),
			details(use, told));
		return;
	}
	MESSAGE(out, "the host uses %s: %s; the rule \"%s\" (%s:%u) does not grant devices in use", device, told,
		rule->name, rule->file, rule->line);
	text_append(out.remedy, SENTENCE_MAX,
		    ", or have an operator write \"in_use\": \"take\" in that rule, which must name %s by address",
		    device);
}

void say_member_in_use(struct sentences out, const char *device, const struct device *member, const struct use *use,
		       const char *told, const struct rule *rule)
{
	REMEDY(out, "%s", how_to_end(use));
	if (use->kind == USE_HOLDER) {
		MESSAGE(out, "%s would lock out %s, which is held by a process that did not get it from ioasidd%s%s",
			device, member->name, between(use, told), details(use, told));
		return;
	}
	MESSAGE(out,
		"%s would lock out %s, which the host uses: %s; the rule \"%s\" (%s:%u) does not grant devices in use",
		device, member->name, told, rule->name, rule->file, rule->line);
	text_append(out.remedy, SENTENCE_MAX,
		    ", or have an operator write \"in_use\": \"take\" in that rule, whose lockout must name %s",
		    member->name);
}

void say_lockout_not_covered(struct sentences out, const char *device, const struct device *member, const char *told,
			     const struct rule *rule, const char *needed)
{
	MESSAGE(out,
		"%s would lock out %s (%s%s%s%s), which shares its IOMMU group, and the rule \"%s\" (%s:%u) does not "
		"allow that",
		device, member->name, member->driver[0] ? "driver " : "no driver", member->driver, told[0] ? "; " : "",
		told, rule->name, rule->file, rule->line);
	REMEDY(out, "%shave an operator write in that rule: %s", told[0] ? "end its use, and " : "", needed);
}

void say_already_claimed(struct sentences out, const char *device, const struct claim *claim)
{
	MESSAGE(out, "%s already belongs to this claim, %s", device, claim->id);
	REMEDY(out, "leave it out");
}

/* "your claim c1", "the claim c1 of uid 1000" or "another user's claim". */
static const char *claim_phrase(struct other_claim other, char *out, size_t size)
{
	if (other.own)
		return text_format(out, size, "your claim %s", other.claim->id);
	if (other.disclosed)
		return text_format(out, size, "the claim %s of uid %u", other.claim->id, other.claim->uid);
	return text_format(out, size, "another user's claim");
}

/* Adds to the message how the claim stands, and writes the remedy. */
static void say_state(struct sentences out, struct other_claim other, bool addable, const char *device)
{
	const char *state = NULL, *remedy = NULL;
	char phrase[CLAIM_ID_MAX + 48];

	claim_phrase(other, phrase, sizeof phrase);
	switch (other.claim->state) {
	case CLAIM_LINGERING:
		state = "it is lingering: its lease ended, but a process still holds a file descriptor of it";
		remedy = "end the process that holds it";
		break;
	case CLAIM_QUARANTINED:
		state = "it is quarantined: it could not be reset or restored";
		remedy = "have an operator check the device and release the quarantine";
		break;
	case CLAIM_STUCK:
		state = "it is stuck: one of its steps does not finish";
		remedy = "have an operator find out what this step waits for";
		break;
	case CLAIM_LOST:
		state = "it is lost: a device of it was unplugged";
		break;
	case CLAIM_RELEASING:
		state = "it is being released";
		remedy = "try again in a moment";
		break;
	case CLAIM_ASKED:
	case CLAIM_PLANNED:
	case CLAIM_PREPARING:
	case CLAIM_OFFERED:
	case CLAIM_HELD:
	case CLAIM_FREE:
	case CLAIM_STATE_COUNT:
		break;
	}
	if (state)
		text_append(out.message, SENTENCE_MAX, "; %s", state);
	if (state && other.disclosed && other.claim->note[0])
		text_append(out.message, SENTENCE_MAX, " (%s)", other.claim->note);
	if (remedy)
		REMEDY(out, "%s", remedy);
	else if (other.own && addable && other.claim->state != CLAIM_LOST)
		REMEDY(out, "add %s to the claim %s (method AddDevice) or release that claim", device, other.claim->id);
	else if (other.own)
		REMEDY(out, "release the claim %s", other.claim->id);
	else
		REMEDY(out, "wait until %s is released, or ask %s to release it", phrase,
		       other.disclosed ? "its owner" : "an operator");
}

void say_claimed(struct sentences out, const char *device, struct other_claim other)
{
	char phrase[CLAIM_ID_MAX + 48];

	MESSAGE(out, "%s belongs to %s", device, claim_phrase(other, phrase, sizeof phrase));
	say_state(out, other, false, device);
}

void say_locked_out(struct sentences out, const char *device, struct other_claim other)
{
	char phrase[CLAIM_ID_MAX + 48];

	MESSAGE(out,
		"%s is locked out by %s, which has a member of its IOMMU group, and all members of a group must "
		"share a context: the kernel rejects a second with EPERM",
		device, claim_phrase(other, phrase, sizeof phrase));
	say_state(out, other, true, device);
}

void say_other_context(struct sentences out, const char *device, const char *member, struct other_claim other)
{
	char phrase[CLAIM_ID_MAX + 48];

	MESSAGE(out,
		"%s shares its IOMMU group with %s, which belongs to %s, and all members of a group must share a "
		"context: the kernel rejects a second with EPERM",
		device, member, claim_phrase(other, phrase, sizeof phrase));
	say_state(out, other, true, device);
}
