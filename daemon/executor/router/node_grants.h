/*
 * The nodes that users were let open, and holds that against udev: it sets the mode of a node anew at each of its
 * events, which takes the effect out of an ACL. Grants nothing that a binder has not granted.
 */
#pragma once

#include "../../base/wire.h"
#include "../os/sysfs.h"

struct grant;

struct node_grants {
	const struct host *host;
	struct grant *first;
};

/* A plan is about to run: what it takes back is not renewed any more. */
void node_grants_withdraw(struct node_grants *grants, const struct plan *plan);
/* A plan is done: takes up what it granted, and sees to it that it holds now. */
void node_grants_take_up(struct node_grants *grants, const struct plan *plan);
/* A plan was undone: what it granted on the container goes, too, unless another claim needs it; the rest holds on. */
void node_grants_give_up(struct node_grants *grants, const struct plan *plan);
/* udev was at work on this node (NULL: perhaps on any). */
void node_grants_renew(struct node_grants *grants, const char *node);
/* Forgets all. The ACLs stay. */
void node_grants_done(struct node_grants *grants);
