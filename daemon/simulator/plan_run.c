#include "plan_run.h"

#include "../../policy/text.h"

#include <stdarg.h>
#include <string.h>

struct simulated_device *run_device(const struct run *run, const struct step *step)
{
	struct simulated_device *device = machine_find(run->machine, step->device);

	return device && device->now.identity == step->identity ? device : NULL;
}

int run_wait(struct run *run, struct simulated_device *device, uint64_t milliseconds)
{
	waiter_wait(&run->waiter, device);
	if (milliseconds > 0 && !run->patience.on)
		loop_set_timer(run->machine->loop, &run->patience, milliseconds);
	return STEP_WAITS;
}

int run_outcome(struct run *run, struct simulated_device *device, int said)
{
	return said == KERNEL_BLOCKED ? run_wait(run, device, 0) : said;
}

void run_say(struct run *run, const char *format, ...)
{
	struct wire_result *result = &run->result;
	va_list arguments;

	if (*result->text)
		return;
	va_start(arguments, format);
	text_format_list(result->text, sizeof(result->text), format, arguments);
	va_end(arguments);
}
