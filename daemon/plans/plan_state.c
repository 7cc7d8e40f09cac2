#include "plan_state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct plan_device *)a)->name, ((const struct plan_device *)b)->name);
}

int plan_run_begin(struct plan_run *run, const struct host_calls *calls, const struct plan *plan, bool release)
{
	size_t count = 0, unique = 0;

	*run = (struct plan_run){ .calls = calls, .plan = plan, .release = release };
	run->device = calloc(plan->count + 1, sizeof(*run->device));
	if (!run->device)
		return -ENOMEM;
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->step[i];
		struct plan_device *device = &run->device[count];

		if (!step->device[0])
			continue;
		memcpy(device->name, step->device, sizeof(device->name));
		device->identity = step->identity;
		device->group = -1;
		count++;
	}
	qsort(run->device, count, sizeof(*run->device), compare_names);
	for (size_t i = 0; i < count; i++)
		if (unique == 0 || strcmp(run->device[unique - 1].name, run->device[i].name) != 0)
			run->device[unique++] = run->device[i];
		else if (run->device[unique - 1].identity != run->device[i].identity)
			return -EBADMSG;
	run->device_count = unique;
	return 0;
}

void plan_run_end(struct plan_run *run)
{
	free(run->device);
	*run = (struct plan_run){ .calls = NULL };
}

struct plan_device *plan_device_of(const struct plan_run *run, const struct step *step)
{
	size_t low = 0, high = run->device_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(run->device[middle].name, step->device);

		if (order == 0)
			return &run->device[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct plan_device *plan_device_present(struct plan_run *run, const struct step *step)
{
	struct plan_device *device = plan_device_of(run, step);

	if (device && run->calls->is_there(run, device))
		return device;
	plan_fail(run, -ENODEV, "%s was removed meanwhile", step->device);
	return NULL;
}

int plan_fail(struct plan_run *run, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(run->why, sizeof(run->why), format, arguments);
	va_end(arguments);
	return error;
}
