#include "surveyed.h"

#include "../../daemon/executor/inspect.h"
#include "../../daemon/executor/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct uses uses;

int survey(const struct tree *tree, const char *name)
{
	struct device device;

	uses_done(&uses);
	assert_int_equal(inspect_device(&tree->host, name, NULL, &device), 0);
	return survey_devices(&tree->host, &device, 1, false, NULL, &uses);
}

int survey_with_processes(const struct tree *tree, const char *name, const char *second)
{
	struct patience *patience = patience_new();
	struct device device[2];
	int error;

	uses_done(&uses);
	assert_non_null(patience);
	assert_int_equal(inspect_device(&tree->host, name, NULL, &device[0]), 0);
	if (second)
		assert_int_equal(inspect_device(&tree->host, second, NULL, &device[1]), 0);
	error = survey_devices(&tree->host, device, second ? 2 : 1, true, patience, &uses);
	patience_free(patience);
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
