#include "varlink_server.h"

#include "../../core/accounts.h"
#include "peer.h"
#include "varlink_answers.h"
#include "varlink_methods.h"
#include "varlink_listing.h"
#include "varlink_monitors.h"

#include "../../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
	ACCEPTED_AT_ONCE = 2,   /* in a turn of the listener's */
	FEWER_BEFORE_TRIM = 32, /* so many clients fewer than there were, and the memory that they had is given back */
};

#define TRIM_USEC (200 * 1000ULL) /* after that */

struct client {
	struct client *next; /* varlink_server::clients, or ::over */
	struct varlink_server *server;
	struct account *account; /* NULL: it gets a place only if it is an operator's */
	struct turn arrival;     /* in which it is found out who it is */
	int socket;              /* until then */
	struct varlink_client varlink;
};

struct varlink_server {
	struct arbiter *arbiter;
	struct varlink_monitors *monitors;
	const struct metrics_sources *metrics;
	struct metrics_socket counts;
	sd_event *event;
	struct turns *turns;
	struct sockets *listeners; /* the one */
	struct socket_watch listener;
	struct accounts accounts;
	int socket;
	int spare;  /* an FD to give up when there is no other, so that a caller can be turned away */
	char *path; /* to be removed at the end; NULL where it is systemd's */
	sd_event_source *cleaner;
	sd_event_source *trimmer;
	struct client *clients;
	struct client *over; /* to be freed by the cleaner */
	size_t count;
	size_t peak; /* most clients since memory was given back to the system */
};

static void leave_account(struct account *account)
{
	if (account->places == 1)
		account->sockets = sockets_free(account->sockets);
	account_give_back(account);
}

static void client_free(struct client *client)
{
	turns_forget(&client->arrival);
	varlink_connection_free(client->varlink.connection);
	descriptor_close(&client->varlink.requester.pidfd);
	descriptor_close(&client->socket);
	if (client->account)
		leave_account(client->account);
	free(client);
}

static void on_call(void *context, const char *method, struct json_object *parameters)
{
	struct client *client = context;
	struct varlink_server *server = client->server;

	server->counts.connections = server->count;
	server->counts.connections_max = server->accounts.most;
	server->counts.monitors = varlink_monitors_count(server->monitors);
	server->counts.cut_off = varlink_monitors_cut_off(server->monitors);
	varlink_methods_call(&client->varlink, method, parameters);
}

/* Its own code runs right now: it is freed in a turn of its own. */
static void drop(struct client *client)
{
	struct varlink_server *server = client->server;
	struct client **link = &server->clients;

	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	server->count--;
	client->next = server->over;
	server->over = client;
	sd_event_source_set_enabled(server->cleaner, SD_EVENT_ONESHOT);
}

static void on_closed(void *context)
{
	struct client *client = context;
	struct varlink_server *server = client->server;

	client->varlink.listing = varlink_listing_free(client->varlink.listing);
	varlink_monitors_remove(server->monitors, &client->varlink);
	arbiter_leave(server->arbiter, &client->varlink.requester);
	drop(client);
}

static void on_drained(void *context)
{
	struct client *client = context;

	if (client->varlink.listing)
		varlink_listing_go_on(client->varlink.listing);
}

static const struct varlink_connection_events connection_events = { .call = on_call,
								    .drained = on_drained,
								    .closed = on_closed };

static int on_clean(sd_event_source *source, void *context)
{
	struct varlink_server *server = context;

	while (server->over) {
		struct client *client = server->over;

		server->over = client->next;
		client_free(client);
	}
	if (server->peak >= server->count + FEWER_BEFORE_TRIM) {
		server->peak = server->count;
		if (sd_event_source_set_time_relative(server->trimmer, TRIM_USEC) >= 0)
			sd_event_source_set_enabled(server->trimmer, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* What they had lies between what others have: by itself it would be kept for ever. Not often: it takes its time. */
static int on_trim(sd_event_source *source, uint64_t usec, void *context)
{
	malloc_trim(0);
	return 0;
}

static void turn_away(struct varlink_server *server, int socket)
{
	static const char answer[] =
		"{\"error\":\"org.ioasid1.QuotaExceeded\",\"parameters\":{\"message\":\"this user, or all users "
		"together, have too many connections: close some\"}}";

	server->counts.turned_away++;
	/* The best that can be done without waiting for anybody. */
	if (send(socket, answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* Finds out who it is, and listens to him. 0, -EUSERS: there is no place for him; -errno. */
static int welcome(struct client *client)
{
	struct varlink_server *server = client->server;
	struct requester *requester = &client->varlink.requester;
	uid_t uid = requester->subject.uid;
	int error = peer_identify(client->socket, &requester->subject, &requester->pidfd, &requester->pidfd_is_certain);

	if (error < 0)
		return error;
	if (!client->account)
		client->account =
			accounts_take(&server->accounts, uid, arbiter_is_operator(server->arbiter, requester));
	if (!client->account)
		return -EUSERS;
	if (!client->account->sockets)
		error = sockets_new(server->event, server->turns, uid, &client->account->sockets);
	if (error == 0)
		error = varlink_connection_new(client->account->sockets, client->socket, server->turns, client->account,
					       &connection_events, client, &client->varlink.connection);
	if (error == 0)
		client->socket = -1;
	return error;
}

static void on_arrival(void *context)
{
	struct client *client = context;
	int error = welcome(client);

	if (error == -EUSERS)
		turn_away(client->server, client->socket);
	if (error < 0)
		drop(client);
}

/* True if somebody of this user, for whom there is no place, waits for it to be found out whether he is an operator. */
static bool asks_for_reserve(const struct varlink_server *server, uid_t uid)
{
	for (const struct client *client = server->clients; client; client = client->next)
		if (!client->account && client->varlink.requester.subject.uid == uid)
			return true;
	return false;
}

/*
 * Takes in who has connected, or turns him away. More than his uid is not asked here: this is at the expense of all,
 * and what follows is at his own. False: the socket is still the caller's.
 */
static bool admit(struct varlink_server *server, int socket)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	struct account *account;
	struct client *client;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return false;
	account = accounts_take(&server->accounts, credentials.uid, false);
	if (!account && asks_for_reserve(server, credentials.uid)) {
		turn_away(server, socket);
		return false;
	}
	client = calloc(1, sizeof(*client));
	if (!client) {
		if (account)
			leave_account(account);
		return false;
	}
	*client = (struct client){ .server = server,
				   .account = account,
				   .socket = socket,
				   .arrival = { .take = on_arrival, .context = client } };
	client->varlink = (struct varlink_client){ .arbiter = server->arbiter,
						   .monitors = server->monitors,
						   .metrics = server->metrics,
						   .socket = &server->counts };
	client->varlink.requester.answer = varlink_answers_write;
	client->varlink.requester.context = &client->varlink;
	client->varlink.requester.pidfd = -1;
	client->varlink.requester.subject.uid = credentials.uid;
	client->next = server->clients;
	server->clients = client;
	server->count++;
	if (server->count > server->peak)
		server->peak = server->count;
	turns_want(server->turns, &client->arrival, credentials.uid);
	return true;
}

/* Accepts one. False: there is nobody, or nothing to do it with. */
static bool accept_one(struct varlink_server *server)
{
	int socket = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket >= 0) {
		if (!admit(server, socket))
			close(socket);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE) {
		/* Left in the queue it would wake us for ever. */
		descriptor_close(&server->spare);
		socket = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (socket >= 0)
			turn_away(server, socket);
		descriptor_close(&socket);
		server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
		log_warning("out of file descriptors: rejected a client");
	}
	return false;
}

static void on_listener(void *context, uint32_t events)
{
	struct varlink_server *server = context;

	for (int i = 0; i < ACCEPTED_AT_ONCE; i++)
		if (!accept_one(server))
			break;
}

/* How many clients there can be: each has two descriptors, and this program needs others. */
static size_t most_clients(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > VARLINK_CLIENTS_MAX)
		return VARLINK_CLIENTS_MAX;
	return (size_t)limit.rlim_cur / 4;
}

int varlink_server_new_from_fd(sd_event *event, int socket, struct arbiter *arbiter,
			       const struct metrics_sources *metrics, struct varlink_server **out)
{
	struct varlink_server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		return -ENOMEM;
	server->socket = -1;
	server->arbiter = arbiter;
	server->metrics = metrics;
	server->event = sd_event_ref(event);
	server->turns = arbiter_registry(arbiter)->turns;
	server->listener = (struct socket_watch){ .ready = on_listener, .context = server };
	server->accounts.most = most_clients();
	server->accounts.reserved = server->accounts.most * VARLINK_CLIENTS_RESERVED / VARLINK_CLIENTS_MAX;
	server->accounts.per_user = VARLINK_CLIENTS_PER_USER_MAX;
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Somebody else may have made it: it is accepted from until there is nobody more. */
	error = fcntl(socket, F_SETFL, O_NONBLOCK) < 0 ? -errno : varlink_monitors_new(arbiter, &server->monitors);
	if (error >= 0)
		error = sd_event_add_defer(event, &server->cleaner, on_clean, server);
	if (error >= 0)
		error = sd_event_source_set_enabled(server->cleaner, SD_EVENT_OFF);
	if (error >= 0)
		error = sd_event_add_time(event, &server->trimmer, CLOCK_MONOTONIC, 0, 0, on_trim, server);
	if (error >= 0)
		error = sd_event_source_set_enabled(server->trimmer, SD_EVENT_OFF);
	if (error >= 0)
		error = sockets_new(event, server->turns, TURNS_OF_LISTENER, &server->listeners);
	if (error >= 0)
		error = sockets_watch(server->listeners, &server->listener, socket, EPOLLIN);
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

int varlink_server_new(sd_event *event, const char *path, struct arbiter *arbiter,
		       const struct metrics_sources *metrics, struct varlink_server **out)
{
	int socket = listen_at(path), error;

	if (socket == -EADDRINUSE) {
		log_error("%s: another ioasidd listens there: stop it, or use another --runtime-dir", path);
		return socket;
	}
	if (socket < 0) {
		log_error("%s: failed to listen: %s", path, strerror(-socket));
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
	socket_watch_end(&server->listener);
	sockets_free(server->listeners);
	sd_event_source_disable_unref(server->cleaner);
	sd_event_source_disable_unref(server->trimmer);
	descriptor_close(&server->socket);
	descriptor_close(&server->spare);
	if (server->path)
		unlink(server->path);
	free(server->path);
	sd_event_unref(server->event);
	free(server);
	return NULL;
}
