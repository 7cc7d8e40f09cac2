/*
 * Which binders there are and what each is at: pure bookkeeping, without processes. Keeps a spare one warm, so that no
 * plan waits for a start; counts those that hang in the kernel apart, so that they take nobody's place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BINDERS_MAX = 16, /* idle or busy */
	BINDERS_STUCK_MAX = 64,
	BINDERS_SPARE_MAX = 2,   /* that are there from the start, and are kept when there is nothing to do */
	BINDERS_SLOTS = BINDERS_MAX + BINDERS_STUCK_MAX,
};

enum binder_state { BINDER_ABSENT, BINDER_IDLE, BINDER_BUSY, BINDER_STUCK };

struct binder_slot {
	enum binder_state state;
	uint64_t plan;       /* its id, if busy or stuck */
	uint32_t generation; /* of the policy that it has */
};

/* All zero: there are none. */
struct binders {
	struct binder_slot slot[BINDERS_SLOTS];
	uint32_t generation;
};

/* The slot of an idle binder with the policy in force, or -1. */
int binders_find_idle(const struct binders *binders);
/* A slot for a new binder; -1: there are as many as there may be. */
int binders_find_place(const struct binders *binders);
/* True if there should be one more: fewer are there than are kept, or none is idle; and there is place. */
bool binders_want_spare(const struct binders *binders);
/* The slot with that plan, busy or stuck, or -1. */
int binders_find_plan(const struct binders *binders, uint64_t plan);
/* True if a binder is busy, and not stuck. */
bool binders_are_busy(const struct binders *binders);

void binders_started(struct binders *binders, int slot);
void binders_assign(struct binders *binders, int slot, uint64_t plan);
/* Its plan passed the deadline. */
void binders_overdue(struct binders *binders, int slot);
/* Its plan is done. True: it is idle now; false: it is not needed, or has an old policy: the slot is absent, end it. */
bool binders_finished(struct binders *binders, int slot);
/* It is gone. */
void binders_lost(struct binders *binders, int slot);
/* A new policy is in force. True for a slot (binders_is_outdated) that is idle and has to be ended. */
void binders_renew(struct binders *binders);
bool binders_is_outdated(const struct binders *binders, int slot);
