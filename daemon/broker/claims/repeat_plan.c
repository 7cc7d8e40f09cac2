#include "repeat_plan.h"

#include "../../base/log.h"

enum { REPEATS_MAX = 3, DOUBLINGS_MAX = 6 };

static const uint64_t pause_usec[REPEATS_MAX] = { 250 * 1000, 1000 * 1000, 4000 * 1000 };

void repeat_plan_hasten(struct claim_runtime *runtime)
{
	void (*again)(struct claim_runtime *) = runtime->again;

	claim_runtime_arm(runtime, 0, NULL);
	runtime->again = NULL;
	runtime->run = RUNTIME_IDLE;
	again(runtime);
}

static int on_pause_over(sd_event_source *timer, uint64_t usec, void *context)
{
	repeat_plan_hasten(context);
	return 0;
}

static bool pause_for(struct claim_runtime *runtime, uint64_t usec, void (*again)(struct claim_runtime *runtime))
{
	if (claim_runtime_arm(runtime, usec, on_pause_over) < 0) {
		log_error("claim %s: failed to set a timer", runtime->claim->id);
		return false;
	}
	runtime->again = again;
	runtime->run = RUNTIME_PAUSES;
	return true;
}

bool repeat_plan_start(struct claim_runtime *runtime, void (*again)(struct claim_runtime *runtime))
{
	if (runtime->registry->ending || runtime->repeats >= REPEATS_MAX ||
	    !pause_for(runtime, pause_usec[runtime->repeats], again))
		return false;
	runtime->repeats++;
	return true;
}

bool repeat_plan_persist(struct claim_runtime *runtime, void (*again)(struct claim_runtime *runtime))
{
	unsigned doublings = runtime->retries < DOUBLINGS_MAX ? runtime->retries : DOUBLINGS_MAX;

	if (runtime->registry->ending || !pause_for(runtime, (1ULL << doublings) * 1000 * 1000, again))
		return false;
	runtime->retries++;
	return true;
}
