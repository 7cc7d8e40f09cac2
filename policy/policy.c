#include "policy.h"

#include "glob.h"
#include "text.h"

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
	text_list_done(&selector->address);
	text_list_done(&selector->id);
	text_list_done(&selector->class_code);
	text_list_done(&selector->driver);
	text_list_done(&selector->pool);
	*selector = (struct device_selector){ .address = { .item = NULL } };
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
	free(policy->pool);
	free(policy->file);
	free(policy);
	return NULL;
}

/* A device with the texts that patterns are compared with, made once for a walk over all rules. */
struct candidate {
	const struct device *device;
	char id[10];        /* "1234:11e8" */
	char class_code[7]; /* "020000" */
};

static void write_hex(char *out, unsigned digits, uint32_t value)
{
	static const char digit[] = "0123456789abcdef";

	for (unsigned i = 0; i < digits; i++)
		out[i] = digit[value >> 4 * (digits - 1 - i) & 15];
}

static struct candidate candidate_of(const struct device *device)
{
	struct candidate candidate = { .device = device, .id = "____:____", .class_code = "______" };

	write_hex(candidate.id, 4, device->vendor);
	write_hex(candidate.id + 5, 4, device->device);
	write_hex(candidate.class_code, 6, device->class_code);
	return candidate;
}

static bool pattern_matches(const char *pattern, const char *text)
{
	return glob_has_wildcard(pattern) ? glob_matches(pattern, text) : strcmp(pattern, text) == 0;
}

static bool list_matches(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (pattern_matches(list->item[i], text))
			return true;
	return false;
}

static bool class_matches(const struct text_list *list, const char *class_code)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *pattern = list->item[i];

		if (glob_has_wildcard(pattern) ? glob_matches(pattern, class_code)
					       : strncmp(pattern, class_code, strlen(pattern)) == 0)
			return true;
	}
	return false;
}

static int pool_by_name(const void *name, const void *pool)
{
	return strcmp(name, ((const struct pool *)pool)->name);
}

static bool selector_matches(const struct policy *policy, const struct device_selector *selector,
			     const struct candidate *candidate);

/* Pools are sorted by name, and no selector of a pool names a pool. */
static bool pools_match(const struct policy *policy, const struct text_list *names, const struct candidate *candidate)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct pool *pool = NULL;

		if (policy->pool_count > 0)
			pool = bsearch(names->item[i], policy->pool, policy->pool_count, sizeof *pool, pool_by_name);
		for (size_t k = 0; pool && k < pool->selector_count; k++)
			if (selector_matches(policy, &pool->selector[k], candidate))
				return true;
	}
	return false;
}

static bool selector_matches(const struct policy *policy, const struct device_selector *selector,
			     const struct candidate *candidate)
{
	if (selector->address.count + selector->id.count + selector->class_code.count + selector->driver.count +
		    selector->pool.count ==
	    0)
		return false;
	return (selector->address.count == 0 || list_matches(&selector->address, candidate->device->name)) &&
	       (selector->id.count == 0 || list_matches(&selector->id, candidate->id)) &&
	       (selector->class_code.count == 0 || class_matches(&selector->class_code, candidate->class_code)) &&
	       (selector->driver.count == 0 || list_matches(&selector->driver, candidate->device->driver)) &&
	       (selector->pool.count == 0 || pools_match(policy, &selector->pool, candidate));
}

bool device_selector_matches(const struct policy *policy, const struct device_selector *selector,
			     const struct device *device)
{
	struct candidate candidate = candidate_of(device);

	return selector_matches(policy, selector, &candidate);
}

bool subject_selector_matches(const struct subject_selector *selector, const struct subject *subject)
{
	bool matches = selector->uid_count == 0;

	if (selector->any)
		return true;
	if (selector->uid_count + selector->gid_count + selector->unit.count == 0)
		return false;
	for (size_t i = 0; !matches && i < selector->uid_count; i++)
		matches = selector->uid[i] == subject->uid;
	if (!matches)
		return false;
	matches = selector->gid_count == 0;
	for (size_t i = 0; !matches && i < selector->gid_count; i++)
		matches = subject_has_group(subject, selector->gid[i]);
	if (!matches)
		return false;
	/* An unknown unit is no unit: even "*" does not match it. */
	return selector->unit.count == 0 || (subject->unit[0] && list_matches(&selector->unit, subject->unit));
}

const struct never_entry *policy_never(const struct policy *policy, const struct device *device)
{
	struct candidate candidate = candidate_of(device);

	for (size_t i = 0; i < policy->never_count; i++)
		if (selector_matches(policy, &policy->never[i].device, &candidate))
			return &policy->never[i];
	return NULL;
}

const struct rule *policy_rule_for(const struct policy *policy, const struct subject *subject,
				   const struct device *device)
{
	struct candidate candidate = candidate_of(device);

	for (size_t i = 0; i < policy->rule_count; i++)
		if (subject_selector_matches(&policy->rule[i].subject, subject) &&
		    selector_matches(policy, &policy->rule[i].device, &candidate))
			return &policy->rule[i];
	return NULL;
}

bool policy_is_operator(const struct policy *policy, const struct subject *subject)
{
	return subject->uid == 0 || subject_selector_matches(&policy->operators, subject);
}

bool text_list_names(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], text) == 0 && !glob_has_wildcard(list->item[i]))
			return true;
	return false;
}
