#include "surveyed.h"

#include "../../daemon/executor/devices/pci_device.h"
#include "../../daemon/executor/survey/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct uses uses;

/*
 * Most tests are about what a driver has made of a device, and not about the driver: where the tree has none, one
 * stands in, of which nothing is told. Not of a network card, of which a driver without an interface is told a lot.
 */
static const char stand_in[] = "stand-in";

static void read_device(const struct tree *tree, const char *name, struct device *device)
{
	assert_int_equal(pci_device_device(&tree->host, name, NULL, device), 0);
	if (!device->driver[0] && device_pci(device)->class_code >> 16 != 0x02)
		memcpy(device->driver, stand_in, sizeof(stand_in));
}

static void forget_stand_in(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < uses.count; i++)
		if (!strstr(uses.use[i].text, stand_in))
			uses.use[kept++] = uses.use[i];
	uses.count = kept;
}

int survey(const struct tree *tree, const char *name)
{
	struct device device;
	int error;

	uses_done(&uses);
	read_device(tree, name, &device);
	error = survey_devices(&tree->host, &device, 1, false, NULL, &uses);
	forget_stand_in();
	return error;
}

int survey_with_processes(const struct tree *tree, const char *name, const char *second)
{
	struct timed_call *timed_call = timed_call_new();
	struct device device[2];
	int error;

	uses_done(&uses);
	assert_non_null(timed_call);
	read_device(tree, name, &device[0]);
	if (second)
		read_device(tree, second, &device[1]);
	error = survey_devices(&tree->host, device, second ? 2 : 1, true, timed_call, &uses);
	forget_stand_in();
	timed_call_free(timed_call);
	return error;
}

void surveyed_end(void)
{
	uses_done(&uses);
}

void assert_use(size_t index, enum use_kind kind, enum severity severity, const char *text)
{
	assert_true(index < uses.count);
	assert_string_equal(uses.use[index].text, text);
	assert_int_equal(uses.use[index].kind, kind);
	assert_int_equal(uses.use[index].severity, severity);
	assert_true(use_is_sane(&uses.use[index]));
}

void assert_some_use(enum use_kind kind, enum severity severity, const char *text)
{
	for (size_t i = 0; i < uses.count; i++) {
		if (strcmp(uses.use[i].text, text) != 0)
			continue;
		assert_use(i, kind, severity, text);
		return;
	}
	for (size_t i = 0; i < uses.count; i++)
		print_error("found: %s\n", uses.use[i].text);
	fail_msg("no use is \"%s\"", text);
}
