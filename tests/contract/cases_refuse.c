#include "cases.h"

#include <string.h>

/* Runs a claim of which one thing is not as it should be. */
static void refuse_changed(struct bench *bench, void (*change)(struct claimed *claimed), const char *what)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	change(&claimed);
	claim(bench, &claimed, what);
	claimed_end(&claimed);
	check_untouched(bench);
}

static void change_identity(struct claimed *claimed)
{
	claimed->device[0].before.identity ^= 1;
}

static void change_identity_of_lockout(struct claimed *claimed)
{
	claimed->device[1].before.identity ^= 1;
}

static void change_driver(struct claimed *claimed)
{
	strcpy(claimed->device[1].before.driver, "e1000e");
}

static void drop_driver(struct claimed *claimed)
{
	strcpy(claimed->device[1].before.driver, "");
}

static void change_override(struct claimed *claimed)
{
	strcpy(claimed->device[0].before.driver_override, "pci-stub");
}

static void pretend_vfio(struct claimed *claimed)
{
	strcpy(claimed->device[0].before.driver, "vfio-pci");
	strcpy(claimed->device[0].before.vfio_node, "vfio0");
}

void case_stale_plans(struct bench *bench)
{
	refuse_changed(bench, change_identity, "another device under the name");
	refuse_changed(bench, change_identity_of_lockout, "another lockout under the name");
	refuse_changed(bench, change_driver, "another driver than the lockout has");
	refuse_changed(bench, drop_driver, "no driver, where the lockout has one");
	refuse_changed(bench, change_override, "another override than there is");
	refuse_changed(bench, pretend_vfio, "a VFIO driver that is not there");
}

void case_wrong_digest(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *others[] = { bench->roles.alone, NULL };
	struct claimed claimed, other;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	claimed_end(&claimed);
	bench->digest ^= 1;
	claimed_begin(bench, &other, others, NULL);
	claim(bench, &other, "claim under another policy");
	/* Whatever the two programs think of the files, what was given is put back. */
	release(bench, &claimed, false, "release under another policy");
	claimed_end(&other);
	bench->digest ^= 1;
	check_untouched(bench);
}

static void refuse_device(struct bench *bench, const char *name, const char *what)
{
	const char *asked[] = { name, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, what);
	claimed_end(&claimed);
}

void case_devices_nobody_gets(struct bench *bench)
{
	struct claimed claimed = { .mode = MODE_ATTACHED,
				   .context = -1,
				   .count = 1,
				   .group_fd = { -1, -1, -1, -1 },
				   .device_fd = { -1, -1, -1, -1 },
				   .rule = "test cards and their neighbours" };

	refuse_device(bench, bench->roles.never, "a device in never");
	refuse_device(bench, bench->roles.other, "a device that no rule names");
	refuse_device(bench, bench->roles.bridge, "a bridge");
	memset(claimed.id, 'd', 32);
	strcpy(claimed.device[0].before.name, "0000:ff:1f.7");
	claimed.device[0].before.identity = 1;
	claim(bench, &claimed, "a device that is not there");
	check_untouched(bench);
}

/* The NIC's rule, under this policy, lets nobody be locked out. */
void case_lockout_not_covered(struct bench *bench)
{
	static const char strict[] =
		"{ \"rules\": [ { \"name\": \"test cards\", \"effect\": \"allow\", \"reset\": \"try\",\n"
		"                 \"device\": { \"id\": [\"1234:11e8\", \"8086:100e\"] } } ] }\n";
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	bench_write_policy(bench, strict);
	report_note("reload: error %d", side_reload(&bench->side).error);
	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "a rule that is there no more");
	claimed.rule = "test cards";
	claim(bench, &claimed, "a lockout that the rule does not cover");
	claimed.count = 1;
	claim(bench, &claimed, "the same, not mentioned");
	claimed.mode = MODE_OPEN;
	claim(bench, &claimed, "a mode that the rule does not give");
	claimed_end(&claimed);
	bench_write_policy(bench, usual_policy);
	report_note("reload: error %d", side_reload(&bench->side).error);
	check_untouched(bench);
}

static enum vfio_interface other_interface(const struct bench *bench)
{
	return bench->interface == INTERFACE_IOMMUFD ? INTERFACE_GROUP : INTERFACE_IOMMUFD;
}

/* Runs the plan with two of its steps in each other's place, and puts them back. */
static void run_swapped(struct bench *bench, struct claimed *claimed, struct plan *plan, size_t first)
{
	struct step step = plan->step[first];

	plan->step[first] = plan->step[first + 1];
	plan->step[first + 1] = step;
	run_claim(bench, claimed, plan, bench->digest, "steps in another order");
	plan->step[first + 1] = plan->step[first];
	plan->step[first] = step;
}

/* Plans that the broker would never make. */
void case_odd_plans(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct delivery wrong = { .mode = MODE_ATTACHED, .interface = other_interface(bench) };
	struct claimed claimed;
	struct plan plan = { .count = 0 };

	claimed_begin(bench, &claimed, asked, locked_out);
	run_claim(bench, &claimed, &plan, bench->digest, "a plan without steps");
	if (plan_for_claim(&plan, claimed.device, claimed.count, &wrong) < 0)
		bail_out("no plan could be made");
	run_claim(bench, &claimed, &plan, bench->digest, "steps of the other interface");
	plan_done(&plan);
	plan = claim_plan(bench, &claimed, 0);
	run_swapped(bench, &claimed, &plan, 0);
	strcpy(plan.step[0].value, "e1000");
	run_claim(bench, &claimed, &plan, bench->digest, "a driver that is none of VFIO's");
	strcpy(plan.step[0].value, pci_kind.claim_driver);
	plan.count--;
	run_claim(bench, &claimed, &plan, bench->digest, "without the last step");
	plan.count++;
	plan_add(&plan, &(struct step){ .kind = STEP_GRANT, .number = 47110 });
	run_claim(bench, &claimed, &plan, bench->digest, "a right to nodes beside FDs");
	plan_done(&plan);
	plan = release_plan(bench, &claimed, false);
	run_claim(bench, &claimed, &plan, bench->digest, "a release that says it is a claim");
	plan_done(&plan);
	claimed_end(&claimed);
	check_untouched(bench);
}

/* Runs a release without the steps of one kind (STEP_KIND_COUNT: with all), and without any context. */
static void release_without(struct bench *bench, const struct claimed *claimed, const struct giving_back *how,
			    enum step_kind kind, const char *what)
{
	struct plan plan = { .count = 0 };
	size_t kept = 0;

	if (plan_for_release(&plan, claimed->device, claimed->count, how) < 0)
		bail_out("no plan could be made");
	for (size_t i = 0; i < plan.count; i++)
		if (plan.step[i].kind != kind)
			plan.step[kept++] = plan.step[i];
	plan.count = kept;
	run_release(bench, claimed, &plan, -1, what);
	plan_done(&plan);
}

/* What a broker that was taken over might try with a release, of which no rule says anything. */
void case_odd_releases(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const struct giving_back how = { .interface = bench->interface };
	const struct giving_back wrong = { .interface = other_interface(bench) };
	const struct giving_back shrinks = { .interface = INTERFACE_IOMMUFD, .pin = true };
	struct claimed claimed;
	struct plan plan;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	release_without(bench, &claimed, &how, STEP_PROVE_NO_HOLDER, "nobody was looked for");
	release_without(bench, &claimed, &how,
			how.interface == INTERFACE_IOMMUFD ? STEP_PROVE_UNBOUND : STEP_PROVE_GROUP_FREE,
			"nobody was found to be bound");
	release_without(bench, &claimed, &wrong, STEP_KIND_COUNT, "proofs of the other interface");
	release_without(bench, &claimed, &how, STEP_BUS_MASTER_OFF, "bus mastering was not looked at");
	release_without(bench, &claimed, &how, STEP_RESET, "nothing is reset");
	release_without(bench, &claimed, &how, STEP_RESTORE, "nothing is restored");
	release_without(bench, &claimed, &shrinks, STEP_KIND_COUNT, "in a context that did not come with it");
	plan = claim_plan(bench, &claimed, 0);
	run_release(bench, &claimed, &plan, -1, "a claim that says it is a release");
	plan_done(&plan);
	plan = (struct plan){ .count = 0 };
	plan_add(&plan, &(struct step){ .kind = STEP_GRANT, .number = 47110 });
	run_release(bench, &claimed, &plan, -1, "a right to nodes in a release");
	plan_done(&plan);
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}
