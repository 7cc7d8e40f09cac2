/*
 * A VM manager in small, in C with sd-bus: asks ioasidd over the system bus for a device, gets descriptors that are
 *ready for use, keeps the claim until it is asked to give it back or a line comes in, and gives it back.
 *
 *	cc -o claim-device claim-device.c $(pkg-config --cflags --libs libsystemd)
 *	./claim-device 0000:01:00.0
 *
 * The interface is described in /usr/share/dbus-1/interfaces/org.ioasid1.xml and org.ioasid1(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME "org.ioasid1"
#define ROOT "/org/ioasid1"
#define MANAGER "org.ioasid1.Manager"
#define CLAIM "org.ioasid1.Claim"

/* A change of the host can take long: drivers are unbound, devices are reset. */
#define PATIENCE_USEC (120 * 1000 * 1000ULL)

/* What this program wants of the dictionaries in replies. -1: not there. The descriptors are its own. */
struct details {
	int lease;   /* whoever holds the last copy keeps the claim */
	int context; /* an iommufd, or, without iommufd, a VFIO container */
	int device;
	int group; /* without iommufd: of the device's group */
	int64_t ioas_id;
};

/* Takes one entry {sv} of a reply, if it is one that is wanted. Those of the message are closed with it: so they are
 * copied. */
static int take_entry(sd_bus_message *reply, struct details *out)
{
	const char *key, *type;
	int fd, result = sd_bus_message_read(reply, "s", &key);

	if (result >= 0)
		result = sd_bus_message_peek_type(reply, NULL, &type);
	if (result < 0)
		return result;
	if (strcmp(type, "h") == 0) {
		int *place = strcmp(key, "lease") == 0      ? &out->lease
			     : strcmp(key, "fd") == 0       ? &out->device
			     : strcmp(key, "group_fd") == 0 ? &out->group
							    : &out->context;

		result = sd_bus_message_read(reply, "v", "h", &fd);
		if (result >= 0)
			*place = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return result < 0 ? result : *place < 0 ? -errno : 0;
	}
	if (strcmp(key, "ioas_id") == 0 && strcmp(type, "x") == 0)
		return sd_bus_message_read(reply, "v", "x", &out->ioas_id);
	return sd_bus_message_skip(reply, "v");
}

/* Reads a dictionary a{sv}. */
static int take_details(sd_bus_message *reply, struct details *out)
{
	int result = sd_bus_message_enter_container(reply, 'a', "{sv}");

	while (result >= 0 && (result = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
		result = take_entry(reply, out);
		if (result >= 0)
			result = sd_bus_message_exit_container(reply);
	}
	return result < 0 ? result : sd_bus_message_exit_container(reply);
}

/* Says what the daemon said: its messages are for people. */
static int fail(const char *what, const sd_bus_error *error, int result)
{
	fprintf(stderr, "%s: %s\n", what, error->message ? error->message : strerror(-result));
	return -1;
}

/* Claims one device. *path: the claim's object, which the caller frees. */
static int claim(sd_bus *bus, const char *device, char **path, struct details *out)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = NULL, *reply = NULL;
	const char *object;
	int result = sd_bus_message_new_method_call(bus, &call, NAME, ROOT, MANAGER, "Claim");

	if (result >= 0)
		/* One device, and one option; programs like QEMU, which bind the device themselves, take mode "open".
		 */
		result = sd_bus_message_append(call, "asa{sv}", 1, device, 1, "mode", "s", "attached");
	if (result >= 0)
		result = sd_bus_call(bus, call, PATIENCE_USEC, &error, &reply);
	if (result >= 0)
		result = sd_bus_message_read(reply, "o", &object);
	if (result >= 0)
		result = take_details(reply, out);
	if (result >= 0 && !(*path = strdup(object)))
		result = -ENOMEM;
	if (result < 0)
		fail("no claim", &error, result);
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return result < 0 ? -1 : 0;
}

static int on_revocation(sd_bus_message *signal, void *context, sd_bus_error *error)
{
	uint64_t usec;

	if (sd_bus_message_read(signal, "t", &usec) >= 0)
		printf("asked to give the device back within %.1f s\n", (double)usec / 1e6);
	*(int *)context = 1;
	return 0;
}

/*
 * Gets the device's descriptor, and says that all was received: only then the claim is held. *asked becomes 1 when it
 * is to be given back.
 */
static int take_device(sd_bus *bus, const char *path, const char *device, struct details *out, int *asked)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	int result = sd_bus_match_signal(bus, NULL, NAME, path, CLAIM, "RevocationAsked", on_revocation, asked);

	if (result >= 0)
		result = sd_bus_call_method(bus, NAME, path, CLAIM, "OpenDevice", &error, &reply, "s", device);
	if (result >= 0)
		result = take_details(reply, out);
	if (result >= 0)
		result = sd_bus_call_method(bus, NAME, path, CLAIM, "Acknowledge", &error, NULL, "");
	if (result < 0)
		fail("the device was not received", &error, result);
	sd_bus_error_free(&error);
	sd_bus_message_unref(reply);
	return result < 0 ? -1 : 0;
}

/* Until a line comes in, or the claim is asked back. The claim itself needs no connection, only the lease. */
static void wait_for_the_end(sd_bus *bus, const int *asked)
{
	for (;;) {
		struct pollfd wait[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = sd_bus_get_fd(bus) } };
		int result;

		while ((result = sd_bus_process(bus, NULL)) > 0)
			;
		wait[1].events = (short)sd_bus_get_events(bus);
		if (result < 0 || *asked || poll(wait, 2, -1) < 0 || wait[0].revents)
			return;
	}
}

static void release(sd_bus *bus, const char *path)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = NULL, *reply = NULL;
	const char *state, *note;
	int result = sd_bus_message_new_method_call(bus, &call, NAME, path, CLAIM, "Release");

	if (result >= 0)
		result = sd_bus_call(bus, call, PATIENCE_USEC, &error, &reply);
	if (result >= 0)
		result = sd_bus_message_read(reply, "ss", &state, &note);
	if (result < 0)
		fail("not released", &error, result);
	else
		printf("released: %s%s%s\n", state, note[0] ? ": " : "", note);
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
}

static void close_all(struct details *details)
{
	int *fd[] = { &details->device, &details->group, &details->context };

	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		if (*fd[i] >= 0)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

int main(int count, char **argument)
{
	struct details details = { .lease = -1, .context = -1, .device = -1, .group = -1 };
	char *path = NULL;
	sd_bus *bus = NULL;
	int status = EXIT_FAILURE, asked = 0, result;

	if (count != 2) {
		fprintf(stderr, "usage: %s DEVICE\n", argument[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	result = sd_bus_open_system(&bus);
	if (result < 0) {
		fprintf(stderr, "no system bus: %s\n", strerror(-result));
		return EXIT_FAILURE;
	}
	if (claim(bus, argument[1], &path, &details) == 0 &&
	    take_device(bus, path, argument[1], &details, &asked) == 0) {
		printf("%s: device is descriptor %d, context %d, IOAS %lld\n", argument[1], details.device,
		       details.context, (long long)details.ioas_id);
		/*
		 * Here memory is mapped (IOMMU_IOAS_MAP with the iommufd and IOAS, or VFIO_IOMMU_MAP_DMA with the
		 * container), and the device is driven by its descriptor.
		 */
		wait_for_the_end(bus, &asked);
		/* All but the lease: the devices are proven free while the claim is still there to answer. */
		close_all(&details);
		release(bus, path);
		status = EXIT_SUCCESS;
	}
	close_all(&details);
	if (details.lease >= 0)
		close(details.lease);
	free(path);
	sd_bus_flush_close_unref(bus);
	return status;
}
