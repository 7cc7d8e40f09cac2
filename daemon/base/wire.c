#include "wire.h"

#include "../../policy/util/text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The size of a survey or plan message with so many entries. */
static size_t survey_size(uint32_t count)
{
	return offsetof(struct wire_survey, device) + (size_t)count * DEVICE_NAME_MAX;
}

static size_t plan_size(uint32_t count)
{
	return offsetof(struct wire_plan, step) + (size_t)count * sizeof(struct step);
}

static size_t audit_size(uint32_t count)
{
	return offsetof(struct wire_audit, context) + (size_t)count * sizeof(struct wire_audit_context);
}

static size_t record_size(const struct audit_record *record)
{
	return offsetof(struct wire_record, record.device) +
	       ((size_t)record->device_count + record->lockout_count) * DEVICE_NAME_MAX;
}

static size_t stop_size(uint32_t count)
{
	return offsetof(struct wire_stop, device) + (size_t)count * DEVICE_NAME_MAX;
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* Printable: a text that may be shown and logged. UTF-8 beyond ASCII passes. */
static bool text_is_sane(const char *text, size_t size)
{
	if (!text_ends(text, size))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool name_is_sane(const char name[static DEVICE_NAME_MAX])
{
	return text_ends(name, DEVICE_NAME_MAX) && device_name_is_valid(name);
}

/* A node of VFIO's below /dev: "vfio/vfio", "vfio/12", "vfio/devices/vfio3". */
static bool node_is_sane(const char name[static DEVICE_NAME_MAX])
{
	return text_ends(name, DEVICE_NAME_MAX) && strncmp(name, "vfio/", 5) == 0 && !strstr(name, "..") &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789/-")] == '\0';
}

static bool kernel_is_sane(const struct kernel_features *kernel)
{
	return text_is_sane(kernel->release, sizeof(kernel->release));
}

static bool refusal_is_sane(const struct wire_refusal *refusal)
{
	return refusal->error >= 0 && text_is_printable(refusal->file, sizeof(refusal->file)) &&
	       text_is_printable(refusal->message, sizeof(refusal->message));
}

static bool hello_is_sane(const struct wire_hello *hello)
{
	return kernel_is_sane(&hello->kernel) && text_is_sane(hello->boot_id, sizeof(hello->boot_id)) &&
	       refusal_is_sane(&hello->refusal);
}

static bool survey_is_sane(const struct wire_survey *survey)
{
	for (uint32_t i = 0; i < survey->count; i++)
		if (!name_is_sane(survey->device[i]))
			return false;
	return true;
}

static bool plan_is_sane(const struct wire_plan *plan)
{
	if (plan->kind > WIRE_PLAN_RELEASE || plan->total > PLAN_STEPS_MAX || plan->first > plan->total ||
	    plan->count > plan->total - plan->first || plan->context > 1 || plan->peer < 0 ||
	    plan->proof >= WIRE_PROOF_COUNT || !plan_owner_is_sane(&plan->owner))
		return false;
	for (uint32_t i = 0; i < plan->count; i++)
		if (!step_is_sane(&plan->step[i]))
			return false;
	return true;
}

static bool result_is_sane(const struct wire_result *result)
{
	return result->outcome < WIRE_OUTCOME_COUNT && result->kind <= STEP_KIND_COUNT && result->error >= 0 &&
	       result->contexts <= 1 && result->groups <= CLAIM_DEVICES_MAX && result->devices <= CLAIM_DEVICES_MAX &&
	       result->pid >= 0 && text_is_sane(result->device, sizeof(result->device)) &&
	       text_is_sane(result->holder, sizeof(result->holder)) && text_is_sane(result->text, sizeof(result->text));
}

static bool audit_is_sane(const struct wire_audit *audit, size_t size)
{
	if (size < audit_size(0) || audit->count > WIRE_CONTEXTS_MAX || size != audit_size(audit->count) ||
	    audit->more > 1 || audit->broker < 0 || audit->first > WIRE_AUDIT_CONTEXTS_MAX - audit->count)
		return false;
	for (uint32_t i = 0; i < audit->count; i++)
		if (audit->context[i].fd < 0 || !text_is_sane(audit->context[i].claim, CLAIM_ID_MAX))
			return false;
	return true;
}

/* The counts are looked at before the devices that they count. */
static bool wire_record_is_sane(const struct wire_record *message, size_t size)
{
	const struct audit_record *record = &message->record;

	return size >= offsetof(struct wire_record, record.device) && message->proof < WIRE_PROOF_COUNT &&
	       record->device_count <= AUDIT_RECORD_DEVICES_MAX && record->lockout_count <= AUDIT_RECORD_DEVICES_MAX &&
	       size == record_size(record) && audit_record_is_sane(record);
}

static bool stop_is_sane(const struct wire_stop *stop, size_t size)
{
	if (size < stop_size(1) || stop->count < 1 || stop->count > CLAIM_DEVICES_MAX ||
	    size != stop_size(stop->count) || !text_is_sane(stop->rule, sizeof(stop->rule)) ||
	    !text_is_sane(stop->unit, sizeof(stop->unit)))
		return false;
	for (uint32_t i = 0; i < stop->count; i++)
		if (!name_is_sane(stop->device[i]))
			return false;
	if (stop->what == REVOKE_STOP_PROCESS)
		return stop->pid > 0 && !stop->unit[0];
	return stop->what == REVOKE_STOP_UNIT && stop->pid == 0 && stop->unit[0];
}

static bool stopped_is_sane(const struct wire_stopped *stopped)
{
	return stopped->outcome < WIRE_STOP_OUTCOME_COUNT && stopped->error >= 0 &&
	       text_is_sane(stopped->text, sizeof(stopped->text));
}

/* The same of audits, records and stops. fds_allowed: is set where FDs may come. */
static bool question_is_sane(const union wire_message *message, size_t size, size_t *fds_allowed)
{
	switch (message->header.type) {
	case WIRE_HOLD:
		return size == sizeof(message->hold) && hold_is_sane(&message->hold.hold);
	case WIRE_NODE_ACCESS:
		return size == sizeof(message->node_access) && node_access_is_sane(&message->node_access.access);
	case WIRE_AUDIT_DONE:
		return size == sizeof(message->audit_done) && message->audit_done.error >= 0;
	case WIRE_RECORDED:
		return size == sizeof(message->recorded) && message->recorded.error >= 0;
	case WIRE_STOPPED:
		return size == sizeof(message->stopped) && stopped_is_sane(&message->stopped);
	case WIRE_AUDIT:
		return audit_is_sane(&message->audit, size);
	case WIRE_RECORD:
		return wire_record_is_sane(&message->record, size);
	case WIRE_STOP:
		*fds_allowed = 1;
		return stop_is_sane(&message->stop, size);
	default:
		return false;
	}
}

/* True if the size is that of the type, and everything in it is in range. fd_count: FDs that came with it. */
static bool message_is_sane(const union wire_message *message, size_t size, size_t fd_count)
{
	size_t fds_allowed = 0;
	bool sane;

	if (size < sizeof(message->header) || message->header.size != size)
		return false;
	switch ((enum wire_type)message->header.type) {
	case WIRE_HELLO:
		sane = size == sizeof(message->hello) && hello_is_sane(&message->hello);
		break;
	case WIRE_DEVICE:
		sane = size == sizeof(message->device) && device_is_sane(&message->device.device);
		break;
	case WIRE_DEVICE_GONE:
		sane = size == sizeof(message->device_gone) && name_is_sane(message->device_gone.name);
		break;
	case WIRE_TOPOLOGY_DONE:
	case WIRE_OVERDUE:
	case WIRE_RELOAD:
		sane = size == sizeof(message->plain);
		break;
	case WIRE_USE:
		sane = size == sizeof(message->use) && use_is_sane(&message->use.use);
		break;
	case WIRE_SURVEY_DONE:
		sane = size == sizeof(message->survey_done) && message->survey_done.error >= 0;
		break;
	case WIRE_RESULT:
		sane = size == sizeof(message->result) && result_is_sane(&message->result);
		fds_allowed = 2 * CLAIM_DEVICES_MAX + 1;
		break;
	case WIRE_KERNEL:
		sane = size == sizeof(message->kernel) && kernel_is_sane(&message->kernel.kernel);
		break;
	case WIRE_NODE:
		sane = size == sizeof(message->node) && node_is_sane(message->node.name);
		break;
	case WIRE_NODE_STEP:
		sane = size == sizeof(message->node_step) && step_is_sane(&message->node_step.step) &&
		       (message->node_step.step.kind == STEP_GRANT || message->node_step.step.kind == STEP_REVOKE);
		break;
	case WIRE_POLICY:
		sane = size == sizeof(message->policy) && message->policy.error >= 0 &&
		       refusal_is_sane(&message->policy.refusal);
		break;
	case WIRE_SURVEY:
		sane = size >= survey_size(1) && message->survey.count >= 1 &&
		       message->survey.count <= GROUP_MEMBERS_MAX && size == survey_size(message->survey.count) &&
		       survey_is_sane(&message->survey);
		break;
	case WIRE_PLAN:
		sane = size >= plan_size(0) && message->plan.count <= WIRE_STEPS_MAX &&
		       size == plan_size(message->plan.count) && plan_is_sane(&message->plan);
		fds_allowed = 2;
		break;
	case WIRE_HOLD:
	case WIRE_NODE_ACCESS:
	case WIRE_AUDIT_DONE:
	case WIRE_RECORDED:
	case WIRE_STOPPED:
	case WIRE_AUDIT:
	case WIRE_RECORD:
	case WIRE_STOP:
		sane = question_is_sane(message, size, &fds_allowed);
		break;
	default:
		return false;
	}
	return sane && fd_count <= fds_allowed;
}

void wire_stamp(union wire_message *message, enum wire_type type, uint64_t id)
{
	size_t size = 0;

	switch (type) {
	case WIRE_HELLO:
		size = sizeof(message->hello);
		break;
	case WIRE_DEVICE:
		size = sizeof(message->device);
		break;
	case WIRE_DEVICE_GONE:
		size = sizeof(message->device_gone);
		break;
	case WIRE_KERNEL:
		size = sizeof(message->kernel);
		break;
	case WIRE_NODE:
		size = sizeof(message->node);
		break;
	case WIRE_NODE_STEP:
		size = sizeof(message->node_step);
		break;
	case WIRE_TOPOLOGY_DONE:
	case WIRE_OVERDUE:
	case WIRE_RELOAD:
		size = sizeof(message->plain);
		break;
	case WIRE_USE:
		size = sizeof(message->use);
		break;
	case WIRE_SURVEY_DONE:
		size = sizeof(message->survey_done);
		break;
	case WIRE_RESULT:
		size = sizeof(message->result);
		break;
	case WIRE_POLICY:
		size = sizeof(message->policy);
		break;
	case WIRE_SURVEY:
		size = survey_size(message->survey.count);
		break;
	case WIRE_PLAN:
		size = plan_size(message->plan.count);
		break;
	case WIRE_HOLD:
		size = sizeof(message->hold);
		break;
	case WIRE_NODE_ACCESS:
		size = sizeof(message->node_access);
		break;
	case WIRE_AUDIT_DONE:
		size = sizeof(message->audit_done);
		break;
	case WIRE_RECORDED:
		size = sizeof(message->recorded);
		break;
	case WIRE_STOPPED:
		size = sizeof(message->stopped);
		break;
	case WIRE_AUDIT:
		size = audit_size(message->audit.count);
		break;
	case WIRE_RECORD:
		size = record_size(&message->record.record);
		break;
	case WIRE_STOP:
		size = stop_size(message->stop.count);
		break;
	}
	message->header.type = type;
	message->header.size = (uint32_t)size;
	message->header.id = id;
}

/* Room for the FDs of one message. */
const char *wire_outcome_to_string(enum wire_outcome outcome)
{
	static const char *const words[WIRE_OUTCOME_COUNT] = {
		[WIRE_OUTCOME_DONE] = "done",
		[WIRE_OUTCOME_REFUSED] = "refused",
		[WIRE_OUTCOME_UNDONE] = "undone",
		[WIRE_OUTCOME_BROKEN] = "broken",
		[WIRE_OUTCOME_HELD] = "held",
		[WIRE_OUTCOME_NO_RESET] = "no-reset",
		[WIRE_OUTCOME_INTERRUPTED] = "interrupted",
	};

	return words[outcome];
}

void wire_refusal_make(struct wire_refusal *refusal, int error, const struct diagnostics *diagnostics)
{
	memset(refusal, 0, sizeof(*refusal));
	refusal->error = -error;
	for (size_t i = 0; i < diagnostics->count && error != 0; i++) {
		const struct diagnostic *item = &diagnostics->item[i];

		if (!item->error)
			continue;
		if (refusal->file[0]) {
			refusal->more++;
			continue;
		}
		text_escape(refusal->file, sizeof(refusal->file), item->file, strlen(item->file));
		text_escape(refusal->message, sizeof(refusal->message), item->message,
			    strnlen(item->message, sizeof(item->message)));
		refusal->line = item->line;
		refusal->column = item->column;
	}
}

union control_buffer {
	char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
	struct cmsghdr align;
};

int wire_send(int socket, const union wire_message *message, const int *fds, size_t fd_count)
{
	union control_buffer control;
	struct iovec part = { .iov_base = (void *)message, .iov_len = message->header.size };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count > DESCRIPTORS_MAX)
		return -E2BIG;
	if (fd_count > 0) {
		memset(&control, 0, sizeof(control));
		packet.msg_control = control.bytes;
		packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
	}
	for (;;) {
		if (sendmsg(socket, &packet, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	}
}

/* Takes over every FD of a packet. False: something else came, or more than fits. */
static bool take_descriptors(struct msghdr *packet, struct descriptors *fds)
{
	bool sane = !(packet->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
			sane = false;
			continue;
		}
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			if (descriptors_add(fds, fd) < 0) {
				close(fd);
				sane = false;
			}
		}
	}
	return sane;
}

int wire_receive(int socket, union wire_message *message, struct descriptors *fds)
{
	union control_buffer control;
	struct iovec part = { .iov_base = message, .iov_len = sizeof(*message) };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t size;

	do
		size = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;

	bool sane = take_descriptors(&packet, fds);

	if (size == 0 && fds->count == 0)
		return 0;
	if (!sane || (packet.msg_flags & MSG_TRUNC) || !message_is_sane(message, (size_t)size, fds->count)) {
		descriptors_close(fds);
		return -EBADMSG;
	}
	return 1;
}

size_t wire_plan_chunk(union wire_message *message, uint64_t id, enum wire_plan_kind kind, uint64_t policy_digest,
		       const struct plan *plan, size_t first, const struct wire_enclosure *enclosure)
{
	size_t count = plan->count - first < WIRE_STEPS_MAX ? plan->count - first : WIRE_STEPS_MAX;

	memset(message, 0, offsetof(struct wire_plan, step));
	message->plan.policy_digest = policy_digest;
	message->plan.kind = kind;
	message->plan.total = (uint32_t)plan->count;
	message->plan.first = (uint32_t)first;
	message->plan.count = (uint32_t)count;
	message->plan.context = enclosure->context >= 0;
	message->plan.peer = enclosure->peer;
	message->plan.proof = enclosure->proof;
	message->plan.owner = enclosure->owner;
	if (count > 0)
		memcpy(message->plan.step, plan->step + first, count * sizeof(struct step));
	wire_stamp(message, WIRE_PLAN, id);
	return count;
}

size_t wire_enclosure_fds(const struct wire_enclosure *enclosure, int fds[static 2])
{
	size_t count = 0;

	if (enclosure->context >= 0)
		fds[count++] = enclosure->context;
	if (enclosure->peer > 0)
		fds[count++] = enclosure->peer_fd;
	return count;
}

int wire_send_plan(int socket, uint64_t id, enum wire_plan_kind kind, uint64_t policy_digest, const struct plan *plan,
		   const struct wire_enclosure *enclosure)
{
	size_t first = 0;

	do {
		union wire_message message;
		int fds[2], sent;
		size_t fd_count = first == 0 ? wire_enclosure_fds(enclosure, fds) : 0;
		size_t count = wire_plan_chunk(&message, id, kind, policy_digest, plan, first, enclosure);

		sent = wire_send(socket, &message, fds, fd_count);
		if (sent < 0)
			return sent;
		first += count;
	} while (first < plan->count);
	return 0;
}

static int inbox_begin(struct wire_plan_inbox *inbox, const struct wire_plan *chunk, struct descriptors *fds)
{
	size_t expected = (chunk->context ? 1u : 0u) + (chunk->peer > 0 ? 1u : 0u);
	size_t next = 0;

	if (chunk->first != 0 || fds->count != expected)
		return -EBADMSG;
	inbox->id = chunk->header.id;
	inbox->policy_digest = chunk->policy_digest;
	inbox->kind = chunk->kind;
	inbox->total = chunk->total;
	inbox->enclosure.peer = chunk->peer;
	inbox->enclosure.proof = (enum wire_proof)chunk->proof;
	inbox->enclosure.owner = chunk->owner;
	inbox->enclosure.context = chunk->context ? descriptors_take(fds, next++) : -1;
	inbox->enclosure.peer_fd = chunk->peer > 0 ? descriptors_take(fds, next) : -1;
	inbox->begun = true;
	return 0;
}

int wire_plan_inbox_add(struct wire_plan_inbox *inbox, const struct wire_plan *chunk, struct descriptors *fds)
{
	int error = 0;

	if (!inbox->begun)
		error = inbox_begin(inbox, chunk, fds);
	else if (fds->count > 0)
		error = -EBADMSG;
	descriptors_close(fds);
	if (error < 0)
		return error;
	if (chunk->header.id != inbox->id || chunk->total != inbox->total || chunk->kind != inbox->kind ||
	    chunk->first != inbox->plan.count)
		return -EBADMSG;
	for (uint32_t i = 0; i < chunk->count; i++) {
		error = plan_add(&inbox->plan, &chunk->step[i]);
		if (error < 0)
			return error;
	}
	return inbox->plan.count == inbox->total;
}

void wire_plan_inbox_done(struct wire_plan_inbox *inbox)
{
	if (inbox->begun) {
		descriptor_close(&inbox->enclosure.context);
		descriptor_close(&inbox->enclosure.peer_fd);
	}
	plan_done(&inbox->plan);
	memset(inbox, 0, sizeof(*inbox));
}
