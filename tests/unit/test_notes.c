/*
 * What a decision tells besides its verdict: losses in plain words, what does not come back, what a reset is worth and
 * what keeps devices apart; and that others' details are told to operators only.
 */
#include "decision_fixture.h"

#include <stdio.h>
#include <string.h>

enum { ALICE = 1000, BOB = 1001, OPERATOR = 1002 };
#define RULE(more) \
	"{\"rules\": [{\"name\": \"r\", \"effect\": \"allow\", \"device\": {\"kind\": \"pci\"}, \"lockout\": " \
	"\"unused\"" more "}], \"operators\": {\"user\": 1002}}"

static const struct note *find_note(const struct decision *decision, enum note_kind kind, const char *device)
{
	for (size_t i = 0; i < decision->note_count; i++)
		if (decision->note[i].kind == kind && strcmp(decision->note[i].device, device) == 0)
			return &decision->note[i];
	return NULL;
}

static const char *text_of_note(const struct decision *decision, enum note_kind kind, const char *device)
{
	const struct note *note = find_note(decision, kind, device);

	assert_non_null(note);
	return note->text;
}

static struct decision asked(struct host *host, const char *policy, uid_t uid, const char *device)
{
	struct question question = { .uid = uid, .device = { device } };
	struct decision decision;

	ask_under(host, policy, &question, &decision);
	return decision;
}

static void assert_untold(const struct decision *decision, const char *secret)
{
	for (size_t i = 0; i < decision->note_count; i++)
		assert_null(strstr(decision->note[i].text, secret));
}

static void test_losses_from_the_worst(void **state)
{
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, NETWORK, USE_NETWORK_LINK, SEVERITY_FATAL, "eth0 > br0 > default route");
	host_add_use(&host, NETWORK, USE_ADDRESS, SEVERITY_FATAL, "eth0 > br0 > address 10.0.2.15/24");
	decision = asked(&host, RULE(""), OPERATOR, CARD);
	assert_int_equal(decision.note[0].kind, NOTE_LOSS);
	assert_int_equal(decision.note[0].severity, SEVERITY_FATAL);
	assert_string_equal(
		decision.note[0].text,
		"The host would lose its network card eth0 " NETWORK
		" (default route, address 10.0.2.15/24): it would be cut off from the network, and so would you if "
		"you use it remotely; it was not requested, but shares an IOMMU group with " CARD);
	assert_int_equal(decision.note[1].kind, NOTE_LOSS);
	assert_int_equal(decision.note[1].severity, SEVERITY_IDLE);
	assert_string_equal(decision.note[1].text,
			    "The host would lose nothing with the device " CARD ": no host driver has it");
	decision_done(&decision);
	/* Whoever is no operator is told that, but no address. */
	decision = asked(&host, RULE(""), ALICE, CARD);
	assert_int_equal(decision.note[0].severity, SEVERITY_FATAL);
	assert_contains(decision.note[0].text, "cut off");
	assert_untold(&decision, "10.0.2.15");
	decision_done(&decision);
	host_done(&host);
}

static void test_losses_tell_an_operator_only(void **state)
{
	static const struct {
		enum use_kind kind;
		const char *text, *secret;
	} secrets[] = {
		{ USE_MOUNT, "nvme0n1 > nvme0n1p1 > mounted on /srv/secret", "secret" },
		{ USE_HOLDER, "vfio0 > qemu (pid 4711)", "4711" },
		{ USE_OPEN, "nvme0 > open in smartd (pid 4712)", "smartd" },
		{ USE_ADDRESS, "eth1 > address 192.0.2.7/24", "192.0.2.7" },
		{ USE_SWAP, "nvme0n1 > swap file /home/bob/swap", "bob" },
	};

	for (size_t i = 0; i < COUNT(secrets); i++) {
		struct decision decision;
		struct host host;

		host_init_two_groups(&host);
		host_add_use(&host, DISK, secrets[i].kind, SEVERITY_DISRUPTIVE, secrets[i].text);
		decision = asked(&host, RULE(""), ALICE, DISK);
		assert_untold(&decision, secrets[i].secret);
		assert_non_null(find_note(&decision, NOTE_LOSS, DISK));
		decision_done(&decision);
		decision = asked(&host, RULE(""), OPERATOR, DISK);
		assert_contains(text_of_note(&decision, NOTE_LOSS, DISK), secrets[i].secret);
		decision_done(&decision);
		host_done(&host);
	}
}

static void test_unknown_driver_is_a_verdict_of_its_own(void **state)
{
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_UNKNOWN_DRIVER, SEVERITY_IDLE, "foo is bound");
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_LOSS, DISK), "it is unknown what this driver is used for");
	decision_done(&decision);
	host_done(&host);
	host_init_two_groups(&host);
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_LOSS, DISK), "(driver nvme): nothing uses it now");
	decision_done(&decision);
	host_done(&host);
}

static void test_what_does_not_come_back(void **state)
{
	struct decision decision;
	struct host host;
	bool restore = false;

	host_init_two_groups(&host);
	host_device(&host, NETWORK)->pci.virtual_functions_max = 4;
	host_device(&host, NETWORK)->pci.virtual_functions = 2;
	decision = asked(&host, RULE(", \"restore\": false"), ALICE, NETWORK);
	for (size_t i = 0; i < decision.note_count; i++)
		if (decision.note[i].kind == NOTE_NOT_UNDONE)
			restore = restore || strstr(decision.note[i].text, "\"restore\": false");
	assert_true(restore);
	assert_contains(text_of_note(&decision, NOTE_FUNCTIONS, NETWORK), "2 virtual functions");
	decision_done(&decision);
	/* A driverless card without a reset loses nothing of its own. */
	host_device(&host, NETWORK)->pci.virtual_functions = 0;
	host_device(&host, CARD)->pci.reset_methods = 0;
	decision = asked(&host, RULE(", \"reset\": \"try\""), ALICE, CARD);
	assert_null(find_note(&decision, NOTE_NOT_UNDONE, CARD));
	assert_contains(text_of_note(&decision, NOTE_NOT_UNDONE, NETWORK), "set by hand");
	decision_done(&decision);
	host_done(&host);
}

static void test_what_a_reset_is_worth(void **state)
{
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_device(&host, DISK)->pci.reset_methods = RESET_METHOD_FLR | RESET_METHOD_BUS;
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_RESET, DISK), "can be reset between owners (flr, bus)");
	decision_done(&decision);
	host_device(&host, DISK)->pci.reset_methods = 0;
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_RESET, DISK), "the rule requires a reset");
	decision_done(&decision);
	decision = asked(&host, RULE(", \"reset\": \"try\""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_RESET, DISK), "the next owner gets it unreset");
	assert_int_equal(find_note(&decision, NOTE_RESET, DISK)->severity, SEVERITY_DISRUPTIVE);
	decision_done(&decision);
	decision = asked(&host, RULE(", \"reset\": \"skip\""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_RESET, DISK), "\"skip\"");
	decision_done(&decision);
	/* On a bus with others a bus reset is refused by the kernel. */
	host_device(&host, CARD)->pci.reset_methods = RESET_METHOD_BUS;
	decision = asked(&host, RULE(""), ALICE, CARD);
	assert_contains(text_of_note(&decision, NOTE_RESET, CARD), "where " NETWORK " is, too");
	assert_contains(text_of_note(&decision, NOTE_RESET, CARD), "quarantined");
	decision_done(&decision);
	host_done(&host);
}

static void test_what_keeps_devices_apart(void **state)
{
	struct device other = device_of("0000:03:00.1", 7, "snd");
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	decision = asked(&host, RULE(""), ALICE, CARD);
	assert_contains(text_of_note(&decision, NOTE_PEERS, CARD), CARD ", " NETWORK ": no hardware (ACS)");
	assert_null(find_note(&decision, NOTE_INTERRUPTS, ""));
	decision_done(&decision);
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_null(find_note(&decision, NOTE_PEERS, DISK));
	assert_null(find_note(&decision, NOTE_SLOT, DISK));
	decision_done(&decision);
	host_add(&host, &other);
	snprintf(host_device(&host, DISK)->parent, DEVICE_NAME_MAX, BRIDGE);
	host.kernel.unsafe_interrupts = 1;
	host.kernel.noiommu = 1;
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_SLOT, DISK), "on one card with 0000:03:00.1, which is not taken");
	assert_contains(text_of_note(&decision, NOTE_INTERRUPTS, ""), "allow_unsafe_interrupts");
	assert_contains(text_of_note(&decision, NOTE_NO_IOMMU, ""), "without an IOMMU");
	decision_done(&decision);
	host_done(&host);
}

static void test_physical_and_virtual_functions(void **state)
{
	struct device virtual = device_of("0000:03:00.1", 7, "");
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	snprintf(virtual.pci.physical_function, sizeof virtual.pci.physical_function, DISK);
	host_add(&host, &virtual);
	decision = asked(&host, RULE(""), ALICE, virtual.name);
	assert_null(find_note(&decision, NOTE_FUNCTIONS, virtual.name));
	decision_done(&decision);
	host_claim(&host, "bobs", BOB, "r", DISK);
	decision = asked(&host, RULE(""), ALICE, virtual.name);
	assert_contains(text_of_note(&decision, NOTE_FUNCTIONS, virtual.name), "a claim of another user");
	assert_untold(&decision, "bobs");
	assert_untold(&decision, "1001");
	decision_done(&decision);
	decision = asked(&host, RULE(""), OPERATOR, virtual.name);
	assert_contains(text_of_note(&decision, NOTE_FUNCTIONS, virtual.name), "claim bobs of uid 1001");
	decision_done(&decision);
	host_done(&host);

	host_init_two_groups(&host);
	host_add(&host, &virtual);
	host_device(&host, DISK)->pci.virtual_functions_max = host_device(&host, DISK)->pci.virtual_functions = 1;
	host_claim(&host, "bobs", BOB, "r", virtual.name);
	decision = asked(&host, RULE(""), ALICE, DISK);
	assert_contains(text_of_note(&decision, NOTE_FUNCTIONS, DISK), "a claim of another user has 0000:03:00.1");
	assert_untold(&decision, "bobs");
	decision_done(&decision);
	decision = asked(&host, RULE(""), OPERATOR, DISK);
	assert_contains(text_of_note(&decision, NOTE_FUNCTIONS, DISK), "claim bobs of uid 1001 has 0000:03:00.1");
	decision_done(&decision);
	host_done(&host);
}

/* An operator asks what alice would get: her verdict, in his words. */
static void test_an_operator_asks_for_somebody(void **state)
{
	struct subject alice = subject_of(ALICE);
	const char *name = DISK;
	struct request request = { .subject = &alice, .device = &name, .device_count = 1, .numa_node = -1 };
	struct policy *policy =
		policy_of("{\"rules\": [{\"name\": \"r\", \"effect\": \"deny\", \"subject\": {\"user\": 1000}, "
			  "\"device\": {\"kind\": \"pci\"}}], \"operators\": {\"user\": 1002}}");
	struct decision decision;
	struct host host;

	host_init_two_groups(&host);
	host_add_use(&host, DISK, USE_MOUNT, SEVERITY_FATAL, "nvme0n1 > mounted on /secret");
	assert_int_equal(decide(policy, &host.view, &request, &decision), 0);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_untold(&decision, "/secret");
	decision_done(&decision);
	request.for_operator = true;
	assert_int_equal(decide(policy, &host.view, &request, &decision), 0);
	assert_int_equal(decision.status, EXIT_REFUSED);
	assert_contains(text_of_note(&decision, NOTE_LOSS, DISK), "/secret");
	decision_done(&decision);
	policy_free(policy);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_losses_from_the_worst),
		cmocka_unit_test(test_losses_tell_an_operator_only),
		cmocka_unit_test(test_unknown_driver_is_a_verdict_of_its_own),
		cmocka_unit_test(test_what_does_not_come_back),
		cmocka_unit_test(test_what_a_reset_is_worth),
		cmocka_unit_test(test_what_keeps_devices_apart),
		cmocka_unit_test(test_physical_and_virtual_functions),
		cmocka_unit_test(test_an_operator_asks_for_somebody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
