#include "watcher.h"

#include "../../base/log.h"
#include "../../base/wire.h"
#include "../devices/device_kind.h"
#include "device_events.h"
#include "known_devices.h"

#include <errno.h>
#include <libudev.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* As large as udevd's own; without CAP_NET_ADMIN the kernel gives less, and a rescan makes up for what is lost. */
enum { RECEIVE_BUFFER = 128 * 1024 * 1024 };

struct watcher {
	int socket;
	struct host host;
	struct timed_call *timed_call;
	struct udev *udev;
	struct udev_monitor *monitor;
	struct known_devices known;
};

/* Sends, and waits while the main process has no time. -errno: it is gone. */
static int tell(struct watcher *watcher, union wire_message *message, enum wire_type type)
{
	wire_stamp(message, type, 0);
	return wire_send(watcher->socket, message, NULL, 0);
}

static int tell_device(struct watcher *watcher, const struct device *device)
{
	union wire_message message;
	int error = known_devices_see(&watcher->known, device->name, device_pci(device)->physical_function);

	if (error < 0)
		return error;
	memset(&message.device, 0, sizeof(message.device));
	message.device.device = *device;
	return tell(watcher, &message, WIRE_DEVICE);
}

static int tell_gone(struct watcher *watcher, const char *name)
{
	union wire_message message;

	memset(&message.device_gone, 0, sizeof(message.device_gone));
	memcpy(message.device_gone.name, name, strlen(name) + 1);
	known_devices_forget(&watcher->known, name);
	return tell(watcher, &message, WIRE_DEVICE_GONE);
}

/*
 * Reads a device and tells how it is, or that it is gone. removed_node: a node of it that is being removed, and may be
 * seen still; "": none. 0 or -errno: nothing can be told any more.
 */
static int look_at(struct watcher *watcher, const char *name, const char *removed_node)
{
	struct device device;
	int error = device_read(&watcher->host, name, watcher->timed_call, &device);

	if (error >= 0) {
		if (strcmp(device.vfio_node, removed_node) == 0)
			memset(device.vfio_node, 0, sizeof(device.vfio_node));
		return tell_device(watcher, &device);
	}
	if (error == -ENOMEM)
		return error;
	/* What can't be read any more is as good as gone: nobody may have it on the strength of what was told before.
	 */
	return known_devices_find(&watcher->known, name) ? tell_gone(watcher, name) : 0;
}

/* The function whose virtual function this was told to be, or "". */
static void copy_physical_function(const struct watcher *watcher, const char *name, char out[static DEVICE_NAME_MAX])
{
	const struct known_device *known = known_devices_find(&watcher->known, name);

	out[0] = '\0';
	if (known && known->physical_function && strlen(known->physical_function) < DEVICE_NAME_MAX)
		memcpy(out, known->physical_function, strlen(known->physical_function) + 1);
}

static int look_at_changed(struct watcher *watcher, const struct device_event *event)
{
	char before[DEVICE_NAME_MAX], after[DEVICE_NAME_MAX];
	int error = 0;

	copy_physical_function(watcher, event->name, before);
	if (!event->removed)
		error = look_at(watcher, event->name, event->removed_node);
	else if (known_devices_find(&watcher->known, event->name))
		error = tell_gone(watcher, event->name);
	copy_physical_function(watcher, event->name, after);
	/* A virtual function that comes or goes changes how many the physical one has. */
	if (error == 0 && strcmp(before, after) != 0)
		error = look_at(watcher, before[0] ? before : after, "");
	return error;
}

/* Tells all devices that a bus has. */
static int scan_bus(struct watcher *watcher, const char *bus)
{
	const struct dirent *entry;
	char path[64];
	DIR *stream;
	int error = 0;

	snprintf(path, sizeof(path), "bus/%s/devices", bus);
	stream = sysfs_list(watcher->host.sys, path);
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (error == 0 && (entry = sysfs_next(stream)))
		if (strlen(entry->d_name) < DEVICE_NAME_MAX)
			error = look_at(watcher, entry->d_name, "");
	closedir(stream);
	return error;
}

/* Tells all devices there are, and that the others are gone. */
static int scan(struct watcher *watcher)
{
	const struct known_device *unseen;
	int error = 0;

	known_devices_unsee(&watcher->known);
	for (unsigned i = 0; device_bus(i) && error == 0; i++)
		error = scan_bus(watcher, device_bus(i));
	while (error == 0 && (unseen = known_devices_unseen(&watcher->known))) {
		char name[DEVICE_NAME_MAX];

		memcpy(name, unseen->name, strlen(unseen->name) + 1);
		error = tell_gone(watcher, name);
	}
	return error;
}

/* Says that udev was at work on a node of VFIO's: a group's, a cdev's, or the container's. 0 or -errno. */
static int tell_node(struct watcher *watcher, struct udev_device *event)
{
	const char *node = udev_device_get_devnode(event);
	union wire_message message;

	if (!node || strncmp(node, "/dev/vfio/", 10) != 0 || strlen(node + 5) >= sizeof(message.node.name))
		return 0;
	memset(&message.node, 0, sizeof(message.node));
	memcpy(message.node.name, node + 5, strlen(node + 5) + 1);
	return tell(watcher, &message, WIRE_NODE);
}

/* The same for all there are: what udev did to which of them was lost. */
static int tell_all_nodes(struct watcher *watcher)
{
	static const char *const folders[] = { "vfio", "vfio/devices" };
	int error = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		DIR *stream = sysfs_list(watcher->host.dev, folders[i]);
		const struct dirent *entry;

		while (stream && error == 0 && (entry = sysfs_next(stream))) {
			union wire_message message;

			memset(&message.node, 0, sizeof(message.node));
			if (entry->d_type == DT_CHR && strlen(entry->d_name) < 32) {
				snprintf(message.node.name, sizeof(message.node.name), "%s/%s", folders[i],
					 entry->d_name);
				error = tell(watcher, &message, WIRE_NODE);
			}
		}
		if (stream)
			closedir(stream);
	}
	return error;
}

/* Takes the events that are there, as far as there is place. lost: there were some that nobody could keep. 0 or -errno.
 */
static int take_events(struct watcher *watcher, struct device_events *events, bool *lost)
{
	*events = (struct device_events){ .count = 0 };
	*lost = false;
	while (events->count < DEVICE_EVENTS_MAX) {
		struct udev_device *event;
		int error;

		errno = 0;
		event = udev_monitor_receive_device(watcher->monitor);
		if (!event && errno == ENOBUFS) {
			*lost = true;
			break;
		}
		if (!event)
			return errno == 0 || errno == EAGAIN || errno == EINTR || errno == ENODATA ? 0 : -errno;
		device_events_note(events, udev_device_get_action(event), udev_device_get_subsystem(event),
				   udev_device_get_devpath(event));
		error = tell_node(watcher, event);
		udev_device_unref(event);
		if (error < 0)
			return error;
	}
	return 0;
}

/* Looks at whatever has changed. 0 or -errno. */
static int follow_events(struct watcher *watcher)
{
	struct device_events events;
	bool lost;

	do {
		int error = take_events(watcher, &events, &lost);

		if (error == 0 && lost) {
			log_notice("too many events, some were lost: scanning all devices again");
			error = scan(watcher);
			if (error == 0)
				error = tell_all_nodes(watcher);
		}
		for (size_t i = 0; i < events.count && error == 0 && !lost; i++)
			error = look_at_changed(watcher, &events.event[i]);
		if (error < 0)
			return error;
	} while (events.count == DEVICE_EVENTS_MAX || lost);
	return 0;
}

/* Listens before anything is read, so that no change falls between. */
static int start_listening(struct watcher *watcher)
{
	/* vfio-dev: cdevs; vfio: groups; misc: the container. */
	static const char *const subsystems[] = { "vfio-dev", "vfio", "misc" };
	/* Without udevd nobody passes the kernel's events on. */
	const char *source = access("/run/udev/control", F_OK) == 0 ? "udev" : "kernel";
	int error;

	watcher->udev = udev_new();
	if (!watcher->udev)
		return -ENOMEM;
	watcher->monitor = udev_monitor_new_from_netlink(watcher->udev, source);
	if (!watcher->monitor)
		return errno ? -errno : -ENOMEM;
	error = 0;
	for (unsigned i = 0; device_bus(i) && error >= 0; i++)
		error = udev_monitor_filter_add_match_subsystem_devtype(watcher->monitor, device_bus(i), NULL);
	for (size_t i = 0; i < sizeof(subsystems) / sizeof(*subsystems) && error >= 0; i++)
		error = udev_monitor_filter_add_match_subsystem_devtype(watcher->monitor, subsystems[i], NULL);
	udev_monitor_set_receive_buffer_size(watcher->monitor, RECEIVE_BUFFER);
	if (error >= 0)
		error = udev_monitor_enable_receiving(watcher->monitor);
	return error < 0 ? error : 0;
}

static int serve(struct watcher *watcher)
{
	struct pollfd poll_fd[2] = {
		{ .fd = watcher->socket, .events = POLLIN },
		{ .fd = udev_monitor_get_fd(watcher->monitor), .events = POLLIN },
	};

	for (;;) {
		int error;

		if (poll(poll_fd, 2, -1) < 0 && errno != EINTR)
			return -errno;
		/* Nobody says anything to the watcher: if there is something, it is the end. */
		if (poll_fd[0].revents)
			return 0;
		if (poll_fd[1].revents) {
			error = follow_events(watcher);
			if (error < 0)
				return error;
		}
	}
}

int watcher_main(int socket)
{
	struct watcher watcher = { .socket = socket };
	union wire_message message;
	int error = host_open(&watcher.host, "");

	if (error == 0) {
		watcher.timed_call = timed_call_new();
		error = watcher.timed_call ? start_listening(&watcher) : -ENOMEM;
	}
	if (error == 0)
		error = scan(&watcher);
	if (error == 0) {
		message.plain = (struct wire_plain){ 0 };
		error = tell(&watcher, &message, WIRE_TOPOLOGY_DONE);
	}
	if (error == 0)
		error = serve(&watcher);
	udev_monitor_unref(watcher.monitor);
	udev_unref(watcher.udev);
	known_devices_done(&watcher.known);
	timed_call_free(watcher.timed_call);
	host_close(&watcher.host);
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return EXIT_SUCCESS;
	log_error("cannot watch devices any longer: %s", strerror(-error));
	return EXIT_FAILURE;
}
