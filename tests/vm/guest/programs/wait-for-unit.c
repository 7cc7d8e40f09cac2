/*
 * Waits by systemd's signals until a unit is in a state; systemctl waits only for jobs of its own.
 *
 * usage: wait-for-unit SECONDS UNIT STATE…
 *   STATE  an ActiveState (active, inactive, failed, …) or a SubState (running, dead, auto-restart, …)
 * status: 0 it is in one of them, and prints which; 1 SECONDS passed (told on stderr, with the state that it is in)
 */
#include "rig.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define UNIT_INTERFACE SYSTEMD ".Unit"

/* A unit that nobody has loaded is inactive. */
static char *read_state(sd_bus *bus, const char *path, const char *property)
{
	char *state = NULL;

	if (sd_bus_get_property_string(bus, SYSTEMD, path, UNIT_INTERFACE, property, NULL, &state) < 0)
		state = strdup("inactive");
	if (!state)
		die("no memory");
	return state;
}

static bool is_wanted(const char *state, char **wanted)
{
	for (; *wanted; wanted++)
		if (strcmp(state, *wanted) == 0) {
			puts(state);
			return true;
		}
	return false;
}

/* Takes whatever has come; any of it is a reason to look again. */
static void wait_for_signal(sd_bus *bus, uint64_t us)
{
	int done = sd_bus_process(bus, NULL);

	if (done == 0)
		done = sd_bus_wait(bus, us);
	if (done < 0)
		die("the bus has ended: %s", strerror(-done));
}

int main(int argc, char **argv)
{
	sd_bus *bus = NULL;
	char *path = NULL;
	char *match = NULL;
	char *active;
	char *sub;
	uint64_t deadline;
	uint64_t now;
	int error;

	if (argc < 4)
		die("usage: wait-for-unit SECONDS UNIT STATE…");
	deadline = now_us() + number_of("SECONDS", argv[1], 3600) * 1000000;
	error = sd_bus_open_system(&bus);
	if (error >= 0)
		error = sd_bus_path_encode("/org/freedesktop/systemd1/unit", argv[2], &path);
	if (error >= 0 && asprintf(&match, "type='signal',sender='" SYSTEMD "',path='%s'", path) < 0)
		die("no memory");
	if (error >= 0)
		error = sd_bus_add_match(bus, NULL, match, NULL, NULL);
	if (error >= 0)
		error = sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager", "Subscribe",
					   NULL, NULL, NULL);
	if (error < 0)
		die("can't ask systemd: %s", strerror(-error));
	for (;;) {
		active = read_state(bus, path, "ActiveState");
		sub = read_state(bus, path, "SubState");
		if (is_wanted(active, argv + 3) || is_wanted(sub, argv + 3))
			return 0;
		now = now_us();
		if (now >= deadline)
			die("%s is still %s (%s)", argv[2], active, sub);
		free(active);
		free(sub);
		wait_for_signal(bus, deadline - now);
	}
}
