#include "host_features.h"

#include "../../../policy/util/text.h"

#include <stdlib.h>
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

/* The kernel reserves the numbers of VFIO's cdevs as soon as it can make them; the folder in /dev comes with the first.
 */
static bool makes_cdevs(const struct host *host)
{
	FILE *stream = sysfs_lines(host->proc, "devices");
	size_t allocated = 0;
	char *line = NULL;
	bool found = false;

	while (stream && !found && getline(&line, &allocated, stream) > 0) {
		size_t length = strcspn(line, "\n");

		found = length > 9 && strncmp(line + length - 9, " vfio-dev", 9) == 0;
	}
	free(line);
	if (stream)
		fclose(stream);
	return found;
}

void host_features_read(const struct host *host, struct kernel_features *out)
{
	struct kernel_features features = { 0 };
	struct utsname name;

	features.iommufd = is_character_device(host->dev, "iommu");
	features.vfio_cdev = makes_cdevs(host);
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
