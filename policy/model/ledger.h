/*
 * The ledger of claims: who owns what now, and what has to be put back. Pure bookkeeping: it holds no FD and changes
 * no host. Every device that a claim took, asked for or locked out, is found by name in constant time.
 */
#pragma once

#include "device.h"
#include "subject.h"

struct claim_device {
	struct device before; /* as it was before the claim: driver and driver_override to put back */
	bool lockout;         /* taken from the host though nobody asked for it */
	uint32_t reset;       /* enum reset_demand of the rule that granted it */
	bool restore;         /* put its driver back at the end */
};

/* What keeps a claim alive. */
struct claim_lease {
	enum lease_kind kind;
	char unit[UNIT_NAME_MAX];             /* LEASE_UNIT: which; "" else */
	char invocation[UNIT_INVOCATION_MAX]; /* LEASE_UNIT: the run of it that is meant; "": unknown, or else */
};

struct claim {
	char id[CLAIM_ID_MAX];
	char rule[RULE_NAME_MAX];
	uid_t uid; /* owner */
	gid_t gid;
	pid_t pid; /* that asked; 0 where unknown */
	enum delivery_mode mode;
	enum vfio_interface interface;
	enum claim_state state;
	struct claim_lease lease;
	char unit[UNIT_NAME_MAX];       /* that the owner asked from; "" unknown */
	uint32_t ioas_id;               /* MODE_ATTACHED with iommufd; 0 until known */
	uint64_t memlock;               /* bytes granted; 0: none */
	uint64_t since;                 /* CLOCK_REALTIME microseconds, told by the caller */
	char note[TEXT_MAX];            /* why it lingers, is quarantined or stuck; "" else */
	bool revoked;                   /* an operator takes it back, or has */
	char changing[DEVICE_NAME_MAX]; /* the device that is being added or taken back; "": none */
	bool adding;                    /* that device is added, and nobody has acknowledged it yet */
	bool lease_lost; /* not by its client: a restart lost its lease, and its client may resume the claim */
	struct claim_device *device;
	size_t device_count;
	void *attachment; /* the ledger's user's own; never looked at here */
};

/* True for what claims are called: 32 lower-case hexadecimal digits. */
bool claim_id_is_valid(const char *id);

struct ledger;

struct ledger *ledger_new(void); /* NULL: out of memory */
struct ledger *ledger_free(struct ledger *ledger);

/*
 * Adds a copy of a claim, made just now or read from a file, with copies of the devices that it has already. Its id
 * must be new (-EEXIST), and no other claim may have its devices (-EBUSY). On success *out is owned by the ledger and
 * stays valid until ledger_remove(). -ENOMEM, or -EINVAL for an id that is empty, not ended or not printable.
 */
int ledger_add(struct ledger *ledger, const struct claim *claim, struct claim **out);
void ledger_remove(struct ledger *ledger, struct claim *claim);
struct claim *ledger_find(const struct ledger *ledger, const char *id);
size_t ledger_count(const struct ledger *ledger);
/* All claims in the order in which they were made: first, then the next of each; NULL ends. */
struct claim *ledger_first(const struct ledger *ledger);
struct claim *ledger_next(const struct claim *claim);

/*
 * Gives a device to a claim, which must not have CLAIM_DEVICES_MAX asked-for devices yet (-E2BIG).
 * -EBUSY: another claim has it (nothing changed: arbitration stands here); -EEXIST: this claim has it. -ENOMEM.
 */
int ledger_take(struct ledger *ledger, struct claim *claim, const struct claim_device *device);
/* Takes a device out of a claim; false if the claim has it not. */
bool ledger_give_back(struct ledger *ledger, struct claim *claim, const char *device);
/* The claim that has this device, asked for or locked out, or NULL. *out (may be NULL) is its entry. */
struct claim *ledger_owner(const struct ledger *ledger, const char *device, const struct claim_device **out);
/* How many asked-for devices of a group the claim has, apart from one name (may be NULL). */
size_t claim_devices_in_group(const struct claim *claim, int32_t group, const char *apart_from);
/*
 * The entries that a plan gives back which takes this device out of its claim: its own, and unless others of its group
 * were asked for, which *pin says, those of the members that only it locks out. Copies, which the caller frees; NULL:
 * out of memory, or the claim does not have it.
 */
struct claim_device *claim_copy_removal(const struct claim *claim, const char *device, size_t *count, bool *pin);
/*
 * Takes an asked-for device out of its claim that was given back, or was never got: with the members that only it
 * locked out; where its group has others that were asked for, it becomes locked out itself.
 */
void ledger_shrink(struct ledger *ledger, struct claim *claim, const char *device);
/* The entry of a device in a claim, or NULL. Valid until the claim's devices change. */
struct claim_device *claim_find_device(struct claim *claim, const char *device);
/* Devices that a user asked for and has under a rule, over all claims. */
size_t ledger_devices_of(const struct ledger *ledger, uid_t uid, const char *rule);
/* The same of all users together, and of one user under all rules. */
size_t ledger_devices_under(const struct ledger *ledger, const char *rule);
size_t ledger_devices_of_user(const struct ledger *ledger, uid_t uid);
