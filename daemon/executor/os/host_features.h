/*
 * What this kernel offers, told to the broker at the start. Looks only; loads no module.
 */
#pragma once

#include "../../../policy/model/kernel_features.h"
#include "sysfs.h"

enum { BOOT_ID_MAX = 40 };

/* What is not found is not there. */
void host_features_read(const struct host *host, struct kernel_features *out);
/* The boot id, or "" where it can't be read. */
void host_features_boot_id(const struct host *host, char out[static BOOT_ID_MAX]);
