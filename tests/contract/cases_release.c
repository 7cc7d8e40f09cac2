#include "cases.h"

#include <fcntl.h>
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

	if (bench->interface != INTERFACE_IOMMUFD)
		return;
	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.mode = MODE_OPEN;
	claim(bench, &claimed, "claim of the edu, not bound");
	release(bench, &claimed, false, "release while it is open");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* Puts an FD where no process is seen to have it: into a socket. Returns the socket's ends. */
static void hide(int *fd, int pair[static 2])
{
	struct side box;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bail_out("no socket");
	box.wire = pair[0];
	side_send_bytes(&box, "", 1, *fd);
	descriptor_close(fd);
}

/* Nobody is seen to hold it, but the kernel's BIND says that it is bound, or that its group is open. */
void case_release_with_unknown_holder(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	int pair[2];

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	hide(&claimed.device_fd[0], pair);
	claimed_close_devices(&claimed);
	release(bench, &claimed, false, "release while its FD is in flight");
	close(pair[0]);
	close(pair[1]);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);
}

/* A group that is open is as good as a device: one can be opened by it. */
void case_release_with_open_group(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	int pair[2];

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	report_note("it comes with its group: %s", claimed.group_fd[0] >= 0 ? "yes" : "no");
	descriptor_close(&claimed.device_fd[0]);
	if (bench->interface == INTERFACE_GROUP) {
		release(bench, &claimed, false, "release while its group is open");
		hide(&claimed.group_fd[0], pair);
		release(bench, &claimed, false, "release while its group is in flight");
		close(pair[0]);
		close(pair[1]);
	}
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* Whoever goes on holding a claim that is over does no more DMA; the context comes back to be emptied again. */
void case_unmapping(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct plan plan = { .count = 0 }, held;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	if (plan_for_unmapping(&plan, claimed.ioas) < 0)
		bail_out("no plan could be made");
	run_release(bench, &claimed, &plan, claimed.context, "its context is emptied");
	run_release(bench, &claimed, &plan, claimed.context, "its context is emptied again");
	run_release(bench, &claimed, &plan, -1, "a context that did not come is emptied");
	run_release(bench, &claimed, &plan, nothing, "/dev/null is emptied");
	held = release_plan(bench, &claimed, false);
	run_release(bench, &claimed, &held, claimed.context, "release while it is open");
	note_state(bench, "held still");
	claimed_close_devices(&claimed);
	run_release(bench, &claimed, &held, claimed.context, "release");
	plan_done(&plan);
	plan_done(&held);
	close(nothing);
	claimed_end(&claimed);
	check_untouched(bench);
}

/*
 * Runs a release that hangs in the unbind of a device until FDs of ours are closed, and sees that others are served
 * meanwhile.
 */
static void release_that_hangs(struct bench *bench, const struct claimed *claimed, bool pin, int held[static 2],
			       struct claimed *other)
{
	const struct wire_enclosure enclosure = { .context = pin ? claimed->context : -1,
						  .peer_fd = -1,
						  .owner = owner_of(claimed) };
	struct plan plan = release_plan(bench, claimed, pin);
	uint64_t id = side_send_plan(&bench->side, WIRE_PLAN_RELEASE, bench->digest, &plan, &enclosure);
	union wire_message message;
	struct result result;

	plan_done(&plan);
	report_check(side_await_node_gone(&bench->side, claimed->device[0].before.name),
		     "its node stays while it is unbound");
	wire_stamp(&message, WIRE_OVERDUE, id);
	if (wire_send(bench->side.wire, &message, NULL, 0) < 0)
		bail_out("WIRE_OVERDUE can't be sent");
	report_note("a release hangs; meanwhile:");
	claim(bench, other, "claim of the other edu");
	claimed_end(other);
	release(bench, other, false, "release of the other edu");
	descriptor_close(&held[0]);
	descriptor_close(&held[1]);
	result = side_await_result(&bench->side, id);
	note_result(bench, "the release that hung", &result);
	descriptors_close(&result.fds);
}

/* Nobody is seen to hold it, and it is not bound: only the unbind shows that somebody has it open, by never ending. */
static void unbind_blocks_without_holder(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL }, *others[] = { bench->roles.edu, NULL };
	const char *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed, other;
	int pair[2];

	claimed_begin(bench, &claimed, asked, NULL);
	claimed_begin(bench, &other, others, locked_out);
	claimed.mode = MODE_OPEN;
	claim(bench, &claimed, "claim of the edu that is alone, not bound");
	hide(&claimed.device_fd[0], pair);
	release_that_hangs(bench, &claimed, false, pair, &other);
	claimed_end(&claimed);
}

/* Nobody is asked for, because the group goes on being held: so a device of it that is open still shows there only. */
static void unbind_blocks_in_open_group(struct bench *bench)
{
	const char *asked[] = { bench->roles.nic, bench->roles.edu, NULL }, *others[] = { bench->roles.alone, NULL };
	struct claimed claimed, other, nic;
	int held[2] = { -1, -1 };

	claimed_begin(bench, &claimed, asked, NULL);
	claimed_begin(bench, &other, others, NULL);
	claim(bench, &claimed, "claim of the edu and the nic");
	nic = claimed;
	nic.count = 1;
	held[0] = descriptor_take(&claimed.device_fd[0]);
	release_that_hangs(bench, &nic, true, held, &other);
	note_state(bench, "shrunk");
	claimed.device[0].lockout = true;
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
}

void case_unbind_that_blocks(struct bench *bench)
{
	if (bench->interface == INTERFACE_IOMMUFD)
		unbind_blocks_without_holder(bench);
	else
		unbind_blocks_in_open_group(bench);
	check_untouched(bench);
}

/* The policy is read again, and says something else of resets. */
static void set_policy(struct bench *bench, const char *text)
{
	bench_write_policy(bench, text);
	report_note("reload: error %d", side_reload(&bench->side).error);
}

static void claim_with_reset(struct bench *bench, struct claimed *claimed, const char *const *asked,
			     const char *const *locked_out, const char *what)
{
	claimed_begin(bench, claimed, asked, locked_out);
	claimed->uid = WANTS_RESET;
	claimed->rule = "those who need a reset";
	for (size_t i = 0; i < claimed->count; i++)
		claimed->device[i].reset = claimed->device[i].lockout ? RESET_SKIP : RESET_REQUIRE;
	claim(bench, claimed, what);
	claimed_end(claimed);
}

void case_reset(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *good[] = { bench->roles.good, NULL }, *alone[] = { bench->roles.alone, NULL };
	struct claimed claimed;

	claim_with_reset(bench, &claimed, good, NULL, "claim of a nic that can be reset");
	release(bench, &claimed, false, "release with the reset that the rule requires");
	claim_with_reset(bench, &claimed, alone, NULL, "claim of an edu that can't be reset");
	/* It says that it can be reset through its bus, which its sibling does not allow. */
	claim_with_reset(bench, &claimed, asked, locked_out, "claim of an edu that says it can");
	claimed.device[0].reset = RESET_SKIP;
	release(bench, &claimed, false, "release without the reset that the rule requires");
	claimed.device[0].reset = RESET_TRY;
	release(bench, &claimed, false, "release with a reset that is only tried");
	claimed.device[0].reset = RESET_REQUIRE;
	release(bench, &claimed, false, "release with the reset that the rule requires");
	note_state(bench, "not reset");
	set_policy(bench, milder_policy);
	claimed.device[0].reset = RESET_TRY;
	release(bench, &claimed, false, "release with a reset that the rule says now is tried");
	set_policy(bench, usual_policy);
	check_untouched(bench);
}

/* A group stays closed as long as one of its devices is not free; others do not wait for it. */
void case_one_group_fails(struct bench *bench)
{
	const char *asked[] = { bench->roles.good, bench->roles.edu, NULL };
	const char *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	claim_with_reset(bench, &claimed, asked, locked_out, "claim of a nic and an edu");
	release(bench, &claimed, false, "release with a reset that one of them does not have");
	note_state(bench, "one group is closed");
	set_policy(bench, milder_policy);
	claimed.device[0].reset = claimed.device[1].reset = RESET_TRY;
	release(bench, &claimed, false, "release with resets that are tried");
	set_policy(bench, usual_policy);
	check_untouched(bench);
}

/* What was there before, the executor knows itself: a broker that says otherwise changes nothing. */
void case_release_of_changed(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed, changed;

	claimed_begin(bench, &claimed, asked, locked_out);
	changed = claimed;
	memset(changed.device[1].before.driver, 0, DRIVER_NAME_MAX);
	release(bench, &changed, false, "release to no driver of a nic that was never touched");
	check_untouched(bench);
	claim(bench, &claimed, "claim of the edu");
	claimed_end(&claimed);
	release(bench, &changed, false, "release to no driver");
	strcpy(changed.device[1].before.driver, "e1000e");
	release(bench, &changed, false, "release to another driver");
	changed.device[1] = claimed.device[1];
	strcpy(changed.device[1].before.driver_override, "e1000");
	release(bench, &changed, false, "release to another driver_override");
	changed.device[1] = claimed.device[1];
	changed.count = 1;
	release(bench, &changed, false, "release without the nic");
	memset(changed.id, 'e', 32);
	changed.count = 2;
	release(bench, &changed, false, "release for a claim that is none");
	note_state(bench, "held still");
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* A rule may leave devices on VFIO: they are claimed from there, and left there again. The machine stays so. */
void case_release_without_restore(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;

	for (int i = 0; i < 2; i++) {
		claimed_begin(bench, &claimed, asked, locked_out);
		claimed.uid = KEEPS_ON_VFIO;
		claimed.rule = "those who keep them on VFIO";
		claimed.device[0].restore = claimed.device[1].restore = false;
		claim(bench, &claimed, i == 0 ? "claim of the edu" : "claim from there");
		claimed_end(&claimed);
		release(bench, &claimed, false, i == 0 ? "release that restores nothing" : "release to there");
		note_state(bench, "left on VFIO");
	}
}
