/*
 * One method call that came over the bus, from its arrival to its answer; and, where the answer offers descriptors, on
 * until they were acknowledged or the offer is over. Each is a requester of its own to the arbiter. Limits how many a
 * connection and a user may have.
 */
#pragma once

#include "../../core/accounts.h"
#include "../../arbiter/arbiter.h"
#include "bus_caller.h"
#include "bus_path.h"
#include "../../core/rights.h"

struct bus_call;
struct bus_listings;
struct bus_method;

/* What the parts of the face work on together. */
struct bus_books {
	struct arbiter *arbiter;
	sd_event *event;
	sd_bus *bus; /* NULL while there is none */
	struct bus_listings *listings;
	struct turns *turns;
	struct accounts calls;  /* that were not answered yet */
	struct accounts offers; /* that were not acknowledged yet, or are being made */
	struct bus_call *first; /* bus_call::next, in the order in which they came; those that are over are not in it */
	size_t unknown;         /* of them, whose caller is not known yet */
	struct bus_call *over;
	sd_event_source *cleaner;
};

/* Descriptors that wait for the client to take them, and the claim that they are of. Owned by the call. */
struct bus_offer {
	char claim[CLAIM_ID_MAX];
	struct {
		int32_t number;
		int fd;
	} group[CLAIM_DEVICES_MAX];
	size_t group_count;
	struct {
		char name[DEVICE_NAME_MAX];
		int fd; /* -1: none goes with it */
	} device[CLAIM_DEVICES_MAX];
	size_t device_count;
	bool by_descriptor; /* the lease is one: it went to the client with the answer */
	bool queued;        /* copies were sent when the bus did not take all that is sent to it */
};

struct bus_call {
	struct bus_call *next;
	struct bus_books *books;
	struct bus_caller *caller; /* NULL once it has left the bus */
	bool identified;           /* the requester is the caller */
	struct account *account;   /* of its user, from then on until it was answered */
	struct turn turn;          /* in which it is begun */
	sd_bus_message *message;   /* NULL once it was answered */
	struct bus_object_name object;
	struct requester requester; /* its pidfd is the caller's, or pidfd; its answers go to bus_answers_write() */
	int pidfd;                  /* owned; -1: none */
	/* Ends the work for the call because its caller is gone. NULL: there is none. */
	void (*abandon)(struct bus_call *call);
	void *work; /* of the module that set abandon */
	const struct bus_method *method;
	bool asked;   /* polkit was, about this act */
	bool granted; /* and it has said yes */
	enum act act;
	void (*go_on)(struct bus_call *call); /* then */
	struct account *offers;               /* of its user, if it leads to an offer, or has one */
	struct bus_offer *offer;              /* NULL: none */
	struct bus_call *acknowledgement;     /* of the offer, while it is made: answered in this call's place */
};

enum {
	BUS_CALLS_PER_CONNECTION_MAX = 32, /* not answered yet */
	BUS_CALLS_PER_USER_MAX = 64,       /* fewer as they get short: accounts.h */
	BUS_CALLS_MAX = 1024,              /* uid 0's are not counted */
	BUS_CALLS_RESERVED = 128,          /* of them, for operators */
	BUS_CALLS_UNKNOWN_MAX = 1024,      /* of callers whom the bus has not told of yet */
	BUS_OFFERS_PER_USER_MAX = 16,      /* not acknowledged yet; fewer as they get short */
	BUS_OFFERS_MAX = 64,               /* uid 0's are not counted */
	BUS_OFFERS_RESERVED = 8,           /* of them, for operators */
};

int bus_books_init(struct bus_books *books, sd_event *event, struct arbiter *arbiter);
/* All calls must be over. */
void bus_books_done(struct bus_books *books);

/* Takes a call up. NULL, after an answer, where it is one too many or memory is out. */
struct bus_call *bus_call_new(struct bus_books *books, struct bus_caller *caller, sd_bus_message *message,
			      const struct bus_object_name *object);
/* The caller is known now: who asks. False, after an answer, where the call is one too many of that user. */
bool bus_call_identify(struct bus_call *call);
/* True if one more offer may be made to this user, by this call; else false after an answer. */
bool bus_call_may_be_offered(struct bus_call *call);

/*
 * Gives the requester a pidfd where the bus gives none, by the pid that it tells. That may be another process's by now:
 * good enough for a memlock limit, as in peer.c, which the executor gives to no process of another user; and never
 * certain.
 */
void bus_call_find_process(struct bus_call *call);

/* An empty reply to the call. 0 or -errno. */
int bus_call_reply_new(const struct bus_call *call, sd_bus_message **out);
/*
 * Answers, and ends the call unless it has an offer. reply: owned by this function. error: that it could not be
 * written; then the call is failed instead, and what it had to offer is taken back.
 */
void bus_call_reply(struct bus_call *call, sd_bus_message *reply, int error);
/* Answers with an empty reply. */
void bus_call_reply_done(struct bus_call *call);
/* Answers with an error. name: in full, or the last part of org.ioasid1.Error.*. */
void bus_call_fail(struct bus_call *call, const char *name, const char *message);
void bus_call_fail_with(struct bus_call *call, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same without a call. */
void bus_refuse(sd_bus_message *message, const char *name, const char *text);
/* Ends the call, answered or not: the arbiter forgets it, and it is freed, in a turn of the loop's own. */
void bus_call_end(struct bus_call *call);
/*
 * The caller has left. What is done for him is given up; an offer is kept only if it can still be acknowledged: where
 * the lease is no descriptor that he has taken with him. keep: the bus is gone, and he may come back: keep it in any
 * case.
 */
void bus_call_leave(struct bus_call *call, bool keep);

/* The call that offers something of this claim, or NULL. */
struct bus_call *bus_offer_find(const struct bus_books *books, const char *claim);
/* Closes what is left of an offer that can still be acknowledged. */
void bus_offer_close(struct bus_offer *offer);
/* The offer is over, and so is its call. */
void bus_offer_end(struct bus_call *call);
