#include "survey_usb.h"

#include "../../../policy/util/text.h"
#include "class_links.h"
#include "device_index.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one USB controller's devices are told of; a rack of phones behind one is told in part. */
enum { USB_DEVICES_MAX = 64 };

struct asked {
	const struct host *host;
	struct device_index index; /* the functions that are asked about */
	struct uses *uses;
};

static bool is_asked(const struct asked *asked, const char *name)
{
	return device_index_find(&asked->index, name) != NULL;
}

static int add_use(const struct asked *asked, const char *device, enum use_kind kind, enum severity severity,
		   const char *text)
{
	struct use use = { .kind = kind, .severity = severity };

	text_format(use.device, sizeof(use.device), "%s", device);
	text_format(use.text, sizeof(use.text), "%s", text);
	return uses_add(asked->uses, &use);
}

/* One entry of /proc/bus/input/devices, while it is read. */
struct input {
	char name[128];
	struct class_link place;
	bool keyboard; /* the kernel takes its keys for the console */
	bool mouse;
	uint64_t events; /* bit set of EV_* */
};

/* The end of an entry: tells of it if it is a keyboard or a mouse of a function that is asked about. */
static int finish_input(const struct asked *asked, const struct input *input)
{
	/* The buttons of a machine or a head set are handled like keys, but none of them repeats. */
	bool keyboard = input->keyboard && (input->events >> EV_REP & 1);
	const char *name = input->name[0] ? input->name : "without a name";
	char text[TEXT_MAX];

	if ((!keyboard && !input->mouse) || !input->place.device[0] || !is_asked(asked, input->place.device))
		return 0;
	text_format(text, sizeof(text), "%s%s%s%s (%s)", input->place.usb[0] ? "USB " : "", input->place.usb,
		    input->place.usb[0] ? " > " : "", keyboard ? "keyboard" : "mouse", name);
	return add_use(asked, input->place.device, USE_INPUT, SEVERITY_DISRUPTIVE, text);
}

/* N: Name="AT keyboard"   S: Sysfs=/devices/…   H: Handlers=sysrq kbd event0   B: EV=120013 */
static void read_input_line(struct input *input, char *line)
{
	if (strncmp(line, "N: Name=\"", 9) == 0) {
		size_t length = strlen(line + 9);

		if (length > 0 && line[9 + length - 1] == '"')
			length--;
		text_escape(input->name, sizeof(input->name), line + 9, length);
	} else if (strncmp(line, "S: Sysfs=", 9) == 0) {
		class_link_parse(line + 9, &input->place);
	} else if (strncmp(line, "H: Handlers=", 12) == 0) {
		char *rest = line + 12, *word;

		while ((word = strsep(&rest, " "))) {
			input->keyboard = input->keyboard || strcmp(word, "kbd") == 0;
			input->mouse = input->mouse || strncmp(word, "mouse", 5) == 0;
		}
	} else if (strncmp(line, "B: EV=", 6) == 0) {
		char digits[24];

		snprintf(digits, sizeof(digits), "0x%.20s", line + 6);
		if (number_parse(digits, UINT64_MAX, &input->events) < 0)
			input->events = 0;
	}
}

static int find_inputs(const struct asked *asked)
{
	FILE *stream = sysfs_lines(asked->host->proc, "bus/input/devices");
	struct input input = { .events = 0 };
	char *line = NULL;
	size_t size = 0;
	int error = 0;

	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* a kernel without input devices */
	while (error == 0 && getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0') {
			error = finish_input(asked, &input);
			input = (struct input){ .events = 0 };
		} else {
			read_input_line(&input, line);
		}
	}
	if (error == 0)
		error = ferror(stream) ? -EIO : finish_input(asked, &input);
	free(line);
	fclose(stream);
	return error;
}

/* True for a device that something else tells more of, or a hub, which is of no use by itself. */
static bool is_told_elsewhere(const struct asked *asked, const char *device, const char *usb)
{
	char path[96], class_code[8], begin[48];

	snprintf(path, sizeof(path), "bus/usb/devices/%s/bDeviceClass", usb);
	if (sysfs_read(asked->host->sys, path, class_code, sizeof(class_code)) == 0 && strcmp(class_code, "09") == 0)
		return true;
	snprintf(begin, sizeof(begin), "USB %s > ", usb);
	for (size_t i = 0; i < asked->uses->count; i++)
		if (strcmp(asked->uses->use[i].device, device) == 0 &&
		    strncmp(asked->uses->use[i].text, begin, strlen(begin)) == 0)
			return true;
	return false;
}

static int add_usb_device(const struct asked *asked, const char *device, const char *usb)
{
	char path[96], product[128], text[TEXT_MAX];

	snprintf(path, sizeof(path), "bus/usb/devices/%s/product", usb);
	if (sysfs_read(asked->host->sys, path, product, sizeof(product)) < 0)
		snprintf(product, sizeof(product), "without a name");
	text_format(text, sizeof(text), "USB %s > device (%s)", usb, product);
	return add_use(asked, device, USE_USB, SEVERITY_IDLE, text);
}

/* The other devices on the bus: so that a person sees all that goes with the controller. */
static int find_usb_devices(const struct asked *asked)
{
	DIR *stream = sysfs_list(asked->host->sys, "bus/usb/devices");
	const struct dirent *entry;
	size_t told = 0;
	int error = 0;

	if (!stream)
		return errno == ENOENT ? 0 : -errno; /* a kernel without USB */
	while (error == 0 && told < USB_DEVICES_MAX && (entry = sysfs_next(stream))) {
		struct class_link link = { .number = 0 };
		char target[4096];

		if (sysfs_read_link(dirfd(stream), entry->d_name, target, sizeof(target)) < 0)
			continue;
		class_link_parse(target, &link);
		/* An interface of a device has the device above it, and a name of its own. */
		if (!link.usb[0] || strcmp(link.usb, entry->d_name) != 0 || !is_asked(asked, link.device) ||
		    is_told_elsewhere(asked, link.device, link.usb))
			continue;
		told++;
		error = add_usb_device(asked, link.device, link.usb);
	}
	closedir(stream);
	return error;
}

int survey_usb(const struct host *host, const struct device *device, size_t count, struct uses *uses)
{
	struct asked asked = { .host = host, .uses = uses };
	bool any_usb = false;
	int error;

	if (count == 0)
		return 0;
	error = device_index_begin(&asked.index, device, count);
	for (size_t i = 0; i < count; i++)
		any_usb = any_usb || device_pci(&device[i])->class_code >> 8 == 0x0c03;
	if (error == 0)
		error = find_inputs(&asked);
	if (error == 0 && any_usb)
		error = find_usb_devices(&asked);
	device_index_done(&asked.index);
	return error;
}
