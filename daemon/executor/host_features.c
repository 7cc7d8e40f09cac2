#include "host_features.h"

#include "../../policy/text.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

static bool is_character_device(int folder, const char *name)
{
	struct stat status;

	return fstatat(folder, name, &status, 0) == 0 && S_ISCHR(status.st_mode);
}

/* Module parameters of type bool read as Y or N. */
static bool is_on(const struct host *host, const char *parameter)
{
	char text[8];

	return sysfs_read(host->sys, parameter, text, sizeof(text)) == 0 &&
	       (strcmp(text, "Y") == 0 || strcmp(text, "1") == 0);
}

void host_features_read(const struct host *host, struct kernel_features *out)
{
	struct kernel_features features = { 0 };
	struct utsname name;
	struct stat status;

	features.iommufd = is_character_device(host->dev, "iommu");
	/* The class is there as soon as VFIO can make cdevs; the folder in /dev only once it has made one. */
	features.vfio_cdev = fstatat(host->sys, "class/vfio-dev", &status, 0) == 0;
	features.vfio_group = is_character_device(host->dev, "vfio/vfio");
	features.unsafe_interrupts = is_on(host, "module/iommufd/parameters/allow_unsafe_interrupts") ||
				     is_on(host, "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	features.noiommu = is_on(host, "module/vfio/parameters/enable_unsafe_noiommu_mode");
	if (uname(&name) == 0)
		text_format(features.release, sizeof(features.release), "%s", name.release);
	*out = features;
}

void host_features_boot_id(const struct host *host, char out[static BOOT_ID_MAX])
{
	if (sysfs_read(host->proc, "sys/kernel/random/boot_id", out, BOOT_ID_MAX) < 0)
		out[0] = '\0';
}
