#include "survey_display.h"

#include "../../../policy/util/text.h"
#include "class_links.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Where the text console is shown. */
struct console {
	bool frame_buffer;            /* a frame buffer shows it */
	bool vga;                     /* the VGA text mode shows it */
	char shown_on[64];            /* the frame buffer: "fb0" */
	char device[DEVICE_NAME_MAX]; /* its function; "": the firmware's, which belongs to the boot display */
};

/* Which of the kernel's console drivers is in force. */
static int read_console_drivers(const struct host *host, struct console *console)
{
	DIR *stream = sysfs_list(host->sys, "class/vtconsole");
	const struct dirent *entry;

	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* a kernel without virtual terminals */
	while ((entry = sysfs_next(stream))) {
		char path[300], name[128], bound[8];

		snprintf(path, sizeof(path), "class/vtconsole/%s/bind", entry->d_name);
		if (sysfs_read(host->sys, path, bound, sizeof(bound)) < 0 || strcmp(bound, "1") != 0)
			continue;
		snprintf(path, sizeof(path), "class/vtconsole/%s/name", entry->d_name);
		if (sysfs_read(host->sys, path, name, sizeof(name)) < 0)
			continue;
		console->frame_buffer = console->frame_buffer || strstr(name, "frame buffer");
		console->vga = console->vga || strstr(name, "VGA");
	}
	closedir(stream);
	return 0;
}

/* The console is on the first frame buffer, unless somebody moved it: which one sysfs does not tell. */
static int find_console(const struct host *host, struct console *console)
{
	struct class_links links;
	unsigned long lowest = ULONG_MAX;
	int error = read_console_drivers(host, console);

	if (error < 0 || !console->frame_buffer)
		return error;
	error = class_links_read(host, "graphics", &links);
	if (error < 0)
		return error;
	for (size_t i = 0; i < links.count; i++) {
		const struct class_link *link = &links.link[i];
		uint64_t number;

		if (strncmp(link->name, "fb", 2) != 0 || number_parse(link->name + 2, 255, &number) < 0 ||
		    number >= lowest)
			continue;
		lowest = number;
		memcpy(console->shown_on, link->name, sizeof(console->shown_on));
		memcpy(console->device, link->device, sizeof(console->device));
	}
	class_links_done(&links);
	return 0;
}

static bool is_boot_display(const struct host *host, const char *device)
{
	char path[DEVICE_NAME_MAX + 40], text[8];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/boot_vga", device);
	return sysfs_read(host->sys, path, text, sizeof(text)) == 0 && strcmp(text, "1") == 0;
}

int survey_display(const struct host *host, const struct device *device, size_t count, struct uses *uses)
{
	struct console console = { .frame_buffer = false };
	bool any = false;
	int error;

	for (size_t i = 0; i < count && !any; i++)
		any = device_pci(&device[i])->class_code >> 16 == 0x03;
	error = any ? find_console(host, &console) : 0;
	for (size_t i = 0; i < count && error == 0; i++) {
		struct use use = { .kind = USE_DISPLAY, .severity = SEVERITY_DISRUPTIVE };
		bool boot;

		if (device_pci(&device[i])->class_code >> 16 != 0x03 || device_is_on_vfio(&device[i]))
			continue;
		text_format(use.device, sizeof(use.device), "%s", device[i].name);
		boot = is_boot_display(host, device[i].name);
		if (console.frame_buffer && strcmp(console.device, device[i].name) == 0) {
			text_format(use.text, sizeof(use.text), "%s > console of the host", console.shown_on);
		} else if (console.frame_buffer && !console.device[0] && boot) {
			text_format(use.text, sizeof(use.text), "boot display > %s > console of the host",
				    console.shown_on[0] ? console.shown_on : "frame buffer of the firmware");
		} else if (console.vga && boot) {
			text_format(use.text, sizeof(use.text), "boot display > VGA text > console of the host");
		} else if (boot) {
			use.severity = SEVERITY_IDLE;
			text_format(use.text, sizeof(use.text), "boot display, without a console");
		} else {
			continue;
		}
		error = uses_add(uses, &use);
	}
	return error;
}
