/*
 * Asks polkit whether the calling connection may do something: each time, for that connection by its name on the
 * bus and nothing else, and never for longer than it takes. Whatever comes but a plain yes is a no.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

enum bus_polkit_verdict {
	BUS_POLKIT_NO,
	BUS_POLKIT_YES,
	BUS_POLKIT_CHALLENGE, /* a no; with interaction allowed it would have asked for a password */
	BUS_POLKIT_ABSENT,    /* a no: nobody answers in polkit's place */
};

/* What rules can look at: at most BUS_POLKIT_DETAILS_MAX. Copied into the question. */
struct bus_polkit_detail {
	const char *key;
	const char *value;
};
enum { BUS_POLKIT_DETAILS_MAX = 8 };

struct bus_polkit_question {
	const char *caller; /* its unique name */
	const char *action;
	struct bus_polkit_detail detail[BUS_POLKIT_DETAILS_MAX];
	size_t detail_count;
	bool interactive; /* the caller may be asked for a password: that may take two minutes, everything else 25
			     seconds */
};

struct bus_polkit;

/* Asks; answer is called once, later, unless it is cancelled before. 0 or -errno. */
int bus_polkit_ask(sd_bus *bus, const struct bus_polkit_question *question,
		   void (*answer)(void *context, enum bus_polkit_verdict verdict), void *context,
		   struct bus_polkit **out);
/* The answer is not wanted any more. Takes NULL, returns NULL. */
struct bus_polkit *bus_polkit_cancel(struct bus_polkit *polkit);
