#include "verb_claim.h"

#include "../core/device_arguments.h"
#include "../core/reply.h"
#include "../core/session.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Why a claim that was held ends. */
enum ending {
	ENDING_SIGNAL, /* whoever runs this wants it */
	ENDING_LEASE,  /* the daemon closed its end of the lease: somebody else released the claim, or it is gone */
	ENDING_ASKED,  /* an operator wants it back */
};

/* A device, and in mode node the paths that it can be opened by. */
static void write_device(struct session *session, struct json_object *device)
{
	struct json_object *nodes = reply_list(device, "nodes");

	layout_sentence(&session->out, "  ", 4, reply_string(device, "name", "?"));
	for (size_t i = 0; i < reply_count(nodes); i++)
		layout_sentence_of(&session->out, "    ", 6, "by %s", reply_text(nodes, i));
}

/* How long the claim lasts. */
static void write_lease(struct session *session, const char *id)
{
	const char *lease = session->line->lease != NULL ? session->line->lease : "descriptor";
	const char *unit = session->line->unit != NULL ? session->line->unit : "this unit";

	if (strcmp(lease, "unit") == 0)
		layout_sentence_of(&session->out, "", 2, "held until %s ends, or `ioasidctl release %s`", unit, id);
	else if (strcmp(lease, "operator") == 0)
		layout_sentence_of(&session->out, "", 2, "held until `ioasidctl release %s`", id);
	else
		layout_sentence_of(&session->out, "", 2,
				   "held until this command ends: press Ctrl-C, or `ioasidctl release %s`", id);
}

/* True if this process does not keep the claim alive. */
static bool outlives_us(const struct session *session)
{
	const char *lease = session->line->lease;

	return lease != NULL && (strcmp(lease, "unit") == 0 || strcmp(lease, "operator") == 0);
}

static void write_claim(struct session *session, struct json_object *claim)
{
	struct json_object *devices = reply_list(claim, "devices");
	struct json_object *lockouts = reply_list(claim, "lockouts");
	const char *id = reply_string(claim, "claim", "?");

	layout_sentence_of(&session->out, "", 2, "claim %s is held (mode %s, %s):", id,
			   reply_string(claim, "mode", "?"), reply_string(claim, "interface", "?"));
	for (size_t i = 0; i < reply_count(devices); i++)
		write_device(session, reply_entry(devices, i));
	if (reply_count(lockouts) > 0)
		layout_sentence(&session->out, "", 2, "also taken from the host:");
	for (size_t i = 0; i < reply_count(lockouts); i++)
		layout_sentence_of(&session->out, "  ", 4, "%s, locked out", reply_text(lockouts, i));
	write_lease(session, id);
}

static int print_claim(struct session *session, const struct ioasid_claim *claim)
{
	struct json_object *object = reply_parse(ioasid_claim_json(claim));

	if (object == NULL)
		return session_fail(session, EXIT_FAILED, "out of memory");
	if (session->line->json)
		session_print_json(session, object);
	else
		write_claim(session, object);
	json_object_put(object);
	/* Whoever reads this through a pipe waits for it while the claim is held. */
	fflush(session->out.stream);
	return EXIT_DONE;
}

/* The signals that end a claim, kept from ending this process. */
struct signals {
	int fd;
	sigset_t before;
};

/* From here on signals wait. 0 or -errno. */
static int signals_open(struct signals *signals)
{
	sigset_t set;
	int result;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	if (sigprocmask(SIG_BLOCK, &set, &signals->before) < 0) {
		result = -errno;
		close(signals->fd);
		return result;
	}
	return 0;
}

/* From here on a signal ends this process at once; the end of the lease then releases the claim. */
static void signals_close(struct signals *signals)
{
	close(signals->fd);
	sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

/* What the lease says: an enum ending, or -1: nothing yet. */
static int ask_lease(struct session *session, struct ioasid_claim *claim)
{
	const char *reason;
	int64_t grace;
	int result = ioasid_claim_asked_back(claim, &grace, &reason);

	if (result == 1) {
		session_warn(session, "claim %s: an operator revokes it: release it within %.1f s%s%s",
			     ioasid_claim_id(claim), (double)grace / 1000, *reason != '\0' ? ": " : "", reason);
		return ENDING_ASKED;
	}
	return result < 0 ? ENDING_LEASE : -1;
}

/* What is told of a claim whose lease is this process, and can't say anything. */
static int ask_monitor(struct session *session, struct ioasid_monitor *monitor)
{
	char *text;
	int result;

	while ((result = ioasid_monitor_next(session->connection, monitor, 0, &text)) == 0) {
		struct json_object *event = reply_parse(text);
		bool asked = strcmp(reply_string(event, "kind", ""), "revocation") == 0;

		if (asked)
			session_warn(session, "an operator revokes the claim: release it within %.1f s: %s",
				     (double)reply_number(event, "grace", 0) / 1000,
				     reply_string(event, "message", "no reason given"));
		json_object_put(event);
		free(text);
		if (asked)
			return ENDING_ASKED;
	}
	return result == -EAGAIN ? -1 : ENDING_LEASE;
}

/* Waits for a signal, which is taken, or for what ends the claim. An enum ending, or -errno. */
static int wait_for_end(struct session *session, const struct signals *signals, struct ioasid_claim *claim,
			struct ioasid_monitor *monitor)
{
	int lease = monitor != NULL ? ioasid_monitor_fd(monitor) : ioasid_claim_lease_fd(claim);
	struct pollfd wait[2] = { { .fd = signals->fd, .events = POLLIN },
				  { .fd = lease, .events = POLLIN | POLLRDHUP } };
	struct signalfd_siginfo information;
	int result = monitor != NULL ? ask_monitor(session, monitor) : -1;

	while (result < 0) {
		do {
			result = poll(wait, 2, -1);
		} while (result < 0 && errno == EINTR);
		if (result < 0)
			return -errno;
		if (wait[0].revents != 0)
			return read(signals->fd, &information, sizeof(information)) < 0 ? -errno : ENDING_SIGNAL;
		result = monitor != NULL ? ask_monitor(session, monitor) : ask_lease(session, claim);
	}
	return result;
}

/* Says in words what became of a claim; in JSON there was one object, when it was held. */
static void say(struct session *session, const char *id, const char *what)
{
	if (!session->line->json)
		layout_sentence_of(&session->out, "", 2, "claim %s %s", id, what);
}

/* Releases the claim, and says what became of it. */
static int end_claim(struct session *session, struct ioasid_claim *claim, const char *id, enum ending ending)
{
	int result = ioasid_claim_release(session->connection, claim);
	int status = ioasid_error_status(session->connection);

	if (result == 0) {
		say(session, id,
		    ending == ENDING_LEASE ? "ended by ioasidd: its devices are free"
					   : "released: its devices are free");
		return EXIT_DONE;
	}
	if (status == IOASID_UNKNOWN) {
		say(session, id, "ended by another user or program");
		return EXIT_DONE;
	}
	if (status == IOASID_UNREACHABLE)
		session_warn(session,
			     "claim %s: this process released it; ioasidd reclaims its devices when it runs again", id);
	session_warn(session, "%s", ioasid_error_message(session->connection));
	return status == IOASID_DONE ? EXIT_FAILED : status;
}

static int hold(struct session *session, struct ioasid_claim *claim)
{
	struct ioasid_monitor *monitor = NULL;
	char id[CLAIM_ID_MAX];
	struct signals signals;
	int ending, status;

	snprintf(id, sizeof(id), "%s", ioasid_claim_id(claim));
	/* Before a word is said of it: whoever reads that word may send a signal at once. */
	ending = signals_open(&signals);
	if (ending == 0) {
		status = print_claim(session, claim);
		if (status == EXIT_DONE && ioasid_claim_lease_fd(claim) < 0 &&
		    ioasid_monitor_open(session->connection, id, &monitor) < 0)
			status = session_report(session, "cannot watch the claim");
		if (status == EXIT_DONE)
			ending = wait_for_end(session, &signals, claim, monitor);
		ioasid_monitor_close(monitor);
		signals_close(&signals);
		if (status != EXIT_DONE) {
			ioasid_claim_release(session->connection, claim);
			return status;
		}
	}
	if (ending < 0) {
		session_warn(session, "cannot wait for signals (%s): releasing the claim", strerror(-ending));
		end_claim(session, claim, id, ENDING_SIGNAL);
		return EXIT_FAILED;
	}
	return end_claim(session, claim, id, (enum ending)ending);
}

static int run(struct session *session)
{
	struct device_names names;
	struct ioasid_claim *claim;
	char devices[256], what[300];
	int status = device_arguments_read(session, &names);

	if (status == EXIT_DONE)
		status = session_connect(session);
	if (status != EXIT_DONE)
		return status;
	if (ioasid_claim_leased(session->connection, names.pointer, names.count, session->line->mode,
				session->line->lease, session->line->unit, &claim) < 0) {
		device_arguments_text(&names, devices, sizeof(devices));
		snprintf(what, sizeof(what), "cannot claim %s", devices);
		return session_report(session, what);
	}
	if (!outlives_us(session))
		return hold(session, claim);
	status = print_claim(session, claim);
	ioasid_claim_free(claim);
	return status;
}

const struct verb verb_claim = {
	.name = "claim",
	.arguments = "DEVICE...",
	.summary = "claim devices and hold them until interrupted",
	.text = "Claims devices, shows them and what is locked out, and holds them in the\n"
		"foreground until SIGINT (Ctrl-C), SIGTERM or SIGHUP, or until the claim is\n"
		"released by another program or revoked by an operator. Then shows the final\n"
		"state of the claim. With --mode node, programs of this user can open the devices\n"
		"by path meanwhile; for other uses, see run. With --lease unit or operator, exits\n"
		"at once: the claim lasts as long as the unit, or until it is released.\n",
	.options = OPTION_MODE | OPTION_LEASE,
	.minimum = 1,
	.maximum = ARGUMENTS_UNLIMITED,
	.run = run,
};
