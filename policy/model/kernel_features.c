#include "kernel_features.h"

#include <errno.h>

int kernel_interface(const struct kernel_features *kernel)
{
	if (kernel->iommufd && kernel->vfio_cdev)
		return INTERFACE_IOMMUFD;
	return kernel->vfio_group ? INTERFACE_GROUP : -ENOTSUP;
}
