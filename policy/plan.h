/*
 * A plan: the ordered steps that a claim or a release needs, each with its undo, as pure data. The broker makes it from
 * a decision, the executor runs it; neither adds a step that is not in the closed list below.
 */
#pragma once

#include "ledger.h"

#include <stddef.h>
#include <stdint.h>

/* driver_override of a locked-out member: no driver has this name, so nothing binds. */
#define PINNED_OVERRIDE "ioasidd-locked-out"
/* The VFIO driver of a PCI function that has none yet. */
#define VFIO_PCI_DRIVER "vfio-pci"

enum step_kind {
	/* Claiming. Undo in brackets. */
	STEP_OVERRIDE,  /* driver_override := value, which was before                   [:= before] */
	STEP_UNBIND,    /* unbind the driver named in before                            [bind that driver, verified] */
	STEP_PROBE,     /* drivers_probe; then value is its driver, with vfio-dev/      [unbind] */
	STEP_CONTEXT,   /* open /dev/iommu, RLIMIT_MODE := 1; number 1: the passed FD   [close] */
	STEP_OPEN,      /* open the device's cdev, /dev/vfio/devices/vfioN              [close] */
	STEP_BIND,      /* VFIO_DEVICE_BIND_IOMMUFD                                     [close] */
	STEP_IOAS,      /* IOMMU_IOAS_ALLOC; or take number, if it is not 0             [close] */
	STEP_ATTACH,    /* VFIO_DEVICE_ATTACH_IOMMUFD_PT                                [close] */
	STEP_MEMLOCK,   /* RLIMIT_MEMLOCK of the passed peer := number                  [:= what it was] */
	/* Releasing. No undo: what fails is reported, and the rest of that device is left alone, as are the members of its
	 * group: a group stays closed as long as one of its devices is not free. */
	STEP_PROVE_NO_HOLDER, /* no process has an FD or a mapping of it */
	STEP_PROVE_UNBOUND,   /* our own BIND succeeds, in a fresh context (number 0) or the passed one (1) */
	STEP_BUS_MASTER_OFF,  /* PCI_COMMAND says so */
	STEP_RESET,           /* sysfs reset, verified; number: enum reset_demand; no such step for RESET_SKIP */
	STEP_UNBIND_VFIO,     /* unbind its VFIO driver: returns when no open FD of it is left */
	STEP_RESTORE,         /* driver value ("" for none) and then driver_override before ("" for none), verified */
	STEP_KIND_COUNT,
};
const char *step_kind_to_string(enum step_kind kind);

struct step {
	uint32_t kind;  /* enum step_kind */
	uint32_t reserved;
	uint64_t number;
	char device[DEVICE_NAME_MAX]; /* "" for STEP_CONTEXT, STEP_IOAS and STEP_MEMLOCK */
	char value[DRIVER_NAME_MAX];
	char before[DRIVER_NAME_MAX];
	uint64_t identity; /* of the device, as planned: another device on that name is refused */
};
bool step_is_sane(const struct step *step);
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
 * The steps that make a claim's devices ready: overrides and unbinds of every member that has to move before any
 * probe; then the context and the FDs as the mode wants them. device: those to be taken now (all of a new claim; the
 * new ones where it grows), lockouts among them, each with the device as it is *now* in its field before. grows: the
 * context is passed in and its IOAS is ioas_id. A device that is on a VFIO driver already is neither moved nor probed;
 * a pinned one without a driver needs no unbind. memlock: bytes, 0: no STEP_MEMLOCK. 0, -ENOMEM, -E2BIG, or -EINVAL
 * for a mode other than attached and open. What was in the plan before stays, also after an error.
 */
int plan_for_claim(struct plan *plan, const struct claim_device *device, size_t count, enum delivery_mode mode,
		   bool grows, uint32_t ioas_id, uint64_t memlock);
/*
 * The steps that prove devices free and put them back, in the order of the design: for all of them no holder, then for
 * all unbound, bus master off, reset; then unbound from VFIO; then for all restored. pin: a released device that stays
 * locked out because its group does (a claim that shrinks): it ends pinned instead of restored, and proofs use the
 * passed context. Locked-out members and bridges get no proof, only STEP_RESTORE. Every step holds on a device that was
 * never touched, too, so the same plan undoes a claim that stopped anywhere (a crash). 0, -ENOMEM, -E2BIG.
 */
int plan_for_release(struct plan *plan, const struct claim_device *device, size_t count, bool pin);
