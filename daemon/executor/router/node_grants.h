/*
 * The nodes that users were let open, and what has to be done so that this holds against udev: it sets the mode of a
 * node anew at each of its events, which takes the effect out of an ACL. Decides only: binders do the steps that it
 * gives out. Nothing is granted that a binder has not granted in a plan.
 */
#pragma once

#include "../../base/wire.h"
#include "../os/sysfs.h"

struct grant;
struct node_task;

struct node_grants {
	const struct host *host;
	struct grant *first;
	struct node_task *tasks, *last_task; /* steps that no binder has yet, the oldest first */
};

/* A plan is about to run: what it takes back is not renewed any more. */
void node_grants_withdraw(struct node_grants *grants, const struct plan *plan);
/* A plan is done: takes up what it granted. renew: udev may have been at work on its nodes since. */
void node_grants_take_up(struct node_grants *grants, const struct plan *plan, bool renew);
/* A plan was undone: what it granted on the container goes, too, unless another claim needs it; the rest holds on. */
void node_grants_give_up(struct node_grants *grants, const struct plan *plan);
/* udev was at work on this node (NULL: perhaps on any). */
void node_grants_renew(struct node_grants *grants, const char *node);
/* A step that a binder was given, and did not get done: to be given out again. */
void node_grants_add_task(struct node_grants *grants, const struct step *step);
/* Takes out the next step that a binder is to do and that is wanted still. False: there is none. */
bool node_grants_next(struct node_grants *grants, struct step *out);
/* True if the plan has a step on the same user's right to the same nodes: the two must not run side by side. */
bool node_grants_meet(const struct step *step, const struct plan *plan);
/* Forgets all. The ACLs stay. */
void node_grants_done(struct node_grants *grants);
