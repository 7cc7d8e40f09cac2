#include "cases.h"

#include <fcntl.h>
#include <string.h>

/* A plan that goes round the decision: nothing moves the sibling. */
void case_sibling_on_host_driver(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu with the nic on its driver");
	claimed_end(&claimed);
	check_untouched(bench);
}

/* Group members must share a context: the kernel says EPERM to a second one. */
void case_sibling_in_second_context(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *sibling[] = { bench->roles.nic, NULL };
	struct claimed claimed, second;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	claimed_begin(bench, &second, sibling, NULL);
	claim(bench, &second, "claim of the nic for another claim");
	note_state(bench, "the edu is held still");
	claimed_end(&second);
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* What was given is nobody else's: not to be bound, and not to be opened. */
void case_second_bind(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed, second, again;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	claimed_begin(bench, &second, asked, NULL);
	claim(bench, &second, "claim of the edu for another claim");
	second.mode = MODE_OPEN;
	claim(bench, &second, "the same, to be opened only");
	claimed_begin_to_grow(bench, &again, &claimed, asked);
	claim(bench, &again, "claim of the edu for the claim that has it");
	claimed_end(&again);
	claimed_end(&second);
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

/* What was done for a first device is undone, too, when a second one fails. */
void case_undo_of_two(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, bench->roles.edu, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of both edus with the nic on its driver");
	claimed_end(&claimed);
	check_untouched(bench);
}

/* What is passed as the context of a claim that grows may be anything: only its own will do. */
void case_foreign_context(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	const char *others[] = { bench->roles.alone, NULL }, *more[] = { bench->roles.nic, NULL };
	struct claimed claimed, other, grown;

	claimed_begin(bench, &claimed, asked, locked_out);
	claimed.context = open("/dev/null", O_RDWR | O_CLOEXEC);
	claim(bench, &claimed, "a new claim with a context");
	claimed_end(&claimed);
	claim(bench, &claimed, "claim of the edu");
	claimed_begin(bench, &other, others, NULL);
	claim(bench, &other, "claim of the other edu");
	claimed_begin_to_grow(bench, &grown, &claimed, more);
	descriptor_close(&grown.context);
	grown.context = open("/dev/null", O_RDWR | O_CLOEXEC);
	claim(bench, &grown, "it grows into /dev/null");
	claimed_end(&grown);
	claimed_begin_to_grow(bench, &grown, &claimed, more);
	descriptor_close(&grown.context);
	grown.context = fcntl(other.context, F_DUPFD_CLOEXEC, 3);
	claim(bench, &grown, "it grows into another claim's context");
	claimed_end(&grown);
	claimed_begin_to_grow(bench, &grown, &claimed, more);
	grown.uid = 1;
	claim(bench, &grown, "it grows for another user");
	claimed_end(&grown);
	claimed_end(&other);
	release(bench, &other, false, "release of the other edu");
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}
