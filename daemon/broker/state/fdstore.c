#include "fdstore.h"

#include "../../base/descriptors.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#define PATIENCE_USEC (5 * 1000 * 1000ULL)

struct passed {
	char *name;
	int fd; /* -1: taken, or refused */
	bool refused;
};

struct fdstore {
	sd_event *event;
	struct passed *passed;
	size_t passed_count;
	bool there;
	bool works; /* there is a manager, and it took the last one */
	bool told;  /* that something is not kept */
};

struct fdstore_drop {
	struct fdstore_drop **self; /* the caller's pointer to it */
	sd_event_source *source, *timer;
	int pipe;
	void (*done)(void *context);
	void *context;
};

enum { STORED_NAME_MAX = 16 + CLAIM_ID_MAX };

static const char *name_of(enum stored what, const char *claim_id, char out[static STORED_NAME_MAX])
{
	static const char *const prefix[STORED_COUNT] = { [STORED_LEASE] = "lease", [STORED_CONTEXT] = "context" };

	snprintf(out, STORED_NAME_MAX, "%s-%s", prefix[what], claim_id);
	return out;
}

int fdstore_new(struct fdstore **out)
{
	struct fdstore *store = calloc(1, sizeof(*store));
	char **names = NULL;
	int count;

	if (!store)
		return -ENOMEM;
	store->there = store->works = getenv("NOTIFY_SOCKET") != NULL;
	count = sd_listen_fds_with_names(true, &names);
	if (count > 0)
		store->passed = calloc((size_t)count, sizeof(*store->passed));
	if (count < 0 || (count > 0 && !store->passed)) {
		free(store);
		return count < 0 ? count : -ENOMEM;
	}
	for (int i = 0; i < count; i++)
		store->passed[i] = (struct passed){ .name = names[i], .fd = SD_LISTEN_FDS_START + i };
	store->passed_count = (size_t)count;
	free(names);
	*out = store;
	return 0;
}

struct fdstore *fdstore_free(struct fdstore *store)
{
	if (!store)
		return NULL;
	for (size_t i = 0; i < store->passed_count; i++) {
		descriptor_close(&store->passed[i].fd);
		free(store->passed[i].name);
	}
	free(store->passed);
	free(store);
	return NULL;
}

void fdstore_set_event(struct fdstore *store, sd_event *event)
{
	store->event = event;
}

/* The first of that name that fits; -1 if there is none. Those before it are closed. */
static int take(struct fdstore *store, const char *name, fdstore_fits fits, const struct claim *claim)
{
	for (size_t i = 0; i < store->passed_count; i++) {
		struct passed *passed = &store->passed[i];

		if (passed->fd < 0 || strcmp(passed->name, name) != 0)
			continue;
		if (fits(passed->fd, claim))
			return descriptor_take(&passed->fd);
		log_error("the service manager passed an unsuitable descriptor as \"%s\": closed it", name);
		passed->refused = true;
		descriptor_close(&passed->fd);
	}
	return -1;
}

/* What was stored is passed in the same way: only what listens is a listener. */
static bool is_listener(int fd, const struct claim *none)
{
	return sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0;
}

int fdstore_take_listener(struct fdstore *store, const char *name)
{
	return take(store, name, is_listener, NULL);
}

int fdstore_take(struct fdstore *store, enum stored what, const struct claim *claim, fdstore_fits fits)
{
	char name[STORED_NAME_MAX];

	return take(store, name_of(what, claim->id, name), fits, claim);
}

/* Tells the manager something that it need not have heard yet when this returns. 0 or -errno. */
static int tell(struct fdstore *store, const char *message, const int *fd)
{
	int result;

	if (!store->there)
		return -ENOENT;
	result = fd ? sd_pid_notify_with_fds(0, 0, message, fd, 1) : sd_notify(0, message);
	return result > 0 ? 0 : result < 0 ? result : -ENOENT;
}

size_t fdstore_forget_rest(struct fdstore *store)
{
	size_t forgotten = 0;

	for (size_t i = 0; i < store->passed_count; i++) {
		struct passed *passed = &store->passed[i];
		char message[FILENAME_MAX];

		if (passed->fd < 0 && !passed->refused)
			continue;
		forgotten++;
		if (!passed->refused)
			log_warning("the service manager passed an unknown descriptor, \"%s\": closed it",
				    passed->name);
		descriptor_close(&passed->fd);
		snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", passed->name);
		tell(store, message, NULL);
	}
	return forgotten;
}

bool fdstore_is_there(const struct fdstore *store)
{
	return store->there;
}

bool fdstore_works(const struct fdstore *store)
{
	return store->works;
}

int fdstore_put(struct fdstore *store, enum stored what, const char *claim_id, int fd)
{
	char name[STORED_NAME_MAX], message[STORED_NAME_MAX + 64];
	int error;

	/* The manager shall not look at it: an end that it saw first would be one that we never see. */
	snprintf(message, sizeof(message), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name_of(what, claim_id, name));
	error = tell(store, message, &fd);
	store->works = error >= 0;
	if (error < 0 && store->there && !store->told) {
		store->told = true;
		log_warning("the service manager does not store the leases of claims (%s): after a restart they linger "
			    "until their clients resume them",
			    strerror(-error));
	}
	return error;
}

/* The manager has closed its copies, or is not waited for any more. */
static void finish(struct fdstore_drop *drop)
{
	void (*done)(void *context) = drop->done;
	void *context = drop->context;

	fdstore_drop_cancel(drop);
	done(context);
}

static int on_closed(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	finish(context);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *context)
{
	log_warning("the service manager does not confirm that it closed stored descriptors: continuing");
	finish(context);
	return 0;
}

void fdstore_drop_cancel(struct fdstore_drop *drop)
{
	if (!drop)
		return;
	*drop->self = NULL;
	sd_event_source_disable_unref(drop->source);
	sd_event_source_disable_unref(drop->timer);
	descriptor_close(&drop->pipe);
	free(drop);
}

/* Asks the manager to close our pipe when it is through with everything it was told before. 0 or -errno. */
static int send_barrier(struct fdstore *store, int *out)
{
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	error = tell(store, "BARRIER=1", &ends[1]);
	close(ends[1]);
	if (error < 0)
		close(ends[0]);
	else
		*out = ends[0];
	return error;
}

void fdstore_drop(struct fdstore *store, const char *claim_id, void (*done)(void *context), void *context,
		  struct fdstore_drop **out)
{
	struct fdstore_drop *drop = NULL;
	int error = 0, pipe = -1;

	*out = NULL;
	for (int what = 0; what < STORED_COUNT && error == 0; what++) {
		char name[STORED_NAME_MAX], message[STORED_NAME_MAX + 64];

		snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s",
			 name_of((enum stored)what, claim_id, name));
		error = tell(store, message, NULL);
	}
	if (error == 0)
		error = send_barrier(store, &pipe);
	drop = error == 0 ? calloc(1, sizeof(*drop)) : NULL;
	if (!drop) {
		descriptor_close(&pipe);
		done(context);
		return;
	}
	*drop = (struct fdstore_drop){ .self = out, .pipe = pipe, .done = done, .context = context };
	*out = drop;
	/* The hang-up is told without being asked for. */
	if (sd_event_add_io(store->event, &drop->source, pipe, 0, on_closed, drop) < 0 ||
	    sd_event_add_time_relative(store->event, &drop->timer, CLOCK_MONOTONIC, PATIENCE_USEC, 0, on_late, drop) <
		    0)
		finish(drop);
}
