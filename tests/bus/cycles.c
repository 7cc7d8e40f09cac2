/*
 * Claims one device over the bus and gives it back, as often as asked: claim, open, acknowledge, release.
 *
 * usage: cycles DEVICE NUMBER; the bus is DBUS_SYSTEM_BUS_ADDRESS. Prints how long each took, in microseconds, a line
 * each.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define NAME "org.ioasid1"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void die(const char *what, const sd_bus_error *error, int result)
{
	fprintf(stderr, "%s: %s\n", what, error->message ? error->message : strerror(-result));
	exit(EXIT_FAILURE);
}

/* The lease out of the dictionary; the rest is closed with the message. */
static int take_lease(sd_bus_message *reply)
{
	const char *key, *type;
	int fd, lease = -1;

	sd_bus_message_enter_container(reply, 'a', "{sv}");
	while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
		sd_bus_message_read(reply, "s", &key);
		if (strcmp(key, "lease") == 0 && sd_bus_message_peek_type(reply, NULL, &type) > 0 &&
		    strcmp(type, "h") == 0 && sd_bus_message_read(reply, "v", "h", &fd) >= 0)
			lease = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		else
			sd_bus_message_skip(reply, "v");
		sd_bus_message_exit_container(reply);
	}
	return lease;
}

static void cycle(sd_bus *bus, const char *device)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL, *opened = NULL;
	const char *claim;
	int lease, result = sd_bus_call_method(bus, NAME, "/org/ioasid1", NAME ".Manager", "Claim", &error, &reply,
					       "asa{sv}", 1, device, 0);

	if (result < 0 || sd_bus_message_read(reply, "o", &claim) < 0)
		die("Claim", &error, result);
	lease = take_lease(reply);
	result = sd_bus_call_method(bus, NAME, claim, NAME ".Claim", "OpenDevice", &error, &opened, "s", device);
	if (result < 0)
		die("OpenDevice", &error, result);
	sd_bus_message_unref(opened);
	result = sd_bus_call_method(bus, NAME, claim, NAME ".Claim", "Acknowledge", &error, NULL, "");
	if (result < 0)
		die("Acknowledge", &error, result);
	/* The context goes with the message, so that nothing holds the device but the lease. */
	char *path = strdup(claim);

	sd_bus_message_unref(reply);
	result = sd_bus_call_method(bus, NAME, path, NAME ".Claim", "Release", &error, NULL, "");
	if (result < 0)
		die("Release", &error, result);
	free(path);
	close(lease);
}

int main(int count, char **argument)
{
	sd_bus *bus = NULL;
	int result = sd_bus_open_system(&bus);

	if (count != 3 || result < 0)
		return EXIT_FAILURE;
	for (int i = atoi(argument[2]); i > 0; i--) {
		double begin = now();

		cycle(bus, argument[1]);
		printf("%.0f\n", now() - begin);
	}
	sd_bus_flush_close_unref(bus);
	return EXIT_SUCCESS;
}
