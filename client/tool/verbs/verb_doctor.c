#include "verb_doctor.h"

#include "../machine/doctor_checks.h"
#include "../core/reply.h"
#include "../core/session.h"

#include "../../json_build.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATE_COLUMNS = 9 };

/* The daemon's status, or NULL: then the connection has the failure. Tells nobody: that it fails is a finding. */
static struct json_object *ask_for_status(struct session *session)
{
	struct json_object *reply;
	char *text;

	if (ioasid_connect(session->line->socket, &session->connection) < 0 ||
	    ioasid_call(session->connection, "org.ioasid1.GetStatus", NULL, &text) < 0)
		return NULL;
	reply = reply_parse(text);
	free(text);
	return reply;
}

static bool check_daemon(struct session *session, const struct host_facts *host, struct findings *findings)
{
	struct json_object *status = ask_for_status(session);
	struct daemon_facts daemon = {
		.socket = session->line->socket != NULL ? session->line->socket : IOASID_SOCKET_PATH,
		.version = reply_string(status, "version", NULL),
		.interface = reply_string(status, "interface", NULL),
		.release = reply_string(reply_object(status, "kernel"), "release", NULL),
		.rules = reply_number(reply_object(status, "policy"), "rules", 0),
	};
	struct json_object *refused = reply_object(status, "policy_refused");
	struct json_object *first = reply_entry(reply_list(refused, "errors"), 0);
	char error[2 * TEXT_MAX];
	bool able;

	if (refused != NULL)
		daemon.policy_refused = reply_string(refused, "message", "the policy files are not in force");
	daemon.policy_denies_all = reply_flag(refused, "denies_all");
	if (first != NULL) {
		snprintf(error, sizeof(error), "%s:%" PRId64 ": %s", reply_string(first, "file", "?"),
			 reply_number(first, "line", 0), reply_string(first, "message", "?"));
		daemon.policy_error = error;
	}
	if (status == NULL)
		daemon.unreachable =
			session->connection != NULL && ioasid_error_status(session->connection) != IOASID_DONE
				? ioasid_error_message(session->connection)
				: "out of memory";
	able = doctor_check_daemon(&daemon, host, findings);
	json_object_put(status);
	return able;
}

static struct json_object *describe(const struct finding *finding)
{
	struct json_object *object = json_object_new_object();
	const char *remedy = finding->remedy;

	if (object != NULL && json_build_set(object, "check", json_object_new_string(finding->check)) == 0 &&
	    json_build_set(object, "state", json_object_new_string(finding_state_text(finding->state))) == 0 &&
	    json_build_set(object, "message", json_object_new_string(finding->text)) == 0 &&
	    (*remedy == '\0' ? json_object_object_add(object, "remedy", NULL)
			     : json_build_set(object, "remedy", json_object_new_string(remedy))) == 0)
		return object;
	json_object_put(object);
	return NULL;
}

static int print_json(struct session *session, const struct findings *findings, const char *interface, int status)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();
	int result = object == NULL || list == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < findings->count; i++)
		result = json_build_append(list, describe(&findings->list[i]));
	if (result == 0)
		result = json_build_set(object, "checks", json_object_get(list));
	if (result == 0)
		result = json_build_set(object, "ready", json_object_new_boolean(status == EXIT_DONE));
	if (result == 0)
		result = json_build_set(object, "status", json_object_new_int(status));
	if (result == 0)
		result = interface != NULL ? json_build_set(object, "interface", json_object_new_string(interface))
					   : json_object_object_add(object, "interface", NULL);
	if (result == 0)
		session_print_json(session, object);
	json_object_put(list);
	json_object_put(object);
	return result == 0 ? status : session_fail(session, EXIT_FAILED, "out of memory");
}

static void write_finding(const struct layout *out, const struct finding *finding)
{
	static const enum colour colour[] = {
		[FINDING_OK] = COLOUR_GOOD,
		[FINDING_WARNING] = COLOUR_WARN,
		[FINDING_MISSING] = COLOUR_BAD,
	};
	const char *state = finding_state_text(finding->state);

	layout_colour(out, colour[finding->state]);
	fprintf(out->stream, "%-*s", STATE_COLUMNS, state);
	layout_colour(out, COLOUR_NONE);
	layout_sentence_of(out, "", STATE_COLUMNS + 2, "%s: %s", finding->check, finding->text);
	if (finding->remedy[0] != '\0')
		layout_sentence(out, "         to resolve: ", STATE_COLUMNS + 2, finding->remedy);
}

static void write_words(struct session *session, const struct findings *findings, int status)
{
	const struct layout *out = &session->out;

	for (size_t i = 0; i < findings->count; i++)
		write_finding(out, &findings->list[i]);
	fputc('\n', out->stream);
	layout_colour(out, COLOUR_BOLD);
	if (status == EXIT_DONE)
		layout_sentence(out, "", 2, "ioasidd can deliver claims.");
	else if (status == EXIT_UNSUPPORTED)
		layout_sentence(
			out, "", 2,
			"ioasidd cannot deliver claims: this kernel or hardware lacks what is marked missing above.");
	else
		layout_sentence(out, "", 2, "ioasidd cannot deliver claims, although this host supports them.");
	layout_colour(out, COLOUR_NONE);
}

static int run(struct session *session)
{
	struct findings findings = { .count = 0 };
	struct memlock memlock = memlock_read();
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct host_facts host;
	bool host_able, daemon_able;
	int status;

	if (root < 0)
		return session_fail(session, EXIT_FAILED, "cannot open folder /: %s", strerror(errno));
	host_facts_read(root, &host);
	close(root);
	host_able = doctor_check_host(&host, &findings);
	daemon_able = check_daemon(session, &host, &findings);
	doctor_check_caller(&memlock, &host, &findings);
	status = !host_able ? EXIT_UNSUPPORTED : !daemon_able ? EXIT_UNREACHABLE : EXIT_DONE;
	if (session->line->json)
		return print_json(session, &findings, doctor_interface(&host), status);
	write_words(session, &findings, status);
	return status;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "check what this host lacks, and how to fix it",
	.text = "Checks what ioasidd needs to deliver claims: the kernel and its modules, the\n"
		"IOMMU, the modes of the nodes, ioasidd and its policy, and how much memory the\n"
		"programs of this user may lock. Each check is ok, a warning, or missing, with\n"
		"what to do. Changes nothing, and needs no ioasidd. Exit status: 0 claims can be\n"
		"delivered; 6 not supported by this kernel or hardware; 7 cannot connect to\n"
		"ioasidd, or it cannot deliver: it has no rules, or found no interface at\n"
		"startup.\n",
	.run = run,
};
