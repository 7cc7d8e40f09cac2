#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct finding *findings_add(struct findings *findings, const char *check, enum finding_state state, const char *format,
			     ...)
{
	size_t place = findings->count < FINDINGS_MAX ? findings->count++ : FINDINGS_MAX - 1;
	struct finding *finding = &findings->list[place];
	va_list arguments;

	finding->check = check;
	finding->state = state;
	finding->remedy[0] = '\0';
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
	return finding;
}

void finding_remedy(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, arguments);
	va_end(arguments);
}

const char *finding_state_text(enum finding_state state)
{
	static const char *const text[] = {
		[FINDING_OK] = "ok",
		[FINDING_WARNING] = "warning",
		[FINDING_MISSING] = "missing",
	};

	return text[state];
}

const struct finding *findings_find(const struct findings *findings, const char *check)
{
	for (size_t i = 0; i < findings->count; i++)
		if (strcmp(findings->list[i].check, check) == 0)
			return &findings->list[i];
	return NULL;
}
