/*
 * The plan engine over Linux's own calls, on a double of the kernel (kernel_double.h): what a claim writes and asks,
 * that a release puts it back, and that it is put back whichever call fails. That Linux means the same by these calls,
 * the VM rig shows.
 */
#include "../../daemon/executor/devices/pci_device.h"
#include "../../daemon/executor/workers/linux_calls.h"
#include "../../daemon/executor/workers/plan_context.h"
#include "../../daemon/plans/engine.h"
#include "kernel_double.h"
#include "plan_literal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 4711, LIMIT_BEFORE = 65536, LIMIT_WANTED = 131072 };

/* clang-format off */
#define TAKE \
	STEP(OVERRIDE, SIBLING, .value = PINNED_OVERRIDE), STEP(UNBIND, SIBLING, .before = "e1000"), \
	STEP(OVERRIDE, CARD, .value = "vfio-pci"), STEP(UNBIND, CARD, .before = "card"), \
	STEP(PROBE, CARD, .value = "vfio-pci")
static const struct plan by_iommufd = PLAN(
	TAKE, STEP(CONTEXT, ""), STEP(OPEN, CARD), STEP(BIND, CARD), STEP(IOAS, ""),
	STEP(ATTACH, CARD), STEP(MEMLOCK, "", .number = LIMIT_WANTED));
static const struct plan by_group = PLAN(TAKE, STEP(CONTAINER, ""), STEP(GROUP, CARD), STEP(GROUP_DEVICE, CARD),
					 STEP(MEMLOCK, "", .number = LIMIT_WANTED));
static const struct plan by_node = PLAN(
	TAKE, STEP(GRANT, "", .number = SOMEBODY), STEP(GRANT, CARD, .number = SOMEBODY));
#define GIVE_BACK \
	STEP(BUS_MASTER_OFF, CARD), STEP(RESET, CARD, .number = RESET_REQUIRE), \
	STEP(UNBIND_VFIO, CARD, .before = "vfio-pci"), STEP(RESTORE, CARD, .value = "card"), \
	STEP(RESTORE, SIBLING, .value = "e1000")
static const struct plan release_iommufd = PLAN(STEP(UNMAP, "", .number = 3), STEP(PROVE_NO_HOLDER, CARD),
						STEP(PROVE_UNBOUND, CARD), GIVE_BACK);
static const struct plan release_group = PLAN(STEP(UNMAP, ""), STEP(PROVE_NO_HOLDER, CARD),
					      STEP(PROVE_GROUP_FREE, CARD), GIVE_BACK);
static const struct plan release_node = PLAN(
	STEP(REVOKE, "", .number = SOMEBODY), STEP(REVOKE, CARD, .number = SOMEBODY), STEP(PROVE_NO_HOLDER, CARD),
	STEP(PROVE_UNBOUND, CARD), GIVE_BACK);
/* clang-format on */
static const struct plan *const claims[] = { &by_iommufd, &by_group, &by_node };
static const struct plan *const releases[] = { &release_iommufd, &release_group, &release_node };
enum { WAYS = sizeof(claims) / sizeof(*claims) };

static pid_t client;

static int begin(void **state)
{
	const struct rlimit limit = { .rlim_cur = LIMIT_BEFORE, .rlim_max = LIMIT_WANTED };

	kernel_begin();
	client = fork();
	assert_true(client >= 0);
	if (client == 0)
		for (;;)
			pause();
	assert_int_equal(prlimit(client, RLIMIT_MEMLOCK, &limit, NULL), 0);
	kernel.calls = 0;
	return 0;
}

static int end(void **state)
{
	kill(client, SIGKILL);
	assert_int_equal(waitpid(client, NULL, 0), client);
	kernel_end();
	return 0;
}

/* Begins anew, on a machine that nothing was done to. */
static void anew(unsigned fail_at)
{
	end(NULL);
	begin(NULL);
	kernel.fail_at = fail_at;
}

static unsigned open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static rlim_t limit_of_client(void)
{
	struct rlimit limit;

	assert_int_equal(prlimit(client, RLIMIT_MEMLOCK, NULL, &limit), 0);
	return limit.rlim_cur;
}

/* A plan for the devices that are there now. */
static void copy_plan(struct plan *out, const struct plan *plan)
{
	*out = (struct plan){ .count = 0 };
	for (size_t i = 0; i < plan->count; i++) {
		struct step step = plan->step[i];
		int folder = step.device[0] ? pci_device_open(&kernel.tree.host, step.device) : -1;

		if (folder >= 0) {
			assert_int_equal(pci_device_identity(folder, &step.identity), 0);
			close(folder);
		}
		assert_int_equal(plan_add(out, &step), 0);
	}
}

/*
 * Runs a plan. context: passed to it, and closed; -1: none. kept: gets the context that the plan made, if it is not
 * NULL; all else is closed. Returns how many files the plan had open at its end.
 */
static unsigned run_plan(const struct plan *plan, bool release, int context, int *kept, struct wire_result *result)
{
	struct wire_plan_inbox inbox = {
		.kind = release ? WIRE_PLAN_RELEASE : WIRE_PLAN_CLAIM,
		.enclosure = { .context = context,
			       .peer = release ? 0 : client,
			       .peer_fd = release ? -1 : pidfd_open(client, 0),
			       .proof = WIRE_PROOF_THERE,
			       .owner.subject.uid = geteuid() },
	};
	struct plan_context running;
	unsigned opened;

	copy_plan(&inbox.plan, plan);
	memset(result, 0, sizeof(*result));
	assert_int_equal(plan_context_begin(&running, &kernel.tree.host, &linux_calls, &inbox), 0);
	opened = open_files();
	while (!engine_advance(&running.run, result))
		;
	opened = open_files() - opened;
	if (kept) {
		*kept = running.context;
		running.context = -1;
	}
	plan_context_end(&running);
	plan_done(&inbox.plan);
	return opened;
}

/* A claim and its release, by each interface and mode: what is given, and that all is put back. */
static void test_claims_are_put_back(void **state)
{
	static const unsigned files[WAYS] = { 2, 3, 0 }; /* context, group, device */
	char *before = strdup(kernel_state());

	for (size_t i = 0; i < WAYS; i++) {
		struct wire_result result;
		unsigned files_before;
		int context;

		anew(0);
		files_before = open_files();
		assert_int_equal(run_plan(claims[i], false, -1, &context, &result), files[i]);
		assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
		assert_non_null(strstr(kernel_state(), CARD ": driver 'vfio-pci', override 'vfio-pci'"));
		assert_non_null(strstr(kernel_state(), SIBLING ": driver '', override '" PINNED_OVERRIDE "'"));
		assert_int_equal(strstr(kernel_state(), "user:4711:rw-") != NULL, claims[i] == &by_node);
		if (claims[i] != &by_node) {
			assert_int_equal(result.memlock_before, LIMIT_BEFORE);
			assert_int_equal(limit_of_client(), LIMIT_WANTED);
		}
		kernel.unmapped = kernel.resets = 0;
		run_plan(releases[i], true, context, NULL, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
		assert_int_equal(kernel.resets, 1);
		assert_int_equal(kernel.unmapped, claims[i] == &by_node ? 0 : 1);
		assert_string_equal(kernel_state(), before);
		assert_int_equal(open_files(), files_before);
	}
	free(before);
}

/* Whichever call fails: the machine is as it was, no file stays open, and there is a sentence about it. */
static void test_each_call_of_a_claim_fails(void **state)
{
	/* The entry of the container may be another claim's, too: the last release takes it. */
	static const char container[] = "vfio/vfio";
	char *before = strdup(kernel_state_but(container));

	for (size_t i = 0; i < WAYS; i++) {
		struct wire_result result;
		unsigned calls, probed = 0;

		anew(0);
		run_plan(claims[i], false, -1, NULL, &result);
		assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
		calls = kernel.calls;
		assert_true(calls >= claims[i]->count - 1);
		for (unsigned call = 1; call <= calls; call++) {
			unsigned files = open_files();

			anew(call);
			run_plan(claims[i], false, -1, NULL, &result);
			/* When drivers_probe fails, the driver's own "bind" is tried. */
			if (result.outcome == WIRE_OUTCOME_DONE && probed++ == 0) {
				assert_non_null(strstr(kernel_state(), CARD ": driver 'vfio-pci'"));
				continue;
			}
			assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
			assert_true(result.text[0]);
			assert_string_equal(kernel_state_but(container), before);
			assert_int_equal(limit_of_client(), LIMIT_BEFORE);
			assert_int_equal(open_files(), files);
		}
	}
	free(before);
}

/* The same of a release, which is made again then and puts everything back. */
static void test_each_call_of_a_release_fails(void **state)
{
	char *before = strdup(kernel_state());

	for (size_t i = 0; i < WAYS; i++)
		for (unsigned call = 1, calls = 1; call <= calls; call++) {
			struct wire_result result;
			int context, again;

			anew(0);
			run_plan(claims[i], false, -1, &context, &result);
			again = context < 0 ? -1 : dup(context);
			kernel.calls = 0;
			kernel.fail_at = call;
			run_plan(releases[i], true, context, NULL, &result);
			/* Of the first round nothing is known but that it failed. */
			calls = kernel.calls > calls ? kernel.calls : calls;
			if (result.outcome != WIRE_OUTCOME_DONE)
				assert_true(result.text[0]);
			kernel.fail_at = 0;
			run_plan(releases[i], true, again, NULL, &result);
			assert_int_equal(result.outcome, WIRE_OUTCOME_DONE);
			assert_string_equal(kernel_state(), before);
			if (calls == 1)
				calls = (unsigned)releases[i]->count;
		}
	free(before);
}

/* The kernel says no, and which no it is. */
static void test_refusals(void **state)
{
	const struct plan alone =
		PLAN(STEP(OVERRIDE, CARD, .value = "vfio-pci"), STEP(UNBIND, CARD, .before = "card"),
		     STEP(PROBE, CARD, .value = "vfio-pci"), STEP(CONTEXT, ""), STEP(OPEN, CARD), STEP(BIND, CARD));
	const struct plan other = PLAN(STEP(UNBIND, CARD, .before = "another"));
	const struct plan unknown = PLAN(STEP(OVERRIDE, CARD, .value = "vfio-none"),
					 STEP(UNBIND, CARD, .before = "card"), STEP(PROBE, CARD, .value = "vfio-none"));
	char *before = strdup(kernel_state());
	struct wire_result result;

	run_plan(&alone, false, -1, NULL, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_UNDONE);
	assert_int_equal(result.error, EPERM);
	assert_non_null(strstr(result.text, SIBLING " (e1000)"));
	assert_string_equal(kernel_state(), before);
	run_plan(&other, false, -1, NULL, &result);
	assert_int_equal(result.error, EBUSY);
	assert_non_null(strstr(result.text, "card"));
	run_plan(&unknown, false, -1, NULL, &result);
	assert_int_equal(result.kind, STEP_PROBE);
	assert_non_null(strstr(result.text, "vfio-none"));
	assert_string_equal(kernel_state(), before);
	free(before);
}

/* Somebody has the device still: nothing of the release is done. */
static void test_a_held_device_stays(void **state)
{
	struct wire_result result;
	char *claimed;
	int context;

	run_plan(&by_iommufd, false, -1, &context, &result);
	claimed = strdup(kernel_state());
	kernel.held = true;
	run_plan(&release_iommufd, true, context, NULL, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_HELD);
	assert_int_equal(result.kind, STEP_PROVE_UNBOUND);
	assert_int_equal(kernel.resets, 0);
	assert_string_equal(kernel_state(), claimed);
	free(claimed);
}

/* Nobody has it, and it could write to memory still. */
static void test_bus_mastering_has_to_be_off(void **state)
{
	struct wire_result result;
	char *claimed;
	int context;

	kernel_set_bus_master(true);
	run_plan(&by_iommufd, false, -1, &context, &result);
	claimed = strdup(kernel_state());
	run_plan(&release_iommufd, true, context, NULL, &result);
	assert_int_equal(result.outcome, WIRE_OUTCOME_BROKEN);
	assert_int_equal(result.kind, STEP_BUS_MASTER_OFF);
	assert_string_equal(kernel_state(), claimed);
	free(claimed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_claims_are_put_back, begin, end),
		cmocka_unit_test_setup_teardown(test_each_call_of_a_claim_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_each_call_of_a_release_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_refusals, begin, end),
		cmocka_unit_test_setup_teardown(test_a_held_device_stays, begin, end),
		cmocka_unit_test_setup_teardown(test_bus_mastering_has_to_be_off, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
