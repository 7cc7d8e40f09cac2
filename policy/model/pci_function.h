/*
 * PCI functions, as a kind of device: their addresses, and what a struct device has of them beside what all devices
 * have. Never touches the host.
 */
#pragma once

#include "device_kind.h"

/* Bits of pci_function.reset_methods, in the order and with the names of the kernel's sysfs attribute reset_method. */
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

struct pci_function {
	uint32_t class_code;            /* 24 bits: base class, subclass, programming interface */
	uint32_t reset_methods;         /* OR of enum reset_method */
	uint32_t virtual_functions;     /* enabled now, of a physical function */
	uint32_t virtual_functions_max; /* that it could have */
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	char physical_function[DEVICE_NAME_MAX]; /* of a virtual function; else "" */
	uint8_t bridge;                          /* 1: PCI-to-PCI bridge (header type 1); never claimed, never moved */
	uint8_t reserved[7];                     /* 0 */
};

extern const struct device_kind_row pci_kind;

/* A PCI address in full, lower case: "0000:01:00.0". */
bool pci_address_is_valid(const char *text);
/*
 * Writes the full form of an address that a person typed ("01:00.0", "0000:01:00.0", upper case hex too) into out.
 * Returns 0, or -EINVAL and leaves out alone.
 */
int pci_address_normalise(const char *text, char out[static DEVICE_NAME_MAX]);
/* "network controller" for a class code, from a short built-in table; "device" where it has none. */
const char *device_class_to_text(uint32_t class_code);
