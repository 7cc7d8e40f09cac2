/*
 * One list of cases for every program that speaks the executor's side of the wire: the executor on a real kernel, and
 * the simulator. What one of them does that the other would not is a broken contract.
 *
 * usage: contract --executor COMMAND [--transcript FILE]
 *   COMMAND gets --policy-dir FOLDER appended. The machine is the one of tests/hosts/contract.json and
 *   tests/vm/topologies/contract.topology.
 */
#include "cases.h"

#include <getopt.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(struct bench *bench);
} cases[] = {
	{ "the greeting", case_greeting },
	{ "the topology", case_topology },
	{ "a survey", case_survey },
	{ "a claim locks a member out, and its release gives everything back", case_claim_with_lockout },
	{ "a claim of devices that are opened only", case_claim_open },
	{ "a claim of two devices", case_claim_of_two },
	{ "a plan in many chunks", case_plan_in_chunks },
	{ "a claim grows and shrinks", case_grow_and_shrink },
	{ "a claim grows by a group of its own", case_grow_by_a_group },
	{ "the client's memlock limit", case_memlock },
	{ "nodes that a user may open", case_claim_node },
	{ "rights to nodes are undone", case_undo_of_node },
	{ "a claim with a member on a host driver", case_sibling_on_host_driver },
	{ "H-11 a sibling wanted in a second context", case_sibling_in_second_context },
	{ "a device wanted twice", case_second_bind },
	{ "everything is undone when a later device fails", case_undo_of_two },
	{ "a context that is none", case_foreign_context },
	{ "a release of what was never touched", case_release_of_untouched },
	{ "H-01 a release finds the process that has an FD", case_release_with_known_holder },
	{ "H-01 a release finds an FD that no process has", case_release_with_unknown_holder },
	{ "a group that is open", case_release_with_open_group },
	{ "a context is emptied", case_unmapping },
	{ "H-18 an unbind that blocks holds up nobody else", case_unbind_that_blocks },
	{ "H-06 resets that are required, tried and skipped", case_reset },
	{ "a group stays closed, and another opens", case_one_group_fails },
	{ "a release of what somebody else has changed", case_release_of_changed },
	{ "an audit tells who holds what, and which claim's it is", case_audit },
	{ "an audit tells who can open the nodes", case_audit_of_nodes },
	{ "a record is kept", case_record },
	{ "a process that holds a device is ended", case_stop_process },
	{ "what may not be stopped is not", case_stop_refused },
	{ "plans that are stale", case_stale_plans },
	{ "plans under another policy", case_wrong_digest },
	{ "devices that nobody gets", case_devices_nobody_gets },
	{ "lockouts and modes that are not covered", case_lockout_not_covered },
	{ "plans that no broker makes", case_odd_plans },
	{ "releases that no broker makes", case_odd_releases },
	{ "a broker that was taken over: what was not given", case_taken_over_release },
	{ "a broker that was taken over: for whom", case_taken_over_subject },
	{ "a broker that was taken over: whose memory", case_taken_over_memlock },
	{ "a broker that was taken over: how much", case_taken_over_limits },
	{ "a broker that was taken over: what is written down", case_taken_over_record },
	{ "reading the policy again", case_reload },
	{ "the end of the broker", case_end },
	{ "SR-42 messages that are none", case_malformed },
	/* The last: it does not leave the machine as it was. */
	{ "a release that restores nothing", case_release_without_restore },
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "executor", required_argument, NULL, 'e' },
		{ "transcript", required_argument, NULL, 't' },
		{ 0 },
	};
	struct bench bench = { .command = NULL };
	const char *transcript = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'e')
			bench.command = optarg;
		else if (option == 't')
			transcript = optarg;
		else
			return 2;
	}
	if (!bench.command || optind != argc) {
		fputs("usage: contract --executor COMMAND [--transcript FILE]\n", stderr);
		return 2;
	}
	report_start(transcript);
	bench_make_policy(&bench);
	bench_start(&bench);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		report_case(cases[i].name);
		cases[i].run(&bench);
	}
	side_stop(&bench.side);
	bench_remove_policy(&bench);
	return report_finish(bench.interface == INTERFACE_GROUP ? expected_group_transcript : expected_transcript) > 0;
}
