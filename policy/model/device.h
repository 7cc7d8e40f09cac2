/*
 * A device as the watcher saw it: plain data, fixed size, so that it travels over the wire as it is. Every string is
 * checked by device_is_sane() before anything else looks at it. All kinds have the same head; what only one kind has is
 * behind it. Never touches the host.
 */
#pragma once

#include "device_kind.h"
#include "pci_function.h"

enum { DEVICE_DETAILS_SIZE = 128 };

struct device {
	char name[DEVICE_NAME_MAX];            /* "0000:01:00.0" */
	char driver[DRIVER_NAME_MAX];          /* "" where none is bound */
	char driver_override[DRIVER_NAME_MAX]; /* "" where none is set */
	char parent[DEVICE_NAME_MAX];          /* the bridge or device above it; "" where that is none */
	char vfio_node[32];                    /* its node in /dev, "vfio0"; "" where there is none */
	uint64_t identity;                     /* changes when another device takes the same name (hotplug) */
	uint32_t kind;                         /* enum device_kind */
	int32_t group;                         /* IOMMU group number; -1 where there is none */
	int32_t numa_node;                     /* -1 where unknown */
	uint8_t driver_fixed;                  /* 1: the bound driver has no bind and unbind attributes */
	uint8_t no_iommu;                      /* 1: its group was made by VFIO's no-IOMMU mode: nothing isolates it */
	uint8_t reserved[2];                   /* 0 */
	union {
		struct pci_function pci; /* read it by device_pci() */
		unsigned char details[DEVICE_DETAILS_SIZE];
	};
};

/* A driver's name as sysfs can have it: [A-Za-z0-9_.+-]{1,63} or, if empty is true, "". */
bool driver_name_is_valid(const char *text, bool empty);
/* True if every string ends within its array and has a legal alphabet and every number is in its range. */
bool device_is_sane(const struct device *device);

/* The row of its kind. For devices that are sane, as all those below. */
const struct device_kind_row *device_kind_of(const struct device *device);
/* True for a PCI function. What it has as one: all zero if it is none. */
bool device_is_pci(const struct device *device);
const struct pci_function *device_pci(const struct device *device);
/* True for a PCI-to-PCI bridge, which is never claimed and never moved. */
bool device_is_bridge(const struct device *device);
/* The IOMMU group that a claim of it takes as a whole; -1: none, or it locks nothing out. */
int32_t device_claimed_group(const struct device *device);
/* True if only an IOMMU group could isolate it, and it has none. */
bool device_lacks_group(const struct device *device);
/* True if both can only have the same owner, as members of one group. */
bool device_shares_group(const struct device *device, const struct device *other);
/* True if something holds back its DMA: its IOMMU group, or what its kind has in place of one. */
bool device_is_isolated(const struct device *device);
bool device_can_be_reset(const struct device *device);
/* True if a claim can deliver it so. */
bool device_is_delivered(const struct device *device, enum delivery_mode mode, enum vfio_interface interface);
/* True if a claim moves it from one driver to another. */
bool device_is_moved(const struct device *device);
/* True if the bound driver is a VFIO driver by the proof that counts: it has a node. */
bool device_is_on_vfio(const struct device *device);
/* True if a driver is bound that is none of VFIO's: the host itself may use the device. */
bool device_is_on_host_driver(const struct device *device);
