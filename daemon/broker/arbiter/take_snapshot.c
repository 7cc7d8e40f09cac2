#include "take_snapshot.h"

#include "../../../policy/decide/refusal_text.h"
#include "../../../policy/report/snapshot.h"
#include "../../../policy/util/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Devices of one survey: few enough that plans and claims do not wait long behind it. */
enum { BATCH = 64 };

struct snapshotting {
	struct registry *registry;
	struct requester *requester; /* NULL: none is being made */
	bool details;
	char (*name)[DEVICE_NAME_MAX]; /* of all devices when it began */
	size_t count, next;
	struct uses uses;
};

struct snapshotting *snapshotting_new(struct registry *registry)
{
	struct snapshotting *snapshotting = calloc(1, sizeof(*snapshotting));

	if (snapshotting)
		snapshotting->registry = registry;
	return snapshotting;
}

static void forget(struct snapshotting *snapshotting)
{
	free(snapshotting->name);
	snapshotting->name = NULL;
	uses_done(&snapshotting->uses);
	snapshotting->uses = (struct uses){ .use = NULL };
	snapshotting->requester = NULL;
}

struct snapshotting *snapshotting_free(struct snapshotting *snapshotting)
{
	if (snapshotting)
		forget(snapshotting);
	free(snapshotting);
	return NULL;
}

static void fail(struct snapshotting *snapshotting, const char *message)
{
	struct requester *requester = snapshotting->requester;

	forget(snapshotting);
	requester_answer_failed(requester, message, NULL);
}

/* Its own driver: the bound one, or the one before, if a claim has it. 0, -ENOMEM. */
static int describe_driver(const struct registry *registry, struct device_description *description)
{
	const struct device *device = &description->device;
	const struct claim_device *entry = NULL;
	const char *driver = device->driver;

	if (ledger_owner(registry->ledger, device->name, &entry) && entry)
		driver = entry->before.driver;
	if (!*driver || strstr(driver, "vfio"))
		return 0;
	description->driver = calloc(1, sizeof(*description->driver));
	if (!description->driver)
		return -ENOMEM;
	text_format(description->driver[0], DRIVER_NAME_MAX, "%s", driver);
	description->driver_count = 1;
	return 0;
}

/* A device as the format has it: what it refers to is there. 0, -ENOMEM. */
static int describe(const struct registry *registry, const struct device *device, struct device_description *out)
{
	const struct topology *topology = host_topology(registry->host);
	const struct device *parent = topology_find(topology, device->parent);
	const struct device *function = topology_find(topology, device->physical_function);

	*out = (struct device_description){ .device = *device };
	/* Behind some controllers (VMD) there is a bus though they are no bridges. */
	if (!parent || !parent->bridge)
		out->device.parent[0] = '\0';
	if (!function || *function->physical_function)
		out->device.physical_function[0] = '\0';
	if (out->device.virtual_functions > out->device.virtual_functions_max)
		out->device.virtual_functions_max = out->device.virtual_functions;
	if (!*device->driver || device->bridge)
		out->device.vfio_node[0] = '\0';
	return describe_driver(registry, out);
}

/* True for what a snapshot has without being told. */
static bool goes_without_saying(const struct use *use, const struct device *device)
{
	struct uses own = { .use = NULL };
	bool same = use->kind == USE_DRIVER;

	if (use->kind == USE_VIRTUAL_FUNCTION && snapshot_own_uses(device, &own) == 0)
		for (size_t i = 0; i < own.count; i++)
			same = same || strcmp(own.use[i].text, use->text) == 0;
	uses_done(&own);
	return same;
}

/* The uses that the snapshot tells; their devices may have gone meanwhile. 0, -ENOMEM. */
static int tell_uses(const struct snapshotting *snapshotting, struct uses *out)
{
	int error = 0;

	for (size_t i = 0; i < snapshotting->uses.count && error == 0; i++) {
		struct use use = snapshotting->uses.use[i];
		const struct device *device = topology_find(host_topology(snapshotting->registry->host), use.device);

		if (!device || goes_without_saying(&use, device))
			continue;
		if (!snapshotting->details)
			text_format(use.text, sizeof(use.text), "%s", use_told(&snapshotting->uses.use[i], false));
		if (!snapshotting->details || use.kind != USE_HOLDER)
			use.pid = 0;
		error = uses_add(out, &use);
	}
	return error;
}

/* 0, -ENOMEM. */
static int collect(const struct snapshotting *snapshotting, struct snapshot *out)
{
	const struct registry *registry = snapshotting->registry;
	size_t count = 0;
	const struct device **device = topology_sorted(host_topology(registry->host), &count);
	int error = device ? 0 : -ENOMEM;

	out->kernel = *host_kernel(registry->host);
	out->has_vfio_pci = true;
	out->device = calloc(count + 1, sizeof(*out->device));
	if (!out->device)
		error = -ENOMEM;
	for (size_t i = 0; i < count && error == 0; i++) {
		error = describe(registry, device[i], &out->device[i]);
		out->count += error == 0;
	}
	free(device);
	return error == 0 ? tell_uses(snapshotting, &out->uses) : error;
}

static void finish(struct snapshotting *snapshotting)
{
	struct snapshot snapshot = { .count = 0 };
	struct requester *requester = snapshotting->requester;

	if (collect(snapshotting, &snapshot) < 0) {
		fail(snapshotting, "ioasidd is out of memory");
	} else {
		forget(snapshotting);
		requester_answer(requester, &(struct answer){ .kind = ANSWER_SNAPSHOT, .snapshot = &snapshot });
	}
	snapshot_done(&snapshot);
}

static void go_on(struct snapshotting *snapshotting);

static void on_survey(void *context, int error, const struct uses *uses)
{
	struct snapshotting *snapshotting = context;
	char message[TEXT_MAX];

	for (size_t i = 0; i < uses->count && error == 0; i++) {
		if (snapshotting->uses.count >= SNAPSHOT_USES_MAX)
			error = E2BIG;
		else if (uses_add(&snapshotting->uses, &uses->use[i]) < 0)
			error = ENOMEM;
	}
	if (error != 0) {
		text_format(message, sizeof(message), "the host could not be surveyed: %s", strerror(error));
		fail(snapshotting, message);
		return;
	}
	go_on(snapshotting);
}

/* Surveys the next devices, or is done. */
static void go_on(struct snapshotting *snapshotting)
{
	struct host *host = snapshotting->registry->host;
	const char *name[BATCH];
	size_t count = 0;

	while (count < BATCH && snapshotting->next < snapshotting->count) {
		const char *next = snapshotting->name[snapshotting->next++];

		if (topology_find(host_topology(host), next))
			name[count++] = next;
	}
	if (count == 0)
		finish(snapshotting);
	else if (host_survey_only(host, name, count, snapshotting->requester->subject.uid, on_survey, snapshotting) < 0)
		fail(snapshotting, "the executor can't be asked");
}

void snapshotting_start(struct snapshotting *snapshotting, struct requester *requester, bool details)
{
	size_t count = 0;
	const struct device **device;

	if (snapshotting->requester) {
		requester_answer_failed(requester, "another snapshot is being made: try again when it is done", NULL);
		return;
	}
	device = topology_sorted(host_topology(snapshotting->registry->host), &count);
	snapshotting->requester = requester;
	snapshotting->details = details;
	snapshotting->next = 0;
	snapshotting->count = count;
	snapshotting->name = calloc(count + 1, sizeof(*snapshotting->name));
	for (size_t i = 0; i < count && device && snapshotting->name; i++)
		text_format(snapshotting->name[i], DEVICE_NAME_MAX, "%s", device[i]->name);
	if (device && snapshotting->name)
		go_on(snapshotting);
	else
		fail(snapshotting, "ioasidd is out of memory");
	free(device);
}

void snapshotting_abandon(struct snapshotting *snapshotting, const struct requester *requester)
{
	if (snapshotting->requester != requester)
		return;
	host_forget_survey(snapshotting->registry->host, snapshotting);
	forget(snapshotting);
}
