/*
 * The words that every part of ioasidd shares: enumerations with the text that stands for them in policy files, in
 * Varlink replies, in --json output and in messages to people. One spelling everywhere.
 *
 * Each enumeration has a pair of functions: NAME_to_string() returns a string that lives for ever, or NULL for a value
 * that is none of the enumeration's; NAME_from_string() returns the value, or -EINVAL for a text that is none of them.
 * Implemented in policy/util/words.c. This header declares no behaviour beyond that.
 */
#pragma once

/* Limits that the design fixes. */
enum {
	CLAIM_DEVICES_MAX = 64,  /* devices that one claim can hold */
	GROUP_MEMBERS_MAX = 256, /* members of a group that are looked at; a larger group can't be claimed */
	DEVICE_NAME_MAX = 64,    /* bytes of a device's name, its NUL included */
	DRIVER_NAME_MAX = 64,    /* bytes of a driver's name, its NUL included */
	RULE_NAME_MAX = 128,     /* bytes of a rule's name, its NUL included */
	CLAIM_ID_MAX = 40,       /* bytes of a claim's id, its NUL included */
	TEXT_MAX = 256,          /* bytes of a sentence for people, its NUL included */
	UNIT_NAME_MAX = 256,     /* bytes of a systemd unit's name, its NUL included */
	COMMAND_NAME_MAX = 64,   /* bytes of a process's command name, escaped, its NUL included */
};

/* How a claim is delivered (DESIGN: "How a claim is delivered"). */
enum delivery_mode {
	MODE_ATTACHED, /* "attached": iommufd, IOASID, and device FDs that are bound and attached */
	MODE_OPEN,     /* "open": iommufd with its accounting mode set, device FDs opened and not bound */
	MODE_NODE,     /* "node": an ACL on the device node */
	MODE_BROKERED, /* "brokered": device FDs only, mappings by the broker */
	DELIVERY_MODE_COUNT,
};
const char *delivery_mode_to_string(enum delivery_mode mode);
int delivery_mode_from_string(const char *text);

/* Through which of VFIO's interfaces a claim is delivered. */
enum vfio_interface {
	INTERFACE_IOMMUFD, /* "iommufd": /dev/iommu, and a cdev for each device (Linux 6.6 and newer) */
	INTERFACE_GROUP, /* "group": containers (type1v2) and groups, which is all that kernels without iommufd have */
	VFIO_INTERFACE_COUNT,
};
const char *vfio_interface_to_string(enum vfio_interface vfio_interface);
int vfio_interface_from_string(const char *text);

/* What it costs the host to lose a device that is used. Ordered: a higher value is worse. */
enum severity {
	SEVERITY_IDLE,       /* "idle": nothing is lost but a bound driver */
	SEVERITY_DISRUPTIVE, /* "disruptive": something that works now stops */
	SEVERITY_FATAL,      /* "fatal": the host dies or is cut off */
	SEVERITY_COUNT,
};
const char *severity_to_string(enum severity severity);
int severity_from_string(const char *text);

/* What kind of use a survey found. */
enum use_kind {
	USE_DRIVER,         /* "driver": a host driver is bound, and nothing more was found */
	USE_NETWORK_LINK,   /* "network-link": a network interface that is up, or that the default route goes through */
	USE_NAMESPACE,      /* "network-namespace": its interface lives in another network namespace */
	USE_MOUNT,          /* "mount": a block device of it is mounted */
	USE_SWAP,           /* "swap": a block device of it is swapped to */
	USE_BLOCK,          /* "block": a block device of it is held open exclusively (LVM, RAID, loop, a raw user) */
	USE_HOLDER,         /* "holder": a process has an FD or a mapping of it */
	USE_UNKNOWN_DRIVER, /* "unknown-driver": one is bound, and what it is used for can't be told */
	USE_ADDRESS,        /* "network-address": a network interface of it has an address */
	USE_HIBERNATION,    /* "hibernation": the host hibernates to a block device of it */
	USE_DISPLAY,        /* "display": a screen of the host, with its console or the programs that draw on it */
	USE_CONSOLE,        /* "console": a serial line of it is a console of the kernel's */
	USE_INPUT,          /* "input": a keyboard or mouse of the host */
	USE_USB,            /* "usb-device": another USB device hangs on it */
	USE_SOUND,          /* "sound": a sound card */
	USE_MANAGEMENT,     /* "management": what the machine itself needs: TPM, BMC, watchdog */
	USE_MEMORY,         /* "memory": memory of the host: persistent or CXL */
	USE_VIRTUAL_FUNCTION, /* "virtual-functions": some are enabled, which end with the physical function's driver */
	USE_OPEN,             /* "open": a process has another device node of it open */
	USE_KIND_COUNT,
};
const char *use_kind_to_string(enum use_kind kind);
int use_kind_from_string(const char *text);

/* Where a claim stands (DESIGN: "A claim's life"). */
enum claim_state {
	CLAIM_ASKED,
	CLAIM_PLANNED,
	CLAIM_PREPARING, /* the executor changes the host */
	CLAIM_OFFERED,   /* FDs were sent, the client has not acknowledged them */
	CLAIM_HELD,
	CLAIM_RELEASING,
	CLAIM_FREE,
	CLAIM_LINGERING,   /* the lease is over, but an FD is still held */
	CLAIM_QUARANTINED, /* could not be reset or restored: only the operator opens it */
	CLAIM_STUCK,       /* a plan passed its deadline */
	CLAIM_LOST,        /* unplugged while held */
	CLAIM_STATE_COUNT,
};
const char *claim_state_to_string(enum claim_state state);
int claim_state_from_string(const char *text);

/* Whether a device that no claim has can be had: of a group it is the first of these that one of its devices is in. */
enum device_availability {
	AVAILABILITY_IN_USE,       /* "in-use": the host uses it */
	AVAILABILITY_UNKNOWN_USE,  /* "unknown-use": what the host does with it can't be told */
	AVAILABILITY_NEVER,        /* "never": the policy gives it, or another of its group, to nobody */
	AVAILABILITY_NO_IOMMU,     /* "no-iommu": nothing isolates it */
	AVAILABILITY_UNCLAIMED,    /* "unclaimed": more was not looked at */
	AVAILABILITY_FREE,         /* "free": the host uses neither it nor another of its group */
	AVAILABILITY_GROUP_IN_USE, /* "group-in-use": another of its group is in use; not of groups */
	AVAILABILITY_BRIDGE,       /* "bridge": of a group: it has nothing else */
	DEVICE_AVAILABILITY_COUNT,
};
const char *device_availability_to_string(enum device_availability availability);
int device_availability_from_string(const char *text);

/* What keeps a claim alive: it ends with it. */
enum lease_kind {
	LEASE_DESCRIPTOR, /* "descriptor": the last copy of the lease FD */
	LEASE_PROCESS,    /* "process": a process, known by its pidfd */
	LEASE_UNIT,       /* "unit": a systemd unit or scope */
	LEASE_OPERATOR,   /* "operator": nothing; an operator releases or revokes it */
	LEASE_KIND_COUNT,
};
const char *lease_kind_to_string(enum lease_kind kind);
int lease_kind_from_string(const char *text);

/* What a revocation may stop when a claim's client has not let go by the end of its grace period. */
enum revoke_stop {
	REVOKE_STOP_NOTHING, /* "nothing": the claim lingers until its holders let go by themselves */
	REVOKE_STOP_PROCESS, /* "process": each process that holds a device of it */
	REVOKE_STOP_UNIT,    /* "unit": the systemd unit or scope that such a process belongs to */
	REVOKE_STOP_COUNT,
};
const char *revoke_stop_to_string(enum revoke_stop stop);
int revoke_stop_from_string(const char *text);

/* What is written down of what the daemon did, in the journal and in the audit log. */
enum record_kind {
	RECORD_GRANT,       /* "grant": devices were given to a claim, a new one or one that grows */
	RECORD_REFUSAL,     /* "refusal": a claim was refused, by policy or because of what stands against it */
	RECORD_RELEASE,     /* "release": devices of a claim are free again, proven */
	RECORD_REVOCATION,  /* "revocation": an operator took a claim back */
	RECORD_STOP,        /* "stop": a process or unit was stopped, because it held what was revoked */
	RECORD_POLICY_LOAD, /* "policy-load": a policy was read */
	RECORD_KIND_COUNT,
};
const char *record_kind_to_string(enum record_kind kind);
int record_kind_from_string(const char *text);

/* What a process can hold of VFIO, iommufd or vhost-vdpa. */
enum hold_kind {
	HOLD_IOMMUFD,   /* "iommufd": an open /dev/iommu */
	HOLD_CONTAINER, /* "container": an open /dev/vfio/vfio */
	HOLD_GROUP,     /* "group": an IOMMU group, by which its devices can be opened */
	HOLD_DEVICE,    /* "device": a device, opened by its cdev or by its group */
	HOLD_MAPPING,   /* "mapping": a device's memory, which is as good as an FD of it */
	HOLD_VDPA,      /* "vhost-vdpa": a vDPA device */
	HOLD_KIND_COUNT,
};
const char *hold_kind_to_string(enum hold_kind kind);
int hold_kind_from_string(const char *text);

/* Where what a process holds came from. */
enum hold_verdict {
	HOLD_OF_CLAIM,   /* "claim": it is part of a claim */
	HOLD_OF_SERVICE, /* "service": ioasidd itself has it, for a claim */
	HOLD_FOREIGN,    /* "foreign": it came from no claim: ioasidd was bypassed */
	HOLD_UNKNOWN, /* "unknown": the device is part of a claim, and whether the process got it by that can't be told
		       */
	HOLD_VERDICT_COUNT,
};
const char *hold_verdict_to_string(enum hold_verdict verdict);
int hold_verdict_from_string(const char *text);

/* Whether a reset is wanted between owners. */
enum reset_demand {
	RESET_REQUIRE, /* "require": no claim of a device that can't be reset, no return without a verified reset */
	RESET_TRY,     /* "try": reset where the device can; go on where it can't */
	RESET_SKIP,    /* "skip": no reset by ioasidd (the kernel still tries its own at open and close) */
	RESET_DEMAND_COUNT,
};
const char *reset_demand_to_string(enum reset_demand demand);
int reset_demand_from_string(const char *text);

/* Why a claim can't be had. Each maps to one exit status by blocker_kind_to_exit_status(). */
enum blocker_kind {
	BLOCKER_UNKNOWN_DEVICE,      /* "unknown-device" (5) */
	BLOCKER_UNKNOWN_POOL,        /* "unknown-pool" (5) */
	BLOCKER_UNKNOWN_CLAIM,       /* "unknown-claim" (5) */
	BLOCKER_KERNEL,              /* "kernel" (6): this kernel lacks what the mode needs */
	BLOCKER_NO_IOMMU_GROUP,      /* "no-iommu-group" (6) */
	BLOCKER_BRIDGE,              /* "bridge" (6): bridges are never claimed */
	BLOCKER_NOT_RESTORABLE,      /* "not-restorable" (6): its driver could not be put back */
	BLOCKER_NO_RESET,            /* "no-reset" (6): the rule requires a reset and the device has none */
	BLOCKER_GROUP_TOO_LARGE,     /* "group-too-large" (6) */
	BLOCKER_NO_RULE,             /* "no-rule" (3): deny by default */
	BLOCKER_DENIED,              /* "denied" (3): a rule with effect deny matched first */
	BLOCKER_NEVER,               /* "never" (3): the device, or a member it would lock out, is in never */
	BLOCKER_MODE,                /* "mode" (3): the rule does not allow this mode */
	BLOCKER_LIMIT,               /* "limit" (3): more devices than the rule allows one user */
	BLOCKER_LOCKOUT_NOT_COVERED, /* "lockout-not-covered" (3): the rule does not let this member be locked out */
	BLOCKER_DIFFERENT_RULES,     /* "different-rules" (3): the devices of one claim fall under several rules */
	BLOCKER_POLICY,              /* "policy" (3): the broker and its executor hold different policies */
	BLOCKER_IN_USE,              /* "in-use" (4): the host uses the device itself */
	BLOCKER_MEMBER_IN_USE,       /* "member-in-use" (4): the host uses a member that would be locked out */
	BLOCKER_CLAIMED,             /* "claimed" (4): the device belongs to another claim */
	BLOCKER_OTHER_CONTEXT,       /* "other-context" (4): its group belongs to another claim's context */
	BLOCKER_KIND_COUNT,
};
const char *blocker_kind_to_string(enum blocker_kind kind);
int blocker_kind_from_string(const char *text);

/* What a decision tells besides its verdict. None of them forbids anything. */
enum note_kind {
	NOTE_LOSS,       /* "loss": what the host loses with a device, and what that does to it */
	NOTE_NOT_UNDONE, /* "not-undone": what does not come back when the device is given back */
	NOTE_RESET,      /* "reset": whether the device can be reset between owners, and what follows if not */
	NOTE_PEERS,      /* "peers": devices that can reach each other by DMA past the IOMMU */
	NOTE_INTERRUPTS, /* "interrupts": devices could raise any interrupt of the host */
	NOTE_NO_IOMMU,   /* "no-iommu": VFIO hands out devices without an IOMMU */
	NOTE_FUNCTIONS,  /* "functions": physical and virtual functions that depend on each other */
	NOTE_SLOT,       /* "slot": functions of the same slot that somebody else keeps */
	NOTE_KIND_COUNT,
};
const char *note_kind_to_string(enum note_kind kind);
int note_kind_from_string(const char *text);

/* The exit statuses of ioasidctl, which the daemon's verdicts map to. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,     /* refused by policy */
	EXIT_BUSY = 4,        /* in use by the host or claimed by another */
	EXIT_UNKNOWN = 5,     /* no such device, group, pool or claim */
	EXIT_UNSUPPORTED = 6, /* this kernel or hardware can't do it */
	EXIT_UNREACHABLE = 7, /* ioasidd can't be reached */
};
enum exit_status blocker_kind_to_exit_status(enum blocker_kind kind);
