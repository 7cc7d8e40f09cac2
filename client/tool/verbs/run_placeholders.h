/*
 * The placeholders that run replaces in the arguments of its command: {iommufd}, {ioasid}, {container}, {lease},
 * {group:DEVICE} and {fd:DEVICE}. Everything else in braces is left as it is. Text only.
 */
#pragma once

#include "../core/device_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum placeholder_kind {
	PLACEHOLDER_NONE,
	PLACEHOLDER_IOMMUFD,
	PLACEHOLDER_IOAS_ID,
	PLACEHOLDER_CONTAINER,
	PLACEHOLDER_GROUP,
	PLACEHOLDER_DEVICE,
	PLACEHOLDER_LEASE,
	PLACEHOLDER_KINDS,
};

/* What the placeholders stand for. Descriptors that the claim has not are -1. */
struct placeholder_values {
	int iommufd;
	int container;
	int lease;
	uint32_t ioas_id;
	const struct device_names *devices;
	int device_fd[CLAIM_DEVICES_MAX]; /* of each of devices */
	int group_fd[CLAIM_DEVICES_MAX];  /* of the group that each of devices is in */
};

/* Which of them a command uses. */
struct placeholder_needs {
	bool kind[PLACEHOLDER_KINDS];
};

/*
 * Looks through the arguments behind the command's name, argument[1] on. 0 with *needs filled, or -ENODEV: {fd:DEVICE}
 * or {group:DEVICE} of a device that is not among those; *wrong (size bytes) is that placeholder.
 */
int run_placeholders_check(char *const *argument, const struct device_names *devices, struct placeholder_needs *needs,
			   char *wrong, size_t size);
/*
 * A copy of the arguments with all placeholders, which were checked, replaced. The copy is freed with
 * run_placeholders_free(). NULL: out of memory.
 */
char **run_placeholders_replace(char *const *argument, const struct placeholder_values *values);
/* Frees a copy. NULL is allowed. */
void run_placeholders_free(char **argument);
