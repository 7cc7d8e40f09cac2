#include "bus_polkit.h"

#include "bus_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLKIT "org.freedesktop.PolicyKit1"
#define AUTHORITY_PATH "/org/freedesktop/PolicyKit1/Authority"
#define AUTHORITY "org.freedesktop.PolicyKit1.Authority"

#define PATIENCE_USEC (25 * 1000 * 1000ULL)
#define PATIENCE_OF_PEOPLE_USEC (120 * 1000 * 1000ULL)

enum { ALLOW_USER_INTERACTION = 1 };

struct bus_polkit {
	sd_bus *bus;
	sd_bus_slot *slot;
	char cancellation[32];
	void (*answer)(void *context, enum bus_polkit_verdict verdict);
	void *context;
};

/* Of polkit's answer (bba{ss}): is authorised, could be after a challenge, details. */
static enum bus_polkit_verdict read_answer(sd_bus_message *reply)
{
	int yes = 0, challenge = 0;

	if (!sd_bus_message_has_signature(reply, "(bba{ss})") ||
	    sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
	    sd_bus_message_read(reply, "bb", &yes, &challenge) < 0)
		return BUS_POLKIT_NO;
	if (yes)
		return BUS_POLKIT_YES;
	return challenge ? BUS_POLKIT_CHALLENGE : BUS_POLKIT_NO;
}

static void free_polkit(struct bus_polkit *polkit)
{
	sd_bus_slot_unref(polkit->slot);
	sd_bus_unref(polkit->bus);
	free(polkit);
}

/* A dialogue that nobody waits for any more is to go. Its answer, if any, is nobody's. */
static void withdraw(struct bus_polkit *polkit)
{
	sd_bus_message *message = NULL;

	if (sd_bus_message_new_method_call(polkit->bus, &message, POLKIT, AUTHORITY_PATH, AUTHORITY,
					   "CancelCheckAuthorization") >= 0 &&
	    sd_bus_message_append(message, "s", polkit->cancellation) >= 0 &&
	    sd_bus_message_set_expect_reply(message, false) >= 0 && sd_bus_message_set_auto_start(message, false) >= 0)
		sd_bus_message_send(message);
	sd_bus_message_unref(message);
}

static int on_answer(sd_bus_message *reply, void *context, sd_bus_error *ignored)
{
	struct bus_polkit *polkit = context;
	enum bus_polkit_verdict verdict = BUS_POLKIT_NO;

	if (!sd_bus_message_is_method_error(reply, NULL))
		verdict = read_answer(reply);
	else if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
		 sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		verdict = BUS_POLKIT_ABSENT;
	else if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) ||
		 sd_bus_message_is_method_error(reply, SD_BUS_ERROR_TIMEOUT))
		withdraw(polkit);
	polkit->answer(polkit->context, verdict);
	free_polkit(polkit);
	return 0;
}

static int write_question(sd_bus_message *message, const struct bus_polkit_question *question, const char *cancellation)
{
	int result = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s", question->caller,
					   question->action);

	if (result >= 0)
		result = sd_bus_message_open_container(message, 'a', "{ss}");
	for (size_t i = 0; i < question->detail_count && result >= 0; i++) {
		result = sd_bus_message_open_container(message, 'e', "ss");
		if (result >= 0)
			result = bus_text_append(message, question->detail[i].key);
		if (result >= 0)
			result = bus_text_append(message, question->detail[i].value);
		if (result >= 0)
			result = sd_bus_message_close_container(message);
	}
	if (result >= 0)
		result = sd_bus_message_close_container(message);
	if (result >= 0)
		result = sd_bus_message_append(message, "us", question->interactive ? ALLOW_USER_INTERACTION : 0,
					       cancellation);
	return result;
}

int bus_polkit_ask(sd_bus *bus, const struct bus_polkit_question *question,
		   void (*answer)(void *context, enum bus_polkit_verdict verdict), void *context,
		   struct bus_polkit **out)
{
	static uint64_t number;
	struct bus_polkit *polkit = calloc(1, sizeof(*polkit));
	sd_bus_message *message = NULL;
	int result;

	if (!polkit)
		return -ENOMEM;
	polkit->bus = sd_bus_ref(bus);
	polkit->answer = answer;
	polkit->context = context;
	/* polkit keeps those of each of its callers apart. */
	snprintf(polkit->cancellation, sizeof(polkit->cancellation), "%llu", (unsigned long long)++number);
	result = sd_bus_message_new_method_call(bus, &message, POLKIT, AUTHORITY_PATH, AUTHORITY, "CheckAuthorization");
	if (result >= 0)
		result = write_question(message, question, polkit->cancellation);
	if (result >= 0)
		result = sd_bus_call_async(bus, &polkit->slot, message, on_answer, polkit,
					   question->interactive ? PATIENCE_OF_PEOPLE_USEC : PATIENCE_USEC);
	sd_bus_message_unref(message);
	if (result < 0) {
		free_polkit(polkit);
		return result;
	}
	*out = polkit;
	return 0;
}

struct bus_polkit *bus_polkit_cancel(struct bus_polkit *polkit)
{
	if (!polkit)
		return NULL;
	withdraw(polkit);
	free_polkit(polkit);
	return NULL;
}
