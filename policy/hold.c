#include "hold.h"

#include "text.h"

bool hold_is_sane(const struct hold *hold)
{
	return hold->pid > 0 && hold->kind < HOLD_KIND_COUNT && hold->count > 0 && hold->group >= -1 &&
	       hold->service <= 1 && text_is_printable(hold->device, sizeof hold->device) &&
	       text_is_printable(hold->node, sizeof hold->node) &&
	       text_is_printable(hold->claim, sizeof hold->claim) &&
	       text_is_printable(hold->command, sizeof hold->command) &&
	       text_is_printable(hold->unit, sizeof hold->unit);
}

bool node_access_is_sane(const struct node_access *access)
{
	return text_is_printable(access->node, sizeof access->node) && access->node[0] &&
	       text_is_printable(access->device, sizeof access->device) && access->group >= -1 &&
	       access->mode <= 07777 && access->everybody <= 1 && access->groups <= 1 &&
	       access->user_count <= NODE_USERS_MAX && text_is_printable(access->acl, sizeof access->acl);
}
