#include "varlink_server.h"

#include "peer.h"
#include "varlink_answers.h"
#include "varlink_methods.h"
#include "varlink_listing.h"
#include "varlink_monitors.h"

#include "../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct client {
	struct client *next; /* varlink_server::clients, or ::over */
	struct varlink_server *server;
	struct varlink_client varlink;
};

struct varlink_server {
	struct arbiter *arbiter;
	struct varlink_monitors *monitors;
	const struct metrics_sources *metrics;
	struct metrics_socket counts;
	sd_event *event;
	int socket;
	int spare; /* an FD to give up when there is no other, so that a caller can be turned away */
	char *path; /* to be removed at the end; NULL where it is systemd's */
	sd_event_source *source;
	sd_event_source *cleaner;
	struct client *clients;
	struct client *over; /* to be freed by the cleaner */
	size_t count;
};

static void client_free(struct client *client)
{
	varlink_connection_free(client->varlink.connection);
	descriptor_close(&client->varlink.requester.pidfd);
	free(client);
}

static void on_call(void *context, const char *method, struct json_object *parameters)
{
	struct client *client = context;
	struct varlink_server *server = client->server;

	server->counts.connections = server->count;
	server->counts.connections_max = VARLINK_CLIENTS_MAX;
	server->counts.monitors = varlink_monitors_count(server->monitors);
	server->counts.cut_off = varlink_monitors_cut_off(server->monitors);
	varlink_methods_call(&client->varlink, method, parameters);
}

static void on_closed(void *context)
{
	struct client *client = context;
	struct varlink_server *server = client->server;
	struct client **link = &server->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	server->count--;
	client->varlink.listing = varlink_listing_free(client->varlink.listing);
	varlink_monitors_remove(server->monitors, &client->varlink);
	arbiter_leave(server->arbiter, &client->varlink.requester);
	/* Its own code runs right now: it is freed in a turn of its own. */
	client->next = server->over;
	server->over = client;
	sd_event_source_set_enabled(server->cleaner, SD_EVENT_ONESHOT);
}

static void on_drained(void *context)
{
	struct client *client = context;

	if (client->varlink.listing)
		varlink_listing_go_on(client->varlink.listing);
}

static const struct varlink_connection_events connection_events = { .call = on_call, .drained = on_drained,
								     .closed = on_closed };

static int on_clean(sd_event_source *source, void *context)
{
	struct varlink_server *server = context;

	while (server->over) {
		struct client *client = server->over;

		server->over = client->next;
		client_free(client);
	}
	return 0;
}

static bool quota_is_left(const struct varlink_server *server, uid_t uid)
{
	size_t of_user = 0;

	if (uid == 0)
		return true;
	for (const struct client *client = server->clients; client; client = client->next)
		of_user += client->varlink.requester.subject.uid == uid;
	return of_user < VARLINK_CLIENTS_PER_USER_MAX && server->count < VARLINK_CLIENTS_MAX;
}

static void turn_away(struct varlink_server *server, int socket)
{
	static const char answer[] =
		"{\"error\":\"org.ioasid1.QuotaExceeded\",\"parameters\":{\"message\":\"this user has too many "
		"connections: close some\"}}";

	server->counts.turned_away++;
	/* The best that can be done without waiting for anybody. */
	if (send(socket, answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void admit(struct varlink_server *server, int socket)
{
	struct client *client = calloc(1, sizeof(*client));
	struct requester *requester = client ? &client->varlink.requester : NULL;
	int error;

	if (!client) {
		close(socket);
		return;
	}
	client->server = server;
	client->varlink.arbiter = server->arbiter;
	client->varlink.monitors = server->monitors;
	client->varlink.metrics = server->metrics;
	client->varlink.socket = &server->counts;
	requester->answer = varlink_answers_write;
	requester->context = &client->varlink;
	requester->pidfd = -1;
	error = peer_identify(socket, &requester->subject, &requester->pidfd, &requester->pidfd_is_certain);
	if (error == 0 && !quota_is_left(server, requester->subject.uid)) {
		turn_away(server, socket);
		error = -EUSERS;
	}
	if (error == 0)
		error = varlink_connection_new(server->event, socket, &connection_events, client,
					       &client->varlink.connection);
	if (error < 0) {
		close(socket);
		client_free(client);
		return;
	}
	client->next = server->clients;
	server->clients = client;
	server->count++;
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct varlink_server *server = context;
	int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket >= 0) {
		admit(server, socket);
		return 0;
	}
	if (errno == EMFILE || errno == ENFILE) {
		/* Left in the queue it would wake us for ever. */
		descriptor_close(&server->spare);
		socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (socket >= 0)
			turn_away(server, socket);
		descriptor_close(&socket);
		server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
		log_warning("out of file descriptors: a client was turned away");
	}
	return 0;
}

int varlink_server_new_from_fd(sd_event *event, int socket, struct arbiter *arbiter, const struct metrics_sources *metrics,
			       struct varlink_server **out)
{
	struct varlink_server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		return -ENOMEM;
	server->socket = -1;
	server->arbiter = arbiter;
	server->metrics = metrics;
	server->event = sd_event_ref(event);
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	error = varlink_monitors_new(arbiter, &server->monitors);
	if (error >= 0)
		error = sd_event_add_defer(event, &server->cleaner, on_clean, server);
	if (error >= 0)
		error = sd_event_source_set_enabled(server->cleaner, SD_EVENT_OFF);
	if (error >= 0)
		error = sd_event_add_io(event, &server->source, socket, EPOLLIN, on_listener, server);
	if (error < 0) {
		varlink_server_free(server);
		return error;
	}
	server->socket = socket;
	*out = server;
	return 0;
}

/* True if a daemon answers at this address. */
static bool somebody_listens(const struct sockaddr_un *address)
{
	autoclose int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

/* Listens under a second name and moves it to its place, so that whoever sees the path can connect to it. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX }, temporary = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (strlen(path) + sizeof(".new") > sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	strcpy(stpcpy(temporary.sun_path, path), ".new");
	if (lstat(path, &status) == 0) {
		if (!S_ISSOCK(status.st_mode))
			return -EEXIST;
		if (somebody_listens(&address))
			return -EADDRINUSE;
	}
	unlink(temporary.sun_path);
	if (bind(fd, (const struct sockaddr *)&temporary, sizeof(temporary)) < 0)
		return -errno;
	/* Everybody may ask; the policy decides what he gets. */
	if (chmod(temporary.sun_path, 0666) < 0 || listen(fd, SOMAXCONN) < 0 || rename(temporary.sun_path, path) < 0) {
		int error = -errno;

		unlink(temporary.sun_path);
		return error;
	}
	return descriptor_take(&fd);
}

int varlink_server_new(sd_event *event, const char *path, struct arbiter *arbiter, const struct metrics_sources *metrics,
		       struct varlink_server **out)
{
	int socket = listen_at(path), error;

	if (socket == -EADDRINUSE) {
		log_error("%s: another ioasidd listens there: stop it, or take another --runtime-dir", path);
		return socket;
	}
	if (socket < 0) {
		log_error("%s: can't listen: %s", path, strerror(-socket));
		return socket;
	}
	error = varlink_server_new_from_fd(event, socket, arbiter, metrics, out);
	if (error < 0) {
		close(socket);
		return error;
	}
	(*out)->path = strdup(path);
	return 0;
}

struct varlink_server *varlink_server_free(struct varlink_server *server)
{
	if (!server)
		return NULL;
	varlink_monitors_free(server->monitors);
	while (server->clients) {
		struct client *client = server->clients;

		server->clients = client->next;
		varlink_listing_free(client->varlink.listing);
		arbiter_leave(server->arbiter, &client->varlink.requester);
		client_free(client);
	}
	on_clean(NULL, server);
	sd_event_source_disable_unref(server->source);
	sd_event_source_disable_unref(server->cleaner);
	descriptor_close(&server->socket);
	descriptor_close(&server->spare);
	if (server->path)
		unlink(server->path);
	free(server->path);
	sd_event_unref(server->event);
	free(server);
	return NULL;
}
