/*
 * ioasidd: the broker. Talks to clients, decides, and keeps the state; has no privilege of its own.
 */
#include "faces/bus/bus_face.h"
#include "observers/metrics_report.h"
#include "start.h"
#include "faces/varlink/varlink_server.h"

#include "../../policy/rules/reserve.h"
#include "../base/journald.h"
#include "../base/log.h"
#include "../base/policy_files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* As EX_TEMPFAIL: nothing is wrong with this program, and its next start finds another executor. ioasidd(8) documents
 * it. */
enum { EXIT_EXECUTOR_GONE = 75 };

struct broker {
	sd_event *event;
	const struct options *options;
	struct arbiter *arbiter;
	struct varlink_server *server;
	struct fdstore *store;
	int listener;               /* -1: the service manager passed none */
	struct bus_connection *bus; /* NULL: no bus is wanted */
	struct bus_face *bus_face;
	struct journal_log *journal_log;
	struct kernel_audit *kernel_audit;
	struct metrics *metrics;
	struct metrics_sources sources;
};

static void on_ready(void *context, int error)
{
	struct broker *broker = context;
	char path[4096];

	if (error < 0) {
		sd_event_exit(broker->event, EXIT_FAILURE);
		return;
	}
	snprintf(path, sizeof(path), "%s/org.ioasid1", broker->options->runtime_folder);
	if (broker->listener >= 0)
		error = varlink_server_new_from_fd(broker->event, broker->listener, broker->arbiter, &broker->sources,
						   &broker->server);
	else
		error = varlink_server_new(broker->event, path, broker->arbiter, &broker->sources, &broker->server);
	if (error < 0) {
		sd_event_exit(broker->event, EXIT_FAILURE);
		return;
	}
	if (broker->bus && bus_face_new(broker->event, broker->bus, broker->arbiter, &broker->bus_face) < 0)
		log_error("cannot offer org.ioasid1 on the bus: out of memory; continuing with the socket");
	log_notice("ready, listening on %s", path);
	sd_notify(0, "READY=1");
}

static void on_lost(void *context, int error)
{
	struct broker *broker = context;

	log_error("lost the executor%s%s: exiting; the next start recovers what was under way", error ? ": " : "",
		  error ? strerror(-error) : "");
	sd_event_exit(broker->event, EXIT_EXECUTOR_GONE);
}

static const struct arbiter_events events = { .ready = on_ready, .lost = on_lost };

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct broker *broker = context;

	sd_notify(0, "RELOADING=1");
	arbiter_reload(broker->arbiter);
	sd_notify(0, "READY=1");
	return 0;
}

static int add_signals(struct broker *broker)
{
	static const int ends[] = { SIGTERM, SIGINT };
	sigset_t blocked;
	int error;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		/* Without a handler sd-event ends the loop, with status 0. */
		error = sd_event_add_signal(broker->event, NULL, ends[i], NULL, NULL);
		if (error < 0)
			return error;
	}
	return sd_event_add_signal(broker->event, NULL, SIGHUP, on_reload, broker);
}

/* Where records go; NULL: to standard error. */
static const char *journal_of(const struct options *options)
{
	if (options->claim_files)
		return options->claim_files;
	return journald_has_stderr() ? JOURNALD_SOCKET : NULL;
}

/* Those who write down and count what happens. */
static int add_listeners(struct broker *broker)
{
	int error = journal_log_new(broker->arbiter, journal_of(broker->options), &broker->journal_log);

	if (error >= 0)
		error = kernel_audit_new(broker->arbiter, &broker->kernel_audit);
	if (error >= 0)
		error = metrics_new(broker->event, broker->arbiter, &broker->metrics);
	broker->sources = (struct metrics_sources){ .arbiter = broker->arbiter,
						    .metrics = broker->metrics,
						    .journal_log = broker->journal_log,
						    .kernel_audit = broker->kernel_audit };
	return error;
}

static int run(struct broker *broker, int executor)
{
	const struct options *options = broker->options;
	struct arbiter_settings settings = {
		.policy_folder = options->policy_folder,
		.policy_folder_count = options->policy_folder_count,
		.runtime_folder = options->runtime_folder,
		.plan_deadline_usec = options->plan_deadline_usec,
		.store = broker->store,
	};
	int status = sd_event_default(&broker->event);

	if (status >= 0)
		status = add_signals(broker);
	if (status >= 0)
		status = sd_event_set_watchdog(broker->event, true);
	if (status >= 0 && !options->no_bus)
		status = bus_connection_new(broker->event, &broker->bus);
	settings.bus = broker->bus;
	if (status >= 0)
		status = arbiter_new(broker->event, executor, &settings, &events, broker, &broker->arbiter);
	if (status < 0)
		close(executor);
	else
		status = add_listeners(broker);
	if (status < 0) {
		log_error("failed to start: %s", strerror(-status));
	} else {
		status = sd_event_loop(broker->event);
	}
	/* Before anybody is let go: that a connection ends now says nothing of its client. */
	arbiter_end(broker->arbiter);
	sd_notify(0, "STOPPING=1");
	bus_face_free(broker->bus_face);
	varlink_server_free(broker->server);
	journal_log_free(broker->journal_log);
	kernel_audit_free(broker->kernel_audit);
	metrics_free(broker->metrics);
	arbiter_free(broker->arbiter);
	bus_connection_free(broker->bus);
	sd_event_unref(broker->event);
	return status;
}

/* What is reserved, for udev: nothing else is started. */
static int print_udev_rules(const struct options *options)
{
	struct diagnostics diagnostics = { 0 };
	struct policy *policy = NULL;
	char *rules = NULL;
	int error =
		policy_files_load_unnamed(options->policy_folder, options->policy_folder_count, &diagnostics, &policy);

	if (error == 0)
		error = reserve_to_udev(policy, &diagnostics, &rules);
	policy_files_log(&diagnostics);
	if (error == 0 && (fputs(rules, stdout) < 0 || fflush(stdout) != 0))
		error = -EIO;
	if (error < 0)
		log_error("no udev rules were written: %s", strerror(-error));
	diagnostics_done(&diagnostics);
	policy_free(policy);
	free(rules);
	return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **argument)
{
	struct options options;
	struct start_user user = { .uid = geteuid(), .gid = getegid() };
	struct broker broker = { .options = &options };
	int executor, status;

	log_start("ioasidd");
	signal(SIGPIPE, SIG_IGN);
	switch (options_parse(count, argument, &options)) {
	case OPTIONS_EXIT:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	if (options.print_udev_rules)
		return print_udev_rules(&options);
	if (fdstore_new(&broker.store) < 0) {
		log_error("failed to take over the descriptors passed by the service manager");
		return EXIT_FAILURE;
	}
	broker.listener = fdstore_take_listener(broker.store, "varlink");
	if (geteuid() == 0 && start_find_user(options.user, &user) < 0)
		return EXIT_FAILURE;
	if (start_runtime_folder(options.runtime_folder, &user) < 0)
		return EXIT_FAILURE;
	executor = start_executor(&options);
	if (executor < 0)
		return EXIT_FAILURE;
	if (start_drop_privileges(&user) < 0)
		return EXIT_FAILURE;
	status = run(&broker, executor);
	fdstore_free(broker.store);
	return status == EXIT_EXECUTOR_GONE ? status : status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
