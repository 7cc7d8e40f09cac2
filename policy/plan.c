#include "plan.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const step_kinds[STEP_KIND_COUNT] = {
	[STEP_OVERRIDE] = "override",
	[STEP_UNBIND] = "unbind",
	[STEP_PROBE] = "probe",
	[STEP_CONTEXT] = "context",
	[STEP_OPEN] = "open",
	[STEP_BIND] = "bind",
	[STEP_IOAS] = "ioas",
	[STEP_ATTACH] = "attach",
	[STEP_MEMLOCK] = "memlock",
	[STEP_PROVE_NO_HOLDER] = "prove-no-holder",
	[STEP_PROVE_UNBOUND] = "prove-unbound",
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
	bool device;
	enum presence value, before;
	uint64_t number_min, number_max;
} shapes[STEP_KIND_COUNT] = {
	[STEP_OVERRIDE] = { true, NEEDED, OPTIONAL, 0, 0 },
	[STEP_UNBIND] = { true, ABSENT, NEEDED, 0, 0 },
	[STEP_PROBE] = { true, NEEDED, ABSENT, 0, 0 },
	[STEP_CONTEXT] = { false, ABSENT, ABSENT, 0, 1 },
	[STEP_OPEN] = { true, ABSENT, ABSENT, 0, 0 },
	[STEP_BIND] = { true, ABSENT, ABSENT, 0, 0 },
	[STEP_IOAS] = { false, ABSENT, ABSENT, 0, UINT32_MAX },
	[STEP_ATTACH] = { true, ABSENT, ABSENT, 0, 0 },
	[STEP_MEMLOCK] = { false, ABSENT, ABSENT, 1, UINT64_MAX },
	[STEP_PROVE_NO_HOLDER] = { true, ABSENT, ABSENT, 0, 0 },
	[STEP_PROVE_UNBOUND] = { true, ABSENT, ABSENT, 0, 1 },
	[STEP_BUS_MASTER_OFF] = { true, ABSENT, ABSENT, 0, 0 },
	[STEP_RESET] = { true, ABSENT, ABSENT, 0, RESET_DEMAND_COUNT - 1 },
	[STEP_UNBIND_VFIO] = { true, ABSENT, NEEDED, 0, 0 },
	[STEP_RESTORE] = { true, OPTIONAL, OPTIONAL, 0, 0 },
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
	if (shapes[step->kind].device ? !pci_address_is_valid(step->device)
				      : step->device[0] != '\0' || step->identity != 0)
		return false;
	return driver_is_sane(step->value, shapes[step->kind].value) &&
	       driver_is_sane(step->before, shapes[step->kind].before) &&
	       step->number >= shapes[step->kind].number_min && step->number <= shapes[step->kind].number_max;
}

static const char *describe_restore(const struct step *step, char *out, size_t size)
{
	if (step->value[0])
		text_format(out, size, "give %s back to the driver %s", step->device, step->value);
	else if (strcmp(step->before, PINNED_OVERRIDE) == 0)
		return text_format(out, size, "leave %s without a driver, pinned so that none binds", step->device);
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
			return text_format(out, size, "pin %s so that no driver binds to it", device);
		return text_format(out, size, "set aside %s for the driver %s", device, step->value);
	case STEP_UNBIND:
	case STEP_UNBIND_VFIO:
		return text_format(out, size, "unbind %s from %s", step->before, device);
	case STEP_PROBE:
		return text_format(out, size, "bind %s to %s", step->value, device);
	case STEP_CONTEXT:
		return text_format(out, size, step->number ? "use the claim's iommufd" : "open a new iommufd");
	case STEP_OPEN:
		return text_format(out, size, "open the VFIO device of %s", device);
	case STEP_BIND:
		return text_format(out, size, "bind %s to the iommufd", device);
	case STEP_IOAS:
		if (step->number)
			return text_format(out, size, "use the I/O address space %llu",
					   (unsigned long long)step->number);
		return text_format(out, size, "make an I/O address space");
	case STEP_ATTACH:
		return text_format(out, size, "attach %s to the I/O address space", device);
	case STEP_MEMLOCK:
		return describe_memlock(step, out, size);
	case STEP_PROVE_NO_HOLDER:
		return text_format(out, size, "see that no process holds %s", device);
	case STEP_PROVE_UNBOUND:
		return text_format(out, size, "see that %s is bound to no iommufd", device);
	case STEP_BUS_MASTER_OFF:
		return text_format(out, size, "see that bus mastering of %s is off", device);
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

/*
 * The steps of one kind that move devices off the host. Those asked for come before the lockouts, whatever the order
 * of the array: then the plan alone tells in which order its devices were given, which plan_is_covered() relies on.
 */
static void add_moves(struct plan *plan, int *error, enum step_kind kind, const struct claim_device *device,
		      size_t count)
{
	for (int lockout = 0; lockout <= 1; lockout++) {
		for (size_t i = 0; i < count; i++) {
			const struct device *now = &device[i].before;

			if (device[i].lockout != (lockout == 1) || device_is_on_vfio(now))
				continue;
			if (kind == STEP_OVERRIDE)
				add(plan, error, kind, now, lockout ? PINNED_OVERRIDE : VFIO_PCI_DRIVER,
				    now->driver_override, 0);
			else if (kind == STEP_UNBIND && now->driver[0])
				add(plan, error, kind, now, "", now->driver, 0);
			else if (kind == STEP_PROBE && !lockout)
				add(plan, error, kind, now, VFIO_PCI_DRIVER, "", 0);
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

int plan_for_claim(struct plan *plan, const struct claim_device *device, size_t count, enum delivery_mode mode,
		   bool grows, uint32_t ioas_id, uint64_t memlock)
{
	size_t start = plan->count;
	int error = 0;

	if (mode != MODE_ATTACHED && mode != MODE_OPEN)
		return -EINVAL;
	/* Overrides first: between its unbind and its own override a device would be free for any driver. */
	add_moves(plan, &error, STEP_OVERRIDE, device, count);
	add_moves(plan, &error, STEP_UNBIND, device, count);
	add_moves(plan, &error, STEP_PROBE, device, count);
	add(plan, &error, STEP_CONTEXT, NULL, "", "", grows);
	add_for_asked(plan, &error, STEP_OPEN, device, count);
	if (mode == MODE_ATTACHED) {
		add_for_asked(plan, &error, STEP_BIND, device, count);
		add(plan, &error, STEP_IOAS, NULL, "", "", grows ? ioas_id : 0);
		add_for_asked(plan, &error, STEP_ATTACH, device, count);
	}
	if (memlock > 0)
		add(plan, &error, STEP_MEMLOCK, NULL, "", "", memlock);
	if (error < 0)
		plan->count = start;
	return error;
}

/* How a device is left at the end of a release. */
static void add_restore(struct plan *plan, int *error, const struct claim_device *device, bool pin)
{
	const struct device *before = &device->before;

	if (pin && !device->lockout)
		add(plan, error, STEP_RESTORE, before, "", PINNED_OVERRIDE, 0);
	else if (device->restore || device_is_on_vfio(before))
		add(plan, error, STEP_RESTORE, before, before->driver, before->driver_override, 0);
	else if (device->lockout)
		add(plan, error, STEP_RESTORE, before, "", PINNED_OVERRIDE, 0);
	else
		add(plan, error, STEP_RESTORE, before, VFIO_PCI_DRIVER, VFIO_PCI_DRIVER, 0);
}

int plan_for_release(struct plan *plan, const struct claim_device *device, size_t count, bool pin)
{
	static const enum step_kind proofs[] = {
		STEP_PROVE_NO_HOLDER, STEP_PROVE_UNBOUND, STEP_BUS_MASTER_OFF, STEP_RESET, STEP_UNBIND_VFIO,
	};
	size_t start = plan->count;
	int error = 0;

	for (size_t k = 0; k < sizeof proofs / sizeof *proofs; k++) {
		for (size_t i = 0; i < count; i++) {
			const struct device *before = &device[i].before;

			if (device[i].lockout || before->bridge)
				continue;
			if (proofs[k] == STEP_PROVE_UNBOUND)
				add(plan, &error, proofs[k], before, "", "", pin);
			else if (proofs[k] == STEP_UNBIND_VFIO)
				add(plan, &error, proofs[k], before, "",
				    device_is_on_vfio(before) ? before->driver : VFIO_PCI_DRIVER, 0);
			else if (proofs[k] != STEP_RESET)
				add(plan, &error, proofs[k], before, "", "", 0);
			else if (device[i].reset != RESET_SKIP)
				add(plan, &error, proofs[k], before, "", "", device[i].reset);
		}
	}
	for (size_t i = 0; i < count; i++)
		add_restore(plan, &error, &device[i], pin);
	if (error < 0)
		plan->count = start;
	return error;
}
