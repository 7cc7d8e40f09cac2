/* Which claims a new policy would not grant: each with its device and the reason, and none that it would. */
#include "decision_fixture.h"

#include "../../policy/decide/regrant.h"

#include <string.h>

#define RULES(more) "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}" more "}]}"

static void nobody_else(void *context, const struct claim *claim, struct subject *out)
{
	/* Alice is a student. */
	if (claim->uid == 1000) {
		out->groups[0] = 300;
		out->group_count = 1;
	}
}

struct row {
	const char *policy, *device, *reason; /* device NULL: it is granted */
};

static void check(struct host *host, const struct row *row)
{
	struct policy *policy = policy_of(row->policy);
	struct regrants regrants = { .item = NULL };

	assert_int_equal(regrant_check(policy, host->topology, host->ledger, nobody_else, NULL, &regrants), 0);
	if (regrants.count != (row->device ? 1 : 0))
		fail_msg("%zu for %s", regrants.count, row->policy);
	if (row->device) {
		assert_string_equal(regrants.item[0].claim, "c1");
		assert_string_equal(regrants.item[0].device, row->device);
		assert_contains(regrants.item[0].reason, row->reason);
	}
	regrants_done(&regrants);
	policy_free(policy);
}

static void test_reasons(void **state)
{
	static const struct row rows[] = {
		{ RULES(", \"lockout\": \"unused\""), NULL, "" },
		{ RULES(", \"lockout\": {\"named\": \"" NETWORK "\"}, \"subject\": {\"group\": \"students\"}"), NULL,
		  "" },
		{ "{}", CARD, "no rule allows uid 1000" },
		{ RULES(", \"lockout\": \"unused\", \"subject\": {\"user\": \"bob\"}"), CARD, "no rule" },
		{ RULES(", \"lockout\": \"none\""), NETWORK, "does not allow locking out " NETWORK },
		{ RULES(", \"lockout\": \"unused\", \"modes\": \"open\""), CARD, "in the mode attached" },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"deny\", \"device\": {\"kind\": \"pci\"}}]}", CARD,
		  "denies" },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"lockout\": \"unused\", \"device\": "
		  "{\"kind\": \"pci\"}}],"
		  " \"never\": [{\"id\": \"1234:11e8\", \"why\": \"because\"}]}",
		  CARD, "because" },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"lockout\": \"unused\", \"device\": "
		  "{\"kind\": \"pci\"}}],"
		  " \"never\": [{\"driver\": \"e1000\"}]}",
		  NETWORK, "would lock out " NETWORK },
		{ "{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"lockout\": \"unused\", \"device\": "
		  "{\"kind\": \"pci\"}}],"
		  " \"user_limits\": {\"devices\": 1}}",
		  NULL, "" },
	};
	struct host host;

	host_init_two_groups(&host);
	host_claim_more(&host, host_claim(&host, "c1", 1000, "r", CARD), NETWORK, true);
	/* What a claim has on a VFIO driver now counts as what it was. */
	strcpy(host_device(&host, NETWORK)->driver, "vfio-pci");
	host_device(&host, CARD)->pci.reset_methods = 0;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(&host, &rows[i]);
	ledger_find(host.ledger, "c1")->state = CLAIM_LINGERING; /* its lease is over: nobody has to grant it */
	check(&host, &(struct row){ "{}", NULL, "" });
	host_done(&host);
}

static void test_limits(void **state)
{
	struct host host;
	struct claim *claim;

	host_init_two_groups(&host);
	claim = host_claim(&host, "c1", 1000, "r", DISK);
	host_claim_more(&host, claim, CARD, false);
	host_claim_more(&host, claim, NETWORK, false);
	check(&host, &(struct row){ RULES(", \"limits\": {\"devices\": 3}"), NULL, "" });
	check(&host,
	      &(struct row){ RULES(", \"limits\": {\"devices\": 2}"), DISK, "allows 2 devices at a time per user" });
	check(&host, &(struct row){ RULES(", \"limits\": {\"devices_total\": 2}"), DISK, "for all users together" });
	check(&host,
	      &(struct row){
		      "{\"rules\": [{\"name\": \"new\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}}],"
		      " \"user_limits\": {\"devices\": 2}}",
		      DISK, "under all rules" });
	/* Two rules, where the claim needs one. */
	check(&host,
	      &(struct row){ "{\"rules\": [{\"name\": \"a\", \"effect\": \"allow\", \"device\": {\"class\": [\"01\", "
			     "\"02\"]}},"
			     " {\"name\": \"b\", \"effect\": \"allow\", \"device\": {\"address\": \"" CARD "\"}},"
			     " {\"name\": \"a2\", \"effect\": \"deny\", \"subject\": {\"user\": \"bob\"}, \"device\":"
			     " {\"kind\": \"pci\"}}, {\"name\": \"c\", \"effect\": \"allow\", \"device\": {\"class\": "
			     "\"03\"}}]}",
			     CARD, "but a claim has one rule" });
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
