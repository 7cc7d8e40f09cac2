/*
 * A kernel behind a fake machine (tree.h): what the executor writes to sysfs, asks VFIO and iommufd by ioctl, and sets
 * as ACLs and limits has the effect that Linux gives it, as far as one group of two PCI functions goes. A test links it
 * with -Wl,--wrap= for the functions of kernel_double_wrapped in meson.build.
 */
#pragma once

#include "tree.h"

/* They share group 7. The card is on the driver "card", its neighbour on "e1000", when the machine begins. */
#define CARD "0000:00:04.0"
#define SIBLING "0000:00:05.0"

struct kernel_double {
	struct tree tree;
	unsigned calls;            /* that change something, or ask VFIO for something */
	unsigned fail_at;          /* that one of them, counted from 1, fails with EIO; 0: none */
	bool held;                 /* somebody has the card bound to another context */
	bool without_probe;        /* no driver takes a device */
	unsigned resets, unmapped; /* how often */
};
extern struct kernel_double kernel;

void kernel_begin(void);
void kernel_end(void);
/* Whether the functions say that they can do DMA. */
void kernel_set_bus_master(bool on);
/*
 * What a claim has to put back, as text: drivers, overrides, and who may open the nodes. For comparisons; valid until
 * the next call.
 */
const char *kernel_state(void);
/* The same without the ACL of a node, "vfio/vfio". */
const char *kernel_state_but(const char *node);
