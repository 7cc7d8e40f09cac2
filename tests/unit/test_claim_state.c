/* The life of a claim: all states times all events, against a list that was written from the design. */
#include "../../policy/model/claim_state.h"
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* state, event, state after: everything that can happen. Everything else can't. */
static const char *const expected[][3] = {
	/* Until anything is touched, every end is free. */
	{ "asked", "planned", "planned" },
	{ "asked", "refused", "free" },
	{ "asked", "lease-ended", "free" },
	{ "planned", "started", "preparing" },
	{ "planned", "refused", "free" },
	{ "planned", "lease-ended", "free" },
	{ "planned", "unplugged", "free" },
	/* A running plan is waited for. */
	{ "preparing", "done", "offered" },
	{ "preparing", "undone", "free" },
	{ "preparing", "broken", "quarantined" },
	{ "preparing", "overdue", "stuck" },
	{ "preparing", "lease-ended", "preparing" },
	{ "preparing", "unplugged", "preparing" },
	{ "preparing", "interrupted", "releasing" },
	/* Only an acknowledgement makes an owner. */
	{ "offered", "acknowledged", "held" },
	{ "offered", "lease-ended", "releasing" },
	{ "offered", "unplugged", "lost" },
	/* A held claim can grow and shrink; it stays held. */
	{ "held", "planned", "held" },
	{ "held", "refused", "held" },
	{ "held", "started", "held" },
	{ "held", "done", "held" },
	{ "held", "undone", "held" },
	{ "held", "held-by-others", "held" },
	{ "held", "acknowledged", "held" },
	{ "held", "broken", "quarantined" },
	{ "held", "overdue", "stuck" },
	{ "held", "lease-ended", "releasing" },
	{ "held", "unplugged", "lost" },
	{ "lost", "started", "lost" },
	{ "lost", "done", "lost" },
	{ "lost", "undone", "lost" },
	{ "lost", "held-by-others", "lost" },
	{ "lost", "acknowledged", "lost" },
	{ "lost", "unplugged", "lost" },
	{ "lost", "broken", "quarantined" },
	{ "lost", "overdue", "stuck" },
	{ "lost", "lease-ended", "releasing" },
	/* Free is proven. */
	{ "releasing", "started", "releasing" },
	{ "releasing", "done", "free" },
	{ "releasing", "undone", "quarantined" },
	{ "releasing", "broken", "quarantined" },
	{ "releasing", "held-by-others", "lingering" },
	{ "releasing", "overdue", "stuck" },
	{ "releasing", "lease-ended", "releasing" },
	{ "releasing", "unplugged", "releasing" },
	{ "releasing", "interrupted", "releasing" },
	{ "lingering", "holder-gone", "releasing" },
	{ "lingering", "lease-ended", "lingering" },
	{ "lingering", "unplugged", "lingering" },
	/* Its client takes up what a restart let linger. */
	{ "lingering", "resumed", "held" },
	{ "quarantined", "opened", "releasing" },
	{ "quarantined", "lease-ended", "quarantined" },
	{ "quarantined", "unplugged", "quarantined" },
	/* What finishes late is proven like everything else, whatever it says. */
	{ "stuck", "done", "releasing" },
	{ "stuck", "undone", "releasing" },
	{ "stuck", "broken", "quarantined" },
	{ "stuck", "held-by-others", "lingering" },
	{ "stuck", "holder-gone", "stuck" },
	{ "stuck", "lease-ended", "stuck" },
	{ "stuck", "unplugged", "stuck" },
	{ "stuck", "interrupted", "releasing" },
};

static const char *expect(const char *state, const char *event)
{
	for (size_t i = 0; i < COUNT(expected); i++)
		if (strcmp(expected[i][0], state) == 0 && strcmp(expected[i][1], event) == 0)
			return expected[i][2];
	return "";
}

static void test_every_step(void **state)
{
	size_t possible = 0;

	for (unsigned s = 0; s < CLAIM_STATE_COUNT; s++) {
		for (unsigned e = 0; e < CLAIM_EVENT_COUNT; e++) {
			const char *from = claim_state_to_string((enum claim_state)s);
			const char *event = claim_event_to_string((enum claim_event)e);
			int after = claim_state_step((enum claim_state)s, (enum claim_event)e);
			const char *to = after < 0 ? "" : claim_state_to_string((enum claim_state)after);

			if (after < 0)
				assert_int_equal(after, -EINVAL);
			if (strcmp(to, expect(from, event)) != 0)
				fail_msg("%s, %s: '%s', not '%s'", from, event, to, expect(from, event));
			possible += after >= 0;
		}
	}
	assert_int_equal(possible, COUNT(expected));
}

static void test_out_of_range(void **state)
{
	assert_int_equal(claim_state_step(CLAIM_STATE_COUNT, CLAIM_EVENT_DONE), -EINVAL);
	assert_int_equal(claim_state_step(CLAIM_HELD, CLAIM_EVENT_COUNT), -EINVAL);
	assert_int_equal(claim_state_step((enum claim_state) - 1, (enum claim_event) - 1), -EINVAL);
	assert_null(claim_event_to_string(CLAIM_EVENT_COUNT));
}

/* From every state in which the host was touched, free is reached through a release that is done, or an undone claim.
 */
static void test_free_is_proven(void **state)
{
	for (unsigned s = 0; s < CLAIM_STATE_COUNT; s++) {
		for (unsigned e = 0; e < CLAIM_EVENT_COUNT; e++) {
			if (claim_state_step((enum claim_state)s, (enum claim_event)e) != CLAIM_FREE)
				continue;
			assert_true(s == CLAIM_ASKED || s == CLAIM_PLANNED ||
				    (s == CLAIM_PREPARING && e == CLAIM_EVENT_UNDONE) ||
				    (s == CLAIM_RELEASING && e == CLAIM_EVENT_DONE));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_free_is_proven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
