/* What a broker that was taken over may try: it gets no more than the policy gives somebody, and of what is held no
 * more than its owner has. */
#include "cases.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SOMEBODY = 47110, SOMEBODY_ELSE = 47111 };

/* A device that was never given is not reset, unbound, or given another driver, whatever is asked for and for which
 * claim. */
void case_taken_over_release(struct bench *bench)
{
	const char *asked[] = { bench->roles.good, NULL };
	const char *held[] = { bench->roles.alone, NULL };
	struct claimed claimed, other;

	claimed_begin(bench, &claimed, asked, NULL);
	claimed.device[0].reset = RESET_REQUIRE;
	strcpy(claimed.device[0].before.driver, "e1000");
	release(bench, &claimed, false, "release of what no claim has, to another driver");
	check_untouched(bench);
	claimed.rule = "no rule";
	release(bench, &claimed, false, "the same by no rule");
	check_untouched(bench);
	claimed_begin(bench, &other, held, NULL);
	claim(bench, &other, "claim of the edu that is alone");
	claimed_end(&other);
	memcpy(claimed.id, other.id, sizeof(claimed.id));
	release(bench, &claimed, false, "the same in the name of a claim that has something else");
	release(bench, &other, false, "release of the edu that is alone");
	check_untouched(bench);
}

/* Rights to nodes and memory are for the subject that the rule names. */
void case_taken_over_subject(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed;
	struct plan plan;

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.mode = MODE_NODE;
	claimed.uid = SOMEBODY_ELSE;
	plan = claim_plan(bench, &claimed, 0);
	claimed.uid = SOMEBODY;
	run_claim(bench, &claimed, &plan, bench->digest, "nodes for another user than the claim's");
	plan_done(&plan);
	claimed.mode = MODE_ATTACHED;
	claimed.rule = "those who need a reset";
	claim(bench, &claimed, "a rule that is another user's");
	claimed.uid = WANTS_RESET;
	claimed.rule = "test cards and their neighbours";
	claim(bench, &claimed, "a rule that comes after the one that decides");
	claimed.rule = "";
	claim(bench, &claimed, "no rule");
	/* A group that somebody is said to have, and that no process of his shows. */
	claimed.uid = SOMEBODY;
	claimed.gid = IN_GROUP;
	claimed.rule = "those of a group";
	claimed.mode = MODE_NODE;
	claim(bench, &claimed, "nodes for somebody who is said to be in a group");
	claimed_end(&claimed);
	check_untouched(bench);
}

/* The service manager is nobody's client. */
void case_taken_over_memlock(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct wire_enclosure enclosure = { .context = -1, .peer = 1 };
	struct claimed claimed;
	struct result result;
	struct plan plan;

	claimed_begin(bench, &claimed, asked, NULL);
	plan = claim_plan(bench, &claimed, 8 << 20);
	enclosure.owner = owner_of(&claimed);
	enclosure.peer_fd = (int)syscall(SYS_pidfd_open, 1, 0);
	result = side_await_result(&bench->side,
				   side_send_plan(&bench->side, WIRE_PLAN_CLAIM, bench->digest, &plan, &enclosure));
	note_result(bench, "claim with the memory of process 1", &result);
	descriptors_close(&result.fds);
	plan_done(&plan);
	close(enclosure.peer_fd);
	check_untouched(bench);
}

/* What a rule gives, it gives over all claims. */
void case_taken_over_limits(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *others[] = { bench->roles.alone, NULL };
	struct claimed claimed, other;

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed_begin(bench, &other, others, NULL);
	claimed.uid = other.uid = HAS_ONE;
	claimed.rule = other.rule = "those who have one";
	claim(bench, &claimed, "claim of the edu");
	claim(bench, &other, "claim of the other edu");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	claim(bench, &other, "claim of the other edu after that");
	claimed_end(&other);
	release(bench, &other, false, "release");
	check_untouched(bench);
}

/* The audit log says of nobody what the ledger does not. */
void case_taken_over_record(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct audit_record record;

	claimed_begin(bench, &claimed, asked, NULL);
	claimed.uid = SOMEBODY;
	claim(bench, &claimed, "claim of the edu that is alone");
	audit_record_begin(&record, RECORD_GRANT, SOMEBODY_ELSE, getpid(), "");
	audit_record_add_device(&record, bench->roles.alone, false);
	memcpy(record.claim, claimed.id, sizeof(record.claim));
	audit_record_commit(&record);
	report_note("a grant to another user: error %d", side_record(&bench->side, &record));
	record.uid = SOMEBODY;
	report_note("a grant to this one: error %d", side_record(&bench->side, &record));
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}
