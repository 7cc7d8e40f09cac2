/*
 * The control socket: tests change the simulated host through it while brokers use it, one command a line, each
 * answered with a line when it is done. Commands are those of commands.h; here is only the socket.
 */
#pragma once

#include "run.h"

struct control;
struct control_client;

struct control_order {
	const char *path; /* of the socket: made by control_new(), removed by control_free() */
	struct machine *machine;
	struct runs *runs;
	struct faults *faults;
	/*
	 * A broker's wire was passed. Consumes the FD on success; 0 or -errno. The other end of this is
	 * control_detach(), or detached() if the control connection ends first.
	 */
	int (*attach)(void *context, struct control_client *client, int wire, const char *const *folder,
		      size_t folder_count);
	void (*detached)(void *context, struct control_client *client);
	void (*stop)(void *context);
	void *context;
};

/* Listens. 0, -EADDRINUSE: somebody listens there; -ENOMEM; other -errno. */
int control_new(const struct control_order *order, struct control **out);
struct control *control_free(struct control *control);
/* How many plans are under way, or hang, has changed: answers those that await it, when the loop comes round. */
void control_note_plans(struct control *control);
/* The wire that came from this client has ended: closes its connection. */
void control_detach(struct control_client *client);
