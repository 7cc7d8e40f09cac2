#include "plan_run.h"

int run_wait(struct run *run, struct simulated_device *device, uint64_t milliseconds)
{
	waiter_wait(&run->waiter, device);
	if (milliseconds > 0 && !run->timed_call.on)
		loop_set_timer(run->machine->loop, &run->timed_call, milliseconds);
	return HOST_CALL_NOT_YET;
}

int run_outcome(struct run *run, struct simulated_device *device, int said)
{
	return said == KERNEL_BLOCKED ? run_wait(run, device, 0) : said;
}

/* Devices are locked by name, whatever they were when the plan was made: it is the name that is written to sysfs. */
static struct simulated_device *device_under_name(const struct run *run, size_t index)
{
	return machine_find(run->machine, run->plan.step[index].device);
}

int run_lock(struct run *run)
{
	for (size_t i = 0; i < run->plan.count; i++) {
		struct simulated_device *device = device_under_name(run, i);

		if (device && device->plan && device->plan != run) {
			run_unlock(run);
			return run_wait(run, device, 0);
		}
		if (device)
			device->plan = run;
	}
	run->locked = true;
	return 0;
}

void run_unlock(struct run *run)
{
	for (size_t i = 0; i < run->plan.count; i++) {
		struct simulated_device *device = device_under_name(run, i);

		if (!device || device->plan != run)
			continue;
		device->plan = NULL;
		machine_wake(device);
	}
	run->locked = false;
}
