#include "survey_platform.h"

#include "../../../policy/util/text.h"
#include "class_links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct platform;

/* Decides over one entry of a class: false: it is of no interest; else the severity and the end of the chain. */
typedef bool (*platform_judge)(const struct platform *platform, const struct class_link *link, struct use *use);

/* What is looked at for all entries. */
struct platform {
	const struct host *host;
	char consoles[256]; /* the kernel's active consoles: "tty0 ttyS0" */
};

static const char *attribute_of(const struct platform *platform, const char *class, const struct class_link *link,
				const char *name, char out[static 64])
{
	char path[192];

	snprintf(path, sizeof(path), "class/%s/%s/%s", class, link->name, name);
	if (sysfs_read(platform->host->sys, path, out, 64) < 0)
		out[0] = '\0';
	return out;
}

static bool judge_tpm(const struct platform *platform, const struct class_link *link, struct use *use)
{
	text_format(use->text, sizeof(use->text), "%s > trusted platform module of the host", link->name);
	return true;
}

static bool judge_ipmi(const struct platform *platform, const struct class_link *link, struct use *use)
{
	text_format(use->text, sizeof(use->text), "%s > management controller of the host (IPMI)", link->name);
	return true;
}

/* Nobody feeds it any more once its driver is gone, and it may not be possible to stop it. */
static bool judge_watchdog(const struct platform *platform, const struct class_link *link, struct use *use)
{
	char state[64];

	if (strcmp(attribute_of(platform, "watchdog", link, "state", state), "active") == 0) {
		use->severity = SEVERITY_FATAL;
		text_format(use->text, sizeof(use->text), "%s > running: it may reset the host", link->name);
	} else {
		use->severity = SEVERITY_IDLE;
		text_format(use->text, sizeof(use->text), "%s > watchdog, not running", link->name);
	}
	return true;
}

/* The lines that a sound card is open on show in its device nodes. */
static bool judge_sound(const struct platform *platform, const struct class_link *link, struct use *use)
{
	char id[64];

	if (strncmp(link->name, "card", 4) != 0)
		return false;
	use->severity = SEVERITY_IDLE;
	text_format(use->text, sizeof(use->text), "%s > sound card %s", link->name,
		    attribute_of(platform, "sound", link, "id", id));
	return true;
}

/* Only the active ones are read at all. */
static bool judge_terminal(const struct platform *platform, const struct class_link *link, struct use *use)
{
	text_format(use->text, sizeof(use->text), "%s > console of the host", link->name);
	return true;
}

/* Memory that the host uses as such can't be taken from under it. What is a disk is found as a disk. */
static bool judge_memory(const struct platform *platform, const struct class_link *link, struct use *use)
{
	char path[128], driver[64] = "";

	snprintf(path, sizeof(path), "bus/dax/devices/%s/driver", link->name);
	sysfs_read_link_name(platform->host->sys, path, driver, sizeof(driver));
	if (strcmp(driver, "kmem") == 0) {
		use->severity = SEVERITY_FATAL;
		text_format(use->text, sizeof(use->text), "%s > main memory of the host", link->name);
	} else {
		text_format(use->text, sizeof(use->text), "%s > memory for programs (DAX)", link->name);
	}
	return true;
}

static bool judge_region(const struct platform *platform, const struct class_link *link, struct use *use)
{
	if (strncmp(link->name, "region", 6) != 0)
		return false;
	use->severity = SEVERITY_IDLE;
	text_format(use->text, sizeof(use->text), "%s > persistent memory", link->name);
	return true;
}

static bool judge_cxl(const struct platform *platform, const struct class_link *link, struct use *use)
{
	if (strncmp(link->name, "mem", 3) != 0)
		return false;
	text_format(use->text, sizeof(use->text), "%s > CXL memory", link->name);
	return true;
}

static const struct {
	const char *folder;
	enum use_kind kind;
	platform_judge judge;
} places[] = {
	{ "class/tpm", USE_MANAGEMENT, judge_tpm },           { "class/ipmi", USE_MANAGEMENT, judge_ipmi },
	{ "class/watchdog", USE_MANAGEMENT, judge_watchdog }, { "class/sound", USE_SOUND, judge_sound },
	{ "class/tty", USE_CONSOLE, judge_terminal },         { "bus/dax/devices", USE_MEMORY, judge_memory },
	{ "bus/nd/devices", USE_MEMORY, judge_region },       { "bus/cxl/devices", USE_MEMORY, judge_cxl },
};

static int survey_place(const struct platform *platform, size_t place, const struct device *device, size_t count,
			struct uses *uses)
{
	struct class_links links;
	/* There are scores of terminals, and one or two are consoles. */
	int error = places[place].kind == USE_CONSOLE
			    ? class_links_read_some(platform->host, "tty", platform->consoles, &links)
			    : class_links_read_folder(platform->host, places[place].folder, &links);

	if (error < 0)
		return error;
	for (size_t i = 0; i < count && links.count > 0 && error == 0; i++) {
		struct class_range range = class_links_of(&links, device[i].name);

		for (size_t k = 0; k < range.count && error == 0; k++) {
			struct use use = { .kind = places[place].kind, .severity = SEVERITY_DISRUPTIVE };

			text_format(use.device, sizeof(use.device), "%s", device[i].name);
			if (places[place].judge(platform, &range.link[k], &use))
				error = uses_add(uses, &use);
		}
	}
	class_links_done(&links);
	return error;
}

/* A management controller whose node is not there (the driver's interface for programs is a module of its own). */
static int add_controllers(const struct device *device, size_t count, struct uses *uses)
{
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++) {
		struct use use = { .kind = USE_MANAGEMENT, .severity = SEVERITY_DISRUPTIVE };

		if (strncmp(device[i].driver, "ipmi_", 5) != 0)
			continue;
		for (size_t k = 0; k < uses->count && use.text[0] == '\0'; k++)
			if (uses->use[k].kind == USE_MANAGEMENT && strcmp(uses->use[k].device, device[i].name) == 0)
				use.text[0] = '-';
		if (use.text[0])
			continue;
		text_format(use.device, sizeof(use.device), "%s", device[i].name);
		text_format(use.text, sizeof(use.text), "management controller of the host (IPMI)");
		error = uses_add(uses, &use);
	}
	return error;
}

int survey_platform(const struct host *host, const struct device *device, size_t count, struct uses *uses)
{
	struct platform platform = { .host = host };
	int error = 0;

	if (sysfs_read(host->sys, "class/tty/console/active", platform.consoles, sizeof(platform.consoles)) < 0)
		platform.consoles[0] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && error == 0; i++)
		error = survey_place(&platform, i, device, count, uses);
	return error == 0 ? add_controllers(device, count, uses) : error;
}
