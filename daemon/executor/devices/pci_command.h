/*
 * A PCI function's command register, and its reset, which it shows to have worked. Both wake the function up. Knows no
 * plan.
 */
#pragma once

#include "../../../include/words.h"

#include <stdbool.h>

/* Of the function of that name, whose folder in sysfs this is. 0, or -errno with one sentence in why. */
int pci_command_read_bus_master(const char *name, int folder, bool *on, char why[static TEXT_MAX]);
/* -ENOENT: it has no way to be reset. */
int pci_command_reset(const char *name, int folder, char why[static TEXT_MAX]);
