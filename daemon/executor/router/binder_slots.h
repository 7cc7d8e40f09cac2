/*
 * Which binders there are and what each is at: pure bookkeeping, without processes. Keeps a spare one warm, so that no
 * plan waits for a start; counts those that hang in the kernel apart, so that they take nobody's place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BINDER_SLOTS_MAX = 16, /* idle or busy */
	BINDER_SLOTS_STUCK_MAX = 64,
	BINDER_SLOTS_SPARE_MAX = 2, /* that are there from the start, and are kept when there is nothing to do */
	BINDER_SLOTS = BINDER_SLOTS_MAX + BINDER_SLOTS_STUCK_MAX,
};

enum binder_state { BINDER_ABSENT, BINDER_IDLE, BINDER_BUSY, BINDER_STUCK };

struct binder_slot {
	enum binder_state state;
	uint64_t plan;       /* its id, if busy or stuck */
	uint32_t generation; /* of the policy that it has */
};

/* All zero: there are none. */
struct binder_slots {
	struct binder_slot slot[BINDER_SLOTS];
	uint32_t generation;
};

/* The slot of an idle binder with the policy in force, or -1. */
int binder_slots_find_idle(const struct binder_slots *slots);
/* A slot for a new binder; -1: there are as many as there may be. */
int binder_slots_find_place(const struct binder_slots *slots);
/* True if there should be one more: fewer are there than are kept, or none is idle; and there is place. */
bool binder_slots_want_spare(const struct binder_slots *slots);
/* The slot with that plan, busy or stuck, or -1. */
int binder_slots_find_plan(const struct binder_slots *slots, uint64_t plan);
/* True if a binder is busy, and not stuck. */
bool binder_slots_are_busy(const struct binder_slots *slots);

void binder_slots_started(struct binder_slots *slots, int slot);
void binder_slots_assign(struct binder_slots *slots, int slot, uint64_t plan);
/* Its plan passed the deadline. */
void binder_slots_overdue(struct binder_slots *slots, int slot);
/* Its plan is done. True: it is idle now; false: it is not needed, or has an old policy: the slot is absent, end it. */
bool binder_slots_finished(struct binder_slots *slots, int slot);
/* It is gone. */
void binder_slots_lost(struct binder_slots *slots, int slot);
/* A new policy is in force. True for a slot (binder_slots_is_outdated) that is idle and has to be ended. */
void binder_slots_renew(struct binder_slots *slots);
bool binder_slots_is_outdated(const struct binder_slots *slots, int slot);
