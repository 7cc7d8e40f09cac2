/*
 * What the host does with devices: a list of findings of a survey. Plain data; never looks at the host itself.
 */
#pragma once

#include "device.h"

#include <stddef.h>

struct use {
	char device[DEVICE_NAME_MAX];
	char text[TEXT_MAX]; /* the chain a person can read: "nvme0n1 > nvme0n1p2 > mounted on /" */
	uint32_t kind;       /* enum use_kind */
	uint32_t severity;   /* enum severity */
	int32_t pid;         /* USE_HOLDER: of the process, else 0 */
	uint32_t reserved;
};

/* True if the strings end within their arrays, are printable UTF-8 and the numbers are in range. */
bool use_is_sane(const struct use *use);

struct uses {
	struct use *use;
	size_t count;
	size_t allocated;
};

/* Appends a copy. 0 or -ENOMEM. */
int uses_add(struct uses *uses, const struct use *use);
void uses_done(struct uses *uses);
/* The worst use of a device at or above a severity, or NULL. Of equals the first. */
const struct use *uses_worst(const struct uses *uses, const char *device, enum severity at_least);
