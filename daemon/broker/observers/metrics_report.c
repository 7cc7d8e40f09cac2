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
			   "Always 1. The version, and by which interface of the kernel claims are delivered.");
	openmetrics_count2(out, "version", VERSION, "interface",
			   interface < 0 ? "none" : vfio_interface_to_string((enum vfio_interface)interface), 1);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_start_time_seconds", "seconds",
			   "When this run of ioasidd began, since 1970.");
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
	openmetrics_family(out, METRIC_GAUGE, "ioasid_claims", NULL,
			   "Claims, by their state and the mode of their delivery.");
	for (size_t i = 0; i < LASTING_COUNT; i++)
		for (int mode = 0; mode < MODE_BROKERED; mode++)
			openmetrics_count2(out, "state", claim_state_to_string(lasting[i]), "mode",
					   delivery_mode_to_string((enum delivery_mode)mode), claims[lasting[i]][mode]);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_devices", NULL,
			   "Devices, by the state of the claim that has them; free: none has.");
	openmetrics_count(out, "state", "free",
			  topology_count(host_topology(registry->host)) > taken
				  ? topology_count(host_topology(registry->host)) - taken
				  : 0);
	for (size_t i = 0; i < LASTING_COUNT; i++)
		openmetrics_count(out, "state", claim_state_to_string(lasting[i]), devices[lasting[i]]);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_devices_locked_out", NULL,
			   "Of the devices that claims have, those that nobody asked for.");
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
			   "Devices that the policy reserves and that can't be claimed as they are.");
	openmetrics_count(out, NULL, NULL, reserve_verify(registry->policy, topology, registry->ledger, ignore, NULL));
}

static void report_counts(struct openmetrics *out, const struct metrics_counts *counts)
{
	static const char *const endings[METRICS_ENDING_COUNT] = {
		[METRICS_BY_LEASE] = "lease", [METRICS_BY_OWNER] = "owner", [METRICS_BY_OPERATOR] = "operator"
	};

	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_granted", NULL,
			   "Claims whose descriptors went to their client.");
	for (int mode = 0; mode < MODE_BROKERED; mode++)
		openmetrics_count(out, "mode", delivery_mode_to_string((enum delivery_mode)mode),
				  counts->granted[mode]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_refused", NULL,
			   "Claims and additions that were refused, by the reason that decided the answer.");
	for (int kind = 0; kind < BLOCKER_KIND_COUNT; kind++)
		openmetrics_count(out, "reason", blocker_kind_to_string((enum blocker_kind)kind),
				  counts->refused[kind]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_failed", NULL,
			   "What the policy allows and could not be done: claims, additions and removals.");
	openmetrics_count(out, NULL, NULL, counts->failed);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_ended", NULL,
			   "Claims whose release began, by who wanted it.");
	for (int ending = 0; ending < METRICS_ENDING_COUNT; ending++)
		openmetrics_count(out, "by", endings[ending], counts->ended[ending]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claim_states", NULL, "How often claims came to a state.");
	for (size_t i = 0; i < LASTING_COUNT; i++)
		openmetrics_count(out, "state", claim_state_to_string(lasting[i]), counts->entered[lasting[i]]);
	openmetrics_count(out, "state", claim_state_to_string(CLAIM_FREE), counts->entered[CLAIM_FREE]);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_adopted", NULL,
			   "Claims that an earlier run left, or that their client took up again.");
	openmetrics_count(out, NULL, NULL, counts->adopted);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claim_devices_added", NULL,
			   "Devices that were added to claims.");
	openmetrics_count(out, NULL, NULL, counts->added);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claim_devices_removed", NULL,
			   "Devices that were given back by claims that go on.");
	openmetrics_count(out, NULL, NULL, counts->removed);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_claims_revoked", NULL, "Claims that an operator took back.");
	openmetrics_count(out, NULL, NULL, counts->revoked);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_holders_stopped", NULL,
			   "Processes and units that held what was revoked, by whether they could be stopped.");
	openmetrics_count(out, "result", "stopped", counts->stopped);
	openmetrics_count(out, "result", "failed", counts->not_stopped);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_devices_changed", NULL,
			   "Devices that came, or were not what they were.");
	openmetrics_count(out, NULL, NULL, counts->devices_changed);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_devices_gone", NULL, "Devices that were unplugged.");
	openmetrics_count(out, NULL, NULL, counts->devices_gone);
}

static void report_policy(struct openmetrics *out, const struct metrics_counts *counts, const struct policy *policy)
{
	char digest[24];

	snprintf(digest, sizeof(digest), "%016" PRIx64, policy->digest);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_policy_loads", NULL,
			   "How often policy files were read, by what came of it.");
	openmetrics_count(out, "result", "loaded", counts->policies_loaded);
	openmetrics_count(out, "result", "refused", counts->policies_refused);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_policy_load_time_seconds", "seconds",
			   "When the policy in force was loaded, since 1970.");
	openmetrics_seconds(out, counts->policy_loaded);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_policy_rules", NULL,
			   "Rules of the policy in force, which the label tells apart.");
	openmetrics_count(out, "digest", digest, policy->rule_count);
}

static void report_durations(struct openmetrics *out, const struct metrics_counts *counts, const struct host *host)
{
	const struct run_counts *runs = host_run_count(host);

	openmetrics_family(out, METRIC_GAUGE, "ioasid_plans_running", NULL, "Changes of the host that are under way.");
	openmetrics_count(out, NULL, NULL, runs->running);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_plans_stuck", NULL,
			   "Of those, the ones that passed their deadline.");
	openmetrics_count(out, NULL, NULL, runs->overdue);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_plan_deadlines_passed", NULL,
			   "Changes of the host that passed their deadline.");
	openmetrics_count(out, NULL, NULL, runs->deadlines);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_plans", NULL,
			   "Changes of the host that came to an end, by what came of them.");
	for (int outcome = 0; outcome < WIRE_OUTCOME_COUNT; outcome++)
		openmetrics_count(out, "outcome", wire_outcome_to_string((enum wire_outcome)outcome),
				  runs->outcome[outcome]);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_plan_duration_seconds", "seconds",
			   "How long changes of the host took, by what they were for.");
	openmetrics_histogram(out, "kind", "claim", &runs->duration[WIRE_PLAN_CLAIM]);
	openmetrics_histogram(out, "kind", "release", &runs->duration[WIRE_PLAN_RELEASE]);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_decision_duration_seconds", "seconds",
			   "How long it took to decide, for plans and claims.");
	openmetrics_histogram(out, NULL, NULL, &counts->decision);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_survey_duration_seconds", "seconds",
			   "How long it took to find out what the host does with devices.");
	openmetrics_histogram(out, NULL, NULL, host_survey_duration(host));
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_claim_duration_seconds", "seconds",
			   "From the question until the descriptors went to the client, additions included.");
	openmetrics_histogram(out, NULL, NULL, &counts->claim);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_release_duration_seconds", "seconds",
			   "From the end of the lease until the devices were free, or something stood against that.");
	openmetrics_histogram(out, NULL, NULL, &counts->release);
	openmetrics_family(out, METRIC_HISTOGRAM, "ioasid_loop_turn_duration_seconds", "seconds",
			   "How long ioasidd worked between two waits; while it does, others wait for it.");
	openmetrics_histogram(out, NULL, NULL, &counts->turn);
}

static void report_written(struct openmetrics *out, const struct metrics_sources *sources)
{
	struct journal_log_counts journal_log = journal_log_count(sources->journal_log);
	struct audit_counts audit = kernel_audit_count(sources->kernel_audit);

	openmetrics_family(out, METRIC_COUNTER, "ioasid_journal_records", NULL,
			   "Records for the journal. Left out are refusals of users who had too many.");
	openmetrics_count(out, "result", "written", journal_log.written);
	openmetrics_count(out, "result", "lost", journal_log.lost);
	openmetrics_count(out, "result", "left-out", journal_log.left_out);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_audit_records", NULL,
			   "Records for the kernel's audit log. Unsupported: this kernel keeps none.");
	openmetrics_count(out, "result", "written", audit.written);
	openmetrics_count(out, "result", "failed", audit.failed);
	openmetrics_count(out, "result", "unsupported", audit.unsupported);
	openmetrics_count(out, "result", "left-out", audit.left_out);
}

static void report_socket(struct openmetrics *out, const struct metrics_socket *socket)
{
	openmetrics_family(out, METRIC_GAUGE, "ioasid_connections", NULL, "Connections over the socket.");
	openmetrics_count(out, NULL, NULL, socket->connections);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_connections_max", NULL,
			   "How many there can be of users other than root; some are kept for operators.");
	openmetrics_count(out, NULL, NULL, socket->connections_max);
	openmetrics_family(
		out, METRIC_COUNTER, "ioasid_connections_refused", NULL,
		"Connections that were turned away: there was no place for this user, or no descriptor left.");
	openmetrics_count(out, NULL, NULL, socket->turned_away);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_monitors", NULL, "Connections that watch events.");
	openmetrics_count(out, NULL, NULL, socket->monitors);
	openmetrics_family(out, METRIC_COUNTER, "ioasid_monitors_cut_off", NULL,
			   "Those that were cut off because they did not read.");
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
	openmetrics_family(out, METRIC_GAUGE, "ioasid_open_descriptors", NULL,
			   "File descriptors that ioasidd has open.");
	openmetrics_count(out, NULL, NULL, count_descriptors());
	openmetrics_family(out, METRIC_GAUGE, "ioasid_open_descriptors_max", NULL, "How many it can have.");
	openmetrics_count(out, NULL, NULL, limit.rlim_cur);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_stored_descriptors", NULL,
			   "File descriptors that the service manager keeps, so that claims outlive a restart.");
	openmetrics_count(out, NULL, NULL, stored);
	openmetrics_family(out, METRIC_GAUGE, "ioasid_resident_memory_bytes", "bytes", "Resident memory of ioasidd.");
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
