/*
 * The simulated host's state: its devices, their groups and buses, what the host does with them, and who has which file
 * open. Told to listeners as it changes. How the state changes is the matter of simulated_kernel.c; only that file, and
 * the functions here, write to these structures.
 */
#pragma once

#include "acl.h"
#include "audit_log.h"
#include "stand_in.h"
#include "simulated_units.h"

#include "../../policy/decide/decide.h"
#include "../../policy/util/name_table.h"
#include "../../policy/report/snapshot_json.h"

struct machine;
struct simulated_device;

/* Waits for something on a device to come free: a file closed, an unbind through, the device gone. All zero: not. */
struct waiter {
	TAILQ_ENTRY(waiter) link;        // simulated_device::waiters
	struct simulated_device *device; /* NULL: it waits for nothing */
	/* Called once, and waits for nothing then. May only take a note: it must change nothing on the machine. */
	void (*wake)(struct waiter *waiter);
};

/* One iommufd, or one container of VFIO's. */
struct context {
	struct stand_in stand_in;
	char key[24]; /* its stand-in's inode, in machine::contexts while there are FDs of it */
	struct machine *machine;
	bool open;            /* there are FDs of it */
	bool container;       /* it is a container: it has groups, and neither objects nor address spaces */
	size_t files;         /* that are bound to it, or groups that are in it: they keep it, too */
	uint32_t last_object; /* objects of the iommufd are numbered from 1 */
	uint32_t *ioas;       /* those of them that are address spaces */
	size_t ioas_count;
};

/* The one open file that a group can have. */
struct group_file {
	struct stand_in stand_in;
	TAILQ_ENTRY(group_file) link; // machine::group_files
	struct machine *machine;
	struct simulated_group *group;   /* NULL: its last device has left VFIO, and another can open the group anew */
	struct context *container;       /* NULL: in none */
	TAILQ_HEAD(, device_file) files; /* devices that were opened by it: they keep it, too */
	bool open;                       /* there are FDs of it */
};

/* One open file of a device, by its cdev or by its group. */
struct device_file {
	struct stand_in stand_in;
	TAILQ_ENTRY(device_file) link;          // simulated_device::files
	TAILQ_ENTRY(device_file) bound_link;    // simulated_group::bound, if there is a context
	TAILQ_ENTRY(device_file) by_group_link; // group_file::files, if it was opened by its group
	struct simulated_device *device;
	struct group_file *by_group; /* NULL: opened by its cdev */
	struct context *context;     /* NULL: not bound */
	uint32_t ioas;               /* it is attached to; 0: none */
};

/* An IOMMU group, as far as DMA goes: its members are the topology's. */
struct simulated_group {
	char key[16]; /* its number, in machine::groups */
	int32_t number;
	size_t members;
	size_t host_drivers;             /* members that are bound to a driver which uses the host's DMA */
	TAILQ_HEAD(, device_file) bound; /* files of members that are bound, all of them to one context: its owner */
	struct group_file *opened;       /* NULL: nobody has it open */
};

struct bus {
	char key[16]; /* domain and bus number, in machine::buses */
	size_t devices;
};

/* A use, and the driver that was bound when it was said: it is in force while that is so. A holder always is. */
struct said_use {
	struct use use;
	char driver[DRIVER_NAME_MAX];
};

struct simulated_device {
	TAILQ_ENTRY(simulated_device) link;         // machine::devices
	TAILQ_ENTRY(simulated_device) changed_link; // machine::changed
	TAILQ_ENTRY(simulated_device) leaving_link; // machine::leaving
	TAILQ_HEAD(, device_file) files;
	TAILQ_HEAD(, waiter) waiters;
	struct machine *machine;
	struct device now;               /* as sysfs shows it */
	struct acl acl;                  /* of its nodes */
	char (*driver)[DRIVER_NAME_MAX]; /* as in its description */
	size_t driver_count;
	char vendor_vfio[DRIVER_NAME_MAX]; /* a vendor's driver that offers VFIO without being called so; or "" */
	struct said_use *use;
	size_t use_count;
	struct simulated_group *group; /* NULL: none */
	struct bus *bus;               /* NULL: it is no PCI function */
	const void *plan;              /* the one plan that is at work on it; NULL: none */
	const void *locked_by; /* whose unbind waits for the last close, and has the device's lock; NULL: nobody's */
	bool leaving;          /* unplugged, and gone with the last close */
	bool changed;          /* in machine::changed */
	bool on_vfio;          /* its driver is a VFIO driver: until that is unbound, longer than there is a node */
};

/* Told of changes, when machine_publish() is called. Lives in its owner. */
struct machine_listener {
	TAILQ_ENTRY(machine_listener) link; // machine::listeners
	void (*changed)(struct machine_listener *listener, const struct device *device);
	/* Called at once, while the device is in the list of devices still. */
	void (*gone)(struct machine_listener *listener, const struct simulated_device *device);
};

struct machine {
	struct loop *loop;
	struct kernel_features kernel;
	bool has_vfio_pci; /* the kernel has the driver vfio-pci */
	char boot_id[40];
	TAILQ_HEAD(, simulated_device) devices;
	TAILQ_HEAD(, simulated_device) changed;
	TAILQ_HEAD(, simulated_device) leaving; /* unplugged, and closed by all: removed when the loop comes round */
	struct timer departure;
	TAILQ_HEAD(, machine_listener) listeners;
	struct topology *topology; /* the same devices, for the policy core */
	struct name_table by_name; /* simulated_device by name */
	struct name_table groups;
	struct name_table buses;
	struct name_table contexts; /* those that are open */
	TAILQ_HEAD(, group_file) group_files;
	struct ledger *given;     /* what the executor has given, and whom */
	struct acl container_acl; /* of /dev/vfio/vfio */
	struct audit_log audit_log;
	struct units units;
	uint64_t unmapped; /* how many times a context was emptied */
	uint64_t last_identity;
	uint64_t *vfio_number; /* bit N: vfioN is taken */
	size_t vfio_words;
	size_t vfio_hint; /* no word before this one has a bit free */
};

/* 0, -ENOMEM, -errno. The loop has to outlive the machine. */
int machine_new(struct loop *loop, struct machine **out);
/* No file and no context may be open any more: see kernel_close_all(). */
struct machine *machine_free(struct machine *machine);

/*
 * Adds a device under a new identity; the description stays the caller's. 0; -EEXIST: there is a device of that name;
 * -EADDRINUSE: another device has its vfio_node; -ENOMEM. On failure nothing has changed.
 */
int machine_add(struct machine *machine, const struct device_description *description);
/* Takes a device out that nobody has open. Frees it. */
void machine_remove(struct simulated_device *device);
struct simulated_device *machine_find(const struct machine *machine, const char *name);

/* Says that the host does something with the device, as it is now. 0, -ENOMEM. */
int machine_add_use(struct simulated_device *device, const struct use *use);
void machine_clear_uses(struct simulated_device *device);
/* Appends the uses of a device that are in force, and those by its driver and virtual functions. 0, -ENOMEM. */
int machine_list_uses(const struct simulated_device *device, struct uses *uses);

/* A number for a VFIO node, or -ENOMEM: the lowest that is free, as the kernel does it; or this very one, if wanted
 * is not negative: -EADDRINUSE. */
int machine_take_vfio_number(struct machine *machine, int wanted);
void machine_free_vfio_number(struct machine *machine, int number);

/* Notes that device->now was written to. */
void machine_note_change(struct simulated_device *device);
/* Tells the listeners of all devices that have changed since, each once. */
void machine_publish(struct machine *machine);
void machine_listen(struct machine *machine, struct machine_listener *listener);
void machine_unlisten(struct machine *machine, struct machine_listener *listener);

void waiter_wait(struct waiter *waiter, struct simulated_device *device);
void waiter_cancel(struct waiter *waiter);
void machine_wake(struct simulated_device *device);

/* True for a driver that does DMA in the host's name, and so takes part in the ownership of the group. */
bool driver_uses_host_dma(const struct simulated_device *device);
