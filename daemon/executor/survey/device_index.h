/*
 * Finds devices of a list by their names. Keeps pointers into the list, and looks at no host.
 */
#pragma once

#include "../../../policy/model/device.h"

#include <stddef.h>

struct device_index {
	const struct device **item; /* sorted by name */
	size_t count;
};

/* 0 or -ENOMEM. The devices stay the caller's, and have to stay where they are. */
int device_index_begin(struct device_index *index, const struct device *device, size_t count);
void device_index_done(struct device_index *index);
/* NULL: it is none of them. */
const struct device *device_index_find(const struct device_index *index, const char *name);
