#include "options.h"

#include "../base/journald.h"
#include "../base/policy_files.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"Usage: ioasidd [OPTION]...\n"
	"Decide who on this host owns which I/O address space, and deliver devices as file descriptors.\n"
	"\n"
	"  --policy-dir DIR         read the policy from DIR/*.json; may be given several times, earlier folders mask\n"
	"                           files of the same name in later ones\n"
	"                           (default: " POLICY_FOLDER_ETC ", then " POLICY_FOLDER_USR ")\n"
	"  --runtime-dir DIR        the socket org.ioasid1 and the journal of claims (default: /run/ioasidd)\n"
	"  --state-dir DIR          what outlives a reboot (default: /var/lib/ioasidd)\n"
	"  --executor COMMAND       start COMMAND (words separated by spaces) as the executor, with the wire as file\n"
	"                           descriptor 3, for example 'ioasid-simulator HOST.json'\n"
	"                           (default: as root the installed executor; else the socket of its systemd unit)\n"
	"  --journal SOCKET         write records as entries to systemd's journal that listens there\n"
	"                           (default: " JOURNALD_SOCKET ", if standard error is that journal;\n"
	"                           else records are lines on standard error)\n"
	"  --user NAME              what to become when started by root (default: ioasidd)\n"
	"  --plan-deadline SECONDS  how long a change of the host may take before it is reported as stuck\n"
	"                           (default: 90, 1 to 3600)\n"
	"  --print-udev-rules       write the udev rules that keep the policy's reserved devices for vfio-pci, and\n"
	"                           end: for a file in /etc/udev/rules.d, such as 60-ioasidd-reserve.rules\n"
	"  --no-bus                 do not offer org.ioasid1 on the system bus\n"
	"  --help, --version\n";

enum {
	OPTION_POLICY = 256,
	OPTION_RUNTIME,
	OPTION_STATE,
	OPTION_EXECUTOR,
	OPTION_JOURNAL,
	OPTION_USER,
	OPTION_DEADLINE,
	OPTION_NO_BUS,
	OPTION_UDEV,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "policy-dir", required_argument, NULL, OPTION_POLICY },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME },
	{ "state-dir", required_argument, NULL, OPTION_STATE },
	{ "executor", required_argument, NULL, OPTION_EXECUTOR },
	{ "journal", required_argument, NULL, OPTION_JOURNAL },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "plan-deadline", required_argument, NULL, OPTION_DEADLINE },
	{ "print-udev-rules", no_argument, NULL, OPTION_UDEV },
	{ "no-bus", no_argument, NULL, OPTION_NO_BUS },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static bool parse_deadline(const char *text, uint64_t *usec)
{
	char *end;
	unsigned long seconds;

	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] < '0' || text[0] > '9' || seconds < 1 ||
	    seconds > 3600)
		return false;
	*usec = seconds * 1000000ULL;
	return true;
}

/* Takes one option; false after a message. */
static bool take(int option, struct options *out)
{
	switch (option) {
	case OPTION_POLICY:
		if (out->policy_folder_count == OPTIONS_FOLDERS_MAX) {
			fprintf(stderr, "ioasidd: --policy-dir can be given at most %d times\n", OPTIONS_FOLDERS_MAX);
			return false;
		}
		out->policy_folder[out->policy_folder_count++] = optarg;
		out->policy_folder_given = true;
		return true;
	case OPTION_RUNTIME:
		out->runtime_folder = optarg;
		return true;
	case OPTION_STATE:
		out->state_folder = optarg;
		return true;
	case OPTION_EXECUTOR:
		out->executor = optarg;
		return true;
	case OPTION_JOURNAL:
		out->claim_files = optarg;
		return true;
	case OPTION_USER:
		out->user = optarg;
		return true;
	case OPTION_UDEV:
		out->print_udev_rules = true;
		return true;
	case OPTION_NO_BUS:
		out->no_bus = true;
		return true;
	case OPTION_DEADLINE:
		if (parse_deadline(optarg, &out->plan_deadline_usec))
			return true;
		fprintf(stderr, "ioasidd: --plan-deadline needs a number of seconds from 1 to 3600, not '%s'\n",
			optarg);
		return false;
	default:
		fprintf(stderr, "Try 'ioasidd --help'.\n");
		return false;
	}
}

enum options_verdict options_parse(int count, char **argument, struct options *out)
{
	int option;

	*out = (struct options){
		.runtime_folder = "/run/ioasidd",
		.state_folder = "/var/lib/ioasidd",
		.user = "ioasidd",
		.plan_deadline_usec = 90 * 1000000ULL,
	};
	optind = 0;
	while ((option = getopt_long(count, argument, "+", long_options, NULL)) >= 0) {
		if (option == OPTION_HELP) {
			fputs(usage, stdout);
			return OPTIONS_EXIT;
		}
		if (option == OPTION_VERSION) {
			puts("ioasidd " VERSION);
			return OPTIONS_EXIT;
		}
		if (!take(option, out))
			return OPTIONS_WRONG;
	}
	if (optind < count) {
		fprintf(stderr, "ioasidd: unexpected argument '%s'\nTry 'ioasidd --help'.\n", argument[optind]);
		return OPTIONS_WRONG;
	}
	if (out->policy_folder_count == 0) {
		out->policy_folder[out->policy_folder_count++] = POLICY_FOLDER_ETC;
		out->policy_folder[out->policy_folder_count++] = POLICY_FOLDER_USR;
	}
	return OPTIONS_RUN;
}
