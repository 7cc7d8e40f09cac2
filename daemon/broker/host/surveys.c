#include "surveys.h"

#include "../../base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SURVEY_LIFETIME_USEC (2 * 1000 * 1000ULL)

enum {
	AT_ONCE = 2, /* surveys that the executor has: it makes one at a time, and has the next when it is done */
	SURVEYS_KEPT = 32,
	USES_PER_SURVEY_MAX = 16384,
	ASKERS_KEPT = 64,
	FRESH_PER_ASKER = 8, /* surveys that one user gets made anew within SURVEY_LIFETIME_USEC */
};

/* How often a user has asked since when. */
struct asker {
	uid_t uid;
	unsigned asked;
	uint64_t since; /* CLOCK_MONOTONIC microseconds */
};

struct survey {
	struct survey *next; /* surveys::pending, or surveys::kept with the newest first */
	uint64_t id;
	uid_t asker;
	/* Of devices, as if each asker had a surveyor of his own that is as slow as there are askers. */
	uint64_t virtual_begin, virtual_end;
	bool sent;
	uint64_t begun; /* CLOCK_MONOTONIC microseconds */
	uint64_t finished;
	struct wire_survey *question;
	struct uses uses;
	int error;
	survey_answer answer; /* NULL: forgotten */
	void *context;
};

struct surveys {
	sd_event *event;
	struct executor_link *link;
	struct turns *turns;
	uint64_t next_id;
	struct survey *pending; /* in the order in which they were asked for */
	size_t under_way;       /* of them */
	uint64_t virtual_now;   /* when the last one began that was sent */
	struct survey *kept;
	struct asker asker[ASKERS_KEPT];
	struct histogram duration;
};

static void survey_free(struct survey *survey)
{
	uses_done(&survey->uses);
	free(survey->question);
	free(survey);
}

static void free_list(struct survey **list)
{
	while (*list) {
		struct survey *survey = *list;

		*list = survey->next;
		survey_free(survey);
	}
}

int surveys_new(sd_event *event, struct executor_link *link, struct turns *turns, struct surveys **out)
{
	struct surveys *surveys = calloc(1, sizeof(*surveys));

	if (!surveys)
		return -ENOMEM;
	surveys->event = sd_event_ref(event);
	surveys->link = link;
	surveys->turns = turns;
	*out = surveys;
	return 0;
}

struct surveys *surveys_free(struct surveys *surveys)
{
	if (!surveys)
		return NULL;
	free_list(&surveys->pending);
	free_list(&surveys->kept);
	sd_event_unref(surveys->event);
	free(surveys);
	return NULL;
}

static uint64_t now(struct surveys *surveys)
{
	uint64_t usec = 0;

	sd_event_now(surveys->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static bool same_question(const struct wire_survey *question, const char *const *device, size_t count)
{
	if (question->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(question->device[i], device[i]) != 0)
			return false;
	return true;
}

/* A finished survey of these devices that is still good, or NULL. */
static const struct survey *find_kept(struct surveys *surveys, const char *const *device, size_t count)
{
	uint64_t oldest = now(surveys) - SURVEY_LIFETIME_USEC;

	for (const struct survey *survey = surveys->kept; survey; survey = survey->next)
		if (survey->finished >= oldest && same_question(survey->question, device, count))
			return survey;
	return NULL;
}

bool surveys_asks_too_often(struct surveys *surveys, uid_t uid)
{
	uint64_t usec = now(surveys);
	struct asker *asker = &surveys->asker[0];

	for (size_t i = 0; i < ASKERS_KEPT; i++) {
		if (surveys->asker[i].uid == uid && surveys->asker[i].asked > 0) {
			asker = &surveys->asker[i];
			break;
		}
		if (surveys->asker[i].since < asker->since)
			asker = &surveys->asker[i];
	}
	if (asker->uid != uid || asker->asked == 0 || usec - asker->since > SURVEY_LIFETIME_USEC)
		*asker = (struct asker){ .uid = uid, .since = usec };
	return asker->asked++ >= FRESH_PER_ASKER;
}

static void enqueue(struct surveys *surveys, struct survey *survey)
{
	struct survey **end = &surveys->pending;

	survey->virtual_begin = surveys->virtual_now;
	for (; *end; end = &(*end)->next)
		if ((*end)->asker == survey->asker && (*end)->virtual_end > survey->virtual_begin)
			survey->virtual_begin = (*end)->virtual_end;
	survey->virtual_end = survey->virtual_begin + survey->question->count;
	*end = survey;
}

/* Takes it out of those that wait or are under way. */
static void dequeue(struct surveys *surveys, struct survey *survey)
{
	struct survey **link = &surveys->pending;

	while (*link != survey)
		link = &(*link)->next;
	*link = survey->next;
	surveys->under_way -= survey->sent;
}

/*
 * Gives the executor the surveys that it is to have: those of who asks much wait, and nobody behind them. 0; -errno:
 * the one that is just asked for can't be sent, and is no more among those that wait.
 */
static int send_next(struct surveys *surveys, const struct survey *asked)
{
	while (surveys->under_way < AT_ONCE) {
		struct survey *next = NULL;
		int error;

		for (struct survey *survey = surveys->pending; survey; survey = survey->next)
			if (!survey->sent && (!next || survey->virtual_begin < next->virtual_begin))
				next = survey;
		if (!next)
			break;
		error = executor_link_send(surveys->link, (const union wire_message *)next->question, NULL, 0);
		if (error == 0) {
			next->sent = true;
			surveys->under_way++;
			surveys->virtual_now = next->virtual_begin;
			continue;
		}
		dequeue(surveys, next);
		if (next == asked)
			return error;
		if (next->answer)
			next->answer(next->context, -error, &next->uses);
		survey_free(next);
	}
	return 0;
}

int surveys_ask(struct surveys *surveys, const char *const *device, size_t count, uid_t asker, bool fresh,
		survey_answer answer, void *context)
{
	bool older_will_do = surveys_asks_too_often(surveys, asker) && !fresh;
	const struct survey *kept = older_will_do ? find_kept(surveys, device, count) : NULL;
	struct survey *survey;
	int error;

	if (kept) {
		answer(context, 0, &kept->uses);
		return 0;
	}
	if (count > GROUP_MEMBERS_MAX)
		return -E2BIG;
	survey = calloc(1, sizeof(*survey));
	if (!survey)
		return -ENOMEM;
	survey->question = calloc(1, sizeof(*survey->question));
	if (!survey->question) {
		survey_free(survey);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		strncpy(survey->question->device[i], device[i], DEVICE_NAME_MAX - 1);
	survey->question->count = (uint32_t)count;
	survey->asker = asker;
	survey->id = ++surveys->next_id;
	wire_stamp((union wire_message *)survey->question, WIRE_SURVEY, survey->id);
	survey->begun = clock_usec(CLOCK_MONOTONIC);
	survey->answer = answer;
	survey->context = context;
	enqueue(surveys, survey);
	error = send_next(surveys, survey);
	if (error < 0)
		survey_free(survey);
	return error;
}

void surveys_forget(struct surveys *surveys, const void *context)
{
	for (struct survey *survey = surveys->pending, *next; survey; survey = next) {
		next = survey->next;
		if (survey->context != context)
			continue;
		survey->answer = NULL;
		if (survey->sent)
			continue;
		dequeue(surveys, survey);
		survey_free(survey);
	}
}

void surveys_found(struct surveys *surveys, const struct wire_use *use)
{
	for (struct survey *survey = surveys->pending; survey; survey = survey->next) {
		if (survey->id != use->header.id)
			continue;
		if (survey->uses.count >= USES_PER_SURVEY_MAX)
			survey->error = E2BIG;
		else if (uses_add(&survey->uses, &use->use) < 0)
			survey->error = ENOMEM;
	}
}

/* Keeps a finished survey for those who ask again soon, and no more of them than SURVEYS_KEPT. */
static void keep(struct surveys *surveys, struct survey *survey)
{
	struct survey **end = &surveys->kept;

	survey->next = surveys->kept;
	surveys->kept = survey;
	for (int i = 0; *end && i < SURVEYS_KEPT; i++)
		end = &(*end)->next;
	free_list(end);
}

void surveys_done(struct surveys *surveys, const struct wire_survey_done *done)
{
	struct survey *survey = surveys->pending;
	uint64_t begin = turns_clock();

	while (survey && !(survey->sent && survey->id == done->header.id))
		survey = survey->next;
	if (!survey)
		return;
	dequeue(surveys, survey);
	if (done->error != 0)
		survey->error = done->error;
	survey->finished = now(surveys);
	histogram_add(&surveys->duration, clock_usec(CLOCK_MONOTONIC) - survey->begun);
	send_next(surveys, NULL);
	if (survey->answer)
		survey->answer(survey->context, survey->error, &survey->uses);
	turns_charge(surveys->turns, survey->asker, turns_clock() - begin);
	if (survey->error == 0)
		keep(surveys, survey);
	else
		survey_free(survey);
}

const struct histogram *surveys_duration(const struct surveys *surveys)
{
	return &surveys->duration;
}

void surveys_outdate(struct surveys *surveys)
{
	free_list(&surveys->kept);
}
