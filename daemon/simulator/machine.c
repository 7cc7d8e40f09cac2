#include "machine.h"

#include "../../policy/report/snapshot.h"

#include "../base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_departed(struct timer *timer)
{
	struct machine *machine = (struct machine *)((char *)timer - offsetof(struct machine, departure));
	struct simulated_device *device;

	while ((device = TAILQ_FIRST(&machine->leaving))) {
		TAILQ_REMOVE(&machine->leaving, device, leaving_link);
		machine_remove(device);
	}
}

int machine_new(struct loop *loop, struct machine **out)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	if (!machine)
		return -ENOMEM;
	machine->loop = loop;
	TAILQ_INIT(&machine->devices);
	TAILQ_INIT(&machine->changed);
	TAILQ_INIT(&machine->leaving);
	TAILQ_INIT(&machine->group_files);
	machine->departure.expired = remove_departed;
	TAILQ_INIT(&machine->listeners);
	machine->topology = topology_new();
	machine->given = ledger_new();
	if (!machine->topology || !machine->given) {
		topology_free(machine->topology);
		ledger_free(machine->given);
		free(machine);
		return -ENOMEM;
	}
	*out = machine;
	return 0;
}

static void device_free(struct simulated_device *device)
{
	free(device->driver);
	free(device->use);
	acl_clear(&device->acl);
	free(device);
}

struct machine *machine_free(struct machine *machine)
{
	struct simulated_device *device;

	if (!machine)
		return NULL;
	loop_clear_timer(machine->loop, &machine->departure);
	while ((device = TAILQ_FIRST(&machine->devices))) {
		TAILQ_REMOVE(&machine->devices, device, link);
		device_free(device);
	}
	for (size_t i = 0; i < machine->groups.allocated; i++)
		free(machine->groups.slot[i].value);
	for (size_t i = 0; i < machine->buses.allocated; i++)
		free(machine->buses.slot[i].value);
	name_table_done(&machine->by_name);
	name_table_done(&machine->groups);
	name_table_done(&machine->buses);
	name_table_done(&machine->contexts);
	topology_free(machine->topology);
	ledger_free(machine->given);
	acl_clear(&machine->container_acl);
	audit_log_done(&machine->audit_log);
	units_done(&machine->units);
	free(machine->vfio_number);
	free(machine);
	return NULL;
}

bool driver_uses_host_dma(const struct simulated_device *device)
{
	const char *driver = device->now.driver;

	/* The kernel's drivers of ports and pci-stub say so of themselves (driver_managed_dma), as VFIO's do. */
	return *driver && !device->on_vfio && !device_is_bridge(&device->now) && strcmp(driver, "pcieport") != 0 &&
	       strcmp(driver, "pci-stub") != 0;
}

static struct simulated_group *find_or_make_group(struct machine *machine, int32_t number)
{
	struct simulated_group *group = calloc(1, sizeof(*group)), *found;

	if (!group)
		return NULL;
	snprintf(group->key, sizeof(group->key), "%d", number);
	found = name_table_find(&machine->groups, group->key);
	if (found || name_table_add(&machine->groups, group->key, group) < 0) {
		free(group);
		return found;
	}
	TAILQ_INIT(&group->bound);
	group->number = number;
	return group;
}

static void leave_group(struct machine *machine, struct simulated_group *group)
{
	if (!group || --group->members > 0)
		return;
	name_table_remove(&machine->groups, group->key);
	if (group->opened)
		group->opened->group = NULL;
	free(group);
}

static struct bus *find_or_make_bus(struct machine *machine, const char *address)
{
	struct bus *bus = calloc(1, sizeof(*bus)), *found;
	const char *end = strrchr(address, ':');

	if (!bus)
		return NULL;
	snprintf(bus->key, sizeof(bus->key), "%.*s", (int)(end - address), address);
	found = name_table_find(&machine->buses, bus->key);
	if (found || name_table_add(&machine->buses, bus->key, bus) < 0) {
		free(bus);
		return found;
	}
	return bus;
}

static void leave_bus(struct machine *machine, struct bus *bus)
{
	if (!bus || --bus->devices > 0)
		return;
	name_table_remove(&machine->buses, bus->key);
	free(bus);
}

int machine_take_vfio_number(struct machine *machine, int wanted)
{
	size_t word = wanted < 0 ? machine->vfio_hint : (size_t)wanted / 64;
	int bit;

	if (wanted < 0)
		while (word < machine->vfio_words && machine->vfio_number[word] == UINT64_MAX)
			word++;
	if (word >= machine->vfio_words) {
		size_t words = word + 16;
		uint64_t *larger = realloc(machine->vfio_number, words * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		memset(larger + machine->vfio_words, 0, (words - machine->vfio_words) * sizeof(*larger));
		machine->vfio_number = larger;
		machine->vfio_words = words;
	}
	bit = wanted < 0 ? __builtin_ctzll(~machine->vfio_number[word]) : wanted % 64;
	if (machine->vfio_number[word] & UINT64_C(1) << bit)
		return -EADDRINUSE;
	machine->vfio_number[word] |= UINT64_C(1) << bit;
	if (wanted < 0)
		machine->vfio_hint = word;
	return (int)(word * 64) + bit;
}

void machine_free_vfio_number(struct machine *machine, int number)
{
	size_t word = (size_t)number / 64;

	machine->vfio_number[word] &= ~(UINT64_C(1) << (number % 64));
	if (word < machine->vfio_hint)
		machine->vfio_hint = word;
}

/* Gives the device its VFIO node, if it has a VFIO driver. */
static int place_on_vfio(struct machine *machine, struct simulated_device *device)
{
	int number;

	if (!*device->now.driver || (!*device->now.vfio_node && !strstr(device->now.driver, "vfio")))
		return 0;
	number = *device->now.vfio_node ? vfio_node_number(device->now.vfio_node) : -1;
	number = machine_take_vfio_number(machine, number);
	if (number < 0)
		return number;
	snprintf(device->now.vfio_node, sizeof(device->now.vfio_node), "vfio%d", number);
	device->on_vfio = true;
	if (!strstr(device->now.driver, "vfio"))
		memcpy(device->vendor_vfio, device->now.driver, sizeof(device->vendor_vfio));
	return 0;
}

/* Takes back what machine_add() did before it failed. */
static int forget(struct machine *machine, struct simulated_device *device, int error)
{
	if (device->on_vfio)
		machine_free_vfio_number(machine, vfio_node_number(device->now.vfio_node));
	leave_group(machine, device->group);
	leave_bus(machine, device->bus);
	name_table_remove(&machine->by_name, device->now.name);
	device_free(device);
	return error;
}

int machine_add(struct machine *machine, const struct device_description *description)
{
	struct simulated_device *device;
	int error;

	if (machine_find(machine, description->device.name))
		return -EEXIST;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	TAILQ_INIT(&device->files);
	TAILQ_INIT(&device->waiters);
	device->machine = machine;
	device->now = description->device;
	device->now.identity = ++machine->last_identity;
	if (description->driver_count > 0) {
		device->driver = calloc(description->driver_count, sizeof(*device->driver));
		if (!device->driver)
			return forget(machine, device, -ENOMEM);
		memcpy(device->driver, description->driver, description->driver_count * sizeof(*device->driver));
		device->driver_count = description->driver_count;
	}
	error = place_on_vfio(machine, device);
	if (error < 0)
		return forget(machine, device, error);
	if (device->now.group >= 0) {
		device->group = find_or_make_group(machine, device->now.group);
		if (!device->group)
			return forget(machine, device, -ENOMEM);
		device->group->members++;
	}
	if (device_is_pci(&device->now)) {
		device->bus = find_or_make_bus(machine, device->now.name);
		if (!device->bus)
			return forget(machine, device, -ENOMEM);
		device->bus->devices++;
	}
	if (name_table_add(&machine->by_name, device->now.name, device) < 0 ||
	    topology_put(machine->topology, &device->now) < 0)
		return forget(machine, device, -ENOMEM);
	if (device->group && driver_uses_host_dma(device))
		device->group->host_drivers++;
	TAILQ_INSERT_TAIL(&machine->devices, device, link);
	machine_note_change(device);
	return 0;
}

void machine_remove(struct simulated_device *device)
{
	struct machine *machine = device->machine;
	struct machine_listener *listener;

	machine_wake(device);
	TAILQ_FOREACH(listener, &machine->listeners, link)
	listener->gone(listener, device);
	if (device->changed)
		TAILQ_REMOVE(&machine->changed, device, changed_link);
	TAILQ_REMOVE(&machine->devices, device, link);
	topology_remove(machine->topology, device->now.name);
	if (device->group && driver_uses_host_dma(device))
		device->group->host_drivers--;
	/* A device that leaves has lost its node already, and its number with it. */
	if (!*device->now.vfio_node)
		device->on_vfio = false;
	forget(machine, device, 0);
}

struct simulated_device *machine_find(const struct machine *machine, const char *name)
{
	return name_table_find(&machine->by_name, name);
}

int machine_add_use(struct simulated_device *device, const struct use *use)
{
	struct said_use *larger = realloc(device->use, (device->use_count + 1) * sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	device->use = larger;
	device->use[device->use_count].use = *use;
	memcpy(device->use[device->use_count].driver, device->now.driver, sizeof(device->now.driver));
	device->use_count++;
	return 0;
}

void machine_clear_uses(struct simulated_device *device)
{
	free(device->use);
	device->use = NULL;
	device->use_count = 0;
}

int machine_list_uses(const struct simulated_device *device, struct uses *uses)
{
	if (snapshot_own_uses(&device->now, uses) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < device->use_count; i++) {
		const struct said_use *said = &device->use[i];

		if (said->use.kind != USE_HOLDER && strcmp(said->driver, device->now.driver) != 0)
			continue;
		if (uses_add(uses, &said->use) < 0)
			return -ENOMEM;
	}
	return 0;
}

void machine_note_change(struct simulated_device *device)
{
	struct machine *machine = device->machine;

	/* Replaces what is there, which needs no memory. */
	if (topology_put(machine->topology, &device->now) < 0)
		log_error("out of memory: %s is not what it should be", device->now.name);
	if (!device->changed)
		TAILQ_INSERT_TAIL(&machine->changed, device, changed_link);
	device->changed = true;
}

void machine_publish(struct machine *machine)
{
	struct simulated_device *device;
	struct machine_listener *listener;

	while ((device = TAILQ_FIRST(&machine->changed))) {
		TAILQ_REMOVE(&machine->changed, device, changed_link);
		device->changed = false;
		TAILQ_FOREACH(listener, &machine->listeners, link)
		listener->changed(listener, &device->now);
	}
}

void machine_listen(struct machine *machine, struct machine_listener *listener)
{
	TAILQ_INSERT_TAIL(&machine->listeners, listener, link);
}

void machine_unlisten(struct machine *machine, struct machine_listener *listener)
{
	TAILQ_REMOVE(&machine->listeners, listener, link);
}

void waiter_wait(struct waiter *waiter, struct simulated_device *device)
{
	waiter_cancel(waiter);
	waiter->device = device;
	TAILQ_INSERT_TAIL(&device->waiters, waiter, link);
}

void waiter_cancel(struct waiter *waiter)
{
	if (waiter->device)
		TAILQ_REMOVE(&waiter->device->waiters, waiter, link);
	waiter->device = NULL;
}

void machine_wake(struct simulated_device *device)
{
	struct waiter *waiter;

	while ((waiter = TAILQ_FIRST(&device->waiters))) {
		waiter_cancel(waiter);
		waiter->wake(waiter);
	}
}
