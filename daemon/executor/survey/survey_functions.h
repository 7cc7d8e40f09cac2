/*
 * The virtual functions that end with a physical one: what becomes of them is a use of that one. Looks only.
 */
#pragma once

#include "../../../policy/model/device.h"
#include "../../../policy/model/use.h"
#include "../os/sysfs.h"

/* The devices that are asked about, and behind them the virtual functions of theirs that are not. */
struct survey_functions {
	struct device *device;
	size_t count;
	size_t asked;
};

/* Copies the devices, and adds their virtual functions as they are now. 0, -ENOMEM, or -errno: incomplete. */
int survey_functions_find(const struct host *host, const struct device *device, size_t count,
			  struct survey_functions *out);
void survey_functions_done(struct survey_functions *functions);
/*
 * Gives what was found of virtual functions to their physical functions, in words that say so, and takes out what is of
 * no device that was asked about. 0 or -ENOMEM.
 */
int survey_functions_attribute(const struct survey_functions *functions, struct uses *uses);
