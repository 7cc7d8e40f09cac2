#include "metrics_report.h"

#include "openmetrics.h"
#include "quota_report.h"

#include "../../../policy/rules/reserve.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void report_build(struct openmetrics *out, const struct metrics_sources *sources)
{
	const struct registry *registry = arbiter_registry(sources->arbiter);
	int interface = kernel_interface(host_kernel(registry->host));

	openmetrics_family(out, METRIC_GAUGE, "ioasid_build_info", NULL,
			   "Version of ioasidd and the kernel interface that delivers claims. Always 1.");
	openmetrics_count2(out, "version", VERSION, "interface",
			   interface < 0 ? "none" : vfio_interface_to_string((enum vfio_interface)interface), 1);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_start_time_seconds", "seconds",
			   "Start time of ioasidd, in seconds since the Unix epoch.");
	openmetrics_seconds(out, metrics_count(sources->metrics)->started);
}

/* States that last longer than one turn of the loop. */
static const enum claim_state lasting[] = { CLAIM_PREPARING, CLAIM_OFFERED,     CLAIM_HELD,  CLAIM_RELEASING,
					    CLAIM_LINGERING, CLAIM_QUARANTINED, CLAIM_STUCK, CLAIM_LOST };
enum { LASTING_COUNT = sizeof(lasting) / sizeof(*lasting) };
/* MODE_BROKERED is the first that no claim is delivered in yet. */

static void report_claims(struct openmetrics *out, const struct registry *registry)
{
	uint64_t claims[CLAIM_STATE_COUNT][DELIVERY_MODE_COUNT] = { 0 }, devices[CLAIM_STATE_COUNT] = { 0 },
		 lockouts = 0, taken = 0;

	for (const struct claim *claim = ledger_first(registry->ledger); claim; claim = ledger_next(claim)) {
		claims[claim->state][claim->mode]++;
		devices[claim->state] += claim->device_count;
		taken += claim->device_count;
		for (size_t i = 0; i < claim->device_count; i++)
			lockouts += claim->device[i].lockout;
	}
	openmetrics_family(out, METRIC_GAUGE, "ioasid_claims", NULL, "Current claims by state and delivery mode.");
	for (size_t i = 0; i < LASTING_COUNT; i++)
		for (int mode = 0; mode < MODE_BROKERED; mode++)
			openmetrics_count2(out, "state", claim_state_to_string(lasting[i]), "mode",
					   delivery_mode_to_string((enum delivery_mode)mode), claims[lasting[i]][mode]);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_devices", NULL,
			   "Devices by the state of their claim; \"free\" if no claim has them.");
	openmetrics_count(out, "state", "free",
			  topology_count(host_topology(registry->host)) > taken
				  ? topology_count(host_topology(registry->host)) - taken
				  : 0);
	for (size_t i = 0; i < LASTING_COUNT; i++)
		openmetrics_count(out, "state", claim_state_to_string(lasting[i]), devices[lasting[i]]);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_devices_locked_out", NULL,
			   "Devices locked out because they share an IOMMU group with a claimed device.");
	openmetrics_count(out, NULL, NULL, lockouts);
}

static void ignore(void *context, const struct device *device, const char *message)
{
}

static void report_host(struct openmetrics *out, const struct registry *registry)
{
	const struct topology *topology = host_topology(registry->host);

	openmetrics_family(out, METRIC_GAUGE, "ioasid_groups", NULL, "IOMMU groups.");
	openmetrics_count(out, NULL, NULL, topology_group_count(topology));
	openmetrics_family(out, METRIC_GAUGE, "ioasid_reserved_devices_not_ready", NULL,
			   "Devices that the policy reserves but that are not ready to be claimed.");
	openmetrics_count(out, NULL, NULL, reserve_verify(registry->policy, topology, registry->ledger, ignore, NULL));
}

static void report_counts(struct openmetrics *out, const struct metrics_counts *counts)
{
	static const char *const endings[METRICS_ENDING_COUNT] = {
		[METRICS_BY_LEASE] = "lease", [METRICS_BY_OWNER] = "owner", [METRICS_BY_OPERATOR] = "operator"
	};

	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_granted", NULL,
			   "Claims granted: their descriptors were sent to the client.");
	for (int mode = 0; mode < MODE_BROKERED; mode++)
		openmetrics_count(out, "mode", delivery_mode_to_string((enum delivery_mode)mode),
				  counts->granted[mode]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_refused", NULL,
			   "Refused claims and device additions by reason.");
	for (int kind = 0; kind < BLOCKER_KIND_COUNT; kind++)
		openmetrics_count(out, "reason", blocker_kind_to_string((enum blocker_kind)kind),
				  counts->refused[kind]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_failed", NULL,
			   "Claims, additions and removals that were allowed but failed.");
	openmetrics_count(out, NULL, NULL, counts->failed);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_ended", NULL, "Claims ended, by who ended them.");
	for (int ending = 0; ending < METRICS_ENDING_COUNT; ending++)
		openmetrics_count(out, "by", endings[ending], counts->ended[ending]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claim_states", NULL,
			   "Transitions of claims, by the state entered.");
	for (size_t i = 0; i < LASTING_COUNT; i++)
		openmetrics_count(out, "state", claim_state_to_string(lasting[i]), counts->entered[lasting[i]]);
	openmetrics_count(out, "state", claim_state_to_string(CLAIM_FREE), counts->entered[CLAIM_FREE]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_adopted", NULL,
			   "Claims restored after a restart or resumed by their client.");
	openmetrics_count(out, NULL, NULL, counts->adopted);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claim_devices_added", NULL,
			   "Devices added to existing claims.");
	openmetrics_count(out, NULL, NULL, counts->added);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claim_devices_removed", NULL,
			   "Devices removed from claims that continue.");
	openmetrics_count(out, NULL, NULL, counts->removed);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_revoked", NULL, "Claims revoked by operators.");
	openmetrics_count(out, NULL, NULL, counts->revoked);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_holders_stopped", NULL,
			   "Processes and units stopped to revoke a claim, by result.");
	openmetrics_count(out, "result", "stopped", counts->stopped);
	openmetrics_count(out, "result", "failed", counts->not_stopped);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_devices_changed", NULL, "Devices plugged in or changed.");
	openmetrics_count(out, NULL, NULL, counts->devices_changed);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_devices_gone", NULL, "Devices unplugged.");
	openmetrics_count(out, NULL, NULL, counts->devices_gone);
}

static void report_policy(struct openmetrics *out, const struct metrics_counts *counts, const struct policy *policy)
{
	char digest[24];

	snprintf(digest, sizeof(digest), "%016" PRIx64, policy->digest);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_policy_loads", NULL, "Policy loads by result.");
	openmetrics_count(out, "result", "loaded", counts->policies_loaded);
	openmetrics_count(out, "result", "refused", counts->policies_refused);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_policy_load_time_seconds", "seconds",
			   "Load time of the policy in force, in seconds since the Unix epoch.");
	openmetrics_seconds(out, counts->policy_loaded);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_policy_rules", NULL,
			   "Rules in the policy in force. The label is the digest of the policy.");
	openmetrics_count(out, "digest", digest, policy->rule_count);
}

static void report_durations(struct openmetrics *out, const struct metrics_counts *counts, const struct host *host)
{
	const struct run_counts *runs = host_run_count(host);

	openmetrics_family(out, METRIC_GAUGE, "ioasid_plans_running", NULL, "Plans running on the host.");
	openmetrics_count(out, NULL, NULL, runs->running);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_plans_stuck", NULL, "Running plans past their deadline.");
	openmetrics_count(out, NULL, NULL, runs->overdue);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_plan_deadlines_passed", NULL,
			   "Plans that passed their deadline.");
	openmetrics_count(out, NULL, NULL, runs->deadlines);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_plans", NULL, "Finished plans by outcome.");
	for (int outcome = 0; outcome < WIRE_OUTCOME_COUNT; outcome++)
		openmetrics_count(out, "outcome", wire_outcome_to_string((enum wire_outcome)outcome),
				  runs->outcome[outcome]);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_plan_duration_seconds", "seconds",
			   "Duration of plans by kind.");
	openmetrics_histogram(out, "kind", "claim", &runs->duration[WIRE_PLAN_CLAIM]);
	openmetrics_histogram(out, "kind", "release", &runs->duration[WIRE_PLAN_RELEASE]);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_decision_duration_seconds", "seconds",
			   "Duration of policy decisions.");
	openmetrics_histogram(out, NULL, NULL, &counts->decision);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_survey_duration_seconds", "seconds",
			   "Duration of surveys of device use.");
	openmetrics_histogram(out, NULL, NULL, host_survey_duration(host));
	openmetrics_family(
		out, METRIC_HISTOGRAM, "ioasid_claim_duration_seconds", "seconds",
		"Time from the request until the descriptors are sent to the client, for claims and additions.");
	openmetrics_histogram(out, NULL, NULL, &counts->claim);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_release_duration_seconds", "seconds",
			   "Time from the end of a lease until its devices are free or the release is blocked.");
	openmetrics_histogram(out, NULL, NULL, &counts->release);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_loop_turn_duration_seconds", "seconds",
			   "Duration of one event loop iteration. Other clients wait during this time.");
	openmetrics_histogram(out, NULL, NULL, &counts->turn);
}

static void report_written(struct openmetrics *out, const struct metrics_sources *sources)
{
	struct journal_log_counts journal_log = journal_log_count(sources->journal_log);
	struct audit_counts audit = kernel_audit_count(sources->kernel_audit);

	openmetrics_family(out, METRIC_COUNTER, "ioasid_journal_records", NULL,
			   "Journal records by result; \"left-out\" records exceeded a user's rate limit.");
	openmetrics_count(out, "result", "written", journal_log.written);
	openmetrics_count(out, "result", "lost", journal_log.lost);
	openmetrics_count(out, "result", "left-out", journal_log.left_out);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_audit_records", NULL,
			   "Kernel audit records by result; \"unsupported\" if the kernel has no audit log.");
	openmetrics_count(out, "result", "written", audit.written);
	openmetrics_count(out, "result", "failed", audit.failed);
	openmetrics_count(out, "result", "unsupported", audit.unsupported);
	openmetrics_count(out, "result", "left-out", audit.left_out);
}

static void report_socket(struct openmetrics *out, const struct metrics_socket *socket)
{
	openmetrics_family(out, METRIC_GAUGE, "ioasid_connections", NULL, "Open connections to the socket.");
	openmetrics_count(out, NULL, NULL, socket->connections);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_connections_max", NULL,
			   "Connection limit for users other than root. Some connections are reserved for operators.");
	openmetrics_count(out, NULL, NULL, socket->connections_max);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_connections_refused", NULL,
			   "Connections refused because a limit of the user or of descriptors was reached.");
	openmetrics_count(out, NULL, NULL, socket->turned_away);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_monitors", NULL, "Connections that monitor events.");
	openmetrics_count(out, NULL, NULL, socket->monitors);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_monitors_cut_off", NULL,
			   "Monitors dropped because they did not read their events.");
	openmetrics_count(out, NULL, NULL, socket->cut_off);
}

/* How many entries this process's folder of descriptors has. */
static uint64_t count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	/* Without ".", ".." and the folder itself. */
	return count > 3 ? count - 3 : 0;
}

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (file && fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void report_process(struct openmetrics *out, const struct registry *registry)
{
	struct rlimit limit = { 0 };
	uint64_t stored = 0;

	for (const struct claim *claim = ledger_first(registry->ledger); claim; claim = ledger_next(claim)) {
		const struct claim_runtime *runtime = claim_runtime_of(claim);

		if (fdstore_works(registry->store) && !runtime->unstored)
			stored += (runtime->lease >= 0) + (runtime->context >= 0);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_open_descriptors", NULL, "Open file descriptors of ioasidd.");
	openmetrics_count(out, NULL, NULL, count_descriptors());
	openmetrics_family(out, METRIC_GAUGE, "ioasid_open_descriptors_max", NULL, "File descriptor limit of ioasidd.");
	openmetrics_count(out, NULL, NULL, limit.rlim_cur);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_stored_descriptors", NULL,
			   "File descriptors kept in the service manager's file descriptor store.");
	openmetrics_count(out, NULL, NULL, stored);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_resident_memory_bytes", "bytes",
			   "Resident memory of ioasidd, in bytes.");
	openmetrics_count(out, NULL, NULL, resident_bytes());
}

char *metrics_report(const struct metrics_sources *sources, const struct metrics_socket *socket, bool operator)
{
	const struct registry *registry = arbiter_registry(sources->arbiter);
	const struct metrics_counts *counts = metrics_count(sources->metrics);
	struct openmetrics out;

	if (openmetrics_begin(&out) < 0)
		return NULL;
	report_build(&out, sources);
	report_claims(&out, registry);
	report_host(&out, registry);
	report_counts(&out, counts);
	report_policy(&out, counts, registry->policy);
	report_durations(&out, counts, registry->host);
	quota_report(&out, registry, operator);
	report_written(&out, sources);
	report_socket(&out, socket);
	report_process(&out, registry);
	return openmetrics_end(&out);
}
