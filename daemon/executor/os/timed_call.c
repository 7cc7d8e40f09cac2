#include "timed_call.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

/* More hanging threads than this, and nothing is tried any more. */
enum { HANGING_MAX = 64, KEY_MAX = 128, STACK_SIZE = 128 * 1024 };

/* A thread, and the call that it has. Its own lock guards it: it may outlive the patience. */
struct helper {
	TAILQ_ENTRY(helper) link; // timed_call::hanging, if it was left behind
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct timed_call_task task;
	char key[KEY_MAX];
	void *context; /* NULL: nothing to do */
	int result;
	bool left;     /* behind: it frees the context, notes that it is through, and ends */
	bool orphaned; /* nobody looks at it any more: it frees itself */
	bool ends;     /* told to end, or has ended */
};

struct timed_call {
	struct helper *helper; /* waits for work; NULL: none yet */
	TAILQ_HEAD(, helper) hanging;
	unsigned hanging_count;
};

static void helper_free(struct helper *helper)
{
	pthread_cond_destroy(&helper->changed);
	pthread_mutex_destroy(&helper->lock);
	free(helper);
}

static void *helper_main(void *argument)
{
	struct helper *helper = argument;
	bool orphaned;

	pthread_mutex_lock(&helper->lock);
	while (!helper->ends) {
		int result;

		if (!helper->context) {
			pthread_cond_wait(&helper->changed, &helper->lock);
			continue;
		}
		pthread_mutex_unlock(&helper->lock);
		result = helper->task.run(helper->context);
		pthread_mutex_lock(&helper->lock);
		helper->result = result;
		if (helper->left) {
			helper->task.free(helper->context);
			helper->ends = true;
		}
		helper->context = NULL;
		pthread_cond_broadcast(&helper->changed);
	}
	orphaned = helper->orphaned;
	pthread_mutex_unlock(&helper->lock);
	if (orphaned)
		helper_free(helper);
	return NULL;
}

static struct helper *helper_new(void)
{
	struct helper *helper = calloc(1, sizeof(*helper));
	pthread_attr_t attributes;
	pthread_condattr_t clock;
	pthread_t thread;
	int error;

	if (!helper)
		return NULL;
	pthread_mutex_init(&helper->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&helper->changed, &clock);
	pthread_condattr_destroy(&clock);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = pthread_create(&thread, &attributes, helper_main, helper);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		return helper;
	helper_free(helper);
	return NULL;
}

/* Tells a helper to end and to free itself: nobody looks at it after this. */
static void helper_dismiss(struct helper *helper)
{
	bool ended;

	pthread_mutex_lock(&helper->lock);
	ended = helper->ends;
	helper->orphaned = true;
	helper->ends = true;
	pthread_cond_broadcast(&helper->changed);
	pthread_mutex_unlock(&helper->lock);
	if (ended)
		helper_free(helper);
}

struct timed_call *timed_call_new(void)
{
	struct timed_call *timed_call = calloc(1, sizeof(*timed_call));

	if (timed_call)
		TAILQ_INIT(&timed_call->hanging);
	return timed_call;
}

struct timed_call *timed_call_free(struct timed_call *timed_call)
{
	struct helper *helper;

	if (!timed_call)
		return NULL;
	if (timed_call->helper)
		helper_dismiss(timed_call->helper);
	while ((helper = TAILQ_FIRST(&timed_call->hanging))) {
		TAILQ_REMOVE(&timed_call->hanging, helper, link);
		helper_dismiss(helper);
	}
	free(timed_call);
	return NULL;
}

/* Frees the helpers that came back after all. True if one with this key still hangs. */
static bool still_hangs(struct timed_call *timed_call, const char *key)
{
	struct helper *helper, *next;
	bool found = false;

	for (helper = TAILQ_FIRST(&timed_call->hanging); helper; helper = next) {
		bool ended;

		next = TAILQ_NEXT(helper, link);
		pthread_mutex_lock(&helper->lock);
		ended = helper->ends;
		pthread_mutex_unlock(&helper->lock);
		if (!ended) {
			found = found || strcmp(helper->key, key) == 0;
			continue;
		}
		TAILQ_REMOVE(&timed_call->hanging, helper, link);
		timed_call->hanging_count--;
		helper_dismiss(helper);
	}
	return found;
}

/* Waits until the helper has done its work. False: it has not, and was left behind. */
static bool wait_for(struct helper *helper, unsigned milliseconds, int *result)
{
	struct timespec end;
	bool done;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += milliseconds / 1000;
	end.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&helper->lock);
	while (helper->context && pthread_cond_timedwait(&helper->changed, &helper->lock, &end) != ETIMEDOUT)
		;
	done = !helper->context;
	helper->left = !done;
	*result = helper->result;
	pthread_mutex_unlock(&helper->lock);
	return done;
}

int timed_call_run(struct timed_call *timed_call, const struct timed_call_task *task, unsigned milliseconds,
		   void *context)
{
	struct helper *helper;
	int result;

	if (!TAILQ_EMPTY(&timed_call->hanging) &&
	    (still_hangs(timed_call, task->key) || timed_call->hanging_count >= HANGING_MAX)) {
		task->free(context);
		return -ETIMEDOUT;
	}
	if (!timed_call->helper)
		timed_call->helper = helper_new();
	helper = timed_call->helper;
	if (!helper)
		return -ENOMEM;
	pthread_mutex_lock(&helper->lock);
	helper->task = *task;
	snprintf(helper->key, sizeof(helper->key), "%s", task->key);
	helper->context = context;
	pthread_cond_broadcast(&helper->changed);
	pthread_mutex_unlock(&helper->lock);
	if (wait_for(helper, milliseconds, &result))
		return result;
	timed_call->helper = NULL;
	TAILQ_INSERT_TAIL(&timed_call->hanging, helper, link);
	timed_call->hanging_count++;
	return -ETIMEDOUT;
}
