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
	claim(bench, &second, "claim of the nic in another context");
	note_state(bench, "the edu is held still");
	claimed_end(&second);
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	check_untouched(bench);
}

void case_second_bind(struct bench *bench)
{
	const char *asked[] = { bench->roles.edu, NULL }, *locked_out[] = { bench->roles.nic, NULL };
	struct claimed claimed, second;

	claimed_begin(bench, &claimed, asked, locked_out);
	claim(bench, &claimed, "claim of the edu");
	claimed_begin(bench, &second, asked, NULL);
	claim(bench, &second, "claim of the edu while it is bound");
	second.mode = MODE_OPEN;
	claim(bench, &second, "the same, to be opened only");
	claimed_close_devices(&claimed);
	/* Without iommufd nobody could open it a second time. */
	if (bench->interface == INTERFACE_IOMMUFD)
		release(bench, &claimed, false, "release while it is open, and was bound by another");
	claimed_end(&second);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
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

/* What is passed as the context of a claim that grows may be anything. */
void case_foreign_context(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;

	claimed_begin(bench, &claimed, asked, NULL);
	claimed.context = open("/dev/null", O_RDWR | O_CLOEXEC);
	claimed.ioas = 1;
	claim(bench, &claimed, "claim into /dev/null");
	claimed_end(&claimed);
	check_untouched(bench);
}
