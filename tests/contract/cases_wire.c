#include "cases.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void note_policy(const char *what, const struct wire_policy *policy, uint64_t usual)
{
	report_note("%s: error %d, digest %s", what, policy->error, policy->policy_digest == usual ? "same" : "new");
}

void case_reload(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	const uint64_t usual = bench->digest;
	struct wire_policy policy;
	struct claimed claimed;

	policy = side_reload(&bench->side);
	note_policy("the same policy", &policy, usual);
	bench_write_policy(bench, "{ \"rules\": [");
	policy = side_reload(&bench->side);
	note_policy("a policy with an error", &policy, usual);
	report_check(policy.refusal.error == policy.error && strstr(policy.refusal.file, ".json") &&
			     policy.refusal.line == 1 && policy.refusal.column == 13 && policy.refusal.message[0],
		     "what it was refused for is told as %s:%u:%u: %s", policy.refusal.file, policy.refusal.line,
		     policy.refusal.column, policy.refusal.message);
	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim under the first policy");
	claimed_end(&claimed);
	bench_write_policy(bench, "{ \"rules\": [] }");
	policy = side_reload(&bench->side);
	note_policy("an empty policy", &policy, usual);
	report_check(policy.policy_digest == bench->digest, "the digest is not ours");
	/* What was claimed under the policy before can be released, also by a broker that has not read the new one. */
	bench->digest = usual;
	release(bench, &claimed, false, "release under the policy before");
	bench_write_policy(bench, usual_policy);
	policy = side_reload(&bench->side);
	note_policy("the first policy", &policy, usual);
}

/* Asks, and does not listen. */
static void ask_a_lot(struct bench *bench)
{
	union wire_message message;

	memset(&message.survey, 0, sizeof(message.survey));
	message.survey.count = 1;
	memcpy(message.survey.device[0], bench->roles.edu, DEVICE_NAME_MAX);
	for (int i = 0; i < 20; i++) {
		wire_stamp(&message, WIRE_SURVEY, ++bench->side.last_id);
		if (wire_send(bench->side.wire, &message, NULL, 0) < 0)
			bail_out("a survey can't be sent");
	}
}

void case_end(struct bench *bench)
{
	uint64_t empty;

	report_note("the broker closes the wire: status %d", side_stop(&bench->side));
	/* With answers under way, which find nobody. */
	bench_start(bench);
	ask_a_lot(bench);
	report_note("the broker closes the wire and does not wait for answers: status %d", side_stop(&bench->side));
	/* With a policy that has errors it starts all the same, and gives nobody anything. */
	bench_write_policy(bench, "{ \"rules\": [] }");
	empty = bench->digest;
	bench_write_policy(bench, "{ \"rules\": [");
	bench_start(bench);
	report_note("started with errors in the policy: digest of %s",
		    bench->side.hello.policy_digest == empty ? "an empty one" : "another");
	report_check(bench->side.hello.refusal.error == EINVAL && bench->side.hello.refusal.line == 1,
		     "what they were refused for is not told");
	bench_write_policy(bench, usual_policy);
	report_note("reload: error %d", side_reload(&bench->side).error);
	report_note("the broker closes the wire: status %d", side_stop(&bench->side));
	bench_start(bench);
	check_untouched(bench);
}

/* A message of each kind that has something wrong. */
struct bad {
	union wire_message message;
	size_t size;
	int fd;
};

static void survey_of(struct bad *bad, const char *name, uint32_t count)
{
	memset(&bad->message.survey, 0, sizeof(bad->message.survey));
	snprintf(bad->message.survey.device[0], DEVICE_NAME_MAX, "%s", name);
	bad->message.survey.count = count;
	wire_stamp(&bad->message, WIRE_SURVEY, 1);
	bad->size = bad->message.header.size;
}

static void make_truncated(struct bad *bad)
{
	survey_of(bad, "0000:00:00.0", 1);
	bad->size -= 1;
}

static void make_short(struct bad *bad)
{
	survey_of(bad, "0000:00:00.0", 1);
	bad->size = 4;
}

static void make_wrong_size(struct bad *bad)
{
	survey_of(bad, "0000:00:00.0", 1);
	bad->message.header.size += 8;
}

static void make_unknown_type(struct bad *bad)
{
	wire_stamp(&bad->message, WIRE_RELOAD, 1);
	bad->message.header.type = 99;
	bad->size = bad->message.header.size;
}

static void make_executors_type(struct bad *bad)
{
	wire_stamp(&bad->message, WIRE_TOPOLOGY_DONE, 0);
	bad->size = bad->message.header.size;
}

static void make_empty_survey(struct bad *bad)
{
	survey_of(bad, "0000:00:00.0", 0);
}

static void make_bad_name(struct bad *bad)
{
	survey_of(bad, "../0000:00:00.0", 1);
}

static void make_unterminated_name(struct bad *bad)
{
	survey_of(bad, "0000:00:00.0", 1);
	memset(bad->message.survey.device[0], '0', DEVICE_NAME_MAX);
}

static void make_survey_with_descriptor(struct bad *bad)
{
	survey_of(bad, "0000:00:00.0", 1);
	bad->fd = STDERR_FILENO;
}

static void plan_of(struct bad *bad, uint32_t kind)
{
	memset(&bad->message.plan, 0, sizeof(bad->message.plan));
	bad->message.plan.total = 1;
	bad->message.plan.count = 1;
	bad->message.plan.step[0] = (struct step){ .kind = kind, .device = "0000:00:00.0" };
	wire_stamp(&bad->message, WIRE_PLAN, 1);
	bad->size = bad->message.header.size;
}

static void make_unknown_step(struct bad *bad)
{
	plan_of(bad, STEP_KIND_COUNT);
}

static void make_path_as_driver(struct bad *bad)
{
	plan_of(bad, STEP_OVERRIDE);
	strcpy(bad->message.plan.step[0].value, "../../x");
}

static void make_plan_without_its_descriptor(struct bad *bad)
{
	plan_of(bad, STEP_OPEN);
	bad->message.plan.context = 1;
}

static void make_plan_with_descriptor_too_many(struct bad *bad)
{
	plan_of(bad, STEP_OPEN);
	bad->fd = STDERR_FILENO;
}

static void make_chunk_without_beginning(struct bad *bad)
{
	plan_of(bad, STEP_OPEN);
	bad->message.plan.total = 2;
	bad->message.plan.first = 1;
}

static void make_too_long_plan(struct bad *bad)
{
	plan_of(bad, STEP_OPEN);
	bad->message.plan.total = PLAN_STEPS_MAX + 1;
}

static void audit_of(struct bad *bad, uint32_t count)
{
	memset(&bad->message.audit, 0, sizeof(bad->message.audit));
	bad->message.audit.count = count;
	wire_stamp(&bad->message, WIRE_AUDIT, 1);
	bad->size = bad->message.header.size;
}

static void make_audit_of_no_descriptor(struct bad *bad)
{
	audit_of(bad, 1);
	bad->message.audit.context[0].fd = -1;
}

static void make_audit_with_descriptor(struct bad *bad)
{
	audit_of(bad, 0);
	bad->fd = STDERR_FILENO;
}

/* 4,000 parts that say that more comes would make the surveyor grow without end. */
static void make_endless_audit(struct bad *bad)
{
	audit_of(bad, 1);
	bad->message.audit.more = 1;
	bad->message.audit.first = WIRE_AUDIT_CONTEXTS_MAX;
}

static void make_cut_audit(struct bad *bad)
{
	audit_of(bad, 2);
	bad->message.audit.count = 3;
}

static void record_of(struct bad *bad, uint32_t kind)
{
	memset(&bad->message.record, 0, sizeof(bad->message.record));
	bad->message.record.record.kind = kind;
	wire_stamp(&bad->message, WIRE_RECORD, 1);
	bad->size = bad->message.header.size;
}

static void make_unknown_record(struct bad *bad)
{
	record_of(bad, RECORD_KIND_COUNT);
}

static void make_record_of_two_lines(struct bad *bad)
{
	record_of(bad, RECORD_GRANT);
	strcpy(bad->message.record.record.text, "one\ntwo");
}

static void make_cut_record(struct bad *bad)
{
	record_of(bad, RECORD_GRANT);
	bad->message.record.record.device_count = 1;
}

static void stop_of(struct bad *bad, uint32_t what)
{
	memset(&bad->message.stop, 0, sizeof(bad->message.stop));
	bad->message.stop.what = what;
	bad->message.stop.pid = what == REVOKE_STOP_PROCESS ? 1 : 0;
	bad->message.stop.count = 1;
	strcpy(bad->message.stop.device[0], "0000:00:00.0");
	wire_stamp(&bad->message, WIRE_STOP, 1);
	bad->size = bad->message.header.size;
}

static void make_stop_of_nothing(struct bad *bad)
{
	stop_of(bad, REVOKE_STOP_NOTHING);
}

static void make_stop_of_no_unit(struct bad *bad)
{
	stop_of(bad, REVOKE_STOP_UNIT);
}

static void make_stop_of_both(struct bad *bad)
{
	stop_of(bad, REVOKE_STOP_PROCESS);
	strcpy(bad->message.stop.unit, "a.service");
}

static void make_stop_for_no_device(struct bad *bad)
{
	stop_of(bad, REVOKE_STOP_PROCESS);
	bad->message.stop.device[0][0] = '\0';
}

void case_malformed(struct bench *bench)
{
	static const struct {
		const char *what;
		void (*make)(struct bad *bad);
	} row[] = {
		{ "a message that is cut", make_truncated },
		{ "less than a header", make_short },
		{ "a size that is not the packet's", make_wrong_size },
		{ "an unknown type", make_unknown_type },
		{ "a type of the executor's", make_executors_type },
		{ "a survey of nothing", make_empty_survey },
		{ "a name with a path in it", make_bad_name },
		{ "a name without an end", make_unterminated_name },
		{ "a survey with an FD", make_survey_with_descriptor },
		{ "an unknown step", make_unknown_step },
		{ "a path as a driver's name", make_path_as_driver },
		{ "a plan without the FD that it speaks of", make_plan_without_its_descriptor },
		{ "a plan with an FD that it does not speak of", make_plan_with_descriptor_too_many },
		{ "a chunk without a beginning", make_chunk_without_beginning },
		{ "a plan that is too long", make_too_long_plan },
		{ "an audit by an FD that is none", make_audit_of_no_descriptor },
		{ "an audit with an FD", make_audit_with_descriptor },
		{ "an audit that is cut", make_cut_audit },
		{ "an audit that has no end", make_endless_audit },
		{ "a record of nothing known", make_unknown_record },
		{ "a record of two lines", make_record_of_two_lines },
		{ "a record without the device that it counts", make_cut_record },
		{ "a stop of nothing", make_stop_of_nothing },
		{ "a stop of a unit without a name", make_stop_of_no_unit },
		{ "a stop of a process and a unit", make_stop_of_both },
		{ "a stop for no device", make_stop_for_no_device },
	};

	side_stop(&bench->side);
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct bad bad = { .fd = -1 };
		bool closed;

		bench_start(bench);
		row[i].make(&bad);
		side_send_bytes(&bench->side, &bad.message, bad.size, bad.fd);
		closed = side_has_closed(&bench->side);
		report_note("%s: the wire is %s", row[i].what, closed ? "closed" : "open");
		report_check(closed, "%s: the wire stays open", row[i].what);
	}
	bench_start(bench);
	check_untouched(bench);
}
