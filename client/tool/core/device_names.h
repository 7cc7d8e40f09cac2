/*
 * The devices that the arguments of a verb name: brought into the form that the daemon knows, each once (a pool, as
 * pool:NAME, as often as it is named). Asks nobody whether they are there.
 */
#pragma once

#include "../../../include/words.h"

#include <stdbool.h>
#include <stddef.h>

struct device_names {
	char name[CLAIM_DEVICES_MAX][DEVICE_NAME_MAX];
	const char *pointer[CLAIM_DEVICES_MAX]; /* to name, as libioasid wants them */
	size_t count;
};

/*
 * The name in full: an address as 0000:01:00.0, whatever form it was typed in; another name as it is, if it can be one.
 * Returns 0, or -EINVAL and leaves out alone: no device can be called that.
 */
int device_name_read(const char *text, char out[static DEVICE_NAME_MAX]);
/* Reads all of them. 0, or -EINVAL: *wrong is the invalid name; -E2BIG: more than a claim can have. */
int device_names_read(struct device_names *names, const char *const *text, size_t count, const char **wrong);
/* The place of a name in full; -1 where it is none of them. */
int device_names_find(const struct device_names *names, const char *name);
