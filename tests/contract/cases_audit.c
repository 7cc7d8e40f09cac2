#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const char rule[] = "test cards and their neighbours";

/* A process that has copies of these FDs of ours, and of no others of the claim's. */
struct child {
	pid_t pid;
	int pidfd;
};

/* stubborn: it does not listen to SIGTERM. */
static struct child start_child(struct claimed *claimed, bool context, bool devices, bool stubborn)
{
	struct child child;
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		bail_out("no pipe");
	fflush(stdout);
	child.pid = fork();
	if (child.pid < 0)
		bail_out("no process: %s", strerror(errno));
	if (child.pid == 0) {
		if (!context)
			descriptor_close(&claimed->context);
		if (!devices)
			claimed_close_devices(claimed);
		if (stubborn)
			signal(SIGTERM, SIG_IGN);
		/* Whoever started the tests may have it ignored: nohup. */
		signal(SIGHUP, SIG_DFL);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		bail_out("a process did not get ready");
	close(ready[0]);
	child.pidfd = pidfd_open(child.pid, 0);
	return child;
}

/* Ends it, if it has not ended yet; returns the signal that did. */
static int end_child(struct child *child)
{
	int status;

	kill(child->pid, SIGHUP);
	if (waitpid(child->pid, &status, 0) != child->pid)
		bail_out("waitpid: %s", strerror(errno));
	descriptor_close(&child->pidfd);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void note_holds(struct bench *bench, const char *when, const struct audited *audited, pid_t child)
{
	report_note("%s: error %d, contexts %s compared", when, audited->done.error,
		    audited->done.compared ? "were" : "can't be");
	for (size_t i = 0; i < audited->hold_count; i++) {
		const struct hold *hold = &audited->hold[i];

		/* What others have is theirs. */
		if (hold->pid != getpid() && hold->pid != child)
			continue;
		report_note("%s: %s has %u %s%s, device %s, group %s, claim %s", when,
			    hold->pid == child ? "the child"
			    : hold->service    ? "the service"
					       : "I",
			    hold->count, hold_kind_to_string((enum hold_kind)hold->kind),
			    hold->node[0] ? "" : " without a node", role_of(bench, hold->device),
			    hold->group >= 0 ? "known" : "none", hold->claim[0] ? hold->claim : "none");
		report_check(hold->uid == geteuid() && hold->command[0], "the process is not described: uid %u, '%s'",
			     hold->uid, hold->command);
	}
}

/* Whoever is on the other end of the wire is the service; others are told from their contexts. */
void case_audit(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct audited audited;
	struct child child;

	side_audit(&bench->side, -1, &audited);
	note_holds(bench, "nothing is claimed", &audited, 0);
	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	child = start_child(&claimed, true, true, false);
	side_audit(&bench->side, claimed.context, &audited);
	note_holds(bench, "with context and device", &audited, child.pid);
	end_child(&child);
	child = start_child(&claimed, false, true, false);
	side_audit(&bench->side, claimed.context, &audited);
	note_holds(bench, "with the device", &audited, child.pid);
	side_audit(&bench->side, -1, &audited);
	note_holds(bench, "without a word of the claim", &audited, child.pid);
	end_child(&child);
	/* A number that is another file's, or none. */
	side_audit(&bench->side, claimed.device_fd[0], &audited);
	note_holds(bench, "by another FD's number", &audited, 0);
	side_audit(&bench->side, 1000, &audited);
	note_holds(bench, "by no FD's number", &audited, 0);
	claimed_close_devices(&claimed);
	side_audit(&bench->side, claimed.context, &audited);
	note_holds(bench, "after the devices are closed", &audited, 0);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);
}

/* Some user that is not root: nobody logs in as this one. */
enum { SOMEBODY = 47110 };

static void note_nodes(struct bench *bench, const char *when, const struct audited *audited)
{
	unsigned cdevs = 0, groups = 0, others = 0;

	for (size_t i = 0; i < audited->access_count; i++) {
		const struct node_access *access = &audited->access[i];

		/* What the machine itself lets others open is no matter of the contract, and a container is nobody's
		 * loss. */
		if (access->user_count != 1 || access->user[0] != SOMEBODY || strcmp(access->node, "vfio/vfio") == 0)
			continue;
		report_check(strstr(access->acl, "user:47110:rw-") != NULL, "the ACL is '%s'", access->acl);
		if (access->device[0] && strcmp(role_of(bench, access->device), "alone") == 0)
			cdevs++;
		else if (access->group >= 0)
			groups++;
		else
			others++;
	}
	report_note("%s: somebody can open devices %u, groups %u, others %u", when, cdevs, groups, others);
}

void case_audit_of_nodes(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct audited audited;

	side_audit(&bench->side, -1, &audited);
	note_nodes(bench, "untouched", &audited);
	claimed_begin(bench, &claimed, asked, NULL);
	claimed.mode = MODE_NODE;
	claimed.uid = SOMEBODY;
	claim(bench, &claimed, "claim of the edu that is alone");
	side_audit(&bench->side, claimed.context, &audited);
	note_nodes(bench, "granted", &audited);
	claimed_end(&claimed);
	release(bench, &claimed, false, "release");
	side_audit(&bench->side, -1, &audited);
	note_nodes(bench, "released", &audited);
	check_untouched(bench);
}

void case_record(struct bench *bench)
{
	struct audit_record record;

	audit_record_begin(&record, RECORD_GRANT, 1000, getpid(), "a \"unit\" with=equals.service");
	audit_record_add_device(&record, bench->roles.edu, false);
	audit_record_add_device(&record, bench->roles.nic, true);
	report_note("a grant that failed: error %d", side_record(&bench->side, &record));
	audit_record_commit(&record);
	report_note("a grant: error %d", side_record(&bench->side, &record));
	for (int i = 0; i < AUDIT_RECORD_DEVICES_MAX; i++)
		audit_record_add_device(&record, bench->roles.nic, true);
	memset(record.text, 'x', sizeof(record.text) - 1);
	memset(record.rule, ' ', sizeof(record.rule) - 1);
	memset(record.unit, '"', sizeof(record.unit) - 1);
	report_note("one that is as long as can be: error %d", side_record(&bench->side, &record));
	audit_record_begin(&record, RECORD_POLICY_LOAD, 0, 0, "");
	audit_record_commit(&record);
	report_note("a policy that was read: error %d", side_record(&bench->side, &record));
}

static struct wire_stop stop_of_process(struct bench *bench, pid_t pid, const char *rule_name)
{
	struct wire_stop stop = { .what = REVOKE_STOP_PROCESS, .pid = pid, .count = 1 };

	snprintf(stop.rule, sizeof(stop.rule), "%s", rule_name);
	memcpy(stop.device[0], bench->roles.alone, DEVICE_NAME_MAX);
	return stop;
}

static void note_stop(const char *what, const struct wire_stopped *stopped)
{
	static const char *const outcomes[] = { "gone", "refused", "unsupported", "stays", "failed" };

	report_note("%s: %s, error %d", what, outcomes[stopped->outcome], stopped->error);
	report_check(stopped->outcome == WIRE_STOP_GONE || *stopped->text, "%s: nothing is said about why", what);
	if (*stopped->text)
		printf("# %s: %s\n", what, stopped->text);
}

void case_stop_process(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct wire_stopped stopped;
	struct wire_stop stop;
	struct child child;

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	child = start_child(&claimed, true, true, false);
	stop = stop_of_process(bench, child.pid, rule);
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("one that listens", &stopped);
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("the same again, which has ended", &stopped);
	report_note("it ended by %s", end_child(&child) == SIGTERM ? "SIGTERM" : "something else");
	child = start_child(&claimed, false, true, true);
	stop = stop_of_process(bench, child.pid, rule);
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("one that does not", &stopped);
	report_note("it ended by %s", end_child(&child) == SIGKILL ? "SIGKILL" : "something else");
	claimed_close_devices(&claimed);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);
}

void case_stop_refused(struct bench *bench)
{
	const char *asked[] = { bench->roles.alone, NULL };
	struct claimed claimed;
	struct wire_stopped stopped;
	struct wire_stop stop;
	struct child child, idle;

	claimed_begin(bench, &claimed, asked, NULL);
	claim(bench, &claimed, "claim of the edu that is alone");
	child = start_child(&claimed, true, true, false);
	idle = start_child(&claimed, false, false, false);
	stop = stop_of_process(bench, idle.pid, rule);
	stopped = side_stop_other(&bench->side, &stop, idle.pidfd);
	note_stop("one that holds nothing", &stopped);
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("one's number with another's pidfd", &stopped);
	stopped = side_stop_other(&bench->side, &stop, STDERR_FILENO);
	note_stop("a pidfd that is none", &stopped);
	stop = stop_of_process(bench, child.pid, rule);
	stopped = side_stop_other(&bench->side, &stop, -1);
	note_stop("no pidfd", &stopped);
	stop = stop_of_process(bench, child.pid, "a card that can be reset");
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("by a rule that stops nothing", &stopped);
	stop = stop_of_process(bench, child.pid, "no such rule");
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("by no rule", &stopped);
	stop = stop_of_process(bench, child.pid, rule);
	memcpy(stop.device[0], bench->roles.good, DEVICE_NAME_MAX);
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("for another rule's device", &stopped);
	strcpy(stop.device[0], "ffff:ff:1f.7");
	stopped = side_stop_other(&bench->side, &stop, child.pidfd);
	note_stop("for a device that is not there", &stopped);
	stop = stop_of_process(bench, 0, rule);
	stop.what = REVOKE_STOP_UNIT;
	strcpy(stop.unit, "nobody-is-in-it.service");
	stopped = side_stop_other(&bench->side, &stop, -1);
	note_stop("a unit that holds nothing", &stopped);
	strcpy(stop.unit, "init.scope");
	stopped = side_stop_other(&bench->side, &stop, -1);
	note_stop("a unit that is never stopped", &stopped);
	report_note("they ended by %s",
		    end_child(&child) == SIGHUP && end_child(&idle) == SIGHUP ? "SIGHUP, ours" : "something else");
	claimed_close_devices(&claimed);
	release(bench, &claimed, false, "release");
	claimed_end(&claimed);
	check_untouched(bench);
}
