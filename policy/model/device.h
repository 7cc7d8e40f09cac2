/*
 * A device as the watcher saw it: plain data, fixed size, so that it travels over the wire as it is. Every string is
 * checked by device_is_sane() before anything else looks at it. Never touches the host.
 */
#pragma once

#include "../../include/words.h"

#include <stdbool.h>
#include <stdint.h>

/* Bits of device.reset_methods, in the order and with the names of the kernel's sysfs attribute reset_method. */
enum reset_method {
	RESET_METHOD_DEVICE_SPECIFIC = 1 << 0,
	RESET_METHOD_ACPI = 1 << 1,
	RESET_METHOD_FLR = 1 << 2,
	RESET_METHOD_AF_FLR = 1 << 3,
	RESET_METHOD_PM = 1 << 4,
	RESET_METHOD_BUS = 1 << 5,
	RESET_METHOD_CXL_BUS = 1 << 6,
};
/* The name of one bit as sysfs writes it ("flr"), or NULL. */
const char *reset_method_to_string(enum reset_method method);
/* The bit for a name as sysfs writes it, or -EINVAL. */
int reset_method_from_string(const char *text);

struct device {
	char name[DEVICE_NAME_MAX];              /* "0000:01:00.0" */
	char driver[DRIVER_NAME_MAX];            /* "" where none is bound */
	char driver_override[DRIVER_NAME_MAX];   /* "" where none is set */
	char parent[DEVICE_NAME_MAX];            /* the bridge above it; "" on a root bus */
	char physical_function[DEVICE_NAME_MAX]; /* of a virtual function; else "" */
	char vfio_node[32];                      /* name in its vfio-dev/ folder, "vfio0"; "" where there is none */
	uint64_t identity;                       /* changes when another device takes the same name (hotplug) */
	uint32_t kind;                           /* enum device_kind */
	uint32_t class_code;                     /* 24 bits: base class, subclass, programming interface */
	int32_t group;                           /* IOMMU group number; -1 where there is none */
	int32_t numa_node;                       /* -1 where unknown */
	uint32_t reset_methods;                  /* OR of enum reset_method */
	uint32_t virtual_functions;              /* enabled now, of a physical function */
	uint32_t virtual_functions_max;          /* that it could have */
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	uint8_t bridge;       /* 1: PCI-to-PCI bridge (header type 1); never claimed, never moved */
	uint8_t driver_fixed; /* 1: the bound driver has no bind and unbind attributes */
	uint8_t no_iommu;     /* 1: its group was made by VFIO's no-IOMMU mode: nothing isolates it */
	uint8_t reserved[5];  /* 0 */
};

/* A PCI address in full, lower case: "0000:01:00.0". */
bool pci_address_is_valid(const char *text);
/*
 * Writes the full form of an address that a person typed ("01:00.0", "0000:01:00.0", upper case hex too) into out.
 * Returns 0, or -EINVAL and leaves out alone.
 */
int pci_address_normalise(const char *text, char out[static DEVICE_NAME_MAX]);
/* A driver's name as sysfs can have it: [A-Za-z0-9_.+-]{1,63} or, if empty is true, "". */
bool driver_name_is_valid(const char *text, bool empty);
/* True if every string ends within its array and has a legal alphabet and every number is in its range. */
bool device_is_sane(const struct device *device);
/* "network controller" for a class code, from a short built-in table; "device" where it has none. */
const char *device_class_to_text(uint32_t class_code);
/* True if the bound driver is a VFIO driver by the proof that counts: it has a vfio-dev/ node. */
bool device_is_on_vfio(const struct device *device);
/* True if a driver is bound that is none of VFIO's: the host itself may use the device. */
bool device_is_on_host_driver(const struct device *device);
