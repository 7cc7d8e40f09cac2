/* Audit records as they are written: no text from outside can pass for a field of its own, and nothing is too long. */
#include "../../daemon/executor/router/done_plans.h"
#include "../../daemon/executor/workers/audit_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <libaudit.h>

static struct wire_record record_of(enum record_kind kind)
{
	struct wire_record record = { .proof = WIRE_PROOF_NONE };

	audit_record_begin(&record.record, kind, 1000, 4711, "vm.service");
	return record;
}

static const char *compose(const struct wire_record *record, int *type)
{
	static char text[AUDIT_TEXT_MAX];

	assert_true(audit_record_is_sane(&record->record));
	assert_true(audit_writer_compose(record, type, text));
	/* The kernel's limit, with room for what libaudit puts behind it. */
	assert_true(strlen(text) + 512 < MAX_AUDIT_MESSAGE_LENGTH);
	return text;
}

static void plain(void **state)
{
	struct wire_record record = record_of(RECORD_GRANT);
	int type;

	audit_record_add_device(&record.record, "0000:01:00.0", false);
	audit_record_add_device(&record.record, "0000:01:00.1", true);
	audit_record_add_device(&record.record, "0000:02:00.0", false);
	record.record.policy_digest = 0xabc;
	strcpy(record.record.claim, "c1");
	strcpy(record.record.rule, "cards");
	assert_string_equal(compose(&record, &type),
			    "op=grant id=1000 opid=4711 device=\"0000:01:00.0,0000:02:00.0\" lockout=\"0000:01:00.1\""
			    " policy=0000000000000abc claim=\"c1\" rule=\"cards\" unit=\"vm.service\"");
	assert_int_equal(type, AUDIT_USER_DEVICE);
	record.proof = WIRE_PROOF_MISSING;
	assert_non_null(strstr(compose(&record, &type), " confirmed=no claim="));
	record.proof = WIRE_PROOF_THERE;
	assert_non_null(strstr(compose(&record, &type), " confirmed=yes claim="));
	record = record_of(RECORD_POLICY_LOAD);
	record.record.actor = 0;
	record.record.pid = 0;
	record.record.unit[0] = '\0';
	assert_string_equal(compose(&record, &type), "op=policy-load id=1000 actor=0");
	assert_int_equal(type, AUDIT_USYS_CONFIG);
}

/* "a b" is written as 612062: a space or a quote could end the field. */
static void forged(void **state)
{
	struct wire_record record = record_of(RECORD_REFUSAL);
	const char *text;
	int type;

	strcpy(record.record.rule, "x\" res=success a=\"");
	strcpy(record.record.unit, "a b");
	strcpy(record.record.text, "0000:01:00.0 is used");
	text = compose(&record, &type);
	assert_null(strstr(text, "res=success"));
	assert_null(strchr(text, '"'));
	assert_non_null(strstr(text, " rule=7822207265733D7375636365737320613D22 unit=612062 reason="));
}

static void as_long_as_can_be(void **state)
{
	struct wire_record record = record_of(RECORD_GRANT);
	char name[DEVICE_NAME_MAX];
	int type;

	memset(name, ' ', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < AUDIT_RECORD_DEVICES_MAX; i++)
		audit_record_add_device(&record.record, name, i % 2);
	memset(record.record.text, ' ', sizeof(record.record.text) - 1);
	memset(record.record.rule, ' ', sizeof(record.record.rule) - 1);
	memset(record.record.unit, ' ', sizeof(record.record.unit) - 1);
	memset(record.record.claim, ' ', sizeof(record.record.claim) - 1);
	assert_non_null(strstr(compose(&record, &type), " devices-left-out="));
	/* Those of a claim as large as claims get are all told. */
	record = record_of(RECORD_GRANT);
	for (int i = 0; i < CLAIM_DEVICES_MAX; i++) {
		audit_record_add_device(&record.record, "0000:01:00.0", false);
		audit_record_add_device(&record.record, "0000:01:00.1", true);
	}
	assert_null(strstr(compose(&record, &type), "left-out"));
}

static void add(struct plan *plan, enum step_kind kind, const char *device)
{
	struct step step = { .kind = kind };

	strcpy(step.device, device);
	assert_int_equal(plan_add(plan, &step), 0);
}

/* What this executor did itself confirms a record, and only that. */
static void proofs(void **state)
{
	struct done_plans done_plans = { .devices.count = 0 };
	struct deed_set set = { .count = 0 };
	struct plan claim = { .count = 0 }, release = { .count = 0 };
	struct plan_owner owner = { .claim = "0123456789abcdef0123456789abcdef", .subject = { .uid = 1000 } };
	struct audit_record grant, given_back;

	audit_record_begin(&grant, RECORD_GRANT, 1000, 1, "");
	audit_record_add_device(&grant, "0000:01:00.0", false);
	audit_record_add_device(&grant, "0000:01:00.1", true);
	memcpy(grant.claim, owner.claim, sizeof(grant.claim));
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_MISSING);
	audit_record_commit(&grant);
	audit_record_begin(&given_back, RECORD_RELEASE, 1000, 1, "");
	audit_record_add_device(&given_back, "0000:01:00.0", false);
	memcpy(given_back.claim, owner.claim, sizeof(given_back.claim));
	audit_record_commit(&given_back);
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_MISSING);
	add(&claim, STEP_OVERRIDE, "0000:01:00.1");
	add(&claim, STEP_CONTEXT, "");
	add(&claim, STEP_OPEN, "0000:01:00.0");
	add(&claim, STEP_BIND, "0000:01:00.0");
	deed_set_begin(&set, WIRE_PLAN_CLAIM, &claim, &owner);
	assert_int_equal(set.count, 1);
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_MISSING);
	done_plans_note(&done_plans, &set);
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_THERE);
	/* Nobody else's, and no other claim's. */
	grant.uid = 1001;
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_MISSING);
	grant.uid = 1000;
	grant.claim[0] = 'f';
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_MISSING);
	grant.claim[0] = '0';
	assert_int_equal(done_plans_prove(&done_plans, &given_back), WIRE_PROOF_MISSING);
	add(&release, STEP_PROVE_NO_HOLDER, "0000:01:00.0");
	add(&release, STEP_RESTORE, "0000:01:00.0");
	add(&release, STEP_RESTORE, "0000:01:00.1");
	deed_set_begin(&set, WIRE_PLAN_RELEASE, &release, &owner);
	assert_int_equal(set.count, 2);
	done_plans_note(&done_plans, &set);
	assert_int_equal(done_plans_prove(&done_plans, &given_back), WIRE_PROOF_THERE);
	assert_int_equal(done_plans_prove(&done_plans, &grant), WIRE_PROOF_MISSING);
	given_back.kind = RECORD_REVOCATION;
	assert_int_equal(done_plans_prove(&done_plans, &given_back), WIRE_PROOF_MISSING);
	given_back.kind = RECORD_POLICY_LOAD;
	assert_int_equal(done_plans_prove(&done_plans, &given_back), WIRE_PROOF_NONE);
	deed_set_done(&set);
	done_plans_done(&done_plans);
	plan_done(&claim);
	plan_done(&release);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(forged),
		cmocka_unit_test(as_long_as_can_be),
		cmocka_unit_test(proofs),
	};

	return cmocka_run_group_tests_name("recorder", tests, NULL, NULL);
}
