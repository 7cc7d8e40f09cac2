#include "command_line.h"

#include "../../../include/words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option_row command_line_options[] = {
	{ "--json", 'j', NULL, 0, "print JSON, also for errors; same exit status" },
	{ "--socket", 0, "PATH", 0, "connect to ioasidd at this socket" },
	{ "--mode", 0, "MODE", OPTION_MODE, "delivery mode: attached (default), open, node" },
	{ "--failure-status", 0, "N", OPTION_FAILURE_STATUS, "exit with N if anything but COMMAND fails" },
	{ "--snapshot", 0, "FILE", OPTION_SNAPSHOT, "use a file written by snapshot instead of the daemon" },
	{ "--policy", 0, "PATH", OPTION_POLICY, "with --snapshot: a policy file or folder; repeatable" },
	{ "--as", 0, "USER", OPTION_SUBJECT, "answer for this user (name or uid)" },
	{ "--lease", 0, "LEASE", OPTION_LEASE, "lease kind: descriptor, process, unit or operator" },
	{ "--unit", 0, "UNIT", OPTION_SUBJECT | OPTION_LEASE, "systemd unit that asks, or of --lease unit" },
	{ "--grace", 0, "SECONDS", OPTION_REVOCATION, "time the client has to release the claim itself" },
	{ "--reason", 0, "TEXT", OPTION_REVOCATION, "reason to give to the client" },
	{ "--unbind", 0, NULL, OPTION_REVOCATION, "unbind the devices if no holder is found" },
	{ "--wait", 0, NULL, OPTION_REVOCATION, "wait until the devices are free or quarantined" },
	{ "--textfile", 0, "FILE", OPTION_TEXTFILE, "write to FILE, for node_exporter to collect" },
	{ "--all", 0, NULL, OPTION_ALL, "show everything; revoke: every claim" },
	{ "--with-details", 0, NULL, OPTION_DETAILS, "include mount points, addresses and processes" },
	{ "--help", 'h', NULL, 0, "show help, for VERB if given" },
	{ "--version", 0, NULL, 0, "show version" },
	{ 0 },
};

__attribute__((format(printf, 2, 3))) static int wrong(struct command_line *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line->error, sizeof(line->error), format, arguments);
	va_end(arguments);
	return EXIT_USAGE;
}

static int set_mode(struct command_line *line, const char *value)
{
	if (delivery_mode_from_string(value) < 0)
		return wrong(line, "unknown mode \"%s\"; modes: attached, open, node, brokered", value);
	line->mode = value;
	return EXIT_DONE;
}

static int set_failure_status(struct command_line *line, const char *value)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < 1 || number > 255)
		return wrong(line, "--failure-status takes a number from 1 to 255, not \"%s\"", value);
	line->failure_status = (int)number;
	return EXIT_DONE;
}

static int set_lease(struct command_line *line, const char *value)
{
	if (lease_kind_from_string(value) < 0)
		return wrong(line, "unknown lease \"%s\"; leases: descriptor, process, unit, operator", value);
	line->lease = value;
	return EXIT_DONE;
}

/* A number of seconds, with up to three digits behind a point; no more than a day. */
static int set_grace(struct command_line *line, const char *value)
{
	const char *digits = "0123456789";
	size_t whole = strspn(value, digits), part = 0;
	int64_t number = 0;

	if (value[whole] == '.')
		part = strspn(value + whole + 1, digits);
	if (whole < 1 || whole > 5 || part > 3 || value[whole + (value[whole] == '.' ? part + 1 : 0)] != '\0' ||
	    (value[whole] == '.' && part == 0))
		return wrong(line, "--grace takes seconds, such as 30 or 0.5, not \"%s\"", value);
	for (size_t i = 0; i < whole; i++)
		number = number * 10 + (value[i] - '0');
	for (size_t i = 0; i < 3; i++)
		number = number * 10 + (i < part ? value[whole + 1 + i] - '0' : 0);
	if (number > 24 * 60 * 60 * 1000)
		return wrong(line, "--grace can be at most a day (86400)");
	line->grace = number;
	return EXIT_DONE;
}

static int set_socket(struct command_line *line, const char *value)
{
	if (*value == '\0')
		return wrong(line, "--socket takes the path of a socket");
	line->socket = value;
	return EXIT_DONE;
}

/* A text that must not be empty. */
static int set_text(struct command_line *line, const struct option_row *option, const char *value, const char **out)
{
	if (*value == '\0')
		return wrong(line, "%s needs a value: %s %s", option->name, option->name, option->value);
	*out = value;
	return EXIT_DONE;
}

static int add_policy(struct command_line *line, const struct option_row *option, const char *value)
{
	if (line->policy_count == POLICY_PATHS_MAX)
		return wrong(line, "--policy can be given at most %d times", POLICY_PATHS_MAX);
	return set_text(line, option, value, &line->policy[line->policy_count++]);
}

/* value: NULL for the options that take none. */
static int apply(struct command_line *line, const struct option_row *option, const char *value)
{
	if (strcmp(option->name, "--mode") == 0)
		return set_mode(line, value);
	if (strcmp(option->name, "--failure-status") == 0)
		return set_failure_status(line, value);
	if (strcmp(option->name, "--socket") == 0)
		return set_socket(line, value);
	if (strcmp(option->name, "--snapshot") == 0)
		return set_text(line, option, value, &line->snapshot);
	if (strcmp(option->name, "--policy") == 0)
		return add_policy(line, option, value);
	if (strcmp(option->name, "--as") == 0)
		return set_text(line, option, value, &line->as);
	if (strcmp(option->name, "--unit") == 0)
		return set_text(line, option, value, &line->unit);
	if (strcmp(option->name, "--lease") == 0)
		return set_lease(line, value);
	if (strcmp(option->name, "--grace") == 0)
		return set_grace(line, value);
	if (strcmp(option->name, "--reason") == 0)
		return set_text(line, option, value, &line->reason);
	if (strcmp(option->name, "--textfile") == 0)
		return set_text(line, option, value, &line->textfile);
	if (strcmp(option->name, "--json") == 0)
		line->json = true;
	else if (strcmp(option->name, "--unbind") == 0)
		line->unbind = true;
	else if (strcmp(option->name, "--wait") == 0)
		line->wait = true;
	else if (strcmp(option->name, "--all") == 0)
		line->all = true;
	else if (strcmp(option->name, "--with-details") == 0)
		line->details = true;
	else if (strcmp(option->name, "--help") == 0)
		line->help = true;
	else
		line->version = true;
	return EXIT_DONE;
}

static const struct option_row *find_option(const char *text, size_t length)
{
	for (const struct option_row *option = command_line_options; option->name != NULL; option++) {
		if (length == 2 && text[1] == option->letter)
			return option;
		if (strlen(option->name) == length && memcmp(option->name, text, length) == 0)
			return option;
	}
	return NULL;
}

/* Reads the option at argv[*index], and its value if that is an argument of its own. *seen: a bit for each option's
 * row. */
static int read_option(struct command_line *line, char **argv, int argc, int *index, unsigned int *seen)
{
	const char *text = argv[*index];
	const char *equals = strncmp(text, "--", 2) == 0 ? strchr(text, '=') : NULL;
	const struct option_row *option = find_option(text, equals != NULL ? (size_t)(equals - text) : strlen(text));

	if (option == NULL)
		return wrong(line, "unknown option %s", text);
	*seen |= 1u << (option - command_line_options);
	if (option->value == NULL) {
		if (equals != NULL)
			return wrong(line, "%s takes no value", option->name);
		return apply(line, option, NULL);
	}
	if (equals != NULL)
		return apply(line, option, equals + 1);
	if (*index + 1 >= argc)
		return wrong(line, "%s needs a value: %s %s", option->name, option->name, option->value);
	return apply(line, option, argv[++*index]);
}

/* What the verb's row demands, once all is read. */
static int check(struct command_line *line, unsigned int seen)
{
	const struct verb *verb = line->verb;

	if (line->help || line->version)
		return EXIT_DONE;
	if (verb == NULL)
		return wrong(line, "missing command");
	for (const struct option_row *option = command_line_options; option->name != NULL; option++)
		if ((seen & 1u << (option - command_line_options)) && option->bit != 0 &&
		    !(option->bit & verb->options))
			return wrong(line, "%s takes no option %s", verb->name, option->name);
	if (line->snapshot != NULL && line->socket != NULL)
		return wrong(line, "--snapshot and --socket cannot be combined");
	if (line->snapshot == NULL && line->policy_count > 0)
		return wrong(line, "--policy needs --snapshot");
	if (line->unit != NULL && (verb->options & OPTION_LEASE) &&
	    (line->lease == NULL || strcmp(line->lease, "unit") != 0))
		return wrong(line, "--unit needs --lease unit");
	if (line->argument_count < (size_t)verb->minimum)
		return wrong(line, "%s needs %s", verb->name, verb->arguments);
	if (verb->maximum != ARGUMENTS_UNLIMITED && line->argument_count > (size_t)verb->maximum) {
		if (verb->maximum == 0)
			return wrong(line, "%s takes no argument: \"%s\"", verb->name, line->argument[0]);
		return wrong(line, "%s takes at most %d argument%s, got %zu", verb->name, verb->maximum,
			     verb->maximum == 1 ? "" : "s", line->argument_count);
	}
	if (verb->command && line->command == NULL)
		return wrong(line, "%s needs \"--\" and a command: %s %s", verb->name, verb->name, verb->arguments);
	if (verb->command && line->command[0] == NULL)
		return wrong(line, "%s needs a command after \"--\"", verb->name);
	return EXIT_DONE;
}

/* True if --json stands where options can stand: so that what is wrong with the others is said in JSON, too. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
			return true;
	return false;
}

int command_line_read(struct command_line *line, const struct verb *const *verbs, int argc, char **argv)
{
	const char *unknown_verb = NULL;
	unsigned int seen = 0;
	bool separator = false;
	int result;

	memset(line, 0, sizeof(*line));
	line->storage = calloc((size_t)argc + 1, sizeof(*line->storage));
	if (line->storage == NULL)
		return EXIT_FAILED;
	line->argument = line->storage;
	line->grace = -1;
	line->json = wants_json(argc, argv);
	for (int i = 1; i < argc; i++) {
		/* The first ends the options. Behind a verb that takes a command each of them begins the command. */
		if (strcmp(argv[i], "--") == 0 && line->verb != NULL && line->verb->command) {
			line->command = argv + i + 1;
			break;
		}
		if (!separator && strcmp(argv[i], "--") == 0) {
			separator = true;
		} else if (!separator && argv[i][0] == '-' && argv[i][1] != '\0') {
			result = read_option(line, argv, argc, &i, &seen);
			if (result != EXIT_DONE)
				return result;
		} else if (line->verb == NULL && unknown_verb == NULL) {
			line->verb = verb_find(verbs, argv[i]);
			if (line->verb == NULL)
				unknown_verb = argv[i];
		} else {
			line->storage[line->argument_count++] = argv[i];
		}
	}
	if (unknown_verb != NULL)
		return wrong(line, "unknown command \"%s\"", unknown_verb);
	return check(line, seen);
}

void command_line_done(struct command_line *line)
{
	free(line->storage);
	line->storage = NULL;
}
