#include "bench.h"

#include "../../daemon/base/policy_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RULES(reset) \
	"{\n" \
	"  \"rules\": [\n" \
	"    { \"name\": \"those who need a reset\", \"effect\": \"allow\", \"subject\": { \"user\": [47101] },\n" \
	"      \"device\": { \"id\": [\"1234:11e8\", \"8086:100e\", \"8086:10d3\"] },\n" \
	"      \"lockout\": \"unused\", \"reset\": \"" reset "\" },\n" \
	"    { \"name\": \"those who keep them on VFIO\", \"effect\": \"allow\", \"subject\": { \"user\": [47102] },\n" \
	"      \"device\": { \"id\": [\"1234:11e8\", \"8086:100e\"] },\n" \
	"      \"lockout\": \"unused\", \"reset\": \"try\", \"restore\": false },\n" \
	"    { \"name\": \"those who have one\", \"effect\": \"allow\", \"subject\": { \"user\": [47103] },\n" \
	"      \"device\": { \"id\": [\"1234:11e8\"] },\n" \
	"      \"lockout\": \"unused\", \"reset\": \"try\", \"limits\": { \"devices\": 1 } },\n" \
	"    { \"name\": \"those of a group\", \"effect\": \"allow\", \"subject\": { \"group\": [47104] },\n" \
	"      \"device\": { \"id\": [\"1234:11e8\"] }, \"lockout\": \"unused\", \"reset\": \"try\",\n" \
	"      \"modes\": [\"attached\", \"node\"] },\n" \
	"    { \"name\": \"test cards and their neighbours\", \"effect\": \"allow\",\n" \
	"      \"device\": { \"id\": [\"1234:11e8\", \"8086:100e\"] },\n" \
	"      \"lockout\": \"unused\", \"modes\": [\"attached\", \"open\", \"node\"],\n" \
	"      \"limits\": { \"memlock\": \"64M\" }, \"reset\": \"try\", \"revoke\": { \"stop\": \"unit\" } },\n" \
	"    { \"name\": \"a card that can be reset\", \"effect\": \"allow\",\n" \
	"      \"device\": { \"id\": [\"8086:10d3\"] } }\n" \
	"  ],\n" \
	"  \"never\": [ { \"class\": [\"0106\"], \"why\": \"the disks hang here\" } ]\n" \
	"}\n"

const char usual_policy[] = RULES("require");
const char milder_policy[] = RULES("try");

void bench_make_policy(struct bench *bench)
{
	snprintf(bench->folder, sizeof(bench->folder), "%s", P_tmpdir "/ioasidd-contract-XXXXXX");
	if (!mkdtemp(bench->folder))
		bail_out("no folder for the policy: %s", strerror(errno));
	bench_write_policy(bench, usual_policy);
}

static void policy_path(const struct bench *bench, char *out, size_t size)
{
	snprintf(out, size, "%s/contract.json", bench->folder);
}

void bench_write_policy(struct bench *bench, const char *text)
{
	const char *folder = bench->folder;
	struct diagnostics diagnostics = { .count = 0 };
	struct policy *policy = NULL;
	char path[128];
	FILE *file;

	policy_path(bench, path, sizeof(path));
	file = fopen(path, "we");
	if (!file || fputs(text, file) == EOF || fclose(file) != 0 || chmod(path, 0600) < 0)
		bail_out("the policy %s can't be written: %s", path, strerror(errno));
	if (policy_files_load(&folder, 1, &diagnostics, &policy) == 0)
		bench->digest = policy->digest;
	policy_free(policy);
	diagnostics_done(&diagnostics);
}

void bench_remove_policy(struct bench *bench)
{
	char path[128];

	policy_path(bench, path, sizeof(path));
	if (unlink(path) < 0 || rmdir(bench->folder) < 0)
		bail_out("the policy %s can't be removed: %s", path, strerror(errno));
}

static bool has_id(const struct device *device, uint16_t vendor, uint16_t id)
{
	return device_pci(device)->vendor == vendor && device_pci(device)->device == id;
}

static void find_roles(struct bench *bench)
{
	struct roles *roles = &bench->roles;
	size_t count;
	const struct device **device = topology_sorted(bench->side.topology, &count);
	int32_t group = -1;

	memset(roles, 0, sizeof(*roles));
	for (size_t i = 0; i < count; i++) {
		if (has_id(device[i], 0x8086, 0x100e)) {
			memcpy(roles->nic, device[i]->name, sizeof(roles->nic));
			memcpy(roles->bridge, device[i]->parent, sizeof(roles->bridge));
			group = device[i]->group;
		} else if (has_id(device[i], 0x8086, 0x10d3)) {
			memcpy(roles->good, device[i]->name, sizeof(roles->good));
		} else if (has_id(device[i], 0x8086, 0x2922)) {
			memcpy(roles->never, device[i]->name, sizeof(roles->never));
		} else if (has_id(device[i], 0x8086, 0x29c0)) {
			memcpy(roles->other, device[i]->name, sizeof(roles->other));
		}
	}
	for (size_t i = 0; i < count; i++)
		if (has_id(device[i], 0x1234, 0x11e8))
			memcpy(device[i]->group == group ? roles->edu : roles->alone, device[i]->name, DEVICE_NAME_MAX);
	free(device);
	if (!*roles->edu || !*roles->nic || !*roles->bridge || !*roles->alone || !*roles->good || !*roles->never ||
	    !*roles->other)
		bail_out("this is not the machine \"contract\": one of its devices is missing");
}

void bench_start(struct bench *bench)
{
	int interface;

	side_start(&bench->side, bench->command, bench->folder);
	interface = kernel_interface(&bench->side.hello.kernel);
	if (interface < 0)
		bail_out("this kernel has neither iommufd nor VFIO groups");
	bench->interface = (enum vfio_interface)interface;
	find_roles(bench);
}

const char *role_of(const struct bench *bench, const char *name)
{
	const struct roles *roles = &bench->roles;
	const struct {
		const char *name;
		const char *role;
	} known[] = {
		{ roles->edu, "edu" },     { roles->nic, "nic" },   { roles->bridge, "bridge" },
		{ roles->alone, "alone" }, { roles->good, "good" }, { roles->never, "never" },
		{ roles->other, "other" },
	};

	if (!*name)
		return "-";
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].role;
	return "unknown";
}

void claimed_add(struct bench *bench, struct claimed *claimed, const char *name, bool lockout)
{
	const struct device *device;

	if (side_survey(&bench->side, &name, 1) != 0)
		bail_out("%s can't be surveyed", name);
	device = topology_find(bench->side.surveyed, name);
	if (!device)
		bail_out("%s is gone", name);
	claimed->device[claimed->count++] = (struct claim_device){
		.before = *device,
		.lockout = lockout,
		.reset = RESET_TRY,
		.restore = true,
	};
}

void claimed_begin(struct bench *bench, struct claimed *claimed, const char *const *asked,
		   const char *const *locked_out)
{
	static unsigned long long claims;

	*claimed = (struct claimed){ .mode = MODE_ATTACHED,
				     .context = -1,
				     .group_fd = { -1, -1, -1, -1 },
				     .device_fd = { -1, -1, -1, -1 },
				     .rule = "test cards and their neighbours" };
	snprintf(claimed->id, sizeof(claimed->id), "%032llx", ++claims);
	if (asked[0] && strcmp(asked[0], bench->roles.good) == 0)
		claimed->rule = "a card that can be reset";
	for (size_t i = 0; asked[i]; i++)
		claimed_add(bench, claimed, asked[i], false);
	for (size_t i = 0; locked_out && locked_out[i]; i++)
		claimed_add(bench, claimed, locked_out[i], true);
}

void claimed_begin_to_grow(struct bench *bench, struct claimed *more, const struct claimed *claimed,
			   const char *const *asked)
{
	claimed_begin(bench, more, asked, NULL);
	memcpy(more->id, claimed->id, sizeof(more->id));
	more->rule = claimed->rule;
	more->mode = claimed->mode;
	more->uid = claimed->uid;
	more->ioas = claimed->ioas;
	if (claimed->context >= 0)
		more->context = fcntl(claimed->context, F_DUPFD_CLOEXEC, 3);
	for (size_t i = 0; i < claimed->count; i++)
		if (!claimed->device[i].lockout)
			more->had_group[more->had_groups++] = claimed->device[i].before.group;
}

void note_result(const struct bench *bench, const char *what, const struct result *result)
{
	const struct wire_result *wire = &result->wire;
	const char *step = step_kind_to_string((enum step_kind)wire->kind);
	char error[32] = "0", end[160] = "";

	if (wire->error != 0)
		snprintf(error, sizeof(error), "%s",
			 strerrorname_np(wire->error) ? strerrorname_np(wire->error) : "an unknown errno");
	if (wire->outcome == WIRE_OUTCOME_DONE)
		snprintf(end, sizeof(end), "contexts %u, groups %u, devices %u, ioas %s", wire->contexts, wire->groups,
			 wire->devices, wire->ioas_id != 0 ? "yes" : "no");
	else if (wire->outcome != WIRE_OUTCOME_REFUSED)
		snprintf(end, sizeof(end), "at %s of %s: %s", step ? step : "no step", role_of(bench, wire->device),
			 error);
	if (wire->outcome == WIRE_OUTCOME_HELD)
		snprintf(end + strlen(end), sizeof(end) - strlen(end), ", by %s%s%s",
			 wire->pid == 0          ? "somebody"
			 : wire->pid == getpid() ? "me"
						 : "another",
			 result->fds.count == wire->contexts + 1 ? ", with a pidfd" : "",
			 wire->contexts == 1 ? ", with the context" : "");
	report_note("%s: %s%s%s", what, wire_outcome_to_string((enum wire_outcome)wire->outcome), *end ? " " : "", end);
	report_check(wire->outcome == WIRE_OUTCOME_DONE || wire->outcome == WIRE_OUTCOME_HELD ||
			     (wire->contexts == 0 && wire->groups == 0 && wire->devices == 0 && result->fds.count == 0),
		     "%s: FDs come with a plan that is not done", what);
	report_check(wire->outcome != WIRE_OUTCOME_DONE ||
			     result->fds.count == wire->contexts + wire->groups + wire->devices,
		     "%s: %zu FDs come instead of %u", what, result->fds.count,
		     wire->contexts + wire->groups + wire->devices);
	report_check(wire->outcome != WIRE_OUTCOME_HELD ||
			     (wire->groups == 0 && wire->devices == 0 && result->fds.count >= wire->contexts &&
			      result->fds.count <= wire->contexts + 1),
		     "%s: %zu FDs come with it", what, result->fds.count);
	report_check(wire->outcome == WIRE_OUTCOME_DONE || *wire->text, "%s: nothing is said about why", what);
	if (*wire->text)
		printf("# %s: %s\n", what, wire->text);
}

struct plan_owner owner_of(const struct claimed *claimed)
{
	struct plan_owner owner = { .subject = { .uid = claimed->uid, .gid = claimed->gid } };

	memcpy(owner.claim, claimed->id, sizeof(owner.claim));
	snprintf(owner.rule, sizeof(owner.rule), "%s", claimed->rule);
	return owner;
}

enum wire_outcome run_claim(struct bench *bench, struct claimed *claimed, const struct plan *plan, uint64_t digest,
			    const char *what)
{
	const struct wire_enclosure enclosure = { .context = claimed->context,
						  .peer_fd = -1,
						  .owner = owner_of(claimed) };
	uint64_t id = side_send_plan(&bench->side, WIRE_PLAN_CLAIM, digest, plan, &enclosure);
	struct result result = side_await_result(&bench->side, id);
	size_t next = 0;

	note_result(bench, what, &result);
	if (result.wire.outcome == WIRE_OUTCOME_DONE) {
		if (result.wire.contexts == 1)
			claimed->context = descriptors_take(&result.fds, next++);
		for (size_t i = 0; i < 4 && i < result.wire.groups; i++)
			claimed->group_fd[i] = descriptors_take(&result.fds, next++);
		for (size_t i = 0; i < 4 && i < result.wire.devices; i++)
			claimed->device_fd[i] = descriptors_take(&result.fds, next++);
		claimed->ioas = result.wire.ioas_id;
	}
	descriptors_close(&result.fds);
	return (enum wire_outcome)result.wire.outcome;
}

struct plan claim_plan(const struct bench *bench, const struct claimed *claimed, uint64_t memlock)
{
	struct delivery delivery = {
		.mode = claimed->mode,
		/* There is no plan for devices that are opened only without iommufd: what is made then is refused. */
		.interface = claimed->mode == MODE_OPEN ? INTERFACE_IOMMUFD : bench->interface,
		.groups = bench->side.hello.kernel.vfio_group,
		.uid = claimed->uid,
		.grows = claimed->context >= 0,
		.ioas_id = claimed->ioas,
		.memlock = memlock,
		.group_count = claimed->had_groups,
	};
	struct plan plan = { .count = 0 };

	memcpy(delivery.group, claimed->had_group, sizeof(claimed->had_group));
	if (plan_for_claim(&plan, claimed->device, claimed->count, &delivery) < 0)
		bail_out("no plan could be made");
	return plan;
}

struct plan release_plan(const struct bench *bench, const struct claimed *claimed, bool pin)
{
	const struct giving_back how = { .interface = bench->interface, .pin = pin };
	struct plan plan = { .count = 0 };

	if (claimed->mode == MODE_NODE &&
	    plan_for_revocation(&plan, claimed->device, claimed->count, claimed->uid, !pin) < 0)
		bail_out("no plan could be made");
	if (plan_for_release(&plan, claimed->device, claimed->count, &how) < 0)
		bail_out("no plan could be made");
	return plan;
}

enum wire_outcome claim(struct bench *bench, struct claimed *claimed, const char *what)
{
	struct plan plan = claim_plan(bench, claimed, 0);
	enum wire_outcome outcome = run_claim(bench, claimed, &plan, bench->digest, what);

	plan_done(&plan);
	return outcome;
}

enum wire_outcome run_release(struct bench *bench, const struct claimed *claimed, const struct plan *plan, int context,
			      const char *what)
{
	const struct wire_enclosure enclosure = { .context = context, .peer_fd = -1, .owner = owner_of(claimed) };
	uint64_t id = side_send_plan(&bench->side, WIRE_PLAN_RELEASE, bench->digest, plan, &enclosure);
	struct result result = side_await_result(&bench->side, id);

	note_result(bench, what, &result);
	descriptors_close(&result.fds);
	return (enum wire_outcome)result.wire.outcome;
}

enum wire_outcome release(struct bench *bench, const struct claimed *claimed, bool pin, const char *what)
{
	struct plan plan = release_plan(bench, claimed, pin);
	enum wire_outcome outcome = run_release(bench, claimed, &plan, pin ? claimed->context : -1, what);

	plan_done(&plan);
	return outcome;
}

void claimed_close_devices(struct claimed *claimed)
{
	for (size_t i = 0; i < 4; i++) {
		descriptor_close(&claimed->device_fd[i]);
		descriptor_close(&claimed->group_fd[i]);
	}
}

void claimed_end(struct claimed *claimed)
{
	claimed_close_devices(claimed);
	descriptor_close(&claimed->context);
}

/* "driver idle, holder disruptive by me" */
static void describe_uses(const struct bench *bench, const char *device, char *out, size_t size)
{
	const struct uses *uses = &bench->side.uses;

	snprintf(out, size, "%s", "");
	for (size_t i = 0; i < uses->count; i++) {
		const struct use *use = &uses->use[i];

		if (strcmp(use->device, device) != 0)
			continue;
		snprintf(out + strlen(out), size - strlen(out), "%s%s %s%s", *out ? ", " : "",
			 use_kind_to_string((enum use_kind)use->kind), severity_to_string((enum severity)use->severity),
			 use->pid == 0          ? ""
			 : use->pid == getpid() ? " by me"
						: " by another");
	}
	if (!*out)
		snprintf(out, size, "none");
}

static void survey_roles(struct bench *bench, const char *name[static 4])
{
	name[0] = bench->roles.edu;
	name[1] = bench->roles.nic;
	name[2] = bench->roles.alone;
	name[3] = bench->roles.good;
	report_check(side_survey(&bench->side, name, 4) == 0, "the survey is incomplete");
}

void note_state(struct bench *bench, const char *when)
{
	const char *name[4];
	char uses[256];

	survey_roles(bench, name);
	for (size_t i = 0; i < 4; i++) {
		const struct device *device = topology_find(bench->side.surveyed, name[i]);

		if (!device)
			bail_out("%s is gone", name[i]);
		describe_uses(bench, name[i], uses, sizeof(uses));
		report_note("%s: %s has driver %s, override %s, node %s, uses: %s", when, role_of(bench, name[i]),
			    *device->driver ? device->driver : "none",
			    *device->driver_override ? device->driver_override : "none",
			    *device->vfio_node ? "yes" : "no", uses);
	}
}

void check_untouched(struct bench *bench)
{
	static const char *const driver[4] = { "", "e1000", "", "e1000e" };
	const char *name[4];

	survey_roles(bench, name);
	for (size_t i = 0; i < 4; i++) {
		const struct device *device = topology_find(bench->side.surveyed, name[i]);

		report_check(device && strcmp(device->driver, driver[i]) == 0 && !*device->driver_override &&
				     !*device->vfio_node,
			     "%s is not as it was: driver '%s', override '%s', node '%s'", name[i],
			     device ? device->driver : "(gone)", device ? device->driver_override : "",
			     device ? device->vfio_node : "");
	}
}
