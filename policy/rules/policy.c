#include "policy.h"

#include "../util/text.h"

#include <stdlib.h>
#include <string.h>

enum { DIAGNOSTICS_MAX = 100 }; /* more than anybody reads: what comes after is counted only */

void diagnostics_add(struct diagnostics *diagnostics, bool error, const char *file, unsigned line, unsigned column,
		     const char *format, ...)
{
	struct diagnostic *larger, *item;
	va_list arguments;

	diagnostics->errors += error;
	if (diagnostics->count >= DIAGNOSTICS_MAX)
		return;
	larger = reallocarray(diagnostics->item, diagnostics->count + 1, sizeof *larger);
	if (!larger)
		return;
	diagnostics->item = larger;
	item = &larger[diagnostics->count];
	*item = (struct diagnostic){ .file = strdup(file), .line = line, .column = column, .error = error };
	if (!item->file)
		return;
	va_start(arguments, format);
	text_format_list(item->message, sizeof item->message, format, arguments);
	va_end(arguments);
	diagnostics->count++;
}

void diagnostics_done(struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++)
		free(diagnostics->item[i].file);
	free(diagnostics->item);
	*diagnostics = (struct diagnostics){ .item = NULL };
}

static void text_list_done(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
}

void device_selector_done(struct device_selector *selector)
{
	for (size_t i = 0; i < SELECTOR_LIST_COUNT; i++)
		text_list_done(&selector->list[i]);
	*selector = (struct device_selector){ .list = { { .item = NULL } } };
}

static void subject_selector_done(struct subject_selector *selector)
{
	free(selector->uid);
	free(selector->gid);
	text_list_done(&selector->unit);
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	for (size_t i = 0; i < policy->rule_count; i++) {
		free(policy->rule[i].file);
		subject_selector_done(&policy->rule[i].subject);
		device_selector_done(&policy->rule[i].device);
		text_list_done(&policy->rule[i].lockout_named);
	}
	for (size_t i = 0; i < policy->never_count; i++) {
		free(policy->never[i].file);
		device_selector_done(&policy->never[i].device);
	}
	for (size_t i = 0; i < policy->reserve_count; i++) {
		free(policy->reserve[i].file);
		device_selector_done(&policy->reserve[i].device);
	}
	for (size_t i = 0; i < policy->pool_count; i++) {
		for (size_t k = 0; k < policy->pool[i].selector_count; k++)
			device_selector_done(&policy->pool[i].selector[k]);
		free(policy->pool[i].selector);
	}
	for (size_t i = 0; i < policy->file_count; i++)
		free(policy->file[i]);
	subject_selector_done(&policy->operators);
	free(policy->rule);
	free(policy->never);
	free(policy->reserve);
	free(policy->pool);
	free(policy->file);
	free(policy);
	return NULL;
}

bool device_selector_names(const struct device_selector *selector, const char *device)
{
	return text_list_names(&selector->list[SELECTOR_NAME], device) ||
	       text_list_names(&selector->list[SELECTOR_ADDRESS], device);
}

const char *selector_list_to_string(enum selector_list list)
{
	static const char *const names[SELECTOR_LIST_COUNT] = {
		[SELECTOR_NAME] = "name",           [SELECTOR_ADDRESS] = "address",     [SELECTOR_ID] = "id",
		[SELECTOR_SUBSYSTEM] = "subsystem", [SELECTOR_CLASS] = "class",         [SELECTOR_DRIVER] = "driver",
		[SELECTOR_KIND] = "kind",           [SELECTOR_NUMA_NODE] = "numa_node", [SELECTOR_PARENT] = "parent",
		[SELECTOR_POOL] = "pool",
	};

	return (unsigned)list < SELECTOR_LIST_COUNT ? names[list] : NULL;
}

static int pool_by_name(const void *name, const void *pool)
{
	return strcmp(name, ((const struct pool *)pool)->name);
}

const struct pool *policy_pool(const struct policy *policy, const char *name)
{
	if (policy->pool_count == 0)
		return NULL;
	return bsearch(name, policy->pool, policy->pool_count, sizeof *policy->pool, pool_by_name);
}
