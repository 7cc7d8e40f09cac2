/*
 * What the cases of the contract work with: the machine's devices by the part they play, claims made of them, and how a
 * result reads in the transcript.
 */
#pragma once

#include "report.h"
#include "side.h"

/* Devices of the machine by the part they play: addresses differ between machines. */
struct roles {
	char edu[DEVICE_NAME_MAX];    /* a test card behind a bridge of old PCI ... */
	char nic[DEVICE_NAME_MAX];    /* ... and a NIC there, which shares its group */
	char bridge[DEVICE_NAME_MAX]; /* that bridge */
	char alone[DEVICE_NAME_MAX];  /* a test card alone in its group, without any reset */
	char good[DEVICE_NAME_MAX];   /* a NIC alone in its group that can be reset */
	char never[DEVICE_NAME_MAX];  /* a disk controller that the policy lets nobody have */
	char other[DEVICE_NAME_MAX];  /* a device that no rule names */
};

struct bench {
	struct side side;
	const char *command;           /* of the executor */
	char folder[64];               /* of the policy, ours */
	uint64_t digest;               /* of the policy, as we read it ourselves */
	enum vfio_interface interface; /* that the other side's kernel has */
	struct roles roles;
};

/* Makes the folder with the policy. Ends the program if that can't be. */
void bench_make_policy(struct bench *bench);
/* Writes another policy into it; the digest is that of the new one, unless it is refused. */
void bench_write_policy(struct bench *bench, const char *text);
extern const char usual_policy[];
/* The same, in which those who need a reset need none any more. */
extern const char milder_policy[];
/* Users that the policy has rules of their own for. */
enum { WANTS_RESET = 47101, KEEPS_ON_VFIO = 47102, HAS_ONE = 47103, IN_GROUP = 47104 };
void bench_remove_policy(struct bench *bench);

/* Starts the other side and finds the roles. */
void bench_start(struct bench *bench);

/* A claim on its way through a case. */
struct claimed {
	struct claim_device device[4];
	size_t count;
	char id[CLAIM_ID_MAX];
	const char *rule; /* that gives it */
	enum delivery_mode mode;
	uid_t uid; /* whose it is */
	gid_t gid;
	int context; /* owned, or -1; with one the claim grows */
	uint32_t ioas;
	int32_t had_group[4]; /* without iommufd: groups that the claim that grows has */
	size_t had_groups;
	int group_fd[4];  /* owned, or -1: in the order of the devices that they were opened for */
	int device_fd[4]; /* owned, or -1: of those asked for, in their order */
};

/* Fills in the devices as a fresh survey shows them: those asked for, then those locked out; NULL ends each list. */
void claimed_begin(struct bench *bench, struct claimed *claimed, const char *const *asked,
		   const char *const *locked_out);
/* Adds a device as it is now. */
void claimed_add(struct bench *bench, struct claimed *claimed, const char *name, bool lockout);
/* Fills in devices that another claim is to grow by. */
void claimed_begin_to_grow(struct bench *bench, struct claimed *more, const struct claimed *claimed,
			   const char *const *asked);
/* The plans of a claim and of its release, which the caller frees; pin: the claim shrinks. */
struct plan claim_plan(const struct bench *bench, const struct claimed *claimed, uint64_t memlock);
struct plan release_plan(const struct bench *bench, const struct claimed *claimed, bool pin);
/* Makes the plan of a claim, runs it, notes the result, and keeps the FDs that came. Returns the outcome. */
enum wire_outcome claim(struct bench *bench, struct claimed *claimed, const char *what);
/* The same with a plan made already; digest: of the policy that it claims to be made under. */
enum wire_outcome run_claim(struct bench *bench, struct claimed *claimed, const struct plan *plan, uint64_t digest,
			    const char *what);
/* Makes the plan of a release and runs it. */
enum wire_outcome release(struct bench *bench, const struct claimed *claimed, bool pin, const char *what);
/* The same with a plan made already, and a context that goes with it (-1: none). */
enum wire_outcome run_release(struct bench *bench, const struct claimed *claimed, const struct plan *plan, int context,
			      const char *what);
/* Whose a plan of this claim is. */
struct plan_owner owner_of(const struct claimed *claimed);
/* Closes the FDs of devices and groups: the client is done. */
void claimed_close_devices(struct claimed *claimed);
/* Closes what is left. */
void claimed_end(struct claimed *claimed);

/* Notes a result, what it is of, and fails the case if FDs and numbers do not fit the outcome. */
void note_result(const struct bench *bench, const char *what, const struct result *result);
/* The part of a device: "edu"; "-" for "". */
const char *role_of(const struct bench *bench, const char *name);
/* Surveys the devices that the cases move, and notes their drivers and what they are used for. */
void note_state(struct bench *bench, const char *when);
/* Fails the case unless drivers and overrides are what they were when the first bench_start() was through. */
void check_untouched(struct bench *bench);
