#include "binder_slots.h"

static size_t count(const struct binders *binders, enum binder_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < BINDERS_SLOTS; i++)
		found += binders->slot[i].state == state;
	return found;
}

int binders_find_idle(const struct binders *binders)
{
	for (int i = 0; i < BINDERS_SLOTS; i++)
		if (binders->slot[i].state == BINDER_IDLE && binders->slot[i].generation == binders->generation)
			return i;
	return -1;
}

int binders_find_place(const struct binders *binders)
{
	if (count(binders, BINDER_IDLE) + count(binders, BINDER_BUSY) >= BINDERS_MAX)
		return -1;
	for (int i = 0; i < BINDERS_SLOTS; i++)
		if (binders->slot[i].state == BINDER_ABSENT)
			return i;
	return -1;
}

bool binders_want_spare(const struct binders *binders)
{
	size_t there = count(binders, BINDER_IDLE) + count(binders, BINDER_BUSY);

	return (there < BINDERS_SPARE_MAX || binders_find_idle(binders) < 0) && binders_find_place(binders) >= 0;
}

int binders_find_plan(const struct binders *binders, uint64_t plan)
{
	for (int i = 0; i < BINDERS_SLOTS; i++)
		if ((binders->slot[i].state == BINDER_BUSY || binders->slot[i].state == BINDER_STUCK) &&
		    binders->slot[i].plan == plan)
			return i;
	return -1;
}

bool binders_are_busy(const struct binders *binders)
{
	return count(binders, BINDER_BUSY) > 0;
}

void binders_started(struct binders *binders, int slot)
{
	binders->slot[slot] = (struct binder_slot){ .state = BINDER_IDLE, .generation = binders->generation };
}

void binders_assign(struct binders *binders, int slot, uint64_t plan)
{
	binders->slot[slot].state = BINDER_BUSY;
	binders->slot[slot].plan = plan;
}

void binders_overdue(struct binders *binders, int slot)
{
	/* Beyond so many that hang, a further one goes on taking a place: then the machine needs help, not more of us. */
	if (binders->slot[slot].state == BINDER_BUSY && count(binders, BINDER_STUCK) < BINDERS_STUCK_MAX)
		binders->slot[slot].state = BINDER_STUCK;
}

bool binders_finished(struct binders *binders, int slot)
{
	bool keep = binders->slot[slot].generation == binders->generation && count(binders, BINDER_IDLE) < BINDERS_SPARE_MAX &&
		    (binders->slot[slot].state == BINDER_BUSY || binders_find_place(binders) >= 0);

	binders->slot[slot].state = keep ? BINDER_IDLE : BINDER_ABSENT;
	binders->slot[slot].plan = 0;
	return keep;
}

void binders_lost(struct binders *binders, int slot)
{
	binders->slot[slot] = (struct binder_slot){ .state = BINDER_ABSENT };
}

void binders_renew(struct binders *binders)
{
	binders->generation++;
}

bool binders_is_outdated(const struct binders *binders, int slot)
{
	return binders->slot[slot].state == BINDER_IDLE && binders->slot[slot].generation != binders->generation;
}
