/*
 * What the kernel offers for delivering devices, as the executor found it, and which of VFIO's two interfaces follows
 * from that. Plain data, so that it travels over the wire as it is.
 */
#pragma once

#include "../../include/words.h"

#include <stdint.h>

struct kernel_features {
	uint32_t iommufd;           /* 1: /dev/iommu is there */
	uint32_t vfio_cdev;         /* 1: VFIO has device cdevs */
	uint32_t vfio_group;        /* 1: VFIO has groups and containers */
	uint32_t unsafe_interrupts; /* 1: allow_unsafe_interrupts is on in iommufd or vfio_iommu_type1 */
	uint32_t noiommu;           /* 1: enable_unsafe_noiommu_mode is on */
	uint32_t reserved;
	char release[64]; /* uname -r */
};

/* iommufd where the kernel has it and VFIO's cdevs with it, else groups; -ENOTSUP: it has neither. */
int kernel_interface(const struct kernel_features *kernel);
