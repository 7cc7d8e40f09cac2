#include "node_grants.h"

#include "../../base/log.h"
#include "../devices/device_kind.h"
#include "../devices/node_acl.h"

#include <stdlib.h>
#include <string.h>

struct node_task {
	struct node_task *next;
	struct step step;
};

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

	autoclose int folder = device_open(grants->host, grant->device);

	if (folder >= 0 && device_identity(grant->device, folder, &identity) == 0 && identity == grant->identity)
		count = node_acl_nodes_of(grants->host, folder, node);
	return count;
}

void node_grants_add_task(struct node_grants *grants, const struct step *step)
{
	struct node_task *task;

	for (task = grants->tasks; task; task = task->next)
		if (step_equals(&task->step, step))
			return;
	task = calloc(1, sizeof(*task));
	if (!task) {
		log_error("out of memory: the rights of user %u to nodes are not set", (unsigned)step->number);
		return;
	}
	task->step = *step;
	if (grants->last_task)
		grants->last_task->next = task;
	else
		grants->tasks = task;
	grants->last_task = task;
}

/* Has granted anew what a node has lost. name: only this node; NULL: all of them. */
static void renew(struct node_grants *grants, const struct grant *grant, const char *name)
{
	struct step step = { .kind = STEP_GRANT, .number = grant->uid, .identity = grant->identity };
	struct vfio_node node[VFIO_NODES_MAX];
	size_t count = nodes_of(grants, grant, node);
	bool wanted = false;

	for (size_t i = 0; i < count; i++)
		wanted = wanted || !name || strcmp(node[i].name, name) == 0;
	memcpy(step.device, grant->device, sizeof(step.device));
	if (wanted)
		node_grants_add_task(grants, &step);
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

static void add_grant(struct node_grants *grants, const struct step *step, bool again)
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
	if (again)
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

void node_grants_take_up(struct node_grants *grants, const struct plan *plan, bool again)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].kind == STEP_GRANT)
			add_grant(grants, &plan->step[i], again);
}

void node_grants_give_up(struct node_grants *grants, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct step step = { .kind = STEP_REVOKE, .number = plan->step[i].number };

		if (plan->step[i].kind == STEP_GRANT && !plan->step[i].device[0])
			node_grants_add_task(grants, &step);
	}
	/* The node of a group that the user has by another device went, too. */
	if (plan->count > 0)
		node_grants_renew(grants, NULL);
}

void node_grants_renew(struct node_grants *grants, const char *node)
{
	for (const struct grant *grant = grants->first; grant; grant = grant->next)
		renew(grants, grant, node);
}

/* What is granted has to be granted anew; what nobody is granted any more may be revoked. */
static bool is_wanted(struct node_grants *grants, const struct step *step)
{
	return (*find(grants, step) != NULL) == (step->kind == STEP_GRANT);
}

bool node_grants_next(struct node_grants *grants, struct step *out)
{
	bool found = false;

	while (grants->tasks && !found) {
		struct node_task *task = grants->tasks;

		*out = task->step;
		found = is_wanted(grants, out);
		grants->tasks = task->next;
		if (!grants->tasks)
			grants->last_task = NULL;
		free(task);
	}
	return found;
}

bool node_grants_meet(const struct step *step, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *other = &plan->step[i];
		bool rights = other->kind == STEP_GRANT || other->kind == STEP_REVOKE;

		if (strcmp(other->device, step->device) == 0 &&
		    (other->kind == STEP_UNBIND_VFIO || (rights && other->number == step->number)))
			return true;
	}
	return false;
}

void node_grants_done(struct node_grants *grants)
{
	while (grants->first) {
		struct grant *grant = grants->first;

		grants->first = grant->next;
		free(grant);
	}
	while (grants->tasks) {
		struct node_task *task = grants->tasks;

		grants->tasks = task->next;
		free(task);
	}
	grants->last_task = NULL;
}
