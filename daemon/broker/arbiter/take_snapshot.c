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

struct snapshot_request {
	struct registry *registry;
	struct requester *requester; /* NULL: none is being made */
	bool details;
	char (*name)[DEVICE_NAME_MAX]; /* of all devices when it began */
	size_t count, next;
	struct uses uses;
};

struct snapshot_request *take_snapshot_new(struct registry *registry)
{
	struct snapshot_request *snapshot_request = calloc(1, sizeof(*snapshot_request));

	if (snapshot_request)
		snapshot_request->registry = registry;
	return snapshot_request;
}

static void forget(struct snapshot_request *snapshot_request)
{
	free(snapshot_request->name);
	snapshot_request->name = NULL;
	uses_done(&snapshot_request->uses);
	snapshot_request->uses = (struct uses){ .use = NULL };
	snapshot_request->requester = NULL;
}

struct snapshot_request *take_snapshot_free(struct snapshot_request *snapshot_request)
{
	if (snapshot_request)
		forget(snapshot_request);
	free(snapshot_request);
	return NULL;
}

static void fail(struct snapshot_request *snapshot_request, const char *message)
{
	struct requester *requester = snapshot_request->requester;

	forget(snapshot_request);
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
	const struct device *function = topology_find(topology, device_pci(device)->physical_function);

	*out = (struct device_description){ .device = *device };
	/* Behind some controllers (VMD) there is a bus though they are no bridges. */
	if (!parent || (device_is_pci(device) && !device_is_bridge(parent)))
		out->device.parent[0] = '\0';
	if (*device_pci(device)->physical_function && (!function || *device_pci(function)->physical_function))
		out->device.pci.physical_function[0] = '\0';
	if (!*device->driver || device_is_bridge(device))
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
static int tell_uses(const struct snapshot_request *snapshot_request, struct uses *out)
{
	int error = 0;

	for (size_t i = 0; i < snapshot_request->uses.count && error == 0; i++) {
		struct use use = snapshot_request->uses.use[i];
		const struct device *device =
			topology_find(host_topology(snapshot_request->registry->host), use.device);

		if (!device || goes_without_saying(&use, device))
			continue;
		if (!snapshot_request->details)
			text_format(use.text, sizeof(use.text), "%s", use_told(&snapshot_request->uses.use[i], false));
		if (!snapshot_request->details || use.kind != USE_HOLDER)
			use.pid = 0;
		error = uses_add(out, &use);
	}
	return error;
}

/* 0, -ENOMEM. */
static int collect(const struct snapshot_request *snapshot_request, struct snapshot *out)
{
	const struct registry *registry = snapshot_request->registry;
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
	return error == 0 ? tell_uses(snapshot_request, &out->uses) : error;
}

static void finish(struct snapshot_request *snapshot_request)
{
	struct snapshot snapshot = { .count = 0 };
	struct requester *requester = snapshot_request->requester;

	if (collect(snapshot_request, &snapshot) < 0) {
		fail(snapshot_request, "ioasidd is out of memory");
	} else {
		forget(snapshot_request);
		requester_answer(requester, &(struct answer){ .kind = ANSWER_SNAPSHOT, .snapshot = &snapshot });
	}
	snapshot_done(&snapshot);
}

static void go_on(struct snapshot_request *snapshot_request);

static void on_survey(void *context, int error, const struct uses *uses)
{
	struct snapshot_request *snapshot_request = context;
	char message[TEXT_MAX];

	for (size_t i = 0; i < uses->count && error == 0; i++) {
		if (snapshot_request->uses.count >= SNAPSHOT_USES_MAX)
			error = E2BIG;
		else if (uses_add(&snapshot_request->uses, &uses->use[i]) < 0)
			error = ENOMEM;
	}
	if (error != 0) {
		text_format(message, sizeof(message), "the host could not be surveyed: %s", strerror(error));
		fail(snapshot_request, message);
		return;
	}
	go_on(snapshot_request);
}

/* Surveys the next devices, or is done. */
static void go_on(struct snapshot_request *snapshot_request)
{
	struct host *host = snapshot_request->registry->host;
	const char *name[BATCH];
	size_t count = 0;

	while (count < BATCH && snapshot_request->next < snapshot_request->count) {
		const char *next = snapshot_request->name[snapshot_request->next++];

		if (topology_find(host_topology(host), next))
			name[count++] = next;
	}
	if (count == 0)
		finish(snapshot_request);
	else if (host_survey_only(host, name, count, snapshot_request->requester->subject.uid, on_survey,
				  snapshot_request) < 0)
		fail(snapshot_request, "cannot reach the executor");
}

void take_snapshot_start(struct snapshot_request *snapshot_request, struct requester *requester, bool details)
{
	size_t count = 0;
	const struct device **device;

	if (snapshot_request->requester) {
		requester_answer_failed(requester, "another snapshot is under way: try again later", NULL);
		return;
	}
	device = topology_sorted(host_topology(snapshot_request->registry->host), &count);
	snapshot_request->requester = requester;
	snapshot_request->details = details;
	snapshot_request->next = 0;
	snapshot_request->count = count;
	snapshot_request->name = calloc(count + 1, sizeof(*snapshot_request->name));
	for (size_t i = 0; i < count && device && snapshot_request->name; i++)
		text_format(snapshot_request->name[i], DEVICE_NAME_MAX, "%s", device[i]->name);
	if (device && snapshot_request->name)
		go_on(snapshot_request);
	else
		fail(snapshot_request, "ioasidd is out of memory");
	free(device);
}

void take_snapshot_abandon(struct snapshot_request *snapshot_request, const struct requester *requester)
{
	if (snapshot_request->requester != requester)
		return;
	host_forget_survey(snapshot_request->registry->host, snapshot_request);
	forget(snapshot_request);
}
