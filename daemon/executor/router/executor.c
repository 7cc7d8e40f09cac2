#include "executor.h"

#include "../../../policy/util/text.h"
#include "../../base/clock.h"
#include "../../base/log.h"
#include "../../base/policy_files.h"
#include "binder_pool.h"
#include "../os/host_features.h"
#include "policy_snapshot.h"
#include "../../plans/plan_admit.h"
#include "audit_queue.h"
#include "stop_requests.h"
#include "survey_queue.h"
#include "watcher_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/*
 * How long running plans get when the broker is gone, and nobody keeps their deadlines any more; how long to wait for
 * FDs in flight to get fewer, for which there is no event; how often files are read again that change while they are
 * read; how long workers get to end that have been told to; how many messages of the broker's are taken in one turn of
 * the loop.
 */
enum { HEARD_AT_ONCE = 64, DRAIN_MSEC = 75000, EXHAUSTED_MSEC = 20, POLICY_TRIES = 3, WORKERS_END_MSEC = 2000 };

struct executor {
	const struct executor_options *options;
	struct host host;
	struct supervisor supervisor;
	struct watcher_link link;
	struct survey_queue queue;
	struct binder_pool pool;
	struct audit_queue audit_queue;
	struct stop_requests requests;
	struct wire_plan_inbox inbox;  /* the plan that is just being received */
	struct kernel_features kernel; /* as the broker was told */
	struct policy *policy;         /* in force */
	struct wire_refusal refusal;   /* of the files at the start, if its error is not 0 */
	int signals;
	bool ending; /* nothing new is taken on */
	bool failed;
	uint64_t deadline; /* CLOCK_MONOTONIC, milliseconds: while ending */
};

static void begin_end(struct executor *executor)
{
	if (executor->ending)
		return;
	executor->ending = true;
	executor->deadline = clock_milliseconds() + DRAIN_MSEC;
	binder_pool_cancel(&executor->pool);
}

/* Results have nobody to go to: their FDs are closed, and the next broker puts the rest back, by what was given so far.
 */
static void lose_broker(struct executor *executor)
{
	executor->supervisor.outbox.gone = true;
	given_claims_freeze(&executor->supervisor.given);
	begin_end(executor);
}

static void fail(struct executor *executor, const char *what, int error)
{
	log_error("%s: %s", what, strerror(error));
	executor->failed = true;
	begin_end(executor);
}

/*
 * Reads the policy files and makes the snapshot for the binders. 0, -EINVAL after logged lines, or other -errno; *told
 * is what the broker is to be told of it, but for the digest.
 */
static int read_policy(const struct executor *executor, struct policy **policy, int *snapshot,
		       struct wire_refusal *told)
{
	const struct executor_options *options = executor->options;
	int error = -EAGAIN;

	for (int i = 0; i < POLICY_TRIES && error == -EAGAIN; i++) {
		struct diagnostics diagnostics = { 0 };

		error = policy_files_load(options->policy_folder, options->policy_folder_count, &diagnostics, policy);
		policy_files_log(&diagnostics);
		wire_refusal_make(told, error, &diagnostics);
		diagnostics_done(&diagnostics);
		if (error == 0)
			error = policy_snapshot_make(*policy, snapshot);
		if (error < 0)
			*policy = policy_free(*policy);
	}
	told->error = -error;
	return error;
}

/* The policy to begin with: one that denies everything, if the files have errors. What was claimed can be put back
 * still. */
static int begin_policy(struct executor *executor)
{
	struct policy *policy = NULL;
	int error = read_policy(executor, &policy, &executor->supervisor.policy, &executor->refusal);

	if (error < 0) {
		struct diagnostics diagnostics = { 0 };

		log_error("the policy is not valid: until a reload finds a valid one, every claim is refused");
		error = policy_parse(NULL, 0, &(const struct name_resolver){ 0 }, &diagnostics, &policy);
		diagnostics_done(&diagnostics);
		if (error == 0)
			error = policy_snapshot_make(policy, &executor->supervisor.policy);
	}
	if (error < 0) {
		policy_free(policy);
		return error;
	}
	executor->policy = policy;
	return 0;
}

static void reload_policy(struct executor *executor, uint64_t id)
{
	struct policy *policy = NULL;
	union wire_message message;
	struct wire_refusal refusal;
	int snapshot = -1, error = read_policy(executor, &policy, &snapshot, &refusal);

	if (error == 0) {
		descriptor_close(&executor->supervisor.policy);
		executor->supervisor.policy = snapshot;
		policy_free(executor->policy);
		executor->policy = policy;
		binder_pool_renew(&executor->pool);
	}
	message.policy =
		(struct wire_policy){ .policy_digest = executor->policy->digest, .error = -error, .refusal = refusal };
	wire_stamp(&message, WIRE_POLICY, id);
	outbox_send(&executor->supervisor.outbox, &message, NULL);
}

static void say_hello(struct executor *executor)
{
	union wire_message message;

	memset(&message.hello, 0, sizeof(message.hello));
	message.hello.version = WIRE_VERSION;
	message.hello.policy_digest = executor->policy->digest;
	message.hello.refusal = executor->refusal;
	host_features_read(&executor->host, &executor->kernel);
	message.hello.kernel = executor->kernel;
	host_features_boot_id(&executor->host, message.hello.boot_id);
	wire_stamp(&message, WIRE_HELLO, 0);
	outbox_send(&executor->supervisor.outbox, &message, NULL);
}

/* Modules are loaded and parameters set at any time, without an event: a claim is decided on what is there now. */
static void tell_kernel(struct executor *executor)
{
	struct kernel_features now;
	union wire_message message;

	host_features_read(&executor->host, &now);
	if (memcmp(&now, &executor->kernel, sizeof(now)) == 0)
		return;
	executor->kernel = now;
	memset(&message.kernel, 0, sizeof(message.kernel));
	message.kernel.kernel = now;
	wire_stamp(&message, WIRE_KERNEL, 0);
	outbox_send(&executor->supervisor.outbox, &message, NULL);
}

static void on_proven(void *context, struct plan_job *job)
{
	struct executor *executor = context;

	if (executor->ending)
		plan_job_free(job);
	else
		binder_pool_run(&executor->pool, job);
}

/* True if the plan may go on to a worker; else why it may not. Whether the policy gives a claim is the binder's matter.
 */
static bool admit(struct executor *executor, char why[static TEXT_MAX])
{
	struct wire_plan_inbox *plan = &executor->inbox;

	/* Whatever policy says by now, what was given has to be put back. */
	if (plan->kind == WIRE_PLAN_CLAIM && !plan_admit_policy(plan->policy_digest, executor->policy, why))
		return false;
	return given_claims_admit(&executor->supervisor.given, executor->policy, &executor->kernel, plan, why);
}

static void answer_plan(struct executor *executor, enum wire_outcome outcome, const char *text)
{
	union wire_message message;

	plan_job_answer(&message, executor->inbox.id, outcome, text);
	outbox_send(&executor->supervisor.outbox, &message, NULL);
	wire_plan_inbox_done(&executor->inbox);
}

/* A plan is there as a whole. */
static void take_plan(struct executor *executor)
{
	struct plan_job *job = calloc(1, sizeof(*job));
	char why[TEXT_MAX] = "";

	if (!job || !admit(executor, why)) {
		answer_plan(executor, WIRE_OUTCOME_REFUSED, job ? why : "the executor is out of memory");
		free(job);
		return;
	}
	/* Nothing of it was ever given, and nothing is touched. */
	if (executor->inbox.kind == WIRE_PLAN_RELEASE && executor->inbox.plan.count == 0) {
		answer_plan(executor, WIRE_OUTCOME_DONE, "");
		free(job);
		return;
	}
	job->plan = executor->inbox;
	job->plan.enclosure.proof = WIRE_PROOF_NONE;
	memset(&executor->inbox, 0, sizeof(executor->inbox));
	if (job->plan.kind == WIRE_PLAN_RELEASE)
		survey_queue_prove(&executor->queue, job);
	else
		binder_pool_run(&executor->pool, job);
}

/* 0, or -errno: the wire is broken. */
static int hear(struct executor *executor, const union wire_message *message, struct descriptors *fds)
{
	int complete;

	switch ((enum wire_type)message->header.type) {
	case WIRE_SURVEY:
		tell_kernel(executor);
		survey_queue_ask(&executor->queue, &message->survey);
		return 0;
	case WIRE_PLAN:
		complete = wire_plan_inbox_add(&executor->inbox, &message->plan, fds);
		if (complete > 0)
			take_plan(executor);
		return complete < 0 ? complete : 0;
	case WIRE_OVERDUE:
		if (!survey_queue_overdue(&executor->queue, message->header.id))
			binder_pool_overdue(&executor->pool, message->header.id);
		return 0;
	case WIRE_RELOAD:
		reload_policy(executor, message->header.id);
		return 0;
	case WIRE_AUDIT:
		survey_queue_audit(&executor->queue, &message->audit);
		return 0;
	case WIRE_RECORD:
		audit_queue_ask(&executor->audit_queue, &message->record);
		return 0;
	case WIRE_STOP:
		stop_requests_ask(&executor->requests, &message->stop, fds);
		return 0;
	case WIRE_HELLO:
	case WIRE_DEVICE:
	case WIRE_DEVICE_GONE:
	case WIRE_TOPOLOGY_DONE:
	case WIRE_USE:
	case WIRE_SURVEY_DONE:
	case WIRE_RESULT:
	case WIRE_POLICY:
	case WIRE_KERNEL:
	case WIRE_NODE:
	case WIRE_NODE_STEP:
	case WIRE_HOLD:
	case WIRE_NODE_ACCESS:
	case WIRE_AUDIT_DONE:
	case WIRE_RECORDED:
	case WIRE_STOPPED:
	default:
		return -EBADMSG; /* what only an executor says */
	}
}

static void hear_broker(struct executor *executor)
{
	/* Not for ever: workers and signals want their turn, too. */
	for (int i = 0; i < HEARD_AT_ONCE && !executor->ending && outbox_is_empty(&executor->supervisor.outbox); i++) {
		autoclose_list struct descriptors fds = { .count = 0 };
		union wire_message message;
		int got = wire_receive(executor->options->wire, &message, &fds);

		if (got == -EAGAIN)
			return;
		if (got == 0 || got == -ECONNRESET) {
			lose_broker(executor);
			return;
		}
		if (got > 0)
			got = hear(executor, &message, &fds);
		if (got < 0) {
			lose_broker(executor);
			fail(executor, "the broker violated the wire protocol", -got);
		}
	}
}

/* Returns true if there are workers yet. */
static bool reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			log_error("worker [%d] was ended by signal %d", pid, WTERMSIG(status));
	return pid == 0;
}

static void hear_signals(struct executor *executor)
{
	struct signalfd_siginfo info;

	while (read(executor->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			begin_end(executor);
	reap();
}

/*
 * Until all workers have ended that were told to: what is left when this process ends, the service manager kills, and
 * says so. One that hangs in the kernel is not waited for much longer.
 */
static void see_workers_end(struct executor *executor)
{
	uint64_t deadline = clock_milliseconds() + WORKERS_END_MSEC, now;
	struct pollfd signals = { .fd = executor->signals, .events = POLLIN };

	while (reap() && (now = clock_milliseconds()) < deadline)
		if (poll(&signals, 1, (int)(deadline - now)) > 0)
			hear_signals(executor);
}

/* Who is looked at in one turn of the loop. */
enum { TURN_SIGNALS, TURN_BROKER, TURN_WATCHER, TURN_SURVEYOR, TURN_RECORDER, TURN_STOPPERS };
enum { TURN_BINDERS = TURN_STOPPERS + STOPS_MAX, TURN_MAX = TURN_BINDERS + BINDER_SLOTS };
struct turn {
	struct pollfd fd[TURN_MAX];
	int slot[TURN_MAX]; /* of a binder's; -1: another's */
	nfds_t count;
};

static void add_to_turn(struct turn *turn, int fd, short events, int slot)
{
	turn->fd[turn->count] = (struct pollfd){ .fd = fd, .events = events };
	turn->slot[turn->count++] = slot;
}

static void plan_turn(const struct executor *executor, struct turn *turn)
{
	const struct outbox *outbox = &executor->supervisor.outbox;
	/* While something waits for the broker, nobody who could have more for it is listened to. */
	bool listens = outbox_is_empty(outbox);
	int broker = outbox->gone || (listens && executor->ending) || outbox->exhausted ? -1 : executor->options->wire;

	turn->count = 0;
	add_to_turn(turn, executor->signals, POLLIN, -1);
	add_to_turn(turn, broker, listens ? POLLIN : POLLOUT, -1);
	add_to_turn(turn, listens ? executor->link.worker.socket : -1, POLLIN, -1);
	add_to_turn(turn, listens ? executor->queue.worker.socket : -1, POLLIN, -1);
	add_to_turn(turn, listens ? executor->audit_queue.worker.socket : -1,
		    audit_queue_wants_to_write(&executor->audit_queue) ? POLLIN | POLLOUT : POLLIN, -1);
	for (size_t i = 0; i < STOPS_MAX; i++)
		add_to_turn(turn, listens ? stop_requests_socket(&executor->requests, i) : -1, POLLIN, -1);
	for (int i = 0; i < BINDER_SLOTS && listens; i++)
		if (executor->pool.worker[i].socket >= 0)
			add_to_turn(turn, executor->pool.worker[i].socket,
				    binder_pool_wants_to_write(&executor->pool, i) ? POLLIN | POLLOUT : POLLIN, i);
}

static void take_turn(struct executor *executor, const struct turn *turn)
{
	if (turn->fd[TURN_SIGNALS].revents)
		hear_signals(executor);
	if (!outbox_is_empty(&executor->supervisor.outbox)) {
		outbox_flush(&executor->supervisor.outbox);
		return;
	}
	if (turn->fd[TURN_WATCHER].revents)
		watcher_link_readable(&executor->link);
	if (turn->fd[TURN_SURVEYOR].revents)
		survey_queue_readable(&executor->queue);
	if (turn->fd[TURN_RECORDER].revents & ~POLLOUT)
		audit_queue_readable(&executor->audit_queue);
	else if (turn->fd[TURN_RECORDER].revents & POLLOUT)
		audit_queue_writable(&executor->audit_queue);
	for (size_t i = 0; i < STOPS_MAX; i++)
		if (turn->fd[TURN_STOPPERS + i].revents)
			stop_requests_readable(&executor->requests, i);
	for (nfds_t i = TURN_BINDERS; i < turn->count; i++) {
		/* Not one that was started in its slot in this turn. */
		if (turn->fd[i].fd != executor->pool.worker[turn->slot[i]].socket)
			continue;
		if (turn->fd[i].revents & POLLOUT)
			binder_pool_writable(&executor->pool, turn->slot[i]);
		if (turn->fd[i].revents & ~POLLOUT)
			binder_pool_readable(&executor->pool, turn->slot[i]);
	}
	/* Then the first plan finds its workers warm. */
	if (executor->queue.worker.ready && binder_pool_is_warm(&executor->pool))
		watcher_link_complete(&executor->link);
	if (turn->fd[TURN_BROKER].revents)
		hear_broker(executor);
	if (executor->supervisor.hopeless)
		fail(executor, "the executor cannot work", ECHILD);
}

/* Milliseconds for poll(), -1: for ever. */
static int time_left(const struct executor *executor)
{
	uint64_t now = clock_milliseconds();

	if (executor->supervisor.outbox.exhausted)
		return EXHAUSTED_MSEC;
	if (!executor->ending)
		return -1;
	return now >= executor->deadline ? 0 : (int)(executor->deadline - now);
}

static bool is_over(const struct executor *executor)
{
	if (!executor->ending)
		return false;
	if (clock_milliseconds() >= executor->deadline)
		return true;
	return executor->supervisor.hopeless ||
	       (!binder_pool_is_busy(&executor->pool) && audit_queue_is_idle(&executor->audit_queue) &&
		outbox_is_empty(&executor->supervisor.outbox));
}

static void loop(struct executor *executor)
{
	while (!is_over(executor)) {
		struct turn turn;

		plan_turn(executor, &turn);
		if (poll(turn.fd, turn.count, time_left(executor)) < 0) {
			if (errno == EINTR)
				continue;
			fail(executor, "poll", errno);
			return;
		}
		take_turn(executor, &turn);
		/* Seen at a send: the wire is not looked at any more, so nothing else would tell. */
		if (executor->supervisor.outbox.gone)
			lose_broker(executor);
	}
}

static int prepare(struct executor *executor)
{
	sigset_t watched;
	int error = host_open(&executor->host, "");

	if (error < 0)
		return error;
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	if (sigprocmask(SIG_BLOCK, &watched, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGHUP, SIG_IGN) == SIG_ERR)
		return -errno;
	executor->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (executor->signals < 0 || fcntl(executor->options->wire, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	error = begin_policy(executor);
	return error < 0 ? error
			 : given_claims_start(&executor->supervisor.given, &executor->host,
					      executor->options->runtime_folder);
}

/* The process at the other end of the wire, as the kernel says; 0: it does not. */
static pid_t broker_of(int wire)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	return getsockopt(wire, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 ? credentials.pid : 0;
}

int executor_main(const struct executor_options *options)
{
	struct executor executor = {
		.options = options,
		.host = { -1, -1, -1 },
		.supervisor = { .outbox = { .socket = options->wire }, .program = options->program, .policy = -1 },
		.signals = -1,
	};
	int error = prepare(&executor);

	if (error < 0) {
		log_error("the executor failed to start: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	say_hello(&executor);
	error = binder_pool_start(&executor.pool, &executor.supervisor, &executor.host);
	if (error == 0)
		error = survey_queue_start(&executor.queue, &executor.supervisor, &executor.host, on_proven, &executor);
	if (error == 0)
		error = watcher_link_start(&executor.link, &executor.supervisor, &executor.pool);
	if (error < 0)
		return EXIT_FAILURE;
	executor.queue.broker = broker_of(options->wire);
	audit_queue_start(&executor.audit_queue, &executor.supervisor, &executor.pool.done_plans);
	stop_requests_start(&executor.requests, &executor.supervisor, &executor.queue, &executor.host);
	loop(&executor);
	survey_queue_end(&executor.queue);
	stop_requests_end(&executor.requests);
	audit_queue_end(&executor.audit_queue);
	binder_pool_end(&executor.pool);
	watcher_link_end(&executor.link);
	see_workers_end(&executor);
	outbox_done(&executor.supervisor.outbox);
	wire_plan_inbox_done(&executor.inbox);
	given_claims_end(&executor.supervisor.given);
	policy_free(executor.policy);
	descriptor_close(&executor.supervisor.policy);
	descriptor_close(&executor.signals);
	host_close(&executor.host);
	return executor.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
