#include "registry.h"

#include <string.h>

struct host_view registry_view(const struct registry *registry, const struct uses *uses)
{
	return (struct host_view){
		.topology = host_topology(registry->host),
		.uses = uses,
		.ledger = registry->ledger,
		.kernel = host_kernel(registry->host),
	};
}

/* Cuts a chain behind what everybody may know: that it is mounted, that somebody holds it. */
static void redact(struct use *use)
{
	if (use->kind == USE_MOUNT) {
		char *at = strstr(use->text, "mounted on ");

		if (at)
			strcpy(at, "mounted");
	} else if (use->kind == USE_HOLDER) {
		strcpy(use->text, "a process has it open");
		use->pid = 0;
	}
}

int registry_redact_uses(const struct uses *uses, struct uses *out)
{
	struct uses copy = { 0 };

	for (size_t i = 0; i < uses->count; i++) {
		struct use use = uses->use[i];
		int error;

		redact(&use);
		error = uses_add(&copy, &use);
		if (error < 0) {
			uses_done(&copy);
			return error;
		}
	}
	*out = copy;
	return 0;
}
