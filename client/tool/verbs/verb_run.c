#include "verb_run.h"

#include "../core/device_arguments.h"
#include "run_delivery.h"
#include "run_descriptors.h"
#include "run_placeholders.h"
#include "../core/reply.h"
#include "run_warnings.h"
#include "../core/session.h"

#include "../../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A run from the claim to the exec. */
struct takeover {
	struct device_names devices;
	const char *claimed[CLAIM_DEVICES_MAX]; /* what each of them has become: of a pool the device that was chosen */
	struct placeholder_needs needs;
	struct run_descriptors passing;
	char **command; /* with its placeholders replaced */
};

static int fail_exec(struct session *session, int status, const char *command)
{
	return session_fail(session, status, "%s \"%s\"; nothing was claimed",
			    status == COMMAND_NOT_FOUND ? "no such command" : "permission denied to execute", command);
}

static const char *asked_mode(const struct session *session)
{
	return session->line->mode != NULL ? session->line->mode : "attached";
}

/* All that can be known to be wrong before anybody is asked. */
static int check(struct session *session, struct takeover *takeover)
{
	char *const *command = session->line->command;
	char wrong[DEVICE_NAME_MAX + 12], why[512];
	int status = device_arguments_read(session, &takeover->devices);

	if (status != EXIT_DONE)
		return status;
	if (run_placeholders_check(command, &takeover->devices, &takeover->needs, wrong, sizeof(wrong)) < 0)
		return session_fail(
			session, EXIT_USAGE,
			"the command contains %s, but that device is not to be claimed; nothing was claimed", wrong);
	status = delivery_check(&takeover->needs, asked_mode(session), NULL, why, sizeof(why));
	if (status != EXIT_DONE)
		return session_fail(session, status, "%s; nothing was claimed", why);
	if (takeover->needs.kind[PLACEHOLDER_LEASE] && session->line->lease != NULL &&
	    strcmp(session->line->lease, "descriptor") != 0)
		return session_fail(
			session, EXIT_USAGE,
			"the command contains {lease}, but --lease %s has no file descriptor; nothing was claimed",
			session->line->lease);
	if (run_descriptors_was_used())
		return session_fail(
			session, EXIT_USAGE,
			"this process was passed file descriptors (LISTEN_FDS), which run would replace: claim all "
			"devices with one run");
	status = run_command_search(command[0]);
	return status != 0 ? fail_exec(session, status, command[0]) : EXIT_DONE;
}

/*
 * Asks by what interface the claim would be delivered, if the command depends on it, so that nothing is touched for one
 * that could not run. Whatever else stands in the way is for the claim itself to tell.
 */
static int foresee(struct session *session, struct takeover *takeover)
{
	struct json_object *plan;
	char *text, why[512];
	int status = EXIT_DONE;

	if (!delivery_depends(&takeover->needs, asked_mode(session)) ||
	    ioasid_plan(session->connection, takeover->devices.pointer, takeover->devices.count, session->line->mode,
			&text) < 0)
		return EXIT_DONE;
	plan = reply_parse(text);
	free(text);
	if (reply_flag(plan, "allowed"))
		status = delivery_check(&takeover->needs, asked_mode(session), reply_string(plan, "interface", NULL),
					why, sizeof(why));
	json_object_put(plan);
	return status != EXIT_DONE ? session_fail(session, status, "%s; nothing was claimed", why) : EXIT_DONE;
}

/* Numbers each group once, called by the first of the devices that are in it. */
static void add_groups(struct takeover *takeover, const struct ioasid_claim *claim, struct placeholder_values *values)
{
	int seen[CLAIM_DEVICES_MAX];

	for (size_t i = 0; i < takeover->devices.count; i++) {
		char name[RUN_DESCRIPTORS_NAME_MAX];

		seen[i] = ioasid_claim_group_fd(claim, takeover->claimed[i]);
		values->group_fd[i] = -1;
		for (size_t j = 0; j < i && seen[i] >= 0; j++)
			if (seen[j] == seen[i])
				values->group_fd[i] = values->group_fd[j];
		if (seen[i] < 0 || values->group_fd[i] >= 0)
			continue;
		snprintf(name, sizeof(name), "group-%s", takeover->claimed[i]);
		values->group_fd[i] = run_descriptors_add(&takeover->passing, seen[i], name);
	}
}

/* The next device of the claim, from *index on, that nobody has named: one that was chosen from a pool. NULL: none. */
static const char *next_chosen(const struct takeover *takeover, const struct ioasid_claim *claim, size_t *index)
{
	const char *name;

	while ((name = ioasid_claim_device(claim, *index))) {
		++*index;
		if (device_names_find(&takeover->devices, name) < 0)
			return name;
	}
	return NULL;
}

/*
 * Finds out which device each of those asked for has become: itself, or the next one that was chosen. False: the claim
 * is another one.
 */
static bool name_devices(struct takeover *takeover, const struct ioasid_claim *claim)
{
	size_t index = 0;

	for (size_t i = 0; i < takeover->devices.count; i++) {
		const char *asked = takeover->devices.name[i];

		takeover->claimed[i] = NULL;
		if (strncmp(asked, "pool:", 5) == 0)
			takeover->claimed[i] = next_chosen(takeover, claim, &index);
		for (size_t k = 0; k < ioasid_claim_device_count(claim) && !takeover->claimed[i]; k++)
			if (strcmp(ioasid_claim_device(claim, k), asked) == 0)
				takeover->claimed[i] = asked;
		if (!takeover->claimed[i])
			return false;
	}
	return ioasid_claim_device_count(claim) == takeover->devices.count;
}

/* Numbers the descriptors, and puts the numbers into the command. */
static int prepare(struct session *session, struct takeover *takeover, const struct ioasid_claim *claim)
{
	struct placeholder_values values = { .iommufd = -1, .container = -1, .devices = &takeover->devices };
	char why[512];
	int status = delivery_check(&takeover->needs, ioasid_claim_mode(claim), ioasid_claim_interface(claim), why,
				    sizeof(why));

	if (status != EXIT_DONE)
		return session_fail(session, status, "%s; the claim was released", why);
	if (!name_devices(takeover, claim))
		return session_malformed(session, "the devices of the claim differ from those requested");
	if (ioasid_claim_iommufd(claim) >= 0)
		values.iommufd = run_descriptors_add(&takeover->passing, ioasid_claim_iommufd(claim), "iommufd");
	if (ioasid_claim_container(claim) >= 0)
		values.container = run_descriptors_add(&takeover->passing, ioasid_claim_container(claim), "container");
	add_groups(takeover, claim, &values);
	for (size_t i = 0; i < takeover->devices.count; i++) {
		int fd = ioasid_claim_device_fd(claim, takeover->claimed[i]);

		values.device_fd[i] = fd < 0 ? -1 : run_descriptors_add(&takeover->passing, fd, takeover->claimed[i]);
	}
	values.ioas_id = ioasid_claim_ioas_id(claim);
	values.lease = ioasid_claim_lease_fd(claim) < 0
			       ? -1
			       : run_descriptors_add(&takeover->passing, ioasid_claim_lease_fd(claim), "lease");
	takeover->command = run_placeholders_replace(session->line->command, &values);
	return takeover->command != NULL ? EXIT_DONE : session_fail(session, EXIT_FAILED, "out of memory");
}

/*
 * Gives a claim back after its descriptors were moved: everything of it is closed, and by then the lease may have done
 * it, so the answer changes nothing.
 */
static void give_back(struct session *session, const struct run_descriptors *passing, struct ioasid_claim *claim)
{
	struct json_object *parameters = json_object_new_object();
	const char *call = NULL;

	if (parameters != NULL &&
	    json_build_set(parameters, "claim", json_object_new_string(ioasid_claim_id(claim))) == 0)
		call = json_build_text(parameters);
	ioasid_claim_free(claim);
	run_descriptors_close(passing);
	if (call != NULL && ioasid_connect(session->line->socket, &session->connection) == 0)
		ioasid_call(session->connection, "org.ioasid1.Release", call, NULL);
	json_object_put(parameters);
}

/* Becomes the command. Returns only if it can't: the exit status; the claim is given back. */
static int become(struct session *session, struct takeover *takeover, struct ioasid_claim *claim)
{
	int result, error;

	/* Its socket may be where a descriptor has to go, and nothing must be sent there by then. */
	session->connection = ioasid_disconnect(session->connection);
	result = run_descriptors_install(&takeover->passing);
	if (result < 0) {
		struct run_descriptors nothing = { .count = 0 };

		give_back(session, &nothing, claim);
		return session_fail(session, EXIT_FAILED,
				    "cannot pass the file descriptors on: %s; raise the limit with `ulimit -n`",
				    strerror(-result));
	}
	fflush(NULL);
	execvp(takeover->command[0], takeover->command);
	error = errno;
	give_back(session, &takeover->passing, claim);
	return session_fail(session, error == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE,
			    "cannot execute \"%s\": %s; the claim was released", takeover->command[0], strerror(error));
}

static int run(struct session *session)
{
	struct takeover takeover = { 0 };
	struct ioasid_claim *claim;
	char devices[256], what[300];
	int status = check(session, &takeover);

	if (status == EXIT_DONE)
		status = session_connect(session);
	if (status == EXIT_DONE)
		status = foresee(session, &takeover);
	if (status != EXIT_DONE)
		return status;
	if (ioasid_claim_leased(session->connection, takeover.devices.pointer, takeover.devices.count,
				session->line->mode, session->line->lease, session->line->unit, &claim) < 0) {
		device_arguments_text(&takeover.devices, devices, sizeof(devices));
		snprintf(what, sizeof(what), "cannot claim %s", devices);
		return session_report(session, what);
	}
	status = prepare(session, &takeover, claim);
	if (status == EXIT_DONE) {
		run_warnings_give(session, claim);
		status = become(session, &takeover, claim);
	} else {
		ioasid_claim_release(session->connection, claim);
	}
	run_placeholders_free(takeover.command);
	return status;
}

const struct verb verb_run = {
	.name = "run",
	.arguments = "DEVICE... -- COMMAND...",
	.summary = "claim devices and execute COMMAND with them",
	.text = "Claims devices and executes COMMAND. Passes the iommufd (or, if the kernel has\n"
		"none, the container and the IOMMU groups), the devices and the lease as file\n"
		"descriptors from 3 on, as for sd_listen_fds(3). With --mode node, COMMAND opens\n"
		"the devices by path, and gets the lease, and the iommufd if there is one. The\n"
		"claim lasts until COMMAND, and every process it passes the lease to, has ended.\n"
		"In COMMAND's arguments, these are replaced by the number of\n"
		"  {iommufd}       the iommufd's file descriptor\n"
		"  {ioasid}        the I/O address space (mode attached, with an iommufd)\n"
		"  {container}     the container's file descriptor (mode attached, without one)\n"
		"  {group:DEVICE}  the file descriptor of that device's group (likewise)\n"
		"  {fd:DEVICE}     the device's file descriptor (modes attached and open)\n"
		"  {lease}         the lease's file descriptor\n"
		"With --lease process the claim lasts as long as this process, whatever it\n"
		"executes; with unit, as long as a systemd unit; with operator, until it is\n"
		"released.\n"
		"The exit status is COMMAND's; 127 if it is not found, 126 if it cannot execute.\n",
	.options = OPTION_MODE | OPTION_FAILURE_STATUS | OPTION_LEASE,
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.command = true,
	.run = run,
};
