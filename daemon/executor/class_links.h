/*
 * Which PCI function a network interface or a block device hangs on, from the links of /sys/class. Looks only.
 */
#pragma once

#include "../../include/words.h"
#include "sysfs.h"

struct class_link {
	char name[64];               /* eth0, nvme0n1p2 */
	char above[64];              /* the folder that it is in: for a partition its disk */
	char device[DEVICE_NAME_MAX]; /* the PCI function nearest above it; "" where there is none */
};

struct class_links {
	struct class_link *link;
	size_t count;
	size_t allocated;
};

/* Reads /sys/class/NAME. A class that does not exist has no links. 0, -ENOMEM, or -errno of reading. */
int class_links_read(const struct host *host, const char *name, struct class_links *out);
void class_links_done(struct class_links *links);
