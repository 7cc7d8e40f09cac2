#include "audit_writer.h"

#include "../../../policy/util/text.h"
#include "../../base/log.h"

#include <errno.h>
#include <libaudit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So much of a record may be devices: the rest of it has place then, even where every byte is written as two digits. */
enum { DEVICES_TEXT_MAX = 3072 };

/* A text field, or nothing where the text is empty. False: out of memory. */
static bool put_text(char *out, const char *name, const char *value)
{
	char *field;

	if (!value[0])
		return true;
	field = audit_encode_nv_string(name, value, 0);
	if (!field)
		return false;
	text_append(out, AUDIT_TEXT_MAX, " %s", field);
	free(field);
	return true;
}

/* "0000:01:00.0,0000:01:00.1", as far as there is place. Returns how many have none. */
static uint32_t join(const struct audit_record *record, uint32_t first, uint32_t count,
		     char out[static DEVICES_TEXT_MAX])
{
	size_t length = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < count; i++) {
		const char *device = record->device[first + i];

		/* Encoded it is twice as long at most. */
		if (length + strlen(device) + 2 > DEVICES_TEXT_MAX / 2)
			return count - i;
		length += (size_t)snprintf(out + length, DEVICES_TEXT_MAX - length, "%s%s", i ? "," : "", device);
	}
	return 0;
}

bool audit_writer_compose(const struct wire_record *message, int *type, char text[static AUDIT_TEXT_MAX])
{
	const struct audit_record *record = &message->record;
	char devices[DEVICES_TEXT_MAX], lockouts[DEVICES_TEXT_MAX];
	uint32_t left_out = record->left_out + join(record, 0, record->device_count, devices) +
			    join(record, record->device_count, record->lockout_count, lockouts);

	*type = record->kind == RECORD_POLICY_LOAD ? AUDIT_USYS_CONFIG : AUDIT_USER_DEVICE;
	text_format(text, AUDIT_TEXT_MAX, "op=%s id=%u", record_kind_to_string((enum record_kind)record->kind),
		    record->uid);
	if (record->actor != record->uid)
		text_append(text, AUDIT_TEXT_MAX, " actor=%u", record->actor);
	if (record->pid > 0)
		text_append(text, AUDIT_TEXT_MAX, " opid=%d", record->pid);
	if (!put_text(text, "device", devices) || !put_text(text, "lockout", lockouts))
		return false;
	if (left_out > 0)
		text_append(text, AUDIT_TEXT_MAX, " devices-left-out=%u", left_out);
	if (record->policy_digest)
		text_append(text, AUDIT_TEXT_MAX, " policy=%016llx", (unsigned long long)record->policy_digest);
	if (message->proof != WIRE_PROOF_NONE)
		text_append(text, AUDIT_TEXT_MAX, " confirmed=%s", message->proof == WIRE_PROOF_THERE ? "yes" : "no");
	return put_text(text, "claim", record->claim) && put_text(text, "rule", record->rule) &&
	       put_text(text, "unit", record->unit) && put_text(text, "reason", record->text);
}

/* True for what a kernel says that keeps no audit log, at all or for this part of the system (a container). */
static bool means_no_audit(int error)
{
	return error == EINVAL || error == EPROTONOSUPPORT || error == EAFNOSUPPORT || error == ECONNREFUSED;
}

/* 0, or a positive errno for the answer. */
static int write_record(int audit, const struct wire_record *record)
{
	char text[AUDIT_TEXT_MAX];
	int type, result;

	if (audit < 0)
		return EPROTONOSUPPORT;
	if (!audit_writer_compose(record, &type, text))
		return ENOMEM;
	/* Host, address and terminal are given, as unknown, so that none is looked up. */
	result = audit_log_user_message(audit, type, text, "", "?", "", record->record.success == 1);
	if (result > 0)
		return 0;
	result = result < 0 ? -result : errno ? errno : EIO;
	return means_no_audit(result) ? EPROTONOSUPPORT : result;
}

/* The kernel's audit socket, or -1: there is none, which is said once. */
static int open_audit(void)
{
	int audit = audit_open();

	if (audit < 0 && means_no_audit(errno))
		log_notice("this kernel has no audit log: grants, refusals and revocations are only in the journal");
	else if (audit < 0)
		log_error("cannot open the audit log: %s", strerror(errno));
	return audit;
}

static int serve(int socket, int audit)
{
	union wire_message message;
	int error;

	wire_stamp(&message, WIRE_TOPOLOGY_DONE, 0); /* ready, as a binder says it */
	error = wire_send(socket, &message, NULL, 0);
	while (error >= 0) {
		autoclose_list struct descriptors fds = { .count = 0 };
		uint64_t id;
		int written;

		error = wire_receive(socket, &message, &fds);
		if (error <= 0)
			return error;
		if (message.header.type != WIRE_RECORD)
			return -EBADMSG;
		id = message.header.id;
		written = write_record(audit, &message.record);
		message.recorded = (struct wire_recorded){ .error = written };
		wire_stamp(&message, WIRE_RECORDED, id);
		error = wire_send(socket, &message, NULL, 0);
	}
	return error;
}

int audit_writer_main(int socket)
{
	int audit = open_audit(), error = serve(socket, audit);

	if (audit >= 0)
		audit_close(audit);
	if (error == 0 || error == -EPIPE || error == -ECONNRESET)
		return EXIT_SUCCESS;
	log_error("the recorder ends: %s", strerror(-error));
	return EXIT_FAILURE;
}
