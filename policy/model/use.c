#include "use.h"

#include "../util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool use_is_sane(const struct use *use)
{
	return text_is_printable(use->device, sizeof use->device) && use->device[0] &&
	       text_is_printable(use->text, sizeof use->text) && use->kind < USE_KIND_COUNT &&
	       use->severity < SEVERITY_COUNT && use->pid >= 0 && (use->pid == 0 || use->kind == USE_HOLDER) &&
	       use->reserved == 0;
}

int uses_add(struct uses *uses, const struct use *use)
{
	if (uses->count == uses->allocated) {
		size_t allocated = uses->allocated ? uses->allocated * 2 : 16;
		struct use *larger = reallocarray(uses->use, allocated, sizeof *larger);

		if (!larger)
			return -ENOMEM;
		uses->use = larger;
		uses->allocated = allocated;
	}
	uses->use[uses->count++] = *use;
	return 0;
}

void uses_done(struct uses *uses)
{
	free(uses->use);
	*uses = (struct uses){ .use = NULL };
}

const struct use *uses_worst(const struct uses *uses, const char *device, enum severity at_least)
{
	const struct use *worst = NULL;

	for (size_t i = 0; i < uses->count; i++) {
		const struct use *use = &uses->use[i];

		if (use->severity >= (uint32_t)at_least && (!worst || use->severity > worst->severity) &&
		    strcmp(use->device, device) == 0)
			worst = use;
	}
	return worst;
}
