/*
 * A plan: the ordered steps that a claim or a release needs, each with its undo, as pure data. The broker makes it from
 * a decision, the executor runs it; neither adds a step that is not in the closed list below.
 */
#pragma once

#include "../model/ledger.h"

#include <stddef.h>
#include <stdint.h>

/* driver_override of a locked-out member: no driver has this name, so nothing binds. */
#define PINNED_OVERRIDE "ioasidd-locked-out"

enum step_kind {
	/* Claiming. Undo in brackets. */
	STEP_OVERRIDE,  /* driver_override := value, which was before                   [:= before] */
	STEP_UNBIND,    /* unbind the driver named in before                            [bind that driver, verified] */
	STEP_PROBE,     /* drivers_probe; then value is its driver, with vfio-dev/      [unbind] */
	STEP_CONTEXT,   /* open /dev/iommu, RLIMIT_MODE := 1; number 1: the passed FD   [close] */
	STEP_CONTAINER, /* the same without iommufd: open /dev/vfio/vfio                [close] */
	STEP_GROUP,     /* open the device's group, put it into the container           [close] */
	STEP_GROUP_DEVICE, /* open the device by its group; number 1: the client does, which has the group [close] */
	STEP_OPEN,         /* open the device's cdev, /dev/vfio/devices/vfioN              [close] */
	STEP_BIND,         /* VFIO_DEVICE_BIND_IOMMUFD                                     [close] */
	STEP_IOAS,         /* IOMMU_IOAS_ALLOC; or take number, if it is not 0             [close] */
	STEP_ATTACH,       /* VFIO_DEVICE_ATTACH_IOMMUFD_PT                                [close] */
	STEP_GRANT,        /* an ACL for uid number on the device's nodes; no device: on /dev/vfio/vfio [STEP_REVOKE] */
	STEP_MEMLOCK,      /* RLIMIT_MEMLOCK of the passed peer := number                  [:= what it was] */
	/* Releasing. No undo: what fails is reported, and the rest of that device is left alone, as are the members of
	 * its group: a group stays closed as long as one of its devices is not free. */
	STEP_REVOKE, /* no ACL for uid number on the device's nodes; no device: on /dev/vfio/vfio */
	STEP_UNMAP,  /* empty the passed context: its IOAS number, if not 0, and all that are found; no device */
	STEP_PROVE_NO_HOLDER, /* no process has an FD or a mapping of it; number 1: not asked, its group goes on being
				 held */
	/* Our own BIND succeeds, in a fresh context (number 0) or the passed one (1); PROOF_BY_UNBIND: if it does not,
	   go on. */
	STEP_PROVE_UNBOUND,
	/* Without iommufd: its group can be opened; number 1: not asked, as above; PROOF_BY_UNBIND: if it can't, go on.
	 */
	STEP_PROVE_GROUP_FREE,
	STEP_BUS_MASTER_OFF, /* PCI_COMMAND says so */
	STEP_RESET, /* sysfs reset, verified; number: enum reset_demand; no such step for RESET_SKIP. Of a device that
		     * is on VFIO, or that this plan has unbound from it */
	STEP_UNBIND_VFIO, /* unbind its VFIO driver: returns when no open FD of it is left */
	STEP_RESTORE,     /* driver value ("" for none) and then driver_override before ("" for none), verified */
	STEP_KIND_COUNT,
};
/*
 * The number of a proof that an operator has waived: nobody was found who holds the device, and the kernel refuses it
 * all the same. The unbind, which returns when no open FD is left, is the proof then, and the reset comes after it.
 */
enum { PROOF_BY_UNBIND = 2 };

const char *step_kind_to_string(enum step_kind kind);

struct step {
	uint32_t kind; /* enum step_kind */
	uint32_t reserved;
	uint64_t number;
	char device[DEVICE_NAME_MAX]; /* "" for steps that are about no device */
	char value[DRIVER_NAME_MAX];
	char before[DRIVER_NAME_MAX];
	uint64_t identity; /* of the device, as planned: another device on that name is refused */
};
bool step_is_sane(const struct step *step);
bool step_equals(const struct step *a, const struct step *b);
/* True for a proof with the number PROOF_BY_UNBIND. */
bool step_is_waived(const struct step *step);
/* One line for people: "unbind e1000 from 0000:02:02.0". Returns out. */
const char *step_describe(const struct step *step, char *out, size_t size);

enum { PLAN_STEPS_MAX = 2048 };

struct plan {
	struct step *step;
	size_t count;
	size_t allocated;
};
int plan_add(struct plan *plan, const struct step *step); /* 0, -ENOMEM, -E2BIG */
void plan_done(struct plan *plan);

/*
 * Whose plan it is: the claim, and for a plan that takes devices the subject who gets them and the rule that gives
 * them. The broker says so; the executor holds the rule against the subject, and everything that follows against its
 * own ledger.
 */
struct plan_owner {
	char claim[CLAIM_ID_MAX];
	char rule[RULE_NAME_MAX]; /* "" for a plan that takes none */
	struct subject subject;   /* all zero for a plan that takes none */
};
bool plan_owner_is_sane(const struct plan_owner *owner);

/* How the devices of a plan are to be delivered. */
struct delivery {
	enum delivery_mode mode; /* attached, open (iommufd only) or node */
	enum vfio_interface interface;
	bool groups;      /* MODE_NODE with iommufd: this kernel has groups as well, for programs that want those */
	uid_t uid;        /* MODE_NODE: who gets the nodes; root needs no ACL and gets none */
	bool grows;       /* a claim that grows: its context is passed in */
	uint32_t ioas_id; /* of the passed context */
	uint64_t memlock; /* bytes; 0: no STEP_MEMLOCK */
	int32_t group[CLAIM_DEVICES_MAX]; /* without iommufd: groups that the client has open already */
	size_t group_count;
};

/*
 * The steps that make a claim's devices ready: overrides and unbinds of every member that has to move before any
 * probe; then the context and the FDs as the mode wants them. device: those to be taken now (all of a new claim; the
 * new ones where it grows), lockouts among them, each with the device as it is *now* in its field before. A device that
 * is on a VFIO driver already is neither moved nor probed, unless it is a member that nobody asked for and the client
 * gets its group; a pinned one without a driver needs no unbind. Without iommufd a device whose group the client has is
 * opened by the client itself: the kernel gives out a group once only. 0, -ENOMEM, -E2BIG, or -EINVAL for a mode that
 * this interface does not have. What was in the plan before stays, also after an error.
 */
int plan_for_claim(struct plan *plan, const struct claim_device *device, size_t count, const struct delivery *delivery);
/* How devices are taken back. */
struct giving_back {
	enum vfio_interface interface;
	bool by_unbind; /* PROOF_BY_UNBIND; not with pin */
	bool pin; /* a claim that shrinks, and has others of the group: it ends pinned, proofs use the passed context */
};

/*
 * The steps that prove devices free and put them back, in the order of the design: for all of them no holder, then for
 * all unbound (without iommufd: group free), bus master off, reset; then unbound from VFIO; then for all restored.
 * Locked-out members and bridges get no proof, only STEP_RESTORE. Every step holds on a device that was never touched,
 * too, so the same plan undoes a claim that stopped anywhere (a crash). 0, -ENOMEM, -E2BIG.
 */
int plan_for_release(struct plan *plan, const struct claim_device *device, size_t count, const struct giving_back *how);
/*
 * The steps before a release of what was delivered by nodes: nobody can open them any more. last: no other claim gives
 * nodes to this uid, so that it needs /dev/vfio/vfio no more. 0, -ENOMEM, -E2BIG.
 */
int plan_for_revocation(struct plan *plan, const struct claim_device *device, size_t count, uid_t uid, bool last);
/* The one step that stops the DMA of a claim whose lease is over though somebody holds it. 0, -ENOMEM. */
int plan_for_unmapping(struct plan *plan, uint32_t ioas_id);
/* The mode that a claim's steps deliver in. */
enum delivery_mode plan_mode(const struct plan *plan);
/* True for the steps that take a device for the client, one for each device that was asked for. */
bool step_takes_device(const struct step *step);
/* True if the plan of a claim opens the group of this asked-for device with it: the first of its group. */
bool plan_opens_group(const struct claim_device *device, size_t index, const struct delivery *delivery);
