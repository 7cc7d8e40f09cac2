/* The command line of ioasid-simulator. */
#include "attach.h"
#include "simulator.h"

#include "../base/log.h"
#include "../base/policy_files.h"
#include "../base/wire.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { FOLDERS_MAX = 16, FAULTS_MAX = 64 };

static const char usage[] = "Usage: ioasid-simulator [OPTION]... HOST.json\n"
			    "       ioasid-simulator [--policy-dir DIR]... --attach SOCKET\n"
			    "Stands in for ioasid-executor: serves a simulated host to the ioasidd at\n"
			    "descriptor 3. ioasidd --executor 'ioasid-simulator HOST.json' starts it so.\n"
			    "\n"
			    "      --policy-dir DIR   read the policy there (repeat: the first wins)\n"
			    "      --fail STEP[:DEVICE][=ERRNO]\n"
			    "                         let that step of every plan fail (EIO if left out)\n"
			    "      --hang STEP[:DEVICE]\n"
			    "                         let it hang\n"
			    "      --control SOCKET   take orders there while running, see below\n"
			    "      --stay             serve those who attach at the control socket and not\n"
			    "                         descriptor 3; print \"ready\" once they can, and run\n"
			    "                         until told to stop\n"
			    "      --attach SOCKET    hand descriptor 3 to the simulator that has this\n"
			    "                         control socket, and wait\n"
			    "      --help             show this and exit\n"
			    "      --version          show the version and exit\n"
			    "\n"
			    "STEP: override, unbind, probe, context, container, group, group-device, open,\n"
			    "  bind, ioas, attach, grant, memlock, revoke, unmap, prove-no-holder,\n"
			    "  prove-unbound, prove-group-free, bus-master-off, reset, unbind-vfio, restore;\n"
			    "  undo-STEP: when it is undone; result: before the result is sent; any\n"
			    "\n"
			    "HOST.json, with comments:\n"
			    "  {\"kernel\": {\"release\", \"iommufd\", \"vfio_cdev\", \"vfio_group\",\n"
			    "   \"unsafe_interrupts\", \"noiommu\", \"vfio_pci\"},\n"
			    "   \"boot_id\": \"...\", \"devices\": [Device...], \"uses\": [Use...]}\n"
			    "Device and Use have those keys of the types in org.ioasid1.varlink that tell of\n"
			    "the host; a device also \"drivers\", which take it when it is probed. All but its\n"
			    "address, vendor_id, device_id and class can be left out.\n"
			    "\n"
			    "Orders are lines of JSON, answered with {\"ok\": true} or {\"error\": \"...\"}:\n"
			    "  {\"add\": Device}  {\"remove\": ADDRESS}  {\"use\": Use}  {\"clear_uses\": ADDRESS}\n"
			    "  {\"bind\": {\"device\", \"driver\"}}  {\"unbind\": ADDRESS}\n"
			    "  {\"override\": {\"device\", \"driver\"}}\n"
			    "  {\"open_node\": {\"device\", \"uid\", \"group\"}}\n"
			    "  {\"unit\": {\"pid\", \"unit\"}}  {\"audit_log\": true}  {\"audit_log\": {\"errno\"}}\n"
			    "  {\"fail\": {\"step\", \"device\", \"undo\", \"after\", \"times\", \"errno\"}}\n"
			    "  {\"hang\": {\"step\", \"device\", \"undo\", \"after\", \"times\"}}\n"
			    "  {\"kill\": {\"step\", \"device\", \"undo\", \"after\", \"times\"}}\n"
			    "  {\"unhang\": true}  {\"clear_faults\": true}  {\"state\": true}  {\"stop\": true}\n"
			    "  {\"await\": {\"hung\": N}}  {\"await\": {\"plans\": N}}\n";

enum option_value {
	OPTION_POLICY_DIR = 256,
	OPTION_FAIL,
	OPTION_HANG,
	OPTION_CONTROL,
	OPTION_STAY,
	OPTION_ATTACH,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option options[] = {
	{ "policy-dir", required_argument, NULL, OPTION_POLICY_DIR },
	{ "fail", required_argument, NULL, OPTION_FAIL },
	{ "hang", required_argument, NULL, OPTION_HANG },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "stay", no_argument, NULL, OPTION_STAY },
	{ "attach", required_argument, NULL, OPTION_ATTACH },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

struct command_line {
	const char *folder[FOLDERS_MAX];
	size_t folder_count;
	struct fault fault[FAULTS_MAX];
	size_t fault_count;
	const char *control;
	const char *attach;
	const char *host;
	bool stay;
	bool shown; /* what was asked for was printed */
};

static bool add_fault(struct command_line *line, bool hang)
{
	if (line->fault_count == FAULTS_MAX || fault_parse(optarg, hang, &line->fault[line->fault_count]) < 0) {
		log_error("--%s %s: %s is wanted; see --help", hang ? "hang" : "fail", optarg,
			  hang ? "STEP[:DEVICE]" : "STEP[:DEVICE][=ERRNO]");
		return false;
	}
	line->fault_count++;
	return true;
}

/* False: it is wrong; what is wrong was said. */
static bool read_option(struct command_line *line, int option)
{
	switch (option) {
	case OPTION_POLICY_DIR:
		if (line->folder_count == FOLDERS_MAX) {
			log_error("--policy-dir: %d folders at most", FOLDERS_MAX);
			return false;
		}
		line->folder[line->folder_count++] = optarg;
		return true;
	case OPTION_FAIL:
	case OPTION_HANG:
		return add_fault(line, option == OPTION_HANG);
	case OPTION_CONTROL:
		line->control = optarg;
		return true;
	case OPTION_STAY:
		line->stay = true;
		return true;
	case OPTION_ATTACH:
		line->attach = optarg;
		return true;
	case OPTION_HELP:
		line->shown = fputs(usage, stdout) != EOF;
		return true;
	case OPTION_VERSION:
		line->shown = puts("ioasid-simulator " VERSION) != EOF;
		return true;
	default:
		log_error("see --help");
		return false;
	}
}

static bool read_command_line(struct command_line *line, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!read_option(line, option))
			return false;
		else if (line->shown)
			return true;
	if (argc - optind != (line->attach ? 0 : 1)) {
		log_error("%s; see --help", line->attach ? "--attach takes no host file" : "one host file is wanted");
		return false;
	}
	if (line->stay && !line->control) {
		log_error("--stay needs --control");
		return false;
	}
	line->host = argv[optind];
	if (line->folder_count == 0) {
		line->folder[line->folder_count++] = POLICY_FOLDER_ETC;
		line->folder[line->folder_count++] = POLICY_FOLDER_USR;
	}
	return true;
}

static bool wire_is_there(void)
{
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(WIRE_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
		return true;
	log_error("descriptor %d is no wire: it is ioasidd that starts this (--executor); see --help", WIRE_FD);
	return false;
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct command_line line;
	struct simulator_order order = { .wire = WIRE_FD };

	log_start("ioasid-simulator");
	if (!read_command_line(&line, argc, argv))
		return EXIT_USAGE;
	if (line.shown)
		return EXIT_DONE;
	if (!line.stay && !wire_is_there())
		return EXIT_USAGE;
	if (line.attach && simulator_attach(line.attach, WIRE_FD, line.folder, line.folder_count) < 0)
		return EXIT_FAILED;
	if (line.attach)
		return EXIT_DONE;
	order.host_file = line.host;
	order.folder = line.folder;
	order.folder_count = line.folder_count;
	order.fault = line.fault;
	order.fault_count = line.fault_count;
	order.control_path = line.control;
	if (line.stay) {
		order.wire = -1;
		order.ready = say_ready;
	}
	return simulator_run(&order) < 0 ? EXIT_FAILED : EXIT_DONE;
}
