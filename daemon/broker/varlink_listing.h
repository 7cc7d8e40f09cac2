/*
 * ListDevices on the Varlink socket: some devices in each turn of the loop, so that ten thousand of them keep nobody
 * waiting. Each is told as it is when its turn comes; one that has gone by then is left out.
 */
#pragma once

#include "varlink_client.h"

struct varlink_listing;

/* Answers the client's call: at once where there are few devices, else later. */
void varlink_listing_start(struct varlink_client *client);
/* Nobody is answered any more. NULL is allowed. */
struct varlink_listing *varlink_listing_free(struct varlink_listing *listing);
