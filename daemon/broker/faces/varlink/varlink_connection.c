#include "varlink_connection.h"

#include "varlink_call.h"
#include "varlink_incoming.h"
#include "varlink_outgoing.h"

#include "../../../../policy/util/json_write.h"
#include "../../../../policy/util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct varlink_connection {
	int socket;
	struct socket_watch watch;
	struct turns *turns;
	struct turn turn; /* in which all is done that is neither an answer nor told by the socket */
	const struct varlink_connection_events *events;
	void *context;
	struct account *account;
	struct varlink_incoming incoming;
	struct varlink_outgoing outgoing;
	/* What the socket was last known to be. */
	bool readable;
	bool full;    /* it takes nothing for now */
	bool ended;   /* the client sends nothing more, but may be reading */
	bool hung_up; /* it does not read either; what it sent is still in the socket */
	/* What the call is. */
	bool busy;      /* a call waits for its answer */
	bool more;      /* it takes several replies */
	bool streaming; /* it has got one of several */
	bool oneway;
	bool in_parts; /* the answer, or what is left of it, is written when it is its turn */
	bool closing;  /* everything that waits is still sent, then it is over */
	bool broken;   /* nothing is sent any more: it is over */
	bool closed;
	bool in_turn; /* what is next is looked at when the turn is over */
};

/*
 * What can be done is found out here, from how things stand, and by nobody else. So whatever stops something is also
 * what starts it again.
 */
enum next {
	NEXT_NOTHING, /* until the socket or an answer changes that */
	NEXT_SEND,
	NEXT_PART, /* more of the answer that is sent in parts */
	NEXT_RECEIVE,
	NEXT_TAKE, /* a call, or what is none */
	NEXT_CLOSE,
};

/* True while what the client sends is of interest: the next call, or that it breaks the protocol in the middle of
 * replies. */
static bool wants_input(const struct varlink_connection *connection)
{
	if (connection->ended || connection->closing)
		return false;
	return connection->streaming || (!connection->busy && !connection->outgoing.first);
}

static enum next find_next(struct varlink_connection *connection)
{
	bool sends = connection->outgoing.first;

	/* A oneway call is done for who has left, and others may follow it. */
	if (connection->broken || (connection->hung_up && connection->busy && !connection->oneway))
		return NEXT_CLOSE;
	if (sends && !connection->full)
		return NEXT_SEND;
	if (!sends && connection->closing)
		return NEXT_CLOSE;
	if (!sends && connection->in_parts)
		return NEXT_PART;
	if (connection->streaming && connection->incoming.length > 0 && !connection->closing)
		return NEXT_TAKE;
	if (!sends && !connection->busy) {
		if (varlink_incoming_whole(&connection->incoming) > 0 ||
		    connection->incoming.length == VARLINK_FRAME_MAX)
			return NEXT_TAKE;
		if (connection->ended)
			return NEXT_CLOSE;
	}
	return connection->readable && wants_input(connection) ? NEXT_RECEIVE : NEXT_NOTHING;
}

/* Sees to it that what is next is done: in a turn, or when the socket is ready for it. */
static void go_on(struct varlink_connection *connection)
{
	uint32_t events = 0;

	if (connection->closed || connection->in_turn)
		return;
	if (find_next(connection) != NEXT_NOTHING) {
		turns_want(connection->turns, &connection->turn, connection->account->uid);
	} else {
		if (wants_input(connection) && !connection->readable)
			events |= EPOLLIN;
		if (connection->outgoing.first)
			events |= EPOLLOUT;
	}
	/* Who waits for his turn wakes nobody any more. */
	socket_watch_change(&connection->watch, events);
}

static void close_now(struct varlink_connection *connection)
{
	if (connection->closed)
		return;
	connection->closed = true;
	socket_watch_end(&connection->watch);
	turns_forget(&connection->turn);
	connection->events->closed(connection->context);
}

/* Who can't be answered must not wait for ever. From the loop: whoever answers may hold things that would be taken from
 * under him. */
static void give_up(struct varlink_connection *connection)
{
	connection->broken = true;
	go_on(connection);
}

static void flush(struct varlink_connection *connection)
{
	int error = varlink_outgoing_send(&connection->outgoing, connection->socket);

	connection->full = error == -EAGAIN;
	connection->broken |= error < 0 && error != -EAGAIN;
}

/* The text of a message, which is consumed. NULL: out of memory. */
static struct varlink_text *write_text(struct json_object *object)
{
	const char *plain = json_text(object);
	struct varlink_text *text = varlink_text_copy(plain, plain ? strlen(plain) + 1 : 0);

	json_object_put(object);
	return text;
}

/* Sends a reply that is the last of its call; text is given up. */
static void send_text(struct varlink_connection *connection, struct varlink_text *text, struct descriptors *fds)
{
	bool queued = varlink_outgoing_add(&connection->outgoing, text, fds);

	varlink_text_unref(text);
	if (!queued) {
		if (fds)
			descriptors_close(fds);
		give_up(connection);
		return;
	}
	connection->busy = connection->streaming = false;
	go_on(connection);
}

bool varlink_connection_takes_more(const struct varlink_connection *connection)
{
	return connection->more && !connection->oneway;
}

struct varlink_text *varlink_text_new(struct json_object *parameters)
{
	struct json_object *object = json_make_object();

	json_set(object, "parameters", parameters);
	json_set(object, "continues", json_make_truth(true));
	return write_text(object);
}

bool varlink_connection_continue(struct varlink_connection *connection, struct varlink_text *text)
{
	if (connection->closed || connection->closing || connection->broken)
		return true;
	connection->streaming = true;
	if (!text || connection->outgoing.backlog + text->length > VARLINK_BACKLOG_MAX ||
	    !varlink_outgoing_add(&connection->outgoing, text, NULL)) {
		give_up(connection);
		return false;
	}
	go_on(connection);
	return true;
}

/* True for a call that wants no reply: it is over then. */
static bool drop_reply(struct varlink_connection *connection)
{
	if (!connection->oneway)
		return false;
	connection->busy = false;
	go_on(connection);
	return true;
}

void varlink_connection_reply(struct varlink_connection *connection, struct json_object *parameters,
			      struct descriptors *fds)
{
	struct json_object *object;

	/* After the last words nothing more is said. */
	if (connection->closing || drop_reply(connection)) {
		json_object_put(parameters);
		if (fds)
			descriptors_close(fds);
		return;
	}
	object = json_make_object();
	json_set(object, "parameters", parameters ? parameters : json_make_object());
	send_text(connection, write_text(object), fds);
}

void varlink_connection_await_turn(struct varlink_connection *connection)
{
	connection->in_parts = true;
	go_on(connection);
}

bool varlink_connection_send_part(struct varlink_connection *connection, const char *text, size_t length, bool last)
{
	struct varlink_text *part;

	if (drop_reply(connection))
		return false;
	part = varlink_text_copy(text, length);
	if (last || !part) {
		send_text(connection, part, NULL);
		return part;
	}
	connection->in_parts = varlink_outgoing_add(&connection->outgoing, part, NULL);
	varlink_text_unref(part);
	if (connection->in_parts)
		go_on(connection);
	else
		give_up(connection);
	return connection->in_parts;
}

void varlink_connection_error(struct varlink_connection *connection, const char *error, struct json_object *parameters)
{
	struct json_object *object;

	if (drop_reply(connection)) {
		json_object_put(parameters);
		return;
	}
	object = json_make_object();
	json_set(object, "error", json_make_string(error));
	json_set(object, "parameters", parameters ? parameters : json_make_object());
	send_text(connection, write_text(object), NULL);
}

static void reply_message(struct varlink_connection *connection, const char *error, const char *message)
{
	struct json_object *parameters = json_make_object();

	json_set(parameters, "message", json_make_string(message));
	varlink_connection_error(connection, error, parameters);
}

bool varlink_connection_refuse_excess(struct varlink_connection *connection)
{
	if (connection->account->output <=
	    account_part(connection->account, VARLINK_OUTPUT_MAX, VARLINK_OUTPUT_PER_USER_MAX))
		return false;
	reply_message(connection, "org.ioasid1.QuotaExceeded",
		      "this user's programs have too much unread output: read it, or close their connections");
	return true;
}

/* The last words to a client that broke the protocol. */
static void refuse(struct varlink_connection *connection, const char *error, const char *message)
{
	connection->oneway = connection->streaming = false;
	connection->closing = true;
	varlink_incoming_drop(&connection->incoming);
	reply_message(connection, error, message);
}

/* Acts on one whole frame. */
static void take_frame(struct varlink_connection *connection, const char *text, size_t length)
{
	struct varlink_call call;
	int error = varlink_call_parse(text, length, &call);
	char message[TEXT_MAX];

	if (error == -ENOMEM) {
		connection->broken = true;
	} else if (error < 0) {
		text_format(message, sizeof(message), "not a Varlink call: %s; the connection is closed", call.wrong);
		refuse(connection, "org.ioasid1.ProtocolError", message);
	} else if (call.upgrade) {
		refuse(connection, "org.ioasid1.ProtocolError",
		       "no method upgrades the connection; the connection is closed");
	} else {
		struct json_object *empty = call.parameters ? NULL : json_make_object();

		connection->busy = true;
		connection->oneway = call.oneway;
		connection->more = call.more;
		if (!varlink_connection_refuse_excess(connection))
			connection->events->call(connection->context, call.method,
						 call.parameters ? call.parameters : empty);
		json_object_put(empty);
	}
	if (error == 0)
		varlink_call_done(&call);
}

/* Acts on the first message that waits, or refuses it. */
static void take_input(struct varlink_connection *connection)
{
	size_t length = varlink_incoming_whole(&connection->incoming);
	char *text;

	if (connection->streaming) {
		refuse(connection, "org.ioasid1.ProtocolError",
		       "another message arrived while replies continue: use another connection; this one is closed");
	} else if (length == 0) {
		refuse(connection, "org.ioasid1.ProtocolError",
		       "the message is longer than 65536 bytes; the connection is closed");
	} else if (!(text = varlink_incoming_take(&connection->incoming, length))) {
		connection->broken = true;
	} else {
		take_frame(connection, text, length - 1);
		free(text);
	}
}

static void receive(struct varlink_connection *connection)
{
	ssize_t got = varlink_incoming_receive(&connection->incoming, connection->socket);

	/* Who has hung up sends nothing more: what he has sent is read to its end. */
	connection->readable = connection->hung_up;
	switch (got) {
	case -EAGAIN:
		connection->ended = connection->hung_up;
		break;
	case 0:
		connection->ended = true;
		break;
	case -EBADMSG:
		refuse(connection, "org.ioasid1.UnexpectedDescriptors",
		       "the message carried file descriptors, which no method takes; the connection is closed");
		break;
	case -EDQUOT:
		refuse(connection, "org.ioasid1.QuotaExceeded",
		       "incomplete messages of this user take too much memory: complete them; the connection is "
		       "closed");
		break;
	default:
		connection->broken |= got < 0;
	}
}

/* One call, or what is left of it: as much as is done before others have their turn. */
static void on_turn(void *context)
{
	struct varlink_connection *connection = context;

	connection->in_turn = true;
	if (find_next(connection) == NEXT_SEND)
		flush(connection);
	if (find_next(connection) == NEXT_RECEIVE)
		receive(connection);
	if (find_next(connection) == NEXT_TAKE) {
		take_input(connection);
	} else if (find_next(connection) == NEXT_PART) {
		connection->in_parts = false;
		connection->events->drained(connection->context);
	}
	if (find_next(connection) == NEXT_SEND)
		flush(connection);
	connection->in_turn = false;
	if (find_next(connection) == NEXT_CLOSE)
		close_now(connection);
	else
		go_on(connection);
}

/* In a turn of its user, too. */
static void on_socket(void *context, uint32_t events)
{
	struct varlink_connection *connection = context;

	connection->broken |= (events & EPOLLERR) != 0;
	connection->hung_up |= (events & EPOLLHUP) != 0;
	/* That is told again and again, whatever is asked for. */
	if (connection->broken || connection->hung_up)
		socket_watch_end(&connection->watch);
	connection->readable |= (events & (EPOLLIN | EPOLLHUP)) != 0;
	connection->full &= !(events & (EPOLLOUT | EPOLLHUP));
	on_turn(connection);
}

int varlink_connection_new(struct sockets *sockets, int socket, struct turns *turns, struct account *account,
			   const struct varlink_connection_events *events, void *context,
			   struct varlink_connection **out)
{
	struct varlink_connection *connection = calloc(1, sizeof(*connection));
	int error;

	if (!connection)
		return -ENOMEM;
	connection->socket = -1;
	connection->turns = turns;
	connection->turn = (struct turn){ .take = on_turn, .context = connection };
	connection->watch = (struct socket_watch){ .ready = on_socket, .context = connection };
	connection->account = connection->incoming.account = connection->outgoing.account = account;
	connection->events = events;
	connection->context = context;
	error = sockets_watch(sockets, &connection->watch, socket, EPOLLIN);
	if (error < 0) {
		varlink_connection_free(connection);
		return error;
	}
	connection->socket = socket;
	*out = connection;
	return 0;
}

struct varlink_connection *varlink_connection_free(struct varlink_connection *connection)
{
	if (!connection)
		return NULL;
	turns_forget(&connection->turn);
	varlink_incoming_drop(&connection->incoming);
	varlink_outgoing_drop(&connection->outgoing);
	socket_watch_end(&connection->watch);
	descriptor_close(&connection->socket);
	free(connection);
	return NULL;
}
