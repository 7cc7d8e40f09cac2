#include "repeat_plan.h"

#include "../../base/log.h"

enum { REPEATS_MAX = 3, DOUBLINGS_MAX = 6 };

static const uint64_t pause_usec[REPEATS_MAX] = { 250 * 1000, 1000 * 1000, 4000 * 1000 };

void repeating_hasten(struct holding *holding)
{
	void (*again)(struct holding *) = holding->again;

	holding_arm(holding, 0, NULL);
	holding->again = NULL;
	holding->run = HOLDING_IDLE;
	again(holding);
}

static int on_pause_over(sd_event_source *timer, uint64_t usec, void *context)
{
	repeating_hasten(context);
	return 0;
}

static bool pause_for(struct holding *holding, uint64_t usec, void (*again)(struct holding *holding))
{
	if (holding_arm(holding, usec, on_pause_over) < 0) {
		log_error("claim %s: no timer could be set", holding->claim->id);
		return false;
	}
	holding->again = again;
	holding->run = HOLDING_PAUSES;
	return true;
}

bool repeating_start(struct holding *holding, void (*again)(struct holding *holding))
{
	if (holding->registry->ending || holding->repeats >= REPEATS_MAX || !pause_for(holding, pause_usec[holding->repeats], again))
		return false;
	holding->repeats++;
	return true;
}

bool repeating_persist(struct holding *holding, void (*again)(struct holding *holding))
{
	unsigned doublings = holding->retries < DOUBLINGS_MAX ? holding->retries : DOUBLINGS_MAX;

	if (holding->registry->ending || !pause_for(holding, (1ULL << doublings) * 1000 * 1000, again))
		return false;
	holding->retries++;
	return true;
}
