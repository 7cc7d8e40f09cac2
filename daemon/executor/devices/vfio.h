/*
 * The ioctls of iommufd and of VFIO's cdevs, with what their errors mean. Knows no plan.
 */
#pragma once

#include "../../../include/words.h"
#include "../os/sysfs.h"

/*
 * All return 0 or -errno of the kernel, with one sentence in why on failure; *fd is the caller's on success.
 */

/* The node that a device has in its vfio-dev/ folder ("vfio0"). False: none. */
bool vfio_node_of(int folder, char node[static 32]);
/* Opens /dev/iommu, and has pinned memory counted for each process by itself (RLIMIT_MODE 1). */
int vfio_open_context(const struct host *host, int *fd, char why[static TEXT_MAX]);
/* The same without the accounting mode: for proofs, which pin nothing. */
int vfio_open_plain_context(const struct host *host, int *fd, char why[static TEXT_MAX]);
/* True if the FD is an iommufd. */
bool vfio_is_context(const struct host *host, int fd);
/* Opens the device's cdev, and checks that it is the one that sysfs names. */
int vfio_open_device(const struct host *host, const char *device, int folder, int *fd, char why[static TEXT_MAX]);
/* -EPERM: a member of its group has a host driver, or another context; -EINVAL: it is bound by somebody. */
int vfio_bind(const struct host *host, const char *device, int fd, int context, char why[static TEXT_MAX]);
int vfio_allocate_ioas(int context, uint32_t *ioas, char why[static TEXT_MAX]);
/*
 * Removes all mappings of the IOAS (0: none is known) and of every other that is found under a small number: a client
 * can make more, and numbers are all that the kernel tells. 0, or -errno where the known one can't be emptied.
 */
int vfio_empty_context(int context, uint32_t ioas, char why[static TEXT_MAX]);
int vfio_attach(const char *device, int fd, uint32_t ioas, char why[static TEXT_MAX]);

/*
 * Lists the members of the device's group that are bound to host drivers, bridges apart: "0000:02:02.0 (e1000)".
 * Returns how many; out is "" for none.
 */
unsigned vfio_members_on_host_drivers(const struct host *host, const char *device, char *out, size_t size);
