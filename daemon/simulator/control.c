#include "control.h"

#include "commands.h"

#include "../../policy/util/json_write.h"
#include "../../policy/util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { LINE_MAX_BYTES = 1024 * 1024, READ_BYTES = 65536 };

struct control_client {
	struct watch watch;
	TAILQ_ENTRY(control_client) link; // control::clients
	struct control *control;
	char *line; /* what has come and was not handled yet */
	size_t line_length;
	char *answer; /* what was not taken yet */
	size_t answer_length;
	int passed; /* an FD that came, for the next attach; -1: none */
	bool attached;
	bool closing; /* once the answer is through */
	bool awaits;
	size_t hung_at_least, plans_at_most;
};

struct control {
	struct watch watch;
	struct control_order order;
	struct sockaddr_un address;
	struct loop *loop;
	struct timer turn; /* answers those that await when the loop comes round */
	TAILQ_HEAD(, control_client) clients;
};

static void client_free(struct control_client *client)
{
	TAILQ_REMOVE(&client->control->clients, client, link);
	loop_remove(client->control->loop, &client->watch);
	if (client->attached)
		client->control->order.detached(client->control->order.context, client);
	close(client->watch.fd);
	descriptor_close(&client->passed);
	free(client->line);
	free(client->answer);
	free(client);
}

static void watch_for(struct control_client *client)
{
	/* Who waits for an answer is not heard: nor would a flood of lines be kept. */
	loop_change(client->control->loop, &client->watch,
		    (client->awaits || client->closing ? 0 : EPOLLIN) | (client->answer_length > 0 ? EPOLLOUT : 0));
}

/* Sends what is to be sent. False: the client is gone (and freed). */
static bool flush(struct control_client *client)
{
	while (client->answer_length > 0) {
		ssize_t sent = send(client->watch.fd, client->answer, client->answer_length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent < 0) {
			client_free(client);
			return false;
		}
		client->answer_length -= (size_t)sent;
		memmove(client->answer, client->answer + sent, client->answer_length);
	}
	if (client->closing && client->answer_length == 0) {
		client_free(client);
		return false;
	}
	watch_for(client);
	return true;
}

/* Appends a line to what is to be sent. */
static void answer(struct control_client *client, struct json_object *object)
{
	const char *text = json_text(object);
	size_t length;
	char *larger;

	text = text ? text : "{\"error\":\"out of memory\"}";
	length = strlen(text);
	larger = realloc(client->answer, client->answer_length + length + 1);
	if (!larger) {
		client->closing = true;
		return;
	}
	client->answer = larger;
	memcpy(client->answer + client->answer_length, text, length);
	client->answer[client->answer_length + length] = '\n';
	client->answer_length += length + 1;
}

static void answer_error(struct control_client *client, const char *text)
{
	struct json_object *object = json_make_object();

	json_set(object, "error", json_make_string_or_null(text));
	answer(client, object);
	json_object_put(object);
}

static void answer_ok(struct control_client *client)
{
	struct json_object *object = json_make_object();

	json_set(object, "ok", json_make_truth(true));
	answer(client, object);
	json_object_put(object);
}

static void attach(struct control_client *client, const struct command_call *call)
{
	const struct control_order *order = &client->control->order;
	char text[TEXT_MAX];
	int error = -EBADF;

	if (client->passed >= 0 && !client->attached)
		error = order->attach(order->context, client, client->passed, (const char *const *)call->folder,
				      call->folder_count);
	if (error == 0) {
		client->passed = -1;
		client->attached = true;
		answer_ok(client);
		return;
	}
	text_format(text, sizeof(text), "attach: %s", error == -EBADF ? "no wire came with it" : strerror(-error));
	answer_error(client, text);
}

/* Acts on one line. */
static void handle(struct control_client *client, const char *line, size_t length)
{
	const struct control_order *order = &client->control->order;
	struct command_call call = { .machine = order->machine, .runs = order->runs, .faults = order->faults };
	int error = -ENOMEM;

	call.answer = json_make_object();
	json_set(call.answer, "ok", json_make_truth(true));
	if (json_is_whole())
		error = command_run(&call, line, length);
	if (error < 0) {
		answer_error(client, error == -EINVAL ? call.problem.message : "out of memory");
	} else if (call.attach) {
		attach(client, &call);
	} else if (call.awaits) {
		client->awaits = true;
		client->hung_at_least = call.hung_at_least;
		client->plans_at_most = call.plans_at_most;
		loop_set_timer(client->control->loop, &client->control->turn, 0);
	} else {
		answer(client, call.answer);
	}
	if (call.stop)
		order->stop(order->context);
	json_object_put(call.answer);
	for (size_t i = 0; i < call.folder_count; i++)
		free(call.folder[i]);
	free(call.folder);
}

/* Acts on the lines that have come, up to one whose answer has to wait. False: the client is gone (and freed). */
static bool handle_lines(struct control_client *client)
{
	size_t done = 0;

	while (!client->awaits && !client->closing) {
		const char *begin = client->line + done;
		const char *end = client->line_length > done ? memchr(begin, '\n', client->line_length - done) : NULL;

		if (!end)
			break;
		handle(client, begin, (size_t)(end - begin));
		done = (size_t)(end - client->line) + 1;
	}
	client->line_length -= done;
	if (client->line_length > 0)
		memmove(client->line, client->line + done, client->line_length);
	if (client->line_length > LINE_MAX_BYTES) {
		answer_error(client, "the line is too long");
		client->closing = true;
	}
	return flush(client);
}

/* Keeps the last FD that came. */
static void take_descriptor(struct control_client *client, struct msghdr *packet)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			descriptor_close(&client->passed);
			memcpy(&client->passed, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
		}
	}
}

static void on_client(struct watch *watch, uint32_t events)
{
	/* The watch is the first member. */
	struct control_client *client = (struct control_client *)watch;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_len = READ_BYTES };
	struct msghdr packet = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;
	char *larger;

	if (events & EPOLLOUT && !flush(client))
		return;
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	larger = realloc(client->line, client->line_length + READ_BYTES);
	if (!larger) {
		client_free(client);
		return;
	}
	client->line = larger;
	part.iov_base = client->line + client->line_length;
	got = recvmsg(client->watch.fd, &packet, MSG_CMSG_CLOEXEC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		client_free(client);
		return;
	}
	take_descriptor(client, &packet);
	client->line_length += (size_t)got;
	handle_lines(client);
}

static void answer_those_that_await(struct timer *timer)
{
	struct control *control = (struct control *)((char *)timer - offsetof(struct control, turn));
	size_t hung = runs_hung(control->order.runs), plans = plan_runs_count(control->order.runs);
	struct control_client *client, *next;

	for (client = TAILQ_FIRST(&control->clients); client; client = next) {
		next = TAILQ_NEXT(client, link);
		if (!client->awaits || hung < client->hung_at_least || plans > client->plans_at_most)
			continue;
		client->awaits = false;
		answer_ok(client);
		handle_lines(client);
	}
}

void control_note_plans(struct control *control)
{
	loop_set_timer(control->loop, &control->turn, 0);
}

static void on_connection(struct watch *watch, uint32_t events)
{
	struct control *control = (struct control *)watch;
	struct control_client *client;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->control = control;
	client->watch = (struct watch){ .fd = fd, .ready = on_client };
	client->passed = -1;
	if (loop_add(control->loop, &client->watch, EPOLLIN) < 0) {
		close(fd);
		free(client);
		return;
	}
	TAILQ_INSERT_TAIL(&control->clients, client, link);
}

/* Binds to the path; takes it over from one who has died without removing it. */
static int bind_to(int fd, const struct sockaddr_un *address)
{
	const struct sockaddr *name = (const struct sockaddr *)address;
	mode_t mask = umask(0077);
	int error = bind(fd, name, sizeof(*address)) < 0 ? -errno : 0;

	if (error == -EADDRINUSE) {
		autoclose int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (other >= 0 && connect(other, name, sizeof(*address)) < 0 && errno == ECONNREFUSED &&
		    unlink(address->sun_path) == 0)
			error = bind(fd, name, sizeof(*address)) < 0 ? -errno : 0;
	}
	umask(mask);
	return error;
}

int control_new(const struct control_order *order, struct control **out)
{
	struct control *control = calloc(1, sizeof(*control));
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 ? -errno : 0;

	if (!control)
		return -ENOMEM;
	control->order = *order;
	control->loop = order->machine->loop;
	control->turn.expired = answer_those_that_await;
	control->address.sun_family = AF_UNIX;
	TAILQ_INIT(&control->clients);
	if (strlen(order->path) >= sizeof(control->address.sun_path))
		error = -ENAMETOOLONG;
	if (error == 0) {
		memcpy(control->address.sun_path, order->path, strlen(order->path));
		error = bind_to(fd, &control->address);
	}
	if (error == 0 && listen(fd, 16) < 0)
		error = -errno;
	control->watch = (struct watch){ .fd = fd, .ready = on_connection };
	if (error == 0)
		error = loop_add(control->loop, &control->watch, EPOLLIN);
	if (error < 0) {
		free(control);
		return error;
	}
	descriptor_take(&fd);
	*out = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	struct control_client *client;

	if (!control)
		return NULL;
	while ((client = TAILQ_FIRST(&control->clients))) {
		client->attached = false;
		client_free(client);
	}
	loop_clear_timer(control->loop, &control->turn);
	loop_remove(control->loop, &control->watch);
	close(control->watch.fd);
	unlink(control->address.sun_path);
	free(control);
	return NULL;
}

void control_detach(struct control_client *client)
{
	client->attached = false;
	client->closing = true;
	flush(client);
}
