/*
 * What is told of an offer of descriptors, in the words of org.ioasid1.varlink. A descriptor stands in it as its index
 * in a list that the face sends. Decides nothing.
 */
#pragma once

#include "../arbiter/arbiter.h"

#include <json-c/json.h>

/*
 * The reply's parameters, owned by the caller. The lease and the context move into the list, and if devices is true the
 * groups' and devices' too; what does not is null, and stays in the offer.
 */
struct json_object *offer_report(const struct arbiter *arbiter, const struct answer *answer, struct descriptors *fds,
				 bool devices);
/* Moves an FD into the list; its index, or null for none and where the list is full. */
struct json_object *offer_report_fd(struct descriptors *fds, int *fd);
/* The paths that the client may open in mode node; empty else. */
struct json_object *offer_report_nodes(const struct arbiter *arbiter, const struct claim *claim,
				       const struct claim_device *device);
