#include "registry.h"

#include "../../../policy/decide/refusal_text.h"
#include "../../../policy/util/text.h"

void registry_end(struct registry *registry)
{
	registry->ending = true;
	newsroom_close(&registry->news);
	if (registry->host)
		host_end(registry->host);
}

struct host_view registry_view(const struct registry *registry, const struct uses *uses)
{
	return (struct host_view){
		.topology = host_topology(registry->host),
		.uses = uses,
		.ledger = registry->ledger,
		.kernel = host_kernel(registry->host),
		.policy_fault = registry->standing.place[0] ? registry->standing.place : NULL,
		.policies_differ = registry_policies_differ(registry),
	};
}

bool registry_policies_differ(const struct registry *registry)
{
	return registry->policy->digest != host_policy_digest(registry->host);
}

int registry_redact_uses(const struct uses *uses, struct uses *out)
{
	struct uses copy = { 0 };

	for (size_t i = 0; i < uses->count; i++) {
		struct use use = uses->use[i];
		int error;

		text_format(use.text, sizeof(use.text), "%s", use_told(&uses->use[i], false));
		use.pid = 0;
		error = uses_add(&copy, &use);
		if (error < 0) {
			uses_done(&copy);
			return error;
		}
	}
	*out = copy;
	return 0;
}
