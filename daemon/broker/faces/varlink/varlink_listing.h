/*
 * ListDevices and ListGroups on the Varlink socket, once the host was looked at for what it does with them. Some
 * devices are written whenever the client has taken those before. So ten thousand of them keep nobody waiting, and who
 * does not read costs no memory. Each is told as it is when its turn comes; one that has gone by then is left out.
 */
#pragma once

#include "socket_client.h"

struct varlink_listing;

/* Answers the client's call, from now on: with devices, or with groups. */
void varlink_listing_start(struct varlink_client *client, bool groups);
/* It is its turn: the host was looked at, and the client has taken what was written. */
void varlink_listing_go_on(struct varlink_listing *listing);
/* Nobody is answered any more. NULL is allowed. */
struct varlink_listing *varlink_listing_free(struct varlink_listing *listing);
