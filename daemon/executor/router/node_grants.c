#include "node_grants.h"

#include "../../base/log.h"
#include "../devices/pci_device.h"
#include "../devices/node_acl.h"

#include <stdlib.h>
#include <string.h>

/* One step of a claim: a user's right to a device's nodes, or (device "") to the container. */
struct grant {
	struct grant *next;
	char device[DEVICE_NAME_MAX];
	uint64_t identity;
	uid_t uid;
};

/* The nodes of a grant as they are now. */
static size_t nodes_of(const struct node_grants *grants, const struct grant *grant,
		       struct vfio_node node[static VFIO_NODES_MAX])
{
	uint64_t identity;
	size_t count = 0;

	if (!grant->device[0])
		return node_acl_container(grants->host, &node[0]) == 0 &&
		       !node_acl_is_open_to_all(grants->host, &node[0]);

	autoclose int folder = pci_device_open(grants->host, grant->device);

	if (folder >= 0 && pci_device_identity(folder, &identity) == 0 && identity == grant->identity)
		count = node_acl_nodes_of(grants->host, folder, node);
	return count;
}

/* Grants anew what a node has lost. name: only this node; NULL: all of them. */
static void renew(const struct node_grants *grants, const struct grant *grant, const char *name)
{
	struct vfio_node node[VFIO_NODES_MAX];
	size_t count = nodes_of(grants, grant, node);
	char why[TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		if ((!name || strcmp(node[i].name, name) == 0) &&
		    node_acl_grant(grants->host, &node[i], grant->uid, why) < 0)
			log_warning("the user %u can no longer open /dev/%s: %s", grant->uid, node[i].name, why);
}

static bool is_of(const struct grant *grant, const struct step *step)
{
	/* Without its VFIO driver the device has no nodes, whoever could open them. */
	return strcmp(grant->device, step->device) == 0 &&
	       (step->kind == STEP_UNBIND_VFIO || grant->uid == (uid_t)step->number);
}

static struct grant **find(struct node_grants *grants, const struct step *step)
{
	struct grant **link = &grants->first;

	while (*link && !is_of(*link, step))
		link = &(*link)->next;
	return link;
}

static void add_grant(struct node_grants *grants, const struct step *step)
{
	struct grant **link = find(grants, step);
	struct grant *grant = *link;

	if (step->number == 0)
		return;
	if (!grant) {
		grant = *link = calloc(1, sizeof(*grant));
		if (!grant) {
			log_error("out of memory: the ACLs of user %u will not survive udev events",
				  (unsigned)step->number);
			return;
		}
		grant->uid = (uid_t)step->number;
		memcpy(grant->device, step->device, sizeof(grant->device));
	}
	grant->identity = step->identity;
	/* udev may have been at work since the binder was. */
	renew(grants, grant, NULL);
}

static void drop(struct node_grants *grants, const struct step *step)
{
	struct grant **link, *grant;

	while ((grant = *(link = find(grants, step)))) {
		*link = grant->next;
		free(grant);
	}
}

void node_grants_withdraw(struct node_grants *grants, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_REVOKE || plan->step[i].kind == STEP_UNBIND_VFIO)
			drop(grants, &plan->step[i]);
}

void node_grants_take_up(struct node_grants *grants, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT)
			add_grant(grants, &plan->step[i]);
}

void node_grants_give_up(struct node_grants *grants, const struct plan *plan)
{
	struct vfio_node node;
	char why[TEXT_MAX];

	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT && !plan->step[i].device[0] && !*find(grants, &plan->step[i]) &&
		    node_acl_container(grants->host, &node) == 0 &&
		    node_acl_revoke(grants->host, &node, (uid_t)plan->step[i].number, why) < 0)
			log_warning("%s", why);
	/* The node of a group that the user has by another device went, too. */
	if (plan->count > 0)
		node_grants_renew(grants, NULL);
}

void node_grants_renew(struct node_grants *grants, const char *node)
{
	for (const struct grant *grant = grants->first; grant; grant = grant->next)
		renew(grants, grant, node);
}

void node_grants_done(struct node_grants *grants)
{
	while (grants->first) {
		struct grant *grant = grants->first;

		grants->first = grant->next;
		free(grant);
	}
}
