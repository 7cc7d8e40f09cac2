#include "simulator.h"

#include "control.h"
#include "host_file.h"
#include "simulated_kernel.h"
#include "broker_session.h"

#include "../base/log.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A broker that is served. */
struct broker {
	TAILQ_ENTRY(broker) link; // simulator::brokers, or simulator::over
	struct simulator *simulator;
	struct session *session;
	struct control_client *client; /* that has passed its wire, or NULL */
	bool over;
};

struct simulator {
	struct loop *loop;
	struct machine *machine;
	struct faults faults;
	struct runs *runs;
	struct control *control;
	TAILQ_HEAD(, broker) brokers;
	struct timer turn; /* looks at what has ended when the loop comes round */
	bool ends_with_broker;
	int error;
};

static void on_session_ended(void *context, struct session *session, int error)
{
	struct broker *broker = context;
	struct simulator *simulator = broker->simulator;

	broker->over = true;
	if (error < 0 && simulator->ends_with_broker)
		simulator->error = error;
	loop_set_timer(simulator->loop, &simulator->turn, 0);
}

static void on_detached(void *context, struct control_client *client)
{
	struct simulator *simulator = context;
	struct broker *broker;

	TAILQ_FOREACH(broker, &simulator->brokers, link)
	if (broker->client == client) {
		broker->client = NULL;
		broker->over = true;
	}
	loop_set_timer(simulator->loop, &simulator->turn, 0);
}

static void on_stop(void *context)
{
	struct simulator *simulator = context;

	loop_stop(simulator->loop);
}

/* What the simulator was started for has ended, once its plans are through. */
static void end_if_idle(struct simulator *simulator)
{
	if (!simulator->ends_with_broker || !TAILQ_EMPTY(&simulator->brokers))
		return;
	if (plan_runs_count(simulator->runs) == runs_hung(simulator->runs))
		loop_stop(simulator->loop);
}

static void on_runs_changed(void *context)
{
	struct simulator *simulator = context;

	if (simulator->control)
		control_note_plans(simulator->control);
	if (TAILQ_EMPTY(&simulator->brokers))
		loop_set_timer(simulator->loop, &simulator->turn, 0);
}

static void clean_up(struct timer *timer)
{
	struct simulator *simulator = (struct simulator *)((char *)timer - offsetof(struct simulator, turn));
	struct broker *broker, *next;

	for (broker = TAILQ_FIRST(&simulator->brokers); broker; broker = next) {
		next = TAILQ_NEXT(broker, link);
		if (!broker->over)
			continue;
		TAILQ_REMOVE(&simulator->brokers, broker, link);
		session_free(broker->session);
		if (broker->client)
			control_detach(broker->client);
		free(broker);
	}
	end_if_idle(simulator);
}

/* Serves a broker. Consumes the wire on success. */
static int serve(struct simulator *simulator, struct control_client *client, int wire, const char *const *folder,
		 size_t folder_count)
{
	struct broker *broker = calloc(1, sizeof(*broker));
	const struct session_order order = {
		.socket = wire,
		.folder = folder,
		.folder_count = folder_count,
		.ended = on_session_ended,
		.context = broker,
	};
	int error;

	if (!broker)
		return -ENOMEM;
	broker->simulator = simulator;
	broker->client = client;
	error = session_new(simulator->machine, simulator->runs, &order, &broker->session);
	if (error < 0) {
		free(broker);
		return error;
	}
	TAILQ_INSERT_TAIL(&simulator->brokers, broker, link);
	return 0;
}

static int on_attach(void *context, struct control_client *client, int wire, const char *const *folder,
		     size_t folder_count)
{
	return serve(context, client, wire, folder, folder_count);
}

static int load_host(struct simulator *simulator, const char *path)
{
	struct json_problem problem = { .line = 0 };
	int error = host_file_load(path, simulator->machine, &problem);

	/* What reading it took is of no use any more. */
	malloc_trim(0);
	if (error == -EINVAL && problem.line > 0)
		log_error("%s:%u:%u: %s", path, problem.line, problem.column, problem.message);
	else if (error == -EINVAL)
		log_error("%s: %s", path, problem.message);
	else if (error < 0)
		log_error("%s: %s", path, strerror(-error));
	return error;
}

static int open_control(struct simulator *simulator, const char *path)
{
	const struct control_order order = {
		.path = path,
		.machine = simulator->machine,
		.runs = simulator->runs,
		.faults = &simulator->faults,
		.attach = on_attach,
		.detached = on_detached,
		.stop = on_stop,
		.context = simulator,
	};
	int error = control_new(&order, &simulator->control);

	if (error < 0)
		log_error("the control socket %s can't be opened: %s", path, strerror(-error));
	return error;
}

/* Each open file of a simulated device takes an FD here. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int start(struct simulator *simulator, const struct simulator_order *order)
{
	int error = loop_new(&simulator->loop);

	if (error == 0)
		error = machine_new(simulator->loop, &simulator->machine);
	if (error == 0)
		error = load_host(simulator, order->host_file);
	for (size_t i = 0; i < order->fault_count && error == 0; i++)
		error = faults_add(&simulator->faults, &order->fault[i]);
	if (error == 0)
		error = plan_runs_new(simulator->machine, &simulator->faults, &simulator->runs);
	if (error == 0)
		runs_watch(simulator->runs, on_runs_changed, simulator);
	if (error == 0 && order->control_path)
		error = open_control(simulator, order->control_path);
	if (error == 0 && order->wire >= 0)
		error = serve(simulator, NULL, order->wire, order->folder, order->folder_count);
	return error;
}

static void stop(struct simulator *simulator)
{
	struct broker *broker;

	if (simulator->runs)
		runs_watch(simulator->runs, NULL, NULL);
	control_free(simulator->control);
	while ((broker = TAILQ_FIRST(&simulator->brokers))) {
		TAILQ_REMOVE(&simulator->brokers, broker, link);
		session_free(broker->session);
		free(broker);
	}
	plan_runs_free(simulator->runs);
	faults_clear(&simulator->faults, false);
	if (simulator->machine)
		kernel_close_all(simulator->machine);
	machine_free(simulator->machine);
	if (simulator->loop)
		loop_clear_timer(simulator->loop, &simulator->turn);
	loop_free(simulator->loop);
}

int simulator_run(const struct simulator_order *order)
{
	struct simulator simulator = { .ends_with_broker = order->wire >= 0, .turn.expired = clean_up };
	int error;

	TAILQ_INIT(&simulator.faults);
	TAILQ_INIT(&simulator.brokers);
	raise_descriptor_limit();
	error = start(&simulator, order);
	if (error == 0) {
		if (order->ready)
			order->ready();
		error = loop_run(simulator.loop);
	}
	stop(&simulator);
	return error < 0 ? error : simulator.error;
}
