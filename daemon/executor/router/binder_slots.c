#include "binder_slots.h"

static size_t count(const struct binder_slots *slots, enum binder_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < BINDER_SLOTS; i++)
		found += slots->slot[i].state == state;
	return found;
}

int binder_slots_find_idle(const struct binder_slots *slots)
{
	for (int i = 0; i < BINDER_SLOTS; i++)
		if (slots->slot[i].state == BINDER_IDLE && slots->slot[i].generation == slots->generation)
			return i;
	return -1;
}

int binder_slots_find_place(const struct binder_slots *slots)
{
	if (count(slots, BINDER_IDLE) + count(slots, BINDER_BUSY) >= BINDER_SLOTS_MAX)
		return -1;
	for (int i = 0; i < BINDER_SLOTS; i++)
		if (slots->slot[i].state == BINDER_ABSENT)
			return i;
	return -1;
}

bool binder_slots_want_spare(const struct binder_slots *slots)
{
	size_t there = count(slots, BINDER_IDLE) + count(slots, BINDER_BUSY);

	return (there < BINDER_SLOTS_SPARE_MAX || binder_slots_find_idle(slots) < 0) &&
	       binder_slots_find_place(slots) >= 0;
}

int binder_slots_find_plan(const struct binder_slots *slots, uint64_t plan)
{
	for (int i = 0; i < BINDER_SLOTS; i++)
		if ((slots->slot[i].state == BINDER_BUSY || slots->slot[i].state == BINDER_STUCK) &&
		    slots->slot[i].plan == plan)
			return i;
	return -1;
}

bool binder_slots_are_busy(const struct binder_slots *slots)
{
	return count(slots, BINDER_BUSY) > 0;
}

void binder_slots_started(struct binder_slots *slots, int slot)
{
	slots->slot[slot] = (struct binder_slot){ .state = BINDER_IDLE, .generation = slots->generation };
}

void binder_slots_assign(struct binder_slots *slots, int slot, uint64_t plan)
{
	slots->slot[slot].state = BINDER_BUSY;
	slots->slot[slot].plan = plan;
}

void binder_slots_overdue(struct binder_slots *slots, int slot)
{
	/* Beyond so many that hang, a further one goes on taking a place: then the machine needs help, not more of us.
	 */
	if (slots->slot[slot].state == BINDER_BUSY && count(slots, BINDER_STUCK) < BINDER_SLOTS_STUCK_MAX)
		slots->slot[slot].state = BINDER_STUCK;
}

bool binder_slots_finished(struct binder_slots *slots, int slot)
{
	bool keep = slots->slot[slot].generation == slots->generation &&
		    count(slots, BINDER_IDLE) < BINDER_SLOTS_SPARE_MAX &&
		    (slots->slot[slot].state == BINDER_BUSY || binder_slots_find_place(slots) >= 0);

	slots->slot[slot].state = keep ? BINDER_IDLE : BINDER_ABSENT;
	slots->slot[slot].plan = 0;
	return keep;
}

void binder_slots_lost(struct binder_slots *slots, int slot)
{
	slots->slot[slot] = (struct binder_slot){ .state = BINDER_ABSENT };
}

void binder_slots_renew(struct binder_slots *slots)
{
	slots->generation++;
}

bool binder_slots_is_outdated(const struct binder_slots *slots, int slot)
{
	return slots->slot[slot].state == BINDER_IDLE && slots->slot[slot].generation != slots->generation;
}
