#include "note_losses.h"

#include "../util/text.h"

#include <string.h>

enum { FACTS_MAX = 3 };

const char *note_thing(const struct device *device)
{
	static const struct {
		uint32_t prefix;
		unsigned digits;
		const char *text;
	} things[] = {
		{ 0x0108, 4, "NVMe disk" },          { 0x0207, 4, "InfiniBand card" }, { 0x02, 2, "network card" },
		{ 0x0302, 4, "compute card (GPU)" }, { 0x03, 2, "graphics card" },     { 0x0403, 4, "sound device" },
		{ 0x0401, 4, "sound device" },       { 0x01, 2, "disk controller" },
	};

	for (size_t i = 0; i < sizeof things / sizeof *things; i++)
		if (device_pci(device)->class_code >> (24 - 4 * things[i].digits) == things[i].prefix)
			return things[i].text;
	return device_class_to_text(device_pci(device)->class_code);
}

/* What it does to the host to lose what is used so; NULL: nothing in particular. */
static const char *fatal_consequence(enum use_kind kind)
{
	switch (kind) {
	case USE_NETWORK_LINK:
	case USE_ADDRESS:
	case USE_NAMESPACE:
		return "it would be cut off from the network, and so would you if you use it remotely";
	case USE_MOUNT:
	case USE_BLOCK:
	case USE_HIBERNATION:
		return "it runs from this device, and would stop working";
	case USE_SWAP:
		return "memory that is swapped out would be lost, and programs or the whole host would crash";
	case USE_MEMORY:
		return "host memory would vanish, and the host would crash";
	case USE_DISPLAY:
	case USE_CONSOLE:
	case USE_INPUT:
		return "the host's console would vanish";
	case USE_MANAGEMENT:
		return "the machine itself needs it, and might stop or reset without it";
	case USE_VIRTUAL_FUNCTION:
	case USE_HOLDER:
	case USE_OPEN:
	case USE_USB:
	case USE_SOUND:
	case USE_DRIVER:
	case USE_UNKNOWN_DRIVER:
	case USE_KIND_COUNT:
		break;
	}
	return "the host would stop working or be cut off";
}

static const char *disruptive_consequence(enum use_kind kind)
{
	switch (kind) {
	case USE_NETWORK_LINK:
	case USE_ADDRESS:
		return "connections over it would break";
	case USE_NAMESPACE:
		return "the container that uses it would lose its network";
	case USE_MOUNT:
		return "file systems mounted from it would fail, and data not yet written would be lost";
	case USE_SWAP:
		return "memory that is swapped out would be lost, and programs would crash";
	case USE_BLOCK:
		return "programs that have its block device open would fail, and data not yet written would be lost";
	case USE_HIBERNATION:
		return "the host could no longer hibernate";
	case USE_DISPLAY:
		return "its screens would go dark, and the programs that draw on them might end";
	case USE_CONSOLE:
		return "the console on it would vanish";
	case USE_INPUT:
	case USE_USB:
		return "the devices plugged into it would vanish, as if pulled out";
	case USE_SOUND:
		return "programs that play or record on it would fail";
	case USE_MANAGEMENT:
		return "the host could no longer manage the machine through it";
	case USE_MEMORY:
		return "programs would lose memory that they use";
	case USE_VIRTUAL_FUNCTION:
		return "its virtual functions would vanish, and their users would lose them";
	case USE_HOLDER:
	case USE_OPEN:
		return "the program that has it open would fail";
	case USE_UNKNOWN_DRIVER:
		return "it is unknown what its driver does for the host: assume that it is needed";
	case USE_DRIVER:
	case USE_KIND_COUNT:
		break;
	}
	return "programs that use it would stop working";
}

/* The last link of a chain: what it comes to. */
static const char *end_of(const char *chain)
{
	const char *last = chain, *next;

	while ((next = strstr(last, " > ")))
		last = next + 3;
	return last;
}

/* Up to FACTS_MAX ends of the chains, worst uses first, each once: "default route, address 10.0.2.15/24". */
static void list_facts(const struct judgement *judgement, const char *device, char *out, size_t size)
{
	const struct uses *uses = judgement->host->uses;
	const char *told[FACTS_MAX];
	size_t count = 0, more = 0;

	out[0] = '\0';
	for (int severity = SEVERITY_FATAL; severity >= SEVERITY_DISRUPTIVE; severity--) {
		for (size_t i = 0; i < uses->count; i++) {
			const struct use *use = &uses->use[i];
			bool again = false;
			const char *end;

			if (use->severity != (uint32_t)severity || strcmp(use->device, device) != 0)
				continue;
			end = end_of(use_told(use, judgement->by_operator));
			for (size_t k = 0; k < count; k++)
				again = again || strcmp(told[k], end) == 0;
			if (again)
				continue;
			if (count == FACTS_MAX) {
				more++;
				continue;
			}
			text_append(out, size, "%s%s", count ? ", " : "", end);
			told[count++] = end;
		}
	}
	if (more)
		text_append(out, size, ", and %zu more", more);
}

/* The host's own name of it, as "eth0 ": the first link of the chain, where that is one word. */
static void name_of(const char *told, char *out, size_t size)
{
	const char *end = strstr(told, " > ");
	size_t length = end ? (size_t)(end - told) : 0;

	if (length > 0 && length < 32 && !memchr(told, ' ', length))
		text_format(out, size, "%.*s ", (int)length, told);
	else
		out[0] = '\0';
}

static void say_idle(const struct judgement *judgement, struct note *note, const struct device *device)
{
	const struct use *use = uses_worst(judgement->host->uses, device->name, SEVERITY_IDLE);
	const char *thing = note_thing(device);

	if (device_is_on_vfio(device))
		text_format(note->text, sizeof note->text,
			    "The host would lose nothing with the %s %s: it is already bound to %s", thing,
			    device->name, device->driver);
	else if (!device->driver[0])
		text_format(note->text, sizeof note->text,
			    "The host would lose nothing with the %s %s: no host driver has it", thing, device->name);
	else if (use && use->kind == USE_UNKNOWN_DRIVER)
		text_format(note->text, sizeof note->text,
			    "The host would lose its %s %s (driver %s): no use was found, but it is unknown what this "
			    "driver is used for",
			    thing, device->name, device->driver);
	else
		text_format(note->text, sizeof note->text,
			    "The host would lose its %s %s (driver %s): nothing uses it now", thing, device->name,
			    device->driver);
}

void note_loss(struct judgement *judgement, const struct device *device, const struct asked *asked, bool lockout)
{
	const struct use *worst = uses_worst(judgement->host->uses, device->name, SEVERITY_DISRUPTIVE);
	enum severity severity = worst ? (enum severity)worst->severity : SEVERITY_IDLE;
	struct note *note = judgement_add_note(judgement, NOTE_LOSS, severity, device->name);
	char facts[TEXT_MAX], name[40];
	enum use_kind kind;

	if (worst) {
		kind = (enum use_kind)worst->kind;
		list_facts(judgement, device->name, facts, sizeof facts);
		name_of(use_told(worst, judgement->by_operator), name, sizeof name);
		text_format(note->text, sizeof note->text, "The host would lose its %s %s%s (%s): %s",
			    note_thing(device), name, device->name, facts,
			    severity == SEVERITY_FATAL ? fatal_consequence(kind) : disruptive_consequence(kind));
	} else {
		say_idle(judgement, note, device);
	}
	if (lockout)
		text_append(note->text, sizeof note->text, "; it was not requested, but shares an IOMMU group with %s",
			    asked->name);
}
