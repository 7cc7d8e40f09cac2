/*
 * What a host has for delivering devices, as an ordinary user can see it in /proc, /sys, /dev, /boot and /lib/modules.
 * Reads below a folder that stands for /, so that it can be shown any host; judges nothing.
 */
#pragma once

#include "huge_pages.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether something was compiled into the kernel. */
enum kernel_option {
	OPTION_UNKNOWN, /* no config file tells */
	OPTION_NO,
	OPTION_MODULE,
	OPTION_BUILT_IN,
};

enum module_state {
	MODULE_ABSENT,    /* not there, as far as can be seen */
	MODULE_AVAILABLE, /* it can be loaded */
	MODULE_PRESENT,   /* it is loaded, or built in */
};

enum cpu_vendor { CPU_OTHER, CPU_INTEL, CPU_AMD };

enum { OPEN_NODES_MAX = 4, OPEN_NODE_PATH_MAX = 80 };

struct host_facts {
	char release[64]; /* "" where it can't be read */
	enum cpu_vendor cpu;
	bool iommufd;         /* /dev/iommu */
	bool vfio_cdev;       /* VFIO has device nodes of its own */
	bool vfio_group;      /* /dev/vfio/vfio */
	bool vfio_pci_driver; /* the PCI bus has a driver vfio-pci */
	enum kernel_option config_iommufd, config_cdev;
	enum module_state vfio_pci, vfio_iommu_type1, iommufd_module;
	bool iommu_groups;       /* there is at least one, of an IOMMU */
	unsigned noiommu_groups; /* that VFIO's no-IOMMU mode made: they stay when it is switched off */
	bool iommu_hardware;     /* firmware tells of an IOMMU, or the kernel has found one */
	bool iommu_off;          /* the kernel's command line switches it off */
	bool virtual_machine;
	bool interrupts_known; /* /proc/interrupts could be read */
	bool interrupts_remapped;
	bool unsafe_interrupts;                             /* allow_unsafe_interrupts */
	bool noiommu;                                       /* enable_unsafe_noiommu_mode */
	char open_node[OPEN_NODES_MAX][OPEN_NODE_PATH_MAX]; /* nodes that others than root can open by their mode */
	size_t open_nodes;                                  /* how many there are; the first are listed */
	struct huge_pages huge_pages;
};

/* root: FD of the folder that stands for /. What can't be read counts as not there. */
void host_facts_read(int root, struct host_facts *out);
