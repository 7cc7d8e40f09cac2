#include "stop_unit.h"

#include "../../../policy/util/text.h"
#include "../../base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

/* Longer than a unit gets by default to stop, and to be killed after that. */
enum { UNIT_PATIENCE_MSEC = 120000 };

/*
 * What is used of libsystemd, which is loaded by those who stop something: with its own libraries it would take a
 * megabyte of every process of the executor's.
 */
#define CALLS(call) \
	call(sd_bus_new) call(sd_bus_set_address) call(sd_bus_start) call(sd_bus_unref) call(sd_bus_match_signal) \
		call(sd_bus_call_method) call(sd_bus_process) call(sd_bus_wait) call(sd_bus_message_read) \
			call(sd_bus_message_unref) call(sd_bus_error_has_name) call(sd_bus_error_free)
#define DECLARE(name) __typeof__(name) *name;
static struct {
	CALLS(DECLARE)
} call;
static bool loaded;

static const char manager[] = "org.freedesktop.systemd1";
static const char manager_path[] = "/org/freedesktop/systemd1";
static const char manager_interface[] = "org.freedesktop.systemd1.Manager";

/* The job that is waited for. */
struct waiting {
	char job[128];
	char result[32]; /* "done", "timeout", …; "" as long as it runs */
};

static void conclude(struct wire_stopped *out, enum wire_stop_outcome outcome, int error)
{
	out->outcome = outcome;
	out->error = error;
}

static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct waiting *waiting = context;
	const char *job, *unit, *result;
	uint32_t id;

	if (call.sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0 && strcmp(job, waiting->job) == 0)
		text_format(waiting->result, sizeof(waiting->result), "%s", result);
	return 0;
}

void stop_unit_prepare(void)
{
	void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);

#define FIND(name) \
	call.name = library ? (__typeof__(name) *)dlsym(library, #name) : NULL; \
	loaded = loaded && call.name;
	loaded = true;
	CALLS(FIND)
}

/* Connects as systemctl does: whoever is root needs no bus, which may be late, or restart, or not be there. */
static int connect_to_manager(sd_bus **bus)
{
	int error = call.sd_bus_new(bus);

	if (error >= 0)
		error = call.sd_bus_set_address(*bus, "unix:path=/run/systemd/private");
	return error < 0 ? error : call.sd_bus_start(*bus);
}

/* Asks for the stop. 0 with the job's path, 1: there is no such unit any more, or -errno. */
static int begin(sd_bus *bus, const char *unit, struct waiting *waiting, sd_bus_error *said)
{
	sd_bus_message *reply = NULL;
	const char *job;
	int error = call.sd_bus_match_signal(bus, NULL, NULL, manager_path, manager_interface, "JobRemoved",
					     on_job_removed, waiting);

	if (error >= 0)
		error = call.sd_bus_call_method(bus, manager, manager_path, manager_interface, "Subscribe", said, NULL,
						NULL);
	if (error >= 0)
		error = call.sd_bus_call_method(bus, manager, manager_path, manager_interface, "StopUnit", said, &reply,
						"ss", unit, "replace");
	if (error < 0)
		return call.sd_bus_error_has_name(said, "org.freedesktop.systemd1.NoSuchUnit") ? 1 : error;
	error = call.sd_bus_message_read(reply, "o", &job);
	if (error >= 0)
		text_format(waiting->job, sizeof(waiting->job), "%s", job);
	call.sd_bus_message_unref(reply);
	return error < 0 ? error : 0;
}

/* Waits for the end of the job. 0, -ETIMEDOUT, or other -errno. */
static int await(sd_bus *bus, const struct waiting *waiting)
{
	uint64_t begun = clock_milliseconds(), now = begun;

	while (!waiting->result[0] && now - begun < UNIT_PATIENCE_MSEC) {
		int error = call.sd_bus_process(bus, NULL);

		if (error == 0)
			error = call.sd_bus_wait(bus, (UNIT_PATIENCE_MSEC - (now - begun)) * 1000);
		if (error < 0 && error != -EINTR)
			return error;
		now = clock_milliseconds();
	}
	return waiting->result[0] ? 0 : -ETIMEDOUT;
}

static void run(sd_bus *bus, const char *unit, struct wire_stopped *out)
{
	sd_bus_error said = SD_BUS_ERROR_NULL;
	struct waiting waiting = { .job = "" };
	int error = begin(bus, unit, &waiting, &said);

	if (error == 0)
		error = await(bus, &waiting);
	if (error == 1 || (error == 0 && strcmp(waiting.result, "done") == 0)) {
		conclude(out, WIRE_STOP_GONE, 0);
	} else if (error == 0 || error == -ETIMEDOUT) {
		conclude(out, WIRE_STOP_STAYS, ETIMEDOUT);
		text_format(out->text, sizeof(out->text), "%s was told to stop but did not: %s", unit,
			    waiting.result[0] ? waiting.result : "it takes longer than two minutes");
	} else {
		conclude(out, WIRE_STOP_FAILED, -error);
		text_format(out->text, sizeof(out->text), "the service manager does not stop %s: %s", unit,
			    said.message ? said.message : strerror(-error));
	}
	call.sd_bus_error_free(&said);
}

void stop_unit(const char *unit, struct wire_stopped *out)
{
	sd_bus *bus = NULL;
	int error;

	/* As sd_booted() tells it. */
	if (!loaded || access("/run/systemd/system", F_OK) < 0) {
		conclude(out, WIRE_STOP_UNSUPPORTED, EOPNOTSUPP);
		text_format(
			out->text, sizeof(out->text),
			"cannot stop %s: this host does not run systemd. With \"stop\": \"process\" the rule allows "
			"stopping single processes",
			unit);
		return;
	}
	error = connect_to_manager(&bus);
	if (error >= 0) {
		run(bus, unit, out);
	} else {
		conclude(out, WIRE_STOP_FAILED, -error);
		text_format(out->text, sizeof(out->text), "cannot reach the service manager: %s", strerror(-error));
	}
	call.sd_bus_unref(bus);
}
