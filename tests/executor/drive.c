/*
 * Drives an executor by hand: starts it as the broker does, and speaks the wire as lines on standard input say. For
 * looking at what an executor does on a real machine, and for scenarios of the VM rig that need more than the product
 * asks of it. It is no broker: it decides nothing, and makes the plans that it is told to.
 *
 *   topology                              all devices that were told
 *   survey DEVICE...                      their uses
 *   rule NAME UID                         by which rule, and for which user, claims are made from now on: "all" and 0
 * before claim NAME attached|open DEVICE... [/ LOCKOUT...] post NAME attached|open ...           the same, without
 * waiting for the result recall NAME attached|open DEVICE...   a claim of another run of this program, of devices that
 * had no driver release NAME    post-release NAME     its devices, as they were before the claim await NAME the result
 * of what was posted await-stuck NAME                      until its release hangs in the unbind: its VFIO node is
 * gone, and no result comes overdue NAME                          says that its plan passed the deadline close NAME its
 * device FDs; its context stays hide NAME                             its device FDs into a socket, where no process is
 * seen to have them show NAME                             closes what was hidden reset NAME require|try|skip what its
 * release demands reload                                the policy audit [NAME]                          who holds
 * what; NAME: its context is the claim of that name record KIND yes|no UID DEVICE...      in the audit log: done, or
 * not stop process PID RULE DEVICE...       which holds one of the devices stop unit UNIT RULE DEVICE... grab PATH
 * opens a disk for itself alone, and keeps it await-device DEVICE                   until it was told to be there
 *   await-gone DEVICE                     until it was told to be gone
 *   drain                                 events that are there
 *   clock                                 milliseconds since the last clock
 *   mark FILE                             makes an empty file, when all before is done
 *   quit
 */
#include "../../daemon/base/policy_files.h"
#include "../../daemon/base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { CLAIMS_MAX = 64, ANSWER_MSEC = 60000, LINE_WORDS_MAX = 80 };

struct driven_claim {
	char name[32];
	struct plan_owner owner;
	struct claim_device device[GROUP_MEMBERS_MAX];
	size_t count;
	enum delivery_mode mode;
	uint64_t plan; /* id of the plan under way; 0: none */
	bool releasing;
	int context;
	struct descriptors fds;
	int box[2]; /* a socket pair that hides FDs; -1: none */
};

static int wire = -1;
static uint64_t last_id, digest;
static struct topology *topology;
static struct driven_claim claims[CLAIMS_MAX];
static size_t claim_count;
static struct plan_owner owner = { .rule = "all" };
static enum vfio_interface interface;

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("drive: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	exit(EXIT_FAILURE);
}

static void say_device(const struct device *device)
{
	printf("%s %04x:%04x class %06x group %d driver %s override %s node %s%s%s\n", device->name,
	       device_pci(device)->vendor, device_pci(device)->device, device_pci(device)->class_code, device->group,
	       device->driver[0] ? device->driver : "-", device->driver_override[0] ? device->driver_override : "-",
	       device->vfio_node[0] ? device->vfio_node : "-", device_is_bridge(device) ? " bridge" : "",
	       device->driver_fixed ? " fixed" : "");
}

static void say_result(const char *what, const struct wire_result *result)
{
	const char *kind = step_kind_to_string((enum step_kind)result->kind);

	printf("%s: %s", what, wire_outcome_to_string((enum wire_outcome)result->outcome));
	if (kind)
		printf(" at step %u (%s of %s), errno %d", result->step, kind, result->device[0] ? result->device : "-",
		       result->error);
	if (result->pid)
		printf(", by %s[%d]", result->holder, result->pid);
	printf("%s%s\n", result->text[0] ? ": " : "", result->text);
}

static struct driven_claim *claim_of_plan(uint64_t id)
{
	for (size_t i = 0; i < claim_count; i++)
		if (claims[i].plan == id)
			return &claims[i];
	return NULL;
}

static void take_result(const struct wire_result *result, struct descriptors *fds)
{
	struct driven_claim *claim = claim_of_plan(result->header.id);
	size_t next = 0;

	if (!claim)
		die("a result of a plan that nobody sent");
	claim->plan = 0;
	say_result(claim->name, result);
	if (claim->releasing || result->outcome != WIRE_OUTCOME_DONE)
		return;
	if (result->contexts)
		claim->context = descriptors_take(fds, next++);
	while (next < fds->count)
		descriptors_add(&claim->fds, descriptors_take(fds, next++));
}

/* Takes one message, and notes or prints it. Returns its type. */
static enum wire_type hear(union wire_message *message)
{
	autoclose_list struct descriptors fds = { .count = 0 };
	struct pollfd readable = { .fd = wire, .events = POLLIN };
	int got;

	if (poll(&readable, 1, ANSWER_MSEC) != 1)
		die("the executor says nothing");
	got = wire_receive(wire, message, &fds);
	if (got <= 0)
		die("the executor is gone: %s", got < 0 ? strerror(-got) : "it closed the wire");
	switch (message->header.type) {
	case WIRE_HELLO:
		digest = message->hello.policy_digest;
		interface = (enum vfio_interface)kernel_interface(&message->hello.kernel);
		break;
	case WIRE_DEVICE:
		if (topology_put(topology, &message->device.device) < 0)
			die("out of memory");
		break;
	case WIRE_DEVICE_GONE:
		topology_remove(topology, message->device_gone.name);
		printf("gone: %s\n", message->device_gone.name);
		break;
	case WIRE_RESULT:
		take_result(&message->result, &fds);
		break;
	case WIRE_USE:
		printf("use: %s %s %s: %s\n", message->use.use.device,
		       use_kind_to_string((enum use_kind)message->use.use.kind),
		       severity_to_string((enum severity)message->use.use.severity), message->use.use.text);
		break;
	default:
		break;
	}
	return (enum wire_type)message->header.type;
}

static void send_message(union wire_message *message, enum wire_type type, uint64_t id)
{
	wire_stamp(message, type, id);
	if (wire_send(wire, message, NULL, 0) < 0)
		die("the executor is gone");
}

static void survey(char *const *word, size_t count)
{
	union wire_message message;

	memset(&message.survey, 0, sizeof(message.survey));
	for (size_t i = 0; i < count; i++)
		snprintf(message.survey.device[i], DEVICE_NAME_MAX, "%s", word[i]);
	message.survey.count = (uint32_t)count;
	send_message(&message, WIRE_SURVEY, ++last_id);
	while (hear(&message) != WIRE_SURVEY_DONE)
		;
	printf("survey: %s\n", message.survey_done.error ? strerror(message.survey_done.error) : "done");
}

static struct driven_claim *find_claim(const char *name)
{
	for (size_t i = 0; i < claim_count; i++)
		if (strcmp(claims[i].name, name) == 0)
			return &claims[i];
	die("there is no claim %s", name);
}

static void send_plan(struct driven_claim *claim, bool release)
{
	struct plan plan = { .count = 0 };
	const struct delivery delivery = { .mode = claim->mode, .interface = interface };
	const struct giving_back how = { .interface = interface };
	const struct wire_enclosure enclosure = { .context = release ? claim->context : -1,
						  .peer_fd = -1,
						  .owner = claim->owner };
	int error = release ? plan_for_release(&plan, claim->device, claim->count, &how)
			    : plan_for_claim(&plan, claim->device, claim->count, &delivery);

	if (error < 0)
		die("no plan can be made");
	claim->plan = ++last_id;
	claim->releasing = release;
	if (wire_send_plan(wire, claim->plan, release ? WIRE_PLAN_RELEASE : WIRE_PLAN_CLAIM, digest, &plan,
			   &enclosure) < 0)
		die("the executor is gone");
	if (release)
		descriptor_close(&claim->context);
	plan_done(&plan);
}

static void await(struct driven_claim *claim)
{
	union wire_message message;

	while (claim->plan)
		hear(&message);
}

/* "NAME MODE DEVICE... [/ LOCKOUT...]" */
static struct driven_claim *begin_claim(char *const *word, size_t count)
{
	struct driven_claim *claim = &claims[claim_count++];
	bool lockout = false;
	int mode = count > 2 ? delivery_mode_from_string(word[1]) : -EINVAL;

	if (mode < 0 || claim_count == CLAIMS_MAX)
		die("claim NAME attached|open DEVICE... [/ LOCKOUT...]");
	*claim = (struct driven_claim){ .mode = (enum delivery_mode)mode, .context = -1, .box = { -1, -1 } };
	snprintf(claim->name, sizeof(claim->name), "%s", word[0]);
	claim->owner = owner;
	/* The same name is the same claim, for another run of this program, too. */
	for (size_t i = 0; i < 16; i++)
		snprintf(claim->owner.claim + 2 * i, 3, "%02x", (unsigned char)claim->name[i]);
	for (size_t i = 2; i < count; i++) {
		const struct device *device = topology_find(topology, word[i]);
		struct claim_device *entry = &claim->device[claim->count];

		if (strcmp(word[i], "/") == 0) {
			lockout = true;
			continue;
		}
		*entry = (struct claim_device){ .lockout = lockout, .reset = RESET_TRY, .restore = true };
		if (device)
			entry->before = *device;
		else
			snprintf(entry->before.name, sizeof(entry->before.name), "%s", word[i]);
		claim->count++;
	}
	return claim;
}

static void recall(char *const *word, size_t count)
{
	struct driven_claim *claim = begin_claim(word, count);

	for (size_t i = 0; i < claim->count; i++)
		claim->device[i].before.driver[0] = claim->device[i].before.driver_override[0] =
			claim->device[i].before.vfio_node[0] = '\0';
}

static void hide(struct driven_claim *claim)
{
	struct msghdr packet = { .msg_iov = &(struct iovec){ .iov_base = (char[]){ 0 }, .iov_len = 1 },
				 .msg_iovlen = 1 };
	char control[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)] = "";
	struct cmsghdr *header = (struct cmsghdr *)control;

	packet.msg_control = control;
	packet.msg_controllen = CMSG_SPACE(sizeof(int) * claim->fds.count);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * claim->fds.count);
	memcpy(CMSG_DATA(header), claim->fds.fd, sizeof(int) * claim->fds.count);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, claim->box) < 0 ||
	    sendmsg(claim->box[0], &packet, 0) < 0)
		die("the FDs can't be hidden: %s", strerror(errno));
	descriptors_close(&claim->fds);
}

static void show_topology(void)
{
	size_t count;
	const struct device **device = topology_sorted(topology, &count);

	for (size_t i = 0; i < count; i++)
		say_device(device[i]);
	free(device);
}

static void drain(void)
{
	struct pollfd readable = { .fd = wire, .events = POLLIN };
	union wire_message message;

	while (poll(&readable, 1, 0) == 1)
		hear(&message);
}

/* Takes events until the device is there, or is not. */
static void await_device(const char *name, bool there)
{
	union wire_message message;

	while ((topology_find(topology, name) != NULL) != there)
		hear(&message);
}

static void reload(void)
{
	union wire_message message;

	send_message(&message, WIRE_RELOAD, ++last_id);
	while (hear(&message) != WIRE_POLICY)
		;
	digest = message.policy.policy_digest;
	printf("reload: %s\n", message.policy.error ? strerror(message.policy.error) : "done");
}

static void say_clock(void)
{
	static struct timespec before;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("clock: %.2f ms\n",
	       (double)(now.tv_sec - before.tv_sec) * 1e3 + (double)(now.tv_nsec - before.tv_nsec) / 1e6);
	before = now;
}

static void await_stuck(const struct driven_claim *claim)
{
	union wire_message message;
	const struct device *device;

	do {
		hear(&message);
		device = topology_find(topology, claim->device[0].before.name);
	} while (claim->plan && device && device->vfio_node[0]);
	if (!claim->plan)
		die("the release of %s does not hang", claim->name);
}

static void say_hold(const struct hold *hold)
{
	printf("hold: %s[%d] uid %u unit %s: %u %s %s device %s group %d claim %s%s\n", hold->command, hold->pid,
	       hold->uid, hold->unit[0] ? hold->unit : "-", hold->count,
	       hold_kind_to_string((enum hold_kind)hold->kind), hold->node[0] ? hold->node : "-",
	       hold->device[0] ? hold->device : "-", hold->group, hold->claim[0] ? hold->claim : "-",
	       hold->service ? " service" : "");
}

static void say_access(const struct node_access *access)
{
	printf("node: %s mode %04o owner %u:%u%s%s acl %s\n", access->node, access->mode, access->uid, access->gid,
	       access->everybody ? " everybody" : "", access->groups ? " groups" : "",
	       access->acl[0] ? access->acl : "-");
}

/* claim: NULL: none is told of. */
static void audit(const struct driven_claim *claim)
{
	union wire_message message;
	enum wire_type type;

	memset(&message.audit, 0, sizeof(message.audit));
	if (claim) {
		message.audit.count = 1;
		message.audit.context[0].fd = claim->context;
		snprintf(message.audit.context[0].claim, CLAIM_ID_MAX, "%s", claim->name);
	}
	send_message(&message, WIRE_AUDIT, ++last_id);
	while ((type = hear(&message)) != WIRE_AUDIT_DONE) {
		if (type == WIRE_HOLD)
			say_hold(&message.hold.hold);
		else if (type == WIRE_NODE_ACCESS)
			say_access(&message.node_access.access);
	}
	printf("audit: %s%s\n", message.audit_done.error ? strerror(message.audit_done.error) : "done",
	       message.audit_done.compared ? "" : ", contexts can't be compared");
}

/* "KIND yes|no UID DEVICE..." */
static void write_record(char *const *word, size_t count)
{
	union wire_message message;
	int kind = count > 2 ? record_kind_from_string(word[0]) : -EINVAL;

	if (kind < 0)
		die("record KIND yes|no UID DEVICE...");
	memset(&message.record, 0, sizeof(message.record));
	audit_record_begin(&message.record.record, (enum record_kind)kind, (uid_t)atoi(word[2]), getpid(),
			   "driven.service");
	for (size_t i = 3; i < count; i++)
		audit_record_add_device(&message.record.record, word[i], false);
	for (size_t i = 0; i < claim_count && count > 3; i++)
		if (strcmp(claims[i].device[0].before.name, word[3]) == 0 &&
		    claims[i].owner.subject.uid == message.record.record.uid)
			memcpy(message.record.record.claim, claims[i].owner.claim, CLAIM_ID_MAX);
	if (strcmp(word[1], "yes") == 0)
		audit_record_commit(&message.record.record);
	send_message(&message, WIRE_RECORD, ++last_id);
	while (hear(&message) != WIRE_RECORDED)
		;
	printf("record: %s\n", message.recorded.error ? strerror(message.recorded.error) : "done");
}

/* "process PID RULE DEVICE..." or "unit UNIT RULE DEVICE..." */
static void stop(char *const *word, size_t count)
{
	static const char *const outcome[] = { "gone", "refused", "unsupported", "stays", "failed" };
	union wire_message message;
	struct wire_stop *question = &message.stop;
	int what = count > 3 ? revoke_stop_from_string(word[0]) : -EINVAL, pidfd = -1;

	if (what < 0)
		die("stop process|unit WHO RULE DEVICE...");
	memset(question, 0, sizeof(*question));
	question->what = (uint32_t)what;
	if (what == REVOKE_STOP_PROCESS) {
		question->pid = atoi(word[1]);
		pidfd = pidfd_open(question->pid, 0);
	} else {
		snprintf(question->unit, sizeof(question->unit), "%s", word[1]);
	}
	snprintf(question->rule, sizeof(question->rule), "%s", word[2]);
	for (size_t i = 3; i < count; i++)
		snprintf(question->device[question->count++], DEVICE_NAME_MAX, "%s", word[i]);
	wire_stamp(&message, WIRE_STOP, ++last_id);
	if (wire_send(wire, &message, &pidfd, pidfd >= 0 ? 1 : 0) < 0)
		die("the executor is gone");
	descriptor_close(&pidfd);
	while (hear(&message) != WIRE_STOPPED)
		;
	printf("stop: %s%s%s\n", outcome[message.stopped.outcome], message.stopped.text[0] ? ": " : "",
	       message.stopped.text);
}

static void obey_about(struct driven_claim *claim, char *const *word, size_t count)
{
	union wire_message message;

	if (strcmp(word[0], "release") == 0 || strcmp(word[0], "post-release") == 0)
		send_plan(claim, true);
	if (strcmp(word[0], "release") == 0 || strcmp(word[0], "await") == 0)
		await(claim);
	if (strcmp(word[0], "await-stuck") == 0)
		await_stuck(claim);
	if (strcmp(word[0], "overdue") == 0)
		send_message(&message, WIRE_OVERDUE, claim->plan);
	if (strcmp(word[0], "close") == 0)
		descriptors_close(&claim->fds);
	if (strcmp(word[0], "hide") == 0)
		hide(claim);
	for (size_t i = 0; i < 2 && strcmp(word[0], "show") == 0; i++)
		descriptor_close(&claim->box[i]);
	for (size_t i = 0; i < claim->count && count == 3 && strcmp(word[0], "reset") == 0; i++)
		claim->device[i].reset = (uint32_t)reset_demand_from_string(word[2]);
}

/* False: the end. */
static bool obey(char *line)
{
	char *word[LINE_WORDS_MAX], *part;
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	while ((part = strsep(&line, " ")) && count < LINE_WORDS_MAX)
		if (*part)
			word[count++] = part;
	if (count == 0 || word[0][0] == '#')
		return true;
	if (strcmp(word[0], "quit") == 0)
		return false;
	if (strcmp(word[0], "topology") == 0)
		show_topology();
	else if (strcmp(word[0], "clock") == 0)
		say_clock();
	else if (strcmp(word[0], "drain") == 0)
		drain();
	else if (strcmp(word[0], "reload") == 0)
		reload();
	else if (strcmp(word[0], "audit") == 0)
		audit(count > 1 ? find_claim(word[1]) : NULL);
	else if (strcmp(word[0], "record") == 0)
		write_record(word + 1, count - 1);
	else if (strcmp(word[0], "stop") == 0)
		stop(word + 1, count - 1);
	else if (count < 2)
		die("what is \"%s\"?", word[0]);
	else if (strcmp(word[0], "rule") == 0 && count == 3) {
		snprintf(owner.rule, sizeof(owner.rule), "%s", word[1]);
		owner.subject.uid = (uid_t)atoi(word[2]);
	} else if (strcmp(word[0], "survey") == 0)
		survey(word + 1, count - 1);
	else if (strcmp(word[0], "await-device") == 0 || strcmp(word[0], "await-gone") == 0)
		await_device(word[1], strcmp(word[0], "await-device") == 0);
	else if (strcmp(word[0], "grab") == 0)
		printf("grab: %s\n", open(word[1], O_RDONLY | O_EXCL | O_CLOEXEC) < 0 ? strerror(errno) : "done");
	else if (strcmp(word[0], "recall") == 0)
		recall(word + 1, count - 1);
	else if (strcmp(word[0], "mark") == 0)
		close(open(word[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	else if (strcmp(word[0], "claim") == 0 || strcmp(word[0], "post") == 0) {
		struct driven_claim *claim = begin_claim(word + 1, count - 1);

		send_plan(claim, false);
		if (word[0][0] == 'c')
			await(claim);
	} else {
		obey_about(find_claim(word[1]), word, count);
	}
	return true;
}

static pid_t start(char **command)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("no socket");
	pid = fork();
	if (pid < 0)
		die("no process");
	if (pid == 0) {
		int spare = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);

		dup2(spare, WIRE_FD);
		execv(command[0], command);
		_exit(127);
	}
	close(pair[1]);
	wire = pair[0];
	return pid;
}

int main(int argc, char **argv)
{
	union wire_message message;
	char line[8192];
	int status;
	pid_t pid;

	if (argc < 2)
		die("drive EXECUTOR [ARGUMENT]... <COMMANDS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	topology = topology_new();
	if (!topology)
		die("out of memory");
	pid = start(argv + 1);
	while (hear(&message) != WIRE_TOPOLOGY_DONE)
		;
	while (fgets(line, sizeof(line), stdin) && obey(line))
		;
	for (size_t i = 0; i < claim_count; i++) {
		descriptors_close(&claims[i].fds);
		descriptor_close(&claims[i].context);
	}
	close(wire);
	topology_free(topology);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die("the executor ended badly");
	return WEXITSTATUS(status);
}
