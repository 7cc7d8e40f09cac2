#include "journal_entry.h"

#include "../../../policy/util/text.h"
#include "../../base/wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Each has its entry in units/ioasidd.catalog. An id that was published never changes its meaning. */
static const struct {
	const char *id;
	enum log_priority priority;
} messages[RECORD_MESSAGE_COUNT] = {
	[RECORD_MESSAGE_GRANTED] = { "2b5ec9a98b21470ab0ee536529d3529e", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_GREW] = { "9ef2116e54bf4fa3b645bb0477552f31", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_SHRANK] = { "b474e73cccbe4e8eafd72834fd2c14a7", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_REFUSED] = { "4ee5ac25aea5480f930f52074f38e138", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_FAILED] = { "4d1dc8ea128a4c0f8e429a41f9a9e191", LOG_PRIORITY_WARNING },
	[RECORD_MESSAGE_ENDING] = { "fbea851710c0407982c80fc03712779e", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_FREE] = { "2127ae142d064e198429cfa6e8e16462", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_LINGERING] = { "6d7229738bb74adba6cf1b3182490217", LOG_PRIORITY_WARNING },
	[RECORD_MESSAGE_QUARANTINED] = { "7af2ccbac040495c9520cb6095c49ec4", LOG_PRIORITY_ERROR },
	[RECORD_MESSAGE_STUCK] = { "e4c154cfd8824c079fb0c504511d5ced", LOG_PRIORITY_ERROR },
	[RECORD_MESSAGE_UNPLUGGED] = { "06f5d3764f814826b2d9c61c6308bc2f", LOG_PRIORITY_WARNING },
	[RECORD_MESSAGE_ADOPTED] = { "cf17ecac8dbe4b69bbac0f167999ddd3", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_REVOKED] = { "ab3d19b4588b40fabe5aa73d59d71270", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_REVOCATION_STEP] = { "afeb3db099734e8cb02b465b3bc3ed57", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_NOT_GRANTED] = { "f0e825617ade48b8b25cbfa6a0dfbe5d", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_NOT_READY] = { "f1d1dd11f29d41018a759b12342269d9", LOG_PRIORITY_WARNING },
	[RECORD_MESSAGE_POLICY_LOADED] = { "89d5cd6699104a1bab3d06f490e30eea", LOG_PRIORITY_NOTICE },
	[RECORD_MESSAGE_POLICY_REFUSED] = { "0b1aef3a692e49aa9b365e3600924ffe", LOG_PRIORITY_ERROR },
};

void journal_entry_begin(struct journal_entry *entry, enum record_message kind, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_format_list(entry->message, sizeof entry->message, format, arguments);
	va_end(arguments);
	entry->priority = messages[kind].priority;
	journald_begin(&entry->journald);
	journald_add(&entry->journald, "MESSAGE", "%s", entry->message);
	journald_add(&entry->journald, "PRIORITY", "%d", messages[kind].priority);
	journald_add(&entry->journald, "MESSAGE_ID", "%s", messages[kind].id);
	journald_add(&entry->journald, "SYSLOG_IDENTIFIER", "ioasidd");
}

static void add_text(struct journal_entry *entry, const char *field, const char *text)
{
	if (text && text[0])
		journald_add(&entry->journald, field, "%s", text);
}

static void add_number(struct journal_entry *entry, const char *field, int64_t number)
{
	journald_add(&entry->journald, field, "%" PRId64, number);
}

/* True if a device before this one is in the same group. */
static bool group_was_told(const struct claim *claim, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (claim->device[i].before.group == claim->device[index].before.group)
			return true;
	return false;
}

static void add_devices(struct journal_entry *entry, const struct claim *claim)
{
	for (size_t i = 0; i < claim->device_count; i++)
		add_text(entry, claim->device[i].lockout ? "IOASID_MEMBER" : "IOASID_DEVICE",
			 claim->device[i].before.name);
	for (size_t i = 0; i < claim->device_count; i++)
		if (claim->device[i].before.group >= 0 && !group_was_told(claim, i))
			add_number(entry, "IOASID_GROUP", claim->device[i].before.group);
}

/* One device of the claim: what its group locks out goes with it. */
static void add_device(struct journal_entry *entry, const struct claim *claim, const char *device)
{
	int32_t group = -1;

	add_text(entry, "IOASID_DEVICE", device);
	for (size_t i = 0; i < claim->device_count; i++)
		if (strcmp(claim->device[i].before.name, device) == 0)
			group = claim->device[i].before.group;
	if (group < 0)
		return;
	for (size_t i = 0; i < claim->device_count; i++)
		if (claim->device[i].lockout && claim->device[i].before.group == group)
			add_text(entry, "IOASID_MEMBER", claim->device[i].before.name);
	add_number(entry, "IOASID_GROUP", group);
}

void journal_entry_add_claim(struct journal_entry *entry, const struct claim *claim, const char *device)
{
	add_text(entry, "IOASID_CLAIM", claim->id);
	add_number(entry, "IOASID_UID", claim->uid);
	if (claim->pid > 0)
		add_number(entry, "IOASID_PID", claim->pid);
	add_text(entry, "IOASID_UNIT", claim->unit);
	add_text(entry, "IOASID_LEASE", lease_kind_to_string(claim->lease.kind));
	add_text(entry, "IOASID_RULE", claim->rule);
	add_text(entry, "IOASID_MODE", delivery_mode_to_string(claim->mode));
	add_text(entry, "IOASID_INTERFACE", vfio_interface_to_string(claim->interface));
	add_text(entry, "IOASID_STATE", claim_state_to_string(claim->state));
	add_text(entry, "IOASID_NOTE", claim->note);
	if (device)
		add_device(entry, claim, device);
	else
		add_devices(entry, claim);
}

void journal_entry_add_subject(struct journal_entry *entry, const struct subject *subject)
{
	add_number(entry, "IOASID_UID", subject->uid);
	if (subject->pid > 0)
		add_number(entry, "IOASID_PID", subject->pid);
	add_text(entry, "IOASID_UNIT", subject->unit);
}

void journal_entry_add_decision(struct journal_entry *entry, const struct decision *decision)
{
	const struct blocker *headline = decision_headline(decision);

	for (size_t i = 0; i < decision->device_count; i++)
		add_text(entry, "IOASID_DEVICE", decision->device[i].device);
	for (size_t i = 0; i < decision->lockout_count; i++)
		add_text(entry, "IOASID_MEMBER", decision->lockout[i].device);
	add_text(entry, "IOASID_VERDICT",
		 decision->allowed ? "allowed"
		 : headline        ? blocker_kind_to_string(headline->kind)
				   : "refused");
	add_number(entry, "IOASID_STATUS", decision->status);
	if (headline)
		add_text(entry, "IOASID_RULE", headline->rule);
}

void journal_entry_add_result(struct journal_entry *entry, const struct wire_result *result)
{
	if (!result || result->kind >= STEP_KIND_COUNT)
		return;
	add_text(entry, "IOASID_STEP", step_kind_to_string((enum step_kind)result->kind));
	if (result->error != 0)
		add_number(entry, "IOASID_ERRNO", result->error);
}

void journal_entry_add_policy(struct journal_entry *entry, const struct policy *policy)
{
	add_number(entry, "IOASID_RULES", (int64_t)policy->rule_count);
	journald_add(&entry->journald, "IOASID_POLICY_DIGEST", "%016" PRIx64, policy->digest);
	for (size_t i = 0; i < policy->file_count; i++)
		add_text(entry, "IOASID_FILE", policy->file[i]);
}
