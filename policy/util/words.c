#include "../../include/words.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const delivery_modes[DELIVERY_MODE_COUNT] = {
	[MODE_ATTACHED] = "attached",
	[MODE_OPEN] = "open",
	[MODE_NODE] = "node",
	[MODE_BROKERED] = "brokered",
};
static const char *const vfio_interfaces[VFIO_INTERFACE_COUNT] = {
	[INTERFACE_IOMMUFD] = "iommufd",
	[INTERFACE_GROUP] = "group",
};
static const char *const severities[SEVERITY_COUNT] = {
	[SEVERITY_IDLE] = "idle",
	[SEVERITY_DISRUPTIVE] = "disruptive",
	[SEVERITY_FATAL] = "fatal",
};
static const char *const use_kinds[USE_KIND_COUNT] = {
	[USE_DRIVER] = "driver",
	[USE_NETWORK_LINK] = "network-link",
	[USE_NAMESPACE] = "network-namespace",
	[USE_MOUNT] = "mount",
	[USE_SWAP] = "swap",
	[USE_BLOCK] = "block",
	[USE_HOLDER] = "holder",
	[USE_UNKNOWN_DRIVER] = "unknown-driver",
	[USE_ADDRESS] = "network-address",
	[USE_HIBERNATION] = "hibernation",
	[USE_DISPLAY] = "display",
	[USE_CONSOLE] = "console",
	[USE_INPUT] = "input",
	[USE_USB] = "usb-device",
	[USE_SOUND] = "sound",
	[USE_MANAGEMENT] = "management",
	[USE_MEMORY] = "memory",
	[USE_VIRTUAL_FUNCTION] = "virtual-functions",
	[USE_OPEN] = "open",
};
static const char *const claim_states[CLAIM_STATE_COUNT] = {
	[CLAIM_ASKED] = "asked",     [CLAIM_PLANNED] = "planned",     [CLAIM_PREPARING] = "preparing",
	[CLAIM_OFFERED] = "offered", [CLAIM_HELD] = "held",           [CLAIM_RELEASING] = "releasing",
	[CLAIM_FREE] = "free",       [CLAIM_LINGERING] = "lingering", [CLAIM_QUARANTINED] = "quarantined",
	[CLAIM_STUCK] = "stuck",     [CLAIM_LOST] = "lost",
};
static const char *const device_availabilities[DEVICE_AVAILABILITY_COUNT] = {
	[AVAILABILITY_IN_USE] = "in-use",       [AVAILABILITY_UNKNOWN_USE] = "unknown-use",
	[AVAILABILITY_NEVER] = "never",         [AVAILABILITY_NO_IOMMU] = "no-iommu",
	[AVAILABILITY_UNCLAIMED] = "unclaimed", [AVAILABILITY_FREE] = "free",
	[AVAILABILITY_BRIDGE] = "bridge",       [AVAILABILITY_GROUP_IN_USE] = "group-in-use",
};
static const char *const lease_kinds[LEASE_KIND_COUNT] = {
	[LEASE_DESCRIPTOR] = "descriptor",
	[LEASE_PROCESS] = "process",
	[LEASE_UNIT] = "unit",
	[LEASE_OPERATOR] = "operator",
};
static const char *const revoke_stops[REVOKE_STOP_COUNT] = {
	[REVOKE_STOP_NOTHING] = "nothing",
	[REVOKE_STOP_PROCESS] = "process",
	[REVOKE_STOP_UNIT] = "unit",
};
static const char *const record_kinds[RECORD_KIND_COUNT] = {
	[RECORD_GRANT] = "grant",           [RECORD_REFUSAL] = "refusal", [RECORD_RELEASE] = "release",
	[RECORD_REVOCATION] = "revocation", [RECORD_STOP] = "stop",       [RECORD_POLICY_LOAD] = "policy-load",
};
static const char *const hold_kinds[HOLD_KIND_COUNT] = {
	[HOLD_IOMMUFD] = "iommufd", [HOLD_CONTAINER] = "container", [HOLD_GROUP] = "group",
	[HOLD_DEVICE] = "device",   [HOLD_MAPPING] = "mapping",     [HOLD_VDPA] = "vhost-vdpa",
};
static const char *const hold_verdicts[HOLD_VERDICT_COUNT] = {
	[HOLD_OF_CLAIM] = "claim",
	[HOLD_OF_SERVICE] = "service",
	[HOLD_FOREIGN] = "foreign",
	[HOLD_UNKNOWN] = "unknown",
};
static const char *const reset_demands[RESET_DEMAND_COUNT] = {
	[RESET_REQUIRE] = "require",
	[RESET_TRY] = "try",
	[RESET_SKIP] = "skip",
};
static const char *const blocker_kinds[BLOCKER_KIND_COUNT] = {
	[BLOCKER_UNKNOWN_DEVICE] = "unknown-device",
	[BLOCKER_UNKNOWN_POOL] = "unknown-pool",
	[BLOCKER_UNKNOWN_CLAIM] = "unknown-claim",
	[BLOCKER_KERNEL] = "kernel",
	[BLOCKER_NO_IOMMU_GROUP] = "no-iommu-group",
	[BLOCKER_BRIDGE] = "bridge",
	[BLOCKER_NOT_RESTORABLE] = "not-restorable",
	[BLOCKER_NO_RESET] = "no-reset",
	[BLOCKER_GROUP_TOO_LARGE] = "group-too-large",
	[BLOCKER_NO_RULE] = "no-rule",
	[BLOCKER_DENIED] = "denied",
	[BLOCKER_NEVER] = "never",
	[BLOCKER_MODE] = "mode",
	[BLOCKER_LIMIT] = "limit",
	[BLOCKER_LOCKOUT_NOT_COVERED] = "lockout-not-covered",
	[BLOCKER_DIFFERENT_RULES] = "different-rules",
	[BLOCKER_POLICY] = "policy",
	[BLOCKER_IN_USE] = "in-use",
	[BLOCKER_MEMBER_IN_USE] = "member-in-use",
	[BLOCKER_CLAIMED] = "claimed",
	[BLOCKER_OTHER_CONTEXT] = "other-context",
};

static const char *const note_kinds[NOTE_KIND_COUNT] = {
	[NOTE_LOSS] = "loss",
	[NOTE_NOT_UNDONE] = "not-undone",
	[NOTE_RESET] = "reset",
	[NOTE_PEERS] = "peers",
	[NOTE_INTERRUPTS] = "interrupts",
	[NOTE_NO_IOMMU] = "no-iommu",
	[NOTE_FUNCTIONS] = "functions",
	[NOTE_SLOT] = "slot",
};

static const char *text_of(const char *const *texts, unsigned count, unsigned value)
{
	return value < count ? texts[value] : NULL;
}

static int value_of(const char *const *texts, unsigned count, const char *text)
{
	for (unsigned i = 0; text && i < count; i++)
		if (strcmp(texts[i], text) == 0)
			return (int)i;
	return -EINVAL;
}

const char *delivery_mode_to_string(enum delivery_mode mode)
{
	return text_of(delivery_modes, DELIVERY_MODE_COUNT, mode);
}

int delivery_mode_from_string(const char *text)
{
	return value_of(delivery_modes, DELIVERY_MODE_COUNT, text);
}

const char *vfio_interface_to_string(enum vfio_interface vfio_interface)
{
	return text_of(vfio_interfaces, VFIO_INTERFACE_COUNT, vfio_interface);
}

int vfio_interface_from_string(const char *text)
{
	return value_of(vfio_interfaces, VFIO_INTERFACE_COUNT, text);
}

const char *severity_to_string(enum severity severity)
{
	return text_of(severities, SEVERITY_COUNT, severity);
}

int severity_from_string(const char *text)
{
	return value_of(severities, SEVERITY_COUNT, text);
}

const char *use_kind_to_string(enum use_kind kind)
{
	return text_of(use_kinds, USE_KIND_COUNT, kind);
}

int use_kind_from_string(const char *text)
{
	return value_of(use_kinds, USE_KIND_COUNT, text);
}

const char *claim_state_to_string(enum claim_state state)
{
	return text_of(claim_states, CLAIM_STATE_COUNT, state);
}

int claim_state_from_string(const char *text)
{
	return value_of(claim_states, CLAIM_STATE_COUNT, text);
}

const char *device_availability_to_string(enum device_availability availability)
{
	return text_of(device_availabilities, DEVICE_AVAILABILITY_COUNT, availability);
}

int device_availability_from_string(const char *text)
{
	return value_of(device_availabilities, DEVICE_AVAILABILITY_COUNT, text);
}

const char *lease_kind_to_string(enum lease_kind kind)
{
	return text_of(lease_kinds, LEASE_KIND_COUNT, kind);
}

int lease_kind_from_string(const char *text)
{
	return value_of(lease_kinds, LEASE_KIND_COUNT, text);
}

const char *revoke_stop_to_string(enum revoke_stop stop)
{
	return text_of(revoke_stops, REVOKE_STOP_COUNT, stop);
}

int revoke_stop_from_string(const char *text)
{
	return value_of(revoke_stops, REVOKE_STOP_COUNT, text);
}

const char *record_kind_to_string(enum record_kind kind)
{
	return text_of(record_kinds, RECORD_KIND_COUNT, kind);
}

int record_kind_from_string(const char *text)
{
	return value_of(record_kinds, RECORD_KIND_COUNT, text);
}

const char *hold_kind_to_string(enum hold_kind kind)
{
	return text_of(hold_kinds, HOLD_KIND_COUNT, kind);
}

int hold_kind_from_string(const char *text)
{
	return value_of(hold_kinds, HOLD_KIND_COUNT, text);
}

const char *hold_verdict_to_string(enum hold_verdict verdict)
{
	return text_of(hold_verdicts, HOLD_VERDICT_COUNT, verdict);
}

int hold_verdict_from_string(const char *text)
{
	return value_of(hold_verdicts, HOLD_VERDICT_COUNT, text);
}

const char *reset_demand_to_string(enum reset_demand demand)
{
	return text_of(reset_demands, RESET_DEMAND_COUNT, demand);
}

int reset_demand_from_string(const char *text)
{
	return value_of(reset_demands, RESET_DEMAND_COUNT, text);
}

const char *blocker_kind_to_string(enum blocker_kind kind)
{
	return text_of(blocker_kinds, BLOCKER_KIND_COUNT, kind);
}

int blocker_kind_from_string(const char *text)
{
	return value_of(blocker_kinds, BLOCKER_KIND_COUNT, text);
}

const char *note_kind_to_string(enum note_kind kind)
{
	return text_of(note_kinds, NOTE_KIND_COUNT, kind);
}

int note_kind_from_string(const char *text)
{
	return value_of(note_kinds, NOTE_KIND_COUNT, text);
}

enum exit_status blocker_kind_to_exit_status(enum blocker_kind kind)
{
	switch (kind) {
	case BLOCKER_UNKNOWN_DEVICE:
	case BLOCKER_UNKNOWN_POOL:
	case BLOCKER_UNKNOWN_CLAIM:
		return EXIT_UNKNOWN;
	case BLOCKER_KERNEL:
	case BLOCKER_NO_IOMMU_GROUP:
	case BLOCKER_BRIDGE:
	case BLOCKER_NOT_RESTORABLE:
	case BLOCKER_NO_RESET:
	case BLOCKER_GROUP_TOO_LARGE:
		return EXIT_UNSUPPORTED;
	case BLOCKER_NO_RULE:
	case BLOCKER_DENIED:
	case BLOCKER_NEVER:
	case BLOCKER_MODE:
	case BLOCKER_LIMIT:
	case BLOCKER_LOCKOUT_NOT_COVERED:
	case BLOCKER_DIFFERENT_RULES:
	case BLOCKER_POLICY:
		return EXIT_REFUSED;
	case BLOCKER_IN_USE:
	case BLOCKER_MEMBER_IN_USE:
	case BLOCKER_CLAIMED:
	case BLOCKER_OTHER_CONTEXT:
		return EXIT_BUSY;
	case BLOCKER_KIND_COUNT:
		break;
	}
	return EXIT_FAILED;
}
