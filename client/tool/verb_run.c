#include "verb_run.h"

#include "command_search.h"
#include "device_arguments.h"
#include "fd_passing.h"
#include "memlock.h"
#include "placeholders.h"
#include "reply.h"
#include "session.h"

#include "../json_build.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A run from the claim to the exec. */
struct takeover {
	struct device_names devices;
	struct placeholder_needs needs;
	struct fd_passing passing;
	char **command; /* with its placeholders replaced */
};

static int fail_exec(struct session *session, int status, const char *command)
{
	return session_fail(session, status, "%s \"%s\"; nothing was claimed",
			    status == COMMAND_NOT_FOUND ? "there is no command" : "this user can't execute", command);
}

/* All that can be known to be wrong before anything is claimed. */
static int check(struct session *session, struct takeover *takeover)
{
	char *const *command = session->line->command;
	const char *mode = session->line->mode;
	char wrong[DEVICE_NAME_MAX + 8];
	int status = device_arguments_read(session, &takeover->devices);

	if (status != EXIT_DONE)
		return status;
	if (placeholders_check(command, &takeover->devices, &takeover->needs, wrong, sizeof(wrong)) < 0)
		return session_fail(session, EXIT_USAGE,
				    "%s stands in the command, but that device is not among those to be claimed; "
				    "nothing was claimed", wrong);
	if (takeover->needs.ioas_id && mode != NULL && strcmp(mode, "attached") != 0)
		return session_fail(session, EXIT_USAGE,
				    "{ioasid} stands in the command, but in mode %s the devices are attached to no "
				    "IOAS; nothing was claimed", mode);
	if (fd_passing_was_used())
		return session_fail(session, EXIT_USAGE,
				    "this process was passed file descriptors itself (LISTEN_FDS), which run would "
				    "replace: claim all devices with one run");
	status = command_search(command[0]);
	return status != 0 ? fail_exec(session, status, command[0]) : EXIT_DONE;
}

/* Numbers the descriptors, and puts the numbers into the command. */
static int prepare(struct session *session, struct takeover *takeover, const struct ioasid_claim *claim)
{
	struct placeholder_values values = { .iommufd = -1, .devices = &takeover->devices };
	int device_fd[CLAIM_DEVICES_MAX];
	int iommufd = ioasid_claim_iommufd(claim);

	if (takeover->needs.iommufd && iommufd < 0)
		return session_fail(session, EXIT_UNSUPPORTED,
				    "{iommufd} stands in the command, but mode %s gives none here",
				    ioasid_claim_mode(claim));
	if (iommufd >= 0)
		values.iommufd = fd_passing_add(&takeover->passing, iommufd, "iommufd");
	for (size_t i = 0; i < takeover->devices.count; i++) {
		const char *name = takeover->devices.name[i];
		int fd = ioasid_claim_device_fd(claim, name);

		if (fd < 0)
			return session_malformed(session, "the claim has not all devices that were asked for");
		device_fd[i] = fd_passing_add(&takeover->passing, fd, name);
	}
	values.device_fd = device_fd;
	values.ioas_id = ioasid_claim_ioas_id(claim);
	values.lease = fd_passing_add(&takeover->passing, ioasid_claim_lease_fd(claim), "lease");
	takeover->command = placeholders_replace(session->line->command, &values);
	return takeover->command != NULL ? EXIT_DONE : session_fail(session, EXIT_FAILED, "out of memory");
}

/*
 * Uses the limit that the rule granted, and says so where it falls short: the command would see ENOMEM and no reason.
 */
static void raise_memlock(struct session *session, const struct ioasid_claim *claim)
{
	struct json_object *object = reply_parse(ioasid_claim_json(claim));
	int64_t number = reply_number(object, "memlock", -1);
	uint64_t granted = number == INT64_MAX ? UINT64_MAX : (uint64_t)number;
	uint64_t limit;
	char granted_text[32], limit_text[32];

	json_object_put(object);
	if (number < 0 || memlock_raise(granted, &limit))
		return;
	session_warn(session,
		     "warning: the rule grants %s of locked memory, but this process may lock %s only: mapping more "
		     "for the devices will fail with ENOMEM. Its hard limit is in the way (`ulimit -H -l`, or "
		     "LimitMEMLOCK= of its unit)",
		     memlock_text(granted, granted_text), memlock_text(limit, limit_text));
}

/*
 * Gives a claim back after its descriptors were moved: everything of it is closed, and by then the lease may have done
 * it, so the answer changes nothing.
 */
static void give_back(struct session *session, const struct fd_passing *passing, struct ioasid_claim *claim)
{
	struct json_object *parameters = json_object_new_object();
	const char *call = NULL;

	if (parameters != NULL &&
	    json_build_set(parameters, "claim", json_object_new_string(ioasid_claim_id(claim))) == 0)
		call = json_build_text(parameters);
	ioasid_claim_free(claim);
	fd_passing_close(passing);
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
	result = fd_passing_install(&takeover->passing);
	if (result < 0) {
		struct fd_passing nothing = { .count = 0 };

		give_back(session, &nothing, claim);
		return session_fail(session, EXIT_FAILED,
				    "the file descriptors can't be passed on: %s; raise the limit with `ulimit -n`",
				    strerror(-result));
	}
	fflush(NULL);
	execvp(takeover->command[0], takeover->command);
	error = errno;
	give_back(session, &takeover->passing, claim);
	return session_fail(session, error == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE,
			    "the command \"%s\" can't be executed: %s; the claim was given back", takeover->command[0],
			    strerror(error));
}

static int run(struct session *session)
{
	struct takeover takeover = { 0 };
	struct ioasid_claim *claim;
	char devices[256], what[300];
	int status = check(session, &takeover);

	if (status == EXIT_DONE)
		status = session_connect(session);
	if (status != EXIT_DONE)
		return status;
	if (ioasid_claim(session->connection, takeover.devices.pointer, takeover.devices.count, session->line->mode,
			 &claim) < 0) {
		device_arguments_text(&takeover.devices, devices, sizeof(devices));
		snprintf(what, sizeof(what), "cannot claim %s", devices);
		return session_report(session, what);
	}
	status = prepare(session, &takeover, claim);
	if (status == EXIT_DONE) {
		raise_memlock(session, claim);
		status = become(session, &takeover, claim);
	} else {
		ioasid_claim_release(session->connection, claim);
	}
	placeholders_free(takeover.command);
	return status;
}

const struct verb verb_run = {
	.name = "run",
	.arguments = "DEVICE... -- COMMAND...",
	.summary = "claim devices and become COMMAND, which has them",
	.text = "Claims devices and executes COMMAND in its place, with the iommufd, the devices\n"
		"and the lease as file descriptors from 3 on, as sd_listen_fds(3) takes them. The\n"
		"claim lasts as long as COMMAND, or whoever it hands the lease to. In COMMAND's\n"
		"arguments these are replaced:\n"
		"  {iommufd}    the file descriptor of the iommufd\n"
		"  {ioasid}     the number of the I/O address space (mode attached)\n"
		"  {fd:DEVICE}  the file descriptor of that device\n"
		"  {lease}      the file descriptor of the lease\n"
		"The exit status is COMMAND's; 127 and 126 where it can't be found or executed.\n",
	.options = OPTION_MODE | OPTION_FAILURE_STATUS,
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.command = true,
	.run = run,
};
