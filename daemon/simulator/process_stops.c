#include "process_stops.h"

#include "stand_in_holders.h"
#include "simulated_kernel.h"

#include "../../policy/check/stop_check.h"
#include "../../policy/util/text.h"
#include "../base/peer_subject.h"
#include "../plans/plan_admit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>

/* A process whose end is waited for. */
struct target {
	struct watch watch; /* its pidfd. First, so that a watch's address is its target's */
	struct stop *stop;
	bool gone;
};

struct stop {
	TAILQ_ENTRY(stop) link; // stops::list
	struct stops *stops;
	struct timer timer;
	struct wire_stop question;
	stop_done done;
	void *context;
	struct target *target;
	size_t count, left;
	bool killed;
};

struct stops {
	struct machine *machine;
	TAILQ_HEAD(, stop) list;
};

/* What is found out about who holds the devices. */
struct finding {
	const struct stop *stop;
	bool holds;
};

static void stop_free(struct stop *stop)
{
	struct loop *loop = stop->stops->machine->loop;

	loop_clear_timer(loop, &stop->timer);
	for (size_t i = 0; i < stop->count; i++) {
		if (!stop->target[i].gone)
			loop_remove(loop, &stop->target[i].watch);
		descriptor_close(&stop->target[i].watch.fd);
	}
	TAILQ_REMOVE(&stop->stops->list, stop, link);
	free(stop->target);
	free(stop);
}

/* Answers, and frees the stop. */
static void conclude(struct stop *stop, enum wire_stop_outcome outcome, int error, const char *text)
{
	union wire_message message;

	memset(&message.stopped, 0, sizeof(message.stopped));
	message.stopped.outcome = outcome;
	message.stopped.error = error;
	text_format(message.stopped.text, sizeof(message.stopped.text), "%s", text);
	wire_stamp(&message, WIRE_STOPPED, stop->question.header.id);
	stop->done(stop->context, &message);
	stop_free(stop);
}

static void signal_all(const struct stop *stop, int number)
{
	for (size_t i = 0; i < stop->count; i++)
		if (!stop->target[i].gone)
			pidfd_send_signal(stop->target[i].watch.fd, number, NULL, 0);
}

static void on_ended(struct watch *watch, uint32_t events)
{
	struct target *target = (struct target *)watch;
	struct stop *stop = target->stop;

	target->gone = true;
	loop_remove(stop->stops->machine->loop, watch);
	if (--stop->left == 0)
		conclude(stop, WIRE_STOP_GONE, 0, "");
}

static void on_late(struct timer *timer)
{
	struct stop *stop = (struct stop *)((char *)timer - offsetof(struct stop, timer));

	if (stop->killed) {
		conclude(stop, WIRE_STOP_STAYS, ETIMEDOUT, "the killed process still exists: it hangs in the kernel");
		return;
	}
	stop->killed = true;
	signal_all(stop, SIGKILL);
	loop_set_timer(stop->stops->machine->loop, &stop->timer, WIRE_STOP_KILL_MSEC);
}

static int on_holder(void *context, const struct holder *holder)
{
	struct finding *finding = context;
	const struct wire_stop *question = &finding->stop->question;
	char unit[UNIT_NAME_MAX];

	if (question->what == REVOKE_STOP_PROCESS)
		finding->holds = holder->pid == question->pid;
	else
		finding->holds = strcmp(units_find(&finding->stop->stops->machine->units, holder->pid, false, unit),
					question->unit) == 0;
	return finding->holds;
}

/* True for a process that has ended by itself. */
static bool has_ended(int pidfd)
{
	struct pollfd state = { .fd = pidfd, .events = POLLIN };
	pid_t pid = peer_process_of(pidfd);

	return pid == -1 || (pid > 0 && poll(&state, 1, 0) > 0);
}

static bool holds(struct stop *stop, char why[static TEXT_MAX])
{
	struct finding finding = { .stop = stop };

	kernel_hear_of_closes(stop->stops->machine);
	for (uint32_t i = 0; i < stop->question.count && !finding.holds; i++) {
		struct simulated_device *device = machine_find(stop->stops->machine, stop->question.device[i]);

		if (device && kernel_is_within_reach(device))
			holders_find(device, on_holder, &finding);
	}
	if (!finding.holds && stop->question.what == REVOKE_STOP_PROCESS)
		text_format(why, TEXT_MAX, "the process [%d] holds none of the devices", stop->question.pid);
	else if (!finding.holds)
		text_format(why, TEXT_MAX, "no process of %s holds any of the devices", stop->question.unit);
	return finding.holds;
}

/* True for a process that nobody may stop, whatever it holds, or that is not the one that the pidfd is of. */
static bool is_kept(const struct wire_stop *question, pid_t broker, int pidfd)
{
	return question->what == REVOKE_STOP_PROCESS &&
	       (question->pid == 1 || question->pid == broker || question->pid == getpid() ||
		peer_process_of(pidfd) != question->pid);
}

static bool may_stop(struct stop *stop, const struct policy *policy, pid_t broker, int pidfd, char why[static TEXT_MAX])
{
	const struct wire_stop *question = &stop->question;
	const struct machine *machine = stop->stops->machine;
	struct device *device = calloc(question->count, sizeof(*device));
	size_t count = 0;
	bool may;

	for (uint32_t i = 0; device && i < question->count; i++) {
		const struct simulated_device *found = machine_find(machine, question->device[i]);

		if (found)
			device[count++] = found->now;
	}
	may = plan_admit_stop(question, machine->given, is_kept(question, broker, pidfd), count, why) &&
	      stop_is_covered(policy, machine->topology, question->rule, (enum revoke_stop)question->what, device,
			      count, why);
	free(device);
	return may && holds(stop, why);
}

/* Takes the pidfd over. 0 or -errno. */
static int add_target(struct stop *stop, int pidfd)
{
	struct target *target = &stop->target[stop->count];
	int error;

	target->stop = stop;
	target->watch = (struct watch){ .fd = pidfd, .ready = on_ended };
	error = loop_add(stop->stops->machine->loop, &target->watch, EPOLLIN);
	if (error < 0) {
		close(pidfd);
		return error;
	}
	stop->count++;
	stop->left++;
	return 0;
}

/* Finds whom to end. 0; -errno. */
static int gather(struct stop *stop, int *pidfd)
{
	const struct units *units = &stop->stops->machine->units;
	int error = 0;

	stop->target = calloc(units->count + 1, sizeof(*stop->target));
	if (!stop->target)
		return -ENOMEM;
	if (stop->question.what == REVOKE_STOP_PROCESS)
		return add_target(stop, descriptor_take(pidfd));
	for (size_t i = 0; i < units->count && error == 0; i++) {
		int fd = strcmp(units->member[i].unit, stop->question.unit) == 0 ? pidfd_open(units->member[i].pid, 0)
										 : -1;

		if (fd >= 0)
			error = add_target(stop, fd);
	}
	return error;
}

static void begin(struct stop *stop, int *pidfd)
{
	int error;

	if (stop->question.what == REVOKE_STOP_UNIT && stop->stops->machine->units.count == 0) {
		char text[TEXT_MAX];

		text_format(
			text, sizeof(text),
			"cannot stop %s: this host does not run systemd. With \"stop\": \"process\" the rule allows "
			"stopping single processes",
			stop->question.unit);
		conclude(stop, WIRE_STOP_UNSUPPORTED, EOPNOTSUPP, text);
		return;
	}
	error = gather(stop, pidfd);
	if (error < 0) {
		conclude(stop, WIRE_STOP_FAILED, -error, strerror(-error));
	} else if (stop->left == 0) {
		conclude(stop, WIRE_STOP_GONE, 0, "");
	} else {
		signal_all(stop, SIGTERM);
		signal_all(stop, SIGCONT);
		loop_set_timer(stop->stops->machine->loop, &stop->timer, WIRE_STOP_END_MSEC);
	}
}

int stops_new(struct machine *machine, struct stops **out)
{
	struct stops *stops = calloc(1, sizeof(*stops));

	if (!stops)
		return -ENOMEM;
	stops->machine = machine;
	TAILQ_INIT(&stops->list);
	*out = stops;
	return 0;
}

struct stops *stops_free(struct stops *stops)
{
	if (!stops)
		return NULL;
	while (!TAILQ_EMPTY(&stops->list))
		stop_free(TAILQ_FIRST(&stops->list));
	free(stops);
	return NULL;
}

void stops_begin(struct stops *stops, const struct wire_stop *question, const struct policy *policy, pid_t broker,
		 struct descriptors *fds, stop_done done, void *context)
{
	bool process = question->what == REVOKE_STOP_PROCESS;
	struct stop *stop = calloc(1, sizeof(*stop));
	autoclose int pidfd = process && fds->count == 1 ? descriptors_take(fds, 0) : -1;
	char why[TEXT_MAX] = "";

	descriptors_close(fds);
	if (!stop)
		return;
	memcpy(&stop->question, question, question->header.size);
	stop->stops = stops;
	stop->done = done;
	stop->context = context;
	stop->timer.expired = on_late;
	TAILQ_INSERT_TAIL(&stops->list, stop, link);
	if (process && pidfd < 0)
		conclude(stop, WIRE_STOP_FAILED, EAGAIN,
			 "too many stops are under way, or the process's pidfd is missing");
	else if (process && has_ended(pidfd))
		conclude(stop, WIRE_STOP_GONE, 0, "");
	else if (!may_stop(stop, policy, broker, pidfd, why))
		conclude(stop, WIRE_STOP_REFUSED, EPERM, why);
	else
		begin(stop, &pidfd);
}
