#include "cases.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void case_claim_with_lockout(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	note_state(bench, "held");
	report_check(claimed.ioas != 0, "there is no IOAS");
	claimed_close_devices(&claimed);
	/* The broker's copy of the iommufd is no hindrance. */
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);
}

void case_claim_open(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.mode = MODE_OPEN;
	claim(bench, &claimed, "claim of the edu");
	note_state(bench, "held");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

void case_claim_of_two(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, bench->roles.alone, NULL };
	const char *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of both edus");
	note_state(bench, "held");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* The broker may cut a plan anywhere. */
void case_plan_in_chunks(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct plan plan = { .count = 0 };
	struct result result;
	uint64_t id = ++bench->side.last_id;

	claimed_begin(bench, &claimed, asked, NULL);
	if (plan_for_claim(&plan, claimed.device, 1, MODE_ATTACHED, false, 0, 0) < 0)
		bail_out("no plan could be made");
	for (size_t first = 0; first < plan.count; first++) {
		union wire_message message;

		wire_plan_chunk(&message, id, WIRE_PLAN_CLAIM, bench->digest, &plan, first, false, 0);
		message.plan.count = 1;
		wire_stamp(&message, WIRE_PLAN, id);
		if (wire_send(bench->side.wire, &message, NULL, 0) < 0)
			bail_out("a chunk can't be sent");
	}
	plan_done(&plan);
	result = side_await_result(&bench->side, id);
	note_result(bench, "claim in one chunk a step", &result);
	descriptors_close(&result.fds);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

void case_grow_and_shrink(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *more[] = { bench->roles.nic, NULL };
	struct claimed claimed, grown;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");

	claimed_begin(bench, &grown, more, NULL);
	grown.context = fcntl(claimed.context, F_DUPFD_CLOEXEC, 3);
	grown.ioas = claimed.ioas;
	claim(bench, &grown, "it grows by the nic");
	note_state(bench, "grown");
	release(bench, &grown, true, "it shrinks while the nic is open");
	claimed_close_devices(&grown);
	release(bench, &grown, true, "it shrinks");
	note_state(bench, "shrunk");
	claim(bench, &grown, "it grows again");
	claimed_end(&grown);
	release(bench, &(struct claimed){ .device = { grown.device[0] }, .count = 1, .context = claimed.context }, true,
		"it shrinks again");

	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* A plan that sets the memlock limit of a process. */
static enum wire_outcome claim_with_memlock(struct bench *bench, struct claimed *claimed, uint64_t memlock, pid_t pid,
					    const char *what)
{
	struct plan plan = { .count = 0 };
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct result result;
	struct rlimit limit;
	uint64_t id;

	if (pid != getpid()) {
		/* A child that has ended, but whose pid nobody else can get. */
		pid = fork();
		if (pid == 0)
			_exit(0);
		close(pidfd);
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
	    plan_for_claim(&plan, claimed->device, claimed->count, MODE_ATTACHED, false, 0, memlock) < 0)
		bail_out("no plan could be made");
	id = side_send_plan(&bench->side, WIRE_PLAN_CLAIM, bench->digest, &plan, -1, pid, pidfd);
	result = side_await_result(&bench->side, id);
	note_result(bench, what, &result);
	if (result.wire.outcome == WIRE_OUTCOME_DONE)
		report_check(result.wire.memlock_before == limit.rlim_cur, "memlock was %llu before, not %llu",
			     (unsigned long long)limit.rlim_cur, (unsigned long long)result.wire.memlock_before);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	descriptors_close(&result.fds);
	plan_done(&plan);
	close(pidfd);
	if (pid != getpid())
		waitpid(pid, NULL, 0);
	return (enum wire_outcome)result.wire.outcome;
}

void case_memlock(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claim_with_memlock(bench, &claimed, 8 << 20, getpid(), "claim with memlock");
	release(bench, &claimed, false, "release");
	claim_with_memlock(bench, &claimed, 8 << 20, 0, "claim of a client that has ended");
	check_untouched(bench);
	claim_with_memlock(bench, &claimed, UINT64_C(1) << 40, getpid(), "claim with more than the rule grants");
	check_untouched(bench);
}
