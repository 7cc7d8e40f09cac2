#include "plan.h"

#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const step_kinds[STEP_KIND_COUNT] = {
	[STEP_OVERRIDE] = "override",
	[STEP_UNBIND] = "unbind",
	[STEP_PROBE] = "probe",
	[STEP_CONTEXT] = "context",
	[STEP_CONTAINER] = "container",
	[STEP_GROUP] = "group",
	[STEP_GROUP_DEVICE] = "group-device",
	[STEP_OPEN] = "open",
	[STEP_BIND] = "bind",
	[STEP_IOAS] = "ioas",
	[STEP_ATTACH] = "attach",
	[STEP_GRANT] = "grant",
	[STEP_MEMLOCK] = "memlock",
	[STEP_REVOKE] = "revoke",
	[STEP_UNMAP] = "unmap",
	[STEP_PROVE_NO_HOLDER] = "prove-no-holder",
	[STEP_PROVE_UNBOUND] = "prove-unbound",
	[STEP_PROVE_GROUP_FREE] = "prove-group-free",
	[STEP_BUS_MASTER_OFF] = "bus-master-off",
	[STEP_RESET] = "reset",
	[STEP_UNBIND_VFIO] = "unbind-vfio",
	[STEP_RESTORE] = "restore",
};

const char *step_kind_to_string(enum step_kind kind)
{
	return (unsigned)kind < STEP_KIND_COUNT ? step_kinds[kind] : NULL;
}

/* What each kind of step may carry. */
enum presence { ABSENT, OPTIONAL, NEEDED };
static const struct {
	enum presence device, value, before;
	uint64_t number_min, number_max;
} shapes[STEP_KIND_COUNT] = {
	[STEP_OVERRIDE] = { NEEDED, NEEDED, OPTIONAL, 0, 0 },
	[STEP_UNBIND] = { NEEDED, ABSENT, NEEDED, 0, 0 },
	[STEP_PROBE] = { NEEDED, NEEDED, ABSENT, 0, 0 },
	[STEP_CONTEXT] = { ABSENT, ABSENT, ABSENT, 0, 1 },
	[STEP_CONTAINER] = { ABSENT, ABSENT, ABSENT, 0, 1 },
	[STEP_GROUP] = { NEEDED, ABSENT, ABSENT, 0, 0 },
	[STEP_GROUP_DEVICE] = { NEEDED, ABSENT, ABSENT, 0, 1 },
	[STEP_OPEN] = { NEEDED, ABSENT, ABSENT, 0, 0 },
	[STEP_BIND] = { NEEDED, ABSENT, ABSENT, 0, 0 },
	[STEP_IOAS] = { ABSENT, ABSENT, ABSENT, 0, UINT32_MAX },
	[STEP_ATTACH] = { NEEDED, ABSENT, ABSENT, 0, 0 },
	[STEP_GRANT] = { OPTIONAL, ABSENT, ABSENT, 0, UINT32_MAX - 1 },
	[STEP_MEMLOCK] = { ABSENT, ABSENT, ABSENT, 1, UINT64_MAX },
	[STEP_REVOKE] = { OPTIONAL, ABSENT, ABSENT, 0, UINT32_MAX - 1 },
	[STEP_UNMAP] = { ABSENT, ABSENT, ABSENT, 0, UINT32_MAX },
	[STEP_PROVE_NO_HOLDER] = { NEEDED, ABSENT, ABSENT, 0, 1 },
	[STEP_PROVE_UNBOUND] = { NEEDED, ABSENT, ABSENT, 0, PROOF_BY_UNBIND },
	[STEP_PROVE_GROUP_FREE] = { NEEDED, ABSENT, ABSENT, 0, PROOF_BY_UNBIND },
	[STEP_BUS_MASTER_OFF] = { NEEDED, ABSENT, ABSENT, 0, 0 },
	[STEP_RESET] = { NEEDED, ABSENT, ABSENT, 0, RESET_DEMAND_COUNT - 1 },
	[STEP_UNBIND_VFIO] = { NEEDED, ABSENT, NEEDED, 0, 0 },
	[STEP_RESTORE] = { NEEDED, OPTIONAL, OPTIONAL, 0, 0 },
};

static bool driver_is_sane(const char text[static DRIVER_NAME_MAX], enum presence presence)
{
	if (!memchr(text, '\0', DRIVER_NAME_MAX))
		return false;
	return presence == ABSENT ? text[0] == '\0' : driver_name_is_valid(text, presence == OPTIONAL);
}

bool step_is_sane(const struct step *step)
{
	if (step->kind >= STEP_KIND_COUNT || step->reserved != 0 || !memchr(step->device, '\0', sizeof step->device))
		return false;
	if (step->device[0] ? shapes[step->kind].device == ABSENT || !device_name_is_valid(step->device)
			    : shapes[step->kind].device == NEEDED || step->identity != 0)
		return false;
	return driver_is_sane(step->value, shapes[step->kind].value) &&
	       driver_is_sane(step->before, shapes[step->kind].before) &&
	       step->number >= shapes[step->kind].number_min && step->number <= shapes[step->kind].number_max;
}

bool step_equals(const struct step *a, const struct step *b)
{
	return a->kind == b->kind && a->number == b->number && a->identity == b->identity &&
	       strcmp(a->device, b->device) == 0 && strcmp(a->value, b->value) == 0 &&
	       strcmp(a->before, b->before) == 0;
}

bool step_is_waived(const struct step *step)
{
	return (step->kind == STEP_PROVE_UNBOUND || step->kind == STEP_PROVE_GROUP_FREE) &&
	       step->number == PROOF_BY_UNBIND;
}

bool step_takes_device(const struct step *step)
{
	return step->kind == STEP_OPEN || step->kind == STEP_GROUP_DEVICE ||
	       (step->kind == STEP_GRANT && step->device[0] != '\0');
}

bool plan_owner_is_sane(const struct plan_owner *owner)
{
	return memchr(owner->claim, '\0', sizeof owner->claim) && claim_id_is_valid(owner->claim) &&
	       text_is_printable(owner->rule, sizeof owner->rule) && subject_is_sane(&owner->subject);
}

static const char *describe_restore(const struct step *step, char *out, size_t size)
{
	if (step->value[0])
		text_format(out, size, "return %s to the driver %s", step->device, step->value);
	else if (strcmp(step->before, PINNED_OVERRIDE) == 0)
		return text_format(out, size, "leave %s without a driver, pinned so that no driver binds",
				   step->device);
	else
		text_format(out, size, "leave %s without a driver, as it was", step->device);
	if (step->before[0])
		text_append(out, size, ", with driver_override %s", step->before);
	return out;
}

static const char *describe_memlock(const struct step *step, char *out, size_t size)
{
	if (step->number == UINT64_MAX)
		return text_format(out, size, "let the client lock any amount of memory");
	if (step->number % (1024 * 1024) == 0)
		return text_format(out, size, "let the client lock %llu MiB of memory",
				   (unsigned long long)(step->number / (1024 * 1024)));
	return text_format(out, size, "let the client lock %llu bytes of memory", (unsigned long long)step->number);
}

/* Steps of claims that are delivered by group or by node. */
static const char *describe_delivery(const struct step *step, char *out, size_t size)
{
	const char *nodes = step->device[0] ? step->device : "the VFIO container";
	unsigned long long number = step->number;

	if (step->kind == STEP_CONTAINER)
		return text_format(out, size, "%s",
				   number ? "use the claim's VFIO container" : "open a new VFIO container");
	if (step->kind == STEP_GROUP)
		return text_format(out, size, "open the IOMMU group of %s and add it to the container", step->device);
	if (step->kind == STEP_GROUP_DEVICE)
		return text_format(out, size,
				   number ? "leave the opening of %s to the client, which has its group"
					  : "open %s by its IOMMU group",
				   step->device);
	if (step->kind == STEP_GRANT)
		return text_format(out, size, "grant user %llu access to %s%s", number,
				   step->device[0] ? "the nodes of " : "", nodes);
	return text_format(out, size, "revoke the access of user %llu to %s%s", number,
			   step->device[0] ? "the nodes of " : "", nodes);
}

static const char *describe_reset(const struct step *step, char *out, size_t size)
{
	if (step->number == RESET_REQUIRE)
		return text_format(out, size, "reset %s and verify it", step->device);
	if (step->number == RESET_TRY)
		return text_format(out, size, "reset %s if it can be reset", step->device);
	return text_format(out, size, "leave %s without a reset", step->device);
}

const char *step_describe(const struct step *step, char *out, size_t size)
{
	const char *device = step->device;

	switch ((enum step_kind)step->kind) {
	case STEP_OVERRIDE:
		if (strcmp(step->value, PINNED_OVERRIDE) == 0)
			return text_format(out, size, "pin %s so that no driver binds", device);
		return text_format(out, size, "reserve %s for the driver %s", device, step->value);
	case STEP_UNBIND:
	case STEP_UNBIND_VFIO:
		return text_format(out, size, "unbind %s from %s", step->before, device);
	case STEP_PROBE:
		return text_format(out, size, "bind %s to %s", step->value, device);
	case STEP_CONTEXT:
		return text_format(out, size, step->number ? "use the claim's iommufd" : "open a new iommufd");
	case STEP_CONTAINER:
	case STEP_GROUP:
	case STEP_GROUP_DEVICE:
	case STEP_GRANT:
	case STEP_REVOKE:
		return describe_delivery(step, out, size);
	case STEP_UNMAP:
		return text_format(out, size, "remove all mappings of the claim");
	case STEP_PROVE_GROUP_FREE:
		return text_format(out, size, "check that nobody has the IOMMU group of %s open", device);
	case STEP_OPEN:
		return text_format(out, size, "open the VFIO device of %s", device);
	case STEP_BIND:
		return text_format(out, size, "bind %s to the iommufd", device);
	case STEP_IOAS:
		if (step->number)
			return text_format(out, size, "use the I/O address space %llu",
					   (unsigned long long)step->number);
		return text_format(out, size, "create an I/O address space");
	case STEP_ATTACH:
		return text_format(out, size, "attach %s to the I/O address space", device);
	case STEP_MEMLOCK:
		return describe_memlock(step, out, size);
	case STEP_PROVE_NO_HOLDER:
		return text_format(out, size, "check that no process holds %s", device);
	case STEP_PROVE_UNBOUND:
		return text_format(out, size, "check that %s is not bound to an iommufd", device);
	case STEP_BUS_MASTER_OFF:
		return text_format(out, size, "check that bus mastering of %s is off", device);
	case STEP_RESET:
		return describe_reset(step, out, size);
	case STEP_RESTORE:
		return describe_restore(step, out, size);
	case STEP_KIND_COUNT:
		break;
	}
	return text_format(out, size, "an unknown step");
}

int plan_add(struct plan *plan, const struct step *step)
{
	if (plan->count >= PLAN_STEPS_MAX)
		return -E2BIG;
	if (plan->count == plan->allocated) {
		size_t allocated = plan->allocated ? plan->allocated * 2 : 16;
		struct step *larger = reallocarray(plan->step, allocated, sizeof *larger);

		if (!larger)
			return -ENOMEM;
		plan->step = larger;
		plan->allocated = allocated;
	}
	plan->step[plan->count++] = *step;
	return 0;
}

void plan_done(struct plan *plan)
{
	free(plan->step);
	*plan = (struct plan){ .step = NULL };
}

/* Adds a step for one device (NULL: for none). An error stays: the steps after it are not added. */
static void add(struct plan *plan, int *error, enum step_kind kind, const struct device *device, const char *value,
		const char *before, uint64_t number)
{
	struct step step = { .kind = kind, .number = number };

	if (*error < 0)
		return;
	if (device) {
		text_format(step.device, sizeof step.device, "%s", device->name);
		step.identity = device->identity;
	}
	text_format(step.value, sizeof step.value, "%s", value);
	text_format(step.before, sizeof step.before, "%s", before);
	*error = plan_add(plan, &step);
}

/* True if the client gets the whole group open: by its group FD, or by the group's node. */
static bool gives_group(const struct delivery *delivery)
{
	return delivery->interface == INTERFACE_GROUP || (delivery->mode == MODE_NODE && delivery->groups);
}

/*
 * A device that is never moved, or is on a VFIO driver, stays there; but not a locked-out member whose group the client
 * opens, by which it could open the member, too.
 */
static bool stays(const struct claim_device *device, const struct delivery *delivery)
{
	return !device_is_moved(&device->before) ||
	       (device_is_on_vfio(&device->before) && !(device->lockout && gives_group(delivery)));
}

/*
 * The steps of one kind that move devices off the host. Those asked for come before the lockouts, whatever the order
 * of the array: then the plan alone tells in which order its devices were given, which plan_is_covered() relies on.
 */
static void add_moves(struct plan *plan, int *error, enum step_kind kind, const struct claim_device *device,
		      size_t count, const struct delivery *delivery)
{
	for (int lockout = 0; lockout <= 1; lockout++) {
		for (size_t i = 0; i < count; i++) {
			const struct device *now = &device[i].before;
			const char *driver = device_kind_of(now)->claim_driver;

			if (device[i].lockout != (lockout == 1) || stays(&device[i], delivery))
				continue;
			if (kind == STEP_OVERRIDE)
				add(plan, error, kind, now, lockout ? PINNED_OVERRIDE : driver, now->driver_override,
				    0);
			else if (kind == STEP_UNBIND && now->driver[0])
				add(plan, error, kind, now, "", now->driver, 0);
			else if (kind == STEP_PROBE && !lockout)
				add(plan, error, kind, now, driver, "", 0);
		}
	}
}

static void add_for_asked(struct plan *plan, int *error, enum step_kind kind, const struct claim_device *device,
			  size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!device[i].lockout)
			add(plan, error, kind, &device[i].before, "", "", 0);
}

static bool client_has_group(const struct device *device, const struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->group_count; i++)
		if (delivery->group[i] == device->group)
			return true;
	return false;
}

bool plan_opens_group(const struct claim_device *device, size_t index, const struct delivery *delivery)
{
	if (client_has_group(&device[index].before, delivery))
		return false;
	for (size_t i = 0; i < index; i++)
		if (!device[i].lockout && device[i].before.group == device[index].before.group)
			return false;
	return true;
}

/* The context and the FDs without iommufd: a container, each group in it, each device by its group. */
static void add_by_group(struct plan *plan, int *error, const struct claim_device *device, size_t count,
			 const struct delivery *delivery)
{
	add(plan, error, STEP_CONTAINER, NULL, "", "", delivery->grows);
	for (size_t i = 0; i < count; i++)
		if (!device[i].lockout && plan_opens_group(device, i, delivery))
			add(plan, error, STEP_GROUP, &device[i].before, "", "", 0);
	for (size_t i = 0; i < count; i++)
		if (!device[i].lockout)
			add(plan, error, STEP_GROUP_DEVICE, &device[i].before, "", "",
			    client_has_group(&device[i].before, delivery));
}

/* Nodes that programs open by path. */
static void add_by_node(struct plan *plan, int *error, const struct claim_device *device, size_t count,
			const struct delivery *delivery)
{
	if (delivery->interface == INTERFACE_IOMMUFD)
		add(plan, error, STEP_CONTEXT, NULL, "", "", delivery->grows);
	/* A claim that grows has the container's since it was made: without iommufd that is what tells the two apart.
	 */
	if (!delivery->grows && (delivery->interface == INTERFACE_GROUP || delivery->groups))
		add(plan, error, STEP_GRANT, NULL, "", "", delivery->uid);
	for (size_t i = 0; i < count; i++)
		if (!device[i].lockout)
			add(plan, error, STEP_GRANT, &device[i].before, "", "", delivery->uid);
}

int plan_for_claim(struct plan *plan, const struct claim_device *device, size_t count, const struct delivery *delivery)
{
	size_t start = plan->count;
	int error = 0;

	if (delivery->mode == MODE_BROKERED ||
	    (delivery->mode == MODE_OPEN && delivery->interface != INTERFACE_IOMMUFD))
		return -EINVAL;
	/* Overrides first: between its unbind and its own override a device would be free for any driver. */
	add_moves(plan, &error, STEP_OVERRIDE, device, count, delivery);
	add_moves(plan, &error, STEP_UNBIND, device, count, delivery);
	add_moves(plan, &error, STEP_PROBE, device, count, delivery);
	if (delivery->mode == MODE_NODE) {
		add_by_node(plan, &error, device, count, delivery);
	} else if (delivery->interface == INTERFACE_GROUP) {
		add_by_group(plan, &error, device, count, delivery);
	} else {
		add(plan, &error, STEP_CONTEXT, NULL, "", "", delivery->grows);
		add_for_asked(plan, &error, STEP_OPEN, device, count);
	}
	if (delivery->mode == MODE_ATTACHED && delivery->interface == INTERFACE_IOMMUFD) {
		add_for_asked(plan, &error, STEP_BIND, device, count);
		add(plan, &error, STEP_IOAS, NULL, "", "", delivery->grows ? delivery->ioas_id : 0);
		add_for_asked(plan, &error, STEP_ATTACH, device, count);
	}
	if (delivery->memlock > 0)
		add(plan, &error, STEP_MEMLOCK, NULL, "", "", delivery->memlock);
	if (error < 0)
		plan->count = start;
	return error;
}

/* How a device is left at the end of a release. */
static void add_restore(struct plan *plan, int *error, const struct claim_device *device, bool pin)
{
	const struct device *before = &device->before;
	const char *driver = device_kind_of(before)->claim_driver;

	if (!driver)
		return;
	if (pin && !device->lockout)
		add(plan, error, STEP_RESTORE, before, "", PINNED_OVERRIDE, 0);
	else if (device->restore || device_is_on_vfio(before))
		add(plan, error, STEP_RESTORE, before, before->driver, before->driver_override, 0);
	else if (device->lockout)
		add(plan, error, STEP_RESTORE, before, "", PINNED_OVERRIDE, 0);
	else
		add(plan, error, STEP_RESTORE, before, driver, driver, 0);
}

/* One step of the proofs for one asked-for device. */
static void add_proof(struct plan *plan, int *error, enum step_kind kind, const struct claim_device *device,
		      const struct giving_back *how)
{
	const struct device *before = &device->before;
	const struct device_kind_row *row = device_kind_of(before);
	bool by_group = how->interface == INTERFACE_GROUP;

	if ((kind == STEP_BUS_MASTER_OFF && !row->masters_bus) || (kind == STEP_RESET && !row->can_be_reset) ||
	    (kind == STEP_UNBIND_VFIO && !row->claim_driver))
		return;
	if (kind == STEP_PROVE_NO_HOLDER)
		add(plan, error, kind, before, "", "", by_group && how->pin);
	else if (kind == STEP_PROVE_UNBOUND)
		add(plan, error, by_group ? STEP_PROVE_GROUP_FREE : kind, before, "", "",
		    how->by_unbind && row->claim_driver ? PROOF_BY_UNBIND : how->pin);
	else if (kind == STEP_UNBIND_VFIO)
		add(plan, error, kind, before, "", device_is_on_vfio(before) ? before->driver : row->claim_driver, 0);
	else if (kind != STEP_RESET)
		add(plan, error, kind, before, "", "", 0);
	else if (device->reset != RESET_SKIP)
		add(plan, error, kind, before, "", "", device->reset);
}

int plan_for_release(struct plan *plan, const struct claim_device *device, size_t count, const struct giving_back *how)
{
	static const enum step_kind proofs[] = {
		STEP_PROVE_NO_HOLDER, STEP_PROVE_UNBOUND, STEP_BUS_MASTER_OFF, STEP_RESET, STEP_UNBIND_VFIO,
	};
	/* Nothing is reset under somebody who may have it open. */
	static const enum step_kind by_unbind[] = {
		STEP_PROVE_NO_HOLDER, STEP_PROVE_UNBOUND, STEP_BUS_MASTER_OFF, STEP_UNBIND_VFIO, STEP_RESET,
	};
	const enum step_kind *order = how->by_unbind ? by_unbind : proofs;
	size_t start = plan->count;
	int error = 0;

	for (size_t k = 0; k < sizeof proofs / sizeof *proofs; k++)
		for (size_t i = 0; i < count; i++)
			if (!device[i].lockout && !device_is_bridge(&device[i].before))
				add_proof(plan, &error, order[k], &device[i], how);
	for (size_t i = 0; i < count; i++)
		add_restore(plan, &error, &device[i], how->pin);
	if (error < 0)
		plan->count = start;
	return error;
}

int plan_for_revocation(struct plan *plan, const struct claim_device *device, size_t count, uid_t uid, bool last)
{
	size_t start = plan->count;
	int error = 0;

	for (size_t i = 0; i < count; i++)
		if (!device[i].lockout && !device_is_bridge(&device[i].before))
			add(plan, &error, STEP_REVOKE, &device[i].before, "", "", uid);
	if (last)
		add(plan, &error, STEP_REVOKE, NULL, "", "", uid);
	if (error < 0)
		plan->count = start;
	return error;
}

int plan_for_unmapping(struct plan *plan, uint32_t ioas_id)
{
	int error = 0;

	add(plan, &error, STEP_UNMAP, NULL, "", "", ioas_id);
	return error;
}

enum delivery_mode plan_mode(const struct plan *plan)
{
	enum delivery_mode mode = MODE_OPEN;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT)
			return MODE_NODE;
		else if (plan->step[i].kind == STEP_CONTAINER || plan->step[i].kind == STEP_BIND)
			mode = MODE_ATTACHED;
	return mode;
}
