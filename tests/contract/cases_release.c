#include "cases.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The plan that puts a claim back holds on devices that it never came to. */
void case_release_of_untouched(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

void case_release_with_known_holder(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	release(bench, &claimed, false, "release while it is open");
	note_state(bench, "held still");
	claimed_close_devices(&claimed);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.mode = MODE_OPEN;
	claim(bench, &claimed, "claim of the edu, not bound");
	release(bench, &claimed, false, "release while it is open");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* Puts the claim's device FD where no process is seen to have it: into a socket. Returns the socket's ends. */
static void hide(struct claimed *claimed, int pair[static 2])
{
	struct side box;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bail_out("no socket");
	box.wire = pair[0];
	side_send_bytes(&box, "", 1, claimed->device_fd[0]);
	claimed_close_devices(claimed);
}

/* Nobody is seen to hold it, but it is bound: the kernel's BIND says so. */
void case_release_with_unknown_holder(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	int pair[2];

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	hide(&claimed, pair);
	release(bench, &claimed, false, "release while its FD is in flight");
	close(pair[0]);
	close(pair[1]);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);
}

/* Nobody is seen to hold it, and it is not bound: only the unbind shows that somebody has it open, by never ending. */
void case_unbind_that_blocks(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL }, *others[] = { bench->roles.edu, NULL };
	const char *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed, other;
	struct plan plan = { .count = 0 };
	union wire_message message;
	struct result result;
	int pair[2];
	uint64_t id;

	claimed_begin(bench, &claimed, asked, NULL);
	claimed_begin(bench, &other, others, locked_out);
	claimed.mode = MODE_OPEN;
	claim(bench, &claimed, "claim of the edu that is alone, not bound");
	hide(&claimed, pair);
	if (plan_for_release(&plan, claimed.device, claimed.count, false) < 0)
		bail_out("no plan could be made");
	id = side_send_plan(&bench->side, WIRE_PLAN_RELEASE, bench->digest, &plan, -1, 0, -1);
	plan_done(&plan);
	report_check(side_await_node_gone(&bench->side, bench->roles.alone), "its node stays while it is unbound");
	wire_stamp(&message, WIRE_OVERDUE, id);
	if (wire_send(bench->side.wire, &message, NULL, 0) < 0)
		bail_out("WIRE_OVERDUE can't be sent");
	report_note("a release hangs; meanwhile:");
	claim(bench, &other, "claim of the other edu");
	claimed_end(&other);
	release(bench, &other, false, "release of the other edu");
	close(pair[0]);
	close(pair[1]);
	result = side_await_result(&bench->side, id);
	note_result(bench, "the release that hung", &result);
	descriptors_close(&result.fds);
	claimed_end(&claimed);
	check_untouched(bench);
}

static void release_with_reset(struct bench *bench, const char *name, const char *what)
{
	const char *asked[] = { name, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, what);
	claimed_end(&claimed);
	claimed.device[0].reset = RESET_REQUIRE;
	if (release(bench, &claimed, false, "release with a reset that is required") != WIRE_OUTCOME_DONE) {
		note_state(bench, "not reset");
		claimed.device[0].reset = RESET_TRY;
		release(bench, &claimed, false, "release with a reset that is tried");
	}
	check_untouched(bench);
}

void case_reset(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	release_with_reset(bench, bench->roles.good, "claim of a nic that can be reset");
	release_with_reset(bench, bench->roles.alone, "claim of an edu that can't be reset");
	/* It says that it can be reset through its bus, which its sibling does not allow. */
	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of an edu that says it can");
	claimed_end(&claimed);
	claimed.device[0].reset = RESET_REQUIRE;
	release(bench, &claimed, false, "release with a reset that is required");
	note_state(bench, "not reset");
	claimed.device[0].reset = RESET_SKIP;
	release(bench, &claimed, false, "release without a reset");
	check_untouched(bench);
}

/* A group stays closed as long as one of its devices is not free; others do not wait for it. */
void case_one_group_fails(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, bench->roles.edu, NULL };
	const char *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of both edus");
	claimed_end(&claimed);
	claimed.device[0].reset = RESET_REQUIRE;
	release(bench, &claimed, false, "release with a reset that one of them does not have");
	note_state(bench, "one group is closed");
	claimed.device[0].reset = RESET_SKIP;
	release(bench, &claimed, false, "release without that reset");
	check_untouched(bench);
}

/* What does not bear the mark of a claim is somebody else's work. */
void case_release_of_changed(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, locked_out);
	memset(claimed.device[1].before.driver, 0, DRIVER_NAME_MAX);
	release(bench, &claimed, false, "release to no driver of a nic that was never touched");
	check_untouched(bench);
}

/* A rule may leave devices on VFIO: they are claimed from there, and put back by whoever wants that. */
void case_release_without_restore(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed, again;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	claimed_end(&claimed);
	claimed.device[0].restore = claimed.device[1].restore = false;
	release(bench, &claimed, false, "release that restores nothing");
	note_state(bench, "left on VFIO");
	claimed_begin(bench, &again, asked, locked_out);
	claim(bench, &again, "claim from there");
	claimed_end(&again);
	release(bench, &again, false, "release to there");
	note_state(bench, "left on VFIO");
	claimed.device[0].restore = claimed.device[1].restore = true;
	release(bench, &claimed, false, "release that restores");
	check_untouched(bench);
}
