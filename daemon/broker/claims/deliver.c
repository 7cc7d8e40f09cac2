#include "deliver.h"

#include "lease.h"
#include "release.h"
#include "remove_device.h"

#include "../../base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As documented in org.ioasid1.varlink. */
#define ACKNOWLEDGE_USEC (10 * 1000 * 1000ULL)

#define RELEASED_MEANWHILE "the claim was released meanwhile: restoring everything"
#define CLIENT_GONE "its client disconnected: restoring everything"
#define OUT_OF_DESCRIPTORS "ioasidd is out of file descriptors or memory: restoring everything"

static bool group_was_offered(const struct offer *offer, int32_t group)
{
	for (size_t i = 0; i < offer->group_count; i++)
		if (offer->group[i].number == group)
			return true;
	return false;
}

/* The groups come in the order in which the asked-for devices first name them. */
static void add_group(struct offer *offer, const struct claim_device *device, const struct wire_result *result,
		      struct descriptors *fds)
{
	size_t next = offer->group_count;

	if (next >= result->groups || group_was_offered(offer, device->before.group))
		return;
	offer->group[next].number = device->before.group;
	offer->group[next].fd = descriptors_take(fds, result->contexts + next);
	offer->group_count++;
}

/*
 * Fills in an offer, which owns its FDs; lease is consumed. grows: only the device that was added, and no copy of the
 * context. FDs that no device stands for stay in fds. offer->context is -1, too, if it could not be copied.
 */
static void make_offer(struct claim_runtime *runtime, const struct wire_result *result, struct descriptors *fds,
		       int lease, bool grows, struct offer *offer)
{
	const struct claim *claim = runtime->claim;
	size_t first = result->contexts + result->groups, next = 0;

	*offer = (struct offer){ .grows = grows, .lease = lease, .context = -1 };
	if (!grows && runtime->context >= 0)
		offer->context = fcntl(runtime->context, F_DUPFD_CLOEXEC, 3);
	for (size_t i = 0; i < claim->device_count; i++) {
		const struct claim_device *device = &claim->device[i];

		if (device->lockout && offer->lockout_count < GROUP_MEMBERS_MAX)
			offer->lockout[offer->lockout_count++] = device->before.name;
		if (device->lockout || offer->device_count >= CLAIM_DEVICES_MAX ||
		    (grows && strcmp(device->before.name, runtime->device) != 0))
			continue;
		add_group(offer, device, result, fds);
		offer->device[offer->device_count].device = device;
		offer->device[offer->device_count].fd =
			next < result->devices ? descriptors_take(fds, first + next) : -1;
		next++;
		offer->device_count++;
	}
}

/* Closes what was not taken out. */
static void close_offer(struct offer *offer)
{
	descriptor_close(&offer->lease);
	descriptor_close(&offer->context);
	for (size_t i = 0; i < offer->group_count; i++)
		descriptor_close(&offer->group[i].fd);
	for (size_t i = 0; i < offer->device_count; i++)
		descriptor_close(&offer->device[i].fd);
}

static int on_unacknowledged(sd_event_source *timer, uint64_t usec, void *context)
{
	struct claim_runtime *runtime = context;

	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_ENDING,
						   .message = "its descriptors were not acknowledged in time" });
	deliver_reject(runtime);
	return 0;
}

/* device: that was added; NULL: the claim is new. */
static void offer_to(struct claim_runtime *runtime, struct requester *asker, const char *device, struct offer *offer)
{
	struct answer answer = {
		.kind = ANSWER_OFFER, .claim = runtime->claim, .offer = offer, .mode = runtime->claim->mode
	};

	runtime->offered_to = asker;
	asker->unacknowledged = runtime;
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_OFFERED,
						   .device = device,
						   .subject = &asker->subject,
						   .usec = clock_usec(CLOCK_MONOTONIC) - runtime->asked_usec });
	requester_answer(asker, &answer);
	close_offer(offer);
}

/* Begins the lease and the clock for the acknowledgement. 0 with the client's end of it, or -errno. */
static int make_lease(struct claim_runtime *runtime, const struct requester *asker, int *client)
{
	int error = lease_begin(runtime, asker->pidfd, client);

	if (error == 0)
		error = claim_runtime_arm(runtime, ACKNOWLEDGE_USEC, on_unacknowledged);
	if (error < 0)
		descriptor_close(client);
	return error;
}

/* The host is ready for a new claim: makes its lease and offers it. Whoever asked and is gone gets nothing. */
static void deliver_claim(struct claim_runtime *runtime, const struct wire_result *result, struct descriptors *fds)
{
	struct requester *asker = claim_runtime_take_asker(runtime);
	struct offer offer;
	const char *why;
	int lease = -1;

	if (result->contexts > 0)
		runtime->context = descriptors_take(fds, 0);
	runtime->claim->ioas_id = result->ioas_id;
	runtime->run = RUNTIME_IDLE;
	claim_runtime_step(runtime, CLAIM_EVENT_DONE);
	if (asker && !runtime->lease_over && make_lease(runtime, asker, &lease) == 0) {
		make_offer(runtime, result, fds, lease, false, &offer);
		if (offer.context >= 0 || runtime->context < 0) {
			offer_to(runtime, asker, NULL, &offer);
			return;
		}
		close_offer(&offer);
	}
	/* The device FDs must be gone before the devices can be proven free. */
	descriptors_close(fds);
	why = runtime->lease_over ? RELEASED_MEANWHILE : asker ? OUT_OF_DESCRIPTORS : CLIENT_GONE;
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED, .message = why });
	requester_answer_failed(asker, why, NULL);
	release_start(runtime);
}

/* One sentence for a plan that the host did not let us finish. */
static void explain(const struct wire_result *result, char *text, size_t size)
{
	if (result->text[0])
		snprintf(text, size, "%s", result->text);
	else if (result->kind < STEP_KIND_COUNT)
		snprintf(text, size, "%s of %s failed: %s", step_kind_to_string((enum step_kind)result->kind),
			 result->device[0] ? result->device : "the context", strerror(result->error));
	else
		snprintf(text, size, "the executor failed: %s", strerror(result->error));
}

static void on_claim_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct claim_runtime *runtime = context;
	bool late = runtime->overdue;
	char why[TEXT_MAX], message[2 * TEXT_MAX];

	runtime->overdue = false;
	if (result->outcome == WIRE_OUTCOME_DONE && !late) {
		deliver_claim(runtime, result, fds);
		return;
	}
	runtime->run = RUNTIME_IDLE;
	explain(result, why, sizeof(why));
	if (result->outcome == WIRE_OUTCOME_DONE) {
		/* Too late: the asker was told that it failed. */
		descriptors_close(fds);
		claim_runtime_step(runtime, CLAIM_EVENT_DONE);
		release_start(runtime);
		return;
	}
	if (result->outcome == WIRE_OUTCOME_REFUSED || result->outcome == WIRE_OUTCOME_UNDONE) {
		snprintf(message, sizeof(message), "%s; everything was restored", why);
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED, .message = message, .result = result });
		claim_runtime_step(runtime, CLAIM_EVENT_UNDONE);
		requester_answer_failed(claim_runtime_take_asker(runtime), message, result);
		if (late) {
			release_start(runtime); /* proves that it is */
		} else {
			claim_runtime_answer_awaiting(runtime);
			claim_runtime_end(runtime);
		}
		return;
	}
	if (result->outcome == WIRE_OUTCOME_INTERRUPTED) {
		/* Nobody can undo it any more, but a release puts back whatever it left. */
		snprintf(message, sizeof(message), "%s; restoring everything", why);
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED, .message = message, .result = result });
		claim_runtime_step(runtime, CLAIM_EVENT_INTERRUPTED);
		requester_answer_failed(claim_runtime_take_asker(runtime), message, result);
		release_start(runtime);
		return;
	}
	snprintf(message, sizeof(message), "%s; not everything could be restored: an operator must check", why);
	snprintf(runtime->claim->note, TEXT_MAX, "%s", why);
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED, .message = message, .result = result });
	claim_runtime_step(runtime, CLAIM_EVENT_BROKEN);
	requester_answer_failed(claim_runtime_take_asker(runtime), message, result);
	claim_runtime_answer_awaiting(runtime);
}

static void on_claim_overdue(void *context)
{
	struct claim_runtime *runtime = context;

	release_note_overdue(runtime);
	requester_answer_failed(claim_runtime_take_asker(runtime), runtime->claim->note, NULL);
}

static const struct run_events claim_events = { .done = on_claim_done, .overdue = on_claim_overdue };

/* What the claim has to have beyond what it has: asked-for devices and lockouts of the decision. */
static int take_devices(struct registry *registry, struct claim *claim, const struct decision *decision)
{
	const struct topology *topology = host_topology(registry->host);
	int error = 0;

	for (size_t i = 0; i < decision->device_count && error == 0; i++) {
		const struct rule *rule = decision->device[i].rule;
		struct claim_device entry = { .reset = rule->reset, .restore = rule->restore };
		struct claim_device *had = claim_find_device(claim, decision->device[i].device);

		if (had) {
			had->lockout = false;
			had->reset = rule->reset;
			continue;
		}
		entry.before = *topology_find(topology, decision->device[i].device);
		error = ledger_take(registry->ledger, claim, &entry);
	}
	for (size_t i = 0; i < decision->lockout_count && error == 0; i++) {
		struct claim_device entry = { .lockout = true,
					      .reset = RESET_SKIP,
					      .restore = decision->device[0].rule->restore };

		entry.before = *topology_find(topology, decision->lockout[i].device);
		error = ledger_take(registry->ledger, claim, &entry);
	}
	return error;
}

static int start_plan(struct claim_runtime *runtime, const struct decision *decision, const struct run_events *events)
{
	struct registry *registry = runtime->registry;
	struct requester *asker = runtime->asker;
	struct run_order order = {
		.kind = WIRE_PLAN_CLAIM,
		.plan = &decision->plan,
		.policy_digest = registry->policy->digest,
		.enclosure = {
			.context = runtime->context,
			.peer = asker->pidfd >= 0 ? asker->subject.pid : 0,
			.peer_fd = asker->pidfd,
			.owner = { .subject = asker->subject },
		},
	};

	memcpy(order.enclosure.owner.claim, runtime->claim->id, sizeof(order.enclosure.owner.claim));
	snprintf(order.enclosure.owner.rule, sizeof(order.enclosure.owner.rule), "%s", decision->device[0].rule->name);
	return host_run(registry->host, &order, events, runtime);
}

/* The claim as it was asked for and decided, which has no id and no devices yet. */
static struct claim make_claim(const struct operation *operation, const struct decision *decision)
{
	const struct subject *owner = &operation->requester->subject;
	const struct rule *rule = decision->device[0].rule;
	struct claim claim = {
		.uid = owner->uid,
		.gid = owner->gid,
		.pid = owner->pid,
		.mode = operation->mode,
		.interface = decision->interface,
		.state = CLAIM_ASKED,
		.lease = operation->lease,
		.memlock = rule->memlock,
		.since = clock_usec(CLOCK_REALTIME),
	};

	snprintf(claim.rule, sizeof(claim.rule), "%s", rule->name);
	snprintf(claim.unit, sizeof(claim.unit), "%s", owner->unit);
	return claim;
}

void deliver_begin_claim(struct operation *operation, const struct decision *decision)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;
	struct claim made = make_claim(operation, decision);
	struct claim_runtime *runtime;
	int error = claim_runtime_new(registry, &made, &runtime);

	if (error < 0) {
		requester_answer_failed(requester, "ioasidd is out of memory; nothing was changed", NULL);
		return;
	}

	struct claim *claim = runtime->claim;

	runtime->asked_usec = operation->since;
	runtime->subject = requester->subject;
	runtime->subject_known = true;
	error = take_devices(registry, claim, decision);
	if (error == 0) {
		claim_runtime_step(runtime, CLAIM_EVENT_PLANNED);
		/* No intent on record, no step on the host. */
		error = claim_runtime_step(runtime, CLAIM_EVENT_STARTED);
	}
	if (error == 0) {
		runtime->asker = requester;
		requester->asking = runtime;
		runtime->run = RUNTIME_CLAIMS;
		error = start_plan(runtime, decision, &claim_events);
	}
	if (error < 0) {
		char message[TEXT_MAX];

		snprintf(message, sizeof(message), "the claim could not be started: %s; nothing was changed",
			 strerror(-error));
		claim_runtime_take_asker(runtime);
		runtime->run = RUNTIME_IDLE;
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED, .message = message });
		/* Where it had no place in the ledger yet, there is nothing to undo. */
		if (claim->state == CLAIM_PREPARING)
			claim_runtime_step(runtime, CLAIM_EVENT_UNDONE);
		claim_runtime_end(runtime);
		requester_answer_failed(requester, message, NULL);
	}
}

/* What is in the claim now stays in it. */
static void end_addition(struct claim_runtime *runtime)
{
	runtime->claim->changing[0] = '\0';
	runtime->claim->adding = false;
}

static void on_addition_done(void *context, const struct wire_result *result, struct descriptors *fds)
{
	struct claim_runtime *runtime = context;
	struct requester *asker = claim_runtime_take_asker(runtime);
	bool late = runtime->overdue;
	char why[TEXT_MAX], message[2 * TEXT_MAX];
	struct offer offer;

	runtime->overdue = false;
	if (result->outcome == WIRE_OUTCOME_DONE && asker && !late && !runtime->lease_over &&
	    claim_runtime_arm(runtime, ACKNOWLEDGE_USEC, on_unacknowledged) == 0) {
		claim_runtime_record(runtime);
		claim_runtime_tell_devices(runtime);
		runtime->run = RUNTIME_IDLE;
		make_offer(runtime, result, fds, -1, true, &offer);
		offer_to(runtime, asker, runtime->device, &offer);
		return;
	}
	runtime->run = RUNTIME_IDLE;
	if (result->outcome == WIRE_OUTCOME_DONE) {
		const char *reason = runtime->lease_over ? RELEASED_MEANWHILE
				     : asker             ? OUT_OF_DESCRIPTORS
							 : CLIENT_GONE;

		descriptors_close(fds);
		claim_runtime_tell(runtime,
				   (struct news){ .kind = NEWS_FAILED, .device = runtime->device, .message = reason });
		requester_answer_failed(asker, reason, NULL);
		deliver_reject(runtime);
		return;
	}
	explain(result, why, sizeof(why));
	if (result->outcome == WIRE_OUTCOME_INTERRUPTED) {
		snprintf(message, sizeof(message), "%s; removing the device", why);
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED,
							   .device = runtime->device,
							   .message = message,
							   .result = result });
		requester_answer_failed(asker, message, result);
		deliver_reject(runtime);
		return;
	}
	if (result->outcome == WIRE_OUTCOME_BROKEN) {
		snprintf(message, sizeof(message), "%s; not everything could be restored: release the claim", why);
	} else {
		end_addition(runtime);
		claim_runtime_give_back(runtime, runtime->device);
		claim_runtime_record(runtime);
		snprintf(message, sizeof(message), "%s; the claim is unchanged", why);
	}
	claim_runtime_tell(runtime, (struct news){ .kind = NEWS_FAILED,
						   .device = runtime->device,
						   .message = message,
						   .result = result });
	requester_answer_failed(asker, message, result);
	if (runtime->lease_over)
		release_start(runtime);
}

static void on_addition_overdue(void *context)
{
	struct claim_runtime *runtime = context;

	release_note_overdue(runtime);
	requester_answer_failed(claim_runtime_take_asker(runtime),
				"the addition passed its deadline; it is undone when the kernel returns", NULL);
}

static const struct run_events addition_events = { .done = on_addition_done, .overdue = on_addition_overdue };

void deliver_begin_addition(struct operation *operation, struct claim_runtime *runtime, const struct decision *decision)
{
	struct registry *registry = operation->registry;
	struct requester *requester = operation->requester;
	char message[TEXT_MAX];
	int error;

	memcpy(runtime->device, decision->device[0].device, sizeof(runtime->device));
	memcpy(runtime->claim->changing, runtime->device, sizeof(runtime->device));
	runtime->claim->adding = true;
	error = take_devices(registry, runtime->claim, decision);
	if (error == 0)
		error = claim_runtime_record(runtime);
	if (error == 0) {
		runtime->asker = requester;
		requester->asking = runtime;
		runtime->run = RUNTIME_ADDS;
		runtime->asked_usec = operation->since;
		claim_runtime_tell(runtime, (struct news){ .kind = NEWS_GROWS, .device = runtime->device });
		error = start_plan(runtime, decision, &addition_events);
	}
	if (error < 0) {
		claim_runtime_take_asker(runtime);
		runtime->run = RUNTIME_IDLE;
		end_addition(runtime);
		claim_runtime_give_back(runtime, runtime->device);
		claim_runtime_record(runtime);
		snprintf(message, sizeof(message), "the addition could not be started: %s; nothing was changed",
			 strerror(-error));
		claim_runtime_tell(runtime,
				   (struct news){ .kind = NEWS_FAILED, .device = runtime->device, .message = message });
		requester_answer_failed(requester, message, NULL);
	}
}

void deliver_acknowledge(struct claim_runtime *runtime)
{
	claim_runtime_end_offer(runtime);
	end_addition(runtime);
	if (runtime->claim->state == CLAIM_OFFERED)
		claim_runtime_step(runtime, CLAIM_EVENT_ACKNOWLEDGED);
	else
		claim_runtime_record(runtime);
}

void deliver_reject(struct claim_runtime *runtime)
{
	claim_runtime_end_offer(runtime);
	/* Nobody has refused anything: this program leaves its clients, not they it. */
	if (runtime->registry->ending)
		return;
	if (runtime->claim->state == CLAIM_HELD && !runtime->lease_over) {
		runtime->rolls_back = true;
		if (remove_device_start(runtime, runtime->device) == 0)
			return;
		runtime->rolls_back = false;
	}
	release_start(runtime);
}
