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
	report_check((claimed.ioas != 0) == (bench->interface == INTERFACE_IOMMUFD), "the IOAS is %u", claimed.ioas);
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
	struct wire_enclosure nothing = { .context = -1, .peer_fd = -1 };
	struct plan plan;
	struct result result;
	uint64_t id;

	claimed_begin(bench, &claimed, asked, NULL);
	nothing.owner = owner_of(&claimed);
	plan = claim_plan(bench, &claimed, 0);
	id = ++bench->side.last_id;
	for (size_t first = 0; first < plan.count; first++) {
		union wire_message message;

		wire_plan_chunk(&message, id, WIRE_PLAN_CLAIM, bench->digest, &plan, first, &nothing);
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

/* Its only device leaves a claim that has others of the group. */
static void shrink(struct bench *bench, const struct claimed *grown, int context, const char *what)
{
	struct claimed left = *grown;

	left.context = context;
	release(bench, &left, true, what);
}

void case_grow_and_shrink(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *more[] = { bench->roles.nic, NULL };
	struct claimed claimed, grown;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");

	claimed_begin_to_grow(bench, &grown, &claimed, more);
	claim(bench, &grown, "it grows by the nic");
	note_state(bench, "grown");
	/* Without iommufd the client has the group already, and opens the nic by it: it has not done so. */
	if (bench->interface == INTERFACE_IOMMUFD)
		shrink(bench, &grown, claimed.context, "it shrinks while the nic is open");
	claimed_close_devices(&grown);
	shrink(bench, &grown, claimed.context, "it shrinks");
	note_state(bench, "shrunk");
	claim(bench, &grown, "it grows again");
	claimed_end(&grown);
	shrink(bench, &grown, claimed.context, "it shrinks again");

	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* By a group of its own a claim shrinks as if that were a claim. */
void case_grow_by_a_group(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *more[] = { bench->roles.alone, NULL };
	struct claimed claimed, grown;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	claimed_begin_to_grow(bench, &grown, &claimed, more);
	claim(bench, &grown, "it grows by the other edu");
	note_state(bench, "grown");
	release(bench, &grown, false, "it shrinks while that is open");
	claimed_end(&grown);
	release(bench, &grown, false, "it shrinks");
	note_state(bench, "shrunk");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* A plan that sets the memlock limit of a process: ours, or (ended) of one that is no more. */
static enum wire_outcome claim_with_memlock(struct bench *bench, const struct claimed *claimed, uint64_t memlock,
					    bool ended, const char *what)
{
	struct plan plan = claim_plan(bench, claimed, memlock);
	struct wire_enclosure enclosure = { .context = -1, .peer = getpid(), .owner = owner_of(claimed) };
	struct result result;
	struct rlimit limit;

	if (ended) {
		/* A child that has ended, but whose pid nobody else can get. */
		enclosure.peer = fork();
		if (enclosure.peer == 0)
			_exit(0);
		waitid(P_PID, (id_t)enclosure.peer, NULL, WEXITED | WNOWAIT);
	}
	enclosure.peer_fd = (int)syscall(SYS_pidfd_open, enclosure.peer, 0);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		bail_out("there is no memlock limit");
	result = side_await_result(&bench->side,
				   side_send_plan(&bench->side, WIRE_PLAN_CLAIM, bench->digest, &plan, &enclosure));
	note_result(bench, what, &result);
	if (result.wire.outcome == WIRE_OUTCOME_DONE)
		report_check(result.wire.memlock_before == limit.rlim_cur, "memlock was %llu before, not %llu",
			     (unsigned long long)limit.rlim_cur, (unsigned long long)result.wire.memlock_before);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	descriptors_close(&result.fds);
	plan_done(&plan);
	close(enclosure.peer_fd);
	if (ended)
		waitpid(enclosure.peer, NULL, 0);
	return (enum wire_outcome)result.wire.outcome;
}

void case_memlock(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claimed.uid = getuid();
	claim_with_memlock(bench, &claimed, 8 << 20, false, "claim with memlock");
	release(bench, &claimed, false, "release");
	claim_with_memlock(bench, &claimed, 8 << 20, true, "claim of a client that has ended");
	check_untouched(bench);
	claim_with_memlock(bench, &claimed, UINT64_C(1) << 40, false, "claim with more than the rule grants");
	check_untouched(bench);
	claimed.uid++;
	claim_with_memlock(bench, &claimed, 8 << 20, false, "claim with another user's process");
	check_untouched(bench);
}

/* Some user that is not root: nobody logs in as this one. */
enum { SOMEBODY = 47110 };

/* Nodes that a user may open by path. What their ACLs are does not come over the wire; that no FD of a device does. */
void case_claim_node(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *more[] = { bench->roles.nic, NULL };
	struct claimed claimed, grown;

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.mode = MODE_NODE;
	claimed.uid = SOMEBODY;
	claim(bench, &claimed, "claim of the edu");
	note_state(bench, "held");
	claimed_begin_to_grow(bench, &grown, &claimed, more);
	claim(bench, &grown, "it grows by the nic");
	claimed_end(&grown);
	shrink(bench, &grown, claimed.context, "it shrinks");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
	release(bench, &claimed, false, "release of what was released");
	check_untouched(bench);

	claimed.uid = 0;
	claimed.id[0] = 'f';
	claim(bench, &claimed, "claim of the edu by root");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* The rights that were given are taken back with everything else. */
void case_undo_of_node(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *other[] = { bench->roles.good, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.mode = MODE_NODE;
	claimed.uid = SOMEBODY;
	claim_with_memlock(bench, &claimed, 8 << 20, false, "claim with another user's process");
	check_untouched(bench);
	claimed_begin(bench, &claimed, other, NULL);
	claimed.mode = MODE_NODE;
	claimed.uid = SOMEBODY;
	claim(bench, &claimed, "claim under a rule that does not give nodes");
	check_untouched(bench);
}
